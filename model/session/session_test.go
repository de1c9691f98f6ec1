package session_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/hdf5"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// mini is a run of the small reference net under the seed rule, or of name, with snapshots in a folder of the test's.
func mini(t testing.TB, name string, change func(*config.Run)) *config.Run {
	t.Helper()
	run, err := config.LoadSolver(modeltest.Root("oracle", "solvers", name+".solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	run.Weights = []string{modeltest.Root("oracle", "solvers", name+"_init.caffemodel")}
	run.Solver.SnapshotPrefix = proto.String(filepath.Join(t.TempDir(), "run"))
	if strings.HasPrefix(name, "dns_") {
		run.Solver.SurgeryIterGamma = proto.Float32(0)
	}
	if change != nil {
		change(run)
	}
	return run
}

// start runs a trainer that is paused and waits for commands.
func start(t testing.TB, run *config.Run, threads int) *session.Trainer {
	t.Helper()
	return startWith(t, run, threads, session.Options{})
}

func startWith(t testing.TB, run *config.Run, threads int, o session.Options) *session.Trainer {
	t.Helper()
	d := host.New(host.Options{Threads: threads})
	o.Interactive, o.Histograms, o.Paused = true, true, true
	if n, _ := strconv.Atoi(os.Getenv("DNS_TUI_TEST_RANKS")); n > 1 && o.Group == nil {
		o.Group = followed(t, run, n)
	}
	tr, err := session.NewTrainer(run, d, o)
	if err != nil {
		d.Close()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop}) // it may have ended
		<-tr.Done()
		d.Close()
	})
	tr.Start()
	return tr
}

// settle waits until the run stands still, by looking: a command would leave an event.
func settle(t testing.TB, tr *session.Trainer) *session.Snapshot {
	t.Helper()
	var s *session.Snapshot
	modeltest.Eventually(t, "the run comes to rest", func() bool {
		s = tr.Snapshot()
		return s.State != session.Running && s.State != session.Testing
	})
	return s
}

// TestSession drives a run by text: see testdata/session.
func TestSession(t *testing.T) {
	datadriven.Walk(t, "testdata/session", func(t *testing.T, path string) {
		var tr *session.Trainer
		var run *config.Run
		waiting := map[string]chan string{}
		datadriven.RunTest(t, path, func(t *testing.T, d *datadriven.TestData) (out string) {
			defer func() { out = shortNumbers(out) }()
			if d.Cmd == "run" {
				run = mini(t, d.CmdArgs[0].Key, func(r *config.Run) {
					for line := range strings.SplitSeq(strings.TrimSpace(d.Input), "\n") {
						merge(t, r, line)
					}
				})
				o := session.Options{}
				if d.HasArg("guard") {
					d.ScanArgs(t, "guard", &o.Guard)
				}
				tr = startWith(t, run, 2, o)
				return describe(tr.Snapshot())
			}
			switch d.Cmd {
			case "kill": // as kill -9 leaves it: what was saved last is there
				_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop})
				<-tr.Done()
				return "killed\n"
			case "restart": // from the newest snapshot
				state, _, err := session.FindSnapshot(run.SnapshotPrefix(), run.JournalPath())
				if err != nil {
					t.Fatal(err)
				}
				run.Weights, run.Snapshot = nil, state
				tr = startWith(t, run, 2, session.Options{Guard: 3})
				return describe(tr.Snapshot())
			}
			return drive(t, tr, run, waiting, d)
		})
	})
}

// longNumber is a number with so many digits that the last of them are rounding, which differs from machine to machine.
var longNumber = regexp.MustCompile(`\b\d+\.\d{9,}`)

// shortNumbers gives long numbers five digits.
func shortNumbers(text string) string {
	return longNumber.ReplaceAllStringFunc(text, func(number string) string {
		v, err := strconv.ParseFloat(number, 64)
		if err != nil {
			return number
		}
		return strconv.FormatFloat(v, 'g', 5, 64)
	})
}

// merge adds prototxt fields to a solver.
func merge(t *testing.T, r *config.Run, line string) {
	t.Helper()
	extra := proto.CloneOf(r.Solver)
	extra.Reset()
	if err := caffe.ParsePrototxt("solver", []byte(line), extra); err != nil {
		t.Fatal(err)
	}
	proto.Merge(r.Solver, extra)
}

// describe is one line of state and one a layer.
func describe(s *session.Snapshot) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %d\n", s.State, s.Iter)
	for _, l := range s.Layers {
		h := s.Hyper.Layer(l.Name)
		fmt.Fprintf(
			&b,
			"%s %s %.4g kept %d of %d\n",
			l.Name,
			h.ThresholdParam().String(),
			h.Threshold,
			l.Kept,
			l.Weights,
		)
	}
	for _, c := range s.Pending {
		fmt.Fprintf(&b, "pending %s\n", c)
	}
	if a := s.Autopilot; a != nil {
		fmt.Fprintf(
			&b,
			"autopilot %s: %s, %.0f kept of %.1f planned, next surgery %d, rate ×%.3f, of %s\n",
			&a.Autopilot,
			a.Phase,
			a.Now,
			a.Planned,
			a.Next,
			a.RateFactor,
			strings.Join(a.Driven, " "),
		)
		if a.Note != "" {
			fmt.Fprintf(&b, "  %s\n", a.Note)
		}
	}
	return b.String()
}

