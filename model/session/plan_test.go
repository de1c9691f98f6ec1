package session

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/config"
	"dns-tui/gpu"
)

func planned() *config.Hyper {
	return &config.Hyper{BaseLR: 0.01, LRMult: 1, Momentum: 0.9, Stop: config.Never, Layers: []config.LayerHyper{
		{Name: "conv1", Threshold: 0.6, Prune: true},
		{Name: "ip", Rule: gpu.PaperRule, Threshold: -0.5, Power: 1, Stop: 100},
	}}
}

// put adds a plan, for which there is room.
func put(s *plans, p Plan) {
	if _, err := s.add(p); err != nil {
		panic(err)
	}
}

// The plans of a run are one value; each case is what happened, and which are left, due and under way.
func TestPlans(t *testing.T) {
	rate := field("", config.BaseLR)
	once := Plan{Edit: config.Edit{Field: rate, Value: 0.1}, At: 10}
	ramp := Plan{Edit: config.Edit{Field: rate, Value: 0.5}, At: 5, Over: 20}
	for _, c := range []struct {
		name string
		do   func(*plans)
		want string // ids, those due at 10, those of base_lr that have begun
	}{
		{"none", func(*plans) {}, "[] [] []"},
		{"two", func(s *plans) { put(s, once); put(s, ramp) }, "[1 2] [1 2] []"},
		{"one that is not due", func(s *plans) { p := once; p.At = 11; put(s, p) }, "[1] [] []"},
		{"a ramp that begins", func(s *plans) { put(s, once); put(s, ramp); s.begin(2, 0.2, 0.1) }, "[1 2] [1 2] [2]"},
		{"one that is dropped keeps its " +
			"number", func(s *plans) { put(s, once); s.remove(1); put(s, ramp) }, "[2] [2] []"},
		{"one that is dropped twice", func(s *plans) { put(s, once); s.remove(1); s.remove(1) }, "[] [] []"},
		{"one of a journal", func(s *plans) { p := ramp; p.ID = 7; s.put(p); put(s, once) }, "[7 8] [7 8] []"},
		{"of a snapshot", func(s *plans) {
			put(s, once)
			put(s, ramp)
			s.begin(2, 0.2, 0.1)
			s.remove(1)
			lines := s.saved()
			*s = plans{}
			if unknown := s.restore(lines, 5); unknown != nil {
				panic(unknown)
			}
			put(s, once)
		}, "[2 6] [2 6] [2]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var s plans
			c.do(&s)
			ids := func(list []Plan) []int {
				out := []int{}
				for _, p := range list {
					out = append(out, p.ID)
				}
				return out
			}
			if got := fmt.Sprint(ids(s.list), ids(s.due(10)), ids(s.rampsOf(rate))); got != c.want {
				t.Errorf("%s, wanted %s", got, c.want)
			}
		})
	}
}

// A list that was handed out stays as it was.
func TestPlansKeepWhatWasHandedOut(t *testing.T) {
	var s plans
	for range 3 {
		put(&s, Plan{Edit: config.Edit{Field: field("", config.BaseLR), Value: 1}, At: 1, Over: 2})
	}
	was, copied := s.list, append([]Plan(nil), s.list...)
	s.begin(1, 0, 0)
	s.remove(2)
	put(&s, copied[0])
	if d := cmp.Diff(copied, was); d != "" {
		t.Error(d)
	}
}

func TestPlanCheck(t *testing.T) {
	from := 0.5
	rate, prune := field("", config.BaseLR), field("conv1", config.Prune)
	for _, c := range []struct {
		plan Plan
		want string // "" is fine
	}{
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 10}, ""},
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 10, Over: 5, From: &from}, ""},
		{Plan{Edit: config.Edit{Field: prune, Value: 1}, At: 10}, ""},
		{Plan{Edit: config.Edit{Field: field("", config.Stop), Value: 90}, At: 10, Over: 5}, ""},
		{Plan{At: 10}, "a plan of no field"},
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 9}, "iteration 9 has passed"},
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 100}, "the run ends at 100"},
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 10, Over: -1}, "over -1 iterations"},
		{Plan{Edit: config.Edit{Field: rate, Value: 1}, At: 10, From: &from}, "without iterations to go over"},
		{Plan{Edit: config.Edit{Field: rate, Value: -1}, At: 10}, "base_lr is -1, wanted 0 to"},
		{Plan{Edit: config.Edit{Field: prune, Value: 1}, At: 10, Over: 5}, "nothing between"},
		{Plan{Edit: config.Edit{Field: field("conv9", config.Prune), Value: 1}, At: 10}, `no layer "conv9"`},
	} {
		err := c.plan.check(planned(), 10, 100)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, wanted %q", c.plan, err, c.want)
		}
	}
}

// A plan is in journals and snapshots as it always was, and comes back.
func TestPlanJSON(t *testing.T) {
	const line = `{"id":3,"field":"conv1.threshold","value":"1.5","from":"0.25","at":7,"over":20,"by":"ben",` +
		`"begun":true,"start":0.25,"old":"0.6"}`
	var p Plan
	if err := json.Unmarshal([]byte(line), &p); err != nil {
		t.Fatal(err)
	}
	if got := p.String(); got != "conv1.threshold 0.25 to 1.5 over 20 at 7" {
		t.Error(got)
	}
	if again, err := json.Marshal(p); err != nil || string(again) != line {
		t.Errorf("%s, %v; wanted %s", again, err, line)
	}
	var unknown Plan
	if err := json.Unmarshal([]byte(`{"id":1,"field":"conv1.heat","value":"1","at":2}`), &unknown); err == nil {
		t.Error("a plan of an unknown field was read")
	}
}

// A ramp moves in steps; one of iterations has whole ones.
func TestRampValues(t *testing.T) {
	rate := Plan{Edit: config.Edit{Field: field("", config.BaseLR), Value: 1}, At: 10, Over: 4, Begun: true}
	stop := Plan{Edit: config.Edit{Field: field("", config.Stop), Value: 11}, At: 10, Over: 4, Begun: true, Start: 6}
	for _, c := range []struct {
		plan Plan
		iter int
		want float64
		last bool
	}{
		{rate, 10, 0, false}, {rate, 11, 0.25, false}, {rate, 13, 0.75, false}, {rate, 14, 1, true},
		{rate, 20, 1, true},
		{stop, 10, 6, false}, {stop, 11, 7, false}, {stop, 12, 9, false}, {stop, 14, 11, true},
	} {
		if v, last := c.plan.valueAt(c.iter); v != c.want || last != c.last {
			t.Errorf("%s is %g at %d, last %t; wanted %g, %t", c.plan, v, c.iter, last, c.want, c.last)
		}
	}
}
