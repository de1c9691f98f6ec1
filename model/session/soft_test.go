package session_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"path/filepath"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// soft has every layer of a run that can be pruned go by the soft rule, at a threshold of its own.
func soft(exponent, theta float32, every int32) func(*config.Run) {
	return func(r *config.Run) {
		lively(r)
		thresholds := map[string]float32{"conv1": 0.4, "conv2": 0.7, "ip1": 1.1, "ip2": 0.6}
		for _, l := range r.Train.Net.Layer {
			t, ok := thresholds[l.GetName()]
			if !ok {
				continue
			}
			l.SurgeryRule = caffepb.SurgeryRule_SOFT.Enum()
			l.SoftSurgeryParam = &caffepb.SoftSurgeryParameter{
				Exponent: proto.Float32(exponent), Theta: proto.Float32(theta), ThetaEvery: proto.Int32(every),
			}
			if l.ConvolutionParam != nil {
				l.ConvolutionParam.Threshold = proto.Float32(t)
			} else {
				l.InnerProductParam.Threshold = proto.Float32(t)
			}
		}
	}
}

var softRules = []struct {
	exponent, theta float32
	every           int32
}{{1, 1, 1}, {3, 0.5, 2}, {1.7, 1, 5}, {float32(math.Inf(1)), 0, 1}}

// A run under the soft rule resumes bit for bit, from either form of snapshot.
func TestSoftRuleResumes(t *testing.T) {
	for i, c := range softRules {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			with := soft(c.exponent, c.theta, c.every)
			whole, _ := weightsAt(t, mini(t, "dns_seed_mini", with), 2, 16)
			first, ext := mini(t, "dns_seed_mini", with), ""
			if i%2 == 1 {
				first.Solver.SnapshotFormat, ext = caffepb.SolverParameter_HDF5.Enum(), ".h5"
			}
			train(t, first, 2, 9)
			again := mini(t, "dns_seed_mini", with)
			again.Weights, again.Snapshot = nil, first.SnapshotPrefix()+"_iter_9.solverstate"+ext
			if resumed, _ := weightsAt(t, again, 3, 16); !bytes.Equal(whole, resumed) {
				t.Error("weights after a resume differ from those of the undisturbed run")
			}
		})
	}
}

// With an exponent of infinity and a theta of 1 the soft rule trains as the hard rule does, to the bit, once the masks
// are frozen.
func TestSoftRuleWithoutEndIsTheHardRule(t *testing.T) {
	infinite := soft(float32(math.Inf(1)), 1, 1)
	frozenAt := func(rule string) []byte {
		run := mini(t, "dns_seed_mini", infinite)
		tr := start(t, run, 2)
		must(t, tr, session.Command{Kind: session.Step, Count: 5})
		s := settle(t, tr)
		for _, l := range s.Layers {
			must(t, tr, set(l.Name+".mask_frozen", "on"))
			if rule != "soft" {
				must(t, tr, set(l.Name+".rule", rule))
			}
		}
		must(t, tr, session.Command{Kind: session.Step, Count: 10})
		settle(t, tr)
		must(t, tr, session.Command{Kind: session.SnapshotNow})
		return read(t, run.SnapshotPrefix()+"_iter_15.caffemodel")
	}
	softly, hard := values(t, frozenAt("soft")), values(t, frozenAt("paper"))
	for i := range softly {
		if softly[i] != hard[i] {
			t.Fatalf("value %d is %v under the soft rule, %v under the hard one", i, softly[i], hard[i])
		}
	}
}

// values are all numbers of a caffemodel, without its masks.
func values(t *testing.T, model []byte) (out []uint32) {
	t.Helper()
	net := &caffepb.NetParameter{}
	if err := proto.Unmarshal(model, net); err != nil {
		t.Fatal(err)
	}
	for _, l := range net.Layer {
		for _, b := range l.Blobs[:min(2, len(l.Blobs))] {
			for _, v := range caffe.Values(b) {
				out = append(out, math.Float32bits(v))
			}
		}
	}
	return out
}

// A journal with changes of the soft rule repeats the run.
func TestSoftRuleReplays(t *testing.T) {
	run := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Solver.RandomSeed = nil })
	tr := start(t, run, 2)
	step := func(n int) {
		must(t, tr, session.Command{Kind: session.Step, Count: n})
		settle(t, tr)
	}
	step(3)
	must(t, tr, set("conv2.rule", "soft"))
	must(t, tr, set("ip1.surgery_rule", "soft"))
	step(4)
	must(t, tr, set("ip1.exponent", "1"))
	must(t, tr, set("conv2.theta", "0.5"))
	step(3)
	must(t, tr, set("conv2.theta_every", "3"))
	go func() { _, _ = tr.Do(context.Background(), set("ip1.threshold", "1.7")) }()
	step(6)
	must(t, tr, set("ip1.exponent", "inf"))
	must(t, tr, session.Command{Kind: session.Undo})
	step(3)
	must(t, tr, set("conv2.rule", "seed"))
	step(3)
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	want := read(t, run.SnapshotPrefix()+"_iter_22.caffemodel")
	replay := mini(t, "dns_seed_mini", func(r *config.Run) { lively(r); r.Solver.RandomSeed = nil })
	replay.Replay = run.JournalPath()
	if got, _ := weightsAt(t, replay, 1, 22); !bytes.Equal(want, got) {
		t.Error("the replayed run has other weights")
	}
}

// What a run under the soft rule computes is its forward weights, not those that it trains: a net that does not go by
// the rule, and what is exported, compute the same.
func TestSoftRuleIsExported(t *testing.T) {
	for _, format := range []caffepb.SolverParameter_SnapshotFormat{
		caffepb.SolverParameter_BINARYPROTO, caffepb.SolverParameter_HDF5,
	} {
		t.Run(format.String(), func(t *testing.T) {
			run := mini(t, "dns_seed_mini", soft(3, 1, 1))
			run.Solver.SnapshotFormat = &format
			train(t, run, 2, 9)
			snapshot := run.SnapshotPrefix() + "_iter_9.caffemodel"
			if format == caffepb.SolverParameter_HDF5 {
				snapshot += ".h5"
			}
			want, _ := firstLoss(t, snapshot, soft(3, 1, 1))
			plain, notices := firstLoss(t, snapshot, lively)
			if plain != want {
				t.Errorf("without the rule the loss is %v, with it %v", plain, want)
			}
			if len(notices) == 0 {
				t.Error("nobody is told that the weights are those that the soft rule had shrunk")
			}
			net, err := caffe.ReadNet(snapshot)
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := model.ApplyMasks(net); err != nil {
				t.Fatal(err)
			}
			out := filepath.Join(t.TempDir(), "out.caffemodel")
			if err := caffe.WriteNet(out, net); err != nil {
				t.Fatal(err)
			}
			if exported, _ := firstLoss(t, out, lively); exported != want {
				t.Errorf("exported, the loss is %v; it was %v", exported, want)
			}
		})
	}
}

// firstLoss is the loss of a run's first batch with some weights, and what the run is told of them.
func firstLoss(t *testing.T, weights string, change func(*config.Run)) (float64, []string) {
	t.Helper()
	r := mini(t, "dns_seed_mini", change)
	r.Weights = []string{weights}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	s, err := solver.New(r, d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	l, err := s.Net.Forward()
	if err != nil {
		t.Fatal(err)
	}
	return l, s.Notices
}