func drive(
	t *testing.T,
	tr *session.Trainer,
	run *config.Run,
	waiting map[string]chan string,
	d *datadriven.TestData,
) string {
	ctx, cancel := context.WithTimeout(context.Background(), modeltest.Patience)
	defer cancel()
	format := func(ack session.Ack, err error) string {
		if err != nil {
			return "rejected: " + strings.ReplaceAll(err.Error(), filepath.Dir(run.SnapshotPrefix())+"/", "") + "\n"
		}
		return strings.TrimSpace(
			fmt.Sprintf(
				"at %d %s",
				ack.Iter,
				strings.ReplaceAll(ack.Detail, filepath.Dir(run.SnapshotPrefix())+"/", ""),
			),
		) + "\n"
	}
	do := func(c session.Command) string { return format(tr.Do(ctx, c)) }
	arg := func(i int) string { return d.CmdArgs[i].String() }
	switch d.Cmd {
	case "set":
		e, err := config.Parse(arg(0), arg(1))
		if err != nil {
			return format(session.Ack{}, err)
		}
		return do(session.SetOf(e))
	case "ask": // a change whose answer is read later
		c := make(chan string, 1)
		waiting[arg(0)] = c
		before := len(tr.Snapshot().Pending)
		cmd := set(arg(0), arg(1))
		go func() { c <- format(tr.Do(context.Background(), cmd)) }()
		modeltest.Eventually(t, "the change waits, or is answered", func() bool {
			return len(c) > 0 || len(tr.Snapshot().Pending) != before || pendingIs(tr, arg(0), arg(1))
		})
		return describe(tr.Snapshot())
	case "answer":
		select {
		case s := <-waiting[arg(0)]:
			return s
		case <-ctx.Done():
			return "no answer\n"
		}
	case "step":
		n, _ := strconv.Atoi(arg(0))
		do(session.Command{Kind: session.Step, Count: n})
		return describe(settle(t, tr))
	case "resume":
		do(session.Command{Kind: session.Resume})
		return describe(settle(t, tr))
	case "state":
		return describe(tr.Snapshot())
	case "surgery":
		return do(session.Command{Kind: session.SurgeryNow}) + describe(tr.Snapshot())
	case "undo":
		// Taking back a threshold that is in force waits for surgery like any change of it.
		c := make(chan string, 1)
		waiting["undo"] = c
		before := len(tr.Snapshot().Pending)
		go func() { c <- format(tr.Do(context.Background(), session.Command{Kind: session.Undo})) }()
		modeltest.Eventually(t, "the undo waits, or is answered", func() bool {
			return len(c) > 0 || len(tr.Snapshot().Pending) > before
		})
		if len(c) > 0 {
			return <-c + describe(tr.Snapshot())
		}
		return describe(tr.Snapshot())
	case "snapshot":
		return do(session.Command{Kind: session.SnapshotNow})
	case "test":
		return do(session.Command{Kind: session.TestNow})
	case "predict": // what the histogram says a threshold would leave pruned
		l := tr.Snapshot().Layer(arg(0))
		v, _ := strconv.ParseFloat(arg(1), 64)
		return fmt.Sprintf("%d kept\n", l.Histogram.Total()-l.Histogram.Pruned(v))
	case "events":
		var b strings.Builder
		for _, e := range tr.Snapshot().Events {
			fmt.Fprintf(
				&b,
				"%d %s %s\n",
				e.Iter,
				e.Status(),
				strings.ReplaceAll(e.What.String(), filepath.Dir(run.SnapshotPrefix())+"/", ""),
			)
		}
		return b.String()
	case "journal":
		data, err := os.ReadFile(run.JournalPath())
		if err != nil {
			return err.Error()
		}
		var b strings.Builder // without what differs from machine to machine
		for _, line := range strings.SplitAfter(strings.ReplaceAll(string(data), run.SolverPath, "SOLVER"), "\n") {
			if !strings.Contains(line, `"field":"measure"`) {
				b.WriteString(describing.ReplaceAllString(line, "}"))
			}
		}
		return b.String()
	case "redo":
		return do(session.Command{Kind: session.Redo}) + describe(tr.Snapshot())
	case "autopilot": // an action, or settings: target=10x end_iter=12
		r, err := parseRequest(d)
		if err != nil {
			return format(session.Ack{}, err)
		}
		ack, err := tr.Do(ctx, session.Command{Kind: session.Steer, Autopilot: r})
		text := format(ack, err)
		if p := ack.Prediction; p != nil && r.Action == session.AutopilotPredict {
			for i, name := range p.Layers {
				text += fmt.Sprintf(
					"%s %d of %d, %s\n",
					name,
					p.Solution.Layers[i].Kept,
					p.Totals[i],
					p.Solution.Layers[i].Bound,
				)
			}
			for _, v := range p.Descent.Derived {
				text += fmt.Sprintln(v)
			}
		}
		return text
	case "replayed": // the run's journal, repeated up to here, gives the same weights
		at := tr.Snapshot().Iter
		if ack := do(session.Command{Kind: session.SnapshotNow}); strings.HasPrefix(ack, "rejected") {
			return ack
		}
		want := read(t, fmt.Sprintf("%s_iter_%d.caffemodel", run.SnapshotPrefix(), at))
		again := proto.CloneOf(run.Solver)
		again.SnapshotPrefix = proto.String(filepath.Join(t.TempDir(), "run"))
		repeat := *run
		repeat.Solver, repeat.Replay, repeat.Snapshot = again, run.JournalPath(), ""
		repeat.Weights = []string{strings.Replace(run.SolverPath, ".solver.prototxt", "_init.caffemodel", 1)}
		if got, _ := weightsAt(t, &repeat, 1, at); !bytes.Equal(want, got) {
			return "other weights\n"
		}
		return "the same weights\n"
	case "until-surgery":
		if s := do(session.Command{Kind: session.StepSurgery}); strings.HasPrefix(s, "rejected") {
			return s
		}
		return describe(settle(t, tr))
	case "plan": // field value at [over] [from], at +N relative
		e, err := config.Parse(arg(0), arg(1))
		if err != nil {
			return format(session.Ack{}, err)
		}
		p := session.Plan{Edit: e, Relative: strings.HasPrefix(arg(2), "+")}
		p.At, _ = strconv.Atoi(strings.TrimPrefix(arg(2), "+"))
		if len(d.CmdArgs) > 3 {
			p.Over, _ = strconv.Atoi(arg(3))
		}
		if len(d.CmdArgs) > 4 {
			from, err := e.ParseValue(arg(4))
			if err != nil {
				return format(session.Ack{}, err)
			}
			p.From = &from
		}
		return do(session.Command{Kind: session.Schedule, Plan: p})
	case "cancel":
		n, _ := strconv.Atoi(arg(0))
		return do(session.Command{Kind: session.Cancel, Count: n})
	case "plans":
		var b strings.Builder
		for _, p := range tr.Snapshot().Plans {
			fmt.Fprintf(&b, "%d: %s\n", p.ID, p)
		}
		return b.String()
	case "back":
		path := ""
		if len(d.CmdArgs) > 0 {
			path = filepath.Join(filepath.Dir(run.SnapshotPrefix()), arg(0))
		}
		return do(session.Command{Kind: session.GoBack, Path: path}) + describe(tr.Snapshot())
	case "states":
		var b strings.Builder
		for _, s := range tr.Snapshot().RestorePoints {
			fmt.Fprintf(&b, "%d %s: %s, kept %d of %d\n", s.Iter, filepath.Base(s.Path), s.Why, s.Kept, s.Total)
		}
		return b.String()
	case "next":
		s := tr.Snapshot()
		return fmt.Sprintf("undo: %s\nredo: %s\n", s.Undo, s.Redo)
	case "weigh": // TARGET, or field=value for thresholds
		return weigh(t, tr, d)
	case "value":
		h := tr.Snapshot().Hyper
		f, err := h.ParseField(arg(0))
		if err != nil {
			return fmt.Sprintln("", err)
		}
		v, err := h.Text(f)
		return fmt.Sprintln(v, err)
	}
	t.Fatalf("unknown command %s", d.Cmd)
	return ""
}

