// What a matrix product of row-major arrays reads and writes.
#pragma once
#include "product.cuh"

// Lines reads row i (or, together, column i) of a matrix whose rows lie stride apart.
template <bool TOGETHER> struct Lines {
	typedef const float *Row;
	typedef int Tap;
	static const bool k_together = TOGETHER;
	const float *p;
	int stride;
	__device__ __forceinline__ Row row(int, int i, int n) const {
		if (i >= n) return (Row)0;
		return TOGETHER ? p + (long long)i * stride : p + i;
	}
	__device__ __forceinline__ Tap tap(int k) const { return TOGETHER ? k : k * stride; }
	__device__ __forceinline__ float at(Row r, Tap t) const { return r ? r[t] : 0.0f; }
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

// MatrixPairs puts neighbours of a row of C.
struct MatrixPairs {
	Matrix c;
	int n;
	__device__ __forceinline__ MatrixPairs(const GemmArgs &g) : n(g.n) {
		c.p = g.c;
		c.stride = g.n;
		c.e = g.e;
	}
	__device__ __forceinline__ void put(int group, int m, int column, float low, float high) const {
		c.put(group, m, column, low);
		if (column + 1 < n) c.put(group, m, column + 1, high);
	}
};
