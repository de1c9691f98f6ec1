// The matrix product that gemm and the convolutions share: C = A·B, tile by tile. What A, B and C are is up to small structs with
// at() and put(), so a convolution reads its columns straight from the image and none are ever written.
//
// An operand is read by rows and taps: row(i) is where the elements of row i (of A; column i of B) begin, tap(k) how far the k-th lies from
// there, at(row, tap) the element. A block of 256 threads makes a tile of BM×BN, in steps of BK along k: it loads the next step's elements into registers, multiplies
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
		return rectify ? rectified(v, slope) : v;
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
// PACK steps of k lie side by side in a word of the tile (two for bf16).
template <int BX, int BK, int PACK, class X, int L> __device__ __forceinline__ void rows_of(const X &x, typename X::Row (&rows)[L], int group, int from, int n) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i;
		rows[i] = x.row(group, from + (X::k_together ? e / (BK / PACK) : e % BX), n);
	}
}
// chart works out, once for the whole block, what each of the next steps of k means for an operand: where its element lies from
// the beginning of a row. The threads of a block share it instead of dividing k for every element.
template <int BK, class X> __device__ __forceinline__ void chart(const X &x, typename X::Tap (&taps)[BK], int first, int from, int to) {
	int i = (int)threadIdx.x - first;
	if (i >= 0 && i < BK && from + i < to) taps[i] = x.tap(from + i);
}
template <int BX, int BK, int PACK, class X, int L>
__device__ __forceinline__ void fetch(const X &x, const typename X::Row (&rows)[L], const typename X::Tap (&taps)[BK], float (&r)[L * PACK], int from, int to) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i, k = PACK * (X::k_together ? e % (BK / PACK) : e / BX);
#pragma unroll
		for (int j = 0; j < PACK; j++) r[i * PACK + j] = from + k + j < to ? x.at(rows[i], taps[k + j]) : 0.0f;
	}
}
// keep stores what was fetched into the tile, as W::word makes words of it.
template <class W, class X, int BX, int BK, int L, int WIDTH, int PACK>
__device__ __forceinline__ void keep(const float (&r)[L * PACK], typename W::Word (&tile)[BK / PACK][WIDTH]) {
#pragma unroll
	for (int i = 0; i < L; i++) {
		int e = threadIdx.x + 256 * i;
		tile[X::k_together ? e % (BK / PACK) : e / BX][X::k_together ? e / (BK / PACK) : e % BX] = W::word(r + i * PACK);
	}
}

// Slice says which part of a product a block makes.
struct Slice {
	int m0, n0, k0, k1, group, split, tile;
};
template <int BM, int BN> __device__ __forceinline__ Slice slice_of(const Shares &shares, int k) {
	Slice s;
	bool shared = shares.count > 1;
	s.m0 = (int)blockIdx.y * BM;
	s.n0 = (int)blockIdx.x * BN;
	s.split = shared ? (int)blockIdx.z % shares.count : 0;
	s.group = shared ? (int)blockIdx.z / shares.count : (int)blockIdx.z;
	s.k0 = s.split * shares.length;
	s.k1 = shared ? min(k, s.k0 + shares.length) : k;
	s.tile = (s.group * (int)gridDim.y + (int)blockIdx.y) * (int)gridDim.x + (int)blockIdx.x;
	return s;
}

// add_shares replaces a thread's results by their sums over the shares, and reports whether this block is the one that goes on
// with them. last is in shared memory.
template <int BM, int BN, int COUNT>
__device__ __forceinline__ bool add_shares(float (&sum)[COUNT], const Slice &s, const Shares &shares, bool *last) {
	if (shares.count <= 1) return true;
	float *mine = shares.partial + ((long long)s.tile * shares.count + s.split) * (BM * BN) + threadIdx.x;
#pragma unroll
	for (int i = 0; i < COUNT; i++) mine[i * 256] = sum[i];
	if (!last_block(shares.counters + s.tile, shares.count, last)) return false;
	const float *all = shares.partial + (long long)s.tile * shares.count * (BM * BN) + threadIdx.x;
#pragma unroll
	for (int i = 0; i < COUNT; i++) {
		float v = 0;
		for (int k = 0; k < shares.count; k++) v += all[((long long)k * COUNT + i) * 256];
		sum[i] = v;
	}
	return true;
}

