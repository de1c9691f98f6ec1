// The matrix product that gemm and the convolutions share: C = A·B, tile by tile. What A, B and C are is up to small structs with
// at() and put(), so a convolution reads its columns straight from the image and none are ever written.
//
// A block of 256 threads makes a tile of BM×BN, in steps of BK along k: it loads the next step's elements into registers, multiplies
// the present one from shared memory (each thread TM×TN results), stores the registers into shared memory. Of k each block of
// blockIdx.z takes a share; the last of the shares to finish adds them up in order (split k), so the result is the same in
// every run. Floor: m·n·k multiplications and additions; moves BM·k + BN·k a tile.
#pragma once
#include "common.cuh"

// What a product's result passes through: y = relu(alpha·ab + beta·y + row_bias[m] + column_bias[n]).
struct Epilogue {
	float alpha, beta;
	const float *row_bias, *column_bias; // or null
	int rectify;
	float slope;
	__device__ __forceinline__ float of(float ab, int m, int n, const float *y) const {
		float v = alpha * ab;
		if (beta != 0) v += beta * *y;
		if (row_bias) v += row_bias[m];
		if (column_bias) v += column_bias[n];
		if (rectify && !(v > 0)) v = slope == 0 ? (v == v ? 0.0f : v) : slope * v;
		return v;
	}
};

// Shares is how k is split: each takes length of it. partial has a tile of BM×BN for each share of each tile, counters one
// a tile, 0 before and after. One share needs neither.
struct Shares {
	float *partial;
	unsigned *counters;
	int count, length;
};

// An operand's tile of BX rows (of A; columns of B) and BK steps of k, spread over the threads. A warp reads along the index that
// lies together in memory: k for an operand with k_together, else the row.
template <int BX, int BK, class X, int L> __device__ __forceinline__ void rows_of(const X &x, typename X::Row (&rows)[L], int group, int from, int n) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i;
		rows[i] = x.row(group, from + (X::k_together ? e / BK : e % BX), n);
	}
}
template <int BX, int BK, class X, int L> __device__ __forceinline__ void fetch(const X &x, const typename X::Row (&rows)[L], float (&r)[L], int from, int to) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i, k = from + (X::k_together ? e % BK : e / BX);
		r[i] = k < to ? x.at(rows[i], k) : 0.0f;
	}
}
template <class X, int BX, int BK, int L, int WIDTH> __device__ __forceinline__ void keep(const float (&r)[L], float (&tile)[BK][WIDTH]) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i;
		tile[X::k_together ? e % BK : e / BX][X::k_together ? e / BK : e % BX] = r[i];
	}
}

// A tile's block is (blockIdx.x, blockIdx.y): n and m. group, an argument of A, B and C, is for grouped convolutions.
template <int BM, int BN, int BK, int TM, int TN, class A, class B, class C>
__device__ __forceinline__ void product(const A &a, const B &b, const C &c, int m, int n, int k, const Shares &shares) {
	const int PAD = 4;
	__shared__ float as[BK][BM + PAD], bs[BK][BN + PAD];
	const int LA = BM * BK / 256, LB = BN * BK / 256;
	int t = threadIdx.x, m0 = (int)blockIdx.y * BM, n0 = (int)blockIdx.x * BN;
	int split = shares.count > 1 ? (int)blockIdx.z % shares.count : 0;
	int group = shares.count > 1 ? (int)blockIdx.z / shares.count : (int)blockIdx.z;
	int k0 = split * shares.length, k1 = shares.count > 1 ? min(k, k0 + shares.length) : k;
	int tm = t / (BN / TN), tn = t % (BN / TN);
	float sum[TM][TN], ra[LA], rb[LB];
#pragma unroll
	for (int i = 0; i < TM; i++)
#pragma unroll
		for (int j = 0; j < TN; j++) sum[i][j] = 0;
	typename A::Row arow[LA];
	typename B::Row brow[LB];
	rows_of<BM, BK>(a, arow, group, m0, m);
	rows_of<BN, BK>(b, brow, group, n0, n);
	fetch<BM, BK>(a, arow, ra, k0, k1);
	fetch<BN, BK>(b, brow, rb, k0, k1);
	for (int at = k0; at < k1; at += BK) {
		keep<A, BM, BK>(ra, as);
		keep<B, BN, BK>(rb, bs);
		__syncthreads();
		if (at + BK < k1) {
			fetch<BM, BK>(a, arow, ra, at + BK, k1);
			fetch<BN, BK>(b, brow, rb, at + BK, k1);
		}
#pragma unroll
		for (int kk = 0; kk < BK; kk++) {
			float x[TM], y[TN];
#pragma unroll
			for (int i = 0; i < TM; i++) x[i] = as[kk][tm * TM + i];
#pragma unroll
			for (int j = 0; j < TN; j++) y[j] = bs[kk][tn * TN + j];
#pragma unroll
			for (int i = 0; i < TM; i++)
#pragma unroll
				for (int j = 0; j < TN; j++) sum[i][j] += x[i] * y[j];
		}
		__syncthreads();
	}
	int tile = ((group * (int)gridDim.y + (int)blockIdx.y) * (int)gridDim.x + (int)blockIdx.x);
	if (shares.count > 1) {
		float *mine = shares.partial + ((long long)tile * shares.count + split) * (BM * BN) + t;
#pragma unroll
		for (int i = 0; i < TM * TN; i++) mine[i * 256] = sum[i / TN][i % TN];
		if (!last_block(shares.counters + tile, shares.count)) return;
		const float *all = shares.partial + (long long)tile * shares.count * (BM * BN) + t;
#pragma unroll
		for (int i = 0; i < TM * TN; i++) {
			float v = 0;
			for (int s = 0; s < shares.count; s++) v += all[((long long)s * (TM * TN) + i) * 256];
			sum[i / TN][i % TN] = v;
		}
	}
#pragma unroll
	for (int i = 0; i < TM; i++)
#pragma unroll
		for (int j = 0; j < TN; j++) {
			int mm = m0 + tm * TM + i, nn = n0 + tn * TN + j;
			if (mm < m && nn < n) c.put(group, mm, nn, sum[i][j]);
		}
}
