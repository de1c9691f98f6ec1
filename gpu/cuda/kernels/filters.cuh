// Copies of forward weights in the layouts and the type in which convolutions with channels last read them.
#pragma once
#include "common.cuh"

// What the numbers of a copy are: as they were, rounded to TF32, or bf16.
enum { COPY_F32, COPY_TF32, COPY_BF16 };

// Four are the elements of 1024 that a thread of 256 does: first, first + step, ... up to the array's end.
struct Four {
	int first, step;
};

// FilterCopy is what products read of weights w[o][c][tap]: forward[o][tap][c], with c filled up to width, and, for the
// gradient of the inputs, by_input[group][c][tap][o]. What is pruned stays -0. Either may be null.
//
// Where there is one, 1024 elements, a piece, are 128 neighbours of each of eight outputs, and a thread does those of four
// outputs, which are neighbours in by_input. A group has a multiple of eight outputs.
struct FilterCopy {
	void *forward, *by_input;
	int kind, outputs, channels, taps, width, across; // outputs of a group, pieces of an output
	Divisor by_across, by_taps, by_outputs;

	__device__ __forceinline__ bool none() const { return !forward && !by_input; }

	// place finds the first output of this thread's four in a piece, and its element of each.
	__device__ __forceinline__ void place(int piece, int &o, int &l) const {
		unsigned row, column;
		by_across.divmod(piece, row, column);
		o = 8 * (int)row + 4 * ((int)threadIdx.x >> 7);
		l = 128 * (int)column + ((int)threadIdx.x & 127);
	}

	// four are the elements of a thread, of n.
	__device__ __forceinline__ Four four(int piece, int n) const {
		Four f = {piece * PER_BLOCK + (int)threadIdx.x, 256};
		if (none()) return f;
		int o, l, length = channels * taps;
		place(piece, o, l);
		long long first = (long long)o * length + l;
		f.first = l < length && first < n ? (int)first : n;
		f.step = length;
		return f;
	}

	// number is one of a copy.
	__device__ __forceinline__ unsigned number(float v) const {
		unsigned u = __float_as_uint(v);
		bool nan = (u & 0x7FFFFFFFu) > 0x7F800000u;
		if (kind == COPY_BF16) return nan ? 0x7FFFu : (u + 0x7FFFu + (u >> 16 & 1)) >> 16;
		if (kind == COPY_TF32) return nan ? 0x7FFFFFFFu : (u + 0x1000u) & ~0x1FFFu;
		return u;
	}

	// write makes the copies of this thread's four elements, of n, as the thread left them in memory.
	__device__ __forceinline__ void write(const float *w, int piece, int n) const {
		Four f = four(piece, n);
		if (none() || f.first >= n) return;
		int o, l;
		place(piece, o, l);
		unsigned c, tap, group, place_of, v[4];
		by_taps.divmod(l, c, tap);
		by_outputs.divmod(o, group, place_of);
#pragma unroll
		for (int e = 0; e < 4; e++) v[e] = number(w[f.first + e * f.step]);
		long long at = ((long long)o * taps + tap) * width + c, step = (long long)taps * width;
		long long in = (((long long)group * channels + c) * taps + tap) * outputs + place_of;
		if (kind == COPY_BF16) {
#pragma unroll
			for (int e = 0; e < 4; e++)
				if (forward) ((unsigned short *)forward)[at + e * step] = (unsigned short)v[e];
			if (by_input) *(uint2 *)((unsigned short *)by_input + in) = make_uint2(v[0] | v[1] << 16, v[2] | v[3] << 16);
			return;
		}
#pragma unroll
		for (int e = 0; e < 4; e++)
			if (forward) ((unsigned *)forward)[at + e * step] = v[e];
		if (by_input) *(uint4 *)((unsigned *)by_input + in) = make_uint4(v[0], v[1], v[2], v[3]);
	}
};
