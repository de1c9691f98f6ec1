package main

import (
	"errors"
	"fmt"
	"io"
	"os"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/gpu/host"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/shrink"
)

// shrinkPasses is on how many batches a smaller net is compared with the one that it was made of, of random inputs and
// of the net's own.
const shrinkPasses = 3

// fewImages is how many images of a batch are enough for that.
const fewImages = 8

// mostDifference is how far they may differ, as a part of the largest value of a blob: sums are rounded in another
// order.
const mostDifference = 1e-4

// shrinkNet writes a net without the outputs that do nothing, as a caffemodel and a prototxt of the same name. n are
// its weights with the masks applied; labels, of outputs, which all stay, go on into a compact file. Before anything is
// written the result is built for both phases, and compared with the original.
func (f *shapeFlags) shrinkNet(
	e *env, prototxt string, n *caffepb.NetParameter, labels []string, out string, force bool,
) error {
	file, err := caffe.ReadNetPrototxt(prototxt)
	if err != nil {
		return err
	}
	net := files.TrimExt(out) + ".prototxt"
	if sameFile(prototxt, net) {
		return usagef("export: --shrink would write its net over %s: another name for %s", prototxt, out)
	}
	shapes, err := f.shapes(file)
	if err != nil {
		return err
	}
	defer shapes.Close()
	r, err := shrink.Shrink(file, shapes, n)
	if err != nil {
		return &caffe.FileError{Path: prototxt, Msg: err.Error(), Err: err}
	}
	text := caffe.FormatPrototxt(r.Net)
	if there, err := os.ReadFile(net); err == nil && string(there) != text && !force {
		return fmt.Errorf("export: %s exists already, and is another net; --force replaces it", net)
	}
	small, err := caffe.ParseNetPrototxt(net, []byte(text))
	if err != nil {
		return err
	}
	c := comparison{f: f, before: file, after: small, was: n, is: r.Weights}
	if c.find(shapes); !c.data && f.input.Inputs != nil {
		return usagef("export: %s has no data layer for phase %s that --input could stand in for", prototxt, f.phase)
	}
	if err := c.build(e); err != nil {
		return fmt.Errorf("export: %w; nothing is written", err)
	}
	if err := c.compare(e); err != nil {
		return fmt.Errorf("export: %w; nothing is written", err)
	}
	if err := writeBoth(out, r.Weights, labels, net, text); err != nil {
		return err
	}
	describeShrunk(e, r)
	escape.Fprintf(e.stdout, "%s and %s: %s of %s parameters, %.4g times smaller, dense\n", out, net,
		human.Count(r.After), human.Count(r.Before), float64(r.Before)/float64(max(1, r.After)))
	if zeros := zerosIn(small, r.Weights); zeros > 0 {
		escape.Fprintf(e.stdout, "%s of its weights are zero: train on with --masks-from-zeros\n", human.Count(zeros))
	}
	return nil
}

// writeBoth writes weights and a prototxt; neither gets its name before both are on the disk.
func writeBoth(out string, weights *caffepb.NetParameter, labels []string, net, text string) error {
	w, err := caffe.PrepareLabelled(out, weights, labels)
	if err != nil {
		return err
	}
	defer w.Abort()
	p, err := caffe.PrepareFile(net, func(w io.Writer) error { _, err := io.WriteString(w, text); return err })
	if err != nil {
		return err
	}
	defer p.Abort()
	if err := w.Commit(); err != nil {
		return err
	}
	return p.Commit()
}

