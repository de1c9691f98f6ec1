package main

import (
	"context"
	"flag"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/model"
	"dns-tui/model/onnx"
)

// exportFlags are the flags of export, and its two files.
type exportFlags struct {
	shapeFlags
	net            string
	shrinks, force bool
	lossy          lossyFlags
	graph          onnxFlags
	in, out        string
}

func (f *exportFlags) add(fs *flag.FlagSet) {
	fs.StringVar(&f.net, "model", "",
		"a net's prototxt: says which layers of it the weights do not fit; OUT.onnx and --shrink want it")
	fs.BoolVar(&f.shrinks, "shrink", false,
		"leave out filters and neurons that do nothing: a smaller dense net, with its prototxt; wants --model")
	fs.BoolVar(&f.force, "force", false,
		"with --shrink: replace another prototxt of the name that the smaller net gets")
	f.shapeFlags.add(fs)
	fs.Lookup("phase").Usage = "of a net: TRAIN or TEST (OUT.onnx, --shrink, --bits and --float16: TEST)"
	f.lossy.add(fs)
	f.graph.add(fs)
}

// check reports flags that make no sense, and takes the two files.
func (f *exportFlags) check(fs *flag.FlagSet, rest []string) error {
	if err := idleFlags(given(fs), f.net != "", f.shrinks, f.lossy.any()); err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("export: wanted a caffemodel and a name for the new one, found %s", count(len(rest), "argument"))
	}
	f.in, f.out = rest[0], rest[1]
	if f.shrinks && files.HasExt(f.out, ".prototxt") {
		return usagef("export: %s: wanted a name for the weights, such as %s; the prototxt is written beside them",
			f.out, files.TrimExt(f.out)+".caffemodel")
	}
	if err := f.lossy.check(fs, &f.shapeFlags, f.out, f.shrinks); err != nil {
		return err
	}
	if err := f.graph.check(fs, &f.shapeFlags, f.net, f.out, f.shrinks, &f.lossy); err != nil {
		return err
	}
	return f.checkFiles()
}

// checkFiles reports a file that is read and would be replaced.
func (f *exportFlags) checkFiles() error {
	if sameFile(f.in, f.out) {
		return usagef(
			"export: %s is both the file to read and the one to write; what is pruned in it, and its masks, would "+
				"be lost",
			f.in,
		)
	}
	for _, read := range []string{f.net, f.lossy.labels} {
		if sameFile(read, f.out) {
			return usagef("export: %s is read, and would be replaced; wanted another name for what is written", f.out)
		}
	}
	return nil
}

func runExport(ctx context.Context, e *env, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	removeOnSignal(ctx)
	var f exportFlags
	fs := newFlags(e, "export")
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := f.check(fs, rest); err != nil {
		return err
	}
	if f.net != "" && !onnx.IsName(f.out) {
		if err := f.fits(e, f.net, f.in); err != nil {
			return err
		}
	}
	progress := newBar(e, "steps", 3)
	defer progress.end()
	n, labels, err := caffe.ReadLabelled(f.in)
	if err != nil {
		return err
	}
	progress.step(1)
	above := *e // the bar
	above.stderr = progress.over(e.stderr)
	removed, err := f.applyMasks(&above, n, labels)
	progress.end()
	switch {
	case err != nil:
		return err
	case onnx.IsName(f.out):
		return f.graph.write(e, &f.shapeFlags, f.net, f.in, n, f.out)
	case f.shrinks:
		return f.shrinkNet(e, f.net, n, labels, f.out, f.force)
	}
	if err := f.lossy.apply(e, f.net, &f.shapeFlags, f.in, n); err != nil {
		return err
	}
	progress.step(2)
	err = f.lossy.write(e, f.out, n)
	progress.end()
	if err != nil {
		return err
	}
	escape.Fprintf(e.noticeWriter(f.out), "%s: %d masks applied and dropped\n", f.out, removed)
	return nil
}

// applyMasks makes weights W∘T, keeps what the flags want of what is dropped, and says what was odd.
func (f *exportFlags) applyMasks(e *env, n *caffepb.NetParameter, labels []string) (removed int, err error) {
	if err := f.lossy.keep(e, f.in, f.out, n, labels); err != nil {
		return 0, err
	}
	removed, odd, err := model.ApplyMasks(n)
	if err != nil {
		return 0, &caffe.FileError{Path: f.in, Msg: err.Error(), Err: err}
	}
	if len(odd) > 0 {
		escape.Fprintf(
			e.stderr,
			"dns-tui: %s: the masks of layers %s are %s\n",
			f.in,
			strings.Join(odd, ", "),
			model.OddMasks,
		)
	}
	if removed == 0 {
		escape.Fprintf(e.stderr, "dns-tui: %s holds no masks; its weights are written as they are\n", f.in)
	}
	return removed, nil
}

// idleFlags reports flags of export that would have no effect.
func idleFlags(set map[string]bool, net, shrinks, lossy bool) error {
	switch {
	case shrinks && !net:
		return usagef("export: --shrink wants the net's prototxt: --model net.prototxt")
	case set["force"] && !shrinks:
		return usagef("export: --force goes with --shrink; weights are replaced without it")
	case set["iterations"] && !lossy:
		return usagef("export: --iterations goes with --bits or --float16, which it measures")
	}
	for _, name := range []string{"input", "phase", "level", "stage"} {
		if set[name] && !net {
			return usagef("export: --%s is of a net: wanted --model net.prototxt", name)
		}
	}
	return nil
}

// fits says which layers of a net a weights file does not fit.
func (f *shapeFlags) fits(e *env, net, weights string) error {
	file, err := caffe.ReadNetPrototxt(net)
	if err != nil {
		return err
	}
	n, err := f.shapes(file)
	if err != nil {
		return err
	}
	defer n.Close()
	l, err := n.LoadFiles([]string{weights}, model.LoadOptions{})
	if err != nil {
		return err
	}
	for _, text := range l.Notices {
		escape.Fprintf(e.stderr, "dns-tui: %s\n", text)
	}
	return nil
}
