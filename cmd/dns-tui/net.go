package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// netFlags are the flags that describe a net without a solver, of test and time.
type netFlags struct {
	device         deviceFlags
	model          string
	weights        string
	iterations     int
	skipMismatched bool
	stateFlags
	log      string
	input    inputFlag
	sparse   bool
	backward bool     // gradients are wanted, of a net without a loss too
	all      bool     // every number of an output is listed
	profile  bool     // layers are held against their floors
	keep     []string // blobs that are read after a pass
}

// stateFlags say which layers of a net are built.
type stateFlags struct {
	phase, stage string
	level        int
}

func (f *stateFlags) add(fs *flag.FlagSet, phase string) {
	fs.StringVar(&f.phase, "phase", phase, "of a net: TRAIN or TEST")
	fs.IntVar(&f.level, "level", 0, "level of the net's state")
	fs.StringVar(&f.stage, "stage", "", "stages of the net's state, separated by commas")
}

func (f *stateFlags) check(name string) error {
	if f.phase != "TRAIN" && f.phase != "TEST" {
		return usagef("%s: --phase is %q; wanted TRAIN or TEST", name, f.phase)
	}
	return nil
}

func (f *stateFlags) netState() *caffepb.NetState {
	level := int32(f.level)
	st := &caffepb.NetState{Phase: caffepb.Phase(caffepb.Phase_value[f.phase]).Enum(), Level: &level}
	if f.stage != "" {
		st.Stage = strings.Split(f.stage, ",")
	}
	return st
}

func (f *netFlags) add(fs *flag.FlagSet, phase string) {
	f.addNet(fs, phase)
	fs.StringVar(&f.weights, "weights", "", "caffemodels to load, separated by commas")
	fs.StringVar(&f.log, "log", "plain", "form of the lines: plain, or caffe for tools that read Caffe's log")
}

// addNet adds the flags that say which net, on what, and how often it is run.
func (f *netFlags) addNet(fs *flag.FlagSet, phase string) {
	f.device.add(fs)
	fs.StringVar(&f.model, "model", "", "the net's prototxt")
	fs.BoolVar(&f.skipMismatched, "skip-mismatched", false, skipMismatchedUsage)
	fs.IntVar(&f.iterations, "iterations", 50, "batches")
	f.stateFlags.add(fs, phase)
	f.input.add(fs)
	fs.BoolVar(&f.sparse, "sparse", false, "leave out weights that are zero, layer by layer where that is faster, on "+
		"the CPU; says where, and how much faster")
	f.log = "plain"
}

func (f *netFlags) addAll(fs *flag.FlagSet) {
	fs.BoolVar(
		&f.all,
		"all",
		false,
		fmt.Sprintf("list all numbers of outputs that have more than %d", model.FewNumbers),
	)
}

func (f *netFlags) check(name string, rest []string) error {
	switch {
	case len(rest) > 0:
		return usagef("%s: unexpected argument %q", name, rest[0])
	case f.model == "":
		return usagef("%s: --model is not given", name)
	case f.iterations < 1:
		return usagef("%s: --iterations is %d; wanted at least 1", name, f.iterations)
	case f.log != "plain" && f.log != "caffe":
		return usagef("%s: --log is %q; wanted plain or caffe", name, f.log)
	case f.profile && f.sparse:
		return usagef("%s: --profile and --sparse are mutually exclusive: --sparse has a table of its own", name)
	case f.profile && f.log == "caffe":
		return usagef("%s: --profile and --log caffe are mutually exclusive", name)
	case f.sparse && f.weights == "":
		return usagef("%s: --sparse wants weights of which some are zero: --weights is not given", name)
	case f.sparse && f.device.device == "cuda":
		return usagef("%s: --sparse and --device cuda are mutually exclusive: zeros are left out on the CPU", name)
	}
	return f.stateFlags.check(name)
}

// load builds the net and loads its weights. What is to be said of it comes on standard error.
func (f *netFlags) load(e *env, d *gpu.Device) (*model.Net, error) {
	n, notices, err := f.build(d)
	e.notice(notices)
	return n, err
}

