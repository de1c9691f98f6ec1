package tui

import (
	"fmt"
	"strings"

	"charm.land/lipgloss/v2"

	"dns-tui/config/configpb"
	"dns-tui/human"
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

// systemKinds are the plots of how the machine does, which the plot screen has on one page, after the others.
var systemKinds = []plotKind{
	configpb.Preferences_IMAGES,
	configpb.Preferences_GPU,
	configpb.Preferences_MEMORY,
	configpb.Preferences_TEMPERATURE,
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
	tested       bool                           // it has a value where a test was made
	missing      func(*session.Snapshot) string // why there may be none; nil: there are none yet
}

var plotDefs = map[plotKind]plotDef{
	configpb.Preferences_LOSS: {
		title: "Loss", curve: "smoothed",
		of:      func(s *session.Snapshot) *session.Series { return &s.Smooth },
		ofOther: func(h *session.History) *session.Series { return &h.Loss },
		format:  number,
	},
	configpb.Preferences_ACCURACY: {
		title: "Accuracy", curve: "accuracy",
		of:      func(s *session.Snapshot) *session.Series { return &s.Accuracy },
		ofOther: func(h *session.History) *session.Series { return &h.Accuracy },
		format:  func(x float64) string { return fmt.Sprintf("%.2f %%", 100*x) }, unit: percentUnit, tested: true,
	},
	configpb.Preferences_TEST_LOSS: {
		title: "Test loss", curve: "test loss",
		of:      func(s *session.Snapshot) *session.Series { return &s.TestLoss },
		ofOther: func(h *session.History) *session.Series { return &h.TestLoss },
		format:  number, tested: true,
	},
	configpb.Preferences_RATE: {
		title: "Learning rate", curve: "rate",
		of:      func(s *session.Snapshot) *session.Series { return &s.Rates },
		ofOther: func(h *session.History) *session.Series { return &h.Rate },
		format:  number,
	},
	configpb.Preferences_SPARSITY: {
		title: "Kept", curve: "kept",
		of:      func(s *session.Snapshot) *session.Series { return &s.KeptFraction },
		ofOther: func(h *session.History) *session.Series { return &h.Kept },
		format:  percent, unit: percentUnit,
	},
	configpb.Preferences_IMAGES: {
		title: "Images", curve: "images/s", of: imagesPerSecond,
		format: func(v float64) string { return human.Count(int(v+0.5)) + " images/s" },
		missing: func(s *session.Snapshot) string {
			if s.BatchSize == 0 {
				return "the batch size is not known"
			}
			return ""
		},
	},
	configpb.Preferences_GPU: {
		title: "GPU use", curve: "in use", unit: percentUnit, format: percent, missing: noHealth,
		of:      func(s *session.Snapshot) *session.Series { return &s.Utilization },
		ofOther: func(h *session.History) *session.Series { return &h.Utilization },
	},
	configpb.Preferences_MEMORY: {
		title: "GPU memory", curve: "in use", unit: byteUnit, missing: noHealth,
		of:      func(s *session.Snapshot) *session.Series { return &s.DeviceMemory },
		ofOther: func(h *session.History) *session.Series { return &h.DeviceMemory },
		format:  func(v float64) string { return human.ShortBytes(int64(v)) },
	},
	configpb.Preferences_TEMPERATURE: {
		title: "GPU temperature", curve: "°C", missing: noHealth,
		of:      func(s *session.Snapshot) *session.Series { return &s.Temperature },
		ofOther: func(h *session.History) *session.Series { return &h.Temperature },
		format:  func(v float64) string { return fmt.Sprintf("%.0f °C", v) },
	},
	configpb.Preferences_LAYERS: {title: "Kept by layer", unit: percentUnit},
	configpb.Preferences_SPEED: {
		title: "Speed", curve: "it/s",
		of:      func(s *session.Snapshot) *session.Series { return &s.Speed },
		ofOther: func(h *session.History) *session.Series { return &h.Speed },
		format:  rate,
	},
}

// imagesPerSecond is the speed in images.
func imagesPerSecond(s *session.Snapshot) *session.Series {
	if s.BatchSize == 0 {
		return &session.Series{}
	}
	out := &session.Series{Iters: s.Speed.Iters, Values: make([]float64, len(s.Speed.Values))}
	for i, v := range s.Speed.Values {
		out.Values[i] = v * float64(s.BatchSize)
	}
	return out
}

// noHealth says why nothing is known of a GPU's health.
func noHealth(s *session.Snapshot) string {
	switch {
	case strings.HasPrefix(s.Device, "host"):
		return "no GPU"
	case !s.Health.Known:
		return "this GPU does not tell it"
	}
	return ""
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
		for i := range out.curves { // as this run's is, so that they compare
			c := &out.curves[i]
			c.series, c.gaps = p.smoothing.another(p.snap, c.series), true
		}
		p.losses(&out)
		return out
	}
	if d.missing != nil {
		if why := d.missing(p.snap); why != "" {
			out.nothing = why
		}
	}
	p.others(&out, &d)
	own := d.of(p.snap)
	out.curves = append(
		out.curves,
		d.tests(curve{name: p.theme.plain(d.curve), series: *own, style: p.theme.accent, char: "*"}),
	)
	if _, x, ok := own.Last(); ok {
		out.note = p.theme.plain(d.format(x))
	}
	return out
}

// others adds the curves of the runs that this one is compared with.
func (p plotter) others(out *plotted, d *plotDef) {
	if d.ofOther == nil {
		return
	}
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
