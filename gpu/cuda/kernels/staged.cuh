// A product on tensor cores whose operands are copied to shared memory in chunks of 16 bytes, without passing registers:
// convolutions with channels last (nhwc.cuh), and products of matrices whose rows begin at a chunk (gemm.cuh). T is a number
// of an operand: unsigned short for bf16, or float, which is rounded where it is multiplied.
//
// A block of eight warps makes a tile of BM×BM, as in tensor.cuh, in steps of four chunks along k. Copies are asynchronous
// and STAGES steps deep: while one step is multiplied the next two are under way. ldmatrix takes fragments from shared
// memory; where float would have to be transposed, which it cannot, loads of a word or two do. Chunks lie in an order in
// which none of these meets a bank twice: chunk c of a row is at c ^ (row / 2 % 4) where a row is a step of k (four chunks);
// where it is BM wide, at c ^ (k % 8) for bf16 and c ^ 2·(k % 4) for float. The tests count the meetings.
//
// Floor: m·n·k multiplications and additions; moves 2·BM·k numbers a tile.
#pragma once
#include "tensor.cuh"

#define STAGES 3
#define TILE_CHUNKS(BM) (STAGES * 2 * BM * 4) // of shared memory

// Last is what differs between the two kinds of numbers of an activation: CHUNK numbers are 16 bytes.
template <class T> struct Last;
template <> struct Last<unsigned short> {
	static const int CHUNK = 8;
	__device__ __forceinline__ static void put_pair(unsigned short *to, float low, float high) { *(unsigned *)to = bf16_pair(low, high); }
};
template <> struct Last<float> {
	static const int CHUNK = 4;
	__device__ __forceinline__ static void put_pair(float *to, float low, float high) { *(float2 *)to = make_float2(low, high); }
};

// copy_chunk starts to copy 16 bytes to shared memory, or fills them with zeros.
__device__ __forceinline__ void copy_chunk(uint4 *to, const void *from, bool inside) {
#ifdef __CUDACC__
	asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(inside ? 16 : 0));
#else
	*to = inside ? *(const uint4 *)from : make_uint4(0, 0, 0, 0);
#endif
}
// end_group ends a group of copies; await_groups waits until all but the last N groups of this thread are there.
__device__ __forceinline__ void end_group() {
#ifdef __CUDACC__
	asm volatile("cp.async.commit_group;");
#endif
}
template <int N> __device__ __forceinline__ void await_groups() {
#ifdef __CUDACC__
	asm volatile("cp.async.wait_group %0;" ::"n"(N));
#endif
}

// load_matrices loads four matrices of 8×8 numbers, of which lane l names row l % 8 of matrix l / 8: word i of a lane is
// that of row lane / 4, columns 2·(lane % 4) and the next. ACROSS: of columns 2·(lane % 4), row lane / 4, transposed.
template <bool ACROSS> __device__ __forceinline__ void load_matrices(unsigned (&r)[4], const uint4 *row) {
#ifdef __CUDACC__
	unsigned at = (unsigned)__cvta_generic_to_shared(row);
	if (ACROSS)
		asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
	else
		asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(at));
#else
	emulator::load_matrices<ACROSS>(r, row);
#endif
}

// An operand's rows are spread over the threads: thread t copies chunk t % 4 of rows t / 4, t / 4 + 64, ... in each step.
// at(i, inside) is where the chunk of row i lies that to(k) named. Where it is not inside nothing is read, and the address may be
// any.

// Rows has rows of numbers along k, that lie stride apart.
template <class T, int ROWS> struct Rows {
	const T *row[ROWS];
	unsigned inside_rows;
	int k;
	__device__ __forceinline__ Rows(const T *p, int stride, int from, int count, int step) {
		inside_rows = 0;
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int r = from + i * step;
			row[i] = p + (long long)min(r, count - 1) * stride;
			inside_rows |= (unsigned)(r < count) << i;
		}
	}
	__device__ __forceinline__ void to(int k) { this->k = k; }
	__device__ __forceinline__ const T *at(int i, bool &inside) const {
		inside = inside && (inside_rows >> i & 1);
		return row[i] + k;
	}
};

