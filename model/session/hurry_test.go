package session_test

import (
	"bytes"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/gpu/host"
	"dns-tui/model/session"
)

// A run that is told to stop while kernels are chosen gives its iteration up, and goes on to the bits of one that was
// not.
func TestStopWhileChoosingKernels(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	tuned := func(resume string, iters int, stop bool) (*session.Snapshot, []byte) {
		run := mini(t, "dns_seed_mini", nil)
		run.Solver.MaxIter = proto.Int32(int32(iters))
		if resume != "" {
			run.Weights, run.Snapshot = nil, resume
		}
		d := host.New(host.Options{Threads: 1, Tune: true})
		defer d.Close()
		tr, err := session.NewTrainer(run, d, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if stop {
			d.HurryWhen(func() bool { // the loop asks, so the command must come from elsewhere
				if stop {
					stop = false
					go func() { _, _ = tr.Do(t.Context(), session.Command{Kind: session.Stop, Save: true}) }()
				}
				return true
			})
		}
		tr.Start()
		if err := tr.Err(); err != nil {
			t.Fatal(err)
		}
		sn := tr.Snapshot()
		return sn, read(t, strings.TrimSuffix(sn.Saved, "solverstate")+"caffemodel")
	}
	stopped, _ := tuned("", 3, true)
	if stopped.Iter != 0 || stopped.Saved == "" {
		t.Fatalf("stopped at iteration %d, saved %q", stopped.Iter, stopped.Saved)
	}
	_, resumed := tuned(stopped.Saved, 3, false)
	if _, whole := tuned("", 3, false); !bytes.Equal(whole, resumed) {
		t.Error("weights differ from those of a run that was not stopped")
	}
}
