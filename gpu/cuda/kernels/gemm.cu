// The matrix product of row-major arrays: gpu.Dense.
#include "product.cuh"

// Lines reads row i (or, together, column i) of a matrix whose rows lie stride apart.
template <bool TOGETHER> struct Lines {
	typedef const float *Row;
	static const bool k_together = TOGETHER;
	const float *p;
	int stride;
	__device__ __forceinline__ Row row(int, int i, int n) const {
		if (i >= n) return (Row)0;
		return TOGETHER ? p + (long long)i * stride : p + i;
	}
	__device__ __forceinline__ float at(Row r, int k) const {
		if (!r) return 0.0f;
		return TOGETHER ? r[k] : r[(long long)k * stride];
	}
};

struct Matrix {
	float *p;
	int stride;
	Epilogue e;
	__device__ __forceinline__ void put(int, int m, int n, float v) const {
		float *y = p + (long long)m * stride + n;
		*y = e.of(v, m, n, y);
	}
};

struct GemmArgs {
	int m, n, k;
	const float *a, *b;
	float *c;
	Epilogue e;
	Shares shares;
};

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
