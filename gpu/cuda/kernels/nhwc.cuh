// Convolutions of activations that are stored with channels last, as bf16: x[n][h][w][c], filters w[o][kh][kw][c]. Groups
// are pieces of the channels, each a multiple of eight: so eight channels, 16 bytes, are what is copied, and never part of
// two taps.
//
// A product of BM×BN in steps of 32 along k, by eight warps as in tensor.cuh. Its operands come into shared memory by
// asynchronous copies, STAGES steps deep: while one step is multiplied the next two are under way, and no register holds
// them in between. ldmatrix takes them from there. Chunks of 16 bytes lie in an order in which neither meets a bank twice:
// chunk c of a row is at c ^ (row / 2 % 4) where a row is a step of k (four chunks), and at c ^ (k % 8) where it is BM or
// BN wide.
//
// Floor: m·n·k multiplications and additions; moves (BM + BN)·k/2 numbers of four bytes a tile.
#pragma once
#include "tensor.cuh"

#define STAGES 3
#define NHWC_STEP 32 // of k
#define CHUNK 8      // numbers of 16 bytes

// copy_chunk starts to copy 16 bytes to shared memory, or fills them with zeros.
__device__ __forceinline__ void copy_chunk(uint4 *to, const unsigned short *from, bool inside) {
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

// What a convolution with channels last is told. c and o are those of a group; a filter has c channels, of which the
// caller's weights have real_c: the images of a first layer are filled up with zeros.
struct NhwcGeometry {
	int n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, out_h, out_w, real_c;
	Divisor by_places, by_out_w, by_plane, by_w, by_kw, by_sh, by_sw, by_c8, by_o8;
};
struct NhwcArgs {
	const unsigned short *x, *w;
	unsigned short *y; // of the gradient of weights: float, dw
	const float *bias; // or null
	int rectify;
	float slope;
	Shares shares;
	NhwcGeometry g;
};

// An operand's rows are spread over the threads: thread t copies chunk t % 4 of rows t / 4, t / 4 + 64, ... in each step.
// at(i, k, inside) is where the chunk of row i lies that begins with element k.

// Windows has the pixels of the output, and of each its window: k = (kh, kw, c).
template <int ROWS> struct Windows {
	const unsigned short *first[ROWS]; // of the window, perhaps in the padding
	unsigned rows[ROWS], columns[ROWS]; // which kh and kw are not in the padding, a bit each
	const NhwcGeometry &g;
	int delta, kh, kw;
	__device__ __forceinline__ Windows(const NhwcGeometry &g, const unsigned short *x, int group, int from, int count, int step) : g(g) {
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int p = from + i * step;
			unsigned image, place, oh, ow;
			g.by_places.divmod(min(p, count - 1), image, place);
			g.by_out_w.divmod(place, oh, ow);
			int h = (int)oh * g.sh - g.ph, w = (int)ow * g.sw - g.pw;
			first[i] = x + (((long long)image * g.h + h) * g.w + w) * (g.c * g.groups) + group * g.c;
			rows[i] = columns[i] = 0;
			for (int k = 0; k < g.kh; k++) rows[i] |= (unsigned)((unsigned)(h + k * g.dh) < (unsigned)g.h) << k;
			for (int k = 0; k < g.kw; k++) columns[i] |= (unsigned)((unsigned)(w + k * g.dw) < (unsigned)g.w) << k;
			if (p >= count) rows[i] = 0;
		}
	}
	__device__ __forceinline__ void to(int k) {
		unsigned tap, c, h, w;
		g.by_c8.divmod(k / CHUNK, tap, c);
		g.by_kw.divmod(tap, h, w);
		kh = (int)h;
		kw = (int)w;
		delta = (kh * g.dh * g.w + kw * g.dw) * (g.c * g.groups) + (int)c * CHUNK;
	}
	__device__ __forceinline__ const unsigned short *at(int i, bool &inside) const {
		inside = inside && (rows[i] >> kh & columns[i] >> kw & 1);
		return first[i] + delta;
	}
};

