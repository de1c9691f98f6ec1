// The two kernels that this program is about: gpu.Train. All parameters of a net in one launch of update, all layers that are
// operated on in at most two launches: surgery_measure and surgery_redraw.
#include "filters.cuh"

// The methods, as gpu.Method numbers them.
enum { SGD, NESTEROV, ADAGRAD, RMSPROP, ADADELTA, ADAM };

// cube_root is gpu's cbrt, in its roundings.
__device__ __forceinline__ float cube_root(float x) {
	if (x == 0) return 0;
	float t = __uint_as_float(__float_as_uint(x) / 3 + 0x2a5137a0u);
	for (int k = 0; k < 2; k++) {
		float cube = __fmul_rn(__fmul_rn(t, t), t);
		t = __fmul_rn(t, __fadd_rn(cube, __fmul_rn(2.0f, x))) / __fadd_rn(__fmul_rn(2.0f, cube), x);
	}
	return t;
}

// Soft is gpu.Soft: what the forward weights of kept entries are.
struct Soft {
	float cut, exponent, root; // an exponent p of 0 is infinity; root is 1/p

	// forward is the forward weight of a kept entry. A whole array takes the same way through it.
	__device__ __forceinline__ float forward(float w) const {
		if (cut <= 0 || exponent <= 0) return kept(w);
		float a = fabsf(w);
		if (a <= cut) return 0;
		return kept(copysignf(magnitude(a), w)); // it may be too small for a float32
	}

	// magnitude is (a^p - c^p)^(1/p) of an a > c. For p = 1, 2, 3 it has the bits that the host gives it. For other p, from 1 to
	// 100, it is within 1e-5 of itself (5e-7, by the functions of the GNU C library): 1 - (c/a)^p is -expm1(p·log(1 - (a-c)/a)),
	// which loses no digits where a is near c.
	__device__ __forceinline__ float magnitude(float a) const {
		float c = cut, over = a - c;
		if (exponent == 1) return over;
		if (exponent == 2) return sqrtf(__fmul_rn(over, a + c));
		if (exponent == 3) return cube_root(__fmul_rn(over, __fadd_rn(__fadd_rn(__fmul_rn(a, a), __fmul_rn(a, c)), __fmul_rn(c, c))));
		return a * powf(-expm1f(exponent * log1pf(-over / a)), root);
	}
};

// What changes while a run goes on is read from device memory, so that a recorded launch stays right: gpu.UpdateParams.
struct UpdateParams {
	float rate, momentum, delta, decay2, correction, decay, scale, pruned_scale;
	Soft soft;
	int flags; // L1, KEEP_STEP, REST
};

enum { L1 = 1, KEEP_STEP = 2, REST = 4 };

// UpdateSegment is one parameter: n elements, from block first on.
struct UpdateSegment {
	float *w, *grad, *h, *h2, *masked;
	FilterCopy copy; // of masked, or where there is none of w
	int n, first;
};

// segment_of finds the segment that this block works on: the last that begins at or before it.
template <class S> __device__ __forceinline__ int segment_of(const S *segments, int count) {
	int low = 0, high = count - 1;
	while (low < high) {
		int mid = (low + high + 1) >> 1;
		if (segments[mid].first <= (int)blockIdx.x) low = mid;
		else high = mid - 1;
	}
	return low;
}

__device__ __forceinline__ float step_of(int method, const UpdateParams &u, float g, float &h, float *h2) {
	float m = u.momentum;
	switch (method) {
	case SGD: return h = u.rate * g + m * h;
	case NESTEROV: {
		float before = h;
		h = u.rate * g + m * before;
		return (1 + m) * h - m * before;
	}
	case ADAGRAD:
		h += g * g;
		return u.rate * g / (sqrtf(h) + u.delta);
	case RMSPROP:
		h = u.decay2 * h + (1 - u.decay2) * g * g;
		return u.rate * g / (sqrtf(h) + u.delta);
	case ADADELTA: {
		h = m * h + (1 - m) * g * g;
		float d = g * sqrtf((*h2 + u.delta) / (h + u.delta));
		*h2 = m * *h2 + (1 - m) * d * d;
		return u.rate * d;
	}
	default:
		h = m * h + (1 - m) * g;
		*h2 = u.decay2 * *h2 + (1 - u.decay2) * g * g;
		return u.rate * u.correction * h / (sqrtf(*h2) + u.delta);
	}
}

