// A stand-in for cuDNN: as much of its legacy interface, and of its graphs (cudnn_graph.h), as the CUDA device uses, by
// loops.
// EMULATOR_DNN=fail makes convolutions fail, =wrong makes them wrong. EMULATOR_DNN_WRONG=n makes algorithm n wrong.
#include "libraries.h"

#include <vector>

struct Handle { void *stream = nullptr; };
// A Tensor is an array of float32, in Caffe's order or with channels last, or of bf16 with channels last.
struct Tensor {
	int n, c, h, w;
	bool last, half;
	size_t count() const { return (size_t)n * c * h * w; }
	size_t bytes() const { return count() * (half ? 2 : 4); }
	size_t at(int i, int j, int k, int l) const { return last ? (((size_t)i * h + k) * w + l) * c + j : (((size_t)i * c + j) * h + k) * w + l; }
};

static uint16_t to_bf16(float v) {
	uint32_t u;
	memcpy(&u, &v, 4);
	return v != v ? 0x7FFF : (u + 0x7FFF + ((u >> 16) & 1)) >> 16;
}
static float of_bf16(uint16_t h) {
	uint32_t u = (uint32_t)h << 16;
	float v;
	memcpy(&v, &u, 4);
	return v;
}
// floats returns an array's numbers, and stored puts them back.
static std::vector<float> floats(const Tensor &t, const void *p) {
	std::vector<float> v(t.count());
	for (size_t i = 0; i < v.size(); i++) v[i] = t.half ? of_bf16(((const uint16_t *)p)[i]) : ((const float *)p)[i];
	return v;
}
static void stored(const Tensor &t, const std::vector<float> &v, void *p) {
	for (size_t i = 0; i < v.size(); i++) {
		if (t.half) ((uint16_t *)p)[i] = to_bf16(v[i]);
		else ((float *)p)[i] = v[i];
	}
}
struct Conv { int ph, pw, sh, sw, dh, dw, groups = 1, math = 0; };

static bool asked(const char *v) {
	const char *e = getenv("EMULATOR_DNN");
	return e && !strcmp(e, v);
}

static bool is(const char *variable, int n) {
	const char *e = getenv(variable);
	return e && atoi(e) == n;
}

// An Algorithm is one that a convolution has.
struct Algorithm { int number; size_t bytes; bool deterministic; };
static const Algorithm forward_algorithms[] = {{6, 2048, true}, {1, 1024, true}, {0, 0, true}, {4, (size_t)1 << 40, true}};
static const Algorithm data_algorithms[] = {{0, 0, false}, {1, 0, true}, {4, 512, true}};
static const Algorithm weights_algorithms[] = {{3, 0, false}, {1, 4096, true}, {5, 8192, true}};

// bytes_of returns the workspace of an algorithm, or SIZE_MAX where there is none that is the same in every run.
template <int N> static size_t bytes_of(const Algorithm (&list)[N], int number) {
	for (const Algorithm &a : list)
		if (a.number == number && a.deterministic) return a.bytes;
	return SIZE_MAX;
}

// Performance is cudnnConvolutionFwdAlgoPerf_t.
struct Performance { int algo, status; float time; size_t memory; int determinism, math, reserved[3]; };
static_assert(sizeof(Performance) == 48, "cudnn_cnn.h has it so");

template <int N> static int list_of(const Algorithm (&list)[N], const Conv *conv, int wanted, int *found, Performance *to) {
	*found = 0;
	for (const Algorithm &a : list)
		if (*found < wanted) to[(*found)++] = {a.number, 0, 1, a.bytes, a.deterministic, conv->math, {}};
	return 0;
}

// each calls f(x, w, y) for every product of a convolution, in the order of y's columns last: they are beside each other.
template <class F> static void each(const Tensor &x, const Tensor &w, const Tensor &y, const Conv &v, F f) {
	int cg = x.c / v.groups, og = w.n / v.groups;
	size_t along_x = (x.last ? x.c : 1) * (size_t)v.sw, along_y = y.last ? y.c : 1;
	for (int n = 0; n < y.n; n++)
		for (int o = 0; o < y.c; o++)
			for (int oh = 0; oh < y.h; oh++)
				for (int c = 0; c < cg; c++)
					for (int kh = 0; kh < w.h; kh++)
						for (int kw = 0; kw < w.w; kw++) {
							int h = oh * v.sh - v.ph + kh * v.dh, i = kw * v.dw - v.pw; // the row, and the column of output 0
							if (h < 0 || h >= x.h) continue;
							int from = i < 0 ? (-i + v.sw - 1) / v.sw : 0, to = i >= x.w ? 0 : (x.w - 1 - i) / v.sw + 1;
							if (to > y.w) to = y.w;
							size_t xs = x.at(n, o / og * cg + c, h, 0), ws = w.at(o, c, kh, kw), ys = y.at(n, o, oh, 0);
							size_t begin = xs + (size_t)(i * (long)(along_x / v.sw)); // wraps where i < 0, and back below
							for (int ow = from; ow < to; ow++) f(begin + ow * along_x, ws, ys + ow * along_y);
						}
}

