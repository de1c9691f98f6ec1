package tui

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

var updateGolden = flag.Bool("update", false, "write the golden screens anew")

// fake is a session that stands still and notes its commands.
type fake struct {
	snap *session.Snapshot
	got  []session.Command
	err  error
	quit bool // the UI has ended
}

func (f *fake) Snapshot() *session.Snapshot { return f.snap }

func (f *fake) Do(_ context.Context, c session.Command) (session.Ack, error) {
	if c.Kind == session.Look {
		return session.Ack{Picture: picture(c)}, f.err
	}
	f.got = append(f.got, c)
	return session.Ack{Iter: f.snap.Iter}, f.err
}

// Run is the name under which the run is found again.
func (f *fake) Run() string { return "solver-1" }

// picture draws weights whose signs and masks make a pattern.
func picture(c session.Command) *session.Picture {
	a := c.Area
	p := &session.Picture{
		Layer: c.Field,
		Rows:  50,
		Cols:  500,
		Area:  a,
		Iter:  12480,
		Kept:  make([]byte, a.Height*a.Width),
		Mean:  make([]int8, a.Height*a.Width),
		Max:   0.3,
	}
	for i := range p.Kept {
		y, x := i/a.Width+a.Row, i%a.Width+a.Col
		if (x*7+y*13)%5 < 2 {
			p.Kept[i], p.Mean[i] = byte(40+(x*31+y*17)%216), int8((x*53+y*29)%255-127)
		}
	}
	return p
}

// scene is a snapshot like that of the demo in mid-run, with histograms of a normal distribution.
func scene() *session.Snapshot {
	s := &session.Snapshot{
		Exported:  1_725_025,
		Net:       "LeNet",
		Source:    "mnist_train_lmdb",
		Device:    "host (2 threads, OpenBLAS)",
		State:     session.Running,
		Iter:      12480,
		MaxIter:   30000,
		Rate:      0.00572,
		Loss:      0.0123,
		Smoothed:  0.0123,
		PerSecond: 312,
		Remaining: 56e9,
		Memory:    1234567890,
		Hyper: &config.Hyper{
			BaseLR:      0.01,
			LRMult:      1,
			Momentum:    0.9,
			WeightDecay: 0.0005,
			Gamma:       1e-4,
			Power:       1,
			Stop:        config.Never,
		},
	}
	for _, l := range []struct {
		name, typ     string
		weights, kept int
		t             float64
	}{
		{"conv1", "Convolution", 500, 72, 0.94},
		{"conv2", "Convolution", 25000, 770, 1.96},
		{"ip1", "InnerProduct", 400000, 2920, 2.4},
		{"ip2", "InnerProduct", 5000, 215, 1.281},
	} {
		s.Hyper.Layers = append(s.Hyper.Layers, config.LayerHyper{Name: l.name, Threshold: l.t, Prune: true})
		s.Layers = append(
			s.Layers,
			session.LayerStats{
				Name:      l.name,
				Type:      l.typ,
				Weights:   l.weights,
				Kept:      l.kept,
				Sigma:     0.05,
				Pruned:    12,
				Spliced:   3,
				LastIter:  12479,
				Masked:    true,
				Histogram: normalHistogram(l.weights, l.t),
			},
		)
	}
	for i := range 200 {
		s.Smooth.Add(60*i, 1.2*math.Exp(-float64(i)/15)+0.02)
		s.Losses.Add(60*i, 1.2*math.Exp(-float64(i)/15)+0.02*(1+math.Sin(float64(i))))
	}
	for i := range 25 {
		s.Accuracy.Add(500*i, 0.991-0.01*math.Exp(-float64(i)/4))
	}
	s.Events = []session.Event{
		{Iter: 12000, Text: "test  accuracy 0.9909  loss 0.0310"},
		{Iter: 12440, Status: session.Applied, Text: "conv2.threshold 1.64 → 1.96"},
		{Iter: 12460, Status: session.Rejected, Text: "momentum 2: momentum is 2, wanted 0 to 1"},
	}
	s.States = []session.SavedState{
		{Path: "d/lenet_iter_12000.solverstate", Iter: 12000, Why: "asked for", Accuracy: 0.99},
	}
	s.Back, s.Prefix, s.Unsaved = s.States[0].Path, "d/lenet", 480
	s.Pending = []session.Change{{Iter: 12480, Field: "ip1.threshold", Old: "2.4", New: "2.1"}}
	return s
}

