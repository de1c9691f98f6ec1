package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/model"
	"dns-tui/model/draw"
)

// shapeFlags say how a net is built that is only looked at.
type shapeFlags struct {
	stateFlags
	input   inputFlag
	command string // whose flags they are
}

// inputFlag is --input: what stands in place of data layers.
type inputFlag struct {
	text string
	*config.Inputs
}

// String implements flag.Value.
func (f *inputFlag) String() string { return f.text }

// Set implements flag.Value.
func (f *inputFlag) Set(text string) (err error) {
	f.text = text
	f.Inputs, err = config.ParseInputs(text)
	return err
}

// add adds the flag to a command that runs a net.
func (f *inputFlag) add(fs *flag.FlagSet) {
	fs.Var(
		f,
		"input",
		"random data of this shape in place of data layers: 3x227x227, 3x227x227:1000 with labels below 1000, or "+
			"the shapes of all tops: 20x8,20x8",
	)
}

// adviseInput names the flag where a net's data cannot be read.
func adviseInput(err error) error {
	if _, ok := errors.AsType[*model.DataError](err); ok {
		return fmt.Errorf("%w; --input %s puts random data in its place", err, config.InputsForm)
	}
	return err
}

func (f *shapeFlags) add(fs *flag.FlagSet) {
	f.command = fs.Name()
	f.stateFlags.add(fs, "TRAIN")
	fs.Var(
		&f.input,
		"input",
		"the images' shape, such as 3x227x227, where the data is not there to tell; or the shapes of all tops: "+
			"20x8,20x8",
	)
}

// shapes builds a net without its data, on a device that allocates nothing.
func (f *shapeFlags) shapes(file *caffe.NetFile) (*model.Net, error) {
	if err := f.check(f.command); err != nil {
		return nil, err
	}
	var input [][]int
	if f.input.Inputs != nil {
		input = f.input.Shapes
	}
	n, err := model.NewWithoutData(file, f.netState(), input...)
	if _, ok := errors.AsType[*model.NoShapesError](err); ok {
		return nil, fmt.Errorf("%w; --input CxHxW says it", err)
	}
	return n, err
}

// layers describes a net to draw, without shapes where these are not known, which is said.
func (f *shapeFlags) layers(e *env, file *caffe.NetFile) ([]model.LayerInfo, error) {
	n, err := f.shapes(file)
	if _, ok := errors.AsType[*model.NoShapesError](err); ok {
		escape.Fprintf(e.stderr, "drawn without shapes: %v\n", err)
		return model.LayersOfFile(file, f.netState())
	}
	if err != nil {
		return nil, err
	}
	defer n.Close()
	return model.LayersOf(n, file), nil
}

func runDraw(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "draw")
	var f shapeFlags
	weights := fs.String("weights", "", "a caffemodel: how much of each layer is kept")
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 || !files.HasExt(rest[1], ".svg") && !files.HasExt(rest[1], ".dot") {
		return usagef("draw: wanted a net's prototxt and a name that ends in .svg or .dot")
	}
	path, err := netOf(rest[0])
	if err != nil {
		return err
	}
	file, err := caffe.ReadNetPrototxt(path)
	if err != nil {
		return err
	}
	layers, err := f.layers(e, file)
	if err != nil {
		return err
	}
	var kept []model.LayerWeights
	if *weights != "" {
		m, err := caffe.ReadNet(*weights)
		if err == nil {
			kept, err = model.CountWeights(m)
		}
		if err != nil {
			return err
		}
	}
	g := draw.New(file.Net.GetName(), layers, kept)
	return caffe.WriteFile(rest[1], func(w io.Writer) error {
		if files.HasExt(rest[1], ".dot") {
			return g.DOT(w)
		}
		return g.SVG(w)
	})
}

// netOf returns path, or where it is a solver, the net that it trains.
func netOf(path string) (string, error) {
	s := &caffepb.SolverParameter{}
	if caffe.ReadPrototxt(path, s) != nil {
		return path, nil
	}
	for _, net := range []string{s.GetNet(), s.GetTrainNet()} {
		if net != "" {
			return config.Resolve(net, path), nil
		}
	}
	return "", fmt.Errorf("%s: is a solver that names no net in a file of its own", path)
}
