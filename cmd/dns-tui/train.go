package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model/autopilot"
	"dns-tui/model/remote"
	"dns-tui/model/session"
)

// runFlags are the flags that describe a run, of train and ui.
type runFlags struct {
	device         deviceFlags
	rank           rankFlags
	solver         string
	weights        string
	snapshot       string
	resume         resumeFlag
	settings       string
	masksFromZeros bool
	skipMismatched bool
	journal        string
	replay         string
	level          int
	stage          string
	input          inputFlag
	paused         bool
	stopOnCollapse bool
	autopilot      autopilotFlags
}

// autopilotUsage begins the help of the autopilot's flags.
const autopilotUsage = "autopilot: "

// autopilotFlags are settings of the autopilot: --target, and one for each of its options.
type autopilotFlags []autopilot.Setting

func (f *autopilotFlags) add(fs *flag.FlagSet) {
	for _, o := range autopilot.Options {
		usage := fmt.Sprintf("%s%s (%s; default: %s)", autopilotUsage, o.Doc, o.Form, o.Default)
		fs.Func(o.Flag(), usage, func(value string) error {
			e, err := autopilot.ParseSetting(o.Name, value)
			*f = append(*f, e)
			return err
		})
	}
}

const skipMismatchedUsage = "layers of the weights file whose blobs have another shape keep their filler's values"

func (f *runFlags) add(fs *flag.FlagSet) {
	f.device.add(fs)
	f.rank.add(fs)
	fs.StringVar(&f.solver, "solver", "", "the solver's prototxt")
	fs.StringVar(&f.weights, "weights", "", "caffemodels to start from, separated by commas")
	fs.StringVar(&f.snapshot, "snapshot", "", "solverstate to resume from")
	fs.Var(
		&f.resume,
		"resume",
		"resume from the complete snapshot of the highest iteration at the solver's snapshot_prefix; =auto: begin "+
			"where there is none",
	)
	fs.StringVar(
		&f.settings,
		"settings",
		"",
		"whose settings hold where snapshot and files differ: files, snapshot, or by default the files' where they "+
			"were edited since, else the snapshot's",
	)
	fs.BoolVar(&f.masksFromZeros, "masks-from-zeros", false, "weights that are exactly zero in --weights start pruned")
	fs.BoolVar(&f.skipMismatched, "skip-mismatched", false, skipMismatchedUsage)
	fs.StringVar(&f.journal, "journal", "", "where changes are recorded (default: snapshot_prefix.journal)")
	fs.StringVar(&f.replay, "replay", "", "journal of the run to repeat")
	f.input.add(fs)
	f.autopilot.add(fs)
	fs.BoolVar(
		&f.stopOnCollapse,
		"stop_on_collapse",
		false,
		"end a run that can learn nothing more: nothing passes the net, or the loss is stuck far above its start",
	)
	fs.BoolVar(
		&f.paused,
		"paused",
		false,
		"wait before the first iteration, for a key; without a UI for one of dns-tui attach (means --serve)",
	)
	fs.IntVar(&f.level, "level", 0, "level of the train net's state")
	fs.StringVar(&f.stage, "stage", "", "stages of the train net's state, separated by commas")
}

// applyState adds the flags that choose layers to the solver's train_state.
func (f *runFlags) applyState(s *caffepb.SolverParameter) {
	if f.level == 0 && f.stage == "" {
		return
	}
	if s.TrainState == nil {
		s.TrainState = &caffepb.NetState{}
	}
	if f.level != 0 {
		level := int32(f.level)
		s.TrainState.Level = &level
	}
	if f.stage != "" {
		s.TrainState.Stage = append(s.TrainState.Stage, strings.Split(f.stage, ",")...)
	}
}

// resumeFlags are the flags that a run wants again when it is resumed.
func (f *runFlags) resumeFlags() []string {
	var again []string
	if f.input.Inputs != nil {
		again = append(again, "--input", f.input.text)
	}
	if f.rank.ranks > 1 {
		again = append(again, "--ranks", fmt.Sprint(f.rank.ranks))
	}
	if several, err := f.device.ordinals(); err == nil && len(several) > 1 {
		again = append(again, "--gpu", f.device.gpu)
	}
	return again
}