var histograms = map[string]*solver.Histogram{}

func normalHistogram(n int, t float64) *solver.Histogram {
	key := fmt.Sprint(n, t)
	if histograms[key] == nil {
		histograms[key] = makeHistogram(n, t)
	}
	return histograms[key]
}

func makeHistogram(n int, t float64) *solver.Histogram {
	r := &gpu.SurgeryResult{
		Sigma:    0.05,
		KeptAt:   make([]uint32, gpu.HistogramBins),
		MaskedAt: make([]uint32, gpu.HistogramBins),
	}
	at := func(d float64) float64 { return config.GaussianSparsity(d) * float64(n) }
	for i := range gpu.HistogramBins {
		lo, hi := float64(i)*gpu.HistogramWidth, float64(i+1)*gpu.HistogramWidth
		c := uint32(math.Round(at(hi)) - math.Round(at(lo)))
		if lo < t {
			r.MaskedAt[i] = c
		} else {
			r.KeptAt[i] = c
		}
	}
	return solver.NewHistogram(gpu.SeedRule, r)
}

// look says how a test's terminal is.
type look struct {
	tier    tier
	noColor bool
}

func (l look) String() string {
	s := [...]string{"block", "braille", "ascii"}[l.tier]
	if l.noColor {
		s += "_mono"
	}
	return s
}

func open(t testing.TB, s *session.Snapshot, l look) (*App, *fake) {
	t.Helper()
	return openWith(t, s, l, Options{})
}

func openWith(t testing.TB, s *session.Snapshot, l look, o Options) (*App, *fake) {
	t.Helper()
	f := &fake{snap: s}
	o.Name, o.UTF8, o.NoColor = "solver.prototxt", true, l.noColor
	o.Open = func() (session.Session, error) { return f, nil }
	a, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	a.theme = newTheme(l.tier, false, l.noColor)
	a.Update(openedMsg{session: f})
	return a, f
}

// frame is the screen on a terminal of a size.
func frame(a *App, w, h int) string {
	if a.width != w || a.height != h {
		a.Update(tea.WindowSizeMsg{Width: w, Height: h})
	}
	return a.View().Content
}

// obey carries out a command of Bubble Tea's, and those that a batch holds, as far as they are the session's.
func obey(a *App, cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch m := cmd().(type) {
	case ackMsg:
		a.Update(m)
	case tea.QuitMsg:
		a.session.(*fake).quit = true
	case tea.BatchMsg:
		for _, c := range m {
			obey(a, c)
		}
	}
}

