package main

import (
	"context"
	"fmt"

	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/memory"
	"dns-tui/model/solver"
)

// runMemory says what a run takes on a device, and allocates nothing there.
func runMemory(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "memory")
	var device deviceFlags
	var input inputFlag
	device.add(fs)
	input.add(fs)
	batch := fs.Int("batch", 0, "images in a batch of the train net (0: what its data layers say)")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) == 0:
		return usagef("memory: wanted a solver's prototxt")
	case len(rest) > 1:
		return usagef("memory: unexpected argument %q; wanted one solver's prototxt", rest[1])
	case *batch < 0:
		return usagef("memory: --batch is %d; wanted at least 1", *batch)
	}
	run, err := loadSolver(rest[0], "memory")
	if err != nil {
		return err
	}
	run.Inputs, device.mode = input.Inputs, run.Solver
	d, err := device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	m, err := solver.MemoryOf(run, d, *batch)
	if err != nil {
		return adviseInput(err)
	}
	tellMemory(e, d, m)
	return nil
}

// tellMemory prints what takes memory, and how much it is in all.
func tellMemory(e *env, d *gpu.Device, m *solver.Memory) {
	for _, row := range []struct {
		what  string
		bytes int64
		note  string
	}{
		{"weights", m.Weights, "with biases and running statistics"},
		{"gradients of weights", m.Gradients, ""},
		{"history", m.History, "of the update rule"},
		{"forward weights", m.Forward, "of layers that surgery works on"},
		{"blobs", m.Shared, fmt.Sprintf(
			"of all nets, data and gradients, and what layers keep, in turn: %s with memory of their own, as in Caffe",
			human.Bytes(m.Instead))},
		{"the rest", m.Own, "data, outputs, and what layers have for themselves"},
		{"the GPU's own work", m.Opened + m.Work, fmt.Sprintf(
			"%s from the first on; slices of products, and copies in other layouts", human.Bytes(m.Opened))},
	} {
		if row.bytes > 0 {
			escape.Fprintf(e.stdout, "  %-22s %10s  %s\n", row.what, human.Bytes(row.bytes), row.note)
		}
	}
	more := "which needs some more for its own work"
	if m.Opened > 0 {
		more = "and up to an eighth more, as sizes are rounded up; other slices where kernels are measured"
	}
	escape.Fprintf(
		e.stdout,
		"  %-22s %10s  on the %s, %s\n",
		"in all",
		human.Bytes(m.Total()+m.Opened+m.Work),
		d.Name(),
		more,
	)
	if room := memory.Left(); d.Capabilities().Kind == "host" && room.Bytes < m.Total() {
		escape.Fprintf(e.stdout, "  that is more than the %s that are left %s\n", human.Bytes(room.Bytes), room.Bound)
	}
}
