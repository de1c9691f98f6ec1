package main

import (
	"context"
	"errors"
	"flag"
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/ship"
)

// expectFlags are the flags of inspect that say what weights come to on a net.
type expectFlags struct {
	model  string
	target string
	goal   autopilot.Target // target, as check reads it
	passes int
}

func (f *expectFlags) add(fs *flag.FlagSet) {
	fs.StringVar(
		&f.model,
		"model",
		"",
		"the weights' net: what they come to on it, and ms of a pass on the CPU, dense and "+
			"with zeros left out",
	)
	fs.StringVar(&f.target, "target", "", "with --model, also what they would come to pruned to this, as they are: "+
		autopilot.TargetForms)
	fs.IntVar(&f.passes, "passes", 20, "with --model, passes of each kind that are timed; 0: none")
}

// check reports flags that make no sense, and reads the target.
func (f *expectFlags) check(set map[string]bool) error {
	switch {
	case f.model == "" && (set["target"] || set["passes"]):
		return usagef("inspect: --target and --passes want the weights' net: --model net.prototxt")
	case f.passes < 0:
		return usagef("inspect: --passes is %d; wanted at least 0", f.passes)
	case f.target == "":
		return nil
	}
	var err error
	if f.goal, err = autopilot.ParseTarget(f.target); err != nil {
		return usagef("inspect: --target %v", err)
	}
	return nil
}

// expectation is what weights come to on a net, as they are or pruned to a target.
type expectation struct {
	title   string
	stored  *caffepb.NetParameter
	weights *ship.Weights
	net     *ship.Net
	times   model.ForwardTimes
}

// expect prints what weights come to on a net.
func (f *expectFlags) expect(ctx context.Context, e *env, shapes *shapeFlags, path string) error {
	w, err := caffe.ReadNet(path)
	if err != nil {
		return err
	}
	if _, _, err := model.ApplyMasks(w); err != nil {
		return &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
	}
	file, err := caffe.ReadNetPrototxt(f.model)
	if err != nil {
		return err
	}
	dry, err := shapes.shapes(file)
	if err != nil {
		return err
	}
	defer dry.Close()
	all := []*expectation{{title: "now", stored: w}}
	var scale autopilot.Scale
	if f.target != "" {
		var pruned *caffepb.NetParameter
		if pruned, scale, err = ship.Pruned(dry, path, w, f.goal); err != nil {
			return fmt.Errorf("inspect: --target %s: %w", escape.Line(f.target), err)
		}
		all = append(all, &expectation{title: "at " + f.target, stored: pruned})
	}
	for _, x := range all {
		if x.weights, err = ship.Of(x.stored); err == nil {
			x.net, err = ship.On(file, dry, path, x.stored)
		}
		if err != nil {
			return fileError(path, err)
		}
	}
	switch {
	case f.target == "":
	case all[1].net.Kept == all[0].net.Kept:
		escape.Fprintf(e.stdout, "at %s: the weights keep no more than that already\n", f.target)
	default:
		escape.Fprintf(e.stdout,
			"at %s: pruned at once, by the scale %s; a descent keeps as much of the net, but of other weights, "+
				"and its layers keep other parts of it\n", f.target, scale)
	}
	batch := 0
	if f.passes > 0 {
		o := model.NetOptions{State: shapes.netState(), Seed: 1, Inputs: shapes.input.Inputs}
		if o.Inputs == nil {
			o.Inputs = model.StandIn(model.LayersOf(dry, file))
		}
		if batch, err = f.time(ctx, e, file, o, path, all); err != nil {
			return err
		}
	}
	printExpectation(e, all, batch)
	return nil
}

// time measures passes forward on random inputs, of all in turn, and returns their batch.
func (f *expectFlags) time(
	ctx context.Context, e *env, file *caffe.NetFile, o model.NetOptions, path string, all []*expectation,
) (batch int, err error) {
	var weights []*caffepb.NetParameter
	for _, x := range all {
		weights = append(weights, x.stored)
	}
	p, err := ship.NewPasses(file, o, path, weights...)
	if err != nil {
		return 0, adviseInput(err)
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	times, err := timePasses(ctx, e, f.passes, p.Time)
	if err != nil {
		return 0, err
	}
	for i, x := range all {
		x.times = times[i]
	}
	return p.Batch(), nil
}

// fileError says of which file an error is, where it does not say so itself.
func fileError(path string, err error) error {
	if f := new(caffe.FileError); errors.As(err, &f) {
		return err
	}
	return &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
}

// printExpectation prints the figures of the whole net, and those of its layers.
func printExpectation(e *env, all []*expectation, batch int) {
	head := []string{""}
	for _, x := range all {
		head = append(head, x.title)
	}
	rows := [][]string{head}
	add := func(name string, of func(*expectation) string) {
		row := []string{name}
		for _, x := range all {
			row = append(row, of(x))
		}
		rows = append(rows, row)
	}
	number := func(name string, of func(*expectation) int) {
		add(name, func(x *expectation) string { return human.Count(of(x)) })
	}
	number("parameters", func(x *expectation) int { return x.net.Parameters })
	number("parameters that are not zero", func(x *expectation) int { return x.net.Kept })
	number("bytes of export's caffemodel", func(x *expectation) int { return int(x.weights.Bytes.Caffemodel) })
	number("bytes of export's compact file", func(x *expectation) int { return int(x.weights.Bytes.Compact) })
	number("bytes of export's safetensors", func(x *expectation) int { return int(x.weights.Bytes.Safetensors) })
	number("parameters of export --shrink's net", func(x *expectation) int { return x.net.Smaller })
	number("multiply-accumulates an image", func(x *expectation) int { return int(x.net.MACs.Dense) })
	number("without those of zeros", func(x *expectation) int { return int(x.net.MACs.Kept) })
	if batch > 0 {
		ms := func(name string, of func(*expectation) float64) {
			add(name, func(x *expectation) string { return fmt.Sprintf("%.4f", of(x)) })
		}
		ms("ms a pass, dense", func(x *expectation) float64 { return milliseconds(x.times.Dense) })
		ms("ms a pass, zeros left out", func(x *expectation) float64 { return milliseconds(x.times.Pass) })
	}
	printColumns(e.stdout, 1, rows)
	if batch > 0 {
		escape.Fprintf(e.stdout, "medians of passes forward on random numbers, batch %d\n", batch)
	}
	escape.Fprintln(e.stdout)
	head = []string{"layer", "type", "entries", "outputs"}
	for _, x := range all {
		head = append(head, "kept "+x.title, "live "+x.title)
	}
	rows = [][]string{head}
	for i, l := range all[0].net.Layers {
		row := []string{l.Name, l.Type, human.Count(l.Entries), human.Count(l.Outputs)}
		for _, x := range all {
			row = append(row, human.Count(x.net.Layers[i].Kept), human.Count(x.net.Layers[i].Live))
		}
		rows = append(rows, row)
	}
	printColumns(e.stdout, 2, rows)
}
