// Kernels over (outer, channels, inner) arrays with a number a channel: gpu.Channelwise.
#include "channel.cuh"

// channel_of is the channel of element i.
struct Channels {
	int outer, channels, inner, n;
	Divisor by_inner, by_channels;
	__device__ __forceinline__ int of(int i) const {
		unsigned q, c, r = by_inner.div(i);
		by_channels.divmod(r, q, c);
		return (int)c;
	}
};

// y += b[c]. Moves 2n.
KERNEL(256, add_bias, const float *b, float *y, Channels s) {
	START;
	EACH(i, s.n) y[i] += b[s.of(i)];
}

// y = a[c]·x + b[c]; b may be null. Moves 2n.
KERNEL(256, scale, const float *x, const float *a, const float *b, float *y, Channels s) {
	START;
	EACH(i, s.n) {
		int c = s.of(i);
		y[i] = a[c] * x[i] + (b ? b[c] : 0.0f);
	}
}

// y = max(x, 0) + a[c]·min(x, 0). Moves 2n.
KERNEL(256, prelu, const float *x, const float *a, float *y, Channels s) {
	START;
	EACH(i, s.n) {
		float v = x[i];
		y[i] = v > 0 ? v : a[s.of(i)] * v;
	}
}

// Sums of channels. A block does one channel, or the share of it that blockIdx.y names; the last share adds them up in order.
// Grid (channels, shares), 256 threads.
//
// sum_channel leaves in thread 0 of the last block of the channel the sums of f(i, v) over the channel's elements.
template <int K, class F> __device__ __forceinline__ bool sum_channel(const Channels &s, double (&v)[K], double *partial, unsigned *counters, F f) {
	int c = (int)blockIdx.x, per = s.outer * s.inner, shares = (int)gridDim.y;
	int share = (per + shares - 1) / shares, from = (int)blockIdx.y * share, to = min(per, from + share);
	for (int k = 0; k < K; k++) v[k] = 0;
	for (int j = from + (int)threadIdx.x; j < to; j += 256) {
		unsigned o, r;
		s.by_inner.divmod(j, o, r);
		f(((int)o * s.channels + c) * s.inner + (int)r, v);
	}
	block_sums(v);
	if (shares == 1) return threadIdx.x == 0;
	if (threadIdx.x == 0)
		for (int k = 0; k < K; k++) partial[(c * shares + (int)blockIdx.y) * K + k] = v[k];
	if (!last_block(counters + c, shares) || threadIdx.x != 0) return false;
	for (int k = 0; k < K; k++) {
		v[k] = 0;
		for (int b = 0; b < shares; b++) v[k] += partial[(c * shares + b) * K + k];
	}
	return true;
}

// db[c] += Σ dy. Moves n.
BLOCK_KERNEL(256, sum_bias, const float *dy, float *db, double *partial, unsigned *counters, Channels s) {
	START;
	double v[1];
	if (sum_channel(s, v, partial, counters, [=](int i, double *v) { v[0] += dy[i]; })) db[blockIdx.x] += (float)v[0];
}

// The same where inner is 1: columns of a matrix. A block does 32 columns, eight rows at a time; (channels+31)/32 blocks.
BLOCK_KERNEL(256, sum_bias_columns, int rows, int columns, const float *dy, float *db) {
	START;
	__shared__ double part[8][32];
	int c = (int)(blockIdx.x * 32 + (threadIdx.x & 31)), lane = threadIdx.x >> 5;
	double t = 0;
	if (c < columns)
		for (int r = lane; r < rows; r += 8) t += dy[(long long)r * columns + c];
	part[lane][threadIdx.x & 31] = t;
	__syncthreads();
	if (lane != 0 || c >= columns) return;
	for (int k = 1; k < 8; k++) t += part[k][threadIdx.x];
	db[c] += (float)t;
}

// dx = a[c]·dy, da[c] += Σ dy·x, db[c] += Σ dy, in one pass. dx, da and db may be null. Moves 3n.
BLOCK_KERNEL(256, scale_backward, const float *x, const float *dy, const float *a, float *dx, float *da, float *db, double *partial, unsigned *counters, Channels s) {
	START;
	double v[2];
	float m = a[blockIdx.x];
	bool mine = sum_channel(s, v, partial, counters, [=](int i, double *v) {
		float g = dy[i];
		if (da) v[0] += (double)g * x[i];
		v[1] += g;
		if (dx) dx[i] = m * g;
	});
	if (!mine) return;
	if (da) da[blockIdx.x] += (float)v[0];
	if (db) db[blockIdx.x] += (float)v[1];
}

