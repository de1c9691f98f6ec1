package main

import (
	"flag"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model/onnx"
)

// onnxFlags are the flags of export that say how an ONNX graph is made.
type onnxFlags struct {
	fold, preprocess bool
}

func (f *onnxFlags) add(fs *flag.FlagSet) {
	fs.BoolVar(&f.fold, "fold", false,
		"to OUT.onnx: multiply BatchNorm, Scale and Bias into the convolution or inner product before them")
	fs.BoolVar(&f.preprocess, "preprocess", false, "to OUT.onnx: begin with the transform_param of the data layers "+
		"(crop, mean, scale), so that inputs are images as they are stored")
}

// check reports flags that make no sense.
func (f *onnxFlags) check(
	fs *flag.FlagSet,
	shapes *shapeFlags,
	net, out string,
	shrinks bool,
	lossy *lossyFlags,
) error {
	if !onnx.IsName(out) {
		if f.fold || f.preprocess {
			return usagef(
				"export: --fold and --preprocess are for an ONNX graph: a name that ends in .onnx in place of "+
					"%s",
				out,
			)
		}
		return nil
	}
	if !given(fs)["phase"] {
		shapes.phase = "TEST"
	}
	switch {
	case net == "":
		return usagef("export: %s wants the net's prototxt: --model net.prototxt", out)
	case shrinks:
		return usagef("export: --shrink writes a caffemodel and a prototxt: shrink first, then export these to %s", out)
	case lossy.any():
		return usagef("export: values of an ONNX graph are float32; --bits and --float16 make no such file smaller")
	case f.preprocess && shapes.phase != "TEST":
		return usagef("export: --preprocess is what happens to images in phase TEST; in %s they are cut at random",
			shapes.phase)
	}
	return nil
}

// write writes a net with its weights, whose masks are applied, as an ONNX graph; path is the weights' file.
func (f *onnxFlags) write(e *env, shapes *shapeFlags, net, path string, w *caffepb.NetParameter, out string) error {
	file, err := caffe.ReadNetPrototxt(net)
	if err != nil {
		return err
	}
	n, err := shapes.shapes(file)
	if err != nil {
		return err
	}
	defer n.Close()
	m, err := onnx.New(file, n, path, w, onnx.Options{
		State: shapes.netState(), Fold: f.fold, Preprocess: f.preprocess, Producer: programVersion(),
	})
	if err != nil {
		return err
	}
	for _, text := range m.Notes {
		escape.Fprintf(e.stderr, "dns-tui: %s\n", text)
	}
	data, err := m.Write(out)
	if err != nil {
		return err
	}
	to := e.noticeWriter(out)
	escape.Fprintf(to, "%s: ONNX, operator set 13, %s\n", out, count(m.Nodes, "node"))
	if data != "" {
		escape.Fprintf(to, "%s: its values, which belong beside it\n", data)
	}
	escape.Fprintf(to, "inputs: %s\noutputs: %s\n", strings.Join(m.Inputs, ", "), strings.Join(m.Outputs, ", "))
	if m.Fixed == "" {
		escape.Fprintln(to, "N, the batch, may be any")
	} else {
		escape.Fprintf(to, "the batch is fixed, %s: %s\n", human.Count(m.Batch), m.Fixed)
	}
	return nil
}