// press types keys and carries out the commands that they cause.
func press(a *App, keys ...string) {
	for _, k := range keys {
		var msg tea.KeyPressMsg
		switch k {
		case "up":
			msg = tea.KeyPressMsg{Code: tea.KeyUp}
		case "down":
			msg = tea.KeyPressMsg{Code: tea.KeyDown}
		case "left":
			msg = tea.KeyPressMsg{Code: tea.KeyLeft}
		case "right":
			msg = tea.KeyPressMsg{Code: tea.KeyRight}
		case "shift+left":
			msg = tea.KeyPressMsg{Code: tea.KeyLeft, Mod: tea.ModShift}
		case "shift+right":
			msg = tea.KeyPressMsg{Code: tea.KeyRight, Mod: tea.ModShift}
		case "enter":
			msg = tea.KeyPressMsg{Code: tea.KeyEnter}
		case "esc":
			msg = tea.KeyPressMsg{Code: tea.KeyEscape}
		case "space":
			msg = tea.KeyPressMsg{Code: tea.KeySpace, Text: " "}
		case "ctrl+c", "ctrl+p", "ctrl+r":
			msg = tea.KeyPressMsg{Code: rune(k[5]), Mod: tea.ModCtrl}
		case "tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab}
		case "shift+tab":
			msg = tea.KeyPressMsg{Code: tea.KeyTab, Mod: tea.ModShift}
		case "pgup":
			msg = tea.KeyPressMsg{Code: tea.KeyPgUp}
		case "pgdown":
			msg = tea.KeyPressMsg{Code: tea.KeyPgDown}
		case "delete":
			msg = tea.KeyPressMsg{Code: tea.KeyDelete}
		default:
			msg = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		_, cmd := a.Update(msg)
		if a.line != nil && k != "enter" {
			continue // the cursor's command waits
		}
		obey(a, cmd)
	}
}

var sizes = [][2]int{{1, 1}, {20, 5}, {40, 12}, {80, 24}, {120, 40}, {200, 60}}

// scenes are the screens that have golden files, and how they are reached.
var scenes = []struct {
	name    string
	scene   func(*session.Snapshot)
	prepare func(*App)
}{
	{"main", nil, nil},
	{"drafted", nil, func(a *App) { press(a, "down", "4") }},
	{"scoped", nil, func(a *App) { press(a, "m", "down", "m", "M", "tab", "e", "9", "7") }},
	{"dying", func(s *session.Snapshot) {
		s.Layers[0].Outputs, s.Layers[0].Dead, s.Layers[0].Kernel = 20, 2, [2]int{5, 5}
		s.Layers[0].Histogram = &solver.Histogram{
			Rule:   s.Layers[0].Histogram.Rule,
			Mu:     0,
			Sigma:  0.05,
			Kept:   s.Layers[0].Histogram.Kept,
			Masked: s.Layers[0].Histogram.Masked,
			Deaths: []float32{0.5, 0.7, 1.5, 2.5},
		}
	}, func(a *App) { press(a, "5") }},
	{"filtered", nil, func(a *App) { press(a, "/", "i", "p", "enter") }},
	{"plots", nil, func(a *App) { press(a, "v") }},
	{"plot_cursor", nil, func(a *App) { press(a, "v", "O", "left", "left", "left", "+") }},
	{"filters", conv1, func(a *App) { press(a, "i") }},
	{"map", conv1, func(a *App) { press(a, "i", "tab") }},
	{"sensitivity_none", nil, func(a *App) { press(a, "x") }},
	{"sensitivity", measured, func(a *App) { press(a, "x", "down", "right", "right", "right") }},
	{"journal", nil, func(a *App) { press(a, "J") }},
	{"settings", nil, func(a *App) { press(a, "o", "down", "down") }},
	{"settings_bad", nil, func(a *App) { press(a, "o", "down", "down", "enter", "9") }},
	{"states", planned, func(a *App) { press(a, "b", "down") }},
	{"palette", nil, func(a *App) { press(a, "ctrl+p", "m", "a", "s", "k") }},
	{"help", nil, func(a *App) { press(a, "?") }},
	{"quit", nil, func(a *App) { press(a, "q") }},
	{"back", nil, func(a *App) { press(a, "B") }},
	{"abandon", nil, func(a *App) { press(a, "q", "a") }},
	{"none_due", func(s *session.Snapshot) { s.Hyper.Stop = 10000 }, func(a *App) { press(a, "4") }},
	{"finished_unsaved", func(s *session.Snapshot) {
		s.State, s.Iter, s.Trouble = session.Finished, s.MaxIter, "not saved: no space left on device"
	}, nil},
	{"command", nil, func(a *App) { press(a, ":", "i", "p") }},
}

func conv1(s *session.Snapshot) { s.Layers[0].Outputs, s.Layers[0].Kernel = 20, [2]int{5, 5} }

func measured(s *session.Snapshot) {
	if len(s.Layers) == 0 {
		return
	}
	sens := &session.Sensitivity{
		Iter:    12000,
		Images:  1000,
		Done:    20,
		Total:   33,
		Running: true,
		Base:    session.SensitivityPoint{Accuracy: 0.991, Loss: 0.03},
	}
	for i, l := range s.Layers {
		c := session.LayerSensitivity{Name: l.Name}
		for k, sp := range []float64{0, 0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99}[:max(1, 8-2*i)] {
			c.Points = append(
				c.Points,
				session.SensitivityPoint{
					Threshold: 0.3 * float64(k),
					Sparsity:  sp,
					Accuracy:  0.991 - 0.02*float64(4-min(i, 4))*sp*sp*sp*sp,
					Loss:      0.03 + sp,
				},
			)
		}
		sens.Layers = append(sens.Layers, c)
	}
	s.Sensitivity = sens
}

func planned(s *session.Snapshot) {
	s.Plans = []session.Plan{
		{ID: 1, Field: "base_lr", Value: "0.001", At: 20000},
		{ID: 2, Field: "conv2.threshold", Value: "2.2", From: "1.96", At: 12000, Over: 2000, Begun: true},
	}
	s.States = []session.SavedState{
		{
			Path:     "lenet_iter_10000.solverstate",
			Iter:     10000,
			Why:      "snapshot 5000",
			Smoothed: 0.013,
			Accuracy: 0.9907,
			Kept:     4100,
			Total:    430500,
		},
		{
			Path:     "lenet_guard_iter_12440.solverstate",
			Iter:     12440,
			Why:      "before conv2.threshold 1.96",
			Guard:    true,
			Smoothed: 0.0125,
			Accuracy: -1,
			Kept:     3990,
			Total:    430500,
		},
	}
}

// Golden screens: `go test ./tui -update` writes them. A file holds a screen at all sizes, with one set of glyphs.
func TestScreens(t *testing.T) {
	for _, sc := range scenes {
		for _, l := range []look{{blockTier, false}, {brailleTier, false}, {asciiTier, false}, {blockTier, true}} {
			var all strings.Builder
			for _, size := range sizes {
				s := scene()
				if sc.scene != nil {
					sc.scene(s)
				}
				a, _ := open(t, s, l)
				a.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
				if sc.prepare != nil {
					sc.prepare(a)
				}
				frame := frame(a, size[0], size[1])
				if l.noColor && colours.MatchString(frame) {
					t.Errorf("%s has colours though none are wanted: %q", sc.name, colours.FindString(frame))
				}
				fmt.Fprintf(&all, "%dx%d\n%s\n", size[0], size[1], frame)
			}
			golden(t, sc.name+"_"+l.String(), all.String())
		}
	}
	a, _ := open(t, scene(), look{})
	a.snap.State = session.Paused
	a.snap.Problem = `iteration 12480: the loss is NaN; first bad: layer "conv1" (Convolution): ` +
		`blob "conv1" holds NaN or Inf`
	golden(t, "problem_80x24", frame(a, 80, 24))
	onGPU := scene()
	onGPU.Device, onGPU.BatchSize = "NVIDIA H100 80GB HBM3", 64
	onGPU.Health = gpu.Health{Known: true, Utilization: 62, Memory: 1300 << 20, Temperature: 58}
	a, _ = open(t, onGPU, look{})
	golden(t, "gpu_160x40", frame(a, 160, 40))
	a.snap.Health.Phase = "choosing kernels"
	golden(t, "choosing_80x24", frame(a, 80, 24))
	loading, err := New(Options{Name: "solver.prototxt", UTF8: true})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "loading_80x24", frame(loading, 80, 24))
	a, _ = openWith(t, scene(), look{}, Options{ReadOnly: true})
	golden(t, "read_only_80x24", frame(a, 80, 24))
	other := &session.History{}
	for i := range 100 {
		other.Loss.Add(150*i, 0.2+0.5*math.Exp(-float64(i)/30))
	}
	a, _ = openWith(t, scene(), look{}, Options{Compare: []Compared{{"earlier", other}}})
	press(a, "v")
	golden(t, "compare_80x24", frame(a, 80, 24))
}

