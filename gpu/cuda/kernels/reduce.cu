// What travels between ranks in bf16: gpu.AllReduce where the group's wire format is collective.BFloat16. A word has two
// numbers, the first in its lower half. Each rank packs what it has, a rank sums its piece of all, and all unpack the sums.
#include "common.cuh"

// rounded is the upper half of a number, rounded to nearest, ties to even; NaN stays NaN.
__device__ __forceinline__ unsigned rounded(float v) {
	unsigned u = __float_as_uint(v);
	if ((u & 0x7FFFFFFFu) > 0x7F800000u) return u >> 16 | 0x40u;
	return (u + 0x7FFFu + (u >> 16 & 1u)) >> 16;
}
__device__ __forceinline__ float lower(unsigned word) { return __uint_as_float(word << 16); }
__device__ __forceinline__ float upper(unsigned word) { return __uint_as_float(word & 0xFFFF0000u); }

// The words of x, n numbers; 0 for what is behind them. Moves n + words.
KERNEL(256, pack_bf16, int n, int words, const float *x, unsigned *y) {
	START;
	EACH(i, words) {
		int at = 2 * i;
		unsigned low = at < n ? rounded(x[at]) : 0u, high = at + 1 < n ? rounded(x[at + 1]) : 0u;
		y[i] = low | high << 16;
	}
}

// y = the sums over parts, each of words words, in their order; in float32, rounded once. Moves (parts + 1)·words.
KERNEL(256, sum_bf16, int words, int parts, const unsigned *x, unsigned *y) {
	START;
	EACH(i, words) {
		float low = lower(x[i]), high = upper(x[i]);
		for (int p = 1; p < parts; p++) {
			unsigned word = x[(long long)p * words + i];
			low += lower(word);
			high += upper(word);
		}
		y[i] = rounded(low) | rounded(high) << 16;
	}
}

// y = the n numbers in words. Moves n + n/2.
KERNEL(256, unpack_bf16, int n, const unsigned *x, float *y) {
	START;
	EACH(i, n) y[i] = i & 1 ? upper(x[i >> 1]) : lower(x[i >> 1]);
}