// zerosIn counts the weights, without biases, that --masks-from-zeros would take for pruned; those that layers share
// once.
func zerosIn(f *caffe.NetFile, weights *caffepb.NetParameter) int {
	types, shared := map[string]string{}, map[string]string{}
	for _, l := range f.Net.Layer {
		types[l.GetName()] = l.GetType()
		if len(l.Param) > 0 {
			shared[l.GetName()] = l.Param[0].GetName()
		}
	}
	zeros, counted := 0, map[string]bool{}
	for _, l := range weights.Layer {
		switch types[l.GetName()] {
		case "Convolution", "CConvolution", "InnerProduct", "CInnerProduct":
			name := shared[l.GetName()]
			if counted[name] {
				continue
			}
			counted[name] = name != ""
			for _, v := range caffe.Values(l.Blobs[0]) {
				if v == 0 {
					zeros++
				}
			}
		}
	}
	return zeros
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

// comparison is of a net with the one that was made of it.
type comparison struct {
	f             *shapeFlags
	before, after *caffe.NetFile
	was, is       *caffepb.NetParameter
	inputs        []string       // blobs of Input layers: they get random numbers
	images        []string       // blobs of data layers that do where their data is replaced
	data          bool           // the net has data layers
	standIn       *config.Inputs // in place of their data
}

// find looks where the net, of which n was built without data, has its inputs from.
func (c *comparison) find(n *model.Net) {
	layers := model.LayersOf(n, c.before)
	labels := model.Labels(layers) // they stay 0, the first class
	c.standIn = c.f.input.Inputs
	for _, l := range layers {
		switch {
		case l.Type == "Input":
			for _, t := range l.Top {
				if !labels[t] {
					c.inputs = append(c.inputs, t)
				}
			}
		case model.ReadsData(l.Type):
			c.data = true
			if len(l.Top) > 0 && !labels[l.Top[0]] {
				c.images = append(c.images, l.Top[0])
			}
		}
	}
	if c.standIn == nil {
		c.standIn = model.StandIn(layers)
	}
}

// build builds both nets for both phases, without data, and loads their weights. Where the original cannot be built for
// the phase that is not asked for, the smaller net need not be, which is said.
func (c *comparison) build(e *env) error {
	for _, phase := range []string{"TRAIN", "TEST"} {
		f := *c.f
		f.phase, f.input.Inputs = phase, c.standIn
		one := func(file *caffe.NetFile, weights *caffepb.NetParameter) error {
			n, err := f.shapes(file)
			if err != nil {
				return err
			}
			defer n.Close()
			_, err = n.LoadWeights(file.Path, weights, model.LoadOptions{})
			return err
		}
		switch err := one(c.before, c.was); {
		case err != nil && phase == c.f.phase:
			return err
		case err != nil:
			escape.Fprintf(e.stdout, "not tried in phase %s, for which the net itself does not build: %v\n", phase, err)
			continue
		}
		if err := one(c.after, c.is); err != nil {
			return fmt.Errorf("the smaller net does not build for phase %s: %w", phase, err)
		}
	}
	return nil
}

// compare compares both nets on random inputs, and on the net's own where these are there.
func (c *comparison) compare(e *env) error {
	d := host.New(host.Options{})
	defer d.Close()
	on := "random inputs"
	if c.data && c.standIn != nil {
		o := model.NetOptions{Device: d, State: c.f.netState(), Seed: 1, Inputs: c.standIn}
		if err := c.compareOn(e, o, on, append(c.images, c.inputs...)); err != nil {
			return err
		}
	}
	if c.data {
		on = "the net's own data"
	}
	err := c.compareOn(e, model.NetOptions{Device: d, State: c.f.netState(), Seed: 1}, on, c.inputs)
	if _, ok := errors.AsType[*model.DataError](err); !ok {
		return err
	}
	if c.standIn == nil {
		return fmt.Errorf("the smaller net cannot be compared with the original: %w", adviseInput(err))
	}
	escape.Fprintf(e.stdout, "not compared on the net's own data: %v\n", err)
	return nil
}

// compareOn compares two nets on what options give as inputs, and random numbers in some blobs.
func (c *comparison) compareOn(e *env, o model.NetOptions, on string, random []string) error {
	var nets []*model.Net
	for i, file := range []*caffe.NetFile{c.before, c.after} {
		n, err := model.NewNetOfFew(file, fewImages, o)
		if err != nil {
			return err
		}
		defer n.Close()
		weights := []*caffepb.NetParameter{c.was, c.is}[i]
		if _, err := n.LoadWeights(file.Path, weights, model.LoadOptions{}); err != nil {
			return err
		}
		nets = append(nets, n)
	}
	difference, blob, err := shrink.Difference(nets[0], nets[1], shrinkPasses, random)
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "largest difference on %d batches of %s: %.2g of the largest value (blob %s)\n",
		shrinkPasses, on, difference, blob)
	if difference > mostDifference {
		return fmt.Errorf("the smaller net computes something else: %.2g on %s, wanted at most %g", difference, on,
			mostDifference)
	}
	return nil
}
