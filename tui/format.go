package tui

import (
	"fmt"
	"math"
)

// percent writes a fraction with as many decimals as its size needs.
func percent(fraction float64) string {
	p := 100 * fraction
	switch {
	case math.IsNaN(p):
		return "-"
	case p > 0 && p < 1 || p > 99 && p < 100:
		// Near the ends the second decimal is what counts; and neither end is shown for what is not quite there.
		return fmt.Sprintf("%.2f %%", max(0.01, min(p, 99.99)))
	}
	return fmt.Sprintf("%.1f %%", p)
}

// rate writes iterations a second.
func rate(r float64) string {
	switch {
	case r <= 0:
		return "-"
	case r < 10:
		return fmt.Sprintf("%.2f it/s", r)
	}
	return fmt.Sprintf("%.0f it/s", r)
}

// number writes a loss or an accuracy.
func number(v float64) string {
	switch a := math.Abs(v); {
	case math.IsNaN(v) || math.IsInf(v, 0):
		return fmt.Sprint(v)
	case a != 0 && (a < 0.001 || a >= 1e5):
		return fmt.Sprintf("%.2e", v)
	case a >= 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.4f", v)
}