// Reached has the pixels of the input, and of each the outputs whose windows it is in: k = (kh, kw, o), of dy.
template <int ROWS> struct Reached {
	const unsigned short *image[ROWS];
	int h[ROWS], w[ROWS];               // with the padding
	unsigned rows[ROWS], columns[ROWS]; // which kh and kw there is an output for
	const NhwcGeometry &g;
	int kh, kw, o;
	__device__ __forceinline__ Reached(const NhwcGeometry &g, const unsigned short *dy, int group, int from, int count, int step) : g(g) {
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int p = from + i * step;
			unsigned n, place, row, column;
			g.by_plane.divmod(min(p, count - 1), n, place);
			g.by_w.divmod(place, row, column);
			h[i] = (int)row + g.ph;
			w[i] = (int)column + g.pw;
			image[i] = dy + (long long)n * (g.out_h * g.out_w) * (g.o * g.groups) + group * g.o;
			rows[i] = columns[i] = 0;
			for (int k = 0; k < g.kh; k++) rows[i] |= (unsigned)whole(h[i] - k * g.dh, g.by_sh, g.out_h) << k;
			for (int k = 0; k < g.kw; k++) columns[i] |= (unsigned)whole(w[i] - k * g.dw, g.by_sw, g.out_w) << k;
			if (p >= count) rows[i] = 0;
		}
	}
	__device__ __forceinline__ static bool whole(int at, const Divisor &by, int count) {
		if (at < 0) return false;
		unsigned q, r;
		by.divmod(at, q, r);
		return r == 0 && (int)q < count;
	}
	__device__ __forceinline__ void to(int k) {
		unsigned tap, c, a, b;
		g.by_o8.divmod(k / CHUNK, tap, c);
		g.by_kw.divmod(tap, a, b);
		kh = (int)a;
		kw = (int)b;
		o = (int)c * CHUNK;
	}
	__device__ __forceinline__ const unsigned short *at(int i, bool &inside) const {
		inside = inside && (rows[i] >> kh & columns[i] >> kw & 1);
		int oh = (int)g.by_sh.div(max(h[i] - kh * g.dh, 0)), ow = (int)g.by_sw.div(max(w[i] - kw * g.dw, 0));
		return image[i] + (oh * g.out_w + ow) * (g.o * g.groups) + o;
	}
};

// Filters has rows of length numbers that lie one behind the other.
template <int ROWS> struct Filters {
	const unsigned short *row[ROWS];
	unsigned inside_rows;
	int k;
	__device__ __forceinline__ Filters(const unsigned short *w, int length, int group, int from, int count, int step) {
		inside_rows = 0;
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int r = from + i * step;
			row[i] = w + ((long long)group * count + min(r, count - 1)) * length;
			inside_rows |= (unsigned)(r < count) << i;
		}
	}
	__device__ __forceinline__ void to(int k) { this->k = k; }
	__device__ __forceinline__ const unsigned short *at(int i, bool &inside) const {
		inside = inside && (inside_rows >> i & 1);
		return row[i] + k;
	}
};

// The gradient of weights sums over the pixels of the output: k is a pixel, and its operands have a pixel's channels in a
// row. Thread t copies chunk t % (BX/8) of pixels t / (BX/8), ... in each step.

// OutputRows is dy: the outputs from column on.
struct OutputRows {
	const unsigned short *first;
	const NhwcGeometry &g;
	bool any;
	__device__ __forceinline__ OutputRows(const NhwcGeometry &g, const unsigned short *dy, int group, int column) : g(g) {
		any = column < g.o;
		first = dy + group * g.o + (any ? column : 0);
	}
	__device__ __forceinline__ const unsigned short *at(int p, bool &inside) const {
		inside = inside && any;
		return first + (long long)(inside ? p : 0) * (g.o * g.groups);
	}
};

