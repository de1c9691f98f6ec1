package main

import (
	"context"
	"flag"
	"io"
	"time"

	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model"
)

// forwardOnly makes of flags those of a net that is not trained: zeros are left out of passes forward. The phase is
// TEST, unless one is given.
func (f *netFlags) forwardOnly(fs *flag.FlagSet) {
	f.backward = false
	if !given(fs)["phase"] {
		f.phase = "TEST"
	}
	if f.device.gpu == "" {
		f.device.device = "host"
	}
}

// describePrepared prints how products were done that leave zeros out, and how much faster they are than dense ones.
func describePrepared(w io.Writer, products []model.PreparedProduct) {
	if len(products) == 0 {
		return
	}
	name := len("layer")
	for _, p := range products {
		name = max(name, len([]rune(escape.Line(p.Layer))))
	}
	escape.Fprintf(w, "%-*s  %8s  %12s  %12s  %7s  %s\n", name, "layer", "kept", "dense", "as done", "faster", "how")
	for _, p := range products {
		escape.Fprintf(w, "%-*s  %7.2f%%  %9.4f ms  %9.4f ms  %6.1fx  %s\n", name, p.Layer,
			100*float64(p.Kept)/float64(p.Of), milliseconds(p.Dense), milliseconds(p.Time),
			float64(p.Dense)/float64(max(1, p.Time)), p.Way)
	}
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

// timeSparse measures passes forward that leave zeros out.
func timeSparse(ctx context.Context, e *env, n *model.Net, d *gpu.Device, flags *netFlags) error {
	times, err := timePasses(ctx, e, flags.iterations, n.TimeForward)
	if err != nil {
		return err
	}
	if flags.log == "caffe" {
		for i := range times.Layers {
			times.Layers[i].Forward *= time.Duration(flags.iterations) // logTimes divides sums
		}
		logTimes(e, times.Layers, flags.iterations, time.Duration(flags.iterations)*times.Pass)
		describePrepared(e.stderr, n.Prepared())
		return nil
	}
	escape.Fprintf(e.stdout, "%-24s %-16s %12s\n", "layer", "type", "forward")
	for _, t := range times.Layers {
		escape.Fprintf(e.stdout, "%-24s %-16s %9.4f ms\n", t.Name, t.Type, milliseconds(t.Forward))
	}
	escape.Fprintf(e.stdout, "%-24s %-16s %9.4f ms, dense %.4f ms: %.1f times faster\n", "a pass", "",
		milliseconds(times.Pass), milliseconds(times.Dense), float64(times.Dense)/float64(max(1, times.Pass)))
	describePrepared(e.stdout, n.Prepared())
	escape.Fprintf(e.stdout, "medians of %d passes forward, batch %d, on the %s\n", flags.iterations, n.BatchSize(),
		d.Name())
	return nil
}