// load reads the run that the flags describe.
func (f *runFlags) load(name string, rest []string) (*config.Run, error) {
	if f.solver == "" && len(rest) == 1 {
		f.solver, rest = rest[0], nil
	}
	switch {
	case len(rest) > 0:
		return nil, usagef("%s: unexpected argument %q", name, rest[0])
	case f.solver == "":
		return nil, usagef("%s: no solver given: --solver FILE", name)
	case f.weights != "" && f.snapshot != "":
		return nil, usagef("%s: --weights and --snapshot are mutually exclusive: a snapshot names its weights", name)
	case f.settings != "" && f.settings != string(config.BySnapshot) && f.settings != string(config.ByFiles):
		return nil, usagef("%s: --settings is %q; wanted files or snapshot", name, f.settings)
	case f.resume != "" && f.snapshot != "":
		return nil, usagef(
			"%s: --resume and --snapshot are mutually exclusive: --resume finds the snapshot itself", name,
		)
	case f.resume == resumeFlag(config.ResumeNewest) && (f.weights != "" || f.snapshot != ""):
		return nil, usagef(
			"%s: --resume is mutually exclusive with --weights and --snapshot: it finds the snapshot itself", name,
		)
	}
	run, err := loadSolver(f.solver, solverCommands[name]...)
	if err != nil {
		return nil, err
	}
	f.applyState(run.Solver)
	f.device.mode = run.Solver
	if f.weights != "" {
		run.Weights = strings.Split(f.weights, ",")
	} else {
		run.Weights = append(run.Weights, run.Solver.Weights...)
	}
	run.Snapshot, run.Journal, run.Replay = f.snapshot, f.journal, f.replay
	run.Settings, run.Resume = config.Precedence(f.settings), config.Resume(f.resume)
	run.MasksFromZeros, run.SkipMismatched, run.Inputs = f.masksFromZeros, f.skipMismatched, f.input.Inputs
	if run.Snapshot != "" {
		run.Weights = nil
	}
	return run, nil
}

// resumeFlag is --resume, --resume=auto, or neither.
type resumeFlag config.Resume

func (r *resumeFlag) String() string { return string(*r) }

// IsBoolFlag lets the flag stand without a value.
func (r *resumeFlag) IsBoolFlag() bool { return true }

func (r *resumeFlag) Set(v string) error {
	switch v {
	case "true":
		*r = resumeFlag(config.ResumeNewest)
	case "false":
		*r = ""
	case "auto":
		*r = resumeFlag(config.ResumeAuto)
	default:
		return errors.New("wanted --resume or --resume=auto")
	}
	return nil
}

// trainFlags are what train was called with.
type trainFlags struct {
	runFlags
	run   *config.Run
	lines linesOptions
}

// parseTrain reads the arguments of train.
func parseTrain(e *env, args []string) (*trainFlags, error) {
	f := &trainFlags{}
	fs := newFlags(e, "train")
	f.add(fs)
	sigint := fs.String("sigint_effect", "stop", "what SIGINT does: stop (with a snapshot), snapshot, none")
	log := fs.String("log", "plain", "form of the progress lines: plain, or caffe for tools that read Caffe's log")
	progress := fs.String("progress", "lines", "progress for people (lines) or for programs (json): an object a line")
	sighup := fs.String("sighup_effect", "snapshot", "what SIGHUP does: stop (with a snapshot), snapshot, none")
	serve := fs.Bool("serve", false, "let terminals attach to the run (dns-tui attach)")
	rest, err := parse(fs, args)
	if err != nil {
		return f, err
	}
	if *log != "plain" && *log != "caffe" {
		return f, usagef("train: --log is %q; wanted plain or caffe", *log)
	}
	switch {
	case *progress != "lines" && *progress != "json":
		return f, usagef("train: --progress is %q; wanted lines or json", *progress)
	case *progress == "json" && *log == "caffe":
		return f, usagef("train: --progress json and --log caffe are mutually exclusive: each is all that is printed")
	}
	for _, effect := range []string{*sigint, *sighup} {
		if effect != "stop" && effect != "snapshot" && effect != "none" {
			return f, usagef("train: effect of a signal is %q; wanted stop, snapshot or none", effect)
		}
	}
	if f.run, err = f.load("train", rest); err != nil {
		return f, err
	}
	f.lines = linesOptions{
		effects: effects{*sigint, *sighup}, serve: *serve, paused: f.paused, stopOnCollapse: f.stopOnCollapse,
		autopilot: f.autopilot, form: plainForm,
	}
	switch {
	case *log == "caffe":
		f.lines.form = caffeForm
	case *progress == "json":
		f.lines.form = jsonForm
	}
	return f, nil
}

func runTrain(ctx context.Context, e *env, args []string) error {
	f, err := parseTrain(e, args)
	if err != nil {
		return err
	}
	e.resumeFlags = f.resumeFlags()
	return f.train(ctx, e, "train", args, f.run, f.lines)
}

// train trains without a UI, as one rank or one of several.
func (f *runFlags) train(
	ctx context.Context, e *env, command string, args []string, run *config.Run, o linesOptions,
) error {
	return f.asRank(ctx, e, command, args, run, func(d *gpu.Device, g collective.Group) error {
		o.group = g
		return trainLines(ctx, e, run, d, o)
	})
}

