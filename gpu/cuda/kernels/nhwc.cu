// Activations with channels last: x[n][h][w][c], c a multiple of eight, of bf16, or of float32 where products are in TF32.
// Statistics, weights and their gradients are float32 in any case. Moves are of the activations' numbers, of two bytes or
// four.
#include "nhwc_passes.cuh"

#define NUMBER unsigned short
#define LAST(name) nhwc_##name##_bf16
#include "nhwc_passes.cu"
#undef NUMBER
#undef LAST
#define NUMBER float
#define LAST(name) nhwc_##name##_f32
#include "nhwc_passes.cu"
#undef NUMBER
#undef LAST

// What vector.cu does with float32, in whatever order it lies.

// y = max(x, 0) + slope·min(x, 0); n counts pieces. Moves 2n.
KERNEL(256, bf16_relu, int n, const unsigned short *x, float slope, unsigned short *y) {
	START;
	EACH(i, n) {
		float v[PIECE];
		load(x, i, v);
		EIGHT(j) v[j] = rectified(v[j], slope);
		store(y, i, v);
	}
}

// dx = dy·(x > 0 ? 1 : slope). Moves 3n.
KERNEL(256, bf16_relu_backward, int n, const unsigned short *x, const unsigned short *dy, float slope, unsigned short *dx) {
	START;
	EACH(i, n) {
		float v[PIECE], g[PIECE];
		load(x, i, v);
		load(dy, i, g);
		EIGHT(j) g[j] = v[j] > 0 ? g[j] : slope * g[j];
		store(dx, i, g);
	}
}

// y = a·x + b·y; where b is 0 y is not read. Moves 3n.
KERNEL(256, bf16_axpby, int n, float a, const unsigned short *x, float b, unsigned short *y) {
	START;
	EACH(i, n) {
		float u[PIECE], v[PIECE];
		load(x, i, u);
		if (b != 0) load(y, i, v);
		EIGHT(j) v[j] = b != 0 ? a * u[j] + b * v[j] : a * u[j];
		store(y, i, v);
	}
}

// dw[o][c][tap] += g[o][tap][c]: a gradient of weights by a library, float32. Moves 3n.
KERNEL(256, nhwc_add_filters, const float *g, float *dw, FilterShape s) {
	START;
	EACH(i, s.groups * s.o * s.c * s.taps) {
		unsigned q, t, o, c;
		s.by_taps.divmod(i, q, t);
		s.by_c.divmod(q, o, c);
		dw[i] += g[((long long)o * s.taps + t) * s.width + c];
	}
}

// y = relu(w ⋆ x + b). m = n·places, n = o, k = kh·kw·c. Moves x, w and y.
#define NHWC_CONV(kind, K, T, BM) \
	BLOCK_KERNEL(256, nhwc_conv_##kind##_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		int m = p.g.n * p.g.out_h * p.g.out_w, k = p.g.kh * p.g.kw * p.g.c; \
		Slice s = slice_of<BM, BM>(p.shares, k); \
		Windows<T, BM / 64> a(p.g, (const T *)p.x, s.group, s.m0 + Along<T, BM>::row(), m, 64); \
		Rows<T, BM / 64> b((const T *)p.w + (long long)s.group * p.g.o * k, k, s.n0 + Along<T, BM>::row(), p.g.o, 64); \
		Pixels<T> c = {(T *)p.y, p.g.o, p.g.groups, p.bias, p.rectify, p.slope}; \
		staged_product<K, Along, Along, BM>(tiles, a, b, c, s, m, p.g.o, p.shares); \
	}

// dx = the gradient of the input. m = n·h·w, n = c, k = kh·kw·o; p.x is dy, p.y is dx, and the filters are w[c][kh][kw][o].
// Moves dy, w and dx.
#define NHWC_DATA(kind, K, T, BM) \
	BLOCK_KERNEL(256, nhwc_conv_backward_data_##kind##_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		int m = p.g.n * p.g.h * p.g.w, k = p.g.kh * p.g.kw * p.g.o; \
		Slice s = slice_of<BM, BM>(p.shares, k); \
		Reached<T, BM / 64> a(p.g, (const T *)p.x, s.group, s.m0 + Along<T, BM>::row(), m, 64); \
		Rows<T, BM / 64> b((const T *)p.w + (long long)s.group * p.g.c * k, k, s.n0 + Along<T, BM>::row(), p.g.c, 64); \
		Pixels<T> c = {(T *)p.y, p.g.c, p.g.groups, nullptr, 0, 0}; \
		staged_product<K, Along, Along, BM>(tiles, a, b, c, s, m, p.g.c, p.shares); \
	}

// dw += the gradient of the weights, float32 in Caffe's order. m = o, n = kh·kw·c, k = n·places, which is long: it is split.
// p.w is dy, p.y is dw. Moves x, dy and dw.
#define NHWC_WEIGHTS(kind, K, T, BM) \
	BLOCK_KERNEL(256, nhwc_conv_backward_weights_##kind##_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		int n = p.g.kh * p.g.kw * p.g.c; \
		Slice s = slice_of<BM, BM>(p.shares, p.g.n * p.g.out_h * p.g.out_w); \
		Steps<T> a((const T *)p.w + s.group * p.g.o, p.g.o * p.g.groups, s.m0 + Across<T, BM>::column(), p.g.o); \
		TapRows<T> b(p.g, (const T *)p.x, s.group, s.n0 + Across<T, BM>::column()); \
		TapGradients<T> c = {p.g, (float *)p.y}; \
		staged_product<K, Across, Across, BM>(tiles, a, b, c, s, p.g.o, n, p.shares); \
	}

// One kind of numbers, in tiles of BM×BM: filters are rounded already, the operands of the gradient of weights are not.
#define NHWC(kind, K, W, T, BM) \
	NHWC_CONV(kind, K, T, BM) \
	NHWC_DATA(kind, K, T, BM) \
	NHWC_WEIGHTS(kind, W, T, BM)
NHWC(tf32, Singles<true>, Singles<false>, float, 64)
NHWC(tf32, Singles<true>, Singles<false>, float, 128)
NHWC(bf16, Halves, Halves, unsigned short, 64)
NHWC(bf16, Halves, Halves, unsigned short, 128)
