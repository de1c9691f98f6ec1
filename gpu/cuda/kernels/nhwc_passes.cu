// The passes over activations with channels last, but for convolutions: what vector.cu, channel.cu and spatial.cu do with
// float32 in Caffe's order. A thread does a piece of eight channels. nhwc.cu includes this file once for each kind of
// numbers: NUMBER is their type, and LAST(name) the kernel's name with it. Moves are of the activations' numbers, of two
// bytes or four.

// From Caffe's order and back: (n, channels, plane) to (n, plane, width), where width is channels or more, filled with
// zeros. A block does 32 pixels of 32 channels; grid (pixels, channels, n).

// Moves 2n.
BLOCK_KERNEL(256, LAST(from_planes), int channels, int plane, int width, const float *x, NUMBER *y) {
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
			Last<NUMBER>::put_pair(y + ((long long)blockIdx.z * plane + p0 + p) * width + c0 + c, tile[c][p], tile[c + 1][p]);
	}
}

// Moves 2n.
BLOCK_KERNEL(256, LAST(to_planes), int channels, int plane, const NUMBER *x, float *y) {
	START;
	__shared__ float tile[32][33];
	int p0 = (int)blockIdx.x * 32, c0 = (int)blockIdx.y * 32, lane = (int)threadIdx.x & 31, row = (int)threadIdx.x >> 5;
	for (int i = 0; i < 2; i++) {
		int e = (int)threadIdx.x + 256 * i, p = e >> 4, c = 2 * (e & 15);
		float2 u = make_float2(0, 0);
		if (p0 + p < plane && c0 + c < channels) u = pair_at(x, ((long long)blockIdx.z * plane + p0 + p) * channels + c0 + c);
		tile[c][p] = u.x;
		tile[c + 1][p] = u.y;
	}
	__syncthreads();
	for (int i = 0; i < 32; i += 8) {
		int c = c0 + row + i, p = p0 + lane;
		if (c < channels && p < plane) y[((long long)blockIdx.z * channels + c) * plane + p] = tile[row + i][lane];
	}
}

// y_i = x_i·keep where u_i >= ratio, else 0, as dropout of vector.cu: i counts in Caffe's order. Moves 2n.
KERNEL(256, LAST(dropout), int n, int channels, int plane, const NUMBER *x, float ratio, float keep, const Key *key, NUMBER *y, Divisor by_pieces, Divisor by_plane) {
	START;
	Key k = *key;
	EACH(i, n) {
		unsigned pixel, piece, image, place;
		by_pieces.divmod(i, pixel, piece);
		by_plane.divmod(pixel, image, place);
		int at = ((int)image * channels + (int)piece * PIECE) * plane + (int)place;
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) v[j] = uniform(k, at + j * plane) >= ratio ? v[j] * keep : 0.0f;
		store(y, i, v);
	}
}

// y += b[c], behind a library's convolution. Moves 2n.
KERNEL(256, LAST(add_bias), const float *b, NUMBER *y, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float v[PIECE];
		load(y, i, v);
		EIGHT(j) v[j] += b[k * PIECE + j];
		store(y, i, v);
	}
}

// db[c] += Σ dy. Moves n.
BLOCK_KERNEL(256, LAST(sum_bias), const NUMBER *dy, float *db, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[1];
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[1][PIECE]) {
		float g[PIECE];
		load(dy, i, g);
		EIGHT(j) sums[0][j] += g[j];
	});
	if (c >= 0) db[c] += (float)v[0];
}

// mean[c] and variance[c] of the population. Moves n. Sums are of x less the first pixel's: of numbers that lie close together
// far from 0, E[x²] - mean² in float32 would leave nothing.
BLOCK_KERNEL(256, LAST(stats), const NUMBER *x, float *mean, float *variance, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[2];
	int piece = (int)blockIdx.x * s.width + (int)threadIdx.x % s.width;
	float base[PIECE];
	EIGHT(j) base[j] = 0;
	if (piece < s.channels / PIECE) load(x, piece, base);
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][PIECE]) {
		float u[PIECE];
		load(x, i, u);
		EIGHT(j) {
			u[j] -= base[j];
			sums[0][j] += u[j];
			sums[1][j] += u[j] * u[j];
		}
	});
	if (c < 0) return;
	double m = v[0] / s.rows, q = v[1] / s.rows - m * m;
	mean[c] = (float)(m + number_at(x, c));
	variance[c] = (float)(q < 0 ? 0 : q);
}

