// What a convolution's three matrix products read and write: columns are read from the image where they are needed. Groups
// are blockIdx.z (over the shares of k).
#pragma once
#include "product.cuh"

// Geometry is gpu.ConvGeometry; c and o are those of a group.
struct Geometry {
	int n, c, h, w, o, kh, kw, sh, sw, ph, pw, dh, dw, groups, out_h, out_w;
	Divisor by_places, by_out_w, by_taps, by_kw, by_plane, by_w, by_sh, by_sw;
};

// Weights is the weights of a group, o × (c·kh·kw), a row an output channel.
struct Weights {
	typedef const float *Row;
	typedef int Tap;
	static const bool k_together = true;
	const float *w;
	int rows, length;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		return i < n ? w + ((long long)group * rows + i) * length : (Row)0;
	}
	__device__ __forceinline__ Tap tap(int k) const { return k; }
	__device__ __forceinline__ float at(Row r, Tap t) const { return r ? r[t] : 0.0f; }
};

// Spot is an element of a plane, relative to a row's: at from its memory, and its row and column, which the padding may cut off.
struct Spot {
	int at, h, w;
};

// Columns has the window of each place of the output: (c·kh·kw) × (n·places). A tap is an element of the window.
struct Columns {
	struct Row {
		const float *image; // of the group; null outside
		int at, h, w;       // where the window begins, perhaps in the padding
	};
	typedef Spot Tap;
	static const bool k_together = false;
	const Geometry &g;
	const float *x;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		Row r = {(const float *)0, 0, 0, 0};
		if (i >= n) return r;
		unsigned image, p, oh, ow;
		g.by_places.divmod(i, image, p);
		g.by_out_w.divmod(p, oh, ow);
		r.image = x + ((long long)image * g.groups + group) * g.c * g.h * g.w;
		r.h = (int)oh * g.sh - g.ph;
		r.w = (int)ow * g.sw - g.pw;
		r.at = r.h * g.w + r.w;
		return r;
	}
	__device__ __forceinline__ Tap tap(int k) const {
		unsigned c, t, kh, kw;
		g.by_taps.divmod(k, c, t);
		g.by_kw.divmod(t, kh, kw);
		Tap v = {0, (int)kh * g.dh, (int)kw * g.dw};
		v.at = ((int)c * g.h + v.h) * g.w + v.w;
		return v;
	}
	__device__ __forceinline__ float at(const Row &r, const Tap &t) const {
		if (!r.image || (unsigned)(r.h + t.h) >= (unsigned)g.h || (unsigned)(r.w + t.w) >= (unsigned)g.w) return 0.0f;
		return r.image[r.at + t.at];
	}
};

// Outputs is y[n, o, place] as a matrix o × (n·places).
struct Outputs {
	const Geometry &g;
	float *y;
	Epilogue e;
	__device__ __forceinline__ void put(int group, int m, int n, float v) const {
		unsigned image, place;
		g.by_places.divmod(n, image, place);
		int o = group * g.o + m;
		float *p = y + ((long long)image * g.groups * g.o + o) * (g.out_h * g.out_w) + place;
		*p = e.of(v, o, 0, p);
	}
};

struct ConvArgs {
	const float *x, *w;
	float *y;
	Epilogue e;
	Shares shares;
	Geometry g;
};

// WeightsByInput is the weights of a group as c × (o·kh·kw).
struct WeightsByInput {
	struct Row {
		const float *w;
	};
	static const bool k_together = true;
	const Geometry &g;
	const float *w;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		Row r = {i < n ? w + ((long long)group * g.o * g.c + i) * (g.kh * g.kw) : (const float *)0};
		return r;
	}
	typedef int Tap;
	__device__ __forceinline__ Tap tap(int k) const {
		unsigned o, t;
		g.by_taps.divmod(k, o, t);
		return (int)o * g.c * (g.kh * g.kw) + (int)t;
	}
	__device__ __forceinline__ float at(const Row &r, Tap t) const { return r.w ? r.w[t] : 0.0f; }
};

