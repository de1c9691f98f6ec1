// Elementwise kernels: gpu.Vector.
#include "common.cuh"

// y = v. Moves n.
KERNEL(256, fill, int n, float v, float *y) {
	START;
	EACH(i, n) y[i] = v;
}

// y = x. Moves 2n.
KERNEL(256, copy, int n, const float *x, float *y) {
	START;
	EACH(i, n) y[i] = x[i];
}

// y = a·x. Moves 2n.
KERNEL(256, ax, int n, float a, const float *x, float *y) {
	START;
	EACH(i, n) y[i] = a * x[i];
}

// y = a·x + b·y. Moves 3n.
KERNEL(256, axpby, int n, float a, const float *x, float b, float *y) {
	START;
	EACH(i, n) y[i] = a * x[i] + b * y[i];
}

// The same of few small arrays, with blocks in a row for each: BatchNorm's running statistics. Moves 3n of each.
struct FewSums {
	int n[4];
	float a[4], b[4];
	const float *x[4];
	float *y[4];
};
KERNEL(256, axpby_few, FewSums s) {
	START;
#pragma unroll // parameters are not indexed by what is known at run time only: that would be a copy of them
	for (int k = 0; k < 4; k++)
		if ((int)blockIdx.y == k) EACH(i, s.n[k]) s.y[k][i] = s.a[k] * s.x[k][i] + s.b[k] * s.y[k][i];
}

// z = x∘y. Moves 3n.
KERNEL(256, mul, int n, const float *x, const float *y, float *z) {
	START;
	EACH(i, n) z[i] = x[i] * y[i];
}

// y = x and which = index wherever x > y. Moves 2n to 4n.
KERNEL(256, max_update, int n, const float *x, float index, float *y, float *which) {
	START;
	EACH(i, n) {
		float v = x[i];
		if (v > y[i]) {
			y[i] = v;
			which[i] = index;
		}
	}
}

// dx = dy where which = index, else 0. Moves 3n.
KERNEL(256, max_backward, int n, const float *dy, const float *which, float index, float *dx) {
	START;
	EACH(i, n) dx[i] = which[i] == index ? dy[i] : 0.0f;
}

// power_of is x^e, exact for the exponents that layers use most.
__device__ __forceinline__ float power_of(float x, float e) {
	if (e == 1.0f) return x;
	if (e == 2.0f) return x * x;
	if (e == 0.0f) return 1.0f;
	return powf(x, e);
}

// y = (shift + scale·x)^e. Moves 2n.
KERNEL(256, power, int n, const float *x, float e, float scale, float shift, float *y) {
	START;
	EACH(i, n) y[i] = power_of(shift + scale * x[i], e);
}

// The functions, as gpu.UnaryOp numbers them.
enum { ABS, BNLL, CLIP, ELU, EXP, LOG, POW, SIGMOID, SWISH, TANH, THRESHOLD };

__device__ __forceinline__ float sigmoid_of(float x) { return 0.5f * tanhf(0.5f * x) + 0.5f; }

__device__ __forceinline__ float unary_of(int op, float a, float b, float c, float x) {
	switch (op) {
	case ABS: return fabsf(x);
	case BNLL: return fmaxf(x, 0.0f) + log1pf(expf(-fabsf(x)));
	case CLIP: return x < a ? a : x > b ? b : x;
	case ELU: return x > 0 ? x : a * expm1f(x);
	case EXP: return b * expf(a * x);
	case LOG: return c * logf(a * x + b);
	case POW: return power_of(c + b * x, a);
	case SIGMOID: return sigmoid_of(x);
	case SWISH: return x * sigmoid_of(a * x);
	case TANH: return tanhf(x);
	default: return x > a ? 1.0f : 0.0f;
	}
}

__device__ __forceinline__ float slope_of(int op, float a, float b, float c, float x, float y) {
	switch (op) {
	case ABS: return x > 0 ? 1.0f : x < 0 ? -1.0f : 0.0f;
	case BNLL: return sigmoid_of(x);
	case CLIP: return x < a || x > b ? 0.0f : 1.0f;
	case ELU: return y > 0 ? 1.0f : y + a;
	case EXP: return a * y;
	case LOG: return c * a / (a * x + b);
	case POW: return a == 0 || b == 0 ? 0.0f : a * b * power_of(c + b * x, a - 1);
	case SIGMOID: return y * (1 - y);
	case SWISH: {
		float s = sigmoid_of(a * x);
		return a * y + s * (1 - a * y);
	}
	case TANH: return 1 - y * y;
	default: return 0.0f;
	}
}

// y = f(x), f as gpu.UnaryFunc. Moves 2n.
KERNEL(256, unary, int n, int op, float a, float b, float c, const float *x, float *y) {
	START;
	EACH(i, n) y[i] = unary_of(op, a, b, c, x[i]);
}