// One step of the solver for all parameters:
//
//	g = scale·grad + decay·w           (decay·sign(w) under L1; pruned_scale·grad where w was pruned)
//	w = w - step(g)                    (see gpu.Method)
//	masked = soft.forward(w) where it was kept, still -0 where it was pruned
//	grad = 0                           (the step under KEEP_STEP)
//
// Where w was pruned, REST leaves all but grad as it is, and the step is 0.
//
// Where *gate is not finite, only the gradients are set to 0. A block does 1024 elements of one parameter; params has
// one entry a segment. Moves 6n (8n with a mask; 2n more for a second history; n more for copies as bf16, 2n as float32).
KERNEL(256, update, const UpdateParams *params, const float *gate, const UpdateSegment *segments, int count, int method) {
	START;
	int at = segment_of(segments, count);
	UpdateSegment s = segments[at];
	UpdateParams u = params[at];
	bool go = !gate || finite(*gate);
	int piece = (int)blockIdx.x - s.first;
	Four four = s.copy.four(piece, s.n);
	for (int e = 0, i = four.first; e < 4 && i < s.n; e++, i += four.step) {
		if (go) {
			bool pruned = s.masked && is_pruned(s.masked[i]);
			if (pruned && u.flags & REST) {
				s.grad[i] = 0;
				continue;
			}
			float w = s.w[i], g = (pruned ? u.pruned_scale : u.scale) * s.grad[i], h = s.h[i];
			g += u.flags & L1 ? (w > 0 ? u.decay : w < 0 ? -u.decay : 0.0f) : u.decay * w;
			float step = step_of(method, u, g, h, s.h2 ? s.h2 + i : (float *)0);
			w -= step;
			s.w[i] = w;
			s.h[i] = h;
			if (s.masked && !pruned) s.masked[i] = u.soft.forward(w);
			s.grad[i] = u.flags & KEEP_STEP ? step : 0.0f;
		} else s.grad[i] = 0;
	}
	if (go) s.copy.write(s.masked ? s.masked : s.w, piece, s.n);
}

// The rules, as gpu.Rule numbers them.
enum { SEED_RULE, PAPER_RULE, SOFT_RULE };

enum { MEASURED = 1, REDRAW = 2, REWRITE = 4, BY_MAGNITUDE = 8 };

// SurgeryParams is what changes while a run goes on: gpu.SurgeryParams of a layer.
struct SurgeryParams {
	float threshold, mu, sigma;
	Soft soft;
	int flags; // MEASURED, REDRAW, REWRITE, BY_MAGNITUDE

	// known reports whether mu and sigma are given, so that nothing is measured.
	__device__ __forceinline__ bool known(int rule) const { return rule != SEED_RULE && flags & MEASURED; }
};

// SurgeryResult is what a surgery found in one layer.
struct SurgeryResult {
	float mu, sigma;
	unsigned kept, pruned, spliced, pad[3];
	double low, high; // what redraw compares with: gpu.Limits
};

// SurgerySegment is one array of a layer: weights, or behind them the bias. All arrays of a layer have its number.
struct SurgerySegment {
	const float *w;
	float *masked;
	FilterCopy copy; // of masked
	int n, first, layer, rule;
};
#define SURGERY_BLOCK (4 * PER_BLOCK) // elements a block

