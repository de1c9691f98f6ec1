//go:build cuda

#include "calls.h"

#include <stdio.h>
#include <string.h>

// A record, in words of eight bytes: what queue.go writes.
typedef struct {
	uint64_t function; // or what a clear sets
	uint32_t grid_x, grid_y, grid_z, threads;
	uint16_t kind, args;
	uint32_t blob; // words behind the arguments
	uint64_t mark;
} record;

typedef struct { uint64_t at, id; } mark;

dns_libraries dns_libs;

typedef int (*gemm_function)(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda, const void *b, int bt, int ldb,
	const void *beta, void *c, int ct, int ldc, int compute, int algo);
typedef int (*conv_function)(void *handle, const void *alpha, const void *d1, const void *p1, const void *d2, const void *p2, const void *conv, int algo, void *work, size_t bytes,
	const void *beta, const void *d3, void *p3);

// library_failed stands for a status of cuBLAS or cuDNN, which the driver has no code for.
enum { library_failed = 998 };

static float float_of(uint64_t bits) {
	uint32_t b = (uint32_t)bits;
	float f;
	memcpy(&f, &b, sizeof f);
	return f;
}

// run_gemm computes row-major C (m×n) = alpha·op(A)·op(B) + beta·C, which is column-major Cᵀ = op(B)ᵀ·op(A)ᵀ.
static CUresult run_gemm(const uint64_t *a) {
	int m = (int)a[0], n = (int)(a[0] >> 32), k = (int)a[1], ta = (int)(a[1] >> 32) & 1, tb = (int)(a[1] >> 33) & 1;
	float alpha = float_of(a[2]), beta = float_of(a[2] >> 32);
	enum { r32f = 0, default_algo = -1 };
	int status = ((gemm_function)dns_libs.gemm)((void *)dns_libs.blas, tb, ta, n, m, k, &alpha, (const void *)a[4], r32f, tb ? k : n, (const void *)a[3], r32f, ta ? m : k,
		&beta, (void *)a[5], r32f, n, (int)a[6], default_algo);
	return status ? (CUresult)library_failed : CUDA_SUCCESS;
}

static CUresult run_conv(int which, const uint64_t *a) {
	float alpha = 1, beta = float_of(a[10]);
	int status = ((conv_function)dns_libs.conv[which])((void *)dns_libs.dnn, &alpha, (void *)a[0], (void *)a[1], (void *)a[2], (void *)a[3], (void *)a[4], (int)a[5], (void *)a[6],
		(size_t)a[7], &beta, (void *)a[8], (void *)a[9]);
	return status ? (CUresult)library_failed : CUDA_SUCCESS;
}

static CUresult run_one(const record *r, CUstream stream, uint64_t mark_at) {
	const uint64_t *args = (const uint64_t *)(r + 1);
	if (r->kind == record_clear) return cuMemsetD32Async((CUdeviceptr)args[0], (unsigned)r->function, (size_t)args[1], stream);
	if (r->kind == record_gemm) return run_gemm(args);
	if (r->kind == record_conv) return run_conv((int)r->function, args);
	mark m = {mark_at, r->mark};
	void *params[64];
	int n = 0;
	params[n++] = &m;
	for (int i = 0; i < r->args; i++) params[n++] = (void *)(args + i);
	if (r->blob) params[n++] = (void *)(args + r->args);
	return cuLaunchKernel((CUfunction)r->function, r->grid_x, r->grid_y, r->grid_z, r->threads, 1, 1, 0, stream, params, NULL);
}

static CUresult run_all(const uint64_t *words, size_t n, CUstream stream, uint64_t mark_at, int blocking, size_t *failed) {
	for (size_t at = 0; at < n;) {
		const record *r = (const record *)(words + at);
		*failed = at;
		CUresult e = run_one(r, stream, mark_at);
		if (!e && blocking) e = cuStreamSynchronize(stream);
		if (e) return e;
		at += sizeof(record) / 8 + r->args + r->blob;
	}
	return CUDA_SUCCESS;
}

CUresult dns_run(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, int blocking, size_t *failed) {
	*failed = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : run_all(words, n, stream, mark_at, blocking, failed);
}

