// Package gpu is the device layer: float32 arrays on a device, and the operations that Caffe's layers need.
//
// A Device is at the level of whole operations (a convolution, a batch norm, a surgery), so that each kind of device is
// free to choose how it does them. It is a front: its methods check the sizes of their operands, and describe the
// operation as a value, an Op. What differs between kinds of devices is a Back, which holds memory and does operations;
// what it does not support, the host does. Package host is the CPU, cuda a GPU; devicetest is the suite that every
// device must pass.
//
// A new operation is a struct with its operands, a method of Device, and a kernel in package host. Other devices may
// have theirs later.
//
// Conventions. Arrays are contiguous and row-major. Operations that take gradients of parameters add to them;
// those that take gradients of inputs overwrite them. They may run asynchronously, in the order of their
// calls; only Download, SumSquares, Finite, Await and Sync wait. A wrong shape is a mistake of the program
// and panics with a message that starts with "gpu:"; what a user can cause (no memory, a lost device) is an error.
package gpu
