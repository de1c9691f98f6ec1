// The products of gemm.cu and conv.cu on tensor cores. Of their own module: they want compute capability 8.0.
#include "conv.cuh"
#include "gemm.cuh"
#include "tensor.cuh"

#define TENSOR_GEMM(name, ta, tb, W, BM, BK) \
	BLOCK_KERNEL(256, name, GemmArgs g) { \
		START; \
		Lines<!ta> a = {g.a, ta ? g.m : g.k}; \
		Lines<tb> b = {g.b, tb ? g.k : g.n}; \
		Matrix c = {g.c, g.n, g.e}; \
		tensor_product<W, BM, BM, BK>(a, b, c, g.m, g.n, g.k, g.shares); \
	}

// One kind of number: TF32 or bf16, in tiles of BM×BM and steps of BK.
#define TENSOR(kind, W, BM, BK) \
	TENSOR_GEMM(gemm_nn_##kind##_##BM, false, false, W, BM, BK) \
	TENSOR_GEMM(gemm_nt_##kind##_##BM, false, true, W, BM, BK) \
	TENSOR_GEMM(gemm_tn_##kind##_##BM, true, false, W, BM, BK) \
	TENSOR_GEMM(gemm_tt_##kind##_##BM, true, true, W, BM, BK) \
	BLOCK_KERNEL(256, conv_##kind##_##BM, ConvArgs p) { \
		START; \
		int k = p.g.c * p.g.kh * p.g.kw; \
		Weights a = {p.w, p.g.o, k}; \
		Columns b = {p.g, p.x}; \
		Outputs c = {p.g, p.y, p.e}; \
		tensor_product<W, BM, BM, BK>(a, b, c, p.g.o, p.g.n * p.g.out_h * p.g.out_w, k, p.shares); \
	} \
	BLOCK_KERNEL(256, conv_backward_data_##kind##_##BM, ConvArgs p) { \
		START; \
		WeightsByInput a = {p.g, p.w}; \
		Gradients b = {p.g, p.x}; \
		Inputs c = {p.g, p.y}; \
		tensor_product<W, BM, BM, BK>(a, b, c, p.g.c, p.g.n * p.g.h * p.g.w, p.g.o * p.g.kh * p.g.kw, p.shares); \
	} \
	BLOCK_KERNEL(256, conv_backward_weights_##kind##_##BM, ConvArgs p) { \
		START; \
		int n = p.g.c * p.g.kh * p.g.kw; \
		OutputGradients a = {p.g, p.w}; \
		ColumnsByTap b = {p.g, p.x}; \
		WeightGradients c = {p.g, p.y, n}; \
		tensor_product<W, BM, BM, BK>(a, b, c, p.g.o, n, p.g.n * p.g.out_h * p.g.out_w, p.shares); \
	}
TENSOR(tf32, Tf32, 64, 16)
TENSOR(tf32, Tf32, 128, 16)
TENSOR(bf16, Bf16, 64, 32)
TENSOR(bf16, Bf16, 128, 32)
