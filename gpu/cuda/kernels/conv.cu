// Convolution as matrix products: gpu.Spatial.
#include "conv.cuh"

// y = relu(w ⋆ x + b). m = o, n = n·places, k = c·kh·kw. Moves x, w and y.
#define CONV(tile, BM, BN, BK, TM, TN) \
	BLOCK_KERNEL(256, conv_##tile, ConvArgs p) { \
		START; \
		int k = p.g.c * p.g.kh * p.g.kw; \
		Weights a = {p.w, p.g.o, k}; \
		Columns b = {p.g, p.x}; \
		Outputs c = {p.g, p.y, p.e}; \
		product<BM, BN, BK, TM, TN>(a, b, c, p.g.o, p.g.n * p.g.out_h * p.g.out_w, k, p.shares); \
	}
CONV(32, 32, 32, 16, 2, 2)
CONV(64, 64, 64, 16, 4, 4)
CONV(128, 128, 128, 8, 8, 8)

// dx = the gradient of the input. m = c, n = n·h·w, k = o·kh·kw; ConvArgs.x is dy and .y is dx. Moves dy, w and dx.
#define CONV_DATA(tile, BM, BN, BK, TM, TN) \
	BLOCK_KERNEL(256, conv_backward_data_##tile, ConvArgs p) { \
		START; \
		WeightsByInput a = {p.g, p.w}; \
		Gradients b = {p.g, p.x}; \
		Inputs c = {p.g, p.y}; \
		product<BM, BN, BK, TM, TN>(a, b, c, p.g.c, p.g.n * p.g.h * p.g.w, p.g.o * p.g.kh * p.g.kw, p.shares); \
	}
CONV_DATA(32, 32, 32, 16, 2, 2)
CONV_DATA(64, 64, 64, 16, 4, 4)
CONV_DATA(128, 128, 128, 8, 8, 8)

// dw += the gradient of the weights. m = o, n = c·kh·kw, k = n·places, which is long: it is split. ConvArgs.w is dy, .y is dw.
// Moves x, dy and dw.
#define CONV_WEIGHTS(tile, BM, BN, BK, TM, TN) \
	BLOCK_KERNEL(256, conv_backward_weights_##tile, ConvArgs p) { \
		START; \
		int n = p.g.c * p.g.kh * p.g.kw; \
		OutputGradients a = {p.g, p.w}; \
		ColumnsByTap b = {p.g, p.x}; \
		WeightGradients c = {p.g, p.y, n}; \
		product<BM, BN, BK, TM, TN>(a, b, c, p.g.o, n, p.g.n * p.g.out_h * p.g.out_w, p.shares); \
	}
CONV_WEIGHTS(32, 32, 32, 16, 2, 2)
CONV_WEIGHTS(64, 64, 64, 16, 4, 4)
CONV_WEIGHTS(128, 128, 128, 8, 8, 8)
