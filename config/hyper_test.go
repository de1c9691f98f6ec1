package config_test

import (
	"slices"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu"
)

// One of theta_every iterations counts, and of batches that come again each epoch it meets all equally often.
func TestRests(t *testing.T) {
	for _, every := range []int{1, 2, 5, 7, 100} {
		l := config.LayerHyper{Rule: gpu.SoftRule, SoftHyper: config.SoftHyper{ThetaEvery: every}}
		const epochs = 40
		met := make([]int, 5*every) // how often, of a database of so many batches
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
		if least, most := slices.Min(met), slices.Max(met); most > epochs/every+3 || every < epochs/4 && least == 0 {
			t.Errorf("theta_every %d: batches are met %d to %d times in %d epochs", every, least, most, epochs)
		}
		l.Rule = gpu.SeedRule
		if l.RestsAt(1) {
			t.Error("pruned weights rest under the seed rule")
		}
	}
}
