// Activations with channels last, as bf16: x[n][h][w][c], c a multiple of eight. Statistics, weights and their gradients are
// float32. A thread does eight channels, 16 bytes. Moves are of numbers of four bytes: an array of n numbers is n/2.
#include "nhwc.cuh"

#include "nhwc_passes.cu"

// y = relu(w ⋆ x + b). m = n·places, n = o, k = kh·kw·c. Moves x/2, w/2 and y/2.
#define NHWC_CONV(BM) \
	BLOCK_KERNEL(256, nhwc_conv_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[STAGES * 2 * BM * NHWC_STEP / CHUNK]; \
		int m = p.g.n * p.g.out_h * p.g.out_w, k = p.g.kh * p.g.kw * p.g.c; \
		Slice s = slice_of<BM, BM>(p.shares, k); \
		Windows<BM / 64> a(p.g, p.x, s.group, s.m0 + Along<BM>::row(), m, 64); \
		Filters<BM / 64> b(p.w, k, s.group, s.n0 + Along<BM>::row(), p.g.o, 64); \
		Pixels c = {p.y, p.g.o, p.g.groups, p.bias, p.rectify, p.slope}; \
		nhwc_product<Along, BM>(tiles, a, b, c, s, m, p.g.o, p.shares); \
	}
NHWC_CONV(64)
NHWC_CONV(128)

// dx = the gradient of the input. m = n·h·w, n = c, k = kh·kw·o; p.x is dy, p.y is dx, and the filters are w[c][kh][kw][o].
// Moves dy/2, w/2 and dx/2.
#define NHWC_DATA(BM) \
	BLOCK_KERNEL(256, nhwc_conv_backward_data_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[STAGES * 2 * BM * NHWC_STEP / CHUNK]; \
		int m = p.g.n * p.g.h * p.g.w, k = p.g.kh * p.g.kw * p.g.o; \
		Slice s = slice_of<BM, BM>(p.shares, k); \
		Reached<BM / 64> a(p.g, p.x, s.group, s.m0 + Along<BM>::row(), m, 64); \
		Filters<BM / 64> b(p.w, k, s.group, s.n0 + Along<BM>::row(), p.g.c, 64); \
		Pixels c = {p.y, p.g.c, p.g.groups, nullptr, 0, 0}; \
		nhwc_product<Along, BM>(tiles, a, b, c, s, m, p.g.c, p.shares); \
	}
NHWC_DATA(64)
NHWC_DATA(128)

// dw += the gradient of the weights, float32 in Caffe's order. m = o, n = kh·kw·c, k = n·places, which is long: it is split.
// p.w is dy, p.y is dw. Moves x/2, dy/2 and dw.
#define NHWC_WEIGHTS(BM) \
	BLOCK_KERNEL(256, nhwc_conv_backward_weights_##BM, NhwcArgs p) { \
		START; \
		__shared__ uint4 tiles[STAGES * 2 * BM * NHWC_STEP / CHUNK]; \
		int n = p.g.kh * p.g.kw * p.g.c; \
		Slice s = slice_of<BM, BM>(p.shares, p.g.n * p.g.out_h * p.g.out_w); \
		OutputRows a(p.g, p.w, s.group, s.m0 + Across<BM>::chunk() * CHUNK); \
		TapRows b(p.g, p.x, s.group, s.n0 + Across<BM>::chunk() * CHUNK); \
		TapGradients c = {p.g, (float *)p.y}; \
		nhwc_product<Across, BM>(tiles, a, b, c, s, p.g.o, n, p.shares); \
	}
NHWC_WEIGHTS(64)
NHWC_WEIGHTS(128)