// parseRequest reads what the autopilot is asked.
func parseRequest(d *datadriven.TestData) (session.AutopilotRequest, error) {
	var r session.AutopilotRequest
	for _, a := range d.CmdArgs {
		if len(a.Vals) == 0 {
			action, ok := session.AutopilotActionOf(a.Key)
			if !ok {
				return r, fmt.Errorf("no action %q", a.Key)
			}
			r.Action = action
			continue
		}
		e, err := autopilot.ParseSetting(a.Key, strings.Join(a.Vals, " "))
		if err != nil {
			return r, err
		}
		r.Settings = append(r.Settings, e)
	}
	return r, nil
}

// describing is what a journal's lines say beyond the change.
var describing = regexp.MustCompile(`,"(time|start)":.*\}`)

func pendingIs(tr *session.Trainer, field, value string) bool {
	s := tr.Snapshot()
	e, err := s.Hyper.Parse(field, value)
	if err != nil {
		return false
	}
	v, ok := s.PendingValue(e.Field)
	return ok && v == e.Value
}

// train trains a run to an iteration.
func train(t *testing.T, run *config.Run, threads, iter int) {
	t.Helper()
	run.Solver.MaxIter = proto.Int32(int32(iter))
	d := host.New(host.Options{Threads: threads})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	if err := tr.Err(); err != nil {
		t.Fatal(err)
	}
}

