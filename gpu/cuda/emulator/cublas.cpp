// A stand-in for cuBLAS: as much as the CUDA device uses, by OpenBLAS where it is and by loops where it is not.
// EMULATOR_BLAS=fail makes products fail.
#include "libraries.h"

struct Handle { void *stream = nullptr; };

typedef void (*Sgemm)(const char *, const char *, const int *, const int *, const int *, const float *, const float *, const int *, const float *, const int *, const float *,
	float *, const int *);

static Sgemm sgemm() {
	static Sgemm f = [] {
		void *lib = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
		return lib ? (Sgemm)dlsym(lib, "sgemm_") : nullptr;
	}();
	return f;
}

extern "C" {

int cublasCreate_v2(void **h) {
	if (refused()) return 1; // CUBLAS_STATUS_NOT_INITIALIZED
	*h = new Handle;
	handles++;
	return 0;
}
int cublasDestroy_v2(void *h) { delete (Handle *)h; handles--; return 0; }
int cublasSetStream_v2(void *h, void *s) { ((Handle *)h)->stream = s; return 0; }
int cublasSetWorkspace_v2(void *, void *p, size_t bytes) { reads("cublasSetWorkspace", p, bytes / 4); return 0; }
int cublasGetVersion_v2(void *, int *v) { *v = 120205; return 0; }

int cublasGemmEx(void *handle, int ta, int tb, int m, int n, int k, const void *alpha_, const void *a_, int at, int lda, const void *b_, int bt, int ldb, const void *beta_,
	void *c_, int ct, int ldc, int compute, int) {
	if (at || bt || ct || (compute != 68 && compute != 75 && compute != 77)) return 15;
	if (getenv("EMULATOR_BLAS") && !strcmp(getenv("EMULATOR_BLAS"), "fail")) return 13;
	float alpha = *(const float *)alpha_, beta = *(const float *)beta_;
	auto a = (const float *)a_, b = (const float *)b_;
	auto c = (float *)c_;
	return later(((Handle *)handle)->stream, [=] {
		reads("cublasGemmEx A", a, (size_t)lda * ((ta ? m : k) - 1) + (ta ? k : m));
		reads("cublasGemmEx B", b, (size_t)ldb * ((tb ? k : n) - 1) + (tb ? n : k));
		reads("cublasGemmEx C", c, (size_t)ldc * (n - 1) + m);
		if (Sgemm f = sgemm()) {
			f(ta ? "T" : "N", tb ? "T" : "N", &m, &n, &k, &alpha, a, &lda, b, &ldb, &beta, c, &ldc);
			return;
		}
		for (int j = 0; j < n; j++)
			for (int i = 0; i < m; i++) {
				double t = 0;
				for (int l = 0; l < k; l++) t += (double)a[ta ? (size_t)i * lda + l : (size_t)l * lda + i] * b[tb ? (size_t)l * ldb + j : (size_t)j * ldb + l];
				float *y = c + (size_t)j * ldc + i;
				*y = (float)(alpha * t) + (beta != 0 ? beta * *y : 0);
			}
	});
}

} // extern "C"
