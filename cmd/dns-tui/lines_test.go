package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

var updateGolden = flag.Bool("update", false, "write the golden files anew")

// testdata is the folder of golden files, also where a test has gone to another.
var testdata = func() string {
	dir, _ := os.Getwd()
	return filepath.Join(dir, "testdata")
}()

// golden holds text against a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name)
	if *updateGolden {
		if err := os.MkdirAll(testdata, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want := readText(t, path); got != want {
		t.Errorf("%s differs; is now\n%s", path, got)
	}
}

// toldRun is a run, and what happens to it, of each kind that a form tells.
func toldRun() (*session.Snapshot, []session.Event) {
	s := &session.Snapshot{
		Net: "LeNet", Source: "mnist_train_lmdb", Device: "host (2 threads)", Iter: 0, MaxIter: 6000, BatchSize: 64,
		Path: "s.prototxt", Prefix: "run", Journal: "run.journal",
		Layers: []session.LayerStats{
			{Name: "conv1", Type: "Convolution", Weights: 500, Kept: 500},
			{Name: "ip\u202e1", Type: "InnerProduct", Rule: gpu.PaperRule, Weights: 4000, Kept: 4000},
		},
		Hyper: &config.Hyper{Layers: []config.LayerHyper{{Name: "conv1", Threshold: 0.6}, {Name: "ip\u202e1"}}},
	}
	edit := func(text, value string) config.Edited {
		e, err := config.Parse(text, value)
		if err != nil {
			panic(err)
		}
		return config.Edited{Edit: e, Old: 0.5, OldKnown: true}
	}
	loss := model.Output{Name: "loss", Type: "SoftmaxWithLoss", Value: 0.25, LossWeight: 1}
	accuracy := model.Output{Name: "accuracy", Type: "Accuracy", Value: 0.9909}
	progress := session.Progress{
		MaxIter: 6000, Loss: 2.302585, Rate: 0.01, Kept: 4500, Total: 4500, Outputs: []model.Output{loss},
	}
	later := progress
	later.Iter, later.Loss, later.Rate, later.PerSecond = 5900, 1.25e-05, 1.5e-05, 52.345
	later.Kept, later.Surgeries, later.Descent = 45, 181, "annealing"
	worse := later
	worse.Iter, worse.Loss, worse.PerSecond = 5950, math.NaN(), 0.0123
	best := loss
	best.Value = math.Inf(1)
	restored := "run_iter_100.solverstate"
	whats := []session.Payload{
		session.Notice{Text: "net.prototxt was upgraded"},
		session.RunBegun{
			Pruning: session.SchedulePrunes, Layers: 2, Prunable: 2, Rule: "seed", Chance: 0.83, Stop: 5000,
		},
		progress,
		session.TestDone{Results: []solver.TestResult{{Loss: 0.25, Outputs: []model.Output{loss, accuracy}}}},
		session.ChangeApplied{Change: session.Change{
			Iter: 100, By: "anna", Edits: []config.Edited{edit("conv1.threshold", "0.9")},
		}},
		session.CommandRejected{Command: "momentum 2", Reason: "momentum is 2, wanted 0 to 1"},
		session.SurgeryDone{Layers: 2},
		session.SnapshotWritten{Path: restored, Why: "by the solver's schedule"},
		session.WentBack{From: 300, To: 100, Path: restored},
		session.AutopilotRetreated{From: 300, To: 100, Why: "the loss is 2", Left: 2},
		session.AutopilotDone{Kept: 45, Total: 4500, Anneal: 2400},
		session.Warning{Text: "3 outputs are dead\nand more"},
		later, worse,
		session.TestDone{Results: []solver.TestResult{{Net: 1, Loss: math.Inf(1), Outputs: []model.Output{best}}}},
		session.RunFinished{},
	}
	events := make([]session.Event, len(whats))
	for i, w := range whats {
		events[i] = session.Event{Seq: i + 1, Iter: 100 * i, What: w}
		if p, ok := w.(session.Progress); ok {
			events[i].Iter = p.Iter
		}
	}
	events[4].By = "anna"
	return s, events
}

// tell has a form tell of a run.
func tell(f form, err error) {
	s, events := toldRun()
	f.begin(s, "dns-tui attach s-1")
	for _, ev := range events {
		f.event(ev)
	}
	f.debug(41, "    [Forward] Layer conv1")
	s.Iter, s.State, s.Saved = s.MaxIter, session.Finished, "run_iter_6000.solverstate"
	s.Layers[0].Kept, s.Layers[1].Kept = 5, 40
	f.end(s, err, 2)
}

// What programs read: an object a line, which is valid JSON whatever the numbers are.
func TestProgressJSON(t *testing.T) {
	var out bytes.Buffer
	at := time.Date(2026, 11, 26, 12, 0, 0, 5e6, time.UTC)
	j := &jsonLines{w: &out, now: func() time.Time { return at }}
	tell(j, nil)
	stopped, _ := toldRun()
	stopped.Layers = nil
	j.end(stopped, errors.New("the loss is NaN"), 0)
	for line := range strings.Lines(out.String()) {
		var head struct {
			Event, Time string
			Iter        *int
		}
		if err := json.Unmarshal([]byte(line), &head); err != nil || head.Event == "" || head.Iter == nil {
			t.Errorf("%v in %s", err, line)
		}
		for name := range keysOf(t, line) {
			if !regexp.MustCompile(`^[a-z][a-z0-9_]*$`).MatchString(name) {
				t.Errorf("field %q in %s", name, line)
			}
		}
	}
	control := func(r rune) bool { return r != '\n' && (r < ' ' || r == '\u202e') }
	if i := strings.IndexFunc(out.String(), control); i >= 0 {
		t.Errorf("a control character in %q", out.String()[max(0, i-20):])
	}
	golden(t, "progress.jsonl", strings.ReplaceAll(out.String(), "dns-tui "+programVersion(), "dns-tui VERSION"))
}

func keysOf(t *testing.T, line string) map[string]json.RawMessage {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(line), &m); err != nil {
		t.Fatal(err)
	}
	return m
}

