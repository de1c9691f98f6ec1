package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// lossyFlags are the flags of export that make a file smaller and its values less exact.
type lossyFlags struct {
	bits       int
	half       bool
	iterations int
	labels     string
	own        []string // labels of the file that is read
	masks      bool
	kept       caffe.Masks // with masks: those of the file that is read
}

func (f *lossyFlags) add(fs *flag.FlagSet) {
	fs.IntVar(&f.bits, "bits", 0, "1 to 8: at most 2^bits different values in each parameter, found by k-means; with "+
		"--model, accuracy before and after (default: every value as it is)")
	fs.BoolVar(&f.half, "float16", false, "values rounded to float16; with --model, accuracy before and after")
	fs.IntVar(&f.iterations, "iterations", 50, "batches on which --bits and --float16 are measured")
	fs.BoolVar(&f.masks, "masks", false, "to OUT.safetensors: the masks, too, as booleans: LAYER.weight.mask")
	fs.StringVar(&f.labels, "labels", "", "a text file with the name of a class in each line, to be kept in OUT.dnz")
}

// check reports flags that make no sense. The net that values are tested on, or that is made smaller, is
// the test net, unless a phase is given.
func (f *lossyFlags) check(fs *flag.FlagSet, shapes *shapeFlags, out string, shrinks bool) error {
	set := given(fs)
	if (f.any() || shrinks) && !set["phase"] {
		shapes.phase = "TEST"
	}
	switch {
	case set["bits"] && (f.bits < 1 || f.bits > 8):
		return usagef("export: --bits is %d; wanted 1 to 8", f.bits)
	case f.bits > 0 && f.half:
		return usagef("export: --bits and --float16 are mutually exclusive: values of a codebook are float32")
	case f.any() && shrinks:
		return usagef("export: --shrink is exact, --bits and --float16 are not: shrink first, then export the result")
	case f.masks && shrinks:
		return usagef("export: --masks and --shrink are mutually exclusive: the smaller net has none")
	case f.labels != "" && shrinks:
		return usagef(
			"export: --shrink writes no labels but those of IN: shrink first, then export the result with --labels",
		)
	case f.iterations < 1:
		return usagef("export: --iterations is %d; wanted at least 1", f.iterations)
	case f.labels != "" && !caffe.IsCompactName(out):
		return usagef("export: --labels is kept in a compact file: a name that ends in .dnz in place of %s", out)
	case f.masks && !caffe.IsSafetensorsName(out):
		return usagef("export: --masks is for safetensors: a name that ends in .safetensors in place of %s", out)
	case f.bits > 0 && caffe.IsSafetensorsName(out):
		return usagef("export: safetensors have no codebooks, and --bits makes no such file smaller; wanted --float16")
	}
	return nil
}

// given are the flags that stand in a command.
func given(fs *flag.FlagSet) map[string]bool {
	set := map[string]bool{}
	fs.Visit(func(f *flag.Flag) { set[f.Name] = true })
	return set
}

func (f *lossyFlags) any() bool { return f.bits > 0 || f.half }