// weightsAt trains a run to an iteration and returns its snapshot files.
func weightsAt(t *testing.T, run *config.Run, threads, iter int) (weights, state []byte) {
	t.Helper()
	train(t, run, threads, iter)
	base := fmt.Sprintf("%s_iter_%d", run.SnapshotPrefix(), iter)
	return read(t, base+".caffemodel"), read(t, base+".solverstate")
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func read(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// random surgery, several passes, dropout's clock, smoothing: all that a resume must carry.
func lively(r *config.Run) {
	r.Solver.SurgeryIterGamma = proto.Float32(0.05)
	r.Solver.IterSize = proto.Int32(2)
	r.Solver.AverageLoss = proto.Int32(5)
	r.Solver.ClipGradients = proto.Float32(3)
}

func TestResumeIsBitForBit(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini", "sgd_itersize_bn", "dns_seed_mixed_dense"} {
		t.Run(name, func(t *testing.T) {
			whole, wholeState := weightsAt(t, mini(t, name, lively), 2, 30)
			first := mini(t, name, lively)
			weightsAt(t, first, 2, 13)
			again := mini(t, name, lively)
			again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_13.solverstate"
			resumed, resumedState := weightsAt(t, again, 3, 30)
			if !bytes.Equal(whole, resumed) {
				t.Error("weights after a resume differ from those of the undisturbed run")
			}
			a, b := &caffeState{}, &caffeState{}
			a.parse(t, wholeState)
			b.parse(t, resumedState)
			if a.text != b.text {
				t.Errorf("states differ:\n%s\n%s", a.text, b.text)
			}
		})
	}
}

// Every solver type resumes bit for bit, second histories included.
func TestEveryMethodResumes(t *testing.T) {
	for _, typ := range config.SolverTypes {
		t.Run(typ, func(t *testing.T) {
			with := func(r *config.Run) {
				lively(r)
				r.Solver.Type = proto.String(typ)
				if typ == "AdaGrad" || typ == "RMSProp" {
					r.Solver.Momentum = nil
				}
			}
			whole, _ := weightsAt(t, mini(t, "dns_seed_mini", with), 2, 12)
			first := mini(t, "dns_seed_mini", with)
			weightsAt(t, first, 2, 7)
			again := mini(t, "dns_seed_mini", with)
			again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_7.solverstate"
			if resumed, _ := weightsAt(t, again, 1, 12); !bytes.Equal(whole, resumed) {
				t.Error("weights after a resume differ from those of the undisturbed run")
			}
		})
	}
}

// Evaluation changes nothing: a run with tests in it has the weights of one without.
func TestTestingChangesNothing(t *testing.T) {
	with := mini(t, "dns_seed_mini", func(r *config.Run) {
		lively(r)
		r.Tests = []*caffe.NetFile{r.Train}
		r.Solver.TestIter = []int32{3}
		r.Solver.TestInterval = proto.Int32(4)
	})
	a, _ := weightsAt(t, with, 2, 20)
	b, _ := weightsAt(t, mini(t, "dns_seed_mini", lively), 2, 20)
	if !bytes.Equal(a, b) {
		t.Error("a run with tests has other weights than one without")
	}
}

func TestThreadsDoNotMatter(t *testing.T) {
	a, _ := weightsAt(t, mini(t, "dns_seed_mini", lively), 1, 15)
	for _, threads := range []int{2, 3, 8} {
		b, _ := weightsAt(t, mini(t, "dns_seed_mini", lively), threads, 15)
		if !bytes.Equal(a, b) {
			t.Errorf("weights on %d threads differ from those on one", threads)
		}
	}
}

// A journal repeats a run: the same changes at the same iterations give the same weights.
func TestReplay(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Solver.RandomSeed = nil })
	tr := start(t, run, 2)
	ctx := context.Background()
	step := func(n int) {
		must(t, tr, session.Command{Kind: session.Step, Count: n})
		settle(t, tr)
	}
	step(5)
	go func() { _, _ = tr.Do(ctx, set("conv2.threshold", "1.5")) }()
	must(t, tr, set("lr_mult", "0.5"))
	step(7)
	must(t, tr, session.Command{Kind: session.SurgeryNow})
	must(t, tr, set("ip1.frozen", "on"))
	step(6)
	must(t, tr, session.Command{Kind: session.Undo})
	step(7)
	if _, err := tr.Do(ctx, session.Command{Kind: session.SnapshotNow}); err != nil {
		t.Fatal(err)
	}
	want := read(t, run.SnapshotPrefix()+"_iter_25.caffemodel")
	if len(tr.Snapshot().Pending) != 0 {
		t.Fatal("the threshold never took effect; the test wants more iterations")
	}
	replay := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Solver.RandomSeed = nil })
	replay.Replay = run.JournalPath()
	got, _ := weightsAt(t, replay, 2, 25)
	if !bytes.Equal(want, got) {
		t.Error("the replayed run has other weights")
	}
	changes, err := session.ReadJournal(replay.JournalPath())
	if err != nil || len(changes) < 5 {
		t.Errorf("the replayed run's own journal has %d entries, %v", len(changes), err)
	}
}

// A bad loss pauses an interactive run, names iteration and layer, and updates nothing.
func TestUnstableLossPauses(t *testing.T) {
	tr := start(t, mini(t, "sgd_inv", nil), 2)
	must(t, tr, set("base_lr", "1e6"))
	must(t, tr, session.Command{Kind: session.Resume})
	s := settle(t, tr)
	if s.State != session.Paused || !strings.Contains(s.Problem, fmt.Sprintf("iteration %d: the loss is", s.Iter)) ||
		!strings.Contains(s.Problem, `layer "`) {
		t.Errorf("state %s, problem %q", s.State, s.Problem)
	}
}