// Lines for people: what is told of iterations stands in columns.
func TestPlainLines(t *testing.T) {
	var out bytes.Buffer
	tell(&plainLines{env: &env{stdout: &out}, testLoss: true}, nil)
	golden(t, "progress.txt", out.String())
	var columns []string
	for line := range strings.Lines(out.String()) {
		if strings.Contains(line, " it/s ") {
			at := ""
			for _, name := range []string{"loss ", "lr ", "kept ", " of ", "it/s", "ETA"} {
				at += fmt.Sprint(strings.Index(line, name), " ")
			}
			columns = append(columns, at)
		}
	}
	if len(columns) != 3 || columns[0] != columns[1] || columns[1] != columns[2] {
		t.Errorf("columns stand at %q in\n%s", columns, out.String())
	}
}

func TestShortTime(t *testing.T) {
	for _, c := range []struct {
		d    time.Duration
		want string
	}{
		{0, "-"}, {-1, "-"}, {59400 * time.Millisecond, "0:59"}, {59600 * time.Millisecond, "1:00"},
		{time.Hour, "1:00:00"}, {99*time.Hour + 62*time.Second, "99:01:02"}, {2400 * time.Hour, "2,400 h"},
	} {
		if got := shortTime(c.d); got != c.want {
			t.Errorf("%v is %q, wanted %q", c.d, got, c.want)
		}
	}
}

// train --progress json prints nothing else, from a begin to an end that says why.
func TestTrainProgressJSON(t *testing.T) {
	dir := t.TempDir()
	net := modeltest.Root("oracle", "solvers", "dns_seed_mini.net.prototxt")
	s := func(name, more string) string {
		return write(t, dir, name, fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: 'fixed' max_iter: 6 display: 2 random_seed: 1 snapshot_prefix: %q %s",
			net, filepath.Join(dir, name), more))
	}
	stdout := mustRun(t, "train", "--solver", s("a.prototxt", ""), "--progress", "json")
	var events []string
	before, last := 0, 0
	for line := range strings.Lines(stdout) {
		var event, state string
		var iter int
		m := keysOf(t, line)
		_ = json.Unmarshal(m["iter"], &iter)
		if iter < before {
			t.Errorf("iteration %d after %d: %s", iter, before, line)
		}
		before = iter
		_ = json.Unmarshal(m["event"], &event)
		if event == "progress" {
			last = iter
		}
		if _ = json.Unmarshal(m["state"], &state); state != "" {
			event += " " + state
		}
		events = append(events, event)
	}
	got := strings.Join(events, ", ")
	if !strings.HasPrefix(got, "begin, pruning schedule, progress, ") || strings.Count(got, "progress") != 4 ||
		!strings.HasSuffix(got, "end finished") || !strings.Contains(got, "snapshot, ") {
		t.Errorf("events: %s", got)
	}
	if last != 5 || before != 6 {
		t.Errorf("the last iteration that is told is %d, of a run that ends at %d", last, before)
	}
	status, stdout, stderr := run(t, "train", "--solver", s("b.prototxt", ""), "--progress", "json", "--weights",
		write(t, dir, "bad.caffemodel", "no weights"))
	if status != 1 || stdout != "" || !strings.Contains(stderr, "bad.caffemodel") {
		t.Errorf("a run that does not begin: status %d, %q, %q", status, stdout, stderr)
	}
	status, stdout, _ = run(t, "train", "--solver", s("c.prototxt", "clip_gradients: -1"), "--progress", "json",
		"--stop_on_collapse", "--log", "caffe")
	if status != 2 || stdout != "" {
		t.Errorf("with Caffe's log: status %d, %q", status, stdout)
	}
}
