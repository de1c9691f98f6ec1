// What all kernels share.
//
// Bytes: a comment's "moves" counts what a kernel must read and write at least, in numbers of four bytes; divided by the
// bandwidth of the memory it is the least time that the kernel can take.
#pragma once

#ifndef __CUDACC__
#include "../emulator/device.h"
#endif

// Mark is where a kernel says that it has begun: a word in the host's memory, which can be read when the device has failed.
struct Mark {
	volatile unsigned *at;
	unsigned long long id;
};

#ifdef __CUDACC__
// KERNEL declares a kernel of at most so many threads a block. BLOCK_KERNEL is one whose threads use barriers or shuffles.
#define KERNEL(threads, name, ...) extern "C" __global__ void __launch_bounds__(threads) name(Mark mark, __VA_ARGS__)
#define BLOCK_KERNEL KERNEL
#endif

// START is the first statement of every kernel.
#define START \
	if (threadIdx.x == 0 && blockIdx.x == 0 && blockIdx.y == 0 && blockIdx.z == 0) *mark.at = (unsigned)mark.id

// Elementwise kernels: blocks of 256 threads that each do 1024 elements, four a thread, so that a warp's loads are
// one piece of memory wherever a tensor starts. Launched as (n+1023)/1024 blocks.
#define PER_BLOCK 1024
#define EACH(i, n) for (int i = (int)(blockIdx.x * PER_BLOCK + threadIdx.x), i##_end = min((int)(n), (int)(blockIdx.x * PER_BLOCK + PER_BLOCK)); i < i##_end; i += 256)

#define PRUNED 0x80000000u // the bits of a pruned entry of forward weights: -0 (gpu.Pruned)

__device__ __forceinline__ bool is_pruned(float m) { return __float_as_uint(m) == PRUNED; }
__device__ __forceinline__ float kept(float w) { return w + 0.0f; } // a zero loses its sign
__device__ __forceinline__ float not_a_number() { return __uint_as_float(0x7FC00000u); }
__device__ __forceinline__ float rectified(float v, float slope) { return v > 0 ? v : slope == 0 ? (v == v ? 0.0f : v) : slope * v; }
__device__ __forceinline__ bool finite(float v) { return (__float_as_uint(v) & 0x7F800000u) != 0x7F800000u; }

// Divisor divides by a number that is the same in a whole launch: q = (n·m >> 32 + n) >> s for 0 <= n < 2^31 (Granlund and
// Montgomery, PLDI 1994). The host computes m and s.
struct Divisor {
	unsigned d, m, s;
	__device__ __forceinline__ unsigned div(unsigned n) const { return (__umulhi(n, m) + n) >> s; }
	__device__ __forceinline__ void divmod(unsigned n, unsigned &q, unsigned &r) const {
		q = div(n);
		r = n - q * d;
	}
};

// Sums of a block, in a fixed order. Every thread of the block calls them, and thread 0 has the sum.
__device__ __forceinline__ double warp_sum(double v) {
	for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xFFFFFFFFu, v, d);
	return v;
}
__device__ __forceinline__ float warp_sum(float v) {
	for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xFFFFFFFFu, v, d);
	return v;
}
__device__ __forceinline__ float warp_max(float v) {
	for (int d = 16; d > 0; d >>= 1) v = fmaxf(v, __shfl_xor_sync(0xFFFFFFFFu, v, d));
	return v;
}

template <int K> __device__ __forceinline__ void block_sums(double (&v)[K]) {
	__shared__ double warps[K][32];
	int lane = threadIdx.x & 31, warp = threadIdx.x >> 5, n = (blockDim.x + 31) >> 5;
	for (int k = 0; k < K; k++) {
		double s = warp_sum(v[k]);
		if (lane == 0) warps[k][warp] = s;
	}
	__syncthreads();
	if (warp == 0)
		for (int k = 0; k < K; k++) v[k] = warp_sum(lane < n ? warps[k][lane] : 0.0);
	__syncthreads();
}

// last_block reports, to every thread, whether this block is the last of count to come here. What the blocks before it
// wrote to memory is then visible. counter is 0 before, and after.
// last is in shared memory.
__device__ __forceinline__ bool last_block(unsigned *counter, unsigned count, bool *last) {
	__threadfence();
	__syncthreads();
	if (threadIdx.x == 0) {
		*last = atomicAdd(counter, 1u) == count - 1;
		if (*last) *counter = 0;
	}
	__syncthreads();
	if (*last) __threadfence();
	return *last;
}
__device__ __forceinline__ bool last_block(unsigned *counter, unsigned count) {
	__shared__ bool last;
	return last_block(counter, count, &last);
}

// grid_sums leaves in thread 0 of the last block the sums of v over all threads of all blocks of a one-dimensional grid,
// in an order that depends on the launch alone, and returns true there. partial has K numbers a block.
template <int K> __device__ __forceinline__ bool grid_sums(double (&v)[K], double *partial, unsigned *counter) {
	block_sums(v);
	if (threadIdx.x == 0)
		for (int k = 0; k < K; k++) partial[blockIdx.x * K + k] = v[k];
	if (!last_block(counter, gridDim.x)) return false;
	for (int k = 0; k < K; k++) {
		v[k] = 0;
		for (unsigned b = threadIdx.x; b < gridDim.x; b += blockDim.x) v[k] += partial[b * K + k];
	}
	block_sums(v);
	return threadIdx.x == 0;
}

// Key is gpu.Key: what names a sequence of random numbers.
struct Key {
	unsigned seed_low, seed_high, stream, iter_low, iter_high;
};

// philox is gpu.Key.Block: Philox4x32-10 (Salmon et al., SC 2011).
__device__ __forceinline__ uint4 philox(const Key &key, unsigned n) {
	unsigned c0 = n, c1 = key.stream, c2 = key.iter_low, c3 = key.iter_high, k0 = key.seed_low, k1 = key.seed_high;
	for (int round = 0; round < 10; round++) {
		unsigned h0 = __umulhi(c0, 0xD2511F53u), l0 = c0 * 0xD2511F53u, h1 = __umulhi(c2, 0xCD9E8D57u), l1 = c2 * 0xCD9E8D57u;
		c0 = h1 ^ c1 ^ k0;
		c1 = l1;
		c2 = h0 ^ c3 ^ k1;
		c3 = l0;
		k0 += 0x9E3779B9u;
		k1 += 0xBB67AE85u;
	}
	return make_uint4(c0, c1, c2, c3);
}
__device__ __forceinline__ float unit_float(unsigned u) { return (float)(u >> 8) * (1.0f / 16777216.0f); }
__device__ __forceinline__ float uniform(const Key &key, unsigned n) {
	uint4 b = philox(key, n >> 2);
	unsigned w = n & 3;
	return unit_float(w == 0 ? b.x : w == 1 ? b.y : w == 2 ? b.z : b.w);
}