// A run by itself whose loss goes wrong ends, and says which snapshot is the last; it writes none, from which it would
// end the same way.
func TestUnstableLossEnds(t *testing.T) {
	run := mini(t, "sgd_inv", func(r *config.Run) {
		r.Solver.BaseLr, r.Solver.Snapshot = proto.Float32(1e6), proto.Int32(1)
	})
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	o := session.NewObserver(1000, nil)
	tr, err := session.NewTrainer(run, d, session.Options{Observers: []*session.Observer{o}})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	var unstable *solver.UnstableError
	if !errors.As(tr.Err(), &unstable) {
		t.Fatal(tr.Err())
	}
	saved := tr.Snapshot().Saved
	if _, err := caffe.ReadSolverState(saved); err != nil || unstable.Iter < 2 {
		t.Fatalf("failed in iteration %d, saved %q: %v", unstable.Iter, saved, err)
	}
	events := happened(o)
	if last := events[len(events)-1].What.String(); !strings.Contains(last, "the last snapshot is "+saved) {
		t.Errorf("told last: %s", last)
	}
}

func TestBadLabel(t *testing.T) {
	run := mini(t, "sgd_inv", nil)
	for _, l := range run.Train.Net.Layer {
		if l.GetName() == "ip2" {
			l.InnerProductParam.NumOutput = proto.Uint32(5)
		}
	}
	run.Weights = nil
	tr := start(t, run, 1)
	must(t, tr, session.Command{Kind: session.Resume})
	if s := settle(t, tr); !strings.Contains(s.Problem, `layer "loss" (SoftmaxWithLoss): label`) ||
		!strings.Contains(s.Problem, "is not a valid class; must be 0 to 4") {
		t.Errorf("problem %q", s.Problem)
	}
}

// A snapshot that cannot be written is reported; training goes on and the older one stays.
func TestSnapshotFails(t *testing.T) {
	run := mini(t, "dns_seed_mini", nil)
	tr := start(t, run, 2)
	ctx := context.Background()
	must(t, tr, session.Command{Kind: session.Step, Count: 2})
	settle(t, tr)
	if _, err := tr.Do(ctx, session.Command{Kind: session.SnapshotNow}); err != nil {
		t.Fatal(err)
	}
	old := run.SnapshotPrefix() + "_iter_2.solverstate"
	// A folder at the name makes the rename fail, for root too.
	must(t, tr, session.Command{Kind: session.Step, Count: 1})
	settle(t, tr)
	if err := os.MkdirAll(run.SnapshotPrefix()+"_iter_3.caffemodel/x", 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := tr.Do(ctx, session.Command{Kind: session.SnapshotNow}); err == nil {
		t.Error("a snapshot over a folder did not fail")
	}
	if _, err := tr.Do(ctx, session.Command{Kind: session.Stop, Save: true}); err == nil ||
		tr.Snapshot().State != session.Paused {
		t.Errorf(
			"a stop whose snapshot failed: %v, and the run is %s; wanted an error, and the run to stay",
			err,
			tr.Snapshot().State,
		)
	}
	if s := tr.Snapshot(); s.Saved != old {
		t.Errorf("the last snapshot is %s, wanted %s", s.Saved, old)
	}
	if _, err := caffe.ReadSolverState(old); err != nil {
		t.Error(err)
	}
	must(t, tr, session.Command{Kind: session.Step, Count: 2})
	if s := settle(t, tr); s.Iter != 5 || s.State != session.Paused {
		t.Errorf("after a failed snapshot: %s at %d", s.State, s.Iter)
	}
}

// A stop with a snapshot writes what is in force now, though the iteration had a snapshot before the change.
func TestStopSavesWhatChangedWhilePaused(t *testing.T) {
	run := mini(t, "dns_seed_mini", nil)
	tr := start(t, run, 2)
	ctx := context.Background()
	must(t, tr, session.Command{Kind: session.Step, Count: 2})
	settle(t, tr)
	for _, c := range []session.Command{
		{Kind: session.SnapshotNow}, set("lr_mult", "0.25"), {Kind: session.Stop, Save: true},
	} {
		if _, err := tr.Do(ctx, c); err != nil {
			t.Fatal(err)
		}
	}
	<-tr.Done()
	st, err := caffe.ReadSolverState(run.SnapshotPrefix() + "_iter_2.solverstate")
	if err != nil || !strings.Contains(string(st.RunState.Hyper), `"lr_mult":0.25`) {
		t.Errorf("the snapshot holds %s, %v", st.GetRunState().GetHyper(), err)
	}
}

// A run without anybody to ask must not end as if its weights were saved.
func TestLastSnapshotFails(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(3) })
	if err := os.MkdirAll(run.SnapshotPrefix()+"_iter_3.caffemodel/x", 0o755); err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	if err := tr.Err(); err == nil || !strings.Contains(err.Error(), "its weights could not be saved") {
		t.Errorf("got %v", err)
	}
}

