// Windows of a pooling and the power of LRN: what spatial.cu and nhwc_passes.cu share.
#pragma once
#include "common.cuh"

// Pool is gpu.PoolGeometry.
struct Pool {
	int planes, h, w, kh, kw, sh, sw, ph, pw, out_h, out_w;
	Divisor by_w, by_h, by_out_w, by_out_h;
};

// Window is what an output sees of its plane; size counts the padding, but not what lies beyond it.
struct Window {
	int h0, h1, w0, w1, size;
};
__device__ __forceinline__ Window window_of(const Pool &g, int oh, int ow) {
	Window v;
	v.h0 = oh * g.sh - g.ph;
	v.w0 = ow * g.sw - g.pw;
	v.h1 = min(v.h0 + g.kh, g.h + g.ph);
	v.w1 = min(v.w0 + g.kw, g.w + g.pw);
	v.size = max(1, (v.h1 - v.h0) * (v.w1 - v.w0));
	v.h1 = min(v.h1, g.h);
	v.w1 = min(v.w1, g.w);
	v.h0 = max(v.h0, 0);
	v.w0 = max(v.w0, 0);
	return v;
}

// first_window and last_window bound the outputs whose windows may hold a row (or column).
__device__ __forceinline__ int first_window(int at, int pad, int kernel, int stride) {
	int d = at + pad - kernel + 1;
	return d <= 0 ? 0 : (d + stride - 1) / stride;
}
__device__ __forceinline__ int last_window(int at, int pad, int stride, int out) { return min((at + pad) / stride, out - 1); }

// power_of_scale is s^-beta; by square roots for the exponent that nets have.
__device__ __forceinline__ float power_of_scale(float s, float beta) {
	if (beta == 0.75f) {
		float r = sqrtf(s);
		return 1.0f / (r * sqrtf(r));
	}
	return powf(s, -beta);
}
