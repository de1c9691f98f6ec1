//go:build cuda

package cuda

// #include "calls.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"unsafe"

	"gorgonia.org/cu"

	"dns-tui/gpu"
	"dns-tui/gpu/host"
)

// Built reports whether the program has this device.
const Built = true

// driverNeeded is the oldest driver that takes the kernels' PTX (of CUDA 11.8, ISA 7.8), as cuDriverGetVersion counts.
const driverNeeded = 11080

// lag is how many iterations the training loop may be ahead of the results that it has seen.
const lag = 2

// back is a GPU.
type back struct {
	gpu.Hurry

	info      Info
	driver    int
	ctx       cu.CUContext // the primary one, which libraries of the process share
	stream    cu.Stream
	modules   []cu.Module
	events    map[cu.Event]bool
	opts      Options
	sms       int       // multiprocessors
	precision Precision // never Auto
	ready     bool      // opened whole
	dry       bool      // a rehearsal: nothing is handed over

	functions [kernelCount]uint64
	blocks    [kernelCount]int // of products: how many run at once on a multiprocessor; 0 where nobody asked
	queue     queue
	programs  programs
	memory    memory
	staging   staging
	fetches   fetches
	scratch   scratch
	fault     fault
	libs      libraries
	choices   choices
	monitor   monitor
	ranks     *ranks // nil: joined to none
	layouts   layouts
	copies    copies
	phase     atomic.Pointer[string]
	notices   []string

	rehearsals int // so far
}

var (
	_ gpu.Back      = (*back)(nil)
	_ gpu.Labeler   = (*back)(nil)
	_ gpu.Monitored = (*back)(nil)
	_ gpu.Joiner    = (*back)(nil)
	_ gpu.Bucketer  = (*back)(nil)
	_ gpu.Recoverer = (*back)(nil)
	_ gpu.Measurer  = (*back)(nil)
)

// driverError says why there is no driver, or nil.
func driverError() error {
	if C.cuda_driver_status() == 0 {
		if name := C.dns_missing(); name != nil {
			return fmt.Errorf(
				"NVIDIA's driver lacks %s: wanted driver %s or newer",
				C.GoString(name),
				driverName(driverNeeded),
			)
		}
		return nil
	}
	if C.cuda_driver_found() != 0 && C.cuda_driver_status() == C.CUDA_ERROR_NO_DEVICE {
		return fmt.Errorf("%w: NVIDIA's driver finds none (see nvidia-smi, and CUDA_VISIBLE_DEVICES)", ErrNoGPU)
	}
	return fmt.Errorf("%w: NVIDIA's driver cannot be used: %s", ErrNoGPU, C.GoString(C.cuda_driver_problem()))
}

// driverName names the release of CUDA that a driver belongs to.
func driverName(v int) string {
	if v == driverNeeded {
		return "520 (CUDA 11.8)"
	}
	return fmt.Sprintf("of CUDA %d.%d", v/1000, v%1000/10)
}

// Devices lists the GPUs.
func Devices() ([]Info, error) {
	if err := driverError(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("NVIDIA's driver counts no devices: %w", err)
	}
	var out []Info
	for i := range n {
		info, err := describe(i)
		if err != nil {
			return nil, err
		}
		out = append(out, info)
	}
	return out, nil
}

func describe(ordinal int) (Info, error) {
	fail := func(err error) (Info, error) { return Info{}, fmt.Errorf("GPU %d: %w", ordinal, err) }
	dev, err := cu.GetDevice(ordinal)
	if err != nil {
		return fail(err)
	}
	v := cu.Version()
	i := Info{Ordinal: ordinal, Driver: fmt.Sprintf("CUDA %d.%d", v/1000, v%1000/10)}
	if i.Name, err = dev.Name(); err != nil {
		return fail(err)
	}
	if i.Memory, err = dev.TotalMem(); err != nil {
		return fail(err)
	}
	if i.Major, err = dev.Attribute(cu.ComputeCapabilityMajor); err != nil {
		return fail(err)
	}
	if i.Minor, err = dev.Attribute(cu.ComputeCapabilityMinor); err != nil {
		return fail(err)
	}
	return i, nil
}

// Open makes a context on a GPU and loads the kernels. Its errors say what is missing: a driver, a newer driver, a
// device. What the GPU does not support runs on the host.
func Open(o Options) (*gpu.Device, error) {
	d, err := openBack(o)
	if err != nil {
		return nil, err
	}
	return gpu.NewDevice(d, func() gpu.Back { return host.NewBack(host.Options{}) }), nil
}