// The loop publishes without waiting for anyone, and a caller that gives up does no harm.
func TestCallersMayGoAway(t *testing.T) {
	run := mini(
		t,
		"dns_seed_mini",
		func(r *config.Run) { r.Solver.SurgeryIterGamma = proto.Float32(0); r.Solver.MaxIter = proto.Int32(40) },
	)
	tr := start(t, run, 2)
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 100 {
		_, _ = tr.Do(gone, set("lr_mult", "0.9")) // nobody waits for it
	}
	must(t, tr, session.Command{Kind: session.Resume})
	if s := settle(t, tr); s.State != session.Finished || s.Iter != 40 {
		t.Errorf("%s at %d, wanted finished at 40", s.State, s.Iter)
	}
	must(t, tr, session.Command{Kind: session.Stop})
	<-tr.Done()
	if _, err := tr.Do(context.Background(), session.Command{Kind: session.Pause}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a command to a run that has ended: %v, wanted ErrEnded", err)
	}
}

// The training loop allocates nothing an iteration.
func TestStepAllocatesNothing(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	if d.Capabilities().BLAS == "gonum" {
		t.Skip("without OpenBLAS, gonum's matrix product allocates for its own threads")
	}
	s := modeltest.Solver(t, d, "lenet_dns", 8, 10)
	step := func() {
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	step()
	if modeltest.Race {
		t.Skip("the race detector allocates")
	}
	if n := modeltest.Allocations(20, step); n > 0 {
		t.Errorf("%g allocations an iteration", n)
	}
}

// journalText is a journal with these changes.
func journalText(t *testing.T, changes []session.Change) string {
	t.Helper()
	var b strings.Builder
	for _, c := range changes {
		if err := json.NewEncoder(&b).Encode(c); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func FuzzJournal(f *testing.F) {
	f.Add(
		[]byte(
			`{"iter":0,"field":"run","new":"s","seed":5}
{"iter":3,"field":"lr_mult","old":"1","new":"0.5"}
`,
		),
	)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "j")
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		changes, err := session.ReadJournal(path)
		if err != nil && !strings.Contains(err.Error(), "j:") {
			t.Errorf("error %v names no place", err)
		}
		for _, c := range changes {
			if c.Iter < 0 || fieldOf(c) == "" {
				t.Errorf("entry %+v", c)
			}
		}
		// What was read is written, a line each, and reads as it was.
		lines := journalText(t, changes)
		if err := os.WriteFile(path, []byte(lines), 0o644); err != nil {
			t.Fatal(err)
		}
		again, err := session.ReadJournal(path)
		if err != nil {
			t.Fatalf("what was written is not read: %v\n%s", err, lines)
		}
		if d := cmp.Diff(lines, journalText(t, again)); d != "" {
			t.Errorf("read, written and read again (-first +again):\n%s", d)
		}
	})
}

// Predictions from the histogram are what surgery then does.
func TestPredictionIsExact(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		tr := start(t, mini(t, name, nil), 2)
		ctx := context.Background()
		must(t, tr, session.Command{Kind: session.Step, Count: 3})
		s := settle(t, tr)
		for _, v := range []float64{0.3, 0.674, 1.281, 2.5} {
			for _, l := range s.Layers {
				l = *tr.Snapshot().Layer(l.Name)
				want := l.Histogram.Total() - l.Histogram.Pruned(v)
				field := l.Name + "." + tr.Snapshot().Hyper.Layer(l.Name).ThresholdParam().String()
				go func() { _, _ = tr.Do(ctx, set(field, fmt.Sprint(v))) }()
				modeltest.Eventually(t, "the threshold is asked for", func() bool {
					return pendingIs(tr, field, fmt.Sprint(v)) || tr.Snapshot().Hyper.Layer(l.Name).Threshold == v
				})
				if _, err := tr.Do(ctx, session.Command{Kind: session.SurgeryNow}); err != nil {
					t.Fatal(err)
				}
				got := tr.Snapshot().Layer(l.Name)
				// Entries within rounding of the edge of a bin may fall to either side.
				if diff := got.Kept - want; diff < -1 || diff > 1 {
					t.Errorf("%s %s at %g: %d kept, %d predicted", name, l.Name, v, got.Kept, want)
				}
				if l.Rule == gpu.SeedRule && got.Weights != got.Histogram.Total() {
					t.Errorf("%s: %d weights, %d in the histogram", l.Name, got.Weights, got.Histogram.Total())
				}
			}
		}
	}
}

// The paper rule on plain layer types, by our own field, is the authors' rule.
func TestPaperRuleOnPlainLayers(t *testing.T) {
	plain := mini(t, "dns_official_mini", func(r *config.Run) {
		for _, l := range r.Train.Net.Layer {
			if strings.HasPrefix(l.GetType(), "CC") || strings.HasPrefix(l.GetType(), "CI") {
				l.Type = proto.String(l.GetType()[1:])
				l.SurgeryRule = caffepb.SurgeryRule_PAPER.Enum()
			}
		}
	})
	a, b := start(t, plain, 2), start(t, mini(t, "dns_official_mini", nil), 2)
	for _, tr := range []*session.Trainer{a, b} {
		must(t, tr, session.Command{Kind: session.Step, Count: 20})
	}
	x, y := settle(t, a), settle(t, b)
	if x.Loss != y.Loss || fmt.Sprint(x.Kept()) != fmt.Sprint(y.Kept()) {
		t.Errorf("plain layers: loss %g, the authors' types: %g", x.Loss, y.Loss)
	}
}