// build is load, with what is to be said.
func (f *netFlags) build(d *gpu.Device) (net *model.Net, notices []string, err error) {
	file, err := caffe.ReadNetPrototxt(f.model)
	if err != nil {
		return nil, nil, err
	}
	net, err = model.NewNet(
		file,
		model.NetOptions{Device: d, State: f.netState(), Inputs: f.input.Inputs, Backward: f.backward,
			Reuse: true, Keep: f.keep},
	)
	if err != nil {
		return nil, nil, adviseInput(err)
	}
	notices = net.Found()
	if f.input.Inputs != nil {
		notices = append(notices, fmt.Sprintf("random data in place of data layers (--input %s)", f.input.text))
	}
	if f.weights == "" {
		return net, notices, nil
	}
	l, err := net.LoadFiles(strings.Split(f.weights, ","),
		model.LoadOptions{SkipMismatched: f.skipMismatched, CanSkip: true})
	if err != nil {
		net.Close()
		return nil, notices, err
	}
	notices = append(notices, l.Notices...)
	if len(l.Untouched) > 0 {
		notices = append(notices, "the figures that follow come from untrained weights in part")
	}
	return net, notices, nil
}

// netCommand is a command on a net without a solver.
type netCommand struct {
	name, phase  string
	needsWeights bool
	backward     bool
	outputs      bool                      // are listed
	timed        bool                      // layers are
	operands     func(rest []string) error // checks what is no flag; nil: nothing may be left
	read         *[]string                 // blobs that are read after a pass beside the net's outputs; nil: none
}

// withNet reads the flags of a command, builds its net, and calls f until a signal ends its context.
func withNet(
	ctx context.Context,
	e *env,
	c netCommand,
	args []string,
	f func(ctx context.Context, n *model.Net, d *gpu.Device, flags *netFlags) error,
) (err error) {
	flags := netFlags{backward: c.backward}
	fs := newFlags(e, c.name)
	flags.add(fs, c.phase)
	if c.outputs {
		flags.addAll(fs)
	}
	if c.timed {
		fs.BoolVar(
			&flags.profile,
			"profile",
			false,
			"also GFLOP/s and GB/s of each layer, and how far its time is from "+
				"the least that the device could take",
		)
	}
	fs.Lookup("phase").Usage += "; with --sparse TEST, unless given"
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if c.operands != nil {
		if err := c.operands(rest); err != nil {
			return err
		}
		rest = nil
	}
	if err := flags.check(c.name, rest); err != nil {
		return err
	}
	if flags.sparse {
		flags.forwardOnly(fs)
	}
	if c.needsWeights && flags.weights == "" {
		return usagef("%s: --weights is not given", c.name)
	}
	d, err := flags.device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	if c.read != nil {
		flags.keep = *c.read
	}
	net, err := flags.load(e, d)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, net.Close()) }()
	if net.FillInputLayers() && flags.input.Inputs == nil {
		escape.Fprintf(e.stderr, "dns-tui: %s\n", randomInputs)
	}
	if flags.sparse && !net.Prepare(flags.keep...) {
		return usagef("%s: --sparse is for the CPU, and this is the %s; wanted --device host", c.name, d.Name())
	}
	return untilSignal(ctx, e, c.name, func(ctx context.Context) error { return f(ctx, net, d, &flags) })
}

// randomInputs says what Input layers hold, which nobody fills: zeros would hide what the first layers do.
const randomInputs = "random numbers in place of what Input layers would be given"

// untilSignal calls f with a context that a signal ends.
func untilSignal(ctx context.Context, e *env, name string, f func(context.Context) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exitIfRepeated := exitOnRepeatedSIGTERM(e)
	signals(ctx, func(s os.Signal) {
		exitIfRepeated(s)
		cancel()
	}, func() {})
	err := f(ctx)
	if errors.Is(err, model.ErrStopped) {
		return fmt.Errorf("%s: interrupted", name)
	}
	return err
}

func runTest(ctx context.Context, e *env, args []string) error {
	return withNet(
		ctx,
		e,
		netCommand{name: "test", phase: "TEST", needsWeights: true, outputs: true},
		args,
		func(ctx context.Context, n *model.Net, _ *gpu.Device, flags *netFlags) error {
			batch := 0
			progress := newBar(e, "batches", flags.iterations)
			defer progress.end()
			out := *e
			out.stdout = progress.over(e.stdout)
			r, err := solver.Evaluate(n, flags.iterations, func() bool {
				if flags.log == "caffe" && batch > 0 {
					logBatch(&out, n, batch-1)
				}
				progress.step(batch)
				batch++
				return ctx.Err() != nil
			})
			progress.end()
			if err != nil {
				return err
			}
			if flags.log == "caffe" {
				logBatch(e, n, batch-1)
				caffeLine(e, "caffe.cpp:330", "Loss: %.6g", r.Loss)
				for _, o := range caffeOutputs(r.Outputs) {
					caffeLine(e, "caffe.cpp:342", "%s", formatOutput(o))
				}
				describePrepared(e.stderr, n.Prepared())
				return nil
			}
			printOutputs(e, r.Outputs, flags.all)
			describePrepared(e.stdout, n.Prepared())
			return nil
		},
	)
}

