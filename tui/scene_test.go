package tui

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
	"dns-tui/model/ship"
	"dns-tui/model/solver"
)

// fake is a session that stands still and notes its commands.
type fake struct {
	snap *session.Snapshot
	got  []session.Command
	err  error
	quit bool // the UI has ended

	predictErr error               // of predictions
	file       []autopilot.Setting // of the solver
}

func (f *fake) Snapshot() *session.Snapshot { return f.snap }

func (f *fake) Do(_ context.Context, c session.Command) (session.Ack, error) {
	if c.Kind == session.Look {
		return session.Ack{Picture: picture(c)}, f.err
	}
	if c.Kind == session.Steer && c.Autopilot.Action == session.AutopilotPredict {
		p, err := predictFor(f.snap, f.snap.Iter, append(slices.Clone(f.file), c.Autopilot.Settings...)...)
		if f.predictErr != nil {
			err = f.predictErr
		}
		if err != nil {
			return session.Ack{}, err
		}
		return session.Ack{Iter: f.snap.Iter, Detail: p.String(), Prediction: p}, nil
	}
	f.got = append(f.got, c)
	return session.Ack{Iter: f.snap.Iter}, f.err
}

// Run is the name under which the run is found again.
func (f *fake) Run() string { return "solver-1" }

// otherRuns are journals beside that of the scene.
func otherRuns() Journals {
	return Journals{
		Beside: func(string) ([]string, error) {
			return []string{"d/lenet_slow.journal", "d/lenet_seed2.journal", "d/broken.journal", "d/empty.journal"}, nil
		},
		Read: func(path string) (*session.History, error) {
			h := &session.History{}
			switch path {
			case "d/broken.journal":
				return nil, errors.New("d/broken.journal:1: is not a journal entry")
			case "d/empty.journal":
				return h, nil
			}
			for i := range 100 {
				h.Loss.Add(120*i, float64(len(path))/100+0.5*math.Exp(-float64(i)/30))
			}
			return h, nil
		},
	}
}