var colours = regexp.MustCompile("\x1b\\[[0-9;:]*(3[0-8]|4[0-8]|9[0-7])[0-9;:]*m")

func golden(t *testing.T, name, frame string) {
	t.Helper()
	got := ansi.Strip(frame) + "\n"
	path := filepath.Join("testdata", name+".golden")
	if *updateGolden {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs from its golden screen:\n%s", name, got)
	}
}

// everyKey lists all keys of the table but those that end the UI or change its glyphs, and some letters.
func everyKey() []string {
	keys := []string{"9", "z", "."}
	for _, b := range newKeyMap().table {
		if b.name != "detach" && b.name != "glyphs" {
			keys = append(keys, b.Keys()...)
		}
	}
	return keys
}

// At every size a frame has exactly the terminal's lines and cells; in ASCII no other character.
func TestFramesFit(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w, h := rapid.IntRange(1, 230).Draw(rt, "w"), rapid.IntRange(1, 70).Draw(rt, "h")
		l := look{tier(rapid.IntRange(0, 2).Draw(rt, "tier")), rapid.Bool().Draw(rt, "mono")}
		s := scene()
		switch rapid.IntRange(0, 4).Draw(rt, "scene") {
		case 0:
			s.Layers, s.Hyper.Layers = nil, nil
		case 1:
			s.Layers[0].Histogram, s.Losses, s.Accuracy, s.Events = nil, session.Series{}, session.Series{}, nil
		case 2:
			for i := range 30 {
				l := s.Layers[i%4]
				l.Name = fmt.Sprintf("inception_%da/3x3_reduce", i)
				s.Layers = append(s.Layers, l)
				s.Hyper.Layers = append(
					s.Hyper.Layers,
					config.LayerHyper{Name: l.Name, Rule: gpu.PaperRule, Threshold: -3},
				)
			}
		case 3:
			s.MaxIter, s.Iter, s.PerSecond = 0, 0, 0
		}
		if len(s.Layers) > 0 {
			conv1(s)
		}
		measured(s)
		planned(s)
		a, _ := open(t, s, l)
		a.Update(tea.WindowSizeMsg{Width: w, Height: h})
		press(a, rapid.SliceOf(rapid.SampledFrom(everyKey())).Draw(rt, "keys")...)
		lines := strings.Split(frame(a, w, h), "\n")
		if len(lines) != h {
			rt.Fatalf("%d lines at %dx%d", len(lines), w, h)
		}
		for i, line := range lines {
			if n := ansi.StringWidth(line); n != w {
				rt.Fatalf("line %d has %d cells at %dx%d: %q", i, n, w, h, ansi.Strip(line))
			}
			if l.tier == asciiTier {
				for _, r := range ansi.Strip(line) {
					if r > 126 {
						rt.Fatalf("line %d has %q in ASCII: %q", i, r, ansi.Strip(line))
					}
				}
			}
		}
	})
}

