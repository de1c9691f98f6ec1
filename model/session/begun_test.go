package session

import (
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
)

// What prunes a run by its layers' rules, and when.
func TestRunBegunBySchedule(t *testing.T) {
	layer := func(name string, change func(*config.LayerHyper)) config.LayerHyper {
		l := config.LayerHyper{Name: name, Prune: true, Rule: gpu.SeedRule, Stop: config.Never}
		change(&l)
		return l
	}
	as := func(*config.LayerHyper) {}
	paper := func(stop int) func(*config.LayerHyper) {
		return func(l *config.LayerHyper) { l.Rule, l.Gamma, l.Power, l.Stop = gpu.PaperRule, 1e-4, 1, stop }
	}
	dense := func(l *config.LayerHyper) { l.Prune = false }
	frozen := func(l *config.LayerHyper) { l.MaskFrozen = true }
	for _, c := range []struct {
		name   string
		iter   int
		stop   int
		layers []config.LayerHyper
		want   string
	}{
		{"nothing", 0, config.Never, nil, "nothing prunes"},
		{"all dense", 0, config.Never, []config.LayerHyper{layer("a", dense)}, "nothing prunes"},
		{"the seed rule", 0, config.Never, []config.LayerHyper{layer("a", as), layer("b", as)},
			"the seed rule prunes 2 layers, in each iteration"},
		{"later", 10000, 20000, []config.LayerHyper{layer("a", as), layer("b", dense)},
			"the seed rule prunes 1 of 2 layers, in 50 % of iterations now, up to 20,000"},
		{"the paper rule", 0, 5, []config.LayerHyper{layer("a", paper(8000)), layer("b", paper(9000))},
			"the paper rule prunes 2 layers, in each iteration, up to 9,000"},
		{"a protected layer", 10, 5, []config.LayerHyper{layer("a", paper(0)), layer("b", paper(9000))},
			"the paper rule prunes 1 of 2 layers, in 99.9 % of iterations now, up to 9,000"},
		{"two rules", 0, config.Never, []config.LayerHyper{layer("a", as), layer("b", paper(9000))},
			"their rules prune 2 layers, in each iteration"},
		{"surgery has stopped", 6000, 6000, []config.LayerHyper{layer("a", as), layer("b", frozen)},
			"surgery has stopped at 6,000"},
		{"frozen", 0, config.Never, []config.LayerHyper{layer("a", frozen), layer("b", dense)}, "the masks are frozen"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := &config.Hyper{Gamma: 1e-4, Power: 1, Stop: c.stop, Layers: c.layers}
			w := RunBegun{Prunable: len(h.Layers), Stop: config.Never}
			w.bySchedule(h, c.iter)
			if got := w.String(); !strings.HasPrefix(got, c.want) {
				t.Errorf("%q; wanted %q", got, c.want)
			}
		})
	}
}
