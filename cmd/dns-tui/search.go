package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strconv"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/remote"
	"dns-tui/model/search"
	"dns-tui/model/session"
)

// searchFlags are the flags of search beside those of a run.
type searchFlags struct {
	budget, holdOut part
	heldOut         string
	smallest        autopilot.Target
	descent, anneal int
	branches        int
	serve           bool
}

// defaultSmallest is where a search's descent ends, where nobody says.
var defaultSmallest = autopilot.Target{Unit: autopilot.Times, Value: 500}

func (f *searchFlags) add(fs *flag.FlagSet) {
	f.holdOut, f.smallest = 0.1, defaultSmallest
	fs.Var(&f.budget, "budget", "the accuracy that may be lost: 0.2% is 0.002")
	fs.Var(&f.holdOut, "hold-out", "the part of the training images that is held out, from their end")
	fs.StringVar(
		&f.heldOut,
		"held-out",
		"",
		"a database or list of held-out images, in place of a part of the training's",
	)
	fs.Func("smallest", "where the descent ends ("+autopilot.TargetForms+"; default: "+f.smallest.String()+")",
		func(text string) (err error) {
			f.smallest, err = autopilot.ParseTarget(text)
			return err
		})
	fs.IntVar(&f.descent, "descent", 0, "iterations of the descent (default: half of max_iter)")
	fs.IntVar(&f.anneal, "anneal", 0, "iterations of a branch's anneal (default: a quarter of max_iter)")
	fs.IntVar(&f.branches, "branches", 8, "at most so many branches are made")
	fs.BoolVar(&f.serve, "serve", false, "let terminals attach to the run (dns-tui attach)")
}

// part is a fraction that may be typed in percent.
type part float64

func (p *part) String() string { return strconv.FormatFloat(100*float64(*p), 'g', -1, 64) + "%" }

func (p *part) Set(text string) error {
	digits, percent := strings.CutSuffix(strings.TrimSpace(text), "%")
	v, err := strconv.ParseFloat(digits, 64)
	if percent {
		v /= 100
	}
	if err != nil || !(v >= 0 && v < 1) {
		return fmt.Errorf("%q; wanted a part of 0%% to 100%%, such as 0.2%% or 0.002", text)
	}
	*p = part(v)
	return nil
}

// check fills in what nobody set, and reports what cannot be.
func (f *searchFlags) check(fs *flag.FlagSet, run *config.Run) error {
	given := false
	fs.Visit(func(g *flag.Flag) { given = given || g.Name == "budget" })
	if !given {
		return usagef("search: no budget given: --budget 0.2%% lets the accuracy fall by 0.002")
	}
	most := int(run.Solver.GetMaxIter())
	if f.descent == 0 {
		f.descent = most / 2
	}
	if f.anneal == 0 {
		f.anneal = most / 4
	}
	switch {
	case f.descent < 20 || f.anneal < 1 || f.branches < 1:
		return usagef("search: a descent of %d iterations, anneals of %d, %d branches; wanted at least 20, 1 and 1",
			f.descent, f.anneal, f.branches)
	case 2*f.descent+f.anneal > 2*most || f.descent+f.anneal+100 > most:
		return usagef("search: a descent of %d iterations and an anneal of %d want a max_iter of %d at least; it is %d",
			f.descent, f.anneal, f.descent+f.anneal+100, most)
	}
	return nil
}

