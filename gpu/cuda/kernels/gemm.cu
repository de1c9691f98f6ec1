// The matrix product of row-major arrays: gpu.Dense.
#include "gemm.cuh"

// C = relu(alpha·op(A)·op(B) + beta·C + bias). The name says op: n as it is, t transposed, of A and of B, and the tile.
// Grid (tiles of n, tiles of m, shares of k). Moves mk + kn + mn.
#define GEMM(name, ta, tb, BM, BN, BK, TM, TN) \
	BLOCK_KERNEL(256, name, GemmArgs g) { \
		START; \
		Lines<!ta> a = {g.a, ta ? g.m : g.k}; \
		Lines<tb> b = {g.b, tb ? g.k : g.n}; \
		Matrix c = {g.c, g.n, g.e}; \
		product<BM, BN, BK, TM, TN>(a, b, c, g.m, g.n, g.k, g.shares); \
	}
#define GEMMS(tile, BM, BN, BK, TM, TN) \
	GEMM(gemm_nn_##tile, false, false, BM, BN, BK, TM, TN) \
	GEMM(gemm_nt_##tile, false, true, BM, BN, BK, TM, TN) \
	GEMM(gemm_tn_##tile, true, false, BM, BN, BK, TM, TN) \
	GEMM(gemm_tt_##tile, true, true, BM, BN, BK, TM, TN)
GEMMS(32, 32, 32, 16, 2, 2)
GEMMS(64, 64, 64, 16, 4, 4)
GEMMS(128, 128, 128, 8, 8, 8)
