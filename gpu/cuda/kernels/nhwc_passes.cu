// The passes over activations with channels last (nhwc.cu), but for convolutions: what vector.cu, channel.cu and spatial.cu
// do with float32 in Caffe's order. A thread does a chunk of eight channels, 16 bytes.
#include "channel.cuh"
#include "nhwc.cuh"
#include "spatial.cuh"

// EIGHT goes over the channels of a chunk. Unrolled, so that arrays of them are registers.
#define EIGHT(j) _Pragma("unroll") for (int j = 0; j < CHUNK; j++)

__device__ __forceinline__ void unpack(const uint4 &u, float (&v)[CHUNK]) {
	unsigned w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
	for (int i = 0; i < 4; i++) {
		v[2 * i] = __uint_as_float(w[i] << 16);
		v[2 * i + 1] = __uint_as_float(w[i] & 0xFFFF0000u);
	}
}
__device__ __forceinline__ uint4 pack(const float (&v)[CHUNK]) {
	return make_uint4(bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7]));
}

// From Caffe's order and back: (n, channels, plane) to (n, plane, width), where width is channels or more, filled with
// zeros. A block does 32 pixels of 32 channels; grid (pixels, channels, n).

// Moves n + n/2.
BLOCK_KERNEL(256, nhwc_from_planes, int channels, int plane, int width, const float *x, unsigned *y) {
	START;
	__shared__ float tile[32][33];
	int p0 = (int)blockIdx.x * 32, c0 = (int)blockIdx.y * 32, lane = (int)threadIdx.x & 31, row = (int)threadIdx.x >> 5;
	for (int i = 0; i < 32; i += 8) {
		int c = c0 + row + i, p = p0 + lane;
		tile[row + i][lane] = c < channels && p < plane ? x[((long long)blockIdx.z * channels + c) * plane + p] : 0.0f;
	}
	__syncthreads();
	for (int i = 0; i < 2; i++) {
		int e = (int)threadIdx.x + 256 * i, p = e >> 4, c = 2 * (e & 15);
		if (p0 + p < plane && c0 + c < width)
			y[(((long long)blockIdx.z * plane + p0 + p) * width + c0 + c) / 2] = bf16_pair(tile[c][p], tile[c + 1][p]);
	}
}

// Moves n/2 + n.
BLOCK_KERNEL(256, nhwc_to_planes, int channels, int plane, const unsigned *x, float *y) {
	START;
	__shared__ float tile[32][33];
	int p0 = (int)blockIdx.x * 32, c0 = (int)blockIdx.y * 32, lane = (int)threadIdx.x & 31, row = (int)threadIdx.x >> 5;
	for (int i = 0; i < 2; i++) {
		int e = (int)threadIdx.x + 256 * i, p = e >> 4, c = 2 * (e & 15);
		unsigned u = p0 + p < plane && c0 + c < channels ? x[(((long long)blockIdx.z * plane + p0 + p) * channels + c0 + c) / 2] : 0;
		tile[c][p] = __uint_as_float(u << 16);
		tile[c + 1][p] = __uint_as_float(u & 0xFFFF0000u);
	}
	__syncthreads();
	for (int i = 0; i < 32; i += 8) {
		int c = c0 + row + i, p = p0 + lane;
		if (c < channels && p < plane) y[((long long)blockIdx.z * channels + c) * plane + p] = tile[row + i][lane];
	}
}

// The same of numbers of four bytes, places of maxima. Moves 2n.
BLOCK_KERNEL(256, nhwc_places_to_planes, int channels, int plane, const float *x, float *y) {
	START;
	__shared__ float tile[32][33];
	int p0 = (int)blockIdx.x * 32, c0 = (int)blockIdx.y * 32, lane = (int)threadIdx.x & 31, row = (int)threadIdx.x >> 5;
	for (int i = 0; i < 32; i += 8) {
		int p = p0 + row + i, c = c0 + lane;
		tile[row + i][lane] = p < plane && c < channels ? x[((long long)blockIdx.z * plane + p) * channels + c] : 0.0f;
	}
	__syncthreads();
	for (int i = 0; i < 32; i += 8) {
		int c = c0 + row + i, p = p0 + lane;
		if (c < channels && p < plane) y[((long long)blockIdx.z * channels + c) * plane + p] = tile[lane][row + i];
	}
}

