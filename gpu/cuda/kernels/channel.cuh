// BatchNorm's arithmetic: what channel.cu and nhwc_passes.cu share.
#pragma once
#include "common.cuh"

// weight_factor is f of gpu.Channelwise.Normalize.
__device__ __forceinline__ float weight_factor(const float *weight) {
	if (!weight) return 1.0f;
	return *weight != 0 ? 1.0f / *weight : 0.0f;
}
__device__ __forceinline__ float reciprocal_std(float variance, float eps) { return 1.0f / sqrtf(variance + eps); }

// After is gpu.After: what BatchNorm does to what it normalised. a and b may be null.
struct After {
	const float *a, *b;
	int rectify;
	float slope;
	__device__ __forceinline__ float factor(int c) const { return a ? a[c] : 1.0f; }
	__device__ __forceinline__ float scaled(float norm, int c) const { return a ? a[c] * norm + (b ? b[c] : 0.0f) : norm; }
	__device__ __forceinline__ float of(float norm, int c) const {
		float v = scaled(norm, c);
		return rectify ? rectified(v, slope) : v;
	}
	// back is the gradient before the ReLU. What it let through is worked out again, so y need not be read.
	__device__ __forceinline__ float back(float dy, float norm, int c) const { return rectify && !(scaled(norm, c) > 0) ? slope * dy : dy; }
};
