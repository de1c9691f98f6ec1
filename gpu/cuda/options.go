package cuda

import (
	"errors"
	"fmt"
)

// Options of a CUDA device.
type Options struct {
	// Ordinal is the device's number, as CUDA_VISIBLE_DEVICES counts.
	Ordinal int
	// Precision of matrix products.
	Precision Precision
	// NoLibraries leaves cuBLAS and cuDNN alone, though the machine has them.
	NoLibraries bool
	// Tune measures, for each product and convolution at its first use, which kernel is the fastest, and remembers it
	// in the user's cache folder. Without it a rule of thumb chooses.
	Tune bool
	// NoGraphs launches every kernel by itself.
	NoGraphs bool
	// NoCache gives freed memory back at once, and rounds no size up: so that a checker sees each tensor's bounds.
	NoCache bool
	// Compiling is called once, before the driver compiles kernels, which takes it tens of seconds unless it remembers
	// them; the device is not open then. nil calls nothing.
	Compiling func(Info)
	// Blocking waits after each kernel, so that a failure shows where it happens. Slow.
	Blocking bool
	// Timeline is called with each kernel's time, measured by itself. Each is run several times for that, so results
	// are wrong. nil measures nothing.
	Timeline func(Timed)
}

// Timed is one kernel of the queue, or a library's call, as it was measured by itself.
type Timed struct {
	For    string  // the layer and direction: `layer "conv1", forward`
	Kernel string  // its name, or what it is of: cuBLAS, cuDNN
	MS     float64 // of one launch
	Blocks int     // of its grid; 0 of a library's call
}

// Precision is how matrix products and convolutions multiply. Weights, sums, statistics, losses and masks are float32
// always, so surgery does not depend on it.
type Precision int

// The precisions.
const (
	Auto Precision = iota // TF32 where the GPU has it, FP32 elsewhere
	FP32                  // float32
	TF32                  // operands rounded to 10 bits of mantissa, on tensor cores; wants compute capability 8.0
	BF16                  // operands rounded to 7 bits of mantissa, and so are activations between convolutions; 8.0
)

// Precisions lists what may be asked for.
var Precisions = []Precision{FP32, TF32, BF16}

func (p Precision) String() string { return [...]string{"auto", "fp32", "tf32", "bf16"}[p] }

// ParsePrecision reads a precision.
func ParsePrecision(s string) (Precision, error) {
	for _, p := range append([]Precision{Auto}, Precisions...) {
		if s == p.String() {
			return p, nil
		}
	}
	return 0, fmt.Errorf("precision is %q; wanted fp32, tf32 or bf16", s)
}

// ErrAbsent says that the program was built without this device.
var ErrAbsent = errors.New(
	"this build has no CUDA device; `make` builds it where a CUDA toolkit is found " +
		"(`make cuda-toolkit` installs one on Debian)",
)

// ErrNoGPU says that there is no GPU, or no driver for one.
var ErrNoGPU = errors.New("no GPU")

// Info describes a GPU.
type Info struct {
	Driver       string // the release of CUDA that the driver is of
	Ordinal      int
	Name         string
	Memory       int64 // bytes
	Major, Minor int   // compute capability
}
