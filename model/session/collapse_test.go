package session_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// thresholds sets the thresholds in the file, as a prototxt does; the others stay low.
func thresholds(of map[string]float32) func(*config.Run) {
	return func(r *config.Run) {
		for _, l := range r.Train.Net.Layer {
			v, ok := of[l.GetName()]
			if !ok {
				v = 0.1
			}
			if p := l.ConvolutionParam; p != nil {
				p.Threshold = proto.Float32(v)
			}
			if p := l.InnerProductParam; p != nil {
				p.Threshold = proto.Float32(v)
			}
		}
		r.Solver.MaxIter = proto.Int32(60)
	}
}

// A surgery that leaves no path is told of in its own iteration; a flag ends the run; a net that is only sparse is
// left alone.
func TestCollapse(t *testing.T) {
	for _, c := range []struct {
		name string
		of   map[string]float32
		dead string
	}{
		{"sparse", map[string]float32{"conv2": 1.5, "ip1": 1.6}, ""},
		{"one layer empty", map[string]float32{"ip1": 50}, "ip1"},
		{"the first layer empty", map[string]float32{"conv1": 50}, "conv1"},
		{"the last layer empty", map[string]float32{"ip2": 50}, "ip2"},
		{"all layers empty", map[string]float32{"conv1": 50, "conv2": 50, "ip1": 50, "ip2": 50}, "conv1"},
	} {
		for _, stops := range []bool{false, true} {
			t.Run(fmt.Sprint(c.name, " ", stops), func(t *testing.T) {
				run := mini(t, "dns_seed_mini", thresholds(c.of))
				d := host.New(host.Options{Threads: 1})
				defer d.Close()
				o := session.NewObserver(1000, nil)
				tr, err := session.NewTrainer(
					run, d, session.Options{Observers: []*session.Observer{o}, StopOnCollapse: stops},
				)
				if err != nil {
					t.Fatal(err)
				}
				tr.Start()
				err = tr.Err()
				told := -1
				for _, e := range happened(o) {
					if strings.Contains(e.What.String(), "nothing passes "+c.dead+" any more") && told < 0 {
						told = e.Iter
					}
				}
				var collapse *session.CollapseError
				switch {
				case c.dead == "" && (told >= 0 || err != nil):
					t.Errorf("told at %d, %v; the net is only sparse", told, err)
				case c.dead != "" && (told < 0 || told > 1):
					t.Errorf("told at %d, wanted at once", told)
				case c.dead != "" && stops != errors.As(err, &collapse):
					t.Errorf("--stop_on_collapse %t, and the run ended with %v", stops, err)
				}
			})
		}
	}
}

// No layer is empty, and yet nothing passes: what conv2 keeps hangs on channels that conv1 has lost.
func TestNoPathThroughLayersThatKeepWeights(t *testing.T) {
	for _, c := range []struct {
		name         string
		conv1, conv2 func(out, in int) bool // kept
		ip1          func(out, in int) bool
		blocked      string
	}{
		{"all", nil, nil, nil, ""},
		{
			"one path",
			func(o, _ int) bool { return o == 3 },
			func(o, i int) bool { return o == 7 && i/25 == 3 },
			func(_, i int) bool { return i/16 == 7 },
			"",
		},
		{
			"lost between conv1 and conv2",
			func(o, _ int) bool { return o == 3 },
			func(o, i int) bool { return i/25 != 3 },
			nil,
			"conv2",
		},
		{
			"lost between conv2 and ip1",
			nil,
			func(o, _ int) bool { return o != 7 },
			func(_, i int) bool { return i/16 == 7 },
			"ip1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := mini(t, "dns_seed_mini", nil)
			n, err := caffe.ReadNet(run.Weights[0])
			if err != nil {
				t.Fatal(err)
			}
			for _, l := range n.Layer {
				kept := map[string]func(int, int) bool{"conv1": c.conv1, "conv2": c.conv2, "ip1": c.ip1}[l.GetName()]
				if kept == nil {
					continue
				}
				shape := caffe.Shape(l.Blobs[0])
				mask := make([]float32, len(caffe.Values(l.Blobs[0])))
				per := len(mask) / shape[0]
				for i := range mask {
					if kept(i/per, i%per) {
						mask[i] = 1
					}
				}
				l.Blobs = append(l.Blobs[:2:2], caffe.NewBlob(shape, mask))
			}
			run.Weights[0] = filepath.Join(t.TempDir(), "m.caffemodel")
			if err := caffe.WriteNet(run.Weights[0], n); err != nil {
				t.Fatal(err)
			}
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			s, err := solver.New(run, d)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if got := s.Net.BlockedAt(); got != c.blocked {
				t.Errorf("blocked at %q, wanted %q", got, c.blocked)
			}
		})
	}
}

// An interactive run pauses, and who asks for such a threshold is told before.
func TestCollapsePauses(t *testing.T) {
	tr := startWith(t, mini(t, "dns_seed_mini", lasting), 1, session.Options{Guard: 2})
	stepTo(t, tr, 3)
	go func() {
		_, _ = tr.Do(context.Background(), set("ip1.threshold", "50"))
	}()
	modeltest.Eventually(t, "the threshold is asked for", func() bool { return pendingIs(tr, "ip1.threshold", "50") })
	told := false
	for _, e := range tr.Snapshot().Events {
		told = told || strings.Contains(e.What.String(), "surgery would leave ip1 no weight")
	}
	if !told {
		t.Error("nothing was said before the surgery")
	}
	must(t, tr, session.Command{Kind: session.Resume})
	s := settle(t, tr)
	if s.State != session.Paused || s.Iter != 4 || !strings.Contains(s.Problem, "nothing passes ip1 any more") ||
		!strings.Contains(s.Problem, "B goes back") {
		t.Errorf("%s at %d: %q", s.State, s.Iter, s.Problem)
	}
	must(t, tr, session.Command{Kind: session.GoBack})
	if s := stepTo(t, tr, 8); s.Problem != "" {
		t.Errorf("after going back: %s", s.Problem)
	}
	ack := must(t, tr, session.Command{Kind: session.Schedule, Plan: plan("conv1.t", "40", session.Plan{At: 100})})
	if !strings.Contains(ack.Detail, "leave conv1 no weight") {
		t.Errorf("a plan: %q", ack.Detail)
	}
}
