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
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("export: wanted a caffemodel and a name for the new one, found %d arguments", len(rest))
	}
	n, err := caffe.ReadNet(rest[0])
	if err != nil {
		return err
	}
	removed, err := model.ApplyMasks(n)
	if err != nil {
		return &caffe.FileError{Path: rest[0], Msg: err.Error(), Err: err}
	}
	if removed == 0 {
		escape.Fprintf(e.stderr, "dns-tui: %s holds no masks; its weights are written as they are\n", rest[0])
	}
	if err := caffe.WriteNet(rest[1], n); err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "%s: %d masks applied and dropped\n", rest[1], removed)
	return nil
}

func runUpgrade(_ context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "upgrade"), args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("upgrade: wanted a net and a name for the new one, found %d arguments", len(rest))
	}
	did, err := caffe.UpgradeFile(rest[0], rest[1])
	if err != nil {
		return err
	}
	if len(did) == 0 {
		did = []string{"nothing to upgrade"}
	}
	escape.Fprintf(e.stdout, "%s: %s\n", rest[1], strings.Join(did, "; "))
	return nil
}