// FilterShape is that of weights: of all groups o filters of c channels, which are filled up to width, and taps.
struct FilterShape {
	int groups, o, c, width, taps;
	Divisor by_chunks, by_taps;
};

// y[o][tap][c] = w[o][c][tap], bf16: forward weights of a convolution. What is pruned stays -0. Moves n + n/2.
KERNEL(256, nhwc_filters, const float *w, uint4 *y, FilterShape s) {
	START;
	int chunks = s.width / CHUNK;
	EACH(i, s.groups * s.o * s.taps * chunks) {
		unsigned q, k, o, t;
		s.by_chunks.divmod(i, q, k);
		s.by_taps.divmod(q, o, t);
		float v[CHUNK];
		EIGHT(j) {
			int c = (int)k * CHUNK + j;
			v[j] = c < s.c ? w[((long long)o * s.c + c) * s.taps + t] : 0.0f;
		}
		y[i] = pack(v);
	}
}

// y[group][c][tap][o] = w[group][o][c][tap]: what the gradient of the input reads; o is a multiple of eight. Moves n + n/2.
KERNEL(256, nhwc_filters_by_input, const float *w, uint4 *y, FilterShape s) {
	START;
	int chunks = s.o / CHUNK;
	EACH(i, s.groups * s.c * s.taps * chunks) {
		unsigned q, k, row, t;
		s.by_chunks.divmod(i, q, k);
		s.by_taps.divmod(q, row, t);
		int group = (int)row / s.c, c = (int)row % s.c;
		float v[CHUNK];
		EIGHT(j) v[j] = w[((long long)(group * s.o + (int)k * CHUNK + j) * s.c + c) * s.taps + t];
		y[i] = pack(v);
	}
}

// y = max(x, 0) + slope·min(x, 0); n counts chunks, as everywhere below. Moves 2·n/2.
KERNEL(256, bf16_relu, int n, const uint4 *x, float slope, uint4 *y) {
	START;
	EACH(i, n) {
		float v[CHUNK];
		unpack(x[i], v);
		EIGHT(j) v[j] = rectified(v[j], slope);
		y[i] = pack(v);
	}
}

// dx = dy·(x > 0 ? 1 : slope). Moves 3·n/2.
KERNEL(256, bf16_relu_backward, int n, const uint4 *x, const uint4 *dy, float slope, uint4 *dx) {
	START;
	EACH(i, n) {
		float v[CHUNK], g[CHUNK];
		unpack(x[i], v);
		unpack(dy[i], g);
		EIGHT(j) g[j] = v[j] > 0 ? g[j] : slope * g[j];
		dx[i] = pack(g);
	}
}

// y = a·x + b·y; where b is 0 y is not read. Moves 3·n/2.
KERNEL(256, bf16_axpby, int n, float a, const uint4 *x, float b, uint4 *y) {
	START;
	EACH(i, n) {
		float u[CHUNK], v[CHUNK];
		unpack(x[i], u);
		if (b != 0) unpack(y[i], v);
		EIGHT(j) v[j] = b != 0 ? a * u[j] + b * v[j] : a * u[j];
		y[i] = pack(v);
	}
}

// y_i = x_i·keep where u_i >= ratio, else 0, as dropout of vector.cu: i counts in Caffe's order. Moves 2·n/2.
KERNEL(256, nhwc_dropout, int n, int channels, int plane, const uint4 *x, float ratio, float keep, const Key *key, uint4 *y, Divisor by_chunks, Divisor by_plane) {
	START;
	Key k = *key;
	EACH(i, n) {
		unsigned pixel, chunk, image, place;
		by_chunks.divmod(i, pixel, chunk);
		by_plane.divmod(pixel, image, place);
		int at = ((int)image * channels + (int)chunk * CHUNK) * plane + (int)place;
		float v[CHUNK];
		unpack(x[i], v);
		EIGHT(j) v[j] = uniform(k, at + j * plane) >= ratio ? v[j] * keep : 0.0f;
		y[i] = pack(v);
	}
}

// Columns are the channels of an array with channels last: rows pixels of channels numbers. A block does width chunks of
// channels, a power of two of at most 32, and 256/width rows at a time.
struct Columns8 {
	int rows, channels, width;
	Divisor by_chunks;
};

