//go:build cuda

#include "calls.h"
#include "kernels_gen.h"

#include <stdio.h>
#include <string.h>

typedef struct { uint64_t at, id; } mark;

typedef int (*gemm_function)(void *handle, int ta, int tb, int m, int n, int k, const void *alpha, const void *a, int at, int lda, const void *b, int bt, int ldb,
	const void *beta, void *c, int ct, int ldc, int compute, int algo);
typedef int (*conv_function)(void *handle, const void *alpha, const void *d1, const void *p1, const void *d2, const void *p2, const void *conv, int algo, void *work, size_t bytes,
	const void *beta, const void *d3, void *p3);

// library_failed stands for a status of cuBLAS or cuDNN, which the driver has no code for.
enum { library_failed = 998 };

// run_gemm has the operands change places: row-major C is column-major Cᵀ = op(B)ᵀ·op(A)ᵀ.
static CUresult run_gemm(const dns_gemm_args *g) {
	enum { r32f = 0, default_algo = -1 };
	int status = ((gemm_function)g->call)((void *)g->handle, g->trans_b, g->trans_a, g->n, g->m, g->k, &g->alpha, (const void *)g->b, r32f, g->trans_b ? g->k : g->n,
		(const void *)g->a, r32f, g->trans_a ? g->m : g->k, &g->beta, (void *)g->c, r32f, g->n, g->compute, default_algo);
	return status ? (CUresult)library_failed : CUDA_SUCCESS;
}

static CUresult run_conv(const dns_conv_args *c) {
	float alpha = 1;
	int status = ((conv_function)c->call)((void *)c->handle, &alpha, (void *)c->d1, (void *)c->p1, (void *)c->d2, (void *)c->p2, (void *)c->conv, c->algo, (void *)c->work,
		(size_t)c->bytes, &c->beta, (void *)c->d3, (void *)c->p3);
	return status ? (CUresult)library_failed : CUDA_SUCCESS;
}

typedef int (*create_function)(int kind, void **descriptor);
typedef int (*set_function)(void *descriptor, int name, int type, int64_t count, const void *values);
typedef int (*descriptor_function)(void *descriptor);
typedef int (*execute_function)(void *handle, void *plan, void *pack);

// run_plan makes the variant pack that names a plan's tensors for this run: cuDNN is done with it when it has started the
// kernels.
static CUresult run_plan(const dns_plan_args *p) {
	enum { variant_pack = 16, unique_ids = 1000, data_pointers = 1001, workspace = 1003, int64 = 3, pointer = 6 };
	static const int64_t ids[] = {1, 2, 3, 4};
	void *pack = NULL;
	int status = ((create_function)p->create)(variant_pack, &pack);
	if (status) return (CUresult)library_failed;
	status = ((set_function)p->set)(pack, unique_ids, int64, p->count, ids);
	if (!status) status = ((set_function)p->set)(pack, data_pointers, pointer, p->count, p->at);
	if (!status) status = ((set_function)p->set)(pack, workspace, pointer, 1, &p->work);
	if (!status) status = ((descriptor_function)p->finalize)(pack);
	if (!status) status = ((execute_function)p->execute)((void *)p->handle, (void *)p->plan, pack);
	((descriptor_function)p->destroy)(pack);
	return status ? (CUresult)library_failed : CUDA_SUCCESS;
}

// The types of NCCL's functions are those of nccl.h 2.12 to 2.32.
typedef int (*all_reduce_function)(const void *from, void *to, size_t count, int type, int op, void *comm, CUstream stream);
typedef int (*send_function)(const void *from, size_t count, int type, int peer, void *comm, CUstream stream);
typedef int (*receive_function)(void *to, size_t count, int type, int peer, void *comm, CUstream stream);
typedef int (*group_function)(void);

static CUresult nccl_result(int result) { return result ? (CUresult)(dns_nccl_failed + result) : CUDA_SUCCESS; }

static CUresult run_sum(const dns_sum_args *s, CUstream stream) {
	enum { nccl_float32 = 7, nccl_sum = 0 };
	return nccl_result(((all_reduce_function)s->call)((const void *)s->at, (void *)s->at, (size_t)s->n, nccl_float32, nccl_sum, (void *)s->comm, stream));
}

