// The matrix product of product.cuh on tensor cores: operands rounded to TF32 or bf16 where they enter shared memory, sums in
// float32. A block of eight warps makes a tile of BM×BN; each warp BM/2 × BN/4 of it, in pieces of 16×8 that one
// instruction makes (mma.sync m16n8k8 for TF32, m16n8k16 for bf16: PTX ISA, "Matrix fragments for mma").
// Wants compute capability 8.0.
#pragma once
#include "product.cuh"

// tf32 rounds to 10 bits of mantissa, to nearest, ties away from zero.
__device__ __forceinline__ unsigned tf32(float v) {
#ifdef __CUDACC__
	unsigned u;
	asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(u) : "f"(v));
	return u;
#else
	unsigned u = __float_as_uint(v);
	return (u & 0x7F800000u) == 0x7F800000u ? u : (u + 0x1000u) & ~0x1FFFu;
#endif
}

// bf16_pair rounds two numbers to bf16, to nearest, ties to even; low goes into the lower half.
__device__ __forceinline__ unsigned bf16_pair(float low, float high) {
#ifdef __CUDACC__
	unsigned u;
	asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(u) : "f"(high), "f"(low));
	return u;
#else
	unsigned r[2] = {__float_as_uint(low), __float_as_uint(high)};
	for (unsigned &u : r) u = (u & 0x7FFFFFFFu) > 0x7F800000u ? 0x7FFFu : (u + 0x7FFFu + ((u >> 16) & 1)) >> 16;
	return r[0] | r[1] << 16;
#endif
}

// Tf32 and Bf16 are tiles of rounded operands: PACK numbers a word, STEP numbers an instruction, that is STEP/PACK words.
struct Tf32 {
	typedef unsigned Word;
	static const int PACK = 1, STEP = 8;
	__device__ __forceinline__ static unsigned word(const float *r) { return tf32(*r); }
	// d += a·b: a is 16×8 in words (g, t), (g+8, t), (g, t+4), (g+8, t+4) of lane 4g+t; b is 8×8 in (t, g), (t+4, g).
	__device__ __forceinline__ static void multiply(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef __CUDACC__
		asm volatile("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
					 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
					 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
		emulator::multiply<1>(d, a, b, [](unsigned w, int) { return __uint_as_float(w); });
#endif
	}
};
struct Bf16 {
	typedef unsigned Word;
	static const int PACK = 2, STEP = 16;
	__device__ __forceinline__ static unsigned word(const float *r) { return bf16_pair(r[0], r[1]); }
	__device__ __forceinline__ static void multiply(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2]) {
#ifdef __CUDACC__
		asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
					 : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
					 : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
		emulator::multiply<2>(d, a, b, [](unsigned w, int half) { return __uint_as_float(half ? w & 0xFFFF0000u : w << 16); });
#endif
	}
};

template <class W, int BM, int BN, int BK, class A, class B, class C>
__device__ __forceinline__ void tensor_product(const A &a, const B &b, const C &c, int m, int n, int k, const Shares &shares) {
	const int PACK = W::PACK, PAD = 8; // a row of words is 8 off a multiple of 32: the lanes of a warp meet 32 banks
	const int LA = BM * BK / PACK / 256, LB = BN * BK / PACK / 256, MF = BM / 32, NF = BN / 32; // pieces of a warp
	__shared__ unsigned as[BK / PACK][BM + PAD], bs[BK / PACK][BN + PAD];
	__shared__ bool last;
	__shared__ typename A::Tap ataps[BK];
	__shared__ typename B::Tap btaps[BK];
	Slice s = slice_of<BM, BN>(shares, k);
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
	int wm = (warp >> 2) * (BM / 2), wn = (warp & 3) * (BN / 4);
	float sum[MF * NF * 4], ra[LA * PACK], rb[LB * PACK];
#pragma unroll
	for (int i = 0; i < MF * NF * 4; i++) sum[i] = 0;
	typename A::Row arow[LA];
	typename B::Row brow[LB];
	rows_of<BM, BK, PACK>(a, arow, s.group, s.m0, m);
	rows_of<BN, BK, PACK>(b, brow, s.group, s.n0, n);
	chart<BK>(a, ataps, 0, s.k0, s.k1);
	chart<BK>(b, btaps, 128, s.k0, s.k1);
	__syncthreads();
	fetch<BM, BK, PACK>(a, arow, ataps, ra, s.k0, s.k1);
	fetch<BN, BK, PACK>(b, brow, btaps, rb, s.k0, s.k1);
	__syncthreads();
#pragma unroll 1 // its body is unrolled, and four times that takes ptxas three times as long for no gain
	for (int at = s.k0; at < s.k1; at += BK) {
		keep<W, A, BM, BK, LA, BM + PAD, PACK>(ra, as);
		keep<W, B, BN, BK, LB, BN + PAD, PACK>(rb, bs);
		chart<BK>(a, ataps, 0, at + BK, s.k1);
		chart<BK>(b, btaps, 128, at + BK, s.k1);
		__syncthreads();
		if (at + BK < s.k1) {
			fetch<BM, BK, PACK>(a, arow, ataps, ra, at + BK, s.k1);
			fetch<BN, BK, PACK>(b, brow, btaps, rb, at + BK, s.k1);
		}
#pragma unroll
		for (int w = 0; w < BK / PACK; w += W::STEP / PACK) {
			unsigned x[MF][4], y[NF][2];
#pragma unroll
			for (int i = 0; i < MF; i++) {
				int row = wm + 16 * i + g;
				x[i][0] = as[w + t][row];
				x[i][1] = as[w + t][row + 8];
				x[i][2] = as[w + t + 4][row];
				x[i][3] = as[w + t + 4][row + 8];
			}
#pragma unroll
			for (int j = 0; j < NF; j++) {
				int column = wn + 8 * j + g;
				y[j][0] = bs[w + t][column];
				y[j][1] = bs[w + t + 4][column];
			}
#pragma unroll
			for (int i = 0; i < MF; i++)
#pragma unroll
				for (int j = 0; j < NF; j++) W::multiply(*(float(*)[4])(sum + (i * NF + j) * 4), x[i], y[j]);
		}
		__syncthreads();
	}
	if (!add_shares<BM, BN>(sum, s, shares, &last)) return;
#pragma unroll
	for (int i = 0; i < MF * NF * 4; i++) {
		int piece = i / 4, e = i % 4;
		int mm = s.m0 + wm + 16 * (piece / NF) + g + (e >> 1) * 8, nn = s.n0 + wn + 8 * (piece % NF) + 2 * t + (e & 1);
		if (mm < m && nn < n) c.put(s.group, mm, nn, sum[i]);
	}
}
