package session_test

import (
	"bytes"
	"context"
	"math"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// must gives a command and wants it done.
func must(t testing.TB, tr *session.Trainer, c session.Command) session.Ack {
	t.Helper()
	ack, err := tr.Do(context.Background(), c)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return ack
}

// stepTo trains a paused run to an iteration.
func stepTo(t *testing.T, tr *session.Trainer, iter int) *session.Snapshot {
	t.Helper()
	must(t, tr, session.Command{Kind: session.Step, Count: iter - tr.Snapshot().Iter})
	s := settle(t, tr)
	if s.Iter != iter {
		t.Fatalf("at iteration %d (%s), wanted %d", s.Iter, s.Problem, iter)
	}
	return s
}

// save returns the weights of a run as it is.
func save(t *testing.T, tr *session.Trainer) []byte {
	t.Helper()
	state := must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail
	return read(t, strings.Replace(state, "solverstate", "caffemodel", 1))
}

// Whoever watches changes nothing: histograms, norms, pictures and sensitivity leave every bit of the training as it
// is.
func TestWatchingChangesNothing(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		t.Run(name, func(t *testing.T) {
			alone, _ := weightsAt(t, mini(t, name, lively), 2, 30)
			run := mini(t, name, func(r *config.Run) {
				lively(r)
				r.Solver.MaxIter = proto.Int32(30)
				r.Tests, r.Solver.TestIter = []*caffe.NetFile{r.Train}, []int32{3}
			})
			tr := start(t, run, 2)
			must(t, tr, session.Command{Kind: session.Probe})
			for i := 3; i <= 30; i += 3 {
				s := stepTo(t, tr, i)
				must(t, tr, session.Command{Kind: session.Look, Layer: s.Layers[1].Name})
			}
			for tr.Snapshot().Sensitivity.Running {
				must(t, tr, session.Command{Kind: session.Look, Layer: tr.Snapshot().Layers[0].Name})
			}
			if !bytes.Equal(save(t, tr), alone) {
				t.Error("the weights differ from those of a run that nobody watched")
			}
			s := tr.Snapshot()
			if s.Sensitivity.Problem != "" {
				t.Error(s.Sensitivity.Problem)
			}
			for _, l := range s.Sensitivity.Layers {
				first, last := l.Points[0], l.Points[len(l.Points)-1]
				if first.Sparsity > 0.02 || math.Abs(last.Sparsity-0.99) > 0.01 || first.Loss == last.Loss {
					t.Errorf("%s: from %+v to %+v", l.Name, first, last)
				}
			}
			if s.Layers[0].Norms.Iter < 0 || s.Layers[0].Dead < 0 {
				t.Errorf("nothing was observed: %+v", s.Layers[0])
			}
		})
	}
}

func TestGoingBackIsBitForBit(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini", "sgd_itersize_bn"} {
		t.Run(name, func(t *testing.T) {
			run := mini(t, name, func(r *config.Run) {
				lively(r)
				r.Solver.MaxIter = proto.Int32(100)
			})
			tr := start(t, run, 2)
			stepTo(t, tr, 10)
			must(t, tr, session.Command{Kind: session.SnapshotNow})
			stepTo(t, tr, 20)
			once := save(t, tr)
			must(t, tr, set("lr_mult", "3"))
			stepTo(t, tr, 25)
			must(t, tr, session.Command{Kind: session.GoBack, Path: run.SnapshotPrefix() + "_iter_10.solverstate"})
			s := tr.Snapshot()
			if s.Iter != 10 || s.State != session.Paused || s.Hyper.LRMult != 1 {
				t.Fatalf("%s at %d, lr_mult %g", s.State, s.Iter, s.Hyper.LRMult)
			}
			if i, _, _ := s.Losses.Last(); i >= 10 {
				t.Errorf("the loss curve still ends at %d", i)
			}
			stepTo(t, tr, 20)
			if !bytes.Equal(save(t, tr), once) {
				t.Error("iteration 20 has other weights the second time")
			}
			changes, err := session.ReadJournal(run.JournalPath())
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range changes {
				if c.IsSetting() {
					t.Errorf("the journal still tells of %+v, which going back undid", c)
				}
			}
		})
	}
}

// A change in the iteration of the snapshot, before it, is in the journal of the run that goes on from there.
func TestReplayAfterGoingBack(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(40) })
	tr := start(t, run, 2)
	stepTo(t, tr, 10)
	must(t, tr, set("lr_mult", "0.5"))
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	must(t, tr, set("momentum", "0.1"))
	stepTo(t, tr, 15)
	must(t, tr, session.Command{Kind: session.GoBack})
	stepTo(t, tr, 20)
	want := save(t, tr)
	again := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.MaxIter = proto.Int32(20)
		r.Replay = run.JournalPath()
	})
	if got, _ := weightsAt(t, again, 2, 20); !bytes.Equal(got, want) {
		t.Error("the replay has other weights")
	}
}

