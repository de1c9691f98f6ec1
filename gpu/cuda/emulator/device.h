// CUDA C for an ordinary C++ compiler: what the kernels in ../kernels see instead of nvcc's own headers. A launch
// runs its blocks on the processor's threads; the threads of a block are fibers, so barriers, shared memory and warp
// shuffles work, and loads and stores are checked against the allocations (see memory.h).
#pragma once
#include <cmath>
#include <cstdint>
#include <cstring>
#include <tuple>
#include <utility>

#include "kernel.h"

struct alignas(8) float2 { float x, y; };
struct alignas(16) float4 { float x, y, z, w; };
struct alignas(8) uint2 { unsigned x, y; };
struct alignas(16) uint4 { unsigned x, y, z, w; };
inline float4 make_float4(float x, float y, float z, float w) { return {x, y, z, w}; }
inline float2 make_float2(float x, float y) { return {x, y}; }
inline uint2 make_uint2(unsigned x, unsigned y) { return {x, y}; }
inline uint4 make_uint4(unsigned x, unsigned y, unsigned z, unsigned w) { return {x, y, z, w}; }

namespace emulator {

// barrier is __syncthreads.
void barrier();
// exchange gives every lane of a warp the bits that lane from (of the same warp) brought.
uint64_t exchange(uint64_t bits, int from);

// Fragments is what the lanes of a warp bring to a matrix instruction: each four words of a and two of b.
struct Fragments { unsigned a[4], b[2]; };
// bring gives every lane of a warp all lanes' fragments.
const Fragments *bring(const Fragments &mine);

// multiply is mma.sync: d += a·b, in pieces as tensor.cuh says; number takes a number out of a word, which has pack of them.
template <int pack, class F> inline void multiply(float (&d)[4], const unsigned (&a)[4], const unsigned (&b)[2], F number) {
	int lane = (int)(here.thread.x & 31), g = lane >> 2, t = lane & 3;
	const Fragments *all = bring({{a[0], a[1], a[2], a[3]}, {b[0], b[1]}});
	for (int i = 0; i < 4; i++) {
		int column = 2 * t + (i & 1);
		float sum = 0;
		for (int half = 0; half < 2; half++)
			for (int q = 0; q < 4; q++)
				for (int p = 0; p < pack; p++)
					sum += number(all[4 * g + q].a[(i >> 1) + 2 * half], p) * number(all[4 * column + q].b[half], p);
		d[i] += sum;
	}
}

// load_matrices is ldmatrix with four matrices of 8×8 numbers of two bytes: lane l names row l % 8 of matrix l / 8.
template <bool transposed> inline void load_matrices(unsigned (&r)[4], const void *row) {
	int lane = (int)(here.thread.x & 31);
	for (int i = 0; i < 4; i++) {
		int first = 8 * i + (transposed ? 2 * (lane & 3) : lane >> 2);
		auto *one = (const uint16_t *)exchange((uint64_t)(uintptr_t)row, first);
		auto *two = (const uint16_t *)exchange((uint64_t)(uintptr_t)row, first + transposed);
		r[i] = transposed ? one[lane >> 2] | (unsigned)two[lane >> 2] << 16 : one[2 * (lane & 3)] | (unsigned)one[2 * (lane & 3) + 1] << 16;
	}
}

// A CompiledKernel is an entry of the kernels, by name, with its parameters unpacked from kernelParams.
struct CompiledKernel : Kernel {
	bool fibers; // uses barriers or shuffles; else a block is a plain loop
	void (*call)(const CompiledKernel *, void **);
	void (*entry)();
	CompiledKernel *next;

	template <class... A> CompiledKernel(const char *name, int threads, bool fibers, void (*f)(A...))
		: Kernel{name, threads, sizeof...(A), {(unsigned)sizeof(A)...}}, fibers(fibers), entry((void (*)())f) {
		static_assert(sizeof...(A) <= max_params, "too many parameters");
		call = [](const CompiledKernel *k, void **p) { unpack<A...>((void (*)(A...))k->entry, p, std::index_sequence_for<A...>{}); };
		enlist(this);
	}

private:
	template <class... A, size_t... I> static void unpack(void (*f)(A...), void **p, std::index_sequence<I...>) { f(*(A *)p[I]...); }
	static void enlist(CompiledKernel *);
};

} // namespace emulator

#define threadIdx (emulator::here.thread)
#define blockIdx (emulator::here.block)
#define blockDim (emulator::here.block_dim)
#define gridDim (emulator::here.grid_dim)
#define __device__
#define __forceinline__ inline
#define __shared__ static thread_local
#define __align__(n) __attribute__((aligned(n)))

#define KERNEL(threads, name, ...) COMPILED_KERNEL(threads, false, name, __VA_ARGS__)
#define BLOCK_KERNEL(threads, name, ...) COMPILED_KERNEL(threads, true, name, __VA_ARGS__)
#define COMPILED_KERNEL(threads, fibers, name, ...) \
	static void name(Mark mark, __VA_ARGS__); \
	static emulator::CompiledKernel kernel_##name(#name, threads, fibers, name); \
	static void name(Mark mark, __VA_ARGS__)

inline void __syncthreads() { emulator::barrier(); }
inline void __syncwarp() { emulator::exchange(0, 0); }
inline void __threadfence() { __atomic_thread_fence(__ATOMIC_SEQ_CST); }

template <class T> inline T shuffle_bits(T v, int from) {
	uint64_t bits = 0;
	memcpy(&bits, &v, sizeof v);
	bits = emulator::exchange(bits, from);
	memcpy(&v, &bits, sizeof v);
	return v;
}
inline int lane_of_thread() { return (int)(threadIdx.x & 31); }
template <class T> inline T __shfl_sync(unsigned, T v, int lane) { return shuffle_bits(v, lane & 31); }
template <class T> inline T __shfl_xor_sync(unsigned, T v, int mask) { return shuffle_bits(v, lane_of_thread() ^ mask); }
template <class T> inline T __shfl_down_sync(unsigned, T v, int delta) {
	int lane = lane_of_thread() + delta;
	return shuffle_bits(v, lane > 31 ? lane_of_thread() : lane);
}

inline unsigned atomicAdd(unsigned *p, unsigned v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }
inline int atomicAdd(int *p, int v) { return __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); }

inline unsigned __float_as_uint(float f) { unsigned u; memcpy(&u, &f, 4); return u; }
inline float __uint_as_float(unsigned u) { float f; memcpy(&f, &u, 4); return f; }
inline int __float_as_int(float f) { int u; memcpy(&u, &f, 4); return u; }
inline float __int_as_float(int u) { float f; memcpy(&f, &u, 4); return f; }
inline float __fmul_rn(float a, float b) { return a * b; }
inline float __fadd_rn(float a, float b) { return a + b; }
inline float __fsub_rn(float a, float b) { return a - b; }
inline unsigned __umulhi(unsigned a, unsigned b) { return (unsigned)(((uint64_t)a * b) >> 32); }
inline float rsqrtf(float x) { return 1 / sqrtf(x); }
template <class T> inline T min(T a, T b) { return b < a ? b : a; }
template <class T> inline T max(T a, T b) { return a < b ? b : a; }
inline float max(float a, float b) { return fmaxf(a, b); }
inline float min(float a, float b) { return fminf(a, b); }