// effects are what SIGINT and SIGHUP do to a run without a UI: stop, snapshot or none. SIGTERM stops.
type effects struct{ sigint, sighup string }

// linesOptions say how a run without a UI behaves.
type linesOptions struct {
	effects
	serve          bool // a UI may attach
	paused         bool // wait for one before the first iteration
	stopOnCollapse bool
	autopilot      []autopilot.Setting
	form           formKind
	group          collective.Group // of several ranks; or nil
}

// formKind names a form.
type formKind int

const (
	plainForm formKind = iota
	caffeForm
	jsonForm
)

// newForm returns the form that a run tells of itself in.
func newForm(e *env, kind formKind, run *config.Run) form {
	switch kind {
	case caffeForm:
		return &caffeLog{env: e, testLoss: run.Solver.GetTestComputeLoss(), display: int(run.Solver.GetDisplay()),
			name: run.Train.Net.GetName(), policy: run.Solver.GetLrPolicy()}
	case jsonForm:
		return &jsonLines{w: e.stdout, now: time.Now}
	}
	return &plainLines{env: e, testLoss: run.Solver.GetTestComputeLoss()}
}

// trainLines trains without a UI and prints progress lines.
func trainLines(ctx context.Context, e *env, run *config.Run, d *gpu.Device, eff linesOptions) error {
	eff.serve = eff.serve || eff.paused // somebody must be able to let it continue
	observer := session.NewObserver(1024, nil)
	lines := newForm(e, eff.form, run)
	opts := session.Options{
		Observers:      []*session.Observer{observer},
		Debug:          lines.debug,
		Histograms:     eff.serve,
		CaffeEnd:       eff.form == caffeForm,
		Served:         eff.serve,
		Paused:         eff.paused,
		StopOnCollapse: eff.stopOnCollapse,
		Autopilot:      eff.autopilot,
		Group:          eff.group,
	}
	if eff.serve {
		opts.Guard, opts.Name = guards, remote.RunName(run.SolverPath)
	}
	t, err := session.NewTrainer(run, d, opts)
	if err != nil {
		return adviseInput(err)
	}
	attach := ""
	if eff.serve {
		name := opts.Name
		server := remote.NewServer(t, name, version)
		if err := server.Listen(); err != nil {
			return err
		}
		defer server.Close()
		attach = commandLine("attach", name)
		if eff.paused {
			escape.Fprintf(
				e.stderr,
				"dns-tui: paused before the first iteration: press space in %s to continue\n",
				attach,
			)
		}
	}
	lines.begin(t.Snapshot(), attach)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The commands' answers come as events; a signal that comes too late finds a run that has ended.
	var stops stopping
	perform := func(effect string) {
		switch effect {
		case "stop":
			stops.stop(ctx, t)
		case "snapshot":
			go func() { _, _ = t.Do(ctx, session.Command{Kind: session.SnapshotNow}) }()
		}
	}
	exitIfRepeated := exitOnRepeatedSIGTERM(e)
	signals(ctx, func(s os.Signal) {
		exitIfRepeated(s)
		effect := "stop"
		if s == os.Interrupt {
			effect = eff.sigint
		}
		perform(effect)
	}, func() { perform(eff.sighup) })
	t.Start()
	var phase phases
	look := time.NewTicker(phasesEvery)
	defer look.Stop()
	for {
		select {
		case ev := <-observer.Events():
			lines.event(ev)
		case <-look.C:
			if text := phase.look(t.Snapshot().Health.Phase); text != "" {
				escape.Fprintf(e.stderr, "dns-tui: %s\n", text)
			}
		case <-t.Done():
			drain(lines, observer.Events())
			err := t.Err()
			lines.end(t.Snapshot(), err, int(observer.Dropped()))
			if err != nil {
				return err
			}
			return stops.wait() // nil where a viewer stopped it
		}
	}
}

// stopping are the stops that signals asked for.
type stopping struct {
	running sync.WaitGroup
	mu      sync.Mutex
	err     error // of the first that failed
}

// stop stops a run with a snapshot, in the background.
func (s *stopping) stop(ctx context.Context, t *session.Trainer) {
	s.running.Go(func() {
		if err := stopSaved(ctx, t); err != nil {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.err == nil {
				s.err = err
			}
		}
	})
}

// wait returns what became of them, for a run that has ended.
func (s *stopping) wait() error {
	s.running.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// drain tells the events that have come.
func drain(lines form, events <-chan session.Event) {
	for {
		select {
		case ev := <-events:
			lines.event(ev)
		default:
			return
		}
	}
}