// Gradients has, for each element of the input, the outputs that it reaches: (o·kh·kw) × (n·h·w).
struct Gradients {
	struct Row {
		const float *image; // of dy, of the group; null outside
		int h, w;           // with the padding
	};
	static const bool k_together = false;
	const Geometry &g;
	const float *dy;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		Row r = {(const float *)0, 0, 0};
		if (i >= n) return r;
		unsigned image, p, h, w;
		g.by_plane.divmod(i, image, p);
		g.by_w.divmod(p, h, w);
		r.image = dy + ((long long)image * g.groups + group) * g.o * (g.out_h * g.out_w);
		r.h = (int)h + g.ph;
		r.w = (int)w + g.pw;
		return r;
	}
	typedef Spot Tap;
	__device__ __forceinline__ Tap tap(int k) const {
		unsigned o, t, kh, kw;
		g.by_taps.divmod(k, o, t);
		g.by_kw.divmod(t, kh, kw);
		Tap v = {(int)o * (g.out_h * g.out_w), (int)kh * g.dh, (int)kw * g.dw};
		return v;
	}
	__device__ __forceinline__ float at(const Row &r, const Tap &t) const {
		int h = r.h - t.h, w = r.w - t.w;
		unsigned oh, ow, rest_h, rest_w;
		if (!r.image || h < 0 || w < 0) return 0.0f;
		g.by_sh.divmod(h, oh, rest_h);
		g.by_sw.divmod(w, ow, rest_w);
		if (rest_h || rest_w || (int)oh >= g.out_h || (int)ow >= g.out_w) return 0.0f;
		return r.image[t.at + (int)oh * g.out_w + (int)ow];
	}
};

struct Inputs {
	const Geometry &g;
	float *dx;
	__device__ __forceinline__ void put(int group, int m, int n, float v) const {
		unsigned image, p;
		g.by_plane.divmod(n, image, p);
		dx[(((long long)image * g.groups + group) * g.c + m) * (g.h * g.w) + p] = v;
	}
};

// OutputGradients is dy as o × (n·places).
struct OutputGradients {
	struct Row {
		const float *channel; // in the first image; null outside
	};
	static const bool k_together = true;
	const Geometry &g;
	const float *dy;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		Row r = {i < n ? dy + ((long long)group * g.o + i) * (g.out_h * g.out_w) : (const float *)0};
		return r;
	}
	typedef int Tap;
	__device__ __forceinline__ Tap tap(int k) const {
		unsigned image, p;
		g.by_places.divmod(k, image, p);
		return (int)image * g.groups * g.o * (g.out_h * g.out_w) + (int)p;
	}
	__device__ __forceinline__ float at(const Row &r, Tap t) const { return r.channel ? r.channel[t] : 0.0f; }
};

// ColumnsByTap is the columns, transposed: a row a tap (c, kh, kw), a column a place.
struct ColumnsByTap {
	struct Row {
		const float *plane; // in the first image; null outside
		int at, h, w;
	};
	static const bool k_together = true;
	const Geometry &g;
	const float *x;
	__device__ __forceinline__ Row row(int group, int i, int n) const {
		Row r = {(const float *)0, 0, 0, 0};
		if (i >= n) return r;
		unsigned c, t, kh, kw;
		g.by_taps.divmod(i, c, t);
		g.by_kw.divmod(t, kh, kw);
		r.plane = x + ((long long)group * g.c + c) * (g.h * g.w);
		r.h = (int)kh * g.dh - g.ph;
		r.w = (int)kw * g.dw - g.pw;
		r.at = r.h * g.w + r.w;
		return r;
	}
	typedef Spot Tap;
	__device__ __forceinline__ Tap tap(int k) const {
		unsigned image, p, oh, ow;
		g.by_places.divmod(k, image, p);
		g.by_out_w.divmod(p, oh, ow);
		Tap v = {0, (int)oh * g.sh, (int)ow * g.sw};
		v.at = (int)image * g.groups * g.c * (g.h * g.w) + v.h * g.w + v.w;
		return v;
	}
	__device__ __forceinline__ float at(const Row &r, const Tap &t) const {
		if (!r.plane || (unsigned)(r.h + t.h) >= (unsigned)g.h || (unsigned)(r.w + t.w) >= (unsigned)g.w) return 0.0f;
		return r.plane[r.at + t.at];
	}
};

struct WeightGradients {
	const Geometry &g;
	float *dw;
	int length;
	__device__ __forceinline__ void put(int group, int m, int n, float v) const { dw[((long long)group * g.o + m) * length + n] += v; }
};
