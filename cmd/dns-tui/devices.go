package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/host"
	"dns-tui/human"
)

// deviceFlags are the flags that choose a device, on every command that computes.
type deviceFlags struct {
	gpu       string
	device    string
	threads   int
	goBLAS    bool
	sync      bool
	precision string
	untuned   bool
	mode      *caffepb.SolverParameter // what the solver says of the device; nil without one
	progress  io.Writer                // is told what takes long; may be nil
}

func (f *deviceFlags) add(fs *flag.FlagSet) {
	fs.StringVar(
		&f.gpu,
		"gpu",
		"",
		"GPU to use, by number, as CUDA_VISIBLE_DEVICES counts (default: the solver's device_id); training takes "+
			"several, 0,1 or all, each with the prototxt's batch",
	)
	fs.StringVar(
		&f.device,
		"device",
		"",
		"host or cuda (default: a GPU where there is one, unless the solver says solver_mode: CPU)",
	)
	fs.IntVar(&f.threads, "threads", 0, "threads of the host device (0: one a processor)")
	fs.BoolVar(&f.goBLAS, "go-blas", false, "multiply matrices in Go even where OpenBLAS is found")
	fs.StringVar(
		&f.precision,
		"precision",
		"auto",
		"how a GPU multiplies: fp32, tf32 or bf16; auto is tf32 where the GPU has it. Weights and masks are float32 "+
			"always",
	)
	fs.BoolVar(
		&f.untuned,
		"untuned",
		false,
		"choose kernels by a rule, the same on every machine, not by what is measured",
	)
	fs.BoolVar(&f.sync, "gpu-sync", false, "wait after each kernel of the GPU, to find the one that fails; slow")
}

// check reports flags that make no sense.
func (f *deviceFlags) check() error {
	switch f.device {
	case "":
	case "host":
		if f.gpu != "" {
			return usagef("--device host and --gpu %s are mutually exclusive", f.gpu)
		}
	case "cuda":
		if !cuda.Built {
			return cuda.ErrAbsent
		}
	default:
		return usagef("--device is %q; wanted host or cuda", f.device)
	}
	if f.threads < 0 {
		return usagef("--threads is %d; wanted at least 0", f.threads)
	}
	if _, err := cuda.ParsePrecision(f.precision); err != nil {
		return usageError{fmt.Errorf("--%w", err)}
	}
	if err := host.CheckVectors(); err != nil {
		return usageError{err}
	}
	_, err := f.ordinals()
	return err
}

// ordinals returns the GPUs that --gpu names; all is the first.
func (f *deviceFlags) ordinals() ([]int, error) {
	if f.gpu == "" {
		return nil, nil
	}
	if f.gpu == "all" {
		return allGPUs()
	}
	var out []int
	for s := range strings.SplitSeq(f.gpu, ",") {
		n, err := strconv.Atoi(strings.TrimSpace(s))
		if err != nil || n < 0 {
			return nil, usagef("--gpu is %q; wanted numbers from 0, separated by commas, or all", f.gpu)
		}
		if slices.Contains(out, n) {
			return nil, usagef("--gpu is %q: GPU %d is named twice", f.gpu, n)
		}
		out = append(out, n)
	}
	return out, nil
}

// allGPUs lists the GPUs of the machine; one that has none is left to make, which says so.
func allGPUs() ([]int, error) {
	found, err := cuda.Devices()
	if err != nil || len(found) == 0 {
		return []int{0}, nil
	}
	return ordinalsOf(found), nil
}

// ordinalsOf are the numbers of GPUs.
func ordinalsOf(found []cuda.Info) []int {
	gpus := make([]int, len(found))
	for i, g := range found {
		gpus[i] = g.Ordinal
	}
	return gpus
}

// onCPU reports whether the solver says solver_mode: CPU.
func (f *deviceFlags) onCPU() bool {
	return f.mode != nil && f.mode.SolverMode != nil && f.mode.GetSolverMode() == caffepb.SolverParameter_CPU
}