func openBack(o Options) (*back, error) {
	if err := driverError(); err != nil {
		return nil, err
	}
	n, err := cu.NumDevices()
	if err != nil {
		return nil, fmt.Errorf("NVIDIA's driver counts no devices: %w", err)
	}
	if o.Ordinal < 0 || o.Ordinal >= n {
		return nil, fmt.Errorf("no GPU %d; there are %d, numbered from 0", o.Ordinal, n)
	}
	d := &back{opts: o, driver: cu.Version()}
	if d.driver < driverNeeded {
		return nil, fmt.Errorf(
			"NVIDIA's driver is %s; wanted driver %s or newer",
			driverName(d.driver),
			driverName(driverNeeded),
		)
	}
	if d.info, err = describe(o.Ordinal); err != nil {
		return nil, err
	}
	if d.info.Major < 7 {
		return nil, fmt.Errorf(
			"GPU %d, %s, has compute capability %d.%d; wanted 7.0 or more",
			o.Ordinal,
			d.info.Name,
			d.info.Major,
			d.info.Minor,
		)
	}
	runtime.LockOSThread() // a context belongs to a thread
	defer runtime.UnlockOSThread()
	if err := d.open(); err != nil {
		d.Close()
		return nil, fmt.Errorf("GPU %d, %s: %w", o.Ordinal, d.info.Name, err)
	}
	return d, nil
}

func (d *back) open() error {
	dev, err := cu.GetDevice(d.opts.Ordinal)
	if err != nil {
		return err
	}
	if d.sms, err = dev.Attribute(cu.MultiprocessorCount); err != nil {
		return err
	}
	if err := d.choosePrecision(); err != nil {
		return err
	}
	// Waits let the processor sleep. Where somebody else has the context already, theirs may not.
	_ = dev.SetPrimaryCtxFlags(cu.SchedBlockingSync)
	if d.ctx, err = dev.RetainPrimaryCtx(); err != nil {
		return fmt.Errorf("no context: %w", err)
	}
	if err := cu.SetCurrentContext(d.ctx); err != nil {
		return err
	}
	if d.stream, err = cu.MakeStream(cu.NonBlocking); err != nil {
		return err
	}
	if err := d.loadKernels(); err != nil {
		return err
	}
	for _, f := range []func() error{
		d.openFault, d.openStaging, d.openQueue, d.openFetches, d.openScratch, d.openLibraries, d.openChoices,
		d.openMonitor,
	} {
		if err := f(); err != nil {
			return err
		}
	}
	d.memory.own, d.memory.opened, d.ready = d.memory.held, d.memory.used.Load(), true
	return d.sync()
}

// loadKernels loads the kernels that the precision wants.
func (d *back) loadKernels() error {
	if err := d.load("kernels", compressedKernels, 0, firstTensor); err != nil {
		return err
	}
	if d.precision == FP32 {
		return nil
	}
	if err := d.load("tensor", compressedTensor, firstTensor, firstNhwc); err != nil {
		return err
	}
	return d.load("nhwc", compressedNhwc, firstNhwc, kernelCount)
}

// load loads the module of some kernels: the cubin for the GPU, or where there is none that the driver takes the PTX,
// which the driver compiles and remembers for the next time.
func (d *back) load(name string, ptx []byte, from, to kernelID) error {
	module, err := d.loadCubin(name)
	if err != nil {
		if module, err = d.compile(ptx); err != nil {
			return fmt.Errorf("the driver does not take the kernels: %w", err)
		}
	}
	d.modules = append(d.modules, module)
	for k := from; k < to; k++ {
		f, err := module.Function(kernelNames[k])
		if err != nil {
			return fmt.Errorf("kernel %s: %w", kernelNames[k], err)
		}
		d.functions[k] = uint64(*(*uintptr)(unsafe.Pointer(&f)))
	}
	return nil
}

// errNoCubin says that the program has no cubin for a GPU.
var errNoCubin = errors.New("no cubin")

func (d *back) loadCubin(name string) (cu.Module, error) {
	compressed := cubinOf(name, d.info.Major, d.info.Minor)
	if compressed == nil {
		return cu.Module{}, errNoCubin
	}
	binary, err := image(compressed)
	if err != nil {
		return cu.Module{}, err
	}
	var m C.CUmodule
	at := C.CBytes([]byte(binary)) // cu.LoadData wants a text, without a 0 in its middle
	defer C.free(at)
	if r := C.cuModuleLoadData(&m, at); r != 0 {
		return cu.Module{}, fmt.Errorf("cubin of %s: CUDA error %d", name, int(r))
	}
	return *(*cu.Module)(unsafe.Pointer(&m)), nil
}