// picture draws weights whose signs and masks make a pattern.
func picture(c session.Command) *session.Picture {
	a := c.Area
	p := &session.Picture{
		Layer: c.Layer,
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
		told(12000, "test  accuracy 0.9909  loss 0.0310"),
		{Iter: 12440, What: session.ChangeApplied{Change: changed(12440, "conv2.threshold", "1.64", "1.96")}},
		{Iter: 12460, What: session.CommandRejected{Command: "momentum 2", Reason: "momentum is 2, wanted 0 to 1"}},
	}
	s.RestorePoints = []session.RestorePoint{
		{Path: "d/lenet_iter_12000.solverstate", Iter: 12000, Why: "asked for", Accuracy: 0.99},
	}
	s.Journal = "d/lenet.journal"
	s.Back, s.Prefix, s.Unsaved = s.RestorePoints[0].Path, "d/lenet", 480
	s.Pending = []session.Change{changed(12480, "ip1.threshold", "2.4", "2.1")}
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
		PrunedAt: make([]uint32, gpu.HistogramBins),
	}
	at := func(d float64) float64 { return config.GaussianSparsity(d) * float64(n) }
	for i := range gpu.HistogramBins {
		lo, hi := float64(i)*gpu.HistogramWidth, float64(i+1)*gpu.HistogramWidth
		c := uint32(math.Round(at(hi)) - math.Round(at(lo)))
		if lo < t {
			r.PrunedAt[i] = c
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
	if o.Journals.Beside == nil {
		o.Journals = otherRuns()
	}
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
		_, next := a.Update(m)
		obey(a, next)
	case notRemembered:
		a.Update(m)
	case journalsListed, journalRead:
		a.Update(m)
	case predicted:
		_, next := a.Update(m)
		obey(a, next)
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
		case "backspace":
			msg = tea.KeyPressMsg{Code: tea.KeyBackspace}
		default:
			msg = tea.KeyPressMsg{Code: []rune(k)[0], Text: k}
		}
		_, cmd := a.Update(msg)
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
			Rule:            s.Layers[0].Histogram.Rule,
			Mu:              0,
			Sigma:           0.05,
			KeptBelow:       s.Layers[0].Histogram.KeptBelow,
			PrunedBelow:     s.Layers[0].Histogram.PrunedBelow,
			DeathThresholds: []float32{0.5, 0.7, 1.5, 2.5},
		}
	}, func(a *App) { press(a, "5") }},
	{"filtered", nil, func(a *App) { press(a, "/", "i", "p", "enter") }},
	{"plots", nil, func(a *App) { press(a, "v") }},
	{"plot_cursor", nil, func(a *App) { press(a, "v", "O", "left", "left", "left", "+") }},
	{"plot_layers", layerHistories, func(a *App) { press(a, "v", "tab", "tab", "tab", "tab", "tab") }},
	{"plot_tests", tested, func(a *App) { press(a, "v", "left", "left") }},
	{"plot_system", onGPU, func(a *App) { press(a, "v", "shift+tab") }},
	{"plot_system_cursor", onGPU, func(a *App) { press(a, "v", "shift+tab", "left", "left") }},
	{"plot_system_none", nil, func(a *App) { press(a, "v", "shift+tab") }},
	{"compare_choose", nil, func(a *App) { press(a, "v", "c", "space", "down") }},
	{"compare_chosen", nil, func(a *App) { press(a, "v", "c", "space", "down", "enter", "esc") }},
	{"filters", conv1, func(a *App) { press(a, "i") }},
	{"map", conv1, func(a *App) { press(a, "i", "tab") }},
	{"sensitivity_none", nil, func(a *App) { press(a, "x") }},
	{"sensitivity", measured, func(a *App) { press(a, "x", "down", "right", "right", "right") }},
	{"autopilot_off", nil, func(a *App) { press(a, "a") }},
	{"autopilot_typing", nil, func(a *App) { press(a, letters("ae310x")...) }},
	{"autopilot_rejected", nil, func(a *App) { press(a, letters("ae999999")...) }},
	{"autopilot_descending", descending, func(a *App) { press(a, "a", "down", "down") }},
	{"autopilot_changing", descending, func(a *App) { press(a, letters("a", "tab", "f", "9", "9")...) }},
	{"autopilot_paused", pausedDescent, func(a *App) { press(a, "a", "tab", "down") }},
	{"autopilot_annealing", annealing, func(a *App) { press(a, "a", "tab") }},
	{"autopilot_done", doneDescent, func(a *App) { press(a, "a") }},
	{"autopilot_macs", macDescent, func(a *App) { press(a, "a", "tab") }},
	{"autopilot_many", manyLayers, func(a *App) {
		press(a, append([]string{"a", "tab"}, letters(strings.Repeat("j", 30))...)...)
	}},
	{"autopilot_hand_back", descending, func(a *App) { press(a, "a", "D") }},
	{"main_descending", descending, func(a *App) { press(a, "down", "4") }},
	{"frontier_none", nil, func(a *App) { press(a, "A") }},
	{"frontier_beginning", beginning, func(a *App) { press(a, "A") }},
	{"frontier_descending", searchDescends, func(a *App) { press(a, "A") }},
	{"frontier", searching, func(a *App) { press(a, "A", "k") }},
	{"frontier_done", searchDone, func(a *App) { press(a, "A") }},
	{"frontier_failed", searchFailed, func(a *App) { press(a, "A") }},
	{"frontier_taken", searchTaken, func(a *App) { press(a, "A") }},
	{"frontier_cut_off", searchCutOff, func(a *App) { press(a, "A") }},
	{"frontier_take", searching, func(a *App) { press(a, "A", "enter") }},
	{"ship", whatIsShipped, func(a *App) { press(a, "W", "down", "down", "down") }},
	{"ship_thresholds", shippedByThresholds, func(a *App) { press(a, "W") }},
	{"ship_unmeasured", unmeasured, func(a *App) { press(a, "W") }},
	{"ship_failed", shipFailed, func(a *App) { press(a, "W") }},
	{"ship_older", nil, func(a *App) { press(a, "W") }},
	{"ranks", fourRanks, func(a *App) { press(a, "T", "down") }},
	{"ranks_gpus", rankGPUs, func(a *App) { press(a, "T") }},
	{"ranks_alone", nil, func(a *App) { press(a, "T") }},
	{"main_ranks", fourRanks, nil},
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
		s.State, s.Iter, s.WriteProblem = session.Finished, s.MaxIter, "not saved: no space left on device"
	}, nil},
	{"command", nil, func(a *App) { press(a, ":", "i", "p") }},
}

func conv1(s *session.Snapshot) { s.Layers[0].Outputs, s.Layers[0].Kernel = 20, [2]int{5, 5} }

// layerHistories gives each layer a course of what it keeps.
func layerHistories(s *session.Snapshot) {
	for i := range s.Layers {
		l := &s.Layers[i]
		end := float64(l.Kept) / float64(l.Weights)
		for k := range 100 {
			l.History.Add(100*k, end+(1-end)*math.Exp(-float64(k)/float64(8+5*i)))
		}
	}
}

// onGPU is a run on a GPU whose health is known.
func onGPU(s *session.Snapshot) {
	s.Device, s.BatchSize = "NVIDIA H100 80GB HBM3", 64
	s.Health = gpu.Health{Known: true, Utilization: 62, Memory: 1300 << 20, Temperature: 58}
	for i := range 100 {
		s.Speed.Add(120*i, 310+20*math.Sin(float64(i)/5))
		s.Utilization.Add(120*i, 0.6+0.1*math.Sin(float64(i)/7))
		s.DeviceMemory.Add(120*i, float64(int64(1200+i)<<20))
		s.Temperature.Add(120*i, 58-20*math.Exp(-float64(i)/10))
	}
}