// Plans and waiting changes go with the snapshot.
func TestPlansResume(t *testing.T) {
	plan := session.Command{Kind: session.Schedule, Plan: plan("conv2.t", "1.5", session.Plan{At: 8, Over: 20})}
	change := func(r *config.Run) {
		lively(r)
		r.Solver.MaxIter = proto.Int32(40)
	}
	run := mini(t, "dns_seed_mini", change)
	tr := start(t, run, 2)
	must(t, tr, plan)
	stepTo(t, tr, 15)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	stepTo(t, tr, 35)
	want := save(t, tr)
	again := mini(t, "dns_seed_mini", func(r *config.Run) {
		change(r)
		r.Weights, r.Snapshot = nil, run.SnapshotPrefix()+"_iter_15.solverstate"
	})
	tr = start(t, again, 2)
	if s := tr.Snapshot(); len(s.Plans) != 1 || !s.Plans[0].Begun {
		t.Errorf("plans %+v", s.Plans)
	}
	stepTo(t, tr, 35)
	if !bytes.Equal(save(t, tr), want) {
		t.Error("the resumed run has other weights")
	}
}

func TestStepToSurgery(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.MaxIter = proto.Int32(500)
		r.Solver.SurgeryIterGamma = proto.Float32(1) // 1/(1 + i)
	})
	tr := start(t, run, 2)
	for range 3 {
		must(t, tr, session.Command{Kind: session.StepSurgery})
		if s := settle(t, tr); s.Layers[0].LastIter != s.Iter-1 {
			t.Errorf("stopped at %d, the last surgery was in %d", s.Iter, s.Layers[0].LastIter)
		}
	}
	if n := tr.Snapshot().Surgeries; n != 3 {
		t.Errorf("%d surgeries, wanted 3", n)
	}
}

// A layer that is fixed keeps its weights, bit for bit, while the others train.
func TestFixedLayer(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(40) })
	tr := start(t, run, 2)
	stepTo(t, tr, 3)
	must(t, tr, set("ip1.fixed", "on"))
	before := must(t, tr, session.Command{Kind: session.Look, Layer: "ip1"}).Picture
	other := must(t, tr, session.Command{Kind: session.Look, Layer: "conv1"}).Picture
	must(t, tr, set("ip1.frozen", "on"))
	stepTo(t, tr, 13)
	after := must(t, tr, session.Command{Kind: session.Look, Layer: "ip1"}).Picture
	if !bytes.Equal(before.Kept, after.Kept) || before.Max != after.Max {
		t.Error("the fixed layer has changed")
	}
	if now := must(t, tr, session.Command{Kind: session.Look, Layer: "conv1"}).Picture; now.Max == other.Max {
		t.Error("the other layer has not changed")
	}
}

func TestLook(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(40) })
	tr := start(t, run, 2)
	s := stepTo(t, tr, 2)
	for _, l := range s.Layers {
		p := must(t, tr, session.Command{Kind: session.Look, Layer: l.Name}).Picture
		kept := 0
		for _, k := range p.Kept {
			if k != 0 && k != 255 {
				t.Fatalf("%s: a cell of one weight is %d", l.Name, k)
			}
			kept += int(k) / 255
		}
		if len(p.Kept) != p.Rows*p.Cols || kept != l.Kept {
			t.Errorf("%s: %d of %d × %d kept, the layer says %d", l.Name, kept, p.Rows, p.Cols, l.Kept)
		}
		small := must(
			t,
			tr,
			session.Command{Kind: session.Look, Layer: l.Name, Area: session.Area{Height: 2, Width: 3}},
		).Picture
		var sum float64
		for r := range 2 {
			for c := range small.Area.Width {
				k, _ := small.At(r, c)
				sum += k
			}
		}
		if got := sum / float64(2*small.Area.Width); math.Abs(got-float64(l.Kept)/float64(l.Weights)) > 0.02 {
			t.Errorf("%s: small picture keeps %.3f, the layer %d of %d", l.Name, got, l.Kept, l.Weights)
		}
	}
	for _, a := range []session.Area{{Row: -1}, {Row: 1 << 20}, {Col: 1 << 20}, {Rows: -4}} {
		if _, err := tr.Do(
			context.Background(), session.Command{Kind: session.Look, Layer: "ip1", Area: a},
		); err == nil {
			t.Errorf("%+v: no error", a)
		}
	}
	if _, err := tr.Do(context.Background(), session.Command{Kind: session.Look, Layer: "relu1"}); err == nil {
		t.Error("a layer that cannot be pruned: no error")
	}
}

