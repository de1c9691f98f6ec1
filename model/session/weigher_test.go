package session_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
	"dns-tui/config"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// measured waits until what was asked for is measured.
func measured(t testing.TB, tr *session.Trainer) *session.Shipped {
	t.Helper()
	var s *session.Shipped
	modeltest.Eventually(t, "the net is measured", func() bool {
		s = tr.Snapshot().Shipped
		return s.Stage == session.NoWeighing
	})
	return s
}

// weighed waits until a paused run has weighed the weights that it has.
func weighed(t testing.TB, tr *session.Trainer) *session.Weighed {
	t.Helper()
	var now *session.Weighed
	modeltest.Eventually(t, "the weights are weighed", func() bool {
		s := tr.Snapshot()
		now = s.Shipped.Now
		return now != nil && now.Iter == s.Iter && !s.Shipped.Redrawn
	})
	return now
}

// weigh asks what a run comes to, for TestSession.
func weigh(t *testing.T, tr *session.Trainer, d *datadriven.TestData) string {
	t.Helper()
	c := session.Command{Kind: session.Weigh}
	for _, a := range d.CmdArgs {
		var err error
		if len(a.Vals) == 0 {
			c.Target, err = autopilot.ParseTarget(a.Key)
		} else {
			var e config.Edit
			e, err = config.Parse(a.Key, a.Vals[0])
			c.Edits = append(c.Edits, e)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	ack, err := tr.Do(context.Background(), c)
	if err != nil {
		return "rejected: " + err.Error() + "\n"
	}
	s := measured(t, tr)
	if s.Problem != "" {
		return s.Problem + "\n"
	}
	m := s.Measured
	if m.Batch < 1 || m.Passes < 3 || m.Waited <= 0 {
		t.Errorf("%d passes of %d images in %v", m.Passes, m.Batch, m.Waited)
	}
	text := fmt.Sprintf("at %d %s\n", ack.Iter, ack.Detail)
	text += describeTimed(t, "now", &m.Now)
	if m.Then != nil {
		text += describeTimed(t, "then "+m.Goal, m.Then)
	}
	return text
}

// describeTimed is all but the times, which differ from machine to machine.
func describeTimed(t *testing.T, name string, x *session.Timed) string {
	t.Helper()
	if x.Dense <= 0 || x.Sparse <= 0 {
		t.Errorf("%s: passes of %v and %v", name, x.Dense, x.Sparse)
	}
	n := x.Net
	return fmt.Sprintf("%s: kept %d of %d, bytes %d %d %d, smaller %d, %.0f of %.0f MAC, %d of %d live\n", name, x.Kept,
		x.Parameters, x.Bytes.Caffemodel, x.Bytes.Compact, x.Bytes.Safetensors, n.Smaller, n.MACs.Kept, n.MACs.Dense,
		n.Live, n.Outputs)
}

// exported writes what export makes of a run's snapshot, in each form, and returns the bytes of the files.
func exported(t *testing.T, tr *session.Trainer) caffe.FormSizes {
	t.Helper()
	state := must(t, tr, session.Command{Kind: session.SnapshotNow}).Detail
	w, err := caffe.ReadNet(strings.Replace(state, "solverstate", "caffemodel", 1))
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := model.ApplyMasks(w); err != nil {
		t.Fatal(err)
	}
	plan, err := compact.NewPlan(caffe.CompactOf(w, nil))
	if err != nil {
		t.Fatal(err)
	}
	to := filepath.Join(t.TempDir(), "w")
	size := func(form string, err error) int64 {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(to + form)
		if err != nil {
			t.Fatal(err)
		}
		return info.Size()
	}
	return caffe.FormSizes{
		Caffemodel:  size(".caffemodel", caffe.WriteNet(to+".caffemodel", w)),
		Compact:     size(".dnz", caffe.WriteCompact(to+".dnz", plan)),
		Safetensors: size(".safetensors", caffe.WriteSafetensors(to+".safetensors", w, false, nil)),
	}
}

// operateWith redraws the masks of a paused run, with thresholds that wait for it.
func operateWith(t *testing.T, tr *session.Trainer, thresholds ...config.Edit) {
	t.Helper()
	go func() { _, _ = tr.Do(context.Background(), session.SetOf(thresholds...)) }()
	modeltest.Eventually(t, "the thresholds are pending", func() bool { return len(tr.Snapshot().Pending) > 0 })
	must(t, tr, session.Command{Kind: session.SurgeryNow})
}

// What a session says of its weights is what export writes of a snapshot of the same iteration, to the byte: of each
// rule, in the course of a descent too, and after masks were redrawn without an iteration.
func TestWeighedIsWhatIsExported(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*config.Run)
	}{
		{"dns_seed_mini", lively},
		{"dns_official_mini", lively},
		{"sgd_itersize_bn", lively},
		{"dns_seed_mini", soft(1, 1, 1)},
		{"dns_official_mini", func(r *config.Run) {
			lively(r)
			r.Solver.SnapshotFormat = caffepb.SolverParameter_HDF5.Enum()
		}},
		{"dns_seed_mini", soft(3, 0.5, 2)},
		{"dns_seed_mini", func(r *config.Run) {
			lively(r)
			merge(t, r, `autopilot_param { target: "8x" end_iter: 16 interval: 2 anneal_iter: 2 }`)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := mini(t, c.name, c.change)
			tr := start(t, run, 2)
			for _, iter := range []int{1, 7, 17} {
				stepTo(t, tr, iter)
				if diff := cmp.Diff(exported(t, tr), weighed(t, tr).Bytes); diff != "" {
					t.Errorf("at %d (-exported +weighed):\n%s", iter, diff)
				}
			}
			if len(tr.Snapshot().Layers) == 0 || tr.Snapshot().Autopilot != nil {
				return
			}
			l := tr.Snapshot().Layers[0]
			operateWith(t, tr, config.Edit{
				Field: config.Field{
					Layer: l.Name,
					Param: tr.Snapshot().Hyper.Layer(l.Name).ThresholdParam(),
				}, Value: 0.9,
			})
			if diff := cmp.Diff(exported(t, tr), weighed(t, tr).Bytes); diff != "" {
				t.Errorf("after a surgery (-exported +weighed):\n%s", diff)
			}
		})
	}
}

