// Softmax, losses and accuracy, over channels: gpu.Classify. An example is one (outer, inner); its channels lie inner apart.
#include "common.cuh"

struct Scores {
	int outer, channels, inner;
	Divisor by_inner, by_channels;
	__device__ __forceinline__ int examples() const { return outer * inner; }
	// first returns where the channels of an example begin.
	__device__ __forceinline__ int first(int example) const {
		unsigned o, i;
		by_inner.divmod(example, o, i);
		return (int)o * channels * inner + (int)i;
	}
};

// Label is what a label says: its class, or that it counts for nothing, or that it is no class.
enum { COUNTS, IGNORED, NO_CLASS };
struct Ignore {
	int on, label;
};
// truncated is v without its fraction; -1 for NaN, whose conversion differs between processors.
__device__ __forceinline__ int truncated(float v) { return v == v ? (int)v : -1; }
// is_ignored: NaN is no label that could be named, so it is never ignored.
__device__ __forceinline__ bool is_ignored(float v, const Ignore &ignore) { return ignore.on && v == v && (int)v == ignore.label; }
__device__ __forceinline__ int class_of(float v, int channels, const Ignore &ignore, int &c) {
	c = truncated(v);
	if (is_ignored(v, ignore)) return IGNORED;
	return c >= 0 && c < channels && (float)c == v ? COUNTS : NO_CLASS;
}

// y = exp(x - max x)/Σ exp(x - max x). Moves 2n. softmax_columns: a thread an example, for inner > 1.
KERNEL(256, softmax_columns, const float *x, float *y, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int at = s.first(e);
	float top = x[at], t = 0;
	for (int c = 1; c < s.channels; c++) top = fmaxf(top, x[at + c * s.inner]);
	for (int c = 0; c < s.channels; c++) {
		float v = expf(x[at + c * s.inner] - top);
		y[at + c * s.inner] = v;
		t += v;
	}
	for (int c = 0; c < s.channels; c++) y[at + c * s.inner] /= t;
}

// softmax_row makes the softmax of one row by one warp; every lane returns with the sum and the maximum.
__device__ __forceinline__ void softmax_row(const float *x, float *y, int channels) {
	int lane = threadIdx.x & 31;
	float top = -3.402823466e+38f, t = 0;
	bool bad = false;
	for (int c = lane; c < channels; c += 32) {
		float v = x[c];
		bad = bad || v != v;
		top = fmaxf(top, v);
	}
	top = warp_max(top);
	for (int c = lane; c < channels; c += 32) t += expf(x[c] - top);
	t = warp_sum(bad ? not_a_number() : t);
	for (int c = lane; c < channels; c += 32) y[c] = expf(x[c] - top) / t;
}

// softmax_rows: a warp an example, for inner = 1. Blocks of eight examples.
BLOCK_KERNEL(256, softmax_rows, const float *x, float *y, Scores s) {
	START;
	int e = (int)(blockIdx.x * 8 + (threadIdx.x >> 5));
	if (e >= s.outer) return;
	softmax_row(x + (long long)e * s.channels, y + (long long)e * s.channels, s.channels);
}

// dx = y∘(dy - Σ_c dy∘y). Moves 3n.
KERNEL(256, softmax_backward_columns, const float *y, const float *dy, float *dx, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int at = s.first(e);
	float t = 0;
	for (int c = 0; c < s.channels; c++) t += dy[at + c * s.inner] * y[at + c * s.inner];
	for (int c = 0; c < s.channels; c++) {
		int i = at + c * s.inner;
		dx[i] = y[i] * (dy[i] - t);
	}
}

BLOCK_KERNEL(256, softmax_backward_rows, const float *y, const float *dy, float *dx, Scores s) {
	START;
	int e = (int)(blockIdx.x * 8 + (threadIdx.x >> 5)), lane = threadIdx.x & 31;
	if (e >= s.outer) return;
	long long at = (long long)e * s.channels;
	float t = 0;
	for (int c = lane; c < s.channels; c += 32) t += dy[at + c] * y[at + c];
	t = warp_sum(t);
	for (int c = lane; c < s.channels; c += 32) dx[at + c] = y[at + c] * (dy[at + c] - t);
}

// Losses are sums over examples: blocks of 256 threads that stride through them, at most 1024 blocks.
#define EXAMPLES(e, n) for (int e = (int)(blockIdx.x * 256 + threadIdx.x); e < (n); e += (int)gridDim.x * 256)