// letters are the keys that type a text, and those after it.
func letters(text string, then ...string) []string {
	keys := strings.Split(text, "")
	for i, k := range keys {
		if k == " " {
			keys[i] = "space"
		}
	}
	return append(keys, then...)
}

// Rows of keys do together what a person means.
func TestKeys(t *testing.T) {
	for _, c := range []struct {
		keys []string
		want string // commands sent, one after the other
	}{
		{[]string{"down", "right", "enter"}, "conv2.threshold 1.97"},
		{[]string{"j", "l", "l", "h", "enter"}, "conv2.threshold 1.97"},
		{[]string{"down", "down", "up", "left", "enter"}, "conv2.threshold 1.95"},
		{[]string{"j", "k", "shift+right", "enter"}, "conv1.threshold 1.04"},
		{[]string{"H", "L", "L", "enter"}, "conv1.threshold 1.04"},
		{[]string{"shift+left", "enter"}, "conv1.threshold 0.84"},
		{[]string{"1", "enter"}, "conv1.threshold 0.674"},
		{[]string{"2", "enter"}, "conv1.threshold 0.994"},
		{[]string{"3", "enter"}, "conv1.threshold 1.281"},
		{[]string{"4", "enter"}, "conv1.threshold 1.644"},
		{[]string{"5", "enter"}, "conv1.threshold 1.959"},
		{[]string{"5", "esc", "enter"}, ""},
		{[]string{"enter"}, ""},
		{[]string{"space"}, "pause"},
		{[]string{"n"}, "step 1"},
		{[]string{"u"}, "undo"},
		{[]string{"p"}, "conv1.prune off"},
		{[]string{"f"}, "conv1.frozen on"},
		{[]string{"["}, "lr_mult 0.5"},
		{[]string{"]"}, "lr_mult 2"},
		{[]string{"S"}, "surgery now"},
		{[]string{"s"}, "snapshot now"},
		{[]string{"t"}, "test now"},
		{[]string{"?", "s", "t"}, "test now"}, // any key leaves the help
		{[]string{":", "l", "r", "_", "m", "u", "l", "t", "space", "3", "enter"}, "lr_mult 3"},
		{[]string{":", "t", "esc", "t"}, "test now"},
		{[]string{"q", "c", "t"}, "test now"},
		{[]string{"q", "esc"}, ""},
		{[]string{"q", "s"}, "stop after a snapshot"},
		{[]string{"q", "enter"}, "stop after a snapshot"},
		{[]string{"q", "a"}, ""}, // 480 iterations are in no snapshot: it asks
		{[]string{"q", "a", "c", "q", "a", "n"}, ""},
		{[]string{"q", "a", "y"}, "stop"},
		{[]string{"q", "a", "a"}, "stop"},
		{[]string{"ctrl+c"}, ""},
		{[]string{"ctrl+c", "s"}, "stop after a snapshot"},
		{[]string{"ctrl+c", "ctrl+c"}, "stop after a snapshot"},
		{[]string{"B"}, ""}, // it asks
		{[]string{"B", "c"}, ""},
		{[]string{"B", "esc", "t"}, "test now"},
		{[]string{"B", "y"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"B", "enter"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"B", "B"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{":", "b", "a", "c", "k", "enter", "y"}, "go back to d/lenet_iter_12000.solverstate"},
		{[]string{"M", "M", "p"}, "prune → off in ip1, ip2"}, // one command
		{[]string{"M", "M", "M", "5", "enter"}, "threshold → 1.959 in conv1, conv2, ip1 and 1 more"},
		{[]string{"e", "9", "5", "%", "enter"}, "conv1.threshold 1.952"}, // never a threshold of 95
		{[]string{"e", "0", ",", "9", "5", "enter"}, ""},                 // nor one of 095
		{[]string{"tab", "e", "9", "5", ",", "5", "enter"}, ""},
		{[]string{":", "c", "o", "n", "v", "2", ".", "t", "space", "9", "0", "%", "enter"}, "conv2.t 1.645"},
		{[]string{":", "l", "r", "space", "9", "5", "%", "enter"}, ""},
		{letters(":snapshot_prefix /d/a=b5%", "enter"), "snapshot_prefix /d/a=b5%"},
		{letters(":conv2.t 95% at +5", "enter"), ""},
	} {
		a, f := open(t, scene(), look{})
		press(a, c.keys...)
		var got []string
		for _, g := range f.got {
			got = append(got, g.String())
		}
		if s := strings.Join(got, ", "); s != c.want {
			t.Errorf("%v sent %q, wanted %q", c.keys, s, c.want)
		}
	}
}

func TestPauseKeyResumes(t *testing.T) {
	s := scene()
	s.State = session.Paused
	a, f := open(t, s, look{})
	press(a, "space")
	if len(f.got) != 1 || f.got[0].Kind != session.Resume {
		t.Errorf("space on a paused run sent %v", f.got)
	}
}

// Under the paper rule the presets come from the layer's own histogram.
func TestPaperPresets(t *testing.T) {
	s := scene()
	l := &s.Layers[1]
	l.Rule, s.Hyper.Layers[1].Rule, s.Hyper.Layers[1].Threshold, l.Mu = gpu.PaperRule, gpu.PaperRule, 0, 0.04
	r := &gpu.SurgeryResult{
		Mu:       0.04,
		Sigma:    0.05,
		KeptAt:   make([]uint32, gpu.HistogramBins),
		MaskedAt: make([]uint32, gpu.HistogramBins),
	}
	for i := range 1000 {
		r.KeptAt[3*i] = 1
	}
	l.Histogram = solver.NewHistogram(gpu.PaperRule, r)
	a, f := open(t, s, look{})
	press(a, "down", "3", "enter")
	if len(f.got) != 1 || f.got[0].Field != "conv2.c_rate" {
		t.Fatalf("sent %v", f.got)
	}
	var v float64
	if _, err := fmt.Sscan(f.got[0].Value, &v); err != nil {
		t.Fatal(err)
	}
	if n := l.Histogram.Pruned(v); n < 795 || n > 815 {
		t.Errorf("c_rate %g prunes %d of 1000, wanted 800", v, n)
	}
}

func TestParseCommand(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"conv2.threshold 1.9", "conv2.threshold 1.9"},
		{"set lr_mult = 0.5", "lr_mult 0.5"},
		{"lr_mult=0.5", "lr_mult 0.5"},
		{"step", "step 1"},
		{"step 100", "step 100"},
		{"surgery", "surgery now"},
		{"undo", "undo"},
		{"redo", "redo"},
		{"back", "go back to the last good state"},
		{"back x.solverstate", "go back to x.solverstate"},
		{"back lr=[0.01] b_iter_5.solverstate", "go back to lr=[0.01] b_iter_5.solverstate"},
		{"cancel 3", "cancel plan 3"},
		{"next-surgery", "step to the next surgery"},
		{"lr 0.001 at 20000", "lr 0.001 at 20000"},
		{"conv2.t 1.6 at +500", "conv2.t 1.6 at +500"},
		{"conv2.t 0.9 to 1.6 over 2000", "conv2.t 0.9 to 1.6 over 2000 at +0"},
		{"conv2.t to 1.6 over 2000 at 100", "conv2.t to 1.6 over 2000 at 100"},
		{"step x", "error"},
		{"", "error"},
		{"a b c", "error"},
		{"nonsense", "error"},
		{"lr 1 at x", "error"},
		{"lr 1 at -3", "error"},
		{"lr 1 over 0", "error"},
		{"lr to 2", "error"},
		{"lr 1 to 2", "error"},
		{"lr 1 at", "error"},
		{"quit", "quit"},
	} {
		var got string
		switch cmd, err := parseCommand(c.in); {
		case errors.Is(err, errQuit):
			got = "quit"
		case err != nil:
			got = "error"
		default:
			got = cmd.String()
		}
		if got != c.want {
			t.Errorf("%q is %q, wanted %q", c.in, got, c.want)
		}
	}
}