// sum_columns leaves in a thread for each channel of the last block of these channels the sums of f over the rows:
// f(chunk, sums) adds what a chunk brings to sums[k][j]. It returns the channel there, and -1 elsewhere. Numbers are added
// as float32 over 16 rows of a thread, then as float64. Grid (chunks, slices of the rows).
template <int K, class F> __device__ __forceinline__ int sum_columns(const Columns8 &s, double (&v)[K], double *partial, unsigned *counters, F f) {
	__shared__ double sums[256][CHUNK];
	int chunks = s.channels / CHUNK, chunk = (int)blockIdx.x * s.width + (int)threadIdx.x % s.width, lane = (int)threadIdx.x / s.width, lanes = 256 / s.width;
	int slices = (int)gridDim.y, slice = (s.rows + slices - 1) / slices, from = (int)blockIdx.y * slice, to = min(s.rows, from + slice);
	double mine[K][CHUNK];
#pragma unroll
	for (int k = 0; k < K; k++)
		EIGHT(j) mine[k][j] = 0;
	if (chunk < chunks)
		for (int row = from + lane; row < to; row += 16 * lanes) {
			float few[K][CHUNK];
#pragma unroll
			for (int k = 0; k < K; k++)
				EIGHT(j) few[k][j] = 0;
			for (int r = row; r < min(to, row + 16 * lanes); r += lanes) f(r * chunks + chunk, few);
#pragma unroll
			for (int k = 0; k < K; k++)
				EIGHT(j) mine[k][j] += few[k][j];
		}
	// The first width·8 threads add up a channel each.
	int channel = (int)blockIdx.x * s.width * CHUNK + (int)threadIdx.x;
	bool adds = (int)threadIdx.x < s.width * CHUNK && channel < s.channels;
#pragma unroll
	for (int k = 0; k < K; k++) {
		__syncthreads();
		EIGHT(j) sums[threadIdx.x][j] = mine[k][j];
		__syncthreads();
		v[k] = 0;
		if (adds)
			for (int l = 0; l < lanes; l++) v[k] += sums[l * s.width + threadIdx.x / CHUNK][threadIdx.x % CHUNK];
	}
	if (slices == 1) return adds ? channel : -1;
	if (adds)
#pragma unroll
		for (int k = 0; k < K; k++) partial[((long long)blockIdx.y * K + k) * s.channels + channel] = v[k];
	if (!last_block(counters + blockIdx.x, slices) || !adds) return -1;
#pragma unroll
	for (int k = 0; k < K; k++) {
		v[k] = 0;
		for (int b = 0; b < slices; b++) v[k] += partial[((long long)b * K + k) * s.channels + channel];
	}
	return channel;
}

// y += b[c], behind a library's convolution. Moves 2·n/2.
KERNEL(256, nhwc_add_bias, const float *b, uint4 *y, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float v[CHUNK];
		unpack(y[i], v);
		EIGHT(j) v[j] += b[k * CHUNK + j];
		y[i] = pack(v);
	}
}

// db[c] += Σ dy. Moves n/2.
BLOCK_KERNEL(256, nhwc_sum_bias, const uint4 *dy, float *db, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[1];
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[1][CHUNK]) {
		float g[CHUNK];
		unpack(dy[i], g);
		EIGHT(j) sums[0][j] += g[j];
	});
	if (c >= 0) db[c] += (float)v[0];
}

// mean[c] and variance[c] of the population. Moves n/2.
BLOCK_KERNEL(256, nhwc_stats, const uint4 *x, float *mean, float *variance, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[2];
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][CHUNK]) {
		float u[CHUNK];
		unpack(x[i], u);
		EIGHT(j) {
			sums[0][j] += u[j];
			sums[1][j] += u[j] * u[j];
		}
	});
	if (c < 0) return;
	double m = v[0] / s.rows, q = v[1] / s.rows - m * m;
	mean[c] = (float)m;
	variance[c] = (float)(q < 0 ? 0 : q);
}

