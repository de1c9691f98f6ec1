// Package gpu is the device layer: float32 arrays on a device, and the kernels that Caffe's layers need.
//
// A Device is at the level of whole kernels (a convolution, a batch norm, a surgery), so that each device is free
// to choose how it does them. Package host is the CPU; devicetest is the suite that every device must pass.
//
// Conventions. Arrays are contiguous and row-major. Kernels that take gradients of parameters add to them;
// kernels that take gradients of inputs overwrite them. Kernels may run asynchronously, in the order of their
// calls; only Download, SumSquares, Finite, Await and Sync wait. A wrong shape is a mistake of the program
// and panics with a message that starts with "gpu:"; what a user can cause (no memory, a lost device) is an error.
package gpu