// A rejected command and a session that cannot be made are both said.
func TestErrorsShow(t *testing.T) {
	a, f := open(t, scene(), look{})
	f.err = errors.New("nothing to undo")
	press(a, "u")
	if !strings.Contains(ansi.Strip(frame(a, 80, 24)), "undo: nothing to undo") {
		t.Error("the rejection does not show")
	}
	b, err := New(Options{})
	if err != nil {
		t.Fatal(err)
	}
	_, cmd := b.Update(openedMsg{err: errors.New("no such net")})
	if cmd == nil || b.Err() == nil {
		t.Error("a session that cannot be made does not end the UI")
	}
}

func TestPredictionShows(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "down", "1")
	frame := ansi.Strip(frame(a, 120, 40))
	for _, want := range []string{
		"?50.0 %", "t 0.674", "sparsity 50.0 %", "⏎ applies", "*96.4 %", "pending ip1.threshold 2.4 → 2.1",
	} {
		if !strings.Contains(frame, want) {
			t.Errorf("no %q on the screen:\n%s", want, frame)
		}
	}
}

// BenchmarkTick looks at the run and draws, on every screen, with a long journal.
func BenchmarkTick(b *testing.B) {
	for id := range screenCount {
		s := scene()
		conv1(s)
		measured(s)
		planned(s)
		for range 300 {
			s.Events = append(s.Events, session.Event{Iter: 12470, Text: "test  accuracy 0.9909  loss 0.0310"})
		}
		a, _ := open(b, s, look{})
		a.Update(tea.WindowSizeMsg{Width: 120, Height: 40})
		press(a, ways[id]...)
		b.Run(id.String(), func(b *testing.B) {
			for b.Loop() {
				a.Update(tickMsg{})
				a.View()
			}
		})
	}
}