// compile has the driver compile PTX.
func (d *back) compile(ptx []byte) (cu.Module, error) {
	defer d.during("compiling kernels")()
	if d.opts.Compiling != nil {
		d.opts.Compiling(d.info)
		d.opts.Compiling = nil // it is said once, of all modules
	}
	text, err := image(ptx)
	if err != nil {
		return cu.Module{}, err
	}
	return cu.LoadData(text)
}

// choosePrecision fixes the precision that was asked for.
func (d *back) choosePrecision() error {
	d.precision = d.opts.Precision
	switch {
	case d.precision == Auto && d.info.Major >= 8:
		d.precision = TF32
	case d.precision == Auto:
		d.precision = FP32
	case d.precision != FP32 && d.info.Major < 8:
		return fmt.Errorf(
			"no %s: it wants compute capability 8.0, and this is %d.%d; --precision fp32 works",
			d.precision,
			d.info.Major,
			d.info.Minor,
		)
	}
	return nil
}

// function is a kernel as C has it.
func (d *back) function(k kernelID) C.CUfunction {
	return *(*C.CUfunction)(unsafe.Pointer(&d.functions[k]))
}

// c and s are the context and the stream as C has them.
func (d *back) c() C.CUcontext { return *(*C.CUcontext)(unsafe.Pointer(&d.ctx)) }
func (d *back) s() C.CUstream  { return *(*C.CUstream)(unsafe.Pointer(&d.stream)) }

// makeEvent makes an event. Who waits for it sleeps meanwhile, where a wait by default spins on a processor.
func (d *back) makeEvent(flags cu.EventFlags) (cu.Event, error) {
	leave, err := d.enter()
	if err != nil {
		return cu.Event{}, err
	}
	defer leave()
	e, err := cu.MakeEvent(flags | cu.BlockingSyncEvent)
	if err != nil {
		return cu.Event{}, err
	}
	if d.events == nil {
		d.events = map[cu.Event]bool{}
	}
	d.events[e] = true
	return e, nil
}

// closeEvents destroys some events; all where none are given.
func (d *back) closeEvents(some ...cu.Event) {
	if len(some) == 0 {
		some = slices.Collect(maps.Keys(d.events))
	}
	for _, e := range some {
		if d.events[e] {
			delete(d.events, e)
			_ = cu.DestroyEvent(&e)
		}
	}
}

// during sets what the device says that it is about; the function that it returns ends it.
func (d *back) during(phase string) (done func()) {
	before := d.phase.Swap(&phase)
	return func() { d.phase.Store(before) }
}

// sync waits for everything.
func (d *back) sync() error { return d.Await(d.Mark()) }

// Name implements gpu.Back.
func (d *back) Name() string { return d.info.Name }

// Capabilities implements gpu.Back.
func (d *back) Capabilities() gpu.Capabilities {
	return gpu.Capabilities{
		Kind: "cuda", BLAS: d.using(), Sums: d.sums(), Lag: lag, Notices: d.notices,
		ComputedBy: append([]string{d.info.Name}, d.computedBy()...),
	}
}

// Close implements gpu.Back.
func (d *back) Close() error {
	if d.ctx == (cu.CUContext{}) {
		return nil
	}
	d.closeMonitor()
	var err error
	if d.ready {
		err = d.sync()
	}
	if leave, e := d.enter(); e == nil {
		defer leave()
	}
	d.saveChoices()
	d.closeRanks()
	d.closeLibraries()
	d.programs.free(d)
	d.memory.free(d)
	d.freePinned()
	d.closeEvents()
	for _, s := range []*cu.Stream{&d.stream, &d.staging.copies} {
		if *s != (cu.Stream{}) {
			_ = s.Destroy()
		}
	}
	for _, m := range d.modules {
		C.cuModuleUnload(*(*C.CUmodule)(unsafe.Pointer(&m)))
	}
	d.modules = nil
	// Others may still have the context, so all that was made in it was given back before.
	_ = cu.Device(d.opts.Ordinal).ReleasePrimaryCtx()
	d.ctx = cu.CUContext{}
	return err
}
