package session_test

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// player runs a net by random commands, over stops, kills and resumes, in one folder.
type player struct {
	t   *rapid.T
	net string
	dir string
	tr  *session.Trainer
	dev *gpu.Device
	log []string
}

const playedTo = 40

func (p *player) run(dir string) *config.Run {
	run, err := config.LoadSolver(p.solver())
	if err != nil {
		p.t.Fatal(err)
	}
	run.Solver.SnapshotPrefix = proto.String(filepath.Join(dir, "run"))
	run.Solver.RandomSeed = nil
	lively(run)
	run.Solver.MaxIter = proto.Int32(playedTo)
	run.Weights = []string{strings.Replace(p.solver(), ".solver.prototxt", "_init.caffemodel", 1)}
	return run
}

func (p *player) start() {
	run := p.run(p.dir)
	if run.Snapshot = p.newest(); run.Snapshot != "" {
		run.Weights = nil
	}
	p.log = append(p.log, "start "+filepath.Base(run.Snapshot))
	p.dev = host.New(host.Options{Threads: 1})
	tr, err := session.NewTrainer(run, p.dev, session.Options{Interactive: true, Paused: true, Guard: 2})
	if err != nil {
		p.t.Fatalf("%v\n%s", err, strings.Join(p.log, "\n"))
	}
	p.tr = tr
	tr.Start()
}

// newest is what --resume goes on from.
func (p *player) newest() string {
	path, _, err := session.FindSnapshot(filepath.Join(p.dir, "run"), filepath.Join(p.dir, "run.journal"))
	if err != nil {
		if left, _ := filepath.Glob(filepath.Join(p.dir, "run_iter_*.solverstate")); len(left) > 0 {
			p.t.Logf("nothing to go on from: %v", err)
		}
		return ""
	}
	return path
}

func (p *player) end(save bool) {
	p.do(session.Command{Kind: session.Stop, Save: save})
	<-p.tr.Done()
	p.dev.Close()
}

// do gives a command and waits until it has taken effect, or waits for surgery.
func (p *player) do(c session.Command) {
	before := p.tr.Snapshot().Published
	answer := make(chan error, 1)
	go func() {
		_, err := p.tr.Do(context.Background(), c)
		answer <- err
	}()
	answered := false
	modeltest.Eventually(p.t, c.String()+" takes effect, or waits", func() bool {
		select {
		case err := <-answer:
			p.log = append(p.log, fmt.Sprintf("%d: %s (%v)", p.tr.Snapshot().Iter, c, err))
			answered = true
			return true
		default:
		}
		// One that waits for surgery publishes, and gives no answer.
		s := p.tr.Snapshot()
		if s.Published.Equal(before) || len(s.Pending) == 0 ||
			c.Kind != session.Set && c.Kind != session.Undo && c.Kind != session.Redo {
			return false
		}
		p.log = append(p.log, fmt.Sprintf("%d: %s waits", s.Iter, c))
		return true
	})
	if answered {
		p.settle()
	}
}

func (p *player) settle() {
	modeltest.Eventually(p.t, "the run comes to rest", func() bool {
		s := p.tr.Snapshot()
		return s.State != session.Running && s.State != session.Testing
	})
}

// edit draws a change that is not refused as a rule.
func (p *player) edit() config.Edit {
	h := p.tr.Snapshot().Hyper
	l := &h.Layers[rapid.IntRange(0, len(h.Layers)-1).Draw(p.t, "layer")]
	value := func(of ...string) string { return rapid.SampledFrom(of).Draw(p.t, "value") }
	switch rapid.IntRange(0, 7).Draw(p.t, "field") {
	case 0:
		return edits("lr_mult", value("0.5", "1", "2"))[0]
	case 1:
		return edits("momentum", value("0.5", "0.9"))[0]
	case 2:
		return edits("gamma", value("0", "0.05", "0.5"))[0]
	case 3:
		return edits(l.Name+"."+value("prune", "frozen", "fixed"), value("on", "off"))[0]
	case 4:
		return edits("stop", value("10", "25", "never"))[0]
	}
	return edits(l.Name+"."+l.ThresholdParam().String(), value("0.3", "0.6", "0.9", "1.3"))[0]
}

func (p *player) play() {
	s := p.tr.Snapshot()
	switch rapid.IntRange(0, 15).Draw(p.t, "action") {
	case 0, 1, 2:
		p.do(session.Command{Kind: session.Step, Count: rapid.IntRange(1, 6).Draw(p.t, "steps")})
	case 3:
		e := p.edit()
		p.do(session.SetOf(e))
	case 4:
		p.do(session.SetOf(p.edit(), p.edit(), p.edit()))
	case 5:
		p.do(session.Command{Kind: session.SurgeryNow})
	case 6:
		p.do(session.Command{Kind: session.Undo})
	case 7:
		p.do(session.Command{Kind: session.Redo})
	case 8:
		e := p.edit()
		plan := session.Plan{Edit: e, At: rapid.IntRange(0, 5).Draw(p.t, "at"), Relative: true}
		if e.IsNumber() || e.Param == config.Stop && e.Value != config.Never {
			plan.Over = rapid.IntRange(0, 8).Draw(p.t, "over")
		}
		p.do(session.Command{Kind: session.Schedule, Plan: plan})
	case 9:
		if len(s.Plans) > 0 {
			p.do(session.Command{Kind: session.Cancel, Count: s.Plans[0].ID})
		}
	case 10:
		p.do(session.Command{Kind: session.GoBack})
	case 11:
		if len(s.RestorePoints) > 0 {
			point := rapid.SampledFrom(s.RestorePoints).Draw(p.t, "restore point")
			p.do(session.Command{Kind: session.GoBack, Path: point.Path})
		}
	case 12:
		p.do(session.Command{Kind: session.SnapshotNow})
	case 13:
		p.do(session.Command{Kind: session.StepSurgery})
	case 14: // a stop with a snapshot, then --resume
		p.end(true)
		p.start()
	case 15: // a kill, with a line cut short, then --resume
		p.end(false)
		if rapid.Bool().Draw(p.t, "torn") {
			f, err := os.OpenFile(filepath.Join(p.dir, "run.journal"), os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				p.t.Fatal(err)
			}
			if _, err := f.WriteString(`{"iter":3,"field":"lr_mul`); err != nil {
				p.t.Fatal(err)
			}
			f.Close()
		}
		p.start()
	}
}