// Plain is a tile of float32.
struct Plain {
	typedef float Word;
	__device__ __forceinline__ static float word(const float *r) { return *r; }
};

// take loads neighbours from shared memory: two or four.
template <int N> __device__ __forceinline__ void take(float *to, const float *from) {
	if (N == 4) {
		float4 v = *(const float4 *)from;
		to[0] = v.x, to[1] = v.y, to[2] = v.z, to[3] = v.w;
	} else {
		float2 v = *(const float2 *)from;
		to[0] = v.x, to[1] = v.y;
	}
}

// A tile's block is (blockIdx.x, blockIdx.y): n and m. group, an argument of A, B and C, is for grouped convolutions.
template <int BM, int BN, int BK, int TM, int TN, class A, class B, class C>
__device__ __forceinline__ void product(const A &a, const B &b, const C &c, int m, int n, int k, const Shares &shares) {
	const int PAD = 4, LA = BM * BK / 256, LB = BN * BK / 256;
	__shared__ __align__(16) float as[BK][BM + PAD], bs[BK][BN + PAD];
	__shared__ bool last;
	__shared__ typename A::Tap ataps[BK];
	__shared__ typename B::Tap btaps[BK];
	Slice s = slice_of<BM, BN>(shares, k);
	int tm = threadIdx.x / (BN / TN), tn = threadIdx.x % (BN / TN);
	// A thread's results are TM rows and TN columns, in pieces of at most four: neighbours have neighbouring pieces, so what they
	// load of a step is one piece of shared memory, and they do not meet in its banks.
	const int FM = TM < 4 ? TM : 4, FN = TN < 4 ? TN : 4;
	float sum[TM * TN], ra[LA], rb[LB];
#pragma unroll
	for (int i = 0; i < TM * TN; i++) sum[i] = 0;
	typename A::Row arow[LA];
	typename B::Row brow[LB];
	rows_of<BM, BK, 1>(a, arow, s.group, s.m0, m);
	rows_of<BN, BK, 1>(b, brow, s.group, s.n0, n);
	chart<BK>(a, ataps, 0, s.k0, s.k1);
	chart<BK>(b, btaps, 128, s.k0, s.k1);
	__syncthreads();
	fetch<BM, BK, 1>(a, arow, ataps, ra, s.k0, s.k1);
	fetch<BN, BK, 1>(b, brow, btaps, rb, s.k0, s.k1);
	__syncthreads();
	for (int at = s.k0; at < s.k1; at += BK) {
		keep<Plain, A, BM, BK, LA, BM + PAD, 1>(ra, as);
		keep<Plain, B, BN, BK, LB, BN + PAD, 1>(rb, bs);
		chart<BK>(a, ataps, 0, at + BK, s.k1);
		chart<BK>(b, btaps, 128, at + BK, s.k1);
		__syncthreads();
		if (at + BK < s.k1) {
			fetch<BM, BK, 1>(a, arow, ataps, ra, at + BK, s.k1);
			fetch<BN, BK, 1>(b, brow, btaps, rb, at + BK, s.k1);
		}
#pragma unroll
		for (int kk = 0; kk < BK; kk++) {
			float x[TM], y[TN];
#pragma unroll
			for (int i = 0; i < TM; i += FM) take<FM>(x + i, &as[kk][i / FM * (BM / TM * FM) + tm * FM]);
#pragma unroll
			for (int j = 0; j < TN; j += FN) take<FN>(y + j, &bs[kk][j / FN * (BN / TN * FN) + tn * FN]);
#pragma unroll
			for (int i = 0; i < TM; i++)
#pragma unroll
				for (int j = 0; j < TN; j++) sum[i * TN + j] += x[i] * y[j];
		}
		__syncthreads();
	}
	if (!add_shares<BM, BN>(sum, s, shares, &last)) return;
#pragma unroll
	for (int i = 0; i < TM * TN; i++) {
		int r = i / TN, q = i % TN;
		int mm = s.m0 + r / FM * (BM / TM * FM) + tm * FM + r % FM, nn = s.n0 + q / FN * (BN / TN * FN) + tn * FN + q % FN;
		if (mm < m && nn < n) c.put(s.group, mm, nn, sum[i]);
	}
}