CUresult dns_capture(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, CUgraphExec *exec, size_t *failed) {
	*failed = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	if (e) return e;
	if ((e = cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL))) return e;
	CUgraph graph = NULL;
	e = run_all(words, n, stream, mark_at, 0, failed);
	CUresult ended = cuStreamEndCapture(stream, &graph);
	if (!e) e = ended;
	if (!e) e = cuGraphInstantiateWithFlags(exec, graph, 0);
	if (graph) cuGraphDestroy(graph);
	return e;
}

CUresult dns_launch_graph(CUcontext ctx, CUgraphExec exec, CUstream stream) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuGraphLaunch(exec, stream);
}

CUresult dns_upload(CUcontext ctx, uint64_t dst, const void *src, size_t bytes, CUstream stream, CUevent after) {
	CUresult e = cuCtxSetCurrent(ctx);
	if (!e) e = cuMemcpyHtoDAsync((CUdeviceptr)dst, src, bytes, stream);
	return e ? e : cuEventRecord(after, stream);
}

CUresult dns_fetch(CUcontext ctx, void *dst, uint64_t src, size_t bytes, CUstream stream) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuMemcpyDtoHAsync(dst, (CUdeviceptr)src, bytes, stream);
}

CUresult dns_wait_for(CUcontext ctx, CUstream stream, CUevent ev) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuStreamWaitEvent(stream, ev, 0);
}

CUresult dns_copy(CUcontext ctx, uint64_t dst, uint64_t src, size_t bytes, CUstream stream) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuMemcpyDtoDAsync((CUdeviceptr)dst, (CUdeviceptr)src, bytes, stream);
}

CUresult dns_record(CUcontext ctx, CUevent ev, CUstream stream) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuEventRecord(ev, stream);
}

CUresult dns_wait(CUcontext ctx, CUevent ev) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuEventSynchronize(ev);
}

CUresult dns_reached(CUcontext ctx, CUevent ev) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuEventQuery(ev);
}

CUresult dns_host_alloc(CUcontext ctx, void **p, size_t bytes) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuMemHostAlloc(p, bytes, CU_MEMHOSTALLOC_DEVICEMAP);
}

CUresult dns_host_address(CUcontext ctx, void *p, uint64_t *address) {
	CUdeviceptr d = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	if (!e) e = cuMemHostGetDevicePointer(&d, p, 0);
	*address = (uint64_t)d;
	return e;
}

void dns_error_name(int code, char *name, size_t n) {
	const char *s = NULL;
	if (cuGetErrorName((CUresult)code, &s) || !s) snprintf(name, n, "CUDA error %d", code);
	else snprintf(name, n, "%s", s);
}

const char *dns_missing(void) {
	static const char *needed[] = {"cuCtxCreate_v2", "cuCtxSetCurrent", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemHostAlloc", "cuMemFreeHost",
		"cuMemHostGetDevicePointer_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD32Async", "cuModuleLoadData", "cuModuleGetFunction",
		"cuLaunchKernel", "cuStreamCreate", "cuStreamSynchronize", "cuEventCreate", "cuEventRecord", "cuEventSynchronize", "cuEventElapsedTime",
		"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuGraphDestroy", "cuGraphExecDestroy", NULL};
	return cuda_driver_lacks(needed);
}

CUresult dns_time(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, int times, CUevent from, CUevent to, float *ms) {
	size_t failed;
	CUresult e = cuCtxSetCurrent(ctx);
	if (!e) e = cuEventRecord(from, stream);
	for (int i = 0; i < times && !e; i++) e = run_all(words, n, stream, mark_at, 0, &failed);
	if (!e) e = cuEventRecord(to, stream);
	if (!e) e = cuEventSynchronize(to);
	return e ? e : cuEventElapsedTime(ms, from, to);
}

int dns_call(uint64_t f, const uint64_t *a) {
	return ((int (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6]);
}

int dns_call_ints(uint64_t f, uint64_t first, const int *v, int n) {
	int a[9] = {0};
	for (int i = 0; i < n && i < 9; i++) a[i] = v[i];
	return ((int (*)(uint64_t, int, int, int, int, int, int, int, int, int))f)(first, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
}
