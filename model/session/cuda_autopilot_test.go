//go:build cuda

package session_test

import (
	"bytes"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu/cuda"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// A descent on the GPU keeps exactly what its target says, and resumed on its way it ends in the same bits.
func TestCUDADescent(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	with := func(last int32) func(*config.Run) {
		return small(func(r *config.Run) {
			descends("5x")(r)
			r.Solver.MaxIter = proto.Int32(36)
			r.Solver.Snapshot = proto.Int32(last)
			r.Solver.IterSize, r.Solver.ClipGradients = proto.Int32(1), nil
		})
	}
	run := func(r *config.Run) (*session.Snapshot, []byte) {
		tr, err := session.NewTrainer(r, d, session.Options{})
		if err != nil {
			t.Fatal(err)
		}
		tr.Start()
		if err := tr.Err(); err != nil {
			t.Fatal(err)
		}
		return tr.Snapshot(), read(t, r.SnapshotPrefix()+"_iter_36.caffemodel")
	}
	whole := mini(t, "dns_seed_mini", with(13))
	sn, want := run(whole)
	a := sn.Autopilot
	if a == nil || !a.Done || a.Kept != int(a.Descent.Budget.Limit) {
		t.Fatalf("the descent ends as %+v", a)
	}
	again := mini(t, "dns_seed_mini", with(13))
	again.Weights, again.Snapshot = nil, fmt.Sprintf("%s_iter_13.solverstate", whole.SnapshotPrefix())
	if _, got := run(again); !bytes.Equal(want, got) {
		t.Error("weights after a resume differ from those of the undisturbed run")
	}
}
