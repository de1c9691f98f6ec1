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
)

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