// y = (x - mean[c]·f)/√(variance[c]·f + eps). Moves 2n.
KERNEL(256, LAST(normalize), const NUMBER *x, const float *mean, const float *variance, const float *weight, float eps, NUMBER *y, Columns8 s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) {
			int c = (int)k * PIECE + j;
			v[j] = (v[j] - mean[c] * f) * reciprocal_std(variance[c] * f, eps);
		}
		store(y, i, v);
	}
}

// BatchNorm and what comes after it, as batch_norm. Moves 3n.
KERNEL(256, LAST(batch_norm), const NUMBER *x, const float *mean, const float *variance, float eps, NUMBER *norm, NUMBER *y, After after, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) {
			int c = (int)k * PIECE + j;
			v[j] = (v[j] - mean[c]) * reciprocal_std(variance[c], eps);
		}
		store(norm, i, v);
		as_stored(norm, v); // the backward pass works out from it what the ReLU lets through
		EIGHT(j) v[j] = after.of(v[j], (int)k * PIECE + j);
		store(y, i, v);
	}
}

// y = a[c]·x + b[c]; b may be null. Moves 2n.
KERNEL(256, LAST(scale), const NUMBER *x, const float *a, const float *b, NUMBER *y, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) v[j] = a[k * PIECE + j] * v[j] + (b ? b[k * PIECE + j] : 0.0f);
		store(y, i, v);
	}
}

// dx = a[c]·dy, da[c] += Σ dy·x, db[c] += Σ dy, in one pass. dx, da and db may be null. Moves 3n.
BLOCK_KERNEL(256, LAST(scale_backward), const NUMBER *x, const NUMBER *dy, const float *a, NUMBER *dx, float *da, float *db, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[2];
	int first = ((int)blockIdx.x * s.width + (int)threadIdx.x % s.width) * PIECE;
	float m[PIECE];
	EIGHT(j) m[j] = first < s.channels ? a[first + j] : 0.0f;
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][PIECE]) {
		float u[PIECE], g[PIECE];
		load(dy, i, g);
		if (da) load(x, i, u);
		EIGHT(j) {
			if (da) sums[0][j] += g[j] * u[j];
			sums[1][j] += g[j];
			g[j] *= m[j];
		}
		if (dx) store(dx, i, g);
	});
	if (c < 0) return;
	if (da) da[c] += (float)v[0];
	if (db) db[c] += (float)v[1];
}

// y = max(x, 0) + a[c]·min(x, 0). Moves 2n.
KERNEL(256, LAST(prelu), const NUMBER *x, const float *a, NUMBER *y, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) v[j] = v[j] > 0 ? v[j] : a[k * PIECE + j] * v[j];
		store(y, i, v);
	}
}

// dx = dy·(x > 0 ? 1 : a[c]), da[c] += Σ dy·min(x, 0), in one pass. dx and da may be null. Moves 3n.
BLOCK_KERNEL(256, LAST(prelu_backward), const NUMBER *x, const NUMBER *dy, const float *a, NUMBER *dx, float *da, double *partial, unsigned *counters, Columns8 s) {
	START;
	double v[1];
	int first = ((int)blockIdx.x * s.width + (int)threadIdx.x % s.width) * PIECE;
	float m[PIECE];
	EIGHT(j) m[j] = first < s.channels ? a[first + j] : 0.0f;
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[1][PIECE]) {
		float u[PIECE], g[PIECE];
		load(x, i, u);
		load(dy, i, g);
		EIGHT(j)
			if (!(u[j] > 0)) {
				sums[0][j] += g[j] * u[j];
				g[j] *= m[j];
			}
		if (dx) store(dx, i, g);
	});
	if (c >= 0 && da) da[c] += (float)v[0];
}

