package autopilot

import (
	"fmt"
	"strings"

	"dns-tui/caffe"
)

// Scale says how the entries of different layers compare. With tau the threshold of the whole net, an entry x of
// layer l is kept where |x|/s_l > tau, so the layer's cut is c_l = tau·s_l.
type Scale uint8

// The scales, in the order of AutopilotParameter.Scale.
const (
	// MagnitudeScale: s = 1. Global magnitude pruning; what kept most accuracy of LeNet under the soft rule.
	MagnitudeScale Scale = iota
	// SigmaScale: s = sigma_l, so that under the soft and the seed rule all layers have one t.
	SigmaScale
	// LAMPScale: an entry's score is w²/Σ of the w² of its layer that are at least as large, and it is kept where that
	// reaches tau. The largest of a layer scores 1, so no layer is emptied. (Lee, Park, Mo, Ahn, Shin: Layer-adaptive
	// Sparsity for the Magnitude-based Pruning, ICLR 2021.)
	LAMPScale
	// PositionScale: s = √P_l, with P_l the layer's positions, so that entries go by w² for each multiply-accumulate:
	// under a budget of those, what is kept for the same is the most of Σ w².
	PositionScale
	// AutoScale: Descend derives MagnitudeScale or LAMPScale.
	AutoScale
)

// Scales lists the scales, without AutoScale.
var Scales = []Scale{MagnitudeScale, SigmaScale, LAMPScale, PositionScale}

var scaleNames = []string{"magnitude", "sigma", "lamp", "positions", autoText}

// String is the scale's name, as it is typed.
func (s Scale) String() string { return nameOf(scaleNames, int(s), "Scale") }

// Meaning says in a line what the scale does.
func (s Scale) Meaning() string {
	switch s {
	case MagnitudeScale:
		return "the same cut in all layers"
	case SigmaScale:
		return "the same number of standard deviations in all layers"
	case LAMPScale:
		return "by an entry's part of the squares of its layer that are at least as large"
	case PositionScale:
		return "by squares for each multiply-accumulate: entries at many positions go first"
	case AutoScale:
		return "magnitude; lamp where that would leave a layer next to nothing"
	}
	return ""
}

func nameOf(names []string, i int, typ string) string {
	if i < len(names) {
		return names[i]
	}
	return fmt.Sprintf("%s(%d)", typ, i)
}

// parseName finds a name, whatever the case of its letters; - and blanks are as good as _.
func parseName(names []string, text, what string) (int, error) {
	word := strings.NewReplacer("-", "_", " ", "_").Replace(strings.ToLower(strings.TrimSpace(text)))
	for i, name := range names {
		if name == word {
			return i, nil
		}
	}
	if c := caffe.Closest(word, names); c != "" {
		return 0, fmt.Errorf("no %s %q; did you mean %q?", what, text, c)
	}
	return 0, fmt.Errorf("no %s %q (there are: %s)", what, text, strings.Join(names, ", "))
}
