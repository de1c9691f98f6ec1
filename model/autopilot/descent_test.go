package autopilot

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/cockroachdb/datadriven"
	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// nets are layers as Facts go with them. Weights have the deviations that training gave those of LeNet; in CIFAR-10
// quick, those of its fillers, of which ip1's is the largest.
var nets = map[string][]Layer{
	"lenet5": {normal("conv1", 520, 576, 0.2), normal("conv2", 25050, 64, 0.06), normal("ip1", 400500, 1, 0.03),
		normal("ip2", 5010, 1, 0.09)},
	"lenet300": {normal("ip1", 235500, 1, 0.04), normal("ip2", 30100, 1, 0.06), normal("ip3", 1010, 1, 0.15)},
	"quick": {normal("conv1", 832, 784, 0.08), normal("conv2", 25632, 196, 0.02), normal("conv3", 51264, 49, 0.02),
		normal("ip1", 36928, 1, 0.1), normal("ip2", 650, 1, 0.12)},
	"tiny": {normal("ip", 40, 1, 0.1)},
}

func normal(name string, n, positions int, sigma float64) Layer {
	l, _ := normalLayer(name, n, positions, sigma, uint64(n))
	return l
}

// rates are learning-rate policies, from base_lr 0.01.
var rates = map[string]func(iter int) float64{
	"fixed": func(int) float64 { return 0.01 },
	"inv":   func(iter int) float64 { return 0.01 * math.Pow(1+0.0001*float64(iter), -0.75) },
	"step":  func(iter int) float64 { return 0.01 * math.Pow(0.1, float64(iter/10000)) },
}

// What settings come to in a run, with reasons: testdata/descents.
func TestDescend(t *testing.T) {
	datadriven.RunTest(t, "testdata/descents", func(t *testing.T, d *datadriven.TestData) string {
		f := Facts{Trained: true, BaseLR: 0.01, Policy: "fixed"}
		s, layers := DefaultSettings(), nets["lenet5"]
		kept := 1.0
		for _, arg := range d.CmdArgs {
			value := strings.Join(arg.Vals, " ")
			switch arg.Key {
			case "net":
				layers = nets[value]
			case "iter":
				d.ScanArgs(t, arg.Key, &f.Iter)
			case "max_iter":
				d.ScanArgs(t, arg.Key, &f.MaxIter)
			case "epoch":
				d.ScanArgs(t, arg.Key, &f.EpochIters)
			case "times_now":
				var times int
				d.ScanArgs(t, arg.Key, &times)
				kept = 1 / float64(times)
			case "random":
				f.Trained = false
			case "policy":
				f.Policy = value
			default:
				e, err := ParseSetting(arg.Key, value)
				if err == nil {
					s, err = s.With(e)
				}
				if err != nil {
					return err.Error()
				}
			}
		}
		f.Rate = rates[f.Policy]
		net := append([]Layer(nil), layers...)
		for i := range net {
			net[i].Kept = int(float64(net[i].Total) * kept)
		}
		got, err := s.Descend(f, net)
		if err != nil {
			return err.Error()
		}
		var out strings.Builder
		for _, v := range got.Derived {
			fmt.Fprintln(&out, v)
		}
		for _, w := range got.Warnings {
			fmt.Fprintln(&out, "warning:", w)
		}
		c := got.Schedule
		fmt.Fprintf(
			&out,
			"%s from %s at %d to %s at %d, every %d; %s until %d\n",
			c.Shape,
			got.Budget.Cost.Format(c.From),
			c.Begin,
			got.Budget,
			c.End,
			c.Interval,
			Annealing,
			c.End+c.Anneal,
		)
		return out.String()
	})
}