// Where an operand has a row for each step of k, thread t copies chunk t % (BX/CHUNK) of rows t / (BX/CHUNK), ... in each step.

// Steps has such rows, that lie stride apart: the numbers of one from column on, of count.
template <class T> struct Steps {
	const T *first;
	int stride;
	bool any;
	__device__ __forceinline__ Steps(const T *p, int stride, int column, int count) : stride(stride) {
		any = column < count;
		first = p + (any ? column : 0);
	}
	__device__ __forceinline__ const T *at(int k, bool &inside) const {
		inside = inside && any;
		return first + (long long)k * stride;
	}
};

// Along and Across are how a tile is copied and read: with k in a row's chunks, or with a row for each k. Fragments have the
// same words for both kinds of numbers: of a row four words of one chunk along k, and four of the next.
template <class T, int BX> struct Along {
	static const int ROWS = BX / 64, CHUNKS = 4, CHUNK = Last<T>::CHUNK;
	__device__ __forceinline__ static int chunk() { return (int)threadIdx.x % CHUNKS; }
	__device__ __forceinline__ static int row() { return (int)threadIdx.x / CHUNKS; }
	template <class X> __device__ __forceinline__ static void copy(uint4 *tile, X &x, int from, int to) {
		int k = from + chunk() * CHUNK;
		x.to(min(k, to - CHUNK));
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int r = row() + 64 * i;
			bool inside = k < to;
			const T *p = x.at(i, inside);
			copy_chunk(tile + r * CHUNKS + (chunk() ^ (r >> 1 & 3)), p, inside);
		}
	}
	// Fragments of A are matrices (rows, k), (rows + 8, k), (rows, next chunk), (rows + 8, next chunk); of B (k is the other way
	// round) (rows, k), (rows, next chunk), (rows + 8, k), (rows + 8, next chunk).
	template <bool A, int F> __device__ __forceinline__ static void read(unsigned (&r)[F][4], const uint4 *tile, int row, int k) {
		int lane = threadIdx.x & 31, up = lane >> 3 & 1, far = lane >> 4;
#pragma unroll
		for (int i = 0; i < F; i++) {
			int at = row + 16 * i + (lane & 7) + 8 * (A ? up : far), c = k / CHUNK + (A ? far : up);
			load_matrices<false>(r[i], tile + at * CHUNKS + (c ^ (at >> 1 & 3)));
		}
	}
	static const bool IN_ORDER = true;
};

// read_across reads the fragments of a tile with a row for each k: chunks[k][row / CHUNK]. k is a multiple of eight, and row of
// all rows that the fragments have: so a fragment's chunk differs from the first's in bits that are 0 there.
template <bool A, int F> __device__ __forceinline__ void read_across(unsigned (&r)[F][4], const uint4 *tile, int chunks, int row, int k, unsigned short) {
	int lane = threadIdx.x & 31, up = lane >> 3 & 1, far = lane >> 4, first = (row / 8 + (A ? up : far)) ^ (lane & 7);
	const uint4 *line = tile + (k + (lane & 7) + 8 * (A ? far : up)) * chunks;
#pragma unroll
	for (int i = 0; i < F; i++) load_matrices<true>(r[i], line + (first ^ 2 * i));
}

