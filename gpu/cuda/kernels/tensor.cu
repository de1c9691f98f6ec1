// The products of gemm.cu and conv.cu on tensor cores. Of their own module: they want compute capability 8.0.
#include "conv.cuh"
#include "gemm.cuh"
#include "staged.cuh"
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

// Matrices whose rows begin at a chunk: the lengths of those that lie along memory are multiples of four. A is m×k, or k×m
// for tn; B is k×n, or n×k for nt.
#define STAGED_GEMM(kind, K, BM) \
	BLOCK_KERNEL(256, staged_gemm_nn_##kind##_##BM, GemmArgs g) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		Slice s = slice_of<BM, BM>(g.shares, g.k); \
		Rows<float, BM / 64> a(g.a, g.k, s.m0 + Along<float, BM>::row(), g.m, 64); \
		Steps<float> b(g.b, g.n, s.n0 + Across<float, BM>::column(), g.n); \
		staged_product<K, Along, Across, BM>(tiles, a, b, MatrixPairs(g), s, g.m, g.n, g.shares); \
	} \
	BLOCK_KERNEL(256, staged_gemm_nt_##kind##_##BM, GemmArgs g) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		Slice s = slice_of<BM, BM>(g.shares, g.k); \
		Rows<float, BM / 64> a(g.a, g.k, s.m0 + Along<float, BM>::row(), g.m, 64); \
		Rows<float, BM / 64> b(g.b, g.k, s.n0 + Along<float, BM>::row(), g.n, 64); \
		staged_product<K, Along, Along, BM>(tiles, a, b, MatrixPairs(g), s, g.m, g.n, g.shares); \
	} \
	BLOCK_KERNEL(256, staged_gemm_tn_##kind##_##BM, GemmArgs g) { \
		START; \
		__shared__ uint4 tiles[TILE_CHUNKS(BM)]; \
		Slice s = slice_of<BM, BM>(g.shares, g.k); \
		Steps<float> a(g.a, g.m, s.m0 + Across<float, BM>::column(), g.m); \
		Steps<float> b(g.b, g.n, s.n0 + Across<float, BM>::column(), g.n); \
		staged_product<K, Across, Across, BM>(tiles, a, b, MatrixPairs(g), s, g.m, g.n, g.shares); \
	}
STAGED_GEMM(tf32, Singles<false>, 64)
STAGED_GEMM(tf32, Singles<false>, 128)
STAGED_GEMM(bf16, Narrowed, 64)
STAGED_GEMM(bf16, Narrowed, 128)