// TapRows is x, shifted by a tap: column is (kh, kw, c).
struct TapRows {
	const unsigned short *x;
	const NhwcGeometry &g;
	int h, w; // of the tap, without the padding
	bool any;
	__device__ __forceinline__ TapRows(const NhwcGeometry &g, const unsigned short *x, int group, int column) : g(g) {
		any = column < g.kh * g.kw * g.c;
		unsigned tap, c, a, b;
		g.by_c8.divmod(any ? column / CHUNK : 0, tap, c);
		g.by_kw.divmod(tap, a, b);
		h = (int)a * g.dh - g.ph;
		w = (int)b * g.dw - g.pw;
		this->x = x + group * g.c + (int)c * CHUNK;
	}
	__device__ __forceinline__ const unsigned short *at(int p, bool &inside) const {
		unsigned image, place, oh, ow;
		g.by_places.divmod(p, image, place);
		g.by_out_w.divmod(place, oh, ow);
		int row = (int)oh * g.sh + h, column = (int)ow * g.sw + w;
		inside = inside && any && (unsigned)row < (unsigned)g.h && (unsigned)column < (unsigned)g.w;
		return x + (inside ? (((long long)image * g.h + row) * g.w + column) * (g.c * g.groups) : 0);
	}
};

// Along and Across are how a tile is copied and read: with k in a row's chunks, or with a row for each k.
template <int BX> struct Along {
	static const int ROWS = BX / 64, CHUNKS = NHWC_STEP / CHUNK;
	__device__ __forceinline__ static int chunk() { return (int)threadIdx.x % CHUNKS; }
	__device__ __forceinline__ static int row() { return (int)threadIdx.x / CHUNKS; }
	template <class X> __device__ __forceinline__ static void copy(uint4 *tile, X &x, int from, int to) {
		int k = from + chunk() * CHUNK;
		x.to(min(k, to - CHUNK));
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int r = row() + 64 * i;
			bool inside = k < to;
			const unsigned short *p = x.at(i, inside);
			copy_chunk(tile + r * CHUNKS + (chunk() ^ (r >> 1 & 3)), p, inside);
		}
	}
	// Fragments of A are matrices (rows, k), (rows + 8, k), (rows, k + 8), (rows + 8, k + 8); of B (k is the other way round)
	// (rows, k), (rows, k + 8), (rows + 8, k), (rows + 8, k + 8).
	template <bool A> __device__ __forceinline__ static void read(unsigned (&r)[4], const uint4 *tile, int row, int k) {
		int lane = threadIdx.x & 31, up = lane >> 3 & 1, far = lane >> 4;
		int at = row + (lane & 7) + 8 * (A ? up : far), c = k / CHUNK + (A ? far : up);
		load_matrices<false>(r, tile + at * CHUNKS + (c ^ (at >> 1 & 3)));
	}
};
template <int BX> struct Across {
	static const int ROWS = BX / 64, CHUNKS = BX / CHUNK, STEP = 256 / CHUNKS;
	__device__ __forceinline__ static int chunk() { return (int)threadIdx.x % CHUNKS; }
	template <class X> __device__ __forceinline__ static void copy(uint4 *tile, X &x, int from, int to) {
#pragma unroll
		for (int i = 0; i < ROWS; i++) {
			int k = (int)threadIdx.x / CHUNKS + STEP * i;
			bool inside = from + k < to;
			const unsigned short *p = x.at(from + k, inside);
			copy_chunk(tile + k * CHUNKS + (chunk() ^ (k & 7)), p, inside);
		}
	}
	template <bool A> __device__ __forceinline__ static void read(unsigned (&r)[4], const uint4 *tile, int row, int k) {
		int lane = threadIdx.x & 31, up = lane >> 3 & 1, far = lane >> 4;
		int at = k + (lane & 7) + 8 * (A ? far : up), c = row / CHUNK + (A ? up : far);
		load_matrices<true>(r, tile + at * CHUNKS + (c ^ (at & 7)));
	}
};

