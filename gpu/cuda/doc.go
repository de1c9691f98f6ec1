// Package cuda is the device for NVIDIA GPUs, by the driver's interface (gorgonia.org/cu) and kernels of its own, in
// kernels. It is built with the tag cuda; without it Open says so.
//
// # How work reaches the GPU
//
// An operation does not launch its kernel. It appends a record of it to a queue: which kernel, how many blocks, and its
// arguments (queue.go). Each kernel has a struct of arguments, which the program in generate makes from its signature
// in CUDA C (kernels_gen.go). The queue is handed over where somebody waits for a result, where data is uploaded, and
// at a Mark. A training loop queues the same records in every iteration, so a queue that was seen before is captured as
// a CUDA graph, and from then on one launch does all of it (graph.go). What changes from iteration to iteration
// (learning rates, thresholds, the keys of random numbers) is not in the records but in a small buffer on the device
// that is copied before each launch, so a change needs no new capture. While records are queued, neighbours that belong
// together become one kernel (fuse.go): a product with its bias and ReLU, all parameters' updates, all layers' surgery.
//
// # Several GPUs
//
// Each rank of a run is a process with a GPU of its own. They sum by NCCL (nccl.go, join.go), on a stream of its own
// beside the kernels (ranks.go): where a gradient is whole the kernels' stream records an event, for which the sum
// waits.
//
// What is summed how: in float32 by ncclAllReduce, in the order that NCCL adds in, which NCCL_ALGO and NCCL_PROTO fix
// (Ring and Simple on one machine, Tree and Simple on several, unless the user has set them). Where gradients travel in
// bf16, by ncclSend and ncclRecv and kernels of this package: with n ranks each rounds its gradient x_r to bf16, to the
// nearest, ties to even; rank p gets the p-th of n pieces of all, adds ((x₀ + x₁) + x₂) + … in float32 in the order of
// the ranks, rounds the sum to bf16, and gives it to all. ncclAllReduce of bf16 is not used, as it rounds at every
// addition.
//
// When a rank is lost NCCL is aborted (join.go), so that whoever waits for a sum goes on; what was to be summed is then
// as it was, or partly summed, and Await returns the group's failure.
//
// # Memory
//
// Freed memory is kept for the next allocation of its size (memory.go). Copies from and to the host go through pinned
// buffers, so that they run beside kernels (staging.go).
//
// # Errors
//
// The first failure of the driver is kept, and everything after it does nothing; Sync and Await return it. A kernel
// notes in the host's memory that it has begun, in a graph the first of each layer, so a failure names the layer, and
// where kernels are launched one by one the kernel (faults.go).
package cuda

//go:generate go run ./generate
