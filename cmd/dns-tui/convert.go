package main

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/model"
	"dns-tui/model/onnx"
)

func runExport(ctx context.Context, e *env, args []string) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	removeOnSignal(ctx)
	fs := newFlags(e, "export")
	net := fs.String(
		"model",
		"",
		"a net's prototxt: says which layers of it the weights do not fit; OUT.onnx and --shrink want it",
	)
	shrinks := fs.Bool("shrink", false,
		"leave out filters and neurons that do nothing: a smaller dense net, with its prototxt; wants --model")
	force := fs.Bool("force", false, "with --shrink: replace another prototxt of the name that the smaller net gets")
	var f shapeFlags
	f.add(fs)
	fs.Lookup("phase").Usage = "of a net: TRAIN or TEST (OUT.onnx, --shrink, --bits and --float16: TEST)"
	var lossy lossyFlags
	lossy.add(fs)
	var graph onnxFlags
	graph.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if err := idleFlags(given(fs), *net != "", *shrinks, lossy.any()); err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("export: wanted a caffemodel and a name for the new one, found %s", count(len(rest), "argument"))
	}
	if *shrinks && files.HasExt(rest[1], ".prototxt") {
		return usagef("export: %s: wanted a name for the weights, such as %s; the prototxt is written beside them",
			rest[1], files.TrimExt(rest[1])+".caffemodel")
	}
	if err := lossy.check(fs, &f, rest[1], *shrinks); err != nil {
		return err
	}
	if err := graph.check(fs, &f, *net, rest[1], *shrinks, &lossy); err != nil {
		return err
	}
	if sameFile(rest[0], rest[1]) {
		return usagef(
			"export: %s is both the file to read and the one to write; what is pruned in it, and its masks, would "+
				"be lost",
			rest[0],
		)
	}
	for _, read := range []string{*net, lossy.labels} {
		if sameFile(read, rest[1]) {
			return usagef("export: %s is read, and would be replaced; wanted another name for what is written", rest[1])
		}
	}
	if *net != "" && !onnx.IsName(rest[1]) {
		if err := f.fits(e, *net, rest[0]); err != nil {
			return err
		}
	}
	progress := newBar(e, "steps", 3)
	defer progress.end()
	n, labels, err := caffe.ReadLabelled(rest[0])
	if err != nil {
		return err
	}
	progress.step(1)
	if err := lossy.keep(e, rest[0], rest[1], n, labels); err != nil {
		return err
	}
	removed, odd, err := model.ApplyMasks(n)
	if err != nil {
		return &caffe.FileError{Path: rest[0], Msg: err.Error(), Err: err}
	}
	progress.end()
	if len(odd) > 0 {
		escape.Fprintf(
			e.stderr,
			"dns-tui: %s: the masks of layers %s are %s\n",
			rest[0],
			strings.Join(odd, ", "),
			model.OddMasks,
		)
	}
	if removed == 0 {
		escape.Fprintf(e.stderr, "dns-tui: %s holds no masks; its weights are written as they are\n", rest[0])
	}
	if onnx.IsName(rest[1]) {
		return graph.write(e, &f, *net, rest[0], n, rest[1])
	}
	if *shrinks {
		return f.shrinkNet(e, *net, n, labels, rest[1], *force)
	}
	if err := lossy.apply(e, *net, &f, rest[0], n); err != nil {
		return err
	}
	progress.step(2)
	err = lossy.write(e, rest[1], n)
	progress.end()
	if err != nil {
		return err
	}
	escape.Fprintf(e.noticeWriter(rest[1]), "%s: %d masks applied and dropped\n", rest[1], removed)
	return nil
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

func runUpgrade(_ context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "upgrade"), args)
	if err != nil {
		return err
	}
	if len(rest) < 2 {
		return usagef("upgrade: wanted a net and a name for the new one, or several and a folder for them, found %s",
			count(len(rest), "argument"))
	}
	to := rest[len(rest)-1]
	st, err := os.Stat(to)
	switch isFolder := err == nil && st.IsDir(); {
	case isFolder:
		return upgradeInto(e, rest[:len(rest)-1], to)
	case len(rest) > 2:
		return usagef("upgrade: %s is no folder; wanted one for %s", to, count(len(rest)-1, "file"))
	}
	did, err := caffe.UpgradeFile(rest[0], to)
	if err != nil {
		return err
	}
	printUpgraded(e.noticeWriter(to), to, did)
	return nil
}

// upgradeInto upgrades files into a folder, each under its own name. Those that cannot be upgraded are told together,
// after the others.
func upgradeInto(e *env, paths []string, dir string) error {
	taken := map[string]string{}
	for _, path := range paths {
		name := filepath.Base(path)
		if before, ok := taken[name]; ok {
			return usagef("upgrade: %s and %s would both be %s", before, path, filepath.Join(dir, name))
		}
		if taken[name] = path; sameFile(path, filepath.Join(dir, name)) {
			return usagef("upgrade: %s is both a file to read and one to write", path)
		}
	}
	progress := newBar(e, "files", len(paths))
	out := progress.over(e.stdout)
	var errs []error
	for i, path := range paths {
		progress.step(i)
		to := filepath.Join(dir, filepath.Base(path))
		did, err := caffe.UpgradeFile(path, to)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		printUpgraded(out, to, did)
	}
	progress.end()
	return errors.Join(errs...)
}

func printUpgraded(w io.Writer, path string, did []string) {
	if len(did) == 0 {
		did = []string{"nothing to upgrade"}
	}
	escape.Fprintf(w, "%s: %s\n", path, strings.Join(did, "; "))
}