// logBatch prints a batch's outputs as Caffe does.
func logBatch(e *env, n *model.Net, batch int) {
	for _, o := range caffeOutputs(n.Outputs()) {
		caffeLine(e, "caffe.cpp:318", "Batch %d, %s = %.6g", batch, o.Name, o.Value)
	}
}

// allNumbers is what prints what the lists of test and compare leave out.
const allNumbers = "; --all prints them"

// printOutputs prints what a test gave: a line for each number, as Caffe does, but of a blob of many the first.
func printOutputs(e *env, outputs []model.Output, all bool) {
	for _, l := range model.List(model.BlobNames(outputs), all) {
		o := outputs[l.Index]
		o.Name = l.Name
		escape.Fprintln(e.stdout, formatOutput(o))
		if l.More != "" {
			escape.Fprintln(e.stdout, l.More+allNumbers)
		}
	}
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
	return withNet(
		ctx,
		e,
		netCommand{name: "time", phase: "TRAIN", backward: true, timed: true},
		args,
		func(ctx context.Context, n *model.Net, d *gpu.Device, flags *netFlags) error {
			if flags.sparse {
				return timeSparse(ctx, e, n, d, flags)
			}
			if flags.profile {
				return profile(ctx, e, n, d, flags)
			}
			var begin time.Time
			times, err := timePasses(
				ctx,
				e,
				flags.iterations,
				func(passes int, stop func() bool) ([]model.LayerTime, error) {
					begin = time.Now()
					return n.Time(passes, stop)
				},
			)
			if err != nil {
				return err
			}
			if flags.log == "caffe" {
				logTimes(e, times, flags.iterations, time.Since(begin))
				return nil
			}
			printTimes(e, times, flags.iterations)
			escape.Fprintf(e.stdout, "average of %d passes on the %s\n", flags.iterations, d.Name())
			return nil
		},
	)
}

// timePasses measures a number of passes under a progress bar, after one that is not counted: it allocates, and finds
// how products with prepared weights are done fastest.
func timePasses[T any](
	ctx context.Context, e *env, passes int, measure func(passes int, stop func() bool) (T, error),
) (T, error) {
	stop := func() bool { return ctx.Err() != nil }
	if t, err := measure(1, stop); err != nil {
		return t, err
	}
	done := 0
	progress := newBar(e, "passes", passes)
	defer progress.end()
	return measure(passes, func() bool {
		progress.step(done)
		done++
		return stop()
	})
}

// printTimes prints the mean of each layer, and the sums.
func printTimes(e *env, times []model.LayerTime, passes int) {
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(passes) }
	line := func(t model.LayerTime) {
		escape.Fprintf(e.stdout, "%-24s %-16s %9.3f ms %9.3f ms\n", t.Name, t.Type, ms(t.Forward), ms(t.Backward))
	}
	escape.Fprintf(e.stdout, "%-24s %-16s %12s %12s\n", "layer", "type", "forward", "backward")
	total := model.LayerTime{Name: "all"}
	for _, t := range times {
		line(t)
		total.Forward += t.Forward
		total.Backward += t.Backward
	}
	line(total)
}

// logTimes prints what Caffe's time does.
func logTimes(e *env, times []model.LayerTime, passes int, total time.Duration) {
	ms := func(d time.Duration) float64 { return 1000 * d.Seconds() / float64(passes) }
	say := func(format string, args ...any) { caffeLine(e, "caffe.cpp:397", format, args...) }
	say("*** Benchmark begins ***")
	say("Testing for %d iterations.", passes)
	say("Average time per layer: ")
	var forward, backward time.Duration
	for _, t := range times {
		say("%10s\tforward: %.6g ms.", t.Name, ms(t.Forward))
		say("%10s\tbackward: %.6g ms.", t.Name, ms(t.Backward))
		forward, backward = forward+t.Forward, backward+t.Backward
	}
	say("Average Forward pass: %.6g ms.", ms(forward))
	say("Average Backward pass: %.6g ms.", ms(backward))
	say("Average Forward-Backward: %.6g ms.", ms(total))
	say("Total Time: %.6g ms.", 1000*total.Seconds())
	say("*** Benchmark ends ***")
}