extern "C" {

size_t cudnnGetVersion() { return 91400; }
int cudnnCreate(void **h) {
	if (refused()) return 1; // CUDNN_STATUS_NOT_INITIALIZED
	*h = new Handle;
	handles++;
	return 0;
}
int cudnnDestroy(void *h) { delete (Handle *)h; handles--; return 0; }
int cudnnSetStream(void *h, void *s) { ((Handle *)h)->stream = s; return 0; }
int cudnnCreateTensorDescriptor(void **d) { *d = new Tensor; return 0; }
int cudnnCreateFilterDescriptor(void **d) { *d = new Tensor; return 0; }
int cudnnCreateConvolutionDescriptor(void **d) { *d = new Conv; return 0; }
int cudnnDestroyTensorDescriptor(void *d) { delete (Tensor *)d; return 0; }
int cudnnDestroyFilterDescriptor(void *d) { delete (Tensor *)d; return 0; }
int cudnnDestroyConvolutionDescriptor(void *d) { delete (Conv *)d; return 0; }
int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w) {
	if (format > 1 || (type && (type != 9 || !format))) return 3;
	*(Tensor *)d = {n, c, h, w, format == 1, type == 9};
	return 0;
}
int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w) {
	if (format > 1 || (type && (type != 9 || !format))) return 3;
	*(Tensor *)d = {k, c, h, w, format == 1, type == 9};
	return 0;
}
int cudnnSetConvolution2dDescriptor(void *d, int ph, int pw, int sh, int sw, int dh, int dw, int mode, int type) {
	if (mode != 1 || type) return 3;
	*(Conv *)d = {ph, pw, sh, sw, dh, dw};
	return 0;
}
int cudnnSetConvolutionGroupCount(void *d, int n) { ((Conv *)d)->groups = n; return 0; }
int cudnnSetConvolutionMathType(void *d, int m) { ((Conv *)d)->math = m; return 0; }

#define QUERIES(name, list) \
	int cudnnGetConvolution##name##WorkspaceSize(void *, void *, void *, void *, void *, int algo, size_t *n) { \
		*n = bytes_of(list, algo); \
		return *n == SIZE_MAX ? 3 : 0; \
	} \
	int cudnnGetConvolution##name##Algorithm_v7(void *, void *, void *, Conv *conv, void *, int wanted, int *found, Performance *to) { return list_of(list, conv, wanted, found, to); }
QUERIES(Forward, forward_algorithms)
QUERIES(BackwardData, data_algorithms)
QUERIES(BackwardFilter, weights_algorithms)

#define CONV(name, XD, WD, YD, XP, WP, YP, OUT, SUM, LIST) \
	int name(void *handle, const float *alpha, const Tensor *d1, float *p1, const Tensor *d2, float *p2, const Conv *v, int algo, void *work, size_t bytes, const float *beta_, \
		const Tensor *d3, float *p3) { \
		if (*alpha != 1 || bytes_of(LIST, algo) > bytes || asked("fail")) return 3; \
		reads(#name " workspace", work, bytes / 4); \
		Tensor x = *XD, w = *WD, y = *YD; \
		Conv c = *v; \
		float beta = *beta_; \
		void *xv = XP, *wv = WP, *yv = YP; \
		Tensor result = *d3; \
		return later(((Handle *)handle)->stream, [=] { \
			reads(#name " x", xv, x.bytes() / 4); \
			reads(#name " w", wv, w.bytes() / 4); \
			reads(#name " y", yv, y.bytes() / 4); \
			std::vector<float> xp = floats(x, xv), wp = floats(w, wv), yp = floats(y, yv), &out = OUT; \
			for (float &v : out) v = beta == 0 ? 0 : beta * v; \
			each(x, w, y, c, [&](size_t i, size_t k, size_t o) { SUM; }); \
			if (asked("wrong") || is("EMULATOR_DNN_WRONG", algo)) out[0] += 1000; \
			stored(result, out, p3); \
		}); \
	}
CONV(cudnnConvolutionForward, d1, d2, d3, p1, p2, p3, yp, yp[o] += xp[i] * wp[k], forward_algorithms)
CONV(cudnnConvolutionBackwardData, d3, d1, d2, p3, p1, p2, xp, xp[i] += yp[o] * wp[k], data_algorithms)
CONV(cudnnConvolutionBackwardFilter, d1, d3, d2, p1, p3, p2, wp, wp[k] += yp[o] * xp[i], weights_algorithms)

} // extern "C"

#include "cudnn_graph.h"
