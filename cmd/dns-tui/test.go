package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model"
)

func runTest(ctx context.Context, e *env, args []string) error {
	var f deviceFlags
	fs := newFlags(e, "test")
	f.add(fs)
	netPath := fs.String("model", "", "the net's prototxt")
	weights := fs.String("weights", "", "caffemodels to load, separated by commas")
	iterations := fs.Int("iterations", 50, "batches to evaluate")
	level := fs.Int("level", 0, "level of the net's state")
	stage := fs.String("stage", "", "stages of the net's state, separated by commas")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	switch {
	case len(rest) > 0:
		return usagef("test: %q is no flag", rest[0])
	case *netPath == "":
		return usagef("test: --model is not given")
	case *weights == "":
		return usagef("test: --weights is not given")
	case *iterations < 1:
		return usagef("test: --iterations is %d; wanted at least 1", *iterations)
	}
	file, err := caffe.ReadNetPrototxt(*netPath)
	if err != nil {
		return err
	}
	d, err := f.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	st := &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}
	lv := int32(*level)
	st.Level = &lv
	if *stage != "" {
		st.Stage = strings.Split(*stage, ",")
	}
	net, err := model.NewNet(file, model.NetOptions{Device: d, State: st})
	if err != nil {
		return err
	}
	defer net.Close()
	for _, w := range strings.Split(*weights, ",") {
		m, err := caffe.ReadNet(w)
		if err != nil {
			return err
		}
		if err := net.LoadWeights(w, m, false); err != nil {
			return err
		}
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	signals(ctx, func(os.Signal) { cancel() }, func() {})
	r, err := model.Evaluate(net, *iterations, func() bool { return ctx.Err() != nil })
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