// The statistics of every layer, and the limits that follow from them. Sums are float64, in a fixed order: each block's
// go to partial, and the last block of all, one layer a warp, adds them up. Moves n, 2n under the paper rule, and nothing
// where mu and sigma are known.
//
//	seed rule:  mu and sigma of w
//	paper rule: mu and sigma of |x| over entries that are unmasked and not zero
//	soft rule:  mu and sigma of w, without the bias
BLOCK_KERNEL(256, surgery_measure, const SurgeryParams *params, SurgeryResult *results, double *partial, unsigned *counter, const SurgerySegment *segments, int count,
	int layers) {
	START;
	SurgerySegment s = segments[segment_of(segments, count)];
	int from = ((int)blockIdx.x - s.first) * SURGERY_BLOCK, to = min(s.n, from + SURGERY_BLOCK);
	double v[3] = {0, 0, 0};
	if (params[s.layer].known(s.rule)) to = from;
	for (int i = from + (int)threadIdx.x; i < to; i += 256) {
		double x = s.w[i];
		if (s.rule == PAPER_RULE) {
			if (x == 0 || is_pruned(s.masked[i])) continue;
			x = fabs(x);
		}
		v[0] += 1;
		v[1] += x;
		v[2] += x * x;
	}
	block_sums(v);
	if (threadIdx.x == 0)
		for (int k = 0; k < 3; k++) partial[3 * blockIdx.x + k] = v[k];
	if (!last_block(counter, gridDim.x)) return;
	int lane = threadIdx.x & 31;
	for (int layer = threadIdx.x >> 5; layer < layers; layer += 8) {
		double t[3] = {0, 0, 0};
		int rule = SEED_RULE;
		for (int j = 0; j < count; j++) {
			if (segments[j].layer != layer) continue;
			rule = segments[j].rule;
			int end = j + 1 < count ? segments[j + 1].first : (int)gridDim.x;
			for (int block = segments[j].first + lane; block < end; block += 32)
				for (int k = 0; k < 3; k++) t[k] += partial[3 * block + k];
			if (rule == SOFT_RULE) break; // the weights are a layer's first array
		}
		for (int k = 0; k < 3; k++) t[k] = warp_sum(t[k]);
		if (lane != 0) continue;
		SurgeryParams p = params[layer];
		SurgeryResult r = {};
		if (p.known(rule)) {
			r.mu = p.mu;
			r.sigma = p.sigma;
		} else if (t[0] > 0) {
			double m = t[1] / t[0], q = t[2] / t[0] - m * m;
			r.mu = (float)m;
			r.sigma = (float)sqrt(q < 0 ? 0.0 : q);
		}
		// In the roundings of gpu.Limits, so that every device prunes the same weights.
		if (rule == SEED_RULE) {
			float d = __fmul_rn(p.threshold, r.sigma);
			r.low = __fsub_rn(r.mu, d);
			r.high = __fadd_rn(r.mu, d);
		} else if (rule == SOFT_RULE) r.low = r.high = p.soft.cut;
		else {
			float c = __fadd_rn(r.mu, __fmul_rn(p.threshold, r.sigma));
			double limit = c > 0 ? c : 0.0f;
			r.low = 0.9 * limit;
			r.high = 1.1 * limit;
		}
		results[layer] = r;
	}
}

#define HISTOGRAM_BINS 6001
#define HISTOGRAM_WIDTH 0.001

// magnitude_bin is gpu.MagnitudeBin.
__device__ __forceinline__ int magnitude_bin(float x) {
	const int base = ((127 + 8) << 7) - (HISTOGRAM_BINS - 1);
	int bin = (int)((__float_as_uint(x) & 0x7FFFFFFFu) >> 16) - base;
	return max(0, min(bin, HISTOGRAM_BINS - 1));
}