// A LevelDB trains as the LMDB of the same images does, though the prototxt still says LMDB.
func TestLevelDBTrainsTheSame(t *testing.T) {
	want, _ := weightsAt(t, mini(t, "sgd_inv", nil), 2, 25)
	for _, name := range []string{"mnist1280_leveldb", "mnist1280_leveldb_tables"} {
		got, _ := weightsAt(t, mini(t, "sgd_inv", func(r *config.Run) {
			r.Train.Net.Layer[0].DataParam.Source = proto.String(modeltest.Root("oracle", "solvers", name))
		}), 2, 25)
		a, b := &caffepb.NetParameter{}, &caffepb.NetParameter{}
		if proto.Unmarshal(got, a) != nil || proto.Unmarshal(want, b) != nil {
			t.Fatal("unreadable snapshots")
		}
		for i := range a.Layer {
			for k := range a.Layer[i].Blobs {
				if !proto.Equal(a.Layer[i].Blobs[k], b.Layer[i].Blobs[k]) {
					t.Errorf("%s: layer %s differs", name, a.Layer[i].GetName())
				}
			}
		}
	}
}

// A layer that surgery empties is told of.
func TestEmptyLayerIsToldOf(t *testing.T) {
	tr := start(t, mini(t, "dns_seed_mini", nil), 2)
	ctx := context.Background()
	go func() { _, _ = tr.Do(ctx, set("ip1.threshold", "5")) }()
	modeltest.Eventually(t, "the threshold is asked for", func() bool { return pendingIs(tr, "ip1.threshold", "5") })
	must(t, tr, session.Command{Kind: session.Step, Count: 3})
	told := 0
	for _, e := range settle(t, tr).Events {
		if strings.Contains(e.What.String(), "ip1 keeps no weight") {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times, wanted once", told)
	}
}

// Several test nets, each with its own iterations, and a test before the first iteration.
func TestSeveralTestNets(t *testing.T) {
	run := mini(t, "sgd_inv", func(r *config.Run) {
		r.Tests = []*caffe.NetFile{r.Train, r.Train}
		r.Solver.TestIter = []int32{2, 3}
		r.Solver.TestInterval = proto.Int32(5)
		r.Solver.MaxIter = proto.Int32(10)
	})
	tr := start(t, run, 2)
	must(t, tr, session.Command{Kind: session.Resume})
	s := settle(t, tr)
	if len(s.Tests) != 2 || s.Tests[1].Iter != 10 || len(s.TestLoss.Values) != 3 {
		t.Errorf("%d nets tested, %d points; wanted 2 nets, at 0, 5 and 10", len(s.Tests), len(s.TestLoss.Values))
	}
}

// What would be refused live is refused at the start, with the net's file and line.
func TestLayerFaults(t *testing.T) {
	for _, c := range []struct{ typ, text, want string }{
		{
			"InnerProduct",
			"inner_product_param { num_output: 2\n  threshold: 200 }",
			`n.prototxt:3: layer "ip": threshold is 200, wanted 0 to 100`,
		},
		{
			"InnerProduct",
			"inner_product_param { num_output: 2\n  threshold: -1 }",
			`n.prototxt:3: layer "ip": threshold is -1, wanted 0 to 100`,
		},
		{
			"CInnerProduct",
			"inner_product_param { num_output: 2 } cinner_product_param {\n\n power: -1 }",
			`n.prototxt:4: layer "ip": power is -1, wanted 0 to`,
		},
		{
			"CInnerProduct",
			"inner_product_param { num_output: 2 } cinner_product_param { iter_stop: nan }",
			`iter_stop is nan; wanted an iteration`,
		},
		{"CInnerProduct", "inner_product_param { num_output: 2 } cinner_product_param { iter_stop: -1 }", ""},
	} {
		dir := t.TempDir()
		net := filepath.Join(dir, "n.prototxt")
		text := fmt.Sprintf(
			"layer { name: \"in\" type: \"DummyData\" top: \"x\" dummy_data_param { shape { dim: 1 dim: 3 } } }\n"+
				"layer { name: \"ip\" type: %q bottom: \"x\" top: \"y\" %s }\nlayer { name: \"loss\" type: "+
				"\"Reduction\" bottom: \"y\" top: \"l\" loss_weight: 1 }\n",
			c.typ,
			c.text,
		)
		if err := os.WriteFile(net, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "s.prototxt")
		if err := os.WriteFile(
			path, fmt.Appendf(nil, "net: %q base_lr: 0.1 lr_policy: \"fixed\" max_iter: 1", net), 0o644,
		); err != nil {
			t.Fatal(err)
		}
		run, err := config.LoadSolver(path)
		if err != nil {
			t.Fatal(err)
		}
		d := host.New(host.Options{Threads: 1})
		s, err := solver.New(run, d)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, wanted %q", c.text, err, c.want)
		}
		if err == nil {
			s.Close()
		}
		d.Close()
	}
}

