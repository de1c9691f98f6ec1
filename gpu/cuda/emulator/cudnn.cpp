// A stand-in for cuDNN: as much of its legacy interface as the CUDA device uses, by loops.
// EMULATOR_DNN=fail makes convolutions fail, =wrong makes them wrong.
#include "libraries.h"

struct Handle { void *stream = nullptr; };
struct Tensor { int n, c, h, w; };
struct Conv { int ph, pw, sh, sw, dh, dw, groups = 1, math = 0; };

static bool asked(const char *v) {
	const char *e = getenv("EMULATOR_DNN");
	return e && !strcmp(e, v);
}

// each calls f(x, w, y) for every product of a convolution.
template <class F> static void each(const Tensor &x, const Tensor &w, const Tensor &y, const Conv &v, F f) {
	int cg = x.c / v.groups, og = w.n / v.groups;
	for (int n = 0; n < y.n; n++)
		for (int o = 0; o < y.c; o++)
			for (int oh = 0; oh < y.h; oh++)
				for (int ow = 0; ow < y.w; ow++)
					for (int c = 0; c < cg; c++)
						for (int kh = 0; kh < w.h; kh++)
							for (int kw = 0; kw < w.w; kw++) {
								int h = oh * v.sh - v.ph + kh * v.dh, i = ow * v.sw - v.pw + kw * v.dw;
								if (h < 0 || i < 0 || h >= x.h || i >= x.w) continue;
								f(((n * x.c + o / og * cg + c) * x.h + h) * x.w + i, ((o * cg + c) * w.h + kh) * w.w + kw, ((n * y.c + o) * y.h + oh) * y.w + ow);
							}
}
static size_t count(const Tensor &t) { return (size_t)t.n * t.c * t.h * t.w; }

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
	if (format || type) return 3;
	*(Tensor *)d = {n, c, h, w};
	return 0;
}
int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w) {
	if (format || type) return 3;
	*(Tensor *)d = {k, c, h, w};
	return 0;
}
int cudnnSetConvolution2dDescriptor(void *d, int ph, int pw, int sh, int sw, int dh, int dw, int mode, int type) {
	if (mode != 1 || type) return 3;
	*(Conv *)d = {ph, pw, sh, sw, dh, dw};
	return 0;
}
int cudnnSetConvolutionGroupCount(void *d, int n) { ((Conv *)d)->groups = n; return 0; }
int cudnnSetConvolutionMathType(void *d, int m) { ((Conv *)d)->math = m; return 0; }

int cudnnGetConvolutionForwardWorkspaceSize(void *, void *, void *, void *, void *, int algo, size_t *n) { *n = 1024; return algo == 1 ? 0 : 3; }
int cudnnGetConvolutionBackwardDataWorkspaceSize(void *, void *, void *, void *, void *, int algo, size_t *n) { *n = 0; return algo == 1 ? 0 : 3; }
int cudnnGetConvolutionBackwardFilterWorkspaceSize(void *, void *, void *, void *, void *, int algo, size_t *n) { *n = 4096; return algo == 1 ? 0 : 3; }

#define CONV(name, XD, WD, YD, XP, WP, YP, OUT, WORK) \
	int name(void *handle, const float *alpha, const Tensor *d1, float *p1, const Tensor *d2, float *p2, const Conv *v, int algo, void *work, size_t bytes, const float *beta_, \
		const Tensor *d3, float *p3) { \
		if (*alpha != 1 || algo != 1 || bytes < WORK || asked("fail")) return 3; \
		reads(#name " workspace", work, bytes / 4); \
		Tensor x = *XD, w = *WD, y = *YD; \
		Conv c = *v; \
		float beta = *beta_, *xp = XP, *wp = WP, *yp = YP, *out = p3; \
		size_t n = count(*d3); \
		return later(((Handle *)handle)->stream, [=] { \
			reads(#name " x", xp, count(x)); \
			reads(#name " w", wp, count(w)); \
			reads(#name " y", yp, count(y)); \
			for (size_t i = 0; i < n; i++) out[i] = beta == 0 ? 0 : beta * out[i]; \
			each(x, w, y, c, [=](int i, int k, int o) { OUT; }); \
			if (asked("wrong")) out[0] += 1000; \
		}); \
	}
CONV(cudnnConvolutionForward, d1, d2, d3, p1, p2, p3, yp[o] += xp[i] * wp[k], 1024)
CONV(cudnnConvolutionBackwardData, d3, d1, d2, p3, p1, p2, xp[i] += yp[o] * wp[k], 0)
CONV(cudnnConvolutionBackwardFilter, d1, d3, d2, p1, p3, p2, wp[k] += yp[o] * xp[i], 4096)

} // extern "C"
