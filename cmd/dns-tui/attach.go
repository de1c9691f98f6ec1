package main

import (
	"context"
	"errors"
	"fmt"
	"text/tabwriter"

	"dns-tui/escape"
	"dns-tui/model/remote"
	"dns-tui/model/session"
	"dns-tui/tui"
)

// runAttach opens the UI on a run that is active in another process.
func runAttach(ctx context.Context, e *env, args []string) error {
	fs := newFlags(e, "attach")
	readOnly := fs.Bool("read-only", false, "watch, and change nothing")
	ascii := fs.Bool("ascii", false, "draw with ASCII characters only (default: where the locale is not UTF-8)")
	compare := fs.String(
		"compare",
		"",
		"journals of other runs, separated by commas: their curves are drawn beside this one's",
	)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 1 {
		return usagef("attach: %d runs are named; wanted one", len(rest))
	}
	if why := noTerminal(e); why != "" {
		return errors.New("attach: " + why + "; `dns-tui runs` lists active runs")
	}
	what := ""
	if len(rest) == 1 {
		what = rest[0]
	}
	runs, err := remote.Runs(ctx)
	if err != nil {
		return err
	}
	r, err := remote.Find(runs, what)
	if err != nil {
		return err
	}
	opts, err := uiOptions(*ascii, *compare)
	if err != nil {
		return err
	}
	v := &viewer{}
	opts.Name, opts.ReadOnly, opts.Attached = r.Name, *readOnly, true
	opts.Journals = journals(v.folder)
	opts.Open = func() (session.Session, error) {
		c, err := remote.Dial(
			ctx,
			r.Path,
			remote.ClientOptions{Name: viewerName(), ReadOnly: *readOnly, Interval: opts.Preferences.RefreshTime()},
		)
		if err != nil {
			return nil, fmt.Errorf("attach to %s: %w", r.Name, err)
		}
		v.set(c, nil)
		return c, nil
	}
	app, err := tui.New(opts)
	if err != nil {
		return err
	}
	return v.drive(ctx, e, app)
}

// runRuns lists the runs that can be attached to.
func runRuns(ctx context.Context, e *env, args []string) error {
	fs := newFlags(e, "runs")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("runs: unexpected argument %q", rest[0])
	}
	runs, err := remote.Runs(ctx)
	if err != nil {
		return err
	}
	if len(runs) == 0 {
		escape.Fprintln(e.stdout, "no active runs")
		return nil
	}
	w := tabwriter.NewWriter(e.stdout, 0, 0, 2, ' ', 0)
	escape.Fprintf(w, "RUN\tPID\tNET\tSTATE\tITERATION\tKEPT\tVIEWERS\tSOLVER\n")
	for _, r := range runs {
		if r.Err != nil {
			escape.Fprintf(w, "%s\t-\t-\tdoes not answer: %v\n", r.Name, r.Err)
			continue
		}
		s := r.Snapshot
		kept, total := s.Kept()
		percent := "-"
		if total > 0 {
			percent = fmt.Sprintf("%.2f %%", 100*float64(kept)/float64(total))
		}
		state := s.State.String()
		if s.Problem != "" {
			state += ": " + s.Problem
		}
		if s.WriteProblem != "" {
			state += ", " + s.WriteProblem
		}
		escape.Fprintf(
			w,
			"%s\t%d\t%s\t%s\t%d/%d\t%s\t%d\t%s\n",
			r.Name,
			r.Pid,
			s.Net,
			state,
			s.Iter,
			s.MaxIter,
			percent,
			len(s.Viewers),
			s.Path,
		)
	}
	return w.Flush()
}