func runSearch(ctx context.Context, e *env, args []string) error {
	var f runFlags
	var sf searchFlags
	fs := newFlags(e, "search")
	f.add(fs)
	sf.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	run, err := f.load("search", rest)
	if err != nil {
		return err
	}
	if err := sf.check(fs, run); err != nil {
		return err
	}
	switch {
	case run.Snapshot != "" || run.Resume != config.ResumeNone || run.Replay != "":
		return usagef("search: --snapshot, --resume and --replay are of train; a search goes on from its own state")
	case len(run.Weights) == 0:
		return usagef("search: no weights given: --weights names the trained net that is to be smaller")
	}
	held, err := run.HoldOut(float64(sf.holdOut), sf.heldOut)
	if err != nil {
		return err
	}
	run.Solver.TestInterval, run.Solver.Snapshot = proto.Int32(0), proto.Int32(0)
	if run.Solver.AutopilotParam != nil {
		run.Solver.AutopilotParam.Target = nil // the search has its own
	}
	state := run.SnapshotPrefix() + ".search"
	if caffe.Exists(state) {
		newest, _, err := session.FindSnapshot(run.SnapshotPrefix(), run.JournalPath())
		if err != nil {
			return fmt.Errorf(
				"%s tells of a search, and its snapshots are gone (remove it to begin anew): %w",
				state,
				err,
			)
		}
		run.Weights, run.Snapshot = nil, newest
	}
	d, err := f.device.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	return sf.search(ctx, e, run, d, searchOf{held, state, f.autopilot})
}

// searchOf is what a search works with beside its flags.
type searchOf struct {
	held     *config.HeldOut
	state    string
	settings []autopilot.Setting
}

func (f *searchFlags) search(ctx context.Context, e *env, run *config.Run, d *gpu.Device, of searchOf) error {
	opts := session.Options{Interactive: true, Paused: true, Guard: guards, Histograms: f.serve}
	if f.serve {
		opts.Name = remote.RunName(run.SolverPath)
	}
	t, err := session.NewTrainer(run, d, opts)
	if err != nil {
		return adviseInput(err)
	}
	if f.serve {
		server := remote.NewServer(t, opts.Name, version)
		if err := server.Listen(); err != nil {
			return err
		}
		defer server.Close()
		escape.Fprintf(e.stdout, "to watch and steer: %s\n", commandLine("attach", opts.Name))
	}
	announce(e, t)
	escape.Fprintln(e.stdout, of.held.String())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exitIfRepeated := exitOnRepeatedSIGTERM(e)
	signals(ctx, func(s os.Signal) { exitIfRepeated(s); cancel() }, func() {})
	t.Start()
	found, err := search.Run(ctx, t, search.Options{
		Budget: float64(f.budget), Smallest: f.smallest, Descent: f.descent, Anneal: f.anneal, Branches: f.branches,
		Images: of.held.Images, Settings: of.settings, State: of.state, Show: t.ShowSearch,
		Log: func(line string) { escape.Fprintln(e.stdout, line) },
	})
	_, _ = t.Do(context.Background(), session.Command{Kind: session.Stop}) // all is saved
	<-t.Done()
	if errors.Is(err, context.Canceled) {
		escape.Fprintf(e.stdout, "stopped; the same command goes on from %s\n", of.state)
		return nil
	}
	if err != nil {
		return err
	}
	return printFrontier(e, run, found)
}

// printFrontier prints what a search came to: accuracy against size.
func printFrontier(e *env, run *config.Run, s *session.Search) error {
	best := s.Best() // the first branch is always within
	escape.Fprintf(e.stdout, "\n  %10s %9s %9s %8s  %s\n", "kept", "smaller", "accuracy", "±", "")
	for _, b := range s.Frontier() {
		mark := "outside the budget"
		switch {
		case best != nil && b.Path == best.Path:
			mark = "the smallest within the budget"
		case b.Inside:
			mark = "within"
		}
		escape.Fprintf(e.stdout, "  %10s %8.4gx %9.4f %8.4f  %s  %s\n", human.Count(b.Kept),
			float64(b.Total)/float64(max(1, b.Kept)), b.Accuracy, s.Error(b.Accuracy), mark, b.Path)
	}
	escape.Fprintf(
		e.stdout,
		"unpruned, by the same training: %.4f; the budget allows %.4f\n",
		s.Dense,
		s.Dense-s.Budget,
	)
	if best == nil || best.Path == s.Branches[0].Path {
		return fmt.Errorf(
			"no smaller net within the budget of %g was found; a larger budget, a longer anneal or a less small "+
				"--smallest may find one",
			s.Budget,
		)
	}
	escape.Fprintf(e.stdout, "to go on with it: %s\n",
		commandLine("train", "--solver", run.SolverPath, "--snapshot", best.Path))
	return nil
}