// y = (x - mean[c]·f)/√(variance[c]·f + eps). Moves 2·n/2.
KERNEL(256, nhwc_normalize, const uint4 *x, const float *mean, const float *variance, const float *weight, float eps, uint4 *y, Columns8 s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float v[CHUNK];
		unpack(x[i], v);
		EIGHT(j) {
			int c = (int)k * CHUNK + j;
			v[j] = (v[j] - mean[c] * f) * reciprocal_std(variance[c] * f, eps);
		}
		y[i] = pack(v);
	}
}

// BatchNorm and what comes after it, as batch_norm. Moves 3·n/2.
KERNEL(256, nhwc_batch_norm, const uint4 *x, const float *mean, const float *variance, float eps, uint4 *norm, uint4 *y, After after, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float v[CHUNK];
		unpack(x[i], v);
		EIGHT(j) {
			int c = (int)k * CHUNK + j;
			v[j] = (v[j] - mean[c]) * reciprocal_std(variance[c], eps);
		}
		norm[i] = pack(v);
		EIGHT(j) v[j] = after.of(v[j], (int)k * CHUNK + j);
		y[i] = pack(v);
	}
}

// y = a[c]·x + b[c]; b may be null. Moves 2·n/2.
KERNEL(256, nhwc_scale, const uint4 *x, const float *a, const float *b, uint4 *y, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float v[CHUNK];
		unpack(x[i], v);
		EIGHT(j) v[j] = a[k * CHUNK + j] * v[j] + (b ? b[k * CHUNK + j] : 0.0f);
		y[i] = pack(v);
	}
}

// dx = a[c]·dy, da[c] += Σ dy·x, db[c] += Σ dy, in one pass. dx, da and db may be null. Moves 3·n/2.
BLOCK_KERNEL(256, nhwc_scale_backward, const uint4 *x, const uint4 *dy, const float *a, uint4 *dx, float *da, float *db, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[2];
	int first = ((int)blockIdx.x * s.width + (int)threadIdx.x % s.width) * CHUNK;
	float m[CHUNK];
	EIGHT(j) m[j] = first < s.channels ? a[first + j] : 0.0f;
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][CHUNK]) {
		float u[CHUNK], g[CHUNK];
		unpack(dy[i], g);
		if (da) unpack(x[i], u);
		EIGHT(j) {
			if (da) sums[0][j] += g[j] * u[j];
			sums[1][j] += g[j];
			g[j] *= m[j];
		}
		if (dx) dx[i] = pack(g);
	});
	if (c < 0) return;
	if (da) da[c] += (float)v[0];
	if (db) db[c] += (float)v[1];
}

// The two halves of BatchNorm's gradient, as batch_norm_means and batch_norm_backward. Moves 2·n/2.
BLOCK_KERNEL(256, nhwc_batch_norm_means, const uint4 *norm, const uint4 *dy, float *means, float *da, float *db, double *partial, unsigned *counters, After after, Columns8 s) {
	START;
	double v[2];
	int first = ((int)blockIdx.x * s.width + (int)threadIdx.x % s.width) * CHUNK;
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][CHUNK]) {
		float u[CHUNK], g[CHUNK];
		unpack(norm[i], u);
		unpack(dy[i], g);
		EIGHT(j) {
			float e = after.back(g[j], u[j], first + j);
			sums[0][j] += e;
			sums[1][j] += e * u[j];
		}
	});
	if (c < 0) return;
	means[2 * c] = (float)(v[0] / s.rows);
	means[2 * c + 1] = (float)(v[1] / s.rows);
	if (da) da[c] += (float)v[1];
	if (db) db[c] += (float)v[0];
}

// Moves 3·n/2.
KERNEL(256, nhwc_batch_norm_backward, const uint4 *norm, const uint4 *dy, const float *means, const float *variance, float eps, uint4 *dx, After after, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float u[CHUNK], g[CHUNK];
		unpack(norm[i], u);
		unpack(dy[i], g);
		EIGHT(j) g[j] = after.back(g[j], u[j], (int)k * CHUNK + j);
		EIGHT(j) {
			int c = (int)k * CHUNK + j;
			g[j] = (g[j] - means[2 * c] - u[j] * means[2 * c + 1]) * (after.factor(c) * reciprocal_std(variance[c], eps));
		}
		dx[i] = pack(g);
	}
}

