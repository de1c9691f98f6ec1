package config_test

import (
	"slices"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
)

// One of theta_every iterations counts, and of batches that come again each epoch nearly all are met, whatever their
// number: also where it is theta_every times a Fibonacci number.
func TestRests(t *testing.T) {
	for _, every := range []int{1, 2, 5, 7, 100} {
		for _, blocks := range []int{5, 55, 144, 610} {
			l := config.LayerHyper{Rule: gpu.SoftRule, SoftHyper: config.SoftHyper{ThetaEvery: every}}
			epochs := 6 * every // a batch is met 6 times, most likely; not at all, 1 of e^6
			met := make([]int, blocks*every)
			for from := 0; from < epochs*len(met); from += every {
				n := 0
				for i := from; i < from+every; i++ {
					if !l.RestsAt(i) {
						n++
						met[i%len(met)]++
					}
				}
				if n != 1 {
					t.Fatalf("theta_every %d: %d iterations count from %d on, wanted 1", every, n, from)
				}
			}
			missed := 0
			for _, n := range met {
				if n == 0 {
					missed++
				}
			}
			if most := slices.Max(met); missed > 1+len(met)/100 || most > 25 {
				t.Errorf("theta_every %d: of %d batches %d are never met in %d epochs, one is met %d times",
					every, len(met), missed, epochs, most)
			}
		}
	}
	l := config.LayerHyper{Rule: gpu.SeedRule, SoftHyper: config.SoftHyper{ThetaEvery: 5}}
	if slices.ContainsFunc([]int{0, 1, 2, 3, 4}, l.RestsAt) {
		t.Error("pruned weights rest under the seed rule")
	}
}
