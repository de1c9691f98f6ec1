package gpu

import "time"

// A Back is the part of a device that differs between kinds of devices: its memory, and how an Op is done. Its methods
// are called from one goroutine at a time. It need not check sizes: the Device in front of it has.
type Back interface {
	// Name describes the device to a person: "host (2 threads, OpenBLAS ...)".
	Name() string
	// Capabilities says what the device is.
	Capabilities() Capabilities
	// Close releases the device; its memory is invalid from then on.
	Close() error

	// Alloc returns n zeroed elements, or an error that says how much was wanted.
	Alloc(n int) (Memory, error)
	// Allocated returns the bytes that are allocated now.
	Allocated() int64
	// Upload copies src to dst.
	Upload(dst *Tensor, src []float32)
	// Download waits for the operations before it and copies src to dst.
	Download(dst []float32, src *Tensor)
	// Fetch copies src, as it is now, to dst. dst holds it when Await has returned for a Mark made after.
	Fetch(dst []float32, src *Tensor)

	// Supports reports whether Do has a kernel for op, with its shapes and settings.
	Supports(op Op) bool
	// Do starts op, which is not valid any more when Do has returned. Operations take effect in the order of the calls.
	Do(op Op)
	// Mark and Await are Device.Mark and Device.Await.
	Mark() Mark
	Await(m Mark) error
}

// Capabilities describes a device.
type Capabilities struct {
	Kind string // "host" or "cuda"
	BLAS string // what multiplies matrices
	// Convolutions says what does them, on the host: "this program's kernels, or oneDNN 3.2.0 where that is the
	// faster".
	Convolutions string
	Vectors      string // the host's set of vector instructions, and how many kernels have them; "" elsewhere
	Threads      int    // of the host; 0 elsewhere
	// ComputedBy is what the last bits of results depend on beside this program: libraries with their versions, the
	// host's vector instructions, a GPU and its precision. It shrinks where a library is turned off.
	ComputedBy []string
	Sums       string // what sums over ranks, where it is not the group: "NCCL 2.23.4 (Ring, Simple)"
	// Lag is how many steps a training loop may be ahead of the results that it has read: 0 on a device that does all
	// work when it is asked to.
	Lag     int
	Notices []string // what a user should know: a library not found, and what serves instead. It only grows
}

// A Mark is a point in the order of a device's operations.
type Mark uint64

// A Preparer is a Back that does products with weights which stay as they are in the way that is fastest for them.
type Preparer interface {
	// Prepare, Unread, UsePrepared and Prepared are those of Device.
	Prepare(w *Tensor)
	Unread(y *Tensor)
	UsePrepared(use bool)
	Prepared() []Prepared
}

// A Measurer is a Back that finds out by measuring how to do an operation, when it meets one of its shape first. All of
// a net's can take a minute.
type Measurer interface {
	// HurryWhen and Hurried are those of Device.
	HurryWhen(asked func() bool)
	Hurried() bool
}

// A Recoverer is a Back that may lack memory for an operation, and can go on after it.
type Recoverer interface {
	// Shortage is that of Device.
	Shortage() error
}

// Prepared is how a product with prepared weights is done.
type Prepared struct {
	Label    string // what Device.Label had named: "conv1 forward"
	Weights  *Tensor
	Kept, Of int    // weights that are not zero, and all
	Way      string // "dense", or a way that leaves zeros out
	// Time is that of one product, Dense that of a dense one. Both are the least of several that took turns.
	Time, Dense time.Duration
}

// A Labeler is a Back that is told what its kernels are for, and says it where it tells of them.
type Labeler interface {
	// Label names what the kernels from now on are for: "conv1 forward".
	Label(name string)
}

// A Monitored Back tells how it is. Health may be called from any goroutine, and does not wait.
type Monitored interface {
	Health() Health
}

// Health is how a device is, for people.
type Health struct {
	Phase       string // what it is about besides the work that it was given: "choosing kernels", "capturing"; or ""
	Known       bool   // the rest is known
	Utilization int    // percent of the last second in which kernels ran
	Memory      int64  // bytes in use on the device, by all programs
	Temperature int    // °C
}