// make returns the device that the flags and the solver ask for, and what the user should know about it. A machine
// without a GPU gets the host device, unless --device cuda insists; a GPU that is not there on a machine that has
// others is an error.
func (f *deviceFlags) make() (d *gpu.Device, notices []string, err error) {
	asked, err := f.ordinals()
	if err != nil {
		return nil, nil, err
	}
	onHost := f.device == "host" || f.device == "" && len(asked) == 0 && f.onCPU()
	if !onHost {
		o := cuda.Options{Ordinal: int(f.mode.GetDeviceId()), Blocking: f.sync, Tune: !f.untuned}
		if o.Precision, err = cuda.ParsePrecision(f.precision); err != nil {
			return nil, nil, err
		}
		if len(asked) > 0 {
			o.Ordinal = asked[0]
		}
		if f.progress != nil {
			o.Compiling = func(i cuda.Info) { sayCompiling(f.progress, i) }
		}
		if len(asked) > 1 {
			notices = append(notices, fmt.Sprintf("-gpu %s: one GPU is used, number %d", f.gpu, o.Ordinal))
		}
		d, err = cuda.Open(o)
		none := errors.Is(err, cuda.ErrAbsent) || errors.Is(err, cuda.ErrNoGPU)
		switch {
		case err == nil:
			return d, append(notices, d.Capabilities().Notices...), nil
		case f.device == "cuda", len(asked) > 0 && !none:
			return nil, nil, err
		}
		d = f.host()
		switch {
		case len(asked) > 0:
			notices = []string{fmt.Sprintf("-gpu %s: %v; continuing on the %s", f.gpu, err, d.Name())}
		case !none:
			notices = append(notices, fmt.Sprintf("%v; continuing on the %s", err, d.Name()))
		}
	}
	if d == nil {
		d = f.host()
	}
	if f.precision == "tf32" || f.precision == "bf16" {
		notices = append(
			notices,
			fmt.Sprintf("--precision %s has no effect: the host computes in float32", f.precision),
		)
	}
	return d, append(notices, d.Capabilities().Notices...), nil
}

func (f *deviceFlags) host() *gpu.Device {
	return host.New(host.Options{Threads: f.threads, GoBLAS: f.goBLAS, Tune: !f.untuned})
}

// open is check and make, with the notices on stderr.
func (f *deviceFlags) open(e *env) (*gpu.Device, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	f.progress = e.stderr
	d, notices, err := f.make()
	if err != nil {
		return nil, err
	}
	e.notice(notices)
	return d, nil
}

// notice tells people what they should know, a line each.
func (e *env) notice(lines []string) {
	for _, l := range lines {
		escape.Fprintf(e.stderr, "dns-tui: %s\n", l)
	}
}

// sayCompiling says why nothing happens for a while.
func sayCompiling(w io.Writer, i cuda.Info) {
	escape.Fprintf(
		w,
		"dns-tui: the driver compiles the kernels for GPU %d, %s: tens of seconds, the first time\n",
		i.Ordinal,
		i.Name,
	)
}

func runDevices(_ context.Context, e *env, args []string) error {
	var f deviceFlags
	fs := newFlags(e, "devices")
	f.add(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	if err := f.check(); err != nil {
		return err
	}
	d := f.host()
	defer d.Close()
	c := d.Capabilities()
	escape.Fprintf(e.stdout, "%s\n  matrix products: %s\n  convolutions: %s\n  vectors: %s\n  threads: %d\n", d.Name(),
		c.BLAS, c.Convolutions, c.Vectors, c.Threads)
	jpegs, why := dataset.JPEGDecoder()
	if why != nil {
		jpegs += ", which takes several times as long as libjpeg-turbo (Debian: libturbojpeg0): " + why.Error()
	}
	escape.Fprintf(e.stdout, "  JPEGs: %s\n", jpegs)
	for _, n := range c.Notices {
		escape.Fprintf(e.stdout, "  note: %s\n", n)
	}
	gpus, err := cuda.Devices()
	if err != nil {
		escape.Fprintf(e.stdout, "cuda\n  %v\n", err)
		return nil
	}
	for _, g := range gpus {
		escape.Fprintf(
			e.stdout,
			"cuda %d: %s\n  driver: %s\n  compute capability: %d.%d\n  memory: %s\n",
			g.Ordinal,
			g.Name,
			g.Driver,
			g.Major,
			g.Minor,
			human.Bytes(g.Memory),
		)
		if err := describeGPU(e, &f, g); err != nil {
			return err
		}
	}
	describeNCCL(e, len(gpus))
	return nil
}

// describeNCCL says by what several GPUs are joined, or what to install for that.
func describeNCCL(e *env, gpus int) {
	name, path, err := cuda.NCCL()
	switch {
	case err == nil:
		escape.Fprintf(e.stdout, "several GPUs: by %s, %s\n", name, path)
	case gpus > 1:
		escape.Fprintf(e.stdout, "several GPUs: %v\n", err)
	}
}

// describeGPU says what is in use on a GPU.
func describeGPU(e *env, f *deviceFlags, g cuda.Info) error {
	precision, err := cuda.ParsePrecision(f.precision)
	if err != nil {
		return usageError{err}
	}
	d, err := cuda.Open(cuda.Options{
		Ordinal: g.Ordinal, Precision: precision, Compiling: func(i cuda.Info) { sayCompiling(e.stderr, i) },
	})
	if err != nil {
		escape.Fprintf(e.stdout, "  cannot be used: %v\n", err)
		return nil
	}
	defer d.Close()
	c := d.Capabilities()
	escape.Fprintf(e.stdout, "  matrix products: %s\n", c.BLAS)
	for _, n := range c.Notices {
		escape.Fprintf(e.stdout, "  note: %s\n", n)
	}
	return nil
}
