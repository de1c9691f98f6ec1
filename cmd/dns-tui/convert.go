package main

import (
	"context"
	"strings"

	"dns-tui/caffe"
	"dns-tui/escape"
	"dns-tui/model"
)

func runExport(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "export")
	net := fs.String("model", "", "a net's prototxt: says which layers of it the weights do not fit")
	var f shapeFlags
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("export: wanted a caffemodel and a name for the new one, found %s", count(len(rest), "argument"))
	}
	if sameFile(rest[0], rest[1]) {
		return usagef(
			"export: %s is both the file to read and the one to write; what is pruned in it, and its masks, would "+
				"be lost",
			rest[0],
		)
	}
	if *net != "" {
		if err := f.fits(e, *net, rest[0]); err != nil {
			return err
		}
	}
	n, err := caffe.ReadNet(rest[0])
	if err != nil {
		return err
	}
	removed, odd, err := model.ApplyMasks(n)
	if err != nil {
		return &caffe.FileError{Path: rest[0], Msg: err.Error(), Err: err}
	}
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
	if err := caffe.WriteNet(rest[1], n); err != nil {
		return err
	}
	escape.Fprintf(e.noticeWriter(rest[1]), "%s: %d masks applied and dropped\n", rest[1], removed)
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
	if len(rest) != 2 {
		return usagef("upgrade: wanted a net and a name for the new one, found %s", count(len(rest), "argument"))
	}
	did, err := caffe.UpgradeFile(rest[0], rest[1])
	if err != nil {
		return err
	}
	if len(did) == 0 {
		did = []string{"nothing to upgrade"}
	}
	escape.Fprintf(e.noticeWriter(rest[1]), "%s: %s\n", rest[1], strings.Join(did, "; "))
	return nil
}
