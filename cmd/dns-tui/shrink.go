package main

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu/host"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/shrink"
)

// shrinkPasses is on how many batches a smaller net is compared with the one that it was made of, of random inputs and
// of the net's own.
const shrinkPasses = 3

// mostDifference is how far they may differ, as a part of the largest value of a blob: sums are rounded in another
// order.
const mostDifference = 1e-4

// shrinkNet writes a net without the outputs that do nothing, as a caffemodel and a prototxt of the same name. n are
// its weights with the masks applied. Before anything is written the result is compared with the original.
func (f *shapeFlags) shrinkNet(e *env, prototxt string, n *caffepb.NetParameter, out string) error {
	file, err := caffe.ReadNetPrototxt(prototxt)
	if err != nil {
		return err
	}
	net := strings.TrimSuffix(out, filepath.Ext(out)) + ".prototxt"
	if sameFile(prototxt, net) {
		return usagef("export: --shrink would write its net over %s: another name for %s", prototxt, out)
	}
	shapes, err := f.shapes(file)
	if err != nil {
		return err
	}
	r, err := shrink.Shrink(file, shapes, n)
	shapes.Close()
	if err != nil {
		return &caffe.FileError{Path: prototxt, Msg: err.Error(), Err: err}
	}
	small, err := caffe.ParseNetPrototxt(net, []byte(caffe.FormatPrototxt(r.Net)))
	if err != nil {
		return err
	}
	if err := f.compareNets(e, file, small, n, r.Weights); err != nil {
		return err
	}
	if err := caffe.WriteNet(out, r.Weights); err != nil {
		return err
	}
	text := func(w io.Writer) error { _, err := io.WriteString(w, caffe.FormatPrototxt(r.Net)); return err }
	if err := caffe.WriteFile(net, text); err != nil {
		return err
	}
	describeShrunk(e, r)
	escape.Fprintf(e.stdout, "%s and %s: %s of %s parameters, %.4g times smaller, dense\n", out, net,
		human.Count(r.After), human.Count(r.Before), float64(r.Before)/float64(max(1, r.After)))
	return nil
}

// describeShrunk is what became of each layer, and why what does nothing stays.
func describeShrunk(e *env, r *shrink.Result) {
	name := 8
	for _, l := range r.Layers {
		name = max(name, len([]rune(escape.Line(l.Name))))
	}
	escape.Fprintf(e.stdout, "%-*s  %13s  %13s  %23s\n", name, "layer", "inputs", "outputs", "parameters")
	arrow := func(a, b int) string { return fmt.Sprintf("%s → %s", human.Count(a), human.Count(b)) }
	for _, l := range r.Layers {
		outputs := ""
		if l.Outputs > 0 {
			outputs = arrow(l.Outputs, l.OutputsLeft)
		}
		escape.Fprintf(e.stdout, "%-*s  %13s  %13s  %23s\n", name, l.Name, arrow(l.Inputs, l.InputsLeft), outputs,
			arrow(l.Params, l.ParamsLeft))
	}
	for _, k := range r.Kept {
		escape.Fprintln(e.stdout, k)
	}
}

// compareNets compares a net with the one that was made of it, on random inputs, and on the net's own where these are
// there.
func (f *shapeFlags) compareNets(e *env, before, after *caffe.NetFile, was, is *caffepb.NetParameter) error {
	d := host.New(host.Options{})
	defer d.Close()
	input := f.input.Inputs
	for _, own := range []bool{false, true} {
		o := model.NetOptions{Device: d, State: f.netState(), Seed: 1}
		if !own {
			if o.Inputs = input; input == nil {
				shape, err := f.inputOf(before)
				if err != nil {
					continue // its data alone tells, which comes next
				}
				o.Inputs = shape
			}
		}
		difference, blob, err := compareOn(o, before, after, was, is)
		var data *model.DataError
		switch {
		case own && errors.As(err, &data):
			escape.Fprintf(e.stdout, "not compared on the net's own data: %v\n", err)
			continue
		case err != nil:
			return err
		}
		on := "random inputs"
		if own {
			on = "the net's own data"
		}
		escape.Fprintf(e.stdout, "largest difference on %d batches of %s: %.2g of the largest value (blob %s)\n",
			shrinkPasses, on, difference, blob)
		if difference > mostDifference {
			return fmt.Errorf("export: the smaller net computes something else: %.2g on %s, wanted at most %g; "+
				"nothing is written", difference, on, mostDifference)
		}
	}
	return nil
}

// inputOf is random data of the shapes of a net's data layers.
func (f *shapeFlags) inputOf(file *caffe.NetFile) (*config.Inputs, error) {
	n, err := f.shapes(file)
	if err != nil {
		return nil, err
	}
	defer n.Close()
	for _, l := range n.Layers() {
		if len(l.Bottom) == 0 && len(l.Shapes) > 0 && len(l.Shapes[0]) > 1 {
			return &config.Inputs{Shapes: [][]int{l.Shapes[0][1:]}, Classes: 1}, nil
		}
	}
	return nil, errors.New("no layer of data")
}

// compareOn compares two nets on what options give as inputs.
func compareOn(
	o model.NetOptions, before, after *caffe.NetFile, was, is *caffepb.NetParameter,
) (float64, string, error) {
	var nets []*model.Net
	for i, file := range []*caffe.NetFile{before, after} {
		n, err := model.NewNet(file, o)
		if err != nil {
			return 0, "", err
		}
		defer n.Close()
		if _, err := n.LoadWeights(file.Path, []*caffepb.NetParameter{was, is}[i], model.LoadOptions{}); err != nil {
			return 0, "", err
		}
		nets = append(nets, n)
	}
	return shrink.Difference(nets[0], nets[1], shrinkPasses)
}