// Predicted deaths come true, under both rules.
func TestDeaths(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		run := mini(t, name, func(r *config.Run) { r.Solver.MaxIter = proto.Int32(40) })
		tr := start(t, run, 2)
		s := stepTo(t, tr, 2)
		for _, l := range s.Layers {
			if len(l.Histogram.DeathThresholds) != l.Outputs {
				t.Fatalf("%s %s: %d deaths, %d outputs", name, l.Name, len(l.Histogram.DeathThresholds), l.Outputs)
			}
			threshold := float64(l.Histogram.DeathThresholds[l.Outputs/2]) + 1e-4
			want := l.Histogram.Dead(threshold)
			kept := l.Histogram.Total() - l.Histogram.Pruned(threshold)
			field := l.Name + "." + s.Hyper.Layer(l.Name).ThresholdParam().String()
			before := tr.Snapshot().Layer(l.Name).Histogram
			value := strconv.FormatFloat(threshold, 'g', -1, 64)
			go func() { _, _ = tr.Do(context.Background(), set(field, value)) }()
			modeltest.Eventually(t, "the threshold is asked for", func() bool { return pendingIs(tr, field, value) })
			must(t, tr, session.Command{Kind: session.SurgeryNow})
			now := settle(t, tr).Layer(l.Name)
			modeltest.Eventually(t, "a histogram after the surgery", func() bool {
				now = tr.Snapshot().Layer(l.Name)
				return now.Histogram != before
			})
			if now.Dead != want || want < l.Outputs/2 {
				t.Errorf(
					"%s %s: %d of %d outputs are dead at %g, predicted %d",
					name,
					l.Name,
					now.Dead,
					l.Outputs,
					threshold,
					want,
				)
			}
			if diff := now.Kept - kept; diff < -3 || diff > 3 { // the threshold lies within a bin
				t.Errorf("%s %s: %d kept at %g, predicted %d", name, l.Name, now.Kept, threshold, kept)
			}
		}
	}
}

// Threshold is the inverse of the prediction.
func TestThresholdOfSparsity(t *testing.T) {
	for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule} {
		r := gpu.SurgeryResult{
			Mu:       0.02,
			Sigma:    0.05,
			KeptAt:   make([]uint32, gpu.HistogramBins),
			PrunedAt: make([]uint32, gpu.HistogramBins),
		}
		for i := range 3000 {
			r.KeptAt[(i*7919)%3000]++
			if i%4 == 0 {
				r.PrunedAt[i/2]++
			}
		}
		h := solver.NewHistogram(rule, &r)
		for n := 0; n <= h.Total(); n += 97 {
			v := h.Threshold(n)
			miss := abs(h.Pruned(v) - n)
			for _, other := range []float64{v - 0.001, v + 0.001} {
				if lo, hi := h.Range(); other >= lo && other <= hi && abs(h.Pruned(other)-n) < miss {
					t.Errorf(
						"rule %d: %g prunes %d, %g prunes %d, wanted %d",
						rule,
						v,
						h.Pruned(v),
						other,
						h.Pruned(other),
						n,
					)
				}
			}
			if miss > 3 {
				t.Errorf("rule %d: %g prunes %d, wanted %d", rule, v, h.Pruned(v), n)
			}
		}
	}
}

func abs(n int) int { return max(n, -n) }

// The journal tells how the run went, and a run that goes on shows what was before.
func TestHistory(t *testing.T) {
	run := mini(t, "dns_seed_mini", nil)
	train(t, run, 2, 30)
	lines, err := session.ReadJournal(run.JournalPath())
	if err != nil {
		t.Fatal(err)
	}
	h := session.NewHistory(lines)
	if h.Start() == nil || len(h.Start().Layers) != 4 || h.Last.State != "finished" || h.Last.Saved == "" {
		t.Errorf("start %+v, last %+v", h.Start(), h.Last)
	}
	if n := len(h.Loss.Values); n != 30 {
		t.Errorf("%d losses, wanted 30", n)
	}
	if i, v, ok := h.Kept.Last(); !ok || i != 30 || v <= 0 || v >= 1 {
		t.Errorf("kept %g at %d", v, i)
	}
	again := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.SnapshotPrefix = proto.String(run.SnapshotPrefix())
		r.Weights, r.Snapshot = nil, filepath.Join(filepath.Dir(run.SnapshotPrefix()), "run_iter_30.solverstate")
		r.Solver.MaxIter = proto.Int32(60)
	})
	s := start(t, again, 2).Snapshot()
	if len(s.Losses.Values) != 30 || len(s.KeptFraction.Values) != 30 || len(s.Layers[0].History.Values) != 30 {
		t.Errorf(
			"%d losses, %d shares, %d of conv1; wanted the 30 of before",
			len(s.Losses.Values),
			len(s.KeptFraction.Values),
			len(s.Layers[0].History.Values),
		)
	}
}
