package config

import "math"

// A SigmaStep is a row of the 68-95-99.7 table: a threshold in standard deviations and the sparsity that it gives a
// layer whose weights are normally distributed.
type SigmaStep struct {
	Threshold float64
	Sparsity  float64
}

// SigmaTable is the table of the re-implementation's documentation, the presets 1 to 5.
var SigmaTable = []SigmaStep{
	{0.674, 0.50},
	{0.994, 0.68},
	{1.281, 0.80},
	{1.644, 0.90},
	{1.959, 0.95},
}

// GaussianSparsity is the fraction of a normal distribution within t standard deviations of its mean: erf(t/√2).
func GaussianSparsity(t float64) float64 {
	if t <= 0 {
		return 0
	}
	return math.Erf(t / math.Sqrt2)
}

// GaussianThreshold is the inverse of GaussianSparsity for 0 <= sparsity < 1.
func GaussianThreshold(sparsity float64) float64 { return math.Sqrt2 * math.Erfinv(sparsity) }