// keep takes what a file has beside its weights: the names of classes, which go on into a compact file, and the masks,
// which are dropped when they are applied.
func (f *lossyFlags) keep(e *env, path, out string, n *caffepb.NetParameter, labels []string) (err error) {
	if f.labels == "" {
		if f.own = labels; len(labels) > 0 && !caffe.IsCompactName(out) {
			escape.Fprintf(e.stderr, "dns-tui: %s of %s are left out: only a compact file (.dnz) has room for them\n",
				count(len(labels), "label"), path)
		}
	}
	if !f.masks {
		return nil
	}
	if f.kept, err = model.Masks(n); err == nil && len(f.kept) == 0 {
		err = errors.New("holds no masks for --masks; of a net without them what is not 0 is kept")
	}
	if err != nil {
		return &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return nil
}

// apply makes the values of a net without masks less exact, and measures what that does where there is a net.
func (f *lossyFlags) apply(e *env, net string, shapes *shapeFlags, path string, n *caffepb.NetParameter) error {
	if !f.any() {
		return nil
	}
	before, random, err := f.measure(net, shapes, path, n)
	if err != nil {
		return err
	}
	if f.half {
		err = model.RoundHalf(n)
	} else {
		var unchanged, total int
		if unchanged, total, err = model.Cluster(n, f.bits); err == nil && unchanged > 0 {
			escape.Fprintf(e.stderr, "dns-tui: %d of %s have fewer than %d different values, and keep them exactly\n",
				unchanged, count(total, "parameter"), 1<<f.bits)
		}
	}
	if err != nil {
		return &caffe.FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if net == "" {
		escape.Fprintf(e.stderr, "dns-tui: values are less exact now; --model net.prototxt measures what that does\n")
		return nil
	}
	after, _, err := f.measure(net, shapes, path, n)
	if err != nil {
		return err
	}
	if random {
		escape.Fprintf(e.stderr, "dns-tui: %s\n", randomInputs)
	}
	escape.Fprintf(e.stdout, "%-16s %10s %10s   %s\n", "on the test net", "before", "after",
		count(f.iterations, "batch")+" of "+escape.Line(net))
	for _, l := range model.List(model.BlobNames(before.Outputs), false) {
		escape.Fprintf(e.stdout, "%-16s %10.6g %10.6g\n", l.Name, before.Outputs[l.Index].Value,
			after.Outputs[l.Index].Value)
		if l.More != "" {
			escape.Fprintln(e.stdout, l.More)
		}
	}
	return nil
}

// measure tests weights on a net; without a net there is nothing to measure. random: its inputs are random numbers, and
// no flag asked for that.
func (f *lossyFlags) measure(
	net string, shapes *shapeFlags, path string, n *caffepb.NetParameter,
) (result *solver.TestResult, random bool, err error) {
	if net == "" {
		return nil, false, nil
	}
	file, err := caffe.ReadNetPrototxt(net)
	if err != nil {
		return nil, false, err
	}
	d := host.New(host.Options{})
	defer d.Close()
	return testWeights(d, file, shapes, path, n, f.iterations)
}

// testWeights is what a net's test outputs are with such weights; random as of measure.
func testWeights(
	d *gpu.Device, file *caffe.NetFile, shapes *shapeFlags, path string, n *caffepb.NetParameter, batches int,
) (result *solver.TestResult, random bool, err error) {
	built, err := model.NewNet(
		file, model.NetOptions{Device: d, State: shapes.netState(), Inputs: shapes.input.Inputs, Reuse: true},
	)
	if err != nil {
		return nil, false, adviseInput(err)
	}
	defer built.Close()
	if _, err := built.LoadWeights(path, n, model.LoadOptions{}); err != nil {
		return nil, false, err
	}
	random = built.FillInputLayers() && shapes.input.Inputs == nil
	result, err = solver.Evaluate(built, batches, nil)
	return result, random, err
}

// write writes weights without masks in the form that the name says.
func (f *lossyFlags) write(e *env, out string, n *caffepb.NetParameter) error {
	switch {
	case caffe.IsSafetensorsName(out):
		return caffe.WriteSafetensors(out, n, f.half, f.kept)
	case !caffe.IsCompactName(out):
		return caffe.WriteNet(out, n)
	}
	labels, err := readLabels(f.labels)
	if err != nil {
		return err
	}
	if labels == nil {
		labels = f.own
	}
	p, err := compact.NewPlan(caffe.CompactOf(n, labels))
	if err != nil {
		return &caffe.FileError{Path: out, Msg: "not written: " + err.Error(), Err: err}
	}
	if err := caffe.WriteCompact(out, p); err != nil {
		return err
	}
	stdout := *e
	stdout.stdout = e.noticeWriter(out)
	describeCompact(&stdout, &p.Info)
	return nil
}

// readLabels reads the names of classes, one a line.
func readLabels(path string) ([]string, error) {
	if path == "" {
		return nil, nil
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &caffe.FileError{Path: path, Msg: caffe.Cause(err).Error() + " (wanted names of classes)", Err: err}
	}
	text := strings.TrimRight(strings.ReplaceAll(strings.TrimPrefix(string(data), "\ufeff"), "\r\n", "\n"), "\n")
	if text == "" {
		return nil, &caffe.FileError{Path: path, Msg: "is empty (wanted names of classes, one a line)"}
	}
	return strings.Split(text, "\n"), nil
}

// describeCompact prints what a compact file holds: of each blob the form, and the bytes.
func describeCompact(e *env, info *compact.Info) {
	escape.Fprintf(
		e.stdout,
		"  %-16s %-24s %10s %10s %-18s %10s %s\n",
		"layer",
		"shape",
		"entries",
		"kept",
		"form",
		"bytes",
		"bits a kept entry",
	)
	entries, kept := 0, 0
	var layers []string // of each blob so far
	for _, l := range info.Layers {
		for i, f := range l.Forms {
			layers = append(layers, l.Name)
			form := f.Positions.String() + ", " + f.Numbers.String()
			switch {
			case f.SharedWith > 0:
				form = "that of " + layers[f.SharedWith-1]
			case f.Kept == 0:
				form = "nothing kept"
			case f.Values > 0:
				form = fmt.Sprintf("%s, %s", f.Positions, count(f.Values, "value"))
			}
			each := ""
			if f.Kept > 0 && f.SharedWith == 0 {
				each = fmt.Sprintf("%.1f", 8*float64(f.Bytes)/float64(f.Kept))
			}
			escape.Fprintf(e.stdout, "  %-16s %-24s %10d %10d %-18s %10d %s\n", l.Name, caffe.FormatShape(l.Shapes[i]),
				f.Entries, f.Kept, form, f.Bytes, each)
			if f.SharedWith == 0 {
				entries, kept = entries+f.Entries, kept+f.Kept
			}
		}
	}
	escape.Fprintf(e.stdout, "%s of %s entries in %s bytes; as float32 they take %s: %.1f times smaller\n",
		human.Count(kept), human.Count(entries), human.Count(int(info.Bytes)), human.Count(4*entries),
		4*float64(entries)/float64(max(1, info.Bytes)))
}

// inspectCompact prints what a compact file says of itself; all of it is read, so that damage is seen.
func inspectCompact(e *env, path string) error {
	f, info, err := caffe.ReadCompact(path)
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "compact file %q, %s\n", f.Net, count(len(f.Layers), "layer"))
	if n := len(f.Labels); n > 0 {
		escape.Fprintf(e.stdout, "  %s: %s to %s\n", count(n, "label"), f.Labels[0], f.Labels[n-1])
	}
	describeCompact(e, info)
	return nil
}

// predictCompact is the size of the compact file that export makes of a net, to the byte. Its masks are applied.
func predictCompact(path string, n *caffepb.NetParameter) (int64, error) {
	_, _, err := model.ApplyMasks(n)
	if err == nil {
		var p *compact.Plan
		if p, err = compact.NewPlan(caffe.CompactOf(n, nil)); err == nil {
			return p.Bytes, nil
		}
	}
	return 0, &caffe.FileError{Path: path, Msg: err.Error(), Err: errors.Unwrap(err)}
}