// total is Σ loss/z, with z = norm, or the number of examples that count, at least 1, where norm is 0.
__device__ __forceinline__ void write_loss(const double *v, float norm, float at_least, float *stat) {
	float z = norm == 0 ? (float)fmax(v[1], 1.0) : fmaxf(norm, at_least);
	stat[0] = v[2] > 0 ? not_a_number() : (float)(v[0] / z);
	stat[1] = z;
}

// stat[0] = Σ -log(max(prob[label], FLT_MIN))/z, stat[1] = z. Moves two numbers an example.
BLOCK_KERNEL(256, softmax_loss, const float *prob, const float *label, float norm, float *stat, double *partial, unsigned *counter, Ignore ignore, Scores s) {
	START;
	double v[3] = {0, 0, 0};
	EXAMPLES(e, s.examples()) {
		int c, what = class_of(label[e], s.channels, ignore, c);
		if (what == COUNTS) {
			float p = prob[s.first(e) + c * s.inner];
			v[0] -= (double)logf(p < 1.17549435e-38f ? 1.17549435e-38f : p);
			v[1] += 1;
		} else if (what == NO_CLASS) v[2] += 1;
	}
	if (grid_sums(v, partial, counter)) write_loss(v, norm, 0.0f, stat);
}

// softmax_rows and softmax_loss in one, for inner = 1. Blocks of eight examples. Moves 2n.
BLOCK_KERNEL(256, softmax_with_loss, const float *x, float *prob, const float *label, float norm, float *stat, double *partial, unsigned *counter, Ignore ignore, Scores s) {
	START;
	int e = (int)(blockIdx.x * 8 + (threadIdx.x >> 5)), lane = threadIdx.x & 31;
	double v[3] = {0, 0, 0};
	if (e < s.outer) {
		float *row = prob + (long long)e * s.channels;
		softmax_row(x + (long long)e * s.channels, row, s.channels);
		int c, what = class_of(label[e], s.channels, ignore, c);
		if (what == COUNTS && lane == (c & 31)) { // the lane that wrote this probability
			float p = row[c];
			v[0] = -(double)logf(p < 1.17549435e-38f ? 1.17549435e-38f : p);
			v[1] = 1;
		} else if (what == NO_CLASS && lane == 0) v[2] = 1;
	}
	if (grid_sums(v, partial, counter)) write_loss(v, norm, 0.0f, stat);
}

// dx = weight/stat[1] · (prob - onehot(label)), 0 where the label is ignored. Moves 2n.
KERNEL(256, softmax_loss_backward, const float *prob, const float *label, float weight, const float *stat, float *dx, Ignore ignore, Scores s) {
	START;
	float f = weight / stat[1];
	EACH(i, s.outer * s.channels * s.inner) {
		unsigned q, r, o, ch;
		s.by_inner.divmod(i, q, r);
		s.by_channels.divmod(q, o, ch);
		int c, what = class_of(label[o * s.inner + r], s.channels, ignore, c);
		dx[i] = what == IGNORED ? 0.0f : f * (prob[i] - (what == COUNTS && c == (int)ch ? 1.0f : 0.0f));
	}
}

// stat[0] = Σ (log(1 + exp(x)) - x·t)/z, stat[1] = z, over the elements whose target is not ignored. Moves 2n.
BLOCK_KERNEL(256, sigmoid_loss, int n, const float *x, const float *target, float norm, float *stat, double *partial, unsigned *counter, Ignore ignore) {
	START;
	double v[3] = {0, 0, 0};
	EXAMPLES(i, n) {
		float t = target[i], u = x[i];
		if (is_ignored(t, ignore)) continue;
		v[0] += (double)(fmaxf(u, 0.0f) - u * t) + (double)log1pf(expf(-fabsf(u)));
		v[1] += 1;
		if (u != u) v[2] += 1;
	}
	if (grid_sums(v, partial, counter)) write_loss(v, norm, 0.0f, stat);
}

// dx = weight/stat[1] · (sigmoid(x) - t), 0 where the target is ignored. Moves 3n.
KERNEL(256, sigmoid_loss_backward, int n, const float *x, const float *target, float weight, const float *stat, float *dx, Ignore ignore) {
	START;
	float f = weight / stat[1];
	EACH(i, n) {
		float t = target[i];
		dx[i] = is_ignored(t, ignore) ? 0.0f : f * (1.0f / (1.0f + expf(-x[i])) - t);
	}
}