// tested gives the run test losses, and changes.
func tested(s *session.Snapshot) {
	for i := range 25 {
		s.TestLoss.Add(500*i, 0.03+0.5*math.Exp(-float64(i)/2))
	}
	s.Changes = []session.Change{
		changed(6000, "base_lr", "0.1", "0.01"),
		changed(12440, "conv2.threshold", "1.64", "1.96"),
	}
}

// unmeasured has weighed the net by itself.
func unmeasured(s *session.Snapshot) {
	s.Shipped = &session.Shipped{Now: &session.Weighed{
		Iter: 12400,
		Weights: ship.Weights{Parameters: 431_080, Kept: 4_557,
			Bytes: caffe.FormSizes{Caffemodel: 1_725_025, Compact: 16_012, Safetensors: 1_724_976}},
		Net: &session.WeighedNet{
			MACs: ship.MACs{Dense: 2_308_230, Kept: 151_320}, Smaller: 61_204, Live: 312, Outputs: 580},
	}}
}

// whatIsShipped was measured now and at a target, with masks redrawn since; the training waits.
func whatIsShipped(s *session.Snapshot) {
	unmeasured(s)
	now := *s.Shipped.Now
	then, net := now, *now.Net
	then.Kept, then.Bytes.Compact, then.Net = 1_390, 5_990, &net
	net.MACs.Kept, net.Smaller, net.Live = 102_270, 27_390, 113
	now.Iter, then.Iter = 12000, 12000
	s.Shipped.Redrawn, s.Shipped.Stage = true, session.TimingPasses
	s.Shipped.Measured = &session.Measured{
		Now:  session.Timed{Weighed: now, Dense: 1_243 * time.Microsecond, Sparse: 412 * time.Microsecond},
		Then: &session.Timed{Weighed: then, Dense: 1_251 * time.Microsecond, Sparse: 287_400 * time.Nanosecond},
		Goal: "310x", Batch: 1, Passes: 50, Waited: 310 * time.Millisecond,
	}
}

// shippedByThresholds was measured at the iteration that the run is at, with thresholds that are chosen.
func shippedByThresholds(s *session.Snapshot) {
	whatIsShipped(s)
	s.Shipped.Redrawn, s.Shipped.Stage, s.Shipped.Measured.Goal = false, session.NoWeighing, ""
	s.Shipped.Now.Iter, s.Shipped.Measured.Now.Iter, s.State = s.Iter, s.Iter, session.Paused
}

// fourRanks is a run of two machines, of which one rank is slow, and one has been silent for a while.
func fourRanks(s *session.Snapshot) {
	s.Engine, s.BatchSize = "Open MPI 4.1.4", 256
	for i, waits := range []float64{0.31, 0.28, 0.02, 0.3} {
		s.Ranks = append(s.Ranks, session.RankStats{
			Host: fmt.Sprintf(
				"node%02d",
				1+i/2,
			), PID: 4711 + i, Device: "host (8 threads, OpenBLAS 0.3.21)", Waiting: waits,
		})
	}
	s.Ranks[3].Silent = 42 * time.Second
}

// rankGPUs is a run of four GPUs of one machine, of which one still compiles.
func rankGPUs(s *session.Snapshot) {
	fourRanks(s)
	s.Engine = "NCCL 2.21"
	for i := range s.Ranks {
		r := &s.Ranks[i]
		r.Host, r.Silent, r.Device, r.Waiting = "node01", 0, "NVIDIA H100 80GB HBM3", -1
		r.Health = gpu.Health{Known: true, Utilization: 80 + i, Temperature: 60 + i, Memory: 1300 << 20}
	}
	s.Ranks[2].Health.Phase = "choosing kernels"
}

func shipFailed(s *session.Snapshot) {
	unmeasured(s)
	s.Shipped.Problem = "target 9999999 kept: the layers have 431,080 entries, and nothing would be pruned"
}

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
	from := 1.96
	s.Plans = []session.Plan{
		{ID: 1, Edit: edit("base_lr", "0.001"), At: 20000},
		{ID: 2, Edit: edit("conv2.threshold", "2.2"), From: &from, At: 12000, Over: 2000, Begun: true, OldKnown: true},
	}
	s.RestorePoints = []session.RestorePoint{
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

// edit is a field and a value as they are typed.
func edit(field, value string) config.Edit {
	e, err := config.Parse(field, value)
	if err != nil {
		panic(err)
	}
	return e
}

// changed is a change of one field.
func changed(iter int, field, old, value string) session.Change {
	e, err := config.ParseEdited(field, old, value)
	if err != nil {
		panic(err)
	}
	return session.Change{Iter: iter, Edits: []config.Edited{e}}
}

// told is an event of which only the text matters.
func told(iter int, text string) session.Event {
	return session.Event{Iter: iter, What: session.TextEvent{Status: session.NoChange, Text: text}}
}