// Redraws the masks where REDRAW is set, writes the forward weights where it or REWRITE is, and counts. Where *gate is not finite
// it counts only. Where bins is not null it also counts the entries by their distance, |w - mu|/sigma or |x|/sigma in bins of a
// thousandth, or under BY_MAGNITUDE by the magnitude_bin of w - mu or x: of layer l kept ones from bins[2·l·HISTOGRAM_BINS] on,
// pruned ones behind them; bins is 0 before. A block does 4096 elements. Moves 3n, and n more for copies as bf16, 2n as
// float32; 2n where it only counts.
BLOCK_KERNEL(256, surgery_redraw, const SurgeryParams *params, SurgeryResult *results, const float *gate, unsigned *bins, const SurgerySegment *segments,
	int count) {
	START;
	__shared__ unsigned counts[3];
	if (threadIdx.x < 3) counts[threadIdx.x] = 0;
	__syncthreads();
	SurgerySegment s = segments[segment_of(segments, count)];
	SurgeryParams p = params[s.layer];
	SurgeryResult *r = results + s.layer;
	double low = r->low, high = r->high;
	bool go = !gate || finite(*gate), redraw = go && p.flags & REDRAW, write = go && p.flags & (REDRAW | REWRITE);
	float mu = s.rule == SEED_RULE ? r->mu : 0.0f;
	double per_bin = r->sigma > 0 ? 1 / ((double)r->sigma * HISTOGRAM_WIDTH) : 0.0;
	if (bins) bins += 2 * s.layer * HISTOGRAM_BINS;
	unsigned keeps = 0, pruned = 0, spliced = 0;
	for (int k = 0; k < 4; k++) {
		int piece = 4 * ((int)blockIdx.x - s.first) + k;
		Four four = s.copy.four(piece, s.n);
		for (int e = 0, i = four.first; e < 4 && i < s.n; e++, i += four.step) {
			float w = s.w[i];
			bool was = !is_pruned(s.masked[i]), keep = was;
			if (redraw) {
				if (s.rule == SEED_RULE) keep = !(low < w && w < high);
				else if (s.rule == SOFT_RULE) keep = !(fabsf(w) <= p.soft.cut);
				else {
					double a = fabs((double)w);
					keep = was ? !(a <= low) : a > high;
				}
			}
			if (write) s.masked[i] = keep ? p.soft.forward(w) : __uint_as_float(PRUNED);
			if (bins) {
				int bin = HISTOGRAM_BINS - 1;
				double at = fabs((double)w - mu) * per_bin;
				if (p.flags & BY_MAGNITUDE) bin = magnitude_bin(w - mu);
				else if (at < HISTOGRAM_BINS) bin = min((int)at, bin); // not where it is NaN
				atomicAdd(bins + (keep ? 0 : HISTOGRAM_BINS) + bin, 1u);
			}
			keeps += keep;
			pruned += was && !keep;
			spliced += !was && keep;
		}
		if (write) s.copy.write(s.masked, piece, s.n);
	}
	atomicAdd(counts, keeps);
	atomicAdd(counts + 1, pruned);
	atomicAdd(counts + 2, spliced);
	__syncthreads();
	if (threadIdx.x == 0) {
		atomicAdd(&r->kept, counts[0]);
		atomicAdd(&r->pruned, counts[1]);
		atomicAdd(&r->spliced, counts[2]);
	}
}

// The largest |w - center| of each output, among kept entries and among pruned ones; -1 where there are none. Output o has the
// entries o·across + i·along for i < inputs. masked may be null. One block an output. Moves 2n.
BLOCK_KERNEL(256, reach, int inputs, int across, int along, float center, const float *w, const float *masked, float *to_kept, float *to_pruned) {
	START;
	__shared__ float best[2][8];
	float k = -1, p = -1;
	for (int i = threadIdx.x; i < inputs; i += 256) {
		long long at = (long long)blockIdx.x * across + (long long)i * along;
		float d = fabsf(w[at] - center);
		if (masked && is_pruned(masked[at])) p = d > p ? d : p;
		else k = d > k ? d : k;
	}
	k = warp_max(k);
	p = warp_max(p);
	if ((threadIdx.x & 31) == 0) {
		best[0][threadIdx.x >> 5] = k;
		best[1][threadIdx.x >> 5] = p;
	}
	__syncthreads();
	if (threadIdx.x == 0) {
		for (int i = 1; i < 8; i++) {
			k = fmaxf(k, best[0][i]);
			p = fmaxf(p, best[1][i]);
		}
		to_kept[blockIdx.x] = k;
		to_pruned[blockIdx.x] = p;
	}
}
