// Convolutions of activations that are stored with channels last: x[n][h][w][c], filters w[o][kh][kw][c]. Groups are pieces of
// the channels, each a multiple of a chunk's: so chunks are what is copied, and never part of two taps.
#pragma once
#include "staged.cuh"

// What a convolution with channels last is told. c and o are those of a group; a filter has c channels, of which the
// caller's weights have real_c: the images of a first layer are filled up with zeros.
struct NhwcGeometry {
	int n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, out_h, out_w, real_c;
	Divisor by_places, by_out_w, by_plane, by_w, by_kw, by_sh, by_sw, by_c_chunks, by_o_chunks;
};
struct NhwcArgs {
	const void *x, *w;
	void *y; // of the gradient of weights: float, dw
	const float *bias; // or null
	int rectify;
	float slope;
	Shares shares;
	NhwcGeometry g;
};

// Windows has the pixels of the output, and of each its window: k = (kh, kw, c).
template <class T, int ROWS> struct Windows {
	static const int CHUNK = Last<T>::CHUNK;
	const T *first[ROWS]; // of the window, perhaps in the padding
	unsigned rows[ROWS], columns[ROWS]; // which kh and kw are not in the padding, a bit each
	const NhwcGeometry &g;
	int delta, kh, kw;
	__device__ __forceinline__ Windows(const NhwcGeometry &g, const T *x, int group, int from, int count, int step) : g(g) {
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
		g.by_c_chunks.divmod(k / CHUNK, tap, c);
		g.by_kw.divmod(tap, h, w);
		kh = (int)h;
		kw = (int)w;
		delta = (kh * g.dh * g.w + kw * g.dw) * (g.c * g.groups) + (int)c * CHUNK;
	}
	__device__ __forceinline__ const T *at(int i, bool &inside) const {
		inside = inside && (rows[i] >> kh & columns[i] >> kw & 1);
		return first[i] + delta;
	}
};

// Reached has the pixels of the input, and of each the outputs whose windows it is in: k = (kh, kw, o), of dy.
template <class T, int ROWS> struct Reached {
	static const int CHUNK = Last<T>::CHUNK;
	const T *image[ROWS];
	int h[ROWS], w[ROWS];               // with the padding
	unsigned rows[ROWS], columns[ROWS]; // which kh and kw there is an output for
	const NhwcGeometry &g;
	int kh, kw, o;
	__device__ __forceinline__ Reached(const NhwcGeometry &g, const T *dy, int group, int from, int count, int step) : g(g) {
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
		g.by_o_chunks.divmod(k / CHUNK, tap, c);
		g.by_kw.divmod(tap, a, b);
		kh = (int)a;
		kw = (int)b;
		o = (int)c * CHUNK;
	}
	__device__ __forceinline__ const T *at(int i, bool &inside) const {
		inside = inside && (rows[i] >> kh & columns[i] >> kw & 1);
		int oh = (int)g.by_sh.div(max(h[i] - kh * g.dh, 0)), ow = (int)g.by_sw.div(max(w[i] - kw * g.dw, 0));
		return image[i] + (oh * g.out_w + ow) * (g.o * g.groups) + o;
	}
};

// The gradient of weights sums over the pixels of the output: k is a pixel, and its operands have a pixel's channels in a
// row.

// TapRows is x, shifted by a tap: column is (kh, kw, c).
template <class T> struct TapRows {
	static const int CHUNK = Last<T>::CHUNK;
	const T *x;
	const NhwcGeometry &g;
	int h, w; // of the tap, without the padding
	bool any;
	__device__ __forceinline__ TapRows(const NhwcGeometry &g, const T *x, int group, int column) : g(g) {
		any = column < g.kh * g.kw * g.c;
		unsigned tap, c, a, b;
		g.by_c_chunks.divmod(any ? column / CHUNK : 0, tap, c);
		g.by_kw.divmod(tap, a, b);
		h = (int)a * g.dh - g.ph;
		w = (int)b * g.dw - g.pw;
		this->x = x + group * g.c + (int)c * CHUNK;
	}
	__device__ __forceinline__ const T *at(int p, bool &inside) const {
		unsigned image, place, oh, ow;
		g.by_places.divmod(p, image, place);
		g.by_out_w.divmod(place, oh, ow);
		int row = (int)oh * g.sh + h, column = (int)ow * g.sw + w;
		inside = inside && any && (unsigned)row < (unsigned)g.h && (unsigned)column < (unsigned)g.w;
		return x + (long long)(((int)image * g.h + row) * g.w + column) * (g.c * g.groups);
	}
};

// Pixels is an array of pixels with channels last.
template <class T> struct Pixels {
	T *y;
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
		Last<T>::put_pair(y + (long long)p * (channels * groups) + at, of(low, at), of(high, at + 1));
	}
};

// TapGradients adds to dw[o][c][kh][kw], the float32 gradients of weights in Caffe's order; n is (kh, kw, c).
template <class T> struct TapGradients {
	static const int CHUNK = Last<T>::CHUNK;
	const NhwcGeometry &g;
	float *dw;
	__device__ __forceinline__ void put(int group, int o, int n, float low, float high) const {
		unsigned tap, chunk;
		g.by_c_chunks.divmod(n / CHUNK, tap, chunk);
		int c = (int)chunk * CHUNK + n % CHUNK, taps = g.kh * g.kw;
		float *p = dw + ((long long)(group * g.o + o) * g.real_c + c) * taps + tap;
		if (c < g.real_c) p[0] += low;
		if (c + 1 < g.real_c) p[taps] += high;
	}
};
