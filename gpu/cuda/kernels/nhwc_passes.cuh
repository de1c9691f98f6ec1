// What the passes over activations with channels last have in common (nhwc_passes.cu).
#pragma once
#include "channel.cuh"
#include "nhwc.cuh"
#include "spatial.cuh"

#define PIECE 8 // channels, which a thread does

// EIGHT goes over the channels of a piece. Unrolled, so that arrays of them are registers.
#define EIGHT(j) _Pragma("unroll") for (int j = 0; j < PIECE; j++)

// load and store move piece number i of an array of bf16 or of float32; of the latter, also pieces of four.
__device__ __forceinline__ void unpack(const uint4 &u, float (&v)[8]) {
	unsigned w[4] = {u.x, u.y, u.z, u.w};
#pragma unroll
	for (int i = 0; i < 4; i++) {
		v[2 * i] = __uint_as_float(w[i] << 16);
		v[2 * i + 1] = __uint_as_float(w[i] & 0xFFFF0000u);
	}
}
__device__ __forceinline__ uint4 pack(const float (&v)[8]) {
	return make_uint4(bf16_pair(v[0], v[1]), bf16_pair(v[2], v[3]), bf16_pair(v[4], v[5]), bf16_pair(v[6], v[7]));
}
__device__ __forceinline__ void load(const unsigned short *x, int i, float (&v)[8]) { unpack(((const uint4 *)x)[i], v); }
__device__ __forceinline__ void load(const float *x, int i, float (&v)[8]) {
	float4 a = ((const float4 *)x)[2 * i], b = ((const float4 *)x)[2 * i + 1];
	v[0] = a.x, v[1] = a.y, v[2] = a.z, v[3] = a.w;
	v[4] = b.x, v[5] = b.y, v[6] = b.z, v[7] = b.w;
}
__device__ __forceinline__ void store(unsigned short *y, int i, const float (&v)[8]) { ((uint4 *)y)[i] = pack(v); }
__device__ __forceinline__ void store(float *y, int i, const float (&v)[4]) { ((float4 *)y)[i] = make_float4(v[0], v[1], v[2], v[3]); }
__device__ __forceinline__ void store(float *y, int i, const float (&v)[8]) {
	((float4 *)y)[2 * i] = make_float4(v[0], v[1], v[2], v[3]);
	((float4 *)y)[2 * i + 1] = make_float4(v[4], v[5], v[6], v[7]);
}

// as_stored makes v what an array has of it.
__device__ __forceinline__ void as_stored(const unsigned short *, float (&v)[8]) { unpack(pack(v), v); }
__device__ __forceinline__ void as_stored(const float *, float (&)[8]) {}

// number_at is one number.
__device__ __forceinline__ float number_at(const unsigned short *x, long long i) { return __uint_as_float((unsigned)x[i] << 16); }
__device__ __forceinline__ float number_at(const float *x, long long i) { return x[i]; }

// lowest is the least number: the maximum of no numbers.
__device__ __forceinline__ float lowest(const unsigned short *) { return -3.389531390e+38f; }
__device__ __forceinline__ float lowest(const float *) { return -3.402823466e+38f; }

// pair_at is two, from an even place on.
__device__ __forceinline__ float2 pair_at(const unsigned short *x, long long i) {
	unsigned u = *(const unsigned *)(x + i);
	return make_float2(__uint_as_float(u << 16), __uint_as_float(u & 0xFFFF0000u));
}
__device__ __forceinline__ float2 pair_at(const float *x, long long i) { return *(const float2 *)(x + i); }

// FilterShape is that of weights: of all groups o filters of c channels, which are filled up to width, and taps.
struct FilterShape {
	int groups, o, c, width, taps;
	Divisor by_taps, by_c;
};

// Columns are the channels of an array with channels last: rows pixels of channels numbers. A block does width pieces of
// channels, a power of two of at most 32, and 256/width rows at a time.
struct Columns8 {
	int rows, channels, width;
	Divisor by_pieces;
};