// dx = dy/√(variance[c]·f + eps): the gradient of normalising by running statistics. Moves 2·n/2.
KERNEL(256, nhwc_normalize_global_backward, const uint4 *dy, const float *variance, const float *weight, float eps, uint4 *dx, Columns8 s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.rows * (s.channels / CHUNK)) {
		unsigned q, k;
		s.by_chunks.divmod(i, q, k);
		float g[CHUNK];
		unpack(dy[i], g);
		EIGHT(j) g[j] *= reciprocal_std(variance[k * CHUNK + j] * f, eps);
		dx[i] = pack(g);
	}
}

// Pooling: of the geometry planes counts images here.
struct NhwcPool {
	Pool g;
	int channels;
	Divisor by_chunks;
};
// Spots are an image, row, column and chunk of the output (or, with by_w and by_h, of the input).
struct Spots {
	unsigned image, row, column, chunk;
};
__device__ __forceinline__ Spots spot_of(int i, const Divisor &by_chunks, const Divisor &by_w, const Divisor &by_h) {
	Spots s;
	unsigned pixel, q;
	by_chunks.divmod(i, pixel, s.chunk);
	by_w.divmod(pixel, q, s.column);
	by_h.divmod(q, s.image, s.row);
	return s;
}
// y = the maximum of each window, at = its place in the plane, the first of equals, as float32. Moves in/2 + 3·out/2.
KERNEL(256, nhwc_max_pool, const uint4 *x, uint4 *y, float4 *at, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int chunks = p.channels / CHUNK;
	EACH(i, g.planes * g.out_h * g.out_w * chunks) {
		Spots s = spot_of(i, p.by_chunks, g.by_out_w, g.by_out_h);
		Window v = window_of(g, (int)s.row, (int)s.column);
		float best[CHUNK], place[CHUNK];
		EIGHT(j) {
			best[j] = -3.402823466e+38f;
			place[j] = -1;
		}
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u[CHUNK];
				unpack(x[(((int)s.image * g.h + h) * g.w + w) * chunks + (int)s.chunk], u);
				EIGHT(j)
					if (u[j] > best[j] || u[j] != u[j]) {
						best[j] = u[j];
						place[j] = (float)(h * g.w + w);
					}
			}
		y[i] = pack(best);
		at[2 * i] = make_float4(place[0], place[1], place[2], place[3]);
		at[2 * i + 1] = make_float4(place[4], place[5], place[6], place[7]);
	}
}

// dx = Σ dy over the windows whose maximum it is. Moves in/2 + 3·out/2.
KERNEL(256, nhwc_max_pool_backward, const uint4 *dy, const float4 *at, uint4 *dx, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int chunks = p.channels / CHUNK;
	EACH(i, g.planes * g.h * g.w * chunks) {
		Spots s = spot_of(i, p.by_chunks, g.by_w, g.by_h);
		float place = (float)((int)s.row * g.w + (int)s.column), t[CHUNK];
		EIGHT(j) t[j] = 0;
		int h1 = last_window((int)s.row, g.ph, g.sh, g.out_h), w1 = last_window((int)s.column, g.pw, g.sw, g.out_w);
		for (int h = first_window((int)s.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window((int)s.column, g.pw, g.kw, g.sw); w <= w1; w++) {
				int o = (((int)s.image * g.out_h + h) * g.out_w + w) * chunks + (int)s.chunk;
				float4 low = at[2 * o], high = at[2 * o + 1];
				float u[CHUNK], of[CHUNK] = {low.x, low.y, low.z, low.w, high.x, high.y, high.z, high.w};
				unpack(dy[o], u);
				EIGHT(j) t[j] += of[j] == place ? u[j] : 0.0f;
			}
		dx[i] = pack(t);
	}
}

// y = the sum of each window over its size. Moves in/2 + out/2.
KERNEL(256, nhwc_ave_pool, const uint4 *x, uint4 *y, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int chunks = p.channels / CHUNK;
	EACH(i, g.planes * g.out_h * g.out_w * chunks) {
		Spots s = spot_of(i, p.by_chunks, g.by_out_w, g.by_out_h);
		Window v = window_of(g, (int)s.row, (int)s.column);
		float t[CHUNK];
		EIGHT(j) t[j] = 0;
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u[CHUNK];
				unpack(x[(((int)s.image * g.h + h) * g.w + w) * chunks + (int)s.chunk], u);
				EIGHT(j) t[j] += u[j];
			}
		EIGHT(j) t[j] /= (float)v.size;
		y[i] = pack(t);
	}
}