// Of float32 a lane takes words. Which rows of A the pieces of eight of a warp's part are does not matter, as long as results
// are put there: of each 16, one piece has the even and one the odd, so that two words are neighbours, as registers want them.
template <bool A, int F> __device__ __forceinline__ void read_across(unsigned (&r)[F][4], const uint4 *tile, int chunks, int row, int k, float) {
	int lane = threadIdx.x & 31, g = lane >> 2, t = lane & 3, first = (row / 4 + (A ? g >> 1 : g >> 2)) ^ 2 * t;
#pragma unroll
	for (int far = 0; far < 2; far++) {
		const uint4 *line = tile + (k + t + 4 * far) * chunks;
#pragma unroll
		for (int i = 0; i < F; i++)
#pragma unroll
			for (int up = 0; up < (A ? 1 : 2); up++) {
				const int C = 4 * i + 2 * up;
				const unsigned *from = (const unsigned *)(line + ((first ^ (C & 7)) + (C & ~7)));
				if (A) {
					uint2 u = ((const uint2 *)from)[g & 1];
					r[i][2 * far] = u.x, r[i][2 * far + 1] = u.y;
				} else r[i][far + 2 * up] = from[g & 3];
			}
	}
}
template <class T, int BX> struct Across {
	static const int ROWS = BX / 64, CHUNK = Last<T>::CHUNK, CHUNKS = BX / CHUNK, STEP = 256 / CHUNKS;
	static const bool IN_ORDER = CHUNK == 8;
	__device__ __forceinline__ static int column() { return (int)threadIdx.x % CHUNKS * CHUNK; }
	template <class X> __device__ __forceinline__ static void copy(uint4 *tile, X &x, int from, int to) {
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int k = (int)threadIdx.x / CHUNKS + STEP * i;
			bool inside = from + k < to;
			const T *p = x.at(from + k, inside);
			copy_chunk(tile + k * CHUNKS + (column() / CHUNK ^ (CHUNK == 8 ? k & 7 : 2 * (k & 3))), p, inside);
		}
	}
	template <bool A, int F> __device__ __forceinline__ static void read(unsigned (&r)[F][4], const uint4 *tile, int row, int k) {
		read_across<A>(r, tile, CHUNKS, row, k, T());
	}
};

// multiply_all adds to the sums of a warp's pieces of 16×8 what fragments give.
template <class W, int MF, int NF> __device__ __forceinline__ void multiply_all(float *sum, const unsigned (&x)[MF][4], const unsigned (&y)[NF / 2][4]) {
#pragma unroll
	for (int i = 0; i < MF; i++)
#pragma unroll
		for (int j = 0; j < NF; j++) {
			unsigned of[2] = {y[j / 2][2 * (j & 1)], y[j / 2][2 * (j & 1) + 1]};
			W::multiply(*(float(*)[4])(sum + (i * NF + j) * 4), x[i], of);
		}
}

// How fragments of WORDS pairs of chunks along k are multiplied, by what numbers are in memory.
// Halves are bf16.
struct Halves {
	typedef unsigned short Number;
	static const int WORDS = 1;
	template <int MF, int NF> __device__ __forceinline__ static void multiply(float *sum, unsigned (&x)[1][MF][4], unsigned (&y)[1][NF / 2][4]) {
		multiply_all<Bf16, MF, NF>(sum, x[0], y[0]);
	}
};
// Singles are float32, rounded to TF32. Those of B are so already where B is ROUNDED.
template <bool ROUNDED> struct Singles {
	typedef float Number;
	static const int WORDS = 1;
	template <int MF, int NF> __device__ __forceinline__ static void multiply(float *sum, unsigned (&x)[1][MF][4], unsigned (&y)[1][NF / 2][4]) {
#pragma unroll
		for (int q = 0; q < 4; q++) {
#pragma unroll
			for (int i = 0; i < MF; i++) x[0][i][q] = tf32(__uint_as_float(x[0][i][q]));
#pragma unroll
			for (int j = 0; j < NF / 2; j++)
				if (!ROUNDED) y[0][j][q] = tf32(__uint_as_float(y[0][j][q]));
		}
		multiply_all<Tf32, MF, NF>(sum, x[0], y[0]);
	}
};
// Narrowed are float32, rounded to bf16: two words of a row make one. Which steps of k an instruction takes
// together does not matter, as long as they are the same of both operands.
struct Narrowed {
	typedef float Number;
	static const int WORDS = 2;
	template <int MF, int NF> __device__ __forceinline__ static void multiply(float *sum, unsigned (&x)[2][MF][4], unsigned (&y)[2][NF / 2][4]) {
		unsigned a[MF][4], b[NF / 2][4];
#pragma unroll
		for (int i = 0; i < MF; i++)
#pragma unroll
			for (int q = 0; q < 4; q++) a[i][q] = narrow(x[q >> 1][i][q & 1], x[q >> 1][i][(q & 1) + 2]);
#pragma unroll
		for (int j = 0; j < NF / 2; j++)
#pragma unroll
			for (int q = 0; q < 4; q++) b[j][q] = narrow(y[q & 1][j][q & 2], y[q & 1][j][(q & 2) + 1]);
		multiply_all<Bf16, MF, NF>(sum, a, b);
	}
	__device__ __forceinline__ static unsigned narrow(unsigned low, unsigned high) { return bf16_pair(__uint_as_float(low), __uint_as_float(high)); }
};