// dx = dy·f'(x), given y = f(x). Moves 4n.
KERNEL(256, unary_backward, int n, int op, float a, float b, float c, const float *x, const float *y, const float *dy, float *dx) {
	START;
	EACH(i, n) dx[i] = dy[i] * slope_of(op, a, b, c, x[i], y[i]);
}

// dst[dst_off + r·dst_stride + c] = src[src_off + r·src_stride + c]. Moves 2·rows·cols.
KERNEL(256, copy2d, int rows, int cols, const float *src, int src_stride, float *dst, int dst_stride, Divisor by_cols) {
	START;
	EACH(i, rows * cols) {
		unsigned r, c;
		by_cols.divmod(i, r, c);
		dst[(long long)r * dst_stride + c] = src[(long long)r * src_stride + c];
	}
}

// row_of returns the row that an index names, or -1.
__device__ __forceinline__ int row_of(float index, int rows) {
	int r = (int)index;
	return r >= 0 && r < rows && (float)r == index ? r : -1;
}

// Row r of dst is row index[r] of src, NaN where there is none. Moves 2·n·width.
KERNEL(256, gather, int n, int width, int rows, const float *index, const float *src, float *dst, Divisor by_width) {
	START;
	EACH(i, n * width) {
		unsigned r, c;
		by_width.divmod(i, r, c);
		int from = row_of(index[r], rows);
		dst[i] = from >= 0 ? src[(long long)from * width + c] : not_a_number();
	}
}

// Adds row r of src to row index[r] of dst, in the order of r: a thread does a column. Moves 3·n·width.
KERNEL(256, scatter_add, int n, int width, int rows, const float *index, const float *src, float *dst) {
	START;
	int c = (int)(blockIdx.x * 256 + threadIdx.x);
	if (c >= width) return;
	for (int r = 0; r < n; r++) {
		int to = row_of(index[r], rows);
		if (to >= 0) dst[(long long)to * width + c] += src[(long long)r * width + c];
	}
}

// y = max(x, 0) + slope·min(x, 0). Moves 2n.
KERNEL(256, relu, int n, const float *x, float slope, float *y) {
	START;
	EACH(i, n) {
		float v = x[i];
		y[i] = rectified(v, slope);
	}
}

// dx = dy·(x > 0 ? 1 : slope). Moves 3n.
KERNEL(256, relu_backward, int n, const float *x, const float *dy, float slope, float *dx) {
	START;
	EACH(i, n) dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
}

// y_i = x_i·keep where u_i >= ratio, else 0, with keep = 1/(1-ratio) and u of the key. Moves 2n.
// A thread does four elements in a row, which share a block of random numbers; (n+1023)/1024 blocks.
KERNEL(256, dropout, int n, const float *x, float ratio, float keep, const Key *key, float *y) {
	START;
	Key k = *key;
	int at = 4 * (int)(blockIdx.x * 256 + threadIdx.x);
	if (at >= n) return;
	uint4 u = philox(k, at >> 2);
	unsigned bits[4] = {u.x, u.y, u.z, u.w};
	for (int j = 0; j < 4; j++)
		if (at + j < n) y[at + j] = unit_float(bits[j]) >= ratio ? x[at + j] * keep : 0.0f;
}

// Sums over a whole tensor: blocks of 256 threads, at most 1024 of them, each striding through it.

// out = alpha·Σ x·y. Moves 2n.
BLOCK_KERNEL(256, dot, int n, float alpha, const float *x, const float *y, float *out, double *partial, unsigned *counter) {
	START;
	double v[1] = {0};
	for (int i = (int)(blockIdx.x * 256 + threadIdx.x); i < n; i += (int)gridDim.x * 256) v[0] += (double)x[i] * y[i];
	if (grid_sums(v, partial, counter)) *out = (float)(alpha * v[0]);
}

// out = Σ x². Moves n.
BLOCK_KERNEL(256, sum_squares, int n, const float *x, double *out, double *partial, unsigned *counter) {
	START;
	double v[1] = {0};
	for (int i = (int)(blockIdx.x * 256 + threadIdx.x); i < n; i += (int)gridDim.x * 256) v[0] += (double)x[i] * x[i];
	if (grid_sums(v, partial, counter)) *out = v[0];
}

// out = the number of elements that are NaN or infinite. Moves n.
BLOCK_KERNEL(256, count_bad, int n, const float *x, double *out, double *partial, unsigned *counter) {
	START;
	double v[1] = {0};
	for (int i = (int)(blockIdx.x * 256 + threadIdx.x); i < n; i += (int)gridDim.x * 256) v[0] += finite(x[i]) ? 0.0 : 1.0;
	if (grid_sums(v, partial, counter)) *out = v[0];
}
