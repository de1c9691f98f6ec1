package main

import (
	"context"
	"flag"
	"fmt"

	"dns-tui/gpu"
	"dns-tui/gpu/host"
)

// deviceFlags are the flags that choose a device, on every command that computes.
type deviceFlags struct {
	gpu     string
	device  string
	threads int
	goBLAS  bool
}

func (f *deviceFlags) add(fs *flag.FlagSet) {
	fs.StringVar(&f.gpu, "gpu", "", "GPU to use, by number (this build has the host device only)")
	fs.StringVar(&f.device, "device", "", "host or cuda")
	fs.IntVar(&f.threads, "threads", 0, "threads of the host device (0: one a processor)")
	fs.BoolVar(&f.goBLAS, "go-blas", false, "multiply matrices in Go even where OpenBLAS is found")
}

// check reports flags that make no sense.
func (f *deviceFlags) check() error {
	switch f.device {
	case "", "host":
	case "cuda":
		return fmt.Errorf("this build has no CUDA device; --device host is there")
	default:
		return usagef("--device is %q; wanted host or cuda", f.device)
	}
	if f.threads < 0 {
		return usagef("--threads is %d; wanted at least 0", f.threads)
	}
	return nil
}

// make returns the device that the flags ask for, or the host device, and what the user should know about it.
func (f *deviceFlags) make() (d gpu.Device, notices []string) {
	d = host.New(host.Options{Threads: f.threads, GoBLAS: f.goBLAS})
	if f.gpu != "" {
		notices = append(notices, fmt.Sprintf("-gpu %s: this build has no CUDA device; going on with the %s", f.gpu, d.Name()))
	}
	return d, append(notices, d.Capabilities().Notices...)
}

// open is check and make, with the notices on stderr.
func (f *deviceFlags) open(e *env) (gpu.Device, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	d, notices := f.make()
	for _, n := range notices {
		fmt.Fprintf(e.stderr, "dns-tui: %s\n", n)
	}
	return d, nil
}

func runDevices(_ context.Context, e *env, args []string) error {
	var f deviceFlags
	fs := newFlags(e, "devices")
	f.add(fs)
	if _, err := parse(fs, args); err != nil {
		return err
	}
	d := host.New(host.Options{Threads: f.threads, GoBLAS: f.goBLAS})
	defer d.Close()
	c := d.Capabilities()
	fmt.Fprintf(e.stdout, "%s\n  matrix products: %s\n  threads: %d\n", d.Name(), c.BLAS, c.Threads)
	for _, n := range c.Notices {
		fmt.Fprintf(e.stdout, "  note: %s\n", n)
	}
	fmt.Fprintln(e.stdout, "cuda\n  not in this build")
	return nil
}
