package cuda

import "errors"

// Options of a CUDA device.
type Options struct {
	// Ordinal is the device's number, as CUDA_VISIBLE_DEVICES counts.
	Ordinal int
	// NoGraphs launches every kernel by itself.
	NoGraphs bool
	// NoCache gives freed memory back at once, and rounds no size up: so that a checker sees each tensor's bounds.
	NoCache bool
	// Blocking waits after each kernel, so that a failure shows where it happens. Slow.
	Blocking bool
}

// ErrAbsent says that the program was built without this device.
var ErrAbsent = errors.New("this build has no CUDA device; `make` builds it where a CUDA toolkit is found (`make cuda-toolkit` installs one on Debian)")

// ErrNoGPU says that there is no GPU, or no driver for one.
var ErrNoGPU = errors.New("no GPU")

// Info describes a GPU.
type Info struct {
	Ordinal      int
	Name         string
	Memory       int64 // bytes
	Major, Minor int   // compute capability
}
