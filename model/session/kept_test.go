package session_test

import (
	"bytes"
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// sparsely is the soft rule, without shrinking, with theta in every fifth iteration; and of conv2 and ip1 so little is
// kept that the host leaves out the gradients of pruned weights between them.
func sparsely(r *config.Run) {
	soft(float32(math.Inf(1)), 1, 5)(r)
	r.Solver.ClipGradients = nil
	r.Solver.BaseLr = proto.Float32(0.05)
	for _, l := range r.Train.Net.Layer {
		switch l.GetName() {
		case "conv2":
			l.ConvolutionParam.Threshold = proto.Float32(1.45)
		case "ip1":
			l.InnerProductParam.Threshold = proto.Float32(1.71)
		}
	}
}

// whole is the host without what it leaves out.
type whole struct {
	gpu.Back
	limited int // operations that might have left something out
}

func (w *whole) Do(op gpu.Op) {
	kept := new(*gpu.Tensor)
	switch o := op.(type) {
	case *gpu.Gemm:
		kept = &o.Kept
	case *gpu.ConvBackwardWeights:
		kept = &o.Kept
	}
	if *kept != nil {
		w.limited++
		*kept = nil
	}
	w.Back.Do(op)
}

// Where theta is 0, a device that leaves out the gradients of pruned weights takes the way, to rounding, of one that
// computes all.
func TestGradientsOfKeptWeights(t *testing.T) {
	const iterations, passes, layers = 24, 2, 4
	back := &whole{Back: host.NewBack(host.Options{Threads: 2})}
	all, some := gpu.NewDevice(back, nil), host.New(host.Options{Threads: 2})
	defer all.Close()
	defer some.Close()
	wantLosses, want := sparseRun(t, all, iterations)
	haveLosses, have := sparseRun(t, some, iterations)
	n, rests := 0, config.LayerHyper{Rule: gpu.SoftRule, SoftHyper: config.SoftHyper{ThetaEvery: 5}}
	for i := range iterations {
		if rests.RestsAt(i) {
			n += passes * layers
		}
	}
	if back.limited != n {
		t.Errorf("%d gradients were limited to kept weights, wanted %d", back.limited, n)
	}
	for i, l := range wantLosses {
		if e := math.Abs(haveLosses[i] - l); !(e < 1e-4*math.Abs(l)) {
			t.Errorf("iteration %d: loss %g, with all gradients %g", i, haveLosses[i], l)
		}
	}
	if wantLosses[iterations-1] > 0.99*wantLosses[0] {
		t.Errorf("the run learned nothing: losses %v", wantLosses)
	}
	masks, bits := 0, 0
	for at, array := range want {
		for i, v := range array {
			if other := have[at][i]; gpu.IsPruned(v) != gpu.IsPruned(other) {
				masks++
			} else if v != other {
				bits++
			}
		}
	}
	// Rounding may put a weight on the other side of the cut.
	if masks > 2 || bits == 0 {
		t.Errorf("masks differ in %d places, numbers in %d, wanted hardly any and some", masks, bits)
	}
}

// sparseRun trains a net sparsely, and returns its losses and forward weights.
func sparseRun(t *testing.T, d *gpu.Device, iterations int) (losses []float64, forward [][]float32) {
	t.Helper()
	s, err := solver.New(mini(t, "dns_seed_mini", sparsely), d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for range iterations {
		loss, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		losses = append(losses, loss)
	}
	for _, p := range s.Net.Params() {
		forward = append(forward, modeltest.Values(d, p.Forward()))
	}
	return losses, forward
}

// Gradients that are left out change nothing of it that a run resumes bit for bit, with any number of threads.
func TestGradientsOfKeptWeightsResume(t *testing.T) {
	undisturbed, _ := weightsAt(t, mini(t, "dns_seed_mini", sparsely), 2, 18)
	first := mini(t, "dns_seed_mini", sparsely)
	train(t, first, 1, 8)
	again := mini(t, "dns_seed_mini", sparsely)
	again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_8.solverstate"
	if resumed, _ := weightsAt(t, again, 3, 18); !bytes.Equal(undisturbed, resumed) {
		t.Error("weights after a resume differ from those of the undisturbed run")
	}
}

// Norms are of whole gradients, so they wait for an iteration that has them; measuring changes no bit.
func TestNormsAreOfWholeGradients(t *testing.T) {
	weights := func(measure bool) (out [][]float32) {
		d := host.New(host.Options{Threads: 2})
		defer d.Close()
		s, err := solver.New(mini(t, "dns_seed_mini", sparsely), d)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		whole, wholes := -1, 0 // the last iteration in which pruned weights did not rest
		for i := range 12 {
			if measure {
				s.MeasureNorms()
			}
			if !s.Hyper().Layer("ip1").RestsAt(i) {
				whole, wholes = i, wholes+1
			}
			if _, err := s.Step(); err != nil {
				t.Fatal(err)
			}
			if n := s.Layer("ip1").Norms(); measure && n.Iter != whole {
				t.Errorf("after iteration %d norms are of iteration %d, wanted %d", i, n.Iter, whole)
			}
		}
		if wholes < 2 {
			t.Error("pruned weights rest in nearly all iterations: the test sees nothing")
		}
		for _, p := range s.Net.Params() {
			out = append(out, modeltest.Values(d, p.Data))
		}
		return out
	}
	plain, measured := weights(false), weights(true)
	for at, array := range plain {
		for i, v := range array {
			if math.Float32bits(v) != math.Float32bits(measured[at][i]) {
				t.Fatalf("parameter %d[%d] is %g, %g where norms are measured", at, i, v, measured[at][i])
			}
		}
	}
}

// Between the iterations of theta_every pruned weights rest, whatever momentum and decay would do to them.
func TestPrunedWeightsRest(t *testing.T) {
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	const every = 3
	s, err := solver.New(mini(t, "dns_seed_mini", soft(3, 1, every)), d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	params := slices.DeleteFunc(slices.Clone(s.Net.Params()), func(p *layer.Param) bool { return p.Masked == nil })
	for range 1 + 2*every {
		iter, kept, pruned := s.Iter, 0, 0 // entries that move, of those that stay kept or pruned
		var w, masked [][]float32
		for _, p := range params {
			w, masked = append(w, modeltest.Values(d, p.Data)), append(masked, modeltest.Values(d, p.Masked))
		}
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		for at, p := range params {
			now, nowMasked := modeltest.Values(d, p.Data), modeltest.Values(d, p.Masked)
			for i, v := range w[at] {
				switch was := gpu.IsPruned(masked[at][i]); {
				case was != gpu.IsPruned(nowMasked[i]) || v == now[i]:
				case was:
					pruned++
				default:
					kept++
				}
			}
		}
		if iter > 0 && (kept == 0 || (pruned != 0) == s.Hyper().Layer("conv1").RestsAt(iter)) {
			t.Errorf("iteration %d: %d kept and %d pruned entries moved; pruned ones move in one of %d",
				iter, kept, pruned, every)
		}
	}
}
