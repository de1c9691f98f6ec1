package autopilot

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/gpu"
)

func drawRule(t *rapid.T) gpu.Rule {
	return rapid.SampledFrom([]gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule}).Draw(t, "rule")
}

// A cut survives being written as the threshold of the layer's rule: exactly under the soft rule, by the least
// threshold that has it under the others.
func TestThresholdAt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Layer{Rule: drawRule(t), Sigma: rapid.Float32Range(1e-6, 10).Draw(t, "sigma")}
		if l.Rule == gpu.PaperRule {
			l.Mu = rapid.Float32Range(0, 10).Draw(t, "mu")
		}
		c := rapid.Float32Range(0, 30).Draw(t, "cut")
		threshold := l.ThresholdAt(c)
		lo, hi := config.ThresholdRange(l.Rule)
		got := l.CutAt(threshold)
		switch {
		case !(threshold >= lo && threshold <= hi):
			t.Errorf("%+v: cut %g is threshold %g", l, c, threshold)
		case threshold == hi:
			if got > c && l.CutAt(math.Nextafter(hi, 0)) >= c {
				t.Errorf("%+v: cut %g is threshold %g, the largest", l, c, threshold)
			}
		case l.Rule == gpu.SoftRule && got != c:
			t.Errorf("%+v: cut %g is threshold %g, whose cut is %g", l, c, threshold, got)
		case got < c:
			t.Errorf("%+v: cut %g is threshold %g, whose cut is %g", l, c, threshold, got)
		case l.Rule != gpu.SoftRule && c > 0 && threshold > lo:
			below := float64(math.Nextafter32(float32(threshold), -200))
			if l.CutAt(below) >= c {
				t.Errorf("%+v: cut %g is threshold %g, and %g does as well", l, c, threshold, below)
			}
		}
	})
}

// CutAt says what surgery compares with.
func TestCutAtIsSurgerys(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := Layer{Rule: drawRule(t), Sigma: rapid.Float32Range(1e-6, 10).Draw(t, "sigma")}
		if l.Rule == gpu.PaperRule {
			l.Mu = rapid.Float32Range(0, 10).Draw(t, "mu")
		}
		lo, hi := config.ThresholdRange(l.Rule)
		threshold := rapid.Float64Range(lo, min(hi, 100)).Draw(t, "threshold")
		c := l.CutAt(threshold)
		p := gpu.SurgeryParams{Rule: l.Rule, Threshold: float32(threshold), Soft: gpu.Soft{Cut: c}}
		low, high := p.Limits(l.Mu, l.Sigma)
		switch l.Rule {
		case gpu.SeedRule: // it prunes what is nearer than high, with mu = 0
			if c > 0 && (float64(c) >= high || float64(math.Nextafter32(c, 1e9)) < high) {
				t.Errorf("cut %g, and surgery prunes below %g", c, high)
			}
		case gpu.PaperRule:
			if low != 0.9*float64(c) || high != 1.1*float64(c) {
				t.Errorf("cut %g, and surgery's are %g and %g", c, low, high)
			}
		}
	})
	// The soft rule's cut is the solver's own formula: see solver.Layer.
	l := Layer{Rule: gpu.SoftRule, Sigma: 0.037}
	if c := l.CutAt(1.7); c != float32(1.7*float64(float32(0.037))) {
		t.Errorf("cut %g", c)
	}
}

func TestLayersThatCannotBeCut(t *testing.T) {
	for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule, gpu.SoftRule} {
		for _, sigma := range []float32{0, float32(math.NaN())} {
			l := Layer{Rule: rule, Sigma: sigma}
			if got := l.ThresholdAt(0.5); got != 0 {
				t.Errorf("%v, sigma %g: threshold %g", rule, sigma, got)
			}
		}
	}
	l := Layer{Rule: gpu.PaperRule, Mu: 0.5, Sigma: 0.25}
	if got := l.ThresholdAt(0); got != -2 || l.CutAt(got) != 0 {
		t.Errorf("c_rate %g prunes nothing, cut %g", got, l.CutAt(got))
	}
}