// nhwc_product multiplies what a and b copy, and puts pairs of neighbours along n by c.
template <template <int> class WAY, int BM, class A, class B, class C>
__device__ __forceinline__ void nhwc_product(uint4 *tiles, A &a, B &b, const C &c, const Slice &s, int m, int n, const Shares &shares) {
	const int CHUNKS = BM * NHWC_STEP / CHUNK, MF = BM / 32, NF = BM / 32;
	typedef WAY<BM> Way;
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, g = lane >> 2, t = lane & 3;
	int wm = (warp >> 2) * (BM / 2), wn = (warp & 3) * (BM / 4);
	float sum[MF * NF * 4];
#pragma unroll
	for (int i = 0; i < MF * NF * 4; i++) sum[i] = 0;
	for (int stage = 0; stage < STAGES - 1; stage++) {
		int at = s.k0 + stage * NHWC_STEP;
		if (at < s.k1) {
			Way::copy(tiles + 2 * stage * CHUNKS, a, at, s.k1);
			Way::copy(tiles + (2 * stage + 1) * CHUNKS, b, at, s.k1);
		}
		end_group();
	}
	int stage = 0, next = STAGES - 1;
#pragma unroll 1
	for (int at = s.k0; at < s.k1; at += NHWC_STEP) {
		await_groups<STAGES - 2>();
		__syncthreads(); // what this step reads is there, and what it overwrites has been read
		int ahead = at + (STAGES - 1) * NHWC_STEP;
		if (ahead < s.k1) {
			Way::copy(tiles + 2 * next * CHUNKS, a, ahead, s.k1);
			Way::copy(tiles + (2 * next + 1) * CHUNKS, b, ahead, s.k1);
		}
		end_group();
		const uint4 *as = tiles + 2 * stage * CHUNKS, *bs = as + CHUNKS;
#pragma unroll
		for (int k = 0; k < NHWC_STEP; k += 16) {
			unsigned x[MF][4], y[NF / 2][4];
#pragma unroll
			for (int i = 0; i < MF; i++) Way::template read<true>(x[i], as, wm + 16 * i, k);
#pragma unroll
			for (int j = 0; j < NF / 2; j++) Way::template read<false>(y[j], bs, wn + 16 * j, k);
#pragma unroll
			for (int i = 0; i < MF; i++)
#pragma unroll
				for (int j = 0; j < NF; j++) {
					unsigned of[2] = {y[j / 2][2 * (j & 1)], y[j / 2][2 * (j & 1) + 1]};
					Bf16::multiply(*(float(*)[4])(sum + (i * NF + j) * 4), x[i], of);
				}
		}
		stage = stage + 1 == STAGES ? 0 : stage + 1;
		next = next + 1 == STAGES ? 0 : next + 1;
	}
	await_groups<0>();
	__syncthreads();
	if (!add_shares<BM, BM>(sum, s, shares, (bool *)tiles)) return;
#pragma unroll
	for (int i = 0; i < MF * NF * 4; i += 2) {
		int piece = i / 4, mm = s.m0 + wm + 16 * (piece / NF) + g + (i >> 1 & 1) * 8, nn = s.n0 + wn + 8 * (piece % NF) + 2 * t;
		if (mm < m && nn < n) c.put(s.group, mm, nn, sum[i], sum[i + 1]);
	}
}

// Pixels is an array of pixels with channels last, of bf16.
struct Pixels {
	unsigned short *y;
	int channels, groups; // of a group
	const float *bias;
	int rectify;
	float slope;
	__device__ __forceinline__ float of(float v, int c) const {
		if (bias) v += bias[c];
		return rectify ? rectified(v, slope) : v;
	}
	__device__ __forceinline__ void put(int group, int p, int c, float low, float high) const {
		int at = group * channels + c;
		*(unsigned *)(y + (long long)p * (channels * groups) + at) = bf16_pair(of(low, at), of(high, at + 1));
	}
};

// TapGradients adds to dw[o][c][kh][kw], the float32 gradients of weights in Caffe's order; n is (kh, kw, c).
struct TapGradients {
	const NhwcGeometry &g;
	float *dw;
	__device__ __forceinline__ void put(int group, int o, int n, float low, float high) const {
		unsigned tap, c8;
		g.by_c8.divmod(n / CHUNK, tap, c8);
		int c = (int)c8 * CHUNK + n % CHUNK, taps = g.kh * g.kw;
		float *p = dw + ((long long)(group * g.o + o) * g.real_c + c) * taps + tap;
		if (c < g.real_c) p[0] += low;
		if (c + 1 < g.real_c) p[taps] += high;
	}
};
