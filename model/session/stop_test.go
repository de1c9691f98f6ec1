package session_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/session"
)

// An iteration of any length is given up for a stop; the weights are those before it, and the run goes on from there.
func TestStopWithinAnIteration(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		t.Run(name, func(t *testing.T) {
			change := func(r *config.Run) { lasting(r); r.Solver.SurgeryIterGamma = proto.Float32(0) }
			run := mini(t, name, change)
			tr := start(t, run, 2)
			stepTo(t, tr, 4)
			before := save(t, tr)
			state := tr.Snapshot().Saved
			stop(tr)
			endless := mini(t, name, func(r *config.Run) {
				change(r)
				r.Solver.IterSize = proto.Int32(1 << 20) // hours
				r.Weights, r.Snapshot = nil, state
				r.Solver.SnapshotPrefix = proto.String(run.SnapshotPrefix())
			})
			tr = start(t, endless, 2)
			begun, once := make(chan struct{}), sync.Once{}
			tr.OnPass(func() { once.Do(func() { close(begun) }) })
			must(t, tr, session.Command{Kind: session.Resume})
			<-begun // a stop that comes before the first pass gives nothing up
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			if _, err := tr.Do(ctx, session.Command{Kind: session.Stop, Save: true}); err != nil {
				t.Fatal(err)
			}
			<-tr.Done()
			s := tr.Snapshot()
			told := false
			for _, e := range s.Events {
				told = told || strings.Contains(e.What.String(), "was given up after")
			}
			if s.State != session.Stopped || s.Iter != 4 || !told {
				t.Errorf("%s at %d, told %t", s.State, s.Iter, told)
			}
			after := read(t, strings.Replace(state, "solverstate", "caffemodel", 1))
			if a, b := dense(t, before), dense(t, after); !bytes.Equal(a, b) {
				t.Error("the iteration that was given up changed weights")
			}
			// What it operated on is in the journal, so that a replay gives the same masks.
			if lines := settingLines(t, endless); len(lines) != 1 || !strings.Contains(lines[0], "4 surgery on conv1") {
				t.Errorf("journal %q", lines)
			}
			replay := mini(t, name, func(r *config.Run) {
				change(r)
				r.Replay = endless.JournalPath()
			})
			if got, _ := weightsAt(t, replay, 1, 4); !bytes.Equal(got, after) {
				t.Error("the replay has other weights")
			}
		})
	}
}

// A stop that is not waited for, and never came to the run, gives up no iteration.
func TestStopThatDoesNotCome(t *testing.T) {
	run := mini(t, "dns_seed_mini", lasting)
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	tr, err := session.NewTrainer(run, d, session.Options{Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	gone, cancel := context.WithCancel(context.Background())
	cancel()
	for range 2000 { // until the channel to the loop is full: as long as there is room, either may happen
		_, _ = tr.Do(gone, session.Command{Kind: session.Pause})
	}
	if _, err := tr.Do(gone, session.Command{Kind: session.Stop}); err == nil || tr.StopAsked() {
		t.Errorf("error %v, stop asked for: %t", err, tr.StopAsked())
	}
	tr.Start()
	stop(tr)
}

// dense are the weights and biases of a caffemodel, without masks.
func dense(t *testing.T, data []byte) []byte {
	t.Helper()
	n := &caffepb.NetParameter{}
	if err := proto.Unmarshal(data, n); err != nil {
		t.Fatal(err)
	}
	for _, l := range n.Layer {
		l.Blobs = l.Blobs[:min(2, len(l.Blobs))]
	}
	out, err := proto.MarshalOptions{Deterministic: true}.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	return out
}