// Masks are never trained or decayed, whatever the prototxt says, and Caffe's statistics neither.
func TestMaskIsNotTrained(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		for _, l := range r.Train.Net.Layer {
			if len(l.Param) == 3 {
				l.Param[2] = &caffepb.ParamSpec{LrMult: proto.Float32(1), DecayMult: proto.Float32(1)}
			}
		}
	})
	got, _ := weightsAt(t, run, 2, 10)
	want, _ := weightsAt(t, mini(t, "dns_seed_mini", nil), 2, 10)
	a, b := &caffepb.NetParameter{}, &caffepb.NetParameter{}
	if proto.Unmarshal(got, a) != nil || proto.Unmarshal(want, b) != nil {
		t.Fatal("unreadable snapshots")
	}
	for i := range a.Layer {
		for k := range a.Layer[i].Blobs {
			if !proto.Equal(a.Layer[i].Blobs[k], b.Layer[i].Blobs[k]) {
				t.Errorf("layer %s blob %d differs where the mask has lr_mult 1", a.Layer[i].GetName(), k)
			}
		}
	}
}

// The gradient of a loss that counts by default and is read, too, is not Caffe's, which a line says at the start.
func TestLossesReadAreTold(t *testing.T) {
	for weight, want := range map[string]bool{"": true, "loss_weight: 0": false, "loss_weight: 1": false} {
		dir := t.TempDir()
		for name, text := range map[string]string{"net.prototxt": `
layer { name: "d" type: "DummyData" top: "x" top: "y" dummy_data_param { shape { dim: 2 dim: 3 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 3 } }
layer { name: "l" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "l" ` + weight + ` }
layer { name: "p" type: "Power" bottom: "l" top: "p" power_param { scale: 3 } loss_weight: 1 }`,
			"s.prototxt": "net: 'net.prototxt' base_lr: 0.1 lr_policy: 'fixed' max_iter: 1 snapshot_prefix: " +
				"'" + dir + "/run'"} {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		run, err := config.LoadSolver(filepath.Join(dir, "s.prototxt"))
		if err != nil {
			t.Fatal(err)
		}
		tr := start(t, run, 1)
		if told := count(tr.Snapshot(), "layer l: a loss without a loss_weight") == 1; told != want {
			t.Errorf("%q: told %t, wanted %t", weight, told, want)
		}
	}
}

// A run of the LSTM of testdata resumes bit for bit: the hidden states, the place in the HDF5 files (shuffled), and
// dropout's numbers go on.
func TestRecurrentResume(t *testing.T) {
	dir := t.TempDir()
	const rows, streams = 60, 3
	key := gpu.Key{Seed: 5}
	for file := range 2 {
		root := hdf5.NewGroup()
		for k, name := range []string{"words", "cont", "label"} {
			v := make([]float32, rows*streams)
			for i := range v {
				key.Stream = uint32(10*file + k)
				v[i] = float32(int(key.Uniform(i) * 1000))
				if name == "cont" {
					v[i] = float32(min(1, int(v[i])%7))
				}
			}
			root.Floats(name, []int{rows, streams}, v, nil)
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("%d.h5", file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := hdf5.Write(f, root); err != nil {
			t.Fatal(err)
		}
		f.Close()
	}
	write(t, filepath.Join(dir, "list.txt"), "0.h5\n1.h5\n")
	net, err := os.ReadFile(modeltest.Root("nets", "lstm.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	net = bytes.ReplaceAll(
		net,
		[]byte(`source: "sentences_train.txt"`),
		fmt.Appendf(nil, "shuffle: true source: %q", filepath.Join(dir, "list.txt")),
	)
	write(t, filepath.Join(dir, "net.prototxt"), string(net))
	write(
		t,
		filepath.Join(dir, "solver.prototxt"),
		`net: "net.prototxt" base_lr: 0.1 lr_policy: "fixed" momentum: 0.9 clip_gradients: 5 max_iter: 1 `+
			`random_seed: 3`,
	)
	start := func() *config.Run {
		run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
		if err != nil {
			t.Fatal(err)
		}
		run.Solver.SnapshotPrefix = proto.String(filepath.Join(t.TempDir(), "run"))
		return run
	}
	resumesBitForBit(t, start)
}

// resumesBitForBit resumes a run that start makes from its fifth iteration.
func resumesBitForBit(t *testing.T, start func() *config.Run) {
	t.Helper()
	whole, _ := weightsAt(t, start(), 2, 11)
	first := start()
	weightsAt(t, first, 2, 5)
	again := start()
	again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_5.solverstate"
	if resumed, _ := weightsAt(t, again, 1, 11); !bytes.Equal(whole, resumed) {
		t.Error("weights after a resume differ from those of the undisturbed run")
	}
}

// A run resumes bit for bit where its Data layer is shuffled, which changes what it comes to.
func TestShuffledResume(t *testing.T) {
	start := func() *config.Run {
		return mini(t, "dns_seed_mini", func(r *config.Run) {
			for _, l := range r.Train.Net.Layer {
				if l.DataParam != nil {
					l.DataParam.Shuffle = proto.Bool(true)
				}
			}
		})
	}
	resumesBitForBit(t, start)
	shuffled, _ := weightsAt(t, start(), 2, 3)
	if plain, _ := weightsAt(t, mini(t, "dns_seed_mini", nil), 2, 3); bytes.Equal(plain, shuffled) {
		t.Error("shuffle changes nothing")
	}
}
