package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/model/remote"
	"dns-tui/model/report"
)

// runReport tells how a run went.
func runReport(ctx context.Context, e *env, args []string) error {
	fs := newFlags(e, "report")
	format := fs.String("format", "html", "html (a page), md (Markdown), csv (the curves) or json (everything)")
	out := fs.String(
		"out",
		"",
		"file to write; - is standard output (default: RUN.html for a page, else standard output)",
	)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef(
			"report: %d runs are named; wanted one: a journal, a solver, or the name of an active run",
			len(rest),
		)
	}
	journal, err := journalOf(ctx, rest[0])
	if err != nil {
		return err
	}
	r, err := report.Read(journal)
	if err != nil {
		return adviseReport(journal, err)
	}
	if r.Notice != "" {
		escape.Fprintln(e.stderr, "dns-tui: "+r.Notice)
	}
	formats := map[string]func(io.Writer) error{"html": r.HTML, "md": r.Markdown, "csv": r.CSV, "json": r.JSON}
	write, ok := formats[*format]
	if !ok {
		return usagef("report: --format is %q; wanted html, md, csv or json", *format)
	}
	if *out == "" && *format == "html" {
		*out = strings.TrimSuffix(journal, ".journal") + ".html"
	}
	if *out == "" || *out == "-" {
		return write(e.stdout)
	}
	if sameFile(*out, journal) {
		return usagef("report: %s is the journal that the report is made of", *out)
	}
	if err := caffe.WriteFile(*out, write); err != nil {
		return err
	}
	escape.Fprintln(e.noticeWriter(*out), *out)
	return nil
}

// journalOf finds a run's journal: by the file, by its solver, or by the name of an active run.
func journalOf(ctx context.Context, what string) (string, error) {
	if files.HasExt(what, ".prototxt") {
		run, err := config.LoadSolver(what)
		if err != nil {
			return "", adviseReport(what, err)
		}
		return run.JournalPath(), nil
	}
	if caffe.Exists(what) {
		return what, nil
	}
	runs, err := remote.Runs(ctx)
	if err != nil {
		return "", err
	}
	r, err := remote.Find(runs, what)
	if err != nil || r.Snapshot == nil {
		return "", fmt.Errorf("%s: no such file (wanted a journal or a solver), and no active run has this name", what)
	}
	path := r.Snapshot.Journal
	if !filepath.IsAbs(path) { // it is the other process's
		if dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", r.Pid)); err == nil {
			path = filepath.Join(dir, path)
		}
	}
	return path, nil
}