// run_exchange makes one group of all sends and receives, which so go on together.
static CUresult run_exchange(const dns_exchange_args *x, CUstream stream) {
	enum { nccl_int32 = 2 };
	int result = ((group_function)x->start)();
	if (result) return nccl_result(result);
	for (int r = 0; r < x->ranks && !result; r++) {
		result = ((send_function)x->send)((const char *)x->from + 4 * x->step * (size_t)r, (size_t)x->words, nccl_int32, r, (void *)x->comm, stream);
		if (!result) result = ((receive_function)x->receive)((char *)x->to + 4 * x->words * (size_t)r, (size_t)x->words, nccl_int32, r, (void *)x->comm, stream);
	}
	int ended = ((group_function)x->end)();
	return nccl_result(result ? result : ended);
}

static CUresult run_one(const dns_header *r, CUstream stream, mark m, int capturing) {
	const void *args = r + 1;
	switch (r->kind) {
	case record_clear: {
		const dns_clear_args *c = args;
		return cuMemsetD32Async((CUdeviceptr)c->at, 0, (size_t)c->n, stream);
	}
	case record_gemm: return run_gemm(args);
	case record_conv: return run_conv(args);
	case record_plan: return run_plan(args);
	case record_event: return cuEventRecordWithFlags((CUevent)((const dns_event_args *)args)->event, stream, capturing ? CU_EVENT_RECORD_EXTERNAL : 0);
	case record_wait: return cuStreamWaitEvent(stream, (CUevent)((const dns_event_args *)args)->event, capturing ? CU_EVENT_WAIT_EXTERNAL : 0);
	case record_sum: return run_sum(args, stream);
	case record_exchange: return run_exchange(args, stream);
	}
	int kernel = (int)(r->mark & 0xFFFF);
	void *params[1 + sizeof dns_params[0].offsets];
	params[0] = &m;
	for (int i = 0; i < dns_params[kernel].count; i++) params[1 + i] = (char *)args + dns_params[kernel].offsets[i];
	return cuLaunchKernel((CUfunction)r->function, r->grid_x, r->grid_y, r->grid_z, r->threads, 1, 1, 0, stream, params, NULL);
}

// labelled reports whether the first kernel among words is of a label.
static int labelled(const uint64_t *words, size_t n, uint64_t label) {
	for (size_t at = 0; at < n;) {
		const dns_header *r = (const dns_header *)(words + at);
		if (r->kind == record_kernel) return r->mark >> 16 == label;
		at += sizeof(dns_header) / 8 + r->words;
	}
	return 0;
}

// run_all starts records. Where quiet_at is not 0, only the first of kernels in a row that are for the same layer writes to
// mark_at, in the host's memory, which the end of a kernel waits for; it names the kernel only where it is alone. The others
// write to quiet_at, on the device.
static CUresult run_all(const uint64_t *words, size_t n, CUstream stream, uint64_t mark_at, uint64_t quiet_at, int blocking, int capturing, size_t *failed) {
	uint64_t label = UINT64_MAX;
	for (size_t at = 0; at < n;) {
		const dns_header *r = (const dns_header *)(words + at);
		size_t next = at + sizeof(dns_header) / 8 + r->words;
		mark m = {mark_at, r->mark};
		*failed = at;
		if (quiet_at && r->kind == record_kernel) {
			if (r->mark >> 16 == label) m.at = quiet_at;
			else if (labelled(words + next, n - next, r->mark >> 16)) m.id |= 0xFFFF;
			label = r->mark >> 16;
		}
		CUresult e = run_one(r, stream, m, capturing);
		if (!e && blocking) e = cuStreamSynchronize(stream);
		if (e) return e;
		at = next;
	}
	return CUDA_SUCCESS;
}

CUresult dns_run(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, int blocking, size_t *failed) {
	*failed = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : run_all(words, n, stream, mark_at, 0, blocking, 0, failed);
}

// capture makes a graph of the records, a number of times one behind the other.
static CUresult capture(const uint64_t *words, size_t n, int times, CUstream stream, uint64_t mark_at, uint64_t quiet_at, CUgraphExec *exec, size_t *failed) {
	CUresult e = cuStreamBeginCapture(stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL);
	if (e) return e;
	CUgraph graph = NULL;
	for (int i = 0; i < times && !e; i++) e = run_all(words, n, stream, mark_at, quiet_at, 0, 1, failed);
	CUresult ended = cuStreamEndCapture(stream, &graph);
	if (!e) e = ended;
	if (!e) e = cuGraphInstantiateWithFlags(exec, graph, 0);
	if (graph) cuGraphDestroy(graph);
	return e;
}

