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
	"dns-tui/gpu/collective"
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
	fs.BoolVar(&f.serve, "serve", false, "no UI, but let terminals attach to the run (dns-tui attach)")
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
	case f.descent+f.anneal+100 > most:
		return usagef("search: a descent of %d iterations and an anneal of %d want a max_iter of %d at least; it is %d",
			f.descent, f.anneal, f.descent+f.anneal+100, most)
	}
	return nil
}

// searchRun is a search, as its command line says.
type searchRun struct {
	runFlags
	flags    searchFlags
	args     []string
	settings []autopilot.Setting
	run      *config.Run
	held     *config.HeldOut
	ui       uiFlags
}

// parseSearch reads the arguments of search, for the terminal and for the process of its run.
func parseSearch(e *env, args []string) (*searchRun, error) {
	s := &searchRun{args: args}
	f := &s.runFlags
	fs := newFlags(e, "search")
	f.add(fs)
	s.flags.add(fs)
	s.ui.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return nil, err
	}
	if s.run, err = f.load("search", rest); err != nil {
		return nil, err
	}
	s.settings = f.autopilot
	if err := s.flags.check(fs, s.run); err != nil {
		return nil, err
	}
	switch {
	case s.run.Snapshot != "" || s.run.Resume != config.ResumeNone || s.run.Replay != "":
		return nil, usagef(
			"search: --snapshot, --resume and --replay are of train; a search goes on from its own state",
		)
	case len(s.run.Weights) == 0:
		return nil, usagef("search: no weights given: --weights names the trained net that is to be smaller")
	}
	if s.held, err = s.run.HoldOut(float64(s.flags.holdOut), s.flags.heldOut); err != nil {
		return nil, err
	}
	s.run.Solver.TestInterval, s.run.Solver.Snapshot = proto.Int32(0), proto.Int32(0)
	if s.run.Solver.AutopilotParam != nil {
		s.run.Solver.AutopilotParam.Target = nil // the search has its own
	}
	if !caffe.Exists(s.state()) {
		return s, nil
	}
	newest, _, err := session.FindSnapshot(session.SearchPrefix(s.run.SnapshotPrefix()), s.run.JournalPath())
	if err != nil {
		return nil, fmt.Errorf("%s tells of a search, and its snapshots are gone (remove it to begin anew): %w",
			s.state(), err)
	}
	s.run.Weights, s.run.Snapshot = nil, newest
	return s, nil
}

// state is the file that the search goes on from.
func (s *searchRun) state() string { return session.SearchPath(s.run.SnapshotPrefix()) }

// open makes the run, which viewers see as one of a search from the beginning.
func (s *searchRun) open(d *gpu.Device, o session.Options) (*session.Trainer, error) {
	o.Interactive, o.Paused, o.Guard = true, true, guards
	t, err := session.NewTrainer(s.run, d, o)
	if err != nil {
		return nil, adviseInput(err)
	}
	t.ShowSearch(search.Begun(t.Snapshot().Search, float64(s.flags.budget), s.held.Images))
	return t, nil
}

// search searches, and prints a line for what it does.
func (s *searchRun) search(ctx context.Context, e *env, t *session.Trainer) (*session.Search, error) {
	escape.Fprintln(e.stdout, s.held.String())
	f := &s.flags
	return search.Run(ctx, t, search.Options{
		Budget: float64(f.budget), Smallest: f.smallest, Descent: f.descent, Anneal: f.anneal, Branches: f.branches,
		Images: s.held.Images, Settings: s.settings, State: s.state(), Show: t.ShowSearch,
		Log: func(line string) { escape.Fprintln(e.stdout, line) },
	})
}

// runSearch searches in the UI; without a terminal, or with --serve, in lines.
func runSearch(ctx context.Context, e *env, args []string) error {
	s, err := parseSearch(e, args)
	if err != nil {
		return err
	}
	if !s.flags.serve && noTerminal(e) == "" {
		if err := s.device.check(); err != nil {
			return err
		}
		ended := func(sn *session.Snapshot) error { return s.printEnd(e, sn) }
		return driveHost(ctx, e, s.run, s.ui, append([]string{searchHost}, args...), ended)
	}
	return s.lines(ctx, e)
}

// lines searches without a UI.
func (s *searchRun) lines(ctx context.Context, e *env) error {
	return s.asRank(ctx, e, "search", s.args, s.run, func(d *gpu.Device, g collective.Group) error {
		return s.lead(ctx, e, d, g)
	})
}