// staged_product multiplies what a and b copy, and puts pairs of neighbours along n by c.
template <class KIND, template <class, int> class WAYA, template <class, int> class WAYB, int BM, class A, class B, class C>
__device__ __forceinline__ void staged_product(uint4 *tiles, A &a, B &b, const C &c, const Slice &s, int m, int n, const Shares &shares) {
	typedef typename KIND::Number T;
	const int CHUNK = Last<T>::CHUNK, STEP = 4 * CHUNK, CHUNKS = BM * 4, MF = BM / 32, NF = BM / 32, WORDS = KIND::WORDS;
	typedef WAYA<T, BM> WayA;
	typedef WAYB<T, BM> WayB;
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
	int wm = (warp >> 2) * (BM / 2), wn = (warp & 3) * (BM / 4);
	float sum[MF * NF * 4];
#pragma unroll
	for (int i = 0; i < MF * NF * 4; i++) sum[i] = 0;
	for (int stage = 0; stage < STAGES - 1; stage++) {
		int at = s.k0 + stage * STEP;
		if (at < s.k1) {
			WayA::copy(tiles + 2 * stage * CHUNKS, a, at, s.k1);
			WayB::copy(tiles + (2 * stage + 1) * CHUNKS, b, at, s.k1);
		}
		end_group();
	}
	int stage = 0, next = STAGES - 1;
#pragma unroll 1
	for (int at = s.k0; at < s.k1; at += STEP) {
		await_groups<STAGES - 2>();
		__syncthreads(); // what this step reads is there, and what it overwrites has been read
		int ahead = at + (STAGES - 1) * STEP;
		if (ahead < s.k1) {
			WayA::copy(tiles + 2 * next * CHUNKS, a, ahead, s.k1);
			WayB::copy(tiles + (2 * next + 1) * CHUNKS, b, ahead, s.k1);
		}
		end_group();
		const uint4 *as = tiles + 2 * stage * CHUNKS, *bs = as + CHUNKS;
#pragma unroll
		for (int k = 0; k < STEP; k += 2 * WORDS * CHUNK) {
			unsigned x[WORDS][MF][4], y[WORDS][NF / 2][4];
#pragma unroll
			for (int w = 0; w < WORDS; w++) {
				WayA::template read<true, MF>(x[w], as, wm, k + 2 * w * CHUNK);
				WayB::template read<false, NF / 2>(y[w], bs, wn, k + 2 * w * CHUNK);
			}
			KIND::template multiply<MF, NF>(sum, x, y);
		}
		stage = stage + 1 == STAGES ? 0 : stage + 1;
		next = next + 1 == STAGES ? 0 : next + 1;
	}
	await_groups<0>();
	__syncthreads();
	if (!add_shares<BM, BM>(sum, s, shares, (bool *)tiles)) return;
#pragma unroll
	for (int i = 0; i < 2 * MF; i++) { // pieces of 8 rows
		int mm = s.m0 + wm + (WayA::IN_ORDER ? 8 * i + g : i / 2 * 16 + 2 * g + i % 2);
#pragma unroll
		for (int j = 0; j < NF; j++) {
			int at = (i / 2 * NF + j) * 4 + i % 2 * 2, nn = s.n0 + wn + 8 * j + 2 * t;
			if (mm < m && nn < n) c.put(s.group, mm, nn, sum[at], sum[at + 1]);
		}
	}
}
