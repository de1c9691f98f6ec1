// What gorgonia.org/cu does not have: launches of a whole queue, graphs, pinned memory.
#include <cuda.h>
#include <stddef.h>
#include <stdint.h>

// Of driver/trampoline.c. cuda_driver_status comes first: it loads the driver.
int cuda_driver_status(void);
const char *cuda_driver_problem(void);
int cuda_driver_found(void);
const char *cuda_driver_lacks(const char **names);

// The kinds of records.
enum { record_kernel, record_clear, record_gemm, record_conv, record_event, record_wait, record_sum, record_exchange, record_plan };

// A record begins with a header; words of eight bytes behind it are its arguments: a kernel's, or one of the structs
// below. None has bytes that belong to no field.
typedef struct {
	uint64_t function;
	uint32_t grid_x, grid_y, grid_z, threads;
	uint16_t kind, unused;
	uint32_t words;
	uint64_t mark; // what the kernel notes when it begins
} dns_header;

// Sets n words of four bytes to 0.
typedef struct { uint64_t at, n; } dns_clear_args;

// cublasGemmEx: row-major C (m×n) = alpha·op(A)·op(B) + beta·C.
typedef struct {
	uint64_t call, handle;
	int32_t m, n, k, trans_a, trans_b, compute;
	float alpha, beta;
	uint64_t a, b, c;
} dns_gemm_args;

// One of cuDNN's three convolutions, with its descriptors and operands in its order.
typedef struct {
	uint64_t call, handle, d1, p1, d2, p2, conv, work, bytes, d3, p3;
	int32_t algo;
	float beta;
} dns_conv_args;

// cudnnBackendExecute of a plan, with the functions that make what it takes; the tensors at have the identifiers 1 to count.
typedef struct {
	uint64_t create, set, finalize, destroy, execute, handle, plan, work, at[4];
	int64_t count;
} dns_plan_args;

// The stream records an event, or waits for one; a graph does when it is launched, as a stream would then.
typedef struct { uint64_t event; } dns_event_args;

// ncclAllReduce of n float32, in place.
typedef struct { uint64_t call, comm, at, n; } dns_sum_args;

// ncclSend and ncclRecv, of words words each: to every rank r from + r·step, from it to + r·words.
typedef struct {
	uint64_t start, end, send, receive, comm, from, step, to, words;
	int32_t ranks, unused;
} dns_exchange_args;

// Where NCCL fails its result is added to this.
enum { dns_nccl_failed = 10000 };

// dns_nccl_init is ncclCommInitRank, with its address f; id has 128 bytes.
int dns_nccl_init(uint64_t f, CUcontext ctx, uint64_t *comm, int ranks, const void *id, int rank);
// dns_call_text calls a function that returns a text.
const char *dns_call_text(uint64_t f, uint64_t a);

// dns_call calls one of a library's other functions, which all return a status and take up to eight integers and addresses.
int dns_call(uint64_t f, const uint64_t *a);
// dns_call_ints is for functions of a descriptor and up to nine int.
int dns_call_ints(uint64_t f, uint64_t first, const int *v, int n);

// dns_run starts the records in words on a stream, in order. On failure *failed is where the record begins that failed.
CUresult dns_run(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, int blocking, size_t *failed);

// dns_capture makes a graph of the records. Most of their kernels note that they began at quiet_at, on the device.
CUresult dns_capture(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, uint64_t quiet_at, CUgraphExec *exec, size_t *failed);
CUresult dns_launch_graph(CUcontext ctx, CUgraphExec exec, CUstream stream);

// dns_upload copies bytes from pinned memory to the device, in the stream's order; dns_fetch copies them back.
CUresult dns_upload(CUcontext ctx, uint64_t dst, const void *src, size_t bytes, CUstream stream, CUevent after);
CUresult dns_fetch(CUcontext ctx, void *dst, uint64_t src, size_t bytes, CUstream stream);
// dns_wait_for makes a stream wait for an event; dns_copy copies on the device.
CUresult dns_wait_for(CUcontext ctx, CUstream stream, CUevent e);
CUresult dns_copy(CUcontext ctx, uint64_t dst, uint64_t src, size_t bytes, CUstream stream);
CUresult dns_record(CUcontext ctx, CUevent e, CUstream stream);
CUresult dns_wait(CUcontext ctx, CUevent e);
CUresult dns_reached(CUcontext ctx, CUevent e);
CUresult dns_elapsed(CUevent from, CUevent to, float *ms);

// dns_time runs the records a number of times and measures them.
CUresult dns_time(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, uint64_t quiet_at, int times, CUevent from, CUevent to, float *ms);

// Memory of the device.
CUresult dns_alloc(CUcontext ctx, uint64_t *at, size_t bytes);
CUresult dns_free(CUcontext ctx, uint64_t at);
CUresult dns_memory_info(CUcontext ctx, size_t *free, size_t *total);

CUresult dns_host_alloc(CUcontext ctx, void **p, size_t bytes);
CUresult dns_host_address(CUcontext ctx, void *p, uint64_t *address);

// dns_error_name writes the name of an error, and returns 0 where the driver has none.
int dns_error_name(int code, char *name, size_t n);
const char *dns_missing(void);