CUresult dns_capture(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, uint64_t quiet_at, CUgraphExec *exec, size_t *failed) {
	*failed = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : capture(words, n, 1, stream, mark_at, quiet_at, exec, failed);
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

CUresult dns_elapsed(CUevent from, CUevent to, float *ms) { return cuEventElapsedTime(ms, from, to); }

CUresult dns_alloc(CUcontext ctx, uint64_t *at, size_t bytes) {
	CUdeviceptr p = 0;
	CUresult e = cuCtxSetCurrent(ctx);
	if (!e) e = cuMemAlloc(&p, bytes);
	*at = (uint64_t)p;
	return e;
}

CUresult dns_free(CUcontext ctx, uint64_t at) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuMemFree((CUdeviceptr)at);
}

CUresult dns_memory_info(CUcontext ctx, size_t *free, size_t *total) {
	CUresult e = cuCtxSetCurrent(ctx);
	return e ? e : cuMemGetInfo(free, total);
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

int dns_error_name(int code, char *name, size_t n) {
	const char *s = NULL;
	int named = !cuGetErrorName((CUresult)code, &s) && s;
	if (named) snprintf(name, n, "%s", s);
	else snprintf(name, n, "CUDA error %d", code);
	return named;
}

const char *dns_missing(void) {
	static const char *needed[] = {"cuDevicePrimaryCtxRetain", "cuDevicePrimaryCtxRelease_v2", "cuCtxSetCurrent", "cuMemAlloc_v2", "cuMemFree_v2", "cuMemGetInfo_v2", "cuMemHostAlloc", "cuMemFreeHost",
		"cuMemHostGetDevicePointer_v2", "cuMemcpyHtoDAsync_v2", "cuMemcpyDtoHAsync_v2", "cuMemsetD32Async", "cuModuleLoadData", "cuModuleUnload", "cuModuleGetFunction", "cuOccupancyMaxActiveBlocksPerMultiprocessor",
		"cuLaunchKernel", "cuStreamCreate", "cuStreamCreateWithPriority", "cuStreamSynchronize", "cuStreamWaitEvent", "cuEventCreate", "cuEventDestroy_v2", "cuEventRecord", "cuEventRecordWithFlags", "cuEventSynchronize", "cuEventElapsedTime",
		"cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuGraphLaunch", "cuGraphDestroy", "cuGraphExecDestroy", NULL};
	return cuda_driver_lacks(needed);
}

// dns_time measures one launch as it is, and several as a graph that was launched once before: so that what is measured is
// kernels, and not how soon the host starts them. Where no graph is captured, launches are measured.
CUresult dns_time(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, uint64_t quiet_at, int times, CUevent from, CUevent to, float *ms) {
	size_t failed;
	CUgraphExec exec = NULL;
	CUresult e = cuCtxSetCurrent(ctx);
	if (!e && times > 1) {
		e = capture(words, n, times, stream, mark_at, quiet_at, &exec, &failed);
		if (e == (CUresult)library_failed) return e;
		if (e) exec = NULL, e = CUDA_SUCCESS;
		else e = cuGraphLaunch(exec, stream);
	}
	if (!e) e = cuEventRecord(from, stream);
	if (exec && !e) e = cuGraphLaunch(exec, stream);
	for (int i = 0; !exec && i < times && !e; i++) e = run_all(words, n, stream, mark_at, quiet_at, 0, 0, &failed);
	if (!e) e = cuEventRecord(to, stream);
	if (!e) e = cuEventSynchronize(to);
	if (!e) e = cuEventElapsedTime(ms, from, to);
	if (exec) cuGraphExecDestroy(exec);
	return e;
}

int dns_call(uint64_t f, const uint64_t *a) {
	return ((int (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))f)(a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7]);
}

int dns_call_ints(uint64_t f, uint64_t first, const int *v, int n) {
	int a[9] = {0};
	for (int i = 0; i < n && i < 9; i++) a[i] = v[i];
	return ((int (*)(uint64_t, int, int, int, int, int, int, int, int, int))f)(first, a[0], a[1], a[2], a[3], a[4], a[5], a[6], a[7], a[8]);
}

typedef struct { char internal[128]; } nccl_id;
typedef int (*init_function)(void **comm, int ranks, nccl_id id, int rank);

int dns_nccl_init(uint64_t f, CUcontext ctx, uint64_t *comm, int ranks, const void *id, int rank) {
	if (cuCtxSetCurrent(ctx)) return 1; // ncclUnhandledCudaError
	nccl_id i;
	memcpy(&i, id, sizeof i);
	void *c = NULL;
	int result = ((init_function)f)(&c, ranks, i, rank);
	*comm = (uint64_t)c;
	return result;
}

const char *dns_call_text(uint64_t f, uint64_t a) { return ((const char *(*)(uint64_t))f)(a); }