// out = Σ m/outer, or Σ m²/outer, m = max(0, 1 - d·x), d = 1 for the label's score and -1 for the others. Moves n.
BLOCK_KERNEL(256, hinge_loss, const float *x, const float *label, int squared, float *out, double *partial, unsigned *counter, Scores s) {
	START;
	double v[2] = {0, 0};
	EXAMPLES(e, s.examples()) {
		int c, what = class_of(label[e], s.channels, {0, 0}, c), at = s.first(e);
		if (what != COUNTS) v[1] += 1;
		for (int k = 0; k < s.channels; k++) {
			float u = x[at + k * s.inner], m = fmaxf(0.0f, k == c ? 1 - u : 1 + u);
			v[0] += squared ? (double)m * m : (double)m;
		}
	}
	if (grid_sums(v, partial, counter)) *out = v[1] > 0 ? not_a_number() : (float)(v[0] / s.outer);
}

// dx = weight/outer · (-d) · (m > 0), or · 2m. Moves 2n. A thread an example.
KERNEL(256, hinge_loss_backward, const float *x, const float *label, int squared, float weight, float *dx, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int c, at = s.first(e);
	class_of(label[e], s.channels, {0, 0}, c);
	float f = weight / (float)s.outer;
	for (int k = 0; k < s.channels; k++) {
		int i = at + k * s.inner;
		float d = k == c ? 1.0f : -1.0f, m = fmaxf(0.0f, 1 - d * x[i]);
		dx[i] = squared ? -d * f * 2 * m : m > 0 ? -d * f : 0.0f;
	}
}

#define LOG_FLOOR 1e-20f // gpu.LogFloor
__device__ __forceinline__ float log_of(float q) { return logf(q < LOG_FLOOR ? LOG_FLOOR : q); }

// out = Σ -log(max(prob[label], LOG_FLOOR))/outer. Moves two numbers an example; inner is 1.
BLOCK_KERNEL(256, log_loss, const float *prob, const float *label, float *out, double *partial, unsigned *counter, Scores s) {
	START;
	double v[2] = {0, 0};
	EXAMPLES(e, s.outer) {
		int c;
		if (class_of(label[e], s.channels, {0, 0}, c) == COUNTS) v[0] -= (double)log_of(prob[e * s.channels + c]);
		else v[1] += 1;
	}
	if (grid_sums(v, partial, counter)) *out = v[1] > 0 ? not_a_number() : (float)(v[0] / s.outer);
}

// dx = -weight/outer/max(prob, LOG_FLOOR) at the label, else 0. Moves n.
KERNEL(256, log_loss_backward, const float *prob, const float *label, float weight, float *dx, Scores s) {
	START;
	EACH(i, s.outer * s.channels) {
		unsigned o, k;
		s.by_channels.divmod(i, o, k);
		int c;
		bool hit = class_of(label[o], s.channels, {0, 0}, c) == COUNTS && c == (int)k;
		dx[i] = hit ? -weight / (float)s.outer / fmaxf(prob[i], LOG_FLOOR) : 0.0f;
	}
}

// stat[0] = Σ -Σ_c h[label,c]·log(max(prob[c], LOG_FLOOR))/z, stat[1] = z. Moves n.
BLOCK_KERNEL(256, infogain_loss, const float *prob, const float *label, const float *gain, float norm, float *stat, double *partial, unsigned *counter, Ignore ignore, Scores s) {
	START;
	double v[3] = {0, 0, 0};
	EXAMPLES(e, s.examples()) {
		int k, what = class_of(label[e], s.channels, ignore, k);
		if (what == NO_CLASS) v[2] += 1;
		if (what != COUNTS) continue;
		v[1] += 1;
		int at = s.first(e);
		for (int c = 0; c < s.channels; c++) {
			float g = gain[k * s.channels + c];
			if (g != 0) v[0] -= (double)g * (double)log_of(prob[at + c * s.inner]);
		}
	}
	if (grid_sums(v, partial, counter)) write_loss(v, norm, 1.0f, stat);
}

// dx[c] = weight/stat[1] · (prob[c]·Σ_k h[label,k] - h[label,c]), 0 where the label is ignored. Moves 2n. A thread an example.
KERNEL(256, infogain_loss_backward, const float *prob, const float *label, const float *gain, float weight, const float *stat, float *dx, Ignore ignore, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int k, what = class_of(label[e], s.channels, ignore, k), at = s.first(e);
	float f = weight / stat[1], t = 0;
	if (what == COUNTS)
		for (int c = 0; c < s.channels; c++) t += gain[k * s.channels + c];
	for (int c = 0; c < s.channels; c++) {
		int i = at + c * s.inner;
		dx[i] = what == COUNTS ? f * (prob[i] * t - gain[k * s.channels + c]) : 0.0f;
	}
}

