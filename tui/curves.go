package tui

import (
	"fmt"

	"charm.land/lipgloss/v2"

	"dns-tui/config/configpb"
	"dns-tui/model/session"
)

// plotKind is one of the plots; its number is that of the preferences.
type plotKind = configpb.Preferences_Plot

// plotKinds is the order in which the plot screen turns.
var plotKinds = []plotKind{
	configpb.Preferences_LOSS,
	configpb.Preferences_ACCURACY,
	configpb.Preferences_TEST_LOSS,
	configpb.Preferences_RATE,
	configpb.Preferences_SPARSITY,
	configpb.Preferences_LAYERS,
	configpb.Preferences_SPEED,
}

// curve is one line of a plot.
type curve struct {
	name   string
	series session.Series
	style  lipgloss.Style
	char   string         // what stands for it where no colour does
	named  bool           // it stands at its end, whatever the colours
	dots   session.Series // points that are marked: those of a test, of now
	gaps   bool           // where points are missing there is no line
}

// plotted is a plot's title, its curves, the last drawn on top, and what it says of now.
type plotted struct {
	title, note string
	detail      string // how the curves were made
	nothing     string // what is said where there are no values
	curves      []curve
	left        int // curves that are left out, where they are many
	unit        unit
	fraction    bool // no axis beyond 0 and 1

	span  float64            // the axis has at least so much, by the logarithm
	ruler func(window) ruler // the lines under the curves; nil: round iterations
	still bool               // columns are no iterations: no change has its mark
}

// plotDef is what a kind of plot shows: a curve of this run, the same of another run's journal, how its last value
// reads, and what its values are.
type plotDef struct {
	title, curve string
	of           func(*session.Snapshot) *session.Series
	ofOther      func(*session.History) *session.Series
	format       func(float64) string
	unit         unit
	tested       bool // it has a value where a test was made
}

var plotDefs = map[plotKind]plotDef{
	configpb.Preferences_LOSS: {
		"Loss",
		"smoothed",
		func(s *session.Snapshot) *session.Series { return &s.Smooth },
		func(h *session.History) *session.Series { return &h.Loss },
		number,
		plainUnit,
		false,
	},
	configpb.Preferences_ACCURACY: {
		"Accuracy",
		"accuracy",
		func(s *session.Snapshot) *session.Series { return &s.Accuracy },
		func(h *session.History) *session.Series { return &h.Accuracy },
		func(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) },
		percentUnit,
		true,
	},
	configpb.Preferences_TEST_LOSS: {
		"Test loss",
		"test loss",
		func(s *session.Snapshot) *session.Series { return &s.TestLoss },
		func(h *session.History) *session.Series { return &h.TestLoss },
		number,
		plainUnit,
		true,
	},
	configpb.Preferences_RATE: {
		"Learning rate",
		"rate",
		func(s *session.Snapshot) *session.Series { return &s.Rates },
		func(h *session.History) *session.Series { return &h.Rate },
		number,
		plainUnit,
		false,
	},
	configpb.Preferences_SPARSITY: {
		"Kept",
		"kept",
		func(s *session.Snapshot) *session.Series { return &s.KeptFraction },
		func(h *session.History) *session.Series { return &h.Kept },
		percent,
		percentUnit,
		false,
	},
	configpb.Preferences_LAYERS: {title: "Kept by layer", unit: percentUnit},
	configpb.Preferences_SPEED: {
		"Speed",
		"it/s",
		func(s *session.Snapshot) *session.Series { return &s.Speed },
		func(h *session.History) *session.Series { return &h.Speed },
		rate,
		plainUnit,
		false,
	},
}

// gather collects the curves of a plot.
func (p plotter) gather(k plotKind) plotted {
	d := plotDefs[k]
	out := plotted{title: d.title, unit: d.unit, fraction: d.unit == percentUnit, nothing: "no values yet"}
	switch k {
	case configpb.Preferences_LAYERS:
		p.layers(&out)
		return out
	case configpb.Preferences_LOSS:
		p.others(&out, &d)
		p.losses(&out)
		return out
	}
	p.others(&out, &d)
	own := d.of(p.snap)
	out.curves = append(out.curves, d.tests(curve{name: d.curve, series: *own, style: p.theme.accent, char: "*"}))
	if _, x, ok := own.Last(); ok {
		out.note = d.format(x)
	}
	return out
}

// others adds the curves of the runs that this one is compared with.
func (p plotter) others(out *plotted, d *plotDef) {
	for i, o := range p.compare {
		out.curves = append(out.curves, d.tests(curve{name: p.theme.text(o.Name), series: *d.ofOther(o.History),
			style: p.theme.distinct(i + 1), char: letter(i), named: true}))
	}
}

// tests marks the points of a curve, where each was a test.
func (d *plotDef) tests(c curve) curve {
	if d.tested {
		c.dots = c.series
	}
	return c
}

// letter stands for one of several curves.
func letter(i int) string { return string(rune('a' + i%26)) }

// losses adds the raw loss, the smoothed one, and the tests'.
func (p plotter) losses(out *plotted) {
	t, s := &p.theme, p.snap
	smooth, how := p.smoothing.of(s)
	out.curves = append(out.curves, curve{name: "raw", series: s.Losses, style: t.dim, char: ".", gaps: true})
	if len(s.TestLoss.Values) > 0 {
		out.curves = append(out.curves, curve{name: "test", series: s.TestLoss, style: t.distinct(1), char: "o",
			dots: s.TestLoss})
	}
	out.curves = append(out.curves, curve{name: "smoothed", series: smooth, style: t.accent, char: "*", gaps: true})
	out.detail = how
	if _, x, ok := smooth.Last(); ok {
		out.note = number(x)
	}
	// Caffe's last average may be younger than the last point.
	if p.smoothing == byCaffe && (s.Iter > 0 || s.Smoothed != 0) {
		out.note = number(s.Smoothed)
	}
}
