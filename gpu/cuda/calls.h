// What gorgonia.org/cu does not have: launches of a whole queue, graphs, pinned memory.
#include <cuda.h>
#include <stddef.h>
#include <stdint.h>

// Of driver/trampoline.c.
int cuda_driver_status(void);
const char *cuda_driver_problem(void);
const char *cuda_driver_lacks(const char **names);

// The kinds of records; see queue.go for their layout.
enum { record_kernel, record_clear };

// dns_run starts the records in words on a stream, in order. On failure *failed is where the record begins that failed.
CUresult dns_run(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, int blocking, size_t *failed);

// dns_capture makes a graph of the records.
CUresult dns_capture(const uint64_t *words, size_t n, CUcontext ctx, CUstream stream, uint64_t mark_at, CUgraphExec *exec, size_t *failed);
CUresult dns_launch_graph(CUcontext ctx, CUgraphExec exec, CUstream stream);

// dns_upload copies bytes from pinned memory to the device, in the stream's order; dns_fetch copies them back.
CUresult dns_upload(CUcontext ctx, uint64_t dst, const void *src, size_t bytes, CUstream stream, CUevent after);
CUresult dns_fetch(CUcontext ctx, void *dst, uint64_t src, size_t bytes, CUstream stream);
CUresult dns_record(CUcontext ctx, CUevent e, CUstream stream);
CUresult dns_wait(CUcontext ctx, CUevent e);
CUresult dns_reached(CUcontext ctx, CUevent e);

CUresult dns_host_alloc(CUcontext ctx, void **p, size_t bytes);
CUresult dns_host_address(CUcontext ctx, void *p, uint64_t *address);

// dns_error_name writes the name of an error.
void dns_error_name(int code, char *name, size_t n);
const char *dns_missing(void);