// What thresholds would come to is what the surgery comes to that has them.
func TestThresholdsAreWeighedAsSurgeryHasThem(t *testing.T) {
	for _, c := range []struct {
		name, net string
		change    func(*config.Run)
	}{
		{"seed", "dns_seed_mini", lively},
		{"paper", "dns_official_mini", lively},
		{"soft", "dns_seed_mini", soft(3, 0.5, 2)},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr := start(t, mini(t, c.net, c.change), 2)
			s := stepTo(t, tr, 5)
			asked := session.Command{Kind: session.Weigh}
			for i, l := range s.Layers {
				h := s.Hyper.Layer(l.Name)
				e := config.Edit{Field: config.Field{Layer: l.Name, Param: h.ThresholdParam()}, Value: h.Threshold}
				if i < 2 {
					e.Value = l.Histogram.Threshold(l.Histogram.Total() * 9 / 10)
				}
				asked.Edits = append(asked.Edits, e)
			}
			must(t, tr, asked)
			m := measured(t, tr)
			if m.Problem != "" || m.Measured.Then == nil || m.Measured.Goal != "" {
				t.Fatalf("%+v", m)
			}
			if m.Measured.Then.Kept >= m.Measured.Now.Kept {
				t.Error("the thresholds prune nothing")
			}
			operateWith(t, tr, asked.Edits[:2]...)
			if diff := cmp.Diff(weighed(t, tr), &m.Measured.Then.Weighed); diff != "" {
				t.Errorf("(-surgery +weighed):\n%s", diff)
			}
		})
	}
}

// Measuring leaves every bit of the training as it is.
func TestMeasuringChangesNothing(t *testing.T) {
	for _, name := range []string{"dns_seed_mini", "dns_official_mini"} {
		t.Run(name, func(t *testing.T) {
			alone, _ := weightsAt(t, mini(t, name, lively), 2, 30)
			run := mini(t, name, func(r *config.Run) {
				lively(r)
				r.Solver.MaxIter = proto.Int32(30)
			})
			tr := start(t, run, 2)
			target := autopilot.Target{Unit: autopilot.Times, Value: 20}
			for i := 3; i <= 30; i += 3 {
				layer := tr.Snapshot().Layers[1].Name
				e, err := tr.Snapshot().Hyper.Parse(layer+".t", "1.3")
				if err != nil {
					t.Fatal(err)
				}
				c := session.Command{Kind: session.Weigh}
				switch i % 9 {
				case 0:
					c.Target = target
				case 3:
					c.Edits = []config.Edit{e}
				}
				must(t, tr, c)
				if i%2 == 0 { // the training goes on meanwhile, or does not
					measured(t, tr)
				}
				stepTo(t, tr, i)
				if s := measured(t, tr); s.Problem != "" {
					t.Fatal(s.Problem)
				}
			}
			if !bytes.Equal(save(t, tr), alone) {
				t.Error("the weights differ from those of a run that was not measured")
			}
		})
	}
}

// What cannot be measured is told, and the run goes on; two at once are refused.
func TestMeasuringFails(t *testing.T) {
	tr := start(t, mini(t, "dns_seed_mini", lively), 2)
	do := func(c session.Command) error {
		c.Kind = session.Weigh
		_, err := tr.Do(context.Background(), c)
		return err
	}
	layer := tr.Snapshot().Layers[0].Name
	threshold := config.Edit{Field: config.Field{Layer: layer, Param: config.Threshold}, Value: 1}
	target := autopilot.Target{Unit: autopilot.Times, Value: 20}
	for _, c := range []struct {
		c    session.Command
		want string
	}{
		{session.Command{Edits: []config.Edit{threshold}, Target: target}, "wanted one of them"},
		{session.Command{Target: autopilot.Target{Unit: autopilot.Times, Value: -1}}, "-1x"},
		{session.Command{Edits: []config.Edit{{Field: config.Field{Param: config.BaseLR}, Value: 1}}}, "no threshold"},
	} {
		if err := do(c.c); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; wanted %q", err, c.want)
		}
	}
	// More than there is.
	if err := do(session.Command{Target: autopilot.Target{Unit: autopilot.KeptEntries, Value: 1e12}}); err != nil {
		t.Fatal(err)
	}
	if s := measured(t, tr); s.Problem == "" || s.Measured != nil {
		t.Errorf("%+v", s)
	}
	if err := do(session.Command{}); err != nil {
		t.Fatal(err)
	}
	if s := measured(t, tr); s.Problem != "" || s.Measured == nil || s.Measured.Then != nil {
		t.Errorf("%+v", s)
	}
	stepTo(t, tr, 3)
}

// A run that is told to stop does not wait for what is measured.
func TestStopWhileMeasuring(t *testing.T) {
	tr := start(t, mini(t, "dns_seed_mini", lively), 2)
	must(t, tr, session.Command{Kind: session.Weigh})
	must(t, tr, session.Command{Kind: session.Stop})
	if err := tr.Err(); err != nil {
		t.Error(err)
	}
}
