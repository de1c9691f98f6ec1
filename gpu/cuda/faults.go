//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/cu"
)

// fault is what is known of failures.
type fault struct {
	err       error   // the first; everything after it does nothing
	short     bool    // err is a want of memory: what was handed over before is done
	begun     *uint32 // pinned: the label and the number of the kernel that began last
	begunAddr address // where kernels write it
	labels    []string
	numbers   map[string]uint32
	label     uint32
}

// Error is a failure of the GPU: what failed, and where.
type Error struct {
	Device string
	Code   int    // of the driver
	Name   string // CUDA_ERROR_ILLEGAL_ADDRESS
	Doing  string // "kernel conv_64 of layer conv2"
	lost   bool
}

func (e *Error) Error() string {
	if e.lost {
		return fmt.Sprintf(
			"%s is lost (%s), in %s: it stopped answering; see nvidia-smi and the system's log",
			e.Device,
			e.Name,
			e.Doing,
		)
	}
	return fmt.Sprintf("%s failed in %s: %s", e.Device, e.Doing, e.Name)
}

func (d *back) openFault() error {
	p, err := d.pinned(4)
	if err != nil {
		return err
	}
	d.fault.begun = (*uint32)(p)
	*d.fault.begun = noMark
	var at C.uint64_t
	if r := C.dns_host_address(d.c(), p, &at); r != 0 {
		return d.failed(r, "mapping memory")
	}
	d.fault.begunAddr = address(at)
	d.fault.numbers = map[string]uint32{}
	d.Label("")
	return nil
}

// Label implements gpu.Labeler: it says what the kernels from now on are for: the layer that a failure names.
func (d *back) Label(name string) {
	f := &d.fault
	n, ok := f.numbers[name]
	if !ok {
		n = uint32(len(f.labels))
		f.labels, f.numbers[name] = append(f.labels, name), n
	}
	f.label = n & 0xFFFF
}

// labelled says what the kernels of a label are for: a layer and a direction; "" where that is not known.
func (d *back) labelled(label uint32) string {
	if f := &d.fault; int(label) < len(f.labels) {
		return f.labels[label]
	}
	return ""
}

// markOf is what a kernel writes when it begins.
func (d *back) markOf(k kernelID) uint64 { return uint64(d.fault.label<<16 | uint32(k)) }

// noMark is the word before any kernel has begun.
const noMark = math.MaxUint32

// describeMark says what a mark stands for.
func (d *back) describeMark(mark uint32) string {
	k, label := kernelID(mark&0xFFFF), mark>>16
	what := "a kernel" // one of several of a layer, in a graph
	if k < kernelCount {
		what = "kernel " + kernelNames[k]
	}
	if of := d.labelled(label); of != "" {
		return what + " of " + of
	}
	return what
}

// lostCodes are the errors after which a GPU does not come back: unavailable, ECC, hardware stack, unknown, MPS and so
// on.
var lostCodes = map[int]bool{46: true, 214: true, 215: true, 714: true, 721: true, 999: true}

// asynchronous errors tell of a kernel that ran before.
var asynchronous = map[int]bool{
	700: true,
	702: true,
	714: true,
	715: true,
	716: true,
	717: true,
	718: true,
	719: true,
	46:  true,
	214: true,
	999: true,
}

// check keeps the failure of a call of the driver. doing says what the host was about.
func (d *back) check(code C.CUresult, doing string) {
	if code != 0 {
		_ = d.failed(code, doing) // fault.err has it
	}
}

// failed keeps the first failure, and returns it.
func (d *back) failed(code C.CUresult, doing string) error {
	if d.fault.err != nil {
		return d.fault.err
	}
	n := int(code)
	e := &Error{
		Device: fmt.Sprintf("GPU %d (%s)", d.opts.Ordinal, d.info.Name),
		Code:   n,
		Doing:  doing,
		lost:   lostCodes[n],
	}
	var name [64]C.char
	named := C.dns_error_name(C.int(n), &name[0], 64) != 0
	e.Name = C.GoString(&name[0])
	if own, ok := errorNames[n]; ok && !named {
		e.Name = own
	}
	if n == libraryFailed {
		e.Name = "cuBLAS or cuDNN failed"
	}
	if asynchronous[n] && d.fault.begun != nil {
		if mark := atomic.LoadUint32(d.fault.begun); mark != noMark {
			e.Doing = d.describeMark(mark)
		}
	}
	d.fault.err = e
	if d.ranks != nil {
		d.ranks.group.Fail("has failed: " + e.Error())
	}
	return e
}

// lacks has the device fail for want of memory, until somebody is told of it (Shortage).
func (d *back) lacks(err error) {
	if d.fault.err != nil {
		return
	}
	if of := d.labelled(d.fault.label); of != "" {
		err = fmt.Errorf("%w, for %s", err, of)
	}
	d.fault.err, d.fault.short = err, true
}

// Shortage implements gpu.Recoverer. What was asked for before is done; of what was afterwards nothing is, though it
// was noted as stored in other layouts: that is forgotten.
func (d *back) Shortage() error {
	if !d.fault.short {
		return nil
	}
	d.layouts.list = d.layouts.list[:0]
	for _, c := range d.copies.list {
		c.current = false
	}
	err := d.fault.err
	d.fault.err, d.fault.short = nil, false
	d.flush()
	return err
}

// errorNames are what users may see, where the driver does not name them.
var errorNames = map[int]string{
	2:   "CUDA_ERROR_OUT_OF_MEMORY",
	46:  "CUDA_ERROR_DEVICE_UNAVAILABLE",
	214: "CUDA_ERROR_ECC_UNCORRECTABLE",
	700: "CUDA_ERROR_ILLEGAL_ADDRESS (a read or write outside an allocation)",
	702: "CUDA_ERROR_LAUNCH_TIMEOUT",
	719: "CUDA_ERROR_LAUNCH_FAILED",
	999: "CUDA_ERROR_UNKNOWN",
}

var errClosed = errors.New("the GPU's device is closed")

// enter ties the goroutine to its thread and gives the thread the context.
func (d *back) enter() (leave func(), err error) {
	if d.ctx == (cu.CUContext{}) {
		return nil, errClosed
	}
	runtime.LockOSThread()
	if r := C.cuCtxSetCurrent(d.c()); r != 0 {
		runtime.UnlockOSThread()
		return nil, d.failed(r, "taking the context")
	}
	return runtime.UnlockOSThread, nil
}

// pinned allocates memory of the host that the device can reach.
func (d *back) pinned(bytes int) (unsafe.Pointer, error) {
	var p unsafe.Pointer
	if r := C.dns_host_alloc(d.c(), &p, C.size_t(bytes)); r != 0 {
		return nil, d.failed(r, "allocating pinned memory of the host")
	}
	d.staging.owned = append(d.staging.owned, p)
	return p, nil
}

func (d *back) freePinned() {
	for _, p := range d.staging.owned {
		_ = cu.MemFreeHost(p) // there is no more to do
	}
	d.staging.owned, d.fault.begun = nil, nil
}
