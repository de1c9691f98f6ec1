package session_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// older is a file of testdata/versions.
func older(name string) string { return modeltest.Root("versions", "2026-11", name) }

// A snapshot of the version before is gone on from: its settings under their new names, its plans with a ramp under
// way, what is pending, and what can be undone.
func TestResumeOfTheVersionBefore(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"run_iter_10.caffemodel", "run_iter_10.solverstate", "run.journal"} {
		if err := os.WriteFile(filepath.Join(dir, name), read(t, older(name)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	run := mini(t, "dns_official_mini", func(r *config.Run) {
		r.Weights, r.Snapshot = nil, filepath.Join(dir, "run_iter_10.solverstate")
		r.Solver.SnapshotPrefix = proto.String(filepath.Join(dir, "run"))
		r.Solver.MaxIter = proto.Int32(60)
	})
	tr := start(t, run, 1)
	s := tr.Snapshot()
	conv1, conv2 := s.Hyper.Layer("conv1"), s.Hyper.Layer("conv2")
	if s.Iter != 10 || s.Hyper.BaseLR != 0.02 || !conv1.MaskFrozen || !conv2.WeightsFrozen || conv2.Threshold != 0.9 {
		t.Errorf("at %d, base_lr %g, conv1 %+v, conv2 %+v", s.Iter, s.Hyper.BaseLR, conv1, conv2)
	}
	var plans []string
	for _, p := range s.Plans {
		plans = append(plans, p.String())
	}
	if d := cmp.Diff([]string{"momentum to 0.5 over 20 at 7", "conv2.c_rate 0.7 at 40"}, plans); d != "" {
		t.Error(d)
	}
	if len(s.Pending) != 1 || s.Pending[0].String() != "conv2.c_rate 0.9 → 0.8" {
		t.Errorf("pending %v", s.Pending)
	}
	if s.Undo != "conv2.c_rate 0.8 → 0.9" || len(s.Changes) != 8 {
		t.Errorf("undo %q, %d changes", s.Undo, len(s.Changes))
	}
	must(t, tr, session.Command{Kind: session.Undo}) // of the pending one
	if s := tr.Snapshot(); len(s.Pending) != 0 || s.Undo != "conv2.c_rate 0.9 → 0.2" {
		t.Errorf("after an undo, pending %v, undo %q", s.Pending, s.Undo)
	}
	s = stepTo(t, tr, 28)
	if s.Hyper.Momentum != 0.5 {
		t.Errorf("the ramp has come to %g, wanted 0.5", s.Hyper.Momentum)
	}
}

// Each line of a journal of the version before is written again as it stands there, so that version reads what this one
// writes.
func TestJournalLinesOfTheVersionBefore(t *testing.T) {
	in := bufio.NewScanner(bytes.NewReader(read(t, older("run.journal"))))
	in.Buffer(nil, 1<<20)
	lines := 0
	for ; in.Scan(); lines++ {
		var c session.Change
		if err := json.Unmarshal(in.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if c.Unknown != nil {
			t.Errorf("not known: %s", in.Text())
		}
		again, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		var want, got map[string]any
		if json.Unmarshal(in.Bytes(), &want) != nil || json.Unmarshal(again, &got) != nil {
			t.Fatal("not JSON")
		}
		if want["field"] == "edits" { // the text beside the edits is for people
			delete(want, "new")
			delete(got, "new")
		}
		if d := cmp.Diff(want, got); d != "" {
			t.Errorf("differs (-that version +this one):\n%s", d)
		}
	}
	if lines < 20 {
		t.Errorf("%d lines", lines)
	}
}

// A journal of the version before replays: nothing is rejected, and the settings at its end are those that it had.
func TestReplayOfTheVersionBefore(t *testing.T) {
	run := mini(t, "dns_official_mini", func(r *config.Run) {
		r.Replay = older("run.journal")
		r.Solver.MaxIter = proto.Int32(12)
	})
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	if err := tr.Err(); err != nil {
		t.Fatal(err)
	}
	s := tr.Snapshot()
	for _, e := range s.Events {
		if e.Status() == session.Rejected {
			t.Errorf("%d: %s", e.Iter, e)
		}
	}
	var want string
	for line := range strings.Lines(string(read(t, older("snapshot.txt")))) {
		if rest, ok := strings.CutPrefix(line, "hyper "); ok {
			want = strings.TrimSpace(rest)
		}
	}
	if got, err := json.Marshal(s.Hyper); err != nil || string(got) != want {
		t.Errorf("%s, %v; wanted %s", got, err, want)
	}
}