func (p *player) solver() string { return p.net }

// Whatever is done to a run, its journal repeats it bit for bit. -rapid.checks tries more.
func TestReplayOfAnything(t *testing.T) {
	if f := flag.Lookup("rapid.checks"); f.Value.String() == f.DefValue { // a try has a run, its resumes, and a replay
		if err := f.Value.Set("10"); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = f.Value.Set(f.DefValue) }()
	}
	for _, net := range []string{"dns_seed_mini", "dns_official_mini"} {
		t.Run(net, func(t *testing.T) {
			rapid.Check(t, func(rt *rapid.T) { replayAnything(t, rt, net) })
		})
	}
}

func replayAnything(t *testing.T, rt *rapid.T, net string) {
	dir, err := os.MkdirTemp(t.TempDir(), "played")
	if err != nil {
		rt.Fatal(err)
	}
	defer os.RemoveAll(dir)
	p := &player{t: rt, net: mini(t, net, nil).SolverPath, dir: dir}
	p.start()
	for range rapid.IntRange(1, 25).Draw(rt, "actions") {
		p.play()
	}
	p.end(true)
	at := p.tr.Snapshot().Iter
	name := fmt.Sprintf("run_iter_%d.caffemodel", at)
	want, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		rt.Fatal(err)
	}
	again := filepath.Join(dir, "again")
	if err := os.Mkdir(again, 0o755); err != nil {
		rt.Fatal(err)
	}
	run := p.run(again)
	run.Replay, run.Solver.MaxIter = filepath.Join(dir, "run.journal"), proto.Int32(int32(at))
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		rt.Fatal(err)
	}
	tr.Start()
	if err := tr.Err(); err != nil {
		rt.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(again, name))
	if err != nil {
		rt.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		journal, _ := os.ReadFile(filepath.Join(dir, "run.journal"))
		rt.Errorf(
			"the replay has other weights at %d\n%s\n%s",
			at,
			strings.Join(p.log, "\n"),
			measures(string(journal)),
		)
	}
}

// measures returns a journal without its lines of measures.
func measures(journal string) string {
	var b strings.Builder
	for _, l := range strings.SplitAfter(journal, "\n") {
		if !strings.Contains(l, `"field":"measure"`) {
			b.WriteString(l)
		}
	}
	return b.String()
}

// What keeps a replay from being the same run is said when it begins.
func TestReplayOfAnotherRun(t *testing.T) {
	first := mini(t, "dns_seed_mini", nil)
	train(t, first, 1, 2)
	for _, c := range []struct {
		name   string
		change func(*config.Run)
		want   string // "" is nothing
	}{
		{"the same", func(*config.Run) {}, ""},
		{
			"another seed",
			func(r *config.Run) { r.Solver.RandomSeed = proto.Int64(r.Solver.GetRandomSeed() + 1) },
			"random_seed of the files is",
		},
		{
			"no weights",
			func(r *config.Run) { r.Weights = nil },
			"began from dns_seed_mini_init.caffemodel, this run from its fillers",
		},
		{"another net", func(r *config.Run) {
			r.Weights = nil
			for _, l := range r.Train.Net.Layer {
				if p := l.InnerProductParam; p != nil && l.GetName() == "ip1" {
					p.NumOutput = proto.Uint32(p.GetNumOutput() + 1)
				}
			}
		}, "is of another net, and its run is not repeated: ip1 has "},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := mini(t, "dns_seed_mini", c.change)
			run.Replay, run.Solver.MaxIter = first.JournalPath(), proto.Int32(1)
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			o := session.NewObserver(1000, nil)
			tr, err := session.NewTrainer(run, d, session.Options{Observers: []*session.Observer{o}})
			if err != nil {
				t.Fatal(err)
			}
			tr.Start()
			if err := tr.Err(); err != nil {
				t.Fatal(err)
			}
			told := false
			for _, e := range happened(o) {
				told = told || c.want != "" && strings.Contains(e.What.String(), c.want)
				text := e.What.String()
				if c.want == "" && (strings.Contains(text, "replayed run") || strings.Contains(text, "not repeated")) {
					t.Errorf("told: %s", text)
				}
			}
			if told != (c.want != "") {
				t.Errorf("%q was not told", c.want)
			}
		})
	}
}