// sum_columns leaves in a thread for each channel of the last block of these channels the sums of f over the rows:
// f(piece, sums) adds what a piece brings to sums[k][j]. It returns the channel there, and -1 elsewhere. Numbers are added
// as float32 over 16 rows of a thread, then as float64. Grid (pieces, slices of the rows).
template <int K, class F> __device__ __forceinline__ int sum_columns(const Columns8 &s, double (&v)[K], double *partial, unsigned *counters, F f) {
	__shared__ double sums[PIECE][256 + 2]; // lanes that read it, two pieces of eight channels, meet all banks
	int pieces = s.channels / PIECE, piece = (int)blockIdx.x * s.width + (int)threadIdx.x % s.width, lane = (int)threadIdx.x / s.width, lanes = 256 / s.width;
	int slices = (int)gridDim.y, slice = (s.rows + slices - 1) / slices, from = (int)blockIdx.y * slice, to = min(s.rows, from + slice);
	double mine[K][PIECE];
#pragma unroll
	for (int k = 0; k < K; k++)
		EIGHT(j) mine[k][j] = 0;
	if (piece < pieces)
		for (int row = from + lane; row < to; row += 16 * lanes) {
			float few[K][PIECE];
#pragma unroll
			for (int k = 0; k < K; k++)
				EIGHT(j) few[k][j] = 0;
			for (int r = row; r < min(to, row + 16 * lanes); r += lanes) f(r * pieces + piece, few);
#pragma unroll
			for (int k = 0; k < K; k++)
				EIGHT(j) mine[k][j] += few[k][j];
		}
	// The first width·8 threads add up a channel each.
	int channel = (int)blockIdx.x * s.width * PIECE + (int)threadIdx.x;
	bool adds = (int)threadIdx.x < s.width * PIECE && channel < s.channels;
#pragma unroll
	for (int k = 0; k < K; k++) {
		__syncthreads();
		EIGHT(j) sums[j][threadIdx.x] = mine[k][j];
		__syncthreads();
		v[k] = 0;
		if (adds)
			for (int l = 0; l < lanes; l++) v[k] += sums[threadIdx.x % PIECE][l * s.width + threadIdx.x / PIECE];
	}
	if (slices == 1) return adds ? channel : -1;
	if (adds)
#pragma unroll
		for (int k = 0; k < K; k++) partial[((long long)blockIdx.y * K + k) * s.channels + channel] = v[k];
	if (!last_block(counters + blockIdx.x, slices) || !adds) return -1;
#pragma unroll
	for (int k = 0; k < K; k++) {
		v[k] = 0;
		for (int b = 0; b < slices; b++) v[k] += partial[((long long)b * K + k) * s.channels + channel];
	}
	return channel;
}

// Pooling: of the geometry planes counts images here.
struct NhwcPool {
	Pool g;
	int channels;
	Divisor by_pieces;
};
// Spots are an image, row, column and piece of the output (or, with by_w and by_h, of the input).
struct Spots {
	unsigned image, row, column, piece;
};
__device__ __forceinline__ Spots spot_of(int i, const Divisor &by_pieces, const Divisor &by_w, const Divisor &by_h) {
	Spots s;
	unsigned pixel, q;
	by_pieces.divmod(i, pixel, s.piece);
	by_w.divmod(pixel, q, s.column);
	by_h.divmod(q, s.image, s.row);
	return s;
}

// LRN across channels. NhwcLRN is gpu.LRNGeometry; n counts pieces.
struct NhwcLRN {
	int n, channels, size;
	float alpha, beta, k;
	Divisor by_pieces;
};

// Depthwise convolutions, of which each channel has a filter of its own: w[kh][kw][c].
struct Depthwise {
	int n, channels, h, w, kh, kw, sh, sw, ph, pw, dh, dw, out_h, out_w;
	Divisor by_pieces, by_w, by_h, by_out_w, by_out_h, by_sh, by_sw, by_kw;
};