// Its gradient. Moves in/2 + out/2.
KERNEL(256, nhwc_ave_pool_backward, const uint4 *dy, uint4 *dx, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int chunks = p.channels / CHUNK;
	EACH(i, g.planes * g.h * g.w * chunks) {
		Spots s = spot_of(i, p.by_chunks, g.by_w, g.by_h);
		float t[CHUNK];
		EIGHT(j) t[j] = 0;
		int h1 = last_window((int)s.row, g.ph, g.sh, g.out_h), w1 = last_window((int)s.column, g.pw, g.sw, g.out_w);
		for (int h = first_window((int)s.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window((int)s.column, g.pw, g.kw, g.sw); w <= w1; w++) {
				float u[CHUNK], size = (float)window_of(g, h, w).size;
				unpack(dy[(((int)s.image * g.out_h + h) * g.out_w + w) * chunks + (int)s.chunk], u);
				EIGHT(j) t[j] += u[j] / size;
			}
		dx[i] = pack(t);
	}
}

// LRN across channels. NhwcLRN is gpu.LRNGeometry; n counts chunks.
struct NhwcLRN {
	int n, channels, size;
	float alpha, beta, k;
	Divisor by_chunks;
};
__device__ __forceinline__ float number_at(const unsigned short *x, long long i) { return __uint_as_float((unsigned)x[i] << 16); }

// scale = k + alpha/size · Σ_window x², y = x·scale^-beta. Moves 3·n/2; neighbours come from the caches.
KERNEL(256, nhwc_lrn, const uint4 *x, uint4 *scale, uint4 *y, NhwcLRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = g.alpha / (float)g.size;
	EACH(i, g.n) {
		unsigned pixel, chunk;
		g.by_chunks.divmod(i, pixel, chunk);
		const unsigned short *row = (const unsigned short *)x + (long long)pixel * g.channels;
		float u[CHUNK], s[CHUNK];
		unpack(x[i], u);
		EIGHT(j) {
			int c = (int)chunk * CHUNK + j;
			s[j] = g.k;
			for (int d = max(0, c - half); d <= min(g.channels - 1, c + half); d++) {
				float v = number_at(row, d);
				s[j] += f * v * v;
			}
			u[j] *= power_of_scale(s[j], g.beta);
		}
		scale[i] = pack(s);
		y[i] = pack(u);
	}
}

// dx = dy·scale^-beta - 2·alpha·beta/size · x · Σ_window dy·y/scale. Moves 5·n/2.
KERNEL(256, nhwc_lrn_backward, const uint4 *x, const uint4 *y, const uint4 *scale, const uint4 *dy, uint4 *dx, NhwcLRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = 2 * g.alpha * g.beta / (float)g.size;
	EACH(i, g.n) {
		unsigned pixel, chunk;
		g.by_chunks.divmod(i, pixel, chunk);
		long long row = (long long)pixel * g.channels;
		float u[CHUNK], s[CHUNK], v[CHUNK];
		unpack(x[i], u);
		unpack(scale[i], s);
		unpack(dy[i], v);
		EIGHT(j) {
			int c = (int)chunk * CHUNK + j;
			float t = 0;
			for (int d = max(0, c - half); d <= min(g.channels - 1, c + half); d++)
				t += number_at((const unsigned short *)dy, row + d) * number_at((const unsigned short *)y, row + d) / number_at((const unsigned short *)scale, row + d);
			v[j] = v[j] * power_of_scale(s[j], g.beta) - f * u[j] * t;
		}
		dx[i] = pack(v);
	}
}

// Depthwise convolutions, of which each channel has a filter of its own: w[kh][kw][c], bf16.
struct Depthwise {
	int n, channels, h, w, kh, kw, sh, sw, ph, pw, dh, dw, out_h, out_w;
	Divisor by_chunks, by_w, by_h, by_out_w, by_out_h, by_sh, by_sw, by_kw;
};

// y = w ⋆ x + b; bias may be null. Moves x/2 and y/2.
KERNEL(256, nhwc_depthwise, const uint4 *x, const uint4 *w, const float *bias, uint4 *y, Depthwise g) {
	START;
	int chunks = g.channels / CHUNK;
	EACH(i, g.n * g.out_h * g.out_w * chunks) {
		Spots s = spot_of(i, g.by_chunks, g.by_out_w, g.by_out_h);
		float t[CHUNK];
		EIGHT(j) t[j] = bias ? bias[s.chunk * CHUNK + j] : 0.0f;
		for (int kh = 0; kh < g.kh; kh++)
			for (int kw = 0; kw < g.kw; kw++) {
				int row = (int)s.row * g.sh - g.ph + kh * g.dh, column = (int)s.column * g.sw - g.pw + kw * g.dw;
				if ((unsigned)row >= (unsigned)g.h || (unsigned)column >= (unsigned)g.w) continue;
				float u[CHUNK], f[CHUNK];
				unpack(x[(((int)s.image * g.h + row) * g.w + column) * chunks + (int)s.chunk], u);
				unpack(w[(kh * g.kw + kw) * chunks + (int)s.chunk], f);
				EIGHT(j) t[j] += u[j] * f[j];
			}
		y[i] = pack(t);
	}
}

// dx = the gradient of x. Moves dy/2 and dx/2.
KERNEL(256, nhwc_depthwise_backward_data, const uint4 *dy, const uint4 *w, uint4 *dx, Depthwise g) {
	START;
	int chunks = g.channels / CHUNK;
	EACH(i, g.n * g.h * g.w * chunks) {
		Spots s = spot_of(i, g.by_chunks, g.by_w, g.by_h);
		float t[CHUNK];
		EIGHT(j) t[j] = 0;
		for (int kh = 0; kh < g.kh; kh++)
			for (int kw = 0; kw < g.kw; kw++) {
				int row = (int)s.row + g.ph - kh * g.dh, column = (int)s.column + g.pw - kw * g.dw;
				if (row < 0 || column < 0) continue;
				unsigned oh, ow, rest_h, rest_w;
				g.by_sh.divmod(row, oh, rest_h);
				g.by_sw.divmod(column, ow, rest_w);
				if (rest_h || rest_w || (int)oh >= g.out_h || (int)ow >= g.out_w) continue;
				float u[CHUNK], f[CHUNK];
				unpack(dy[(((int)s.image * g.out_h + (int)oh) * g.out_w + (int)ow) * chunks + (int)s.chunk], u);
				unpack(w[(kh * g.kw + kw) * chunks + (int)s.chunk], f);
				EIGHT(j) t[j] += u[j] * f[j];
			}
		dx[i] = pack(t);
	}
}

// dw[c][tap] += the gradient of w, float32 in Caffe's order; blockIdx.z is a tap. s has the pixels of the output. Moves
// x/2 and dy/2 for each tap, but for what the caches have.
BLOCK_KERNEL(256, nhwc_depthwise_backward_weights, const uint4 *x, const uint4 *dy, float *dw, double *partial, unsigned *counters, Depthwise g, Columns8 s) {
	START;
	double v[1];
	unsigned kh, kw;
	int tap = (int)blockIdx.z;
	g.by_kw.divmod(tap, kh, kw);
	int down = (int)kh * g.dh - g.ph, right = (int)kw * g.dw - g.pw;
	int c = sum_columns(s, v, partial + (long long)tap * gridDim.y * s.channels, counters + tap * gridDim.x, [=](int i, float (&sums)[1][CHUNK]) {
		Spots p = spot_of(i, g.by_chunks, g.by_out_w, g.by_out_h);
		int row = (int)p.row * g.sh + down, column = (int)p.column * g.sw + right;
		if ((unsigned)row >= (unsigned)g.h || (unsigned)column >= (unsigned)g.w) return;
		float u[CHUNK], e[CHUNK];
		unpack(x[(((int)p.image * g.h + row) * g.w + column) * (s.channels / CHUNK) + (int)p.chunk], u);
		unpack(dy[i], e);
		EIGHT(j) sums[0][j] += u[j] * e[j];
	});
	if (c >= 0) dw[c * g.kh * g.kw + tap] += (float)v[0];
}
