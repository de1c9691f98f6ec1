package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/draw"
)

// shapeFlags say how a net is built that is only looked at.
type shapeFlags struct {
	stateFlags
	input string
}

func (f *shapeFlags) add(fs *flag.FlagSet) {
	f.stateFlags.add(fs, "TRAIN")
	fs.StringVar(&f.input, "input", "", "the images' shape, such as 3x227x227, where the data is not there to tell; or the shapes of all tops: 20x8,20x8")
}

// parseShapes reads 3x227x227, or several with commas between them.
func parseShapes(s string) ([][]int, error) {
	if s == "" {
		return nil, nil
	}
	var shapes [][]int
	for text := range strings.SplitSeq(s, ",") {
		var shape []int
		for part := range strings.SplitSeq(text, "x") {
			n, err := strconv.Atoi(part)
			if err != nil || n < 1 {
				return nil, usagef("--input is %q; wanted channels, height and width, such as 3x227x227", s)
			}
			shape = append(shape, n)
		}
		shapes = append(shapes, shape)
	}
	return shapes, nil
}

// shapes builds a net without its data, on a device that allocates nothing. The data is asked only for its shape, where
// nothing else tells it.
func (f *shapeFlags) shapes(file *caffe.NetFile) (*model.Net, error) {
	if err := f.check("inspect, draw"); err != nil {
		return nil, err
	}
	input, err := parseShapes(f.input)
	if err != nil {
		return nil, err
	}
	without, err := model.WithInputs(file, 1, input...)
	if err != nil {
		without = file
	}
	n, buildErr := model.NewNet(without, model.NetOptions{Device: gpu.Dry{}, State: f.netState()})
	if buildErr != nil && err != nil {
		return nil, &noShapesError{fmt.Errorf("%w, and that is not there: %w; --input CxHxW says it", err, buildErr)}
	}
	return n, buildErr
}

// noShapesError says why a net's shapes are not known: there is nothing wrong with the net.
type noShapesError struct{ error }

func runDraw(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "draw")
	var f shapeFlags
	weights := fs.String("weights", "", "a caffemodel: how much of each layer is kept")
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 || !strings.HasSuffix(rest[1], ".svg") && !strings.HasSuffix(rest[1], ".dot") {
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
	n, err := f.shapes(file)
	if err != nil {
		return err
	}
	defer n.Close()
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
	g := draw.New(n.Name, model.LayersOf(n, file), kept)
	return caffe.WriteFile(rest[1], func(w io.Writer) error {
		if strings.HasSuffix(rest[1], ".dot") {
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