// Whatever a run says of itself, a descent has nothing automatic left, begins and ends within the run, and does not
// begin below its target, or it is refused.
func TestDescendProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := DefaultSettings()
		s.Target = drawTarget(t)
		s.Shape = rapid.SampledFrom(Shapes).Draw(t, "shape")
		s.Rule = rapid.SampledFrom([]Rule{SoftRule, SeedRule, PaperRule, OwnRules}).Draw(t, "rule")
		auto := func(name string, most int) int {
			return rapid.OneOf(rapid.Just(Auto), rapid.IntRange(1, most)).Draw(t, name)
		}
		s.Start, s.End = auto("start", 5000), auto("end", 20000)
		s.Interval, s.Anneal = auto("interval", 1000), auto("anneal", 10000)
		net := append([]Layer(nil), nets["lenet5"]...)
		for i := range net {
			net[i].Kept, net[i].Rule = net[i].Total, gpu.SoftRule
		}
		f := Facts{
			Iter:    rapid.IntRange(0, 20000).Draw(t, "iter"),
			MaxIter: rapid.IntRange(0, 30000).Draw(t, "max_iter"),
			Trained: rapid.Bool().Draw(t, "trained"),
		}
		d, err := s.Descend(f, net)
		if err != nil {
			return
		}
		c := d.Schedule
		if c.Begin < f.Iter || c.End > f.MaxIter || c.End+c.Anneal > f.MaxIter || c.End-c.Begin < leastIters ||
			c.From < c.To || c.To != d.Budget.Limit || c.Interval < 1 {
			t.Errorf("%+v in %+v", c, f)
		}
		if v := d.Settings; v.Start == Auto || v.End == Auto || v.Interval == Auto || v.Anneal == Auto ||
			v.Scale == AutoScale ||
			s.Rule == SoftRule && (v.Theta == Auto || v.ThetaEvery == Auto || v.Exponent == Auto) {
			t.Errorf("something is automatic still: %+v", v)
		}
		if err := d.Settings.Validate(); err != nil {
			t.Error(err)
		}
	})
}

// Which scale is derived goes by layers that thresholds are free to prune: where magnitude leaves one of them next to
// nothing, it is LAMP.
func TestDerivedScale(t *testing.T) {
	// pruned is CIFAR-10 quick, pruned to a fiftieth by LAMP before.
	pruned := func() (layers []Layer) {
		var entries [][]float32
		for _, l := range nets["quick"] {
			l, x := normalLayer(l.Name, l.Total, l.Positions, float64(l.Sigma), uint64(l.Total))
			layers, entries = append(layers, l), append(entries, x)
		}
		var find Solver
		found, err := find.Solve(layers, Budget{Cost: CountCost, Limit: 2306}, LAMPScale)
		if err != nil {
			t.Fatal(err)
		}
		for i, c := range found.Layers {
			for j, v := range entries[i] {
				if v <= c.Cut {
					entries[i][j] = 0
				}
			}
			layers[i] = layerOf(layers[i].Name, layers[i].Positions, entries[i])
			layers[i].Kept = c.Kept
		}
		return layers
	}
	with := func(net string, change func(l []Layer)) []Layer {
		l := append([]Layer(nil), nets[net]...)
		change(l)
		return l
	}
	for _, c := range []struct {
		name, target string
		layers       []Layer
		edits        []Setting
		want         Scale
	}{
		{"fillers that differ", "50x", nets["quick"], nil, LAMPScale},
		{"enough is kept of all", "2x", nets["quick"], nil, MagnitudeScale},
		{"LeNet-5", "310x", nets["lenet5"], nil, MagnitudeScale},
		{"pruned before", "100x", pruned(), nil, LAMPScale},
		{"a small layer", "50x", append([]Layer{normal("small", 390, 1, 1e-4)}, nets["lenet5"]...), nil, LAMPScale},
		{"too small to tell", "50x", append([]Layer{normal("tiny", 20, 1, 1e-4)}, nets["lenet5"]...), nil,
			MagnitudeScale},
		{"a frozen layer", "50x", with("lenet5", func(l []Layer) { l[1].MaskFrozen, l[1].Kept = true, 60 }), nil,
			MagnitudeScale},
		{"a ceiling", "50x", nets["lenet5"], []Setting{{"ceiling", "conv2=0.2%"}}, MagnitudeScale},
		{"a pin", "402500", nets["lenet5"], []Setting{{"pin", "ip1"}}, MagnitudeScale},
		{"it is asked for", "50x", nets["quick"], []Setting{{"scale", "magnitude"}}, MagnitudeScale},
	} {
		s, err := DefaultSettings().With(append(c.edits, Setting{"target", c.target})...)
		if err != nil {
			t.Fatal(err)
		}
		d, err := s.Descend(Facts{MaxIter: 10000, Trained: true}, append([]Layer(nil), c.layers...))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if d.Settings.Scale != c.want {
			t.Errorf("%s: %s; wanted %s: %v", c.name, d.Settings.Scale, c.want, d.Derived)
		}
	}
}