// lead searches as the only rank, or as rank 0 of a group.
func (s *searchRun) lead(ctx context.Context, e *env, d *gpu.Device, g collective.Group) error {
	opts := session.Options{Histograms: s.flags.serve, Group: g}
	if s.flags.serve {
		opts.Name = remote.RunName(s.run.SolverPath)
	}
	t, err := s.open(d, opts)
	if err != nil {
		return err
	}
	server := remote.NewServer(t, opts.Name, version)
	defer server.Close()
	if s.flags.serve {
		if err := server.Listen(); err != nil {
			return err
		}
		escape.Fprintf(e.stdout, "to watch and steer: %s\n", commandLine("attach", opts.Name))
	}
	announce(e, t.Snapshot())
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	exitIfRepeated := exitOnRepeatedSIGTERM(e)
	signals(ctx, func(s os.Signal) { exitIfRepeated(s); cancel() }, func() {})
	t.Start()
	found, err := s.search(ctx, e, t)
	stopped := ctx.Err() != nil || t.Snapshot().State == session.Stopped || errors.Is(err, session.ErrEnded)
	taken := errors.Is(err, session.ErrTaken)
	switch {
	case taken:
		escape.Fprintf(e.stdout, "%s; the run is in the hands of who took it\n", found.Outcome())
		err = nil
	case err == nil:
		err = printFrontier(e, s.run.SolverPath, found)
	case stopped:
		s.printStopped(e)
		err = nil
	}
	if s.flags.serve && !stopped {
		s.stay(ctx, t, server)
	}
	_, _ = t.Do(context.Background(), session.Command{Kind: session.Stop}) // all is saved
	<-t.Done()
	if taken {
		printSummary(e, "", t.Snapshot())
	}
	return errors.Join(err, t.Err())
}

// printEnd says what became of a search whose run was stopped.
func (s *searchRun) printEnd(e *env, sn *session.Snapshot) error {
	switch found := sn.Search; {
	case found != nil && found.Taken != "":
		printSummary(e, "", sn)
	case found != nil && found.Failed != "":
		return problem(found.Failed)
	case found != nil && found.Done:
		return printFrontier(e, s.run.SolverPath, found)
	default:
		s.printStopped(e)
	}
	return nil
}

// stay lets a run be after its search, while somebody watches or it trains; ctx ends it with a snapshot.
func (s *searchRun) stay(ctx context.Context, t *session.Trainer, server *remote.Server) {
	go func() {
		select {
		case <-ctx.Done():
			_ = stopSaved(context.Background(), t) // t.Err says how the run ended
		case <-t.Done():
		}
	}()
	endUnattended(context.Background(), t, server, searched)
}

// searched reports a run with nothing left to do: one whose search is over, and that nobody has taken up.
func searched(sn *session.Snapshot) bool {
	s := sn.Search
	return finished(sn) || s != nil && !s.Running && s.Taken == "" && sn.State == session.Paused
}

// printStopped says how a search goes on that was stopped.
func (s *searchRun) printStopped(e *env) {
	escape.Fprintf(e.stdout, "stopped; the same command goes on from %s\n", s.state())
}

// printFrontier prints what a search came to: accuracy against size.
func printFrontier(e *env, solver string, s *session.Search) error {
	best := s.Best() // the first branch is always within
	escape.Fprintf(e.stdout, "\n  %10s %9s %9s %8s  %s\n", "kept", "smaller", "accuracy", "±", "budget")
	for _, b := range s.Frontier() {
		mark := b.Where()
		if best != nil && b.Path == best.Path {
			mark = "smallest within"
		}
		escape.Fprintf(e.stdout, "  %10s %9s %9.4f %8.4f  %-15s  %s\n", human.Count(b.Kept),
			session.Smaller(b.Kept, b.Total), b.Accuracy, s.Error(b.Accuracy), mark, b.Path)
	}
	escape.Fprintf(e.stdout, "unpruned, by the same training: %.4f; the budget allows %.4f\n", s.Dense, s.Least())
	if best == nil || best.Path == s.Branches[0].Path {
		return fmt.Errorf(
			"no smaller net within the budget of %g was found; a larger budget, a longer anneal or a less small "+
				"--smallest may find one",
			s.Budget,
		)
	}
	escape.Fprintf(e.stdout, "to go on with it: %s\n",
		commandLine("train", "--solver", solver, "--snapshot", best.Path))
	return nil
}
