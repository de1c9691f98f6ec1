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