__device__ __forceinline__ float distance2(const float *a, const float *b, int n) {
	float t = 0;
	for (int i = 0; i < n; i++) t += (a[i] - b[i]) * (a[i] - b[i]);
	return t;
}

// out = Σ l/(2·outer), gpu.Classify.ContrastiveLoss. Moves 2n. A thread a pair.
BLOCK_KERNEL(256, contrastive_loss, int rows, int width, const float *a, const float *b, const float *similar, float margin, int legacy, float *out, double *partial,
	unsigned *counter) {
	START;
	double v[1] = {0};
	EXAMPLES(e, rows) {
		float t = distance2(a + (long long)e * width, b + (long long)e * width, width);
		if (truncated(similar[e]) == 0) {
			if (legacy) t = fmaxf(margin - t, 0.0f);
			else {
				t = fmaxf(margin - sqrtf(t), 0.0f);
				t *= t;
			}
		}
		v[0] += t;
	}
	if (grid_sums(v, partial, counter)) *out = (float)(v[0] / rows / 2);
}

// Its gradient. Moves 3n. A thread a pair.
KERNEL(256, contrastive_loss_backward, int rows, int width, const float *a, const float *b, const float *similar, float margin, int legacy, float factor, float *dx) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= rows) return;
	long long at = (long long)e * width;
	float f = factor;
	if (truncated(similar[e]) == 0) {
		float t = distance2(a + at, b + at, width);
		if (legacy) f = -factor;
		else {
			t = sqrtf(t);
			f = -factor * (margin - t) / (t + 1e-4f);
		}
		if (margin - t <= 0) f = 0;
	}
	for (int i = 0; i < width; i++) dx[at + i] = f * (a[at + i] - b[at + i]);
}

// Row e of index and of value: places and values of the k largest channels, largest first, the later of equals first. Either may
// be null. Moves k·n. A thread an example.
KERNEL(256, arg_max, int k, const float *x, float *index, float *value, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int at = s.first(e), last = s.channels;
	float bound = __uint_as_float(0x7F800000u);
	for (int r = 0; r < k; r++) {
		int best = -1;
		float top = 0;
		for (int c = 0; c < s.channels; c++) {
			float v = x[at + c * s.inner];
			if (v > bound || (v == bound && c >= last)) continue; // taken before
			if (best < 0 || v >= top) {
				best = c;
				top = v;
			}
		}
		if (best < 0) { // NaN
			best = r;
			top = x[at + r * s.inner];
		} else {
			bound = top;
			last = best;
		}
		if (index) index[e * k + r] = (float)best;
		if (value) value[e * k + r] = top;
	}
}

// counts[0] = labels, [1] = hits among the top k, [2] = labels that are no class; then labels and hits of each class.
// counts is 0 before. Another score equal to the label's counts as larger. Moves n. A thread an example.
KERNEL(256, count_hits, const float *x, const float *label, int top_k, unsigned *counts, int per_class, Ignore ignore, Scores s) {
	START;
	int e = (int)(blockIdx.x * 256 + threadIdx.x);
	if (e >= s.examples()) return;
	int c, what = class_of(label[e], s.channels, ignore, c), at = s.first(e), larger = 0;
	if (what == IGNORED) return;
	if (what == NO_CLASS) {
		atomicAdd(counts + 2, 1u);
		return;
	}
	float mine = x[at + c * s.inner];
	for (int k = 0; k < s.channels; k++) larger += x[at + k * s.inner] >= mine; // itself too
	bool hit = mine == mine && larger <= top_k;
	atomicAdd(counts, 1u);
	if (hit) atomicAdd(counts + 1, 1u);
	if (per_class) {
		atomicAdd(counts + 3 + 2 * c, 1u);
		if (hit) atomicAdd(counts + 4 + 2 * c, 1u);
	}
}

// Turns the counts into shares. One thread a class, and one.
KERNEL(256, accuracy, const unsigned *counts, int classes, float *out, float *per_class) {
	START;
	int i = (int)(blockIdx.x * 256 + threadIdx.x);
	if (i == 0) out[0] = counts[2] ? not_a_number() : counts[0] ? (float)counts[1] / (float)counts[0] : 0.0f;
	if (per_class && i < classes) per_class[i] = counts[3 + 2 * i] ? (float)counts[4 + 2 * i] / (float)counts[3 + 2 * i] : 0.0f;
}