func BenchmarkFrame(b *testing.B) {
	a, _ := open(b, scene(), look{})
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		b.Run(fmt.Sprintf("%dx%d", size[0], size[1]), func(b *testing.B) {
			for b.Loop() {
				frame(a, size[0], size[1])
			}
		})
	}
}

// keyTable is the key table of the README, from the key map.
func keyTable() string {
	var b strings.Builder
	told := map[string]bool{}
	for _, sc := range screenTitles {
		for _, k := range newKeyMap().table {
			if !k.in.has(sc.of) || told[k.name] {
				continue
			}
			told[k.name] = true
			keys := strings.Join(strings.Fields(k.Help().Key), "` `")
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", sc.title, keys, k.Help().Desc)
		}
	}
	return b.String()
}

// The README's key table is the binding table.
func TestReadmeKeys(t *testing.T) {
	path := filepath.Join("..", "README.md")
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	const head = "| screen | key | what it does |\n| --- | --- | --- |\n"
	_, rest, ok := strings.Cut(string(data), head)
	if !ok {
		t.Fatal("README.md has no key table")
	}
	table, tail, _ := strings.Cut(rest, "\n\n")
	if *updateGolden {
		before, _, _ := strings.Cut(string(data), head)
		if err := os.WriteFile(path, []byte(before+head+keyTable()+"\n"+tail), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if table+"\n" != keyTable() {
		t.Errorf(
			"README.md's key table is not that of the bindings; `go test ./tui -update` writes it:\n%s",
			keyTable(),
		)
	}
}

func TestDeviceName(t *testing.T) {
	for full, want := range map[string]string{
		"NVIDIA H100 80GB HBM3":      "H100",
		"NVIDIA GeForce RTX 4090":    "RTX 4090",
		"Tesla V100-SXM2-32GB":       "V100-SXM2-32GB",
		"NVIDIA H100 PCIe":           "H100",
		"host (2 threads, OpenBLAS)": "host",
		"emulated GPU":               "emulated GPU",
		"":                           "",
	} {
		if have := deviceName(full); have != want {
			t.Errorf("%q is %q, wanted %q", full, have, want)
		}
	}
}