// dx = dy·(x > 0 ? 1 : a[c]), da[c] += Σ dy·min(x, 0). dx and da may be null. Moves 3n.
BLOCK_KERNEL(256, prelu_backward, const float *x, const float *dy, const float *a, float *dx, float *da, double *partial, unsigned *counters, Channels s) {
	START;
	double v[1];
	float m = a[blockIdx.x];
	bool mine = sum_channel(s, v, partial, counters, [=](int i, double *v) {
		float u = x[i], g = dy[i];
		if (!(u > 0)) {
			v[0] += (double)g * u;
			g *= m;
		}
		if (dx) dx[i] = g;
	});
	if (mine && da) da[blockIdx.x] += (float)v[0];
}

// mean[c] and variance[c] of the population. Moves n. The sums are float64, so E[x²] - mean² loses nothing of a float32.
BLOCK_KERNEL(256, batch_stats, const float *x, float *mean, float *variance, double *partial, unsigned *counters, Channels s) {
	START;
	double v[2];
	bool mine = sum_channel(s, v, partial, counters, [=](int i, double *v) {
		double u = x[i];
		v[0] += u;
		v[1] += u * u;
	});
	if (!mine) return;
	double n = (double)s.outer * s.inner, m = v[0] / n, q = v[1] / n - m * m;
	mean[blockIdx.x] = (float)m;
	variance[blockIdx.x] = (float)(q < 0 ? 0 : q); // NaN stays NaN
}

// y = (x - mean[c]·f)/√(variance[c]·f + eps). Moves 2n.
KERNEL(256, normalize, const float *x, const float *mean, const float *variance, const float *weight, float eps, float *y, Channels s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.n) {
		int c = s.of(i);
		y[i] = (x[i] - mean[c] * f) * reciprocal_std(variance[c] * f, eps);
	}
}

// BatchNorm and what comes after it, behind its statistics: norm = (x - mean[c])/√(variance[c] + eps), y = after(norm). Moves
// 3n.
KERNEL(256, batch_norm, const float *x, const float *mean, const float *variance, float eps, float *norm, float *y, After after, Channels s) {
	START;
	EACH(i, s.n) {
		int c = s.of(i);
		float v = (x[i] - mean[c]) * reciprocal_std(variance[c], eps);
		norm[i] = v;
		y[i] = after.of(v, c);
	}
}

// means[2c] = mean(g), means[2c+1] = mean(g∘norm) of a channel, where g is dy behind the ReLU: the first half of BatchNorm's
// gradient. da[c] += Σ g∘norm, db[c] += Σ g; both may be null. Moves 2n.
BLOCK_KERNEL(256, batch_norm_means, const float *norm, const float *dy, float *means, float *da, float *db, double *partial, unsigned *counters, After after, Channels s) {
	START;
	double v[2];
	int c = (int)blockIdx.x;
	bool mine = sum_channel(s, v, partial, counters, [=](int i, double *v) {
		float u = norm[i];
		double g = after.back(dy[i], u, c);
		v[0] += g;
		v[1] += g * u;
	});
	if (!mine) return;
	double n = (double)s.outer * s.inner;
	means[2 * c] = (float)(v[0] / n);
	means[2 * c + 1] = (float)(v[1] / n);
	if (da) da[c] += (float)v[1];
	if (db) db[c] += (float)v[0];
}

// dx = a[c]·(g - mean(g) - norm·mean(g∘norm))/√(variance[c] + eps), the second half. Moves 3n.
KERNEL(256, batch_norm_backward, const float *norm, const float *dy, const float *means, const float *variance, float eps, float *dx, After after, Channels s) {
	START;
	EACH(i, s.n) {
		int c = s.of(i);
		float u = norm[i];
		dx[i] = (after.back(dy[i], u, c) - means[2 * c] - u * means[2 * c + 1]) * (after.factor(c) * reciprocal_std(variance[c], eps));
	}
}

// dx = dy/√(variance[c]·f + eps). Moves 2n.
KERNEL(256, normalize_global_backward, const float *dy, const float *variance, const float *weight, float eps, float *dx, Channels s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.n) dx[i] = dy[i] * reciprocal_std(variance[s.of(i)] * f, eps);
}
