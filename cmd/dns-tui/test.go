package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
)

// netFlags are the flags that describe a net without a solver, of test and time.
type netFlags struct {
	device     deviceFlags
	model      string
	weights    string
	iterations int
	phase      string
	level      int
	stage      string
}

func (f *netFlags) add(fs *flag.FlagSet, phase string) {
	f.device.add(fs)
	fs.StringVar(&f.model, "model", "", "the net's prototxt")
	fs.StringVar(&f.weights, "weights", "", "caffemodels to load, separated by commas")
	fs.IntVar(&f.iterations, "iterations", 50, "batches")
	fs.StringVar(&f.phase, "phase", phase, "TRAIN or TEST")
	fs.IntVar(&f.level, "level", 0, "level of the net's state")
	fs.StringVar(&f.stage, "stage", "", "stages of the net's state, separated by commas")
}

func (f *netFlags) check(name string, rest []string) error {
	switch {
	case len(rest) > 0:
		return usagef("%s: %q is no flag", name, rest[0])
	case f.model == "":
		return usagef("%s: --model is not given", name)
	case f.iterations < 1:
		return usagef("%s: --iterations is %d; wanted at least 1", name, f.iterations)
	case f.phase != "TRAIN" && f.phase != "TEST":
		return usagef("%s: --phase is %q; wanted TRAIN or TEST", name, f.phase)
	}
	return nil
}

// load builds the net and loads its weights.
func (f *netFlags) load(d gpu.Device) (*model.Net, error) {
	file, err := caffe.ReadNetPrototxt(f.model)
	if err != nil {
		return nil, err
	}
	level := int32(f.level)
	st := &caffepb.NetState{Phase: caffepb.Phase(caffepb.Phase_value[f.phase]).Enum(), Level: &level}
	if f.stage != "" {
		st.Stage = strings.Split(f.stage, ",")
	}
	net, err := model.NewNet(file, model.NetOptions{Device: d, State: st})
	if err != nil || f.weights == "" {
		return net, err
	}
	for _, w := range strings.Split(f.weights, ",") {
		m, err := caffe.ReadNet(w)
		if err == nil {
			err = net.LoadWeights(w, m, false)
		}
		if err != nil {
			net.Close()
			return nil, err
		}
	}
	return net, nil
}

// untilSignal returns a context that a signal ends.
func untilSignal(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	signals(ctx, func(os.Signal) { cancel() }, func() {})
	return ctx, cancel
}

func runTest(ctx context.Context, e *env, args []string) error {
	var f netFlags
	fs := newFlags(e, "test")
	f.add(fs, "TEST")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := f.check("test", rest); err != nil {
		return err
	}
	if f.weights == "" {
		return usagef("test: --weights is not given")
	}
	d, err := f.device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	net, err := f.load(d)
	if err != nil {
		return err
	}
	defer net.Close()
	ctx, cancel := untilSignal(ctx)
	defer cancel()
	r, err := model.Evaluate(net, f.iterations, func() bool { return ctx.Err() != nil })
	if errors.Is(err, model.ErrStopped) {
		return errors.New("test: interrupted")
	}
	if err != nil {
		return err
	}
	for _, o := range r.Outputs {
		fmt.Fprintln(e.stdout, formatOutput(o))
	}
	return nil
}

// formatOutput is Caffe's way to print a test output.
func formatOutput(o model.Output) string {
	s := fmt.Sprintf("%s = %.6g", o.Name, o.Value)
	if o.LossWeight != 0 {
		s += fmt.Sprintf(" (* %g = %.6g loss)", o.LossWeight, o.LossWeight*o.Value)
	}
	return s
}

func runTime(ctx context.Context, e *env, args []string) error {
	var f netFlags
	fs := newFlags(e, "time")
	f.add(fs, "TRAIN")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := f.check("time", rest); err != nil {
		return err
	}
	d, err := f.device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	net, err := f.load(d)
	if err != nil {
		return err
	}
	defer net.Close()
	ctx, cancel := untilSignal(ctx)
	defer cancel()
	stop := func() bool { return ctx.Err() != nil }
	if _, err := net.Time(1, stop); err != nil { // the first pass allocates
		return err
	}
	times, err := net.Time(f.iterations, stop)
	if errors.Is(err, model.ErrStopped) {
		return errors.New("time: interrupted")
	}
	if err != nil {
		return err
	}
	var total model.LayerTime
	fmt.Fprintf(e.stdout, "%-24s %-16s %12s %12s\n", "layer", "type", "forward", "backward")
	line := func(t model.LayerTime) {
		ms := func(d float64) float64 { return 1000 * d / float64(f.iterations) }
		fmt.Fprintf(e.stdout, "%-24s %-16s %9.3f ms %9.3f ms\n", t.Name, t.Type, ms(t.Forward.Seconds()), ms(t.Backward.Seconds()))
	}
	for _, t := range times {
		line(t)
		total.Forward += t.Forward
		total.Backward += t.Backward
	}
	total.Name = "all"
	line(total)
	fmt.Fprintf(e.stdout, "average of %d passes on the %s\n", f.iterations, d.Name())
	return nil
}