// The two halves of BatchNorm's gradient, as batch_norm_means and batch_norm_backward. Moves 2n.
BLOCK_KERNEL(256, LAST(batch_norm_means), const NUMBER *norm, const NUMBER *dy, float *means, float *da, float *db, double *partial, unsigned *counters, After after, Columns8 s) {
	START;
	double v[2];
	int first = ((int)blockIdx.x * s.width + (int)threadIdx.x % s.width) * PIECE;
	int c = sum_columns(s, v, partial, counters, [=](int i, float (&sums)[2][PIECE]) {
		float u[PIECE], g[PIECE];
		load(norm, i, u);
		load(dy, i, g);
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

// Moves 3n.
KERNEL(256, LAST(batch_norm_backward), const NUMBER *norm, const NUMBER *dy, const float *means, const float *variance, float eps, NUMBER *dx, After after, Columns8 s) {
	START;
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float u[PIECE], g[PIECE];
		load(norm, i, u);
		load(dy, i, g);
		EIGHT(j) g[j] = after.back(g[j], u[j], (int)k * PIECE + j);
		EIGHT(j) {
			int c = (int)k * PIECE + j;
			g[j] = (g[j] - means[2 * c] - u[j] * means[2 * c + 1]) * (after.factor(c) * reciprocal_std(variance[c], eps));
		}
		store(dx, i, g);
	}
}

// dx = dy/√(variance[c]·f + eps): the gradient of normalising by running statistics. Moves 2n.
KERNEL(256, LAST(normalize_global_backward), const NUMBER *dy, const float *variance, const float *weight, float eps, NUMBER *dx, Columns8 s) {
	START;
	float f = weight_factor(weight);
	EACH(i, s.rows * (s.channels / PIECE)) {
		unsigned q, k;
		s.by_pieces.divmod(i, q, k);
		float g[PIECE];
		load(dy, i, g);
		EIGHT(j) g[j] *= reciprocal_std(variance[k * PIECE + j] * f, eps);
		store(dx, i, g);
	}
}

// y = the maximum of each window, at = its place in the plane, the first of equals, as float32. Moves in + 2·out.
KERNEL(256, LAST(max_pool), const NUMBER *x, NUMBER *y, float *at, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int pieces = p.channels / PIECE;
	EACH(i, g.planes * g.out_h * g.out_w * pieces) {
		Spots s = spot_of(i, p.by_pieces, g.by_out_w, g.by_out_h);
		Window v = window_of(g, (int)s.row, (int)s.column);
		float best[PIECE], place[PIECE];
		EIGHT(j) {
			best[j] = lowest(x);
			place[j] = -1;
		}
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u[PIECE];
				load(x, (((int)s.image * g.h + h) * g.w + w) * pieces + (int)s.piece, u);
				EIGHT(j)
					if (u[j] > best[j] || u[j] != u[j]) {
						best[j] = u[j];
						place[j] = (float)(h * g.w + w);
					}
			}
		store(y, i, best);
		store(at, i, place);
	}
}

// dx = Σ dy over the windows whose maximum it is. Moves in + 2·out.
KERNEL(256, LAST(max_pool_backward), const NUMBER *dy, const float *at, NUMBER *dx, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int pieces = p.channels / PIECE;
	EACH(i, g.planes * g.h * g.w * pieces) {
		Spots s = spot_of(i, p.by_pieces, g.by_w, g.by_h);
		float place = (float)((int)s.row * g.w + (int)s.column), t[PIECE];
		EIGHT(j) t[j] = 0;
		int h1 = last_window((int)s.row, g.ph, g.sh, g.out_h), w1 = last_window((int)s.column, g.pw, g.sw, g.out_w);
		for (int h = first_window((int)s.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window((int)s.column, g.pw, g.kw, g.sw); w <= w1; w++) {
				int o = (((int)s.image * g.out_h + h) * g.out_w + w) * pieces + (int)s.piece;
				float u[PIECE], of[PIECE];
				load(dy, o, u);
				load(at, o, of);
				EIGHT(j) t[j] += of[j] == place ? u[j] : 0.0f;
			}
		store(dx, i, t);
	}
}

// y = the sum of each window over its size. Moves in + out.
KERNEL(256, LAST(ave_pool), const NUMBER *x, NUMBER *y, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int pieces = p.channels / PIECE;
	EACH(i, g.planes * g.out_h * g.out_w * pieces) {
		Spots s = spot_of(i, p.by_pieces, g.by_out_w, g.by_out_h);
		Window v = window_of(g, (int)s.row, (int)s.column);
		float t[PIECE];
		EIGHT(j) t[j] = 0;
		for (int h = v.h0; h < v.h1; h++)
			for (int w = v.w0; w < v.w1; w++) {
				float u[PIECE];
				load(x, (((int)s.image * g.h + h) * g.w + w) * pieces + (int)s.piece, u);
				EIGHT(j) t[j] += u[j];
			}
		EIGHT(j) t[j] /= (float)v.size;
		store(y, i, t);
	}
}

// Its gradient. Moves in + out.
KERNEL(256, LAST(ave_pool_backward), const NUMBER *dy, NUMBER *dx, NhwcPool p) {
	START;
	const Pool &g = p.g;
	int pieces = p.channels / PIECE;
	EACH(i, g.planes * g.h * g.w * pieces) {
		Spots s = spot_of(i, p.by_pieces, g.by_w, g.by_h);
		float t[PIECE];
		EIGHT(j) t[j] = 0;
		int h1 = last_window((int)s.row, g.ph, g.sh, g.out_h), w1 = last_window((int)s.column, g.pw, g.sw, g.out_w);
		for (int h = first_window((int)s.row, g.ph, g.kh, g.sh); h <= h1; h++)
			for (int w = first_window((int)s.column, g.pw, g.kw, g.sw); w <= w1; w++) {
				float u[PIECE], size = (float)window_of(g, h, w).size;
				load(dy, (((int)s.image * g.out_h + h) * g.out_w + w) * pieces + (int)s.piece, u);
				EIGHT(j) t[j] += u[j] / size;
			}
		store(dx, i, t);
	}
}

// scale = k + alpha/size · Σ_window x², y = x·scale^-beta. Moves 3n; neighbours come from the caches.
KERNEL(256, LAST(lrn), const NUMBER *x, NUMBER *scale, NUMBER *y, NhwcLRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = g.alpha / (float)g.size;
	EACH(i, g.n) {
		unsigned pixel, piece;
		g.by_pieces.divmod(i, pixel, piece);
		const NUMBER *row = x + (long long)pixel * g.channels;
		float u[PIECE], s[PIECE];
		load(x, i, u);
		EIGHT(j) {
			int c = (int)piece * PIECE + j;
			s[j] = g.k;
			for (int d = max(0, c - half); d <= min(g.channels - 1, c + half); d++) {
				float v = number_at(row, d);
				s[j] += f * v * v;
			}
			u[j] *= power_of_scale(s[j], g.beta);
		}
		store(scale, i, s);
		store(y, i, u);
	}
}

// dx = dy·scale^-beta - 2·alpha·beta/size · x · Σ_window dy·y/scale. Moves 5n.
KERNEL(256, LAST(lrn_backward), const NUMBER *x, const NUMBER *y, const NUMBER *scale, const NUMBER *dy, NUMBER *dx, NhwcLRN g) {
	START;
	int half = (g.size - 1) / 2;
	float f = 2 * g.alpha * g.beta / (float)g.size;
	EACH(i, g.n) {
		unsigned pixel, piece;
		g.by_pieces.divmod(i, pixel, piece);
		long long row = (long long)pixel * g.channels;
		float u[PIECE], s[PIECE], v[PIECE];
		load(x, i, u);
		load(scale, i, s);
		load(dy, i, v);
		EIGHT(j) {
			int c = (int)piece * PIECE + j;
			float t = 0;
			for (int d = max(0, c - half); d <= min(g.channels - 1, c + half); d++)
				t += number_at(dy, row + d) * number_at(y, row + d) / number_at(scale, row + d);
			v[j] = v[j] * power_of_scale(s[j], g.beta) - f * u[j] * t;
		}
		store(dx, i, v);
	}
}

// y = w ⋆ x + b; bias may be null. Moves x and y.
KERNEL(256, LAST(depthwise), const NUMBER *x, const NUMBER *w, const float *bias, NUMBER *y, Depthwise g) {
	START;
	int pieces = g.channels / PIECE;
	EACH(i, g.n * g.out_h * g.out_w * pieces) {
		Spots s = spot_of(i, g.by_pieces, g.by_out_w, g.by_out_h);
		float t[PIECE];
		EIGHT(j) t[j] = bias ? bias[s.piece * PIECE + j] : 0.0f;
		for (int kh = 0; kh < g.kh; kh++)
			for (int kw = 0; kw < g.kw; kw++) {
				int row = (int)s.row * g.sh - g.ph + kh * g.dh, column = (int)s.column * g.sw - g.pw + kw * g.dw;
				if ((unsigned)row >= (unsigned)g.h || (unsigned)column >= (unsigned)g.w) continue;
				float u[PIECE], f[PIECE];
				load(x, (((int)s.image * g.h + row) * g.w + column) * pieces + (int)s.piece, u);
				load(w, (kh * g.kw + kw) * pieces + (int)s.piece, f);
				EIGHT(j) t[j] += u[j] * f[j];
			}
		store(y, i, t);
	}
}

// dx = the gradient of x. Moves dy and dx.
KERNEL(256, LAST(depthwise_backward_data), const NUMBER *dy, const NUMBER *w, NUMBER *dx, Depthwise g) {
	START;
	int pieces = g.channels / PIECE;
	EACH(i, g.n * g.h * g.w * pieces) {
		Spots s = spot_of(i, g.by_pieces, g.by_w, g.by_h);
		float t[PIECE];
		EIGHT(j) t[j] = 0;
		for (int kh = 0; kh < g.kh; kh++)
			for (int kw = 0; kw < g.kw; kw++) {
				int row = (int)s.row + g.ph - kh * g.dh, column = (int)s.column + g.pw - kw * g.dw;
				if (row < 0 || column < 0) continue;
				unsigned oh, ow, rest_h, rest_w;
				g.by_sh.divmod(row, oh, rest_h);
				g.by_sw.divmod(column, ow, rest_w);
				if (rest_h || rest_w || (int)oh >= g.out_h || (int)ow >= g.out_w) continue;
				float u[PIECE], f[PIECE];
				load(dy, (((int)s.image * g.out_h + (int)oh) * g.out_w + (int)ow) * pieces + (int)s.piece, u);
				load(w, (kh * g.kw + kw) * pieces + (int)s.piece, f);
				EIGHT(j) t[j] += u[j] * f[j];
			}
		store(dx, i, t);
	}
}

// dw[c][tap] += the gradient of w, float32 in Caffe's order; blockIdx.z is a tap. s has the pixels of the output. Moves
// x and dy for each tap, but for what the caches have.
BLOCK_KERNEL(256, LAST(depthwise_backward_weights), const NUMBER *x, const NUMBER *dy, float *dw, double *partial, unsigned *counters, Depthwise g, Columns8 s) {
	START;
	double v[1];
	unsigned kh, kw;
	int tap = (int)blockIdx.z;
	g.by_kw.divmod(tap, kh, kw);
	int down = (int)kh * g.dh - g.ph, right = (int)kw * g.dw - g.pw;
	int c = sum_columns(s, v, partial + (long long)tap * gridDim.y * s.channels, counters + tap * gridDim.x, [=](int i, float (&sums)[1][PIECE]) {
		Spots p = spot_of(i, g.by_pieces, g.by_out_w, g.by_out_h);
		int row = (int)p.row * g.sh + down, column = (int)p.column * g.sw + right;
		if ((unsigned)row >= (unsigned)g.h || (unsigned)column >= (unsigned)g.w) return;
		float u[PIECE], e[PIECE];
		load(x, (((int)p.image * g.h + row) * g.w + column) * (s.channels / PIECE) + (int)p.piece, u);
		load(dy, i, e);
		EIGHT(j) sums[0][j] += u[j] * e[j];
	});
	if (c >= 0) dw[c * g.kh * g.kw + tap] += (float)v[0];
}
