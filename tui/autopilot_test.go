package tui

import (
	"fmt"
	"math"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// facts are those of the scenes' run in an iteration.
func facts(s *session.Snapshot, iter int) autopilot.Facts {
	return autopilot.Facts{
		Iter: iter, MaxIter: s.MaxIter, Trained: true, BaseLR: s.Hyper.BaseLR, Policy: "inv",
		Rate: func(iter int) float64 { return 0.01 * math.Pow(1+1e-4*float64(iter), -0.75) },
	}
}

var magnitudeCounts = map[int][]uint32{}

// magnitudes counts so many normally distributed weights by magnitude.
func magnitudes(n int) []uint32 {
	if magnitudeCounts[n] == nil {
		counts := make([]uint32, gpu.HistogramBins)
		within := func(x float64) float64 { return math.Round(config.GaussianSparsity(x/0.05) * float64(n)) }
		for i := range counts {
			counts[i] = uint32(within(float64(gpu.MagnitudeEdge(i+1))) - within(float64(gpu.MagnitudeEdge(i))))
		}
		magnitudeCounts[n] = counts
	}
	return magnitudeCounts[n]
}

// measuredLayers are the scenes' layers as a search for thresholds sees them.
func measuredLayers(s *session.Snapshot) []autopilot.Layer {
	layers := outlookOf(s, nil, autopilot.DefaultSettings()).layers
	for i := range layers {
		l := &layers[i]
		l.Rule, l.Sigma, l.Counts = gpu.SoftRule, 0.05, magnitudes(l.Total)
	}
	return layers
}

// predictFor says what settings come to in a scene, as a session does.
func predictFor(s *session.Snapshot, iter int, settings ...autopilot.Setting) (*session.Prediction, error) {
	asked := autopilot.DefaultSettings()
	if s.Autopilot != nil {
		asked = s.Autopilot.Asked
	}
	asked, err := asked.With(settings...)
	if err != nil {
		return nil, err
	}
	layers := measuredLayers(s)
	d, err := asked.Descend(facts(s, iter), layers)
	if err != nil {
		return nil, err
	}
	var solver autopilot.Solver
	found, err := solver.Solve(layers, d.Budget, d.Settings.Scale)
	if err != nil {
		return nil, err
	}
	p := &session.Prediction{Descent: *d, Solution: *found.Clone()}
	for i := range layers {
		p.Layers, p.Totals = append(p.Layers, layers[i].Name), append(p.Totals, layers[i].Total)
	}
	return p, nil
}

// piloted has the scene's run be in a descent that began at iteration 0.
func piloted(s *session.Snapshot, held int, settings ...autopilot.Setting) {
	positions := map[string]int{"conv1": 576, "conv2": 64}
	for i := range s.Layers {
		s.Layers[i].Positions = max(1, positions[s.Layers[i].Name])
	}
	for i := range s.Layers { // where it began
		s.Layers[i].Kept = s.Layers[i].Weights
	}
	p, err := predictFor(s, 0, settings...)
	if err != nil {
		panic(err)
	}
	asked, _ := autopilot.DefaultSettings().With(settings...)
	plan := p.Descent.Schedule
	a := &session.AutopilotState{
		Autopilot: session.Autopilot{Asked: asked, Descent: p.Descent, Held: held},
		Phase:     plan.Phase(s.Iter), Next: plan.Next(s.Iter), Progress: plan.Progress(s.Iter),
		RateFactor: 1, AtTarget: p.Solution.Layers, Done: s.Iter > plan.End,
	}
	if a.Done {
		a.RateFactor = plan.RateFactor(s.Iter)
		a.Progress = min(1, float64(s.Iter-plan.End)/float64(plan.Anneal))
	}
	layers := measuredLayers(s)
	if err := p.Descent.Settings.Bind(layers); err != nil {
		panic(err)
	}
	b := p.Descent.Budget
	b.Limit = plan.Budget(s.Iter)
	if held >= 0 {
		b.Limit = plan.Budget(held)
	}
	var solver autopilot.Solver
	found, err := solver.Solve(layers, b, p.Descent.Settings.Scale)
	if err != nil {
		panic(err)
	}
	for i := range layers {
		l := &layers[i]
		if !l.Excluded && !l.Pinned {
			l.Kept = found.Layers[i].Kept
		}
		s.Layers[i].Kept = l.Kept
	}
	for i := range layers {
		if l := &layers[i]; !l.Excluded && !l.Pinned {
			a.Driven = append(a.Driven, l.Name)
			s.Hyper.Layers[i].MaskFrozen = a.Done
		}
		a.Kept, a.Total = a.Kept+layers[i].Kept, a.Total+layers[i].Total
	}
	a.Now, a.Planned = p.Descent.Budget.Cost.Now(layers), plan.Budget(s.Iter)
	s.Autopilot, s.Pending = a, nil
	kept, total := s.Kept()
	now := fraction(kept, total)
	for i := 0; i <= s.Iter; i += 120 {
		at := min(i, plan.End)
		if held >= 0 {
			at = min(at, held)
		}
		s.KeptFraction.Add(i, now*plan.Budget(at)/b.Limit)
	}
}

func target(text string) autopilot.Setting { return autopilot.Setting{Name: "target", Value: text} }

func descending(s *session.Snapshot) {
	if len(s.Layers) > 0 {
		piloted(s, -1, target("310x"))
	}
}

func pausedDescent(s *session.Snapshot) {
	piloted(s, 9000, target("310x"), autopilot.Setting{Name: "pin", Value: "conv1"},
		autopilot.Setting{Name: "schedule", Value: "cyclic"})
	s.Autopilot.Note = "iteration 9000: the loss is NaN; the descent is paused, after it went back 3 times"
}

func annealing(s *session.Snapshot) {
	s.Iter = 21600
	piloted(s, -1, target("50KB"), autopilot.Setting{Name: "exclude", Value: "ip2"})
}

func doneDescent(s *session.Snapshot) {
	s.Iter, s.State = s.MaxIter, session.Finished
	piloted(s, -1, target("1% kept"))
}

func macDescent(s *session.Snapshot) {
	piloted(s, -1, target("20KMAC"), autopilot.Setting{Name: "scale", Value: "positions"})
}

// manyLayers gives the net sixty layers.
func manyLayers(s *session.Snapshot) {
	for i := range 56 {
		l := s.Layers[1+i%3]
		l.Name = fmt.Sprintf("inception_%da/3x3_reduce", i)
		s.Layers = append(s.Layers, l)
		s.Hyper.Layers = append(s.Hyper.Layers, config.LayerHyper{Name: l.Name, Threshold: 1.96, Prune: true})
	}
	descending(s)
}

// The autopilot's keys and lines send what they say.
func TestAutopilotKeys(t *testing.T) {
	for _, c := range []struct {
		scene func(*session.Snapshot)
		keys  []string
		want  string
	}{
		{nil, letters("a", "enter", "3", "1", "0", "x", "enter"), "autopilot target 310x"},
		{nil, letters("ae", "esc"), ""},
		{nil, letters("ae", "enter"), ""},
		{nil, letters("ae", "1", "x", "enter"), ""},
		// Before there is a target, what is typed waits for one.
		{nil, append(letters("ajjjjjjjjje20000", "enter"), letters("kkkkkkkkke310x", "enter")...),
			"autopilot target 310x end_iter 20000"},
		{nil, append(letters("a", "tab", "p", "down", "X"), letters("D")...), ""},
		{nil, append(letters("a", "tab", "p", "down", "X", "tab"), letters("e20x", "enter")...),
			"autopilot target 20x exclude conv2 pin conv1"},
		{descending, letters("ah"), "autopilot pause"},
		{pausedDescent, letters("ah"), "autopilot resume"},
		{descending, letters("aD", "c"), ""},
		{descending, letters("aD", "y"), "autopilot off"},
		{descending, letters("aDD"), "autopilot off"},
		{descending, letters("ap"), ""}, // the layers are not on the screen
		{descending, letters("app"), "autopilot pin conv1"},
		{pausedDescent, letters("app"), "autopilot pin none"},
		{descending, letters("a", "tab", "down", "X"), "autopilot exclude conv2"},
		{annealing, append(letters("a", "tab", "down", "down", "down"), "X"), "autopilot exclude none"},
		{descending, letters("a", "tab", "down", "f", "2", "%", "enter"), "autopilot floor conv2=2%"},
		{descending, letters("a", "tab", "c", "9", "enter"), "autopilot ceiling conv1=9"},
		{descending, letters("ae", "enter"), ""},
		{descending, letters("au"), "undo"},
		{doneDescent, letters("aehD", "tab", "p"), ""}, // the run has ended
		{nil, letters(":autopilot 310x", "enter"), "autopilot target 310x"},
		{nil, letters(":target=310x", "enter"), "autopilot target 310x"},
		{nil, letters(":autopilot target 400x end_iter 20000", "enter"), "autopilot target 400x end_iter 20000"},
		{nil, letters(":autopilot pause", "enter"), "autopilot pause"},
		{nil, letters(":autopilot pause now", "enter"), ""},
		{nil, letters(":autopilot predict 100x", "enter"), ""}, // its answer shows: see below
		{nil, letters(":autopilot pin conv1", "enter"), "autopilot pin conv1"},
		{nil, letters(":autopilot sc", "tab", "space", "l", "tab", "enter"), "autopilot scale lamp"},
		{nil, letters(":autopilot pin co", "tab", "space", "i", "tab", "enter"), "autopilot pin conv1 ip1"},
		{nil, letters(":autopilot", "enter"), ""},
	} {
		s := scene()
		if c.scene != nil {
			c.scene(s)
		}
		a, f := open(t, s, look{})
		press(a, c.keys...)
		var got []string
		for _, g := range f.got {
			got = append(got, g.String())
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%v sent %q, wanted %q", c.keys, text, c.want)
		}
	}
}

func TestPredictCommand(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, letters(":autopilot predict 100x", "enter")...)
	if want := "100x: 4,"; a.notice.bad || !strings.Contains(a.notice.text, want) {
		t.Errorf("the answer is %q, wanted %q in it", a.notice.text, want)
	}
}

// While a target is typed, one question at a time is under way, and the answer to the last is shown.
func TestPredictionFollows(t *testing.T) {
	var p predictor
	first, ok := p.want([]autopilot.Setting{target("3x")}).(predict)
	if !ok || first.settings[0].Value != "3x" {
		t.Fatalf("asked %v", first)
	}
	for _, v := range []string{"31x", "310x"} {
		if i := p.want([]autopilot.Setting{target(v)}); i != nil {
			t.Fatalf("asked %v while a question was under way", i)
		}
	}
	stale := &session.Prediction{}
	next, ok := p.answered(predicted{prediction: stale}).(predict)
	if !ok || next.settings[0].Value != "310x" || p.answer != nil {
		t.Fatalf("asked %v next, shows %v", next, p.answer)
	}
	fresh := &session.Prediction{}
	if i := p.answered(predicted{prediction: fresh}); i != nil || p.answer != fresh {
		t.Fatalf("wants %v, shows %v", i, p.answer)
	}
	p.want(nil)
	p.forget()
	if p.answered(predicted{prediction: stale}); p.answer != nil {
		t.Error("an answer is shown that nobody waits for")
	}
}

// What cannot be is said beside the line, whoever finds it, and no answer of before stays on the screen.
func TestAutopilotRejects(t *testing.T) {
	for _, c := range []struct{ typed, want string }{
		{"1x", `"1x" prunes nothing`},
		{"31q", `"31q" has no unit`},
		{"999999", "nothing would be pruned"},
	} {
		a, _ := open(t, scene(), look{})
		press(a, letters("ae20x")...)
		if a.notice.text != "" || !strings.Contains(screenText(a), "asked: 20x by iteration") {
			t.Errorf("20x says %q:\n%s", a.notice.text, screenText(a))
		}
		press(a, "backspace", "backspace", "backspace")
		press(a, letters(c.typed)...)
		if !a.notice.bad || !strings.Contains(a.notice.text, c.want) {
			t.Errorf("%s says %q, wanted %q", c.typed, a.notice.text, c.want)
		}
		if text := screenText(a); strings.Contains(text, "asked:") {
			t.Errorf("%s shows an answer:\n%s", c.typed, text)
		}
	}
}

// screenText is the screen as text.
func screenText(a *App) string { return ansi.Strip(frame(a, 120, 40)) }

// A run of an older program has no autopilot, and the screen says so.
func TestNoAutopilot(t *testing.T) {
	a, f := open(t, scene(), look{})
	f.predictErr = session.ErrNoAutopilot
	press(a, "a", "enter")
	if !strings.Contains(screenText(a), "of a version without an autopilot") || a.line != nil {
		t.Errorf("the screen shows\n%s", screenText(a))
	}
}

// On the main screen a driven layer says who finds its threshold, whatever the settings of surgery are, and what
// setting it does; other layers do not.
func TestDrivenLayers(t *testing.T) {
	s := scene()
	pausedDescent(s)
	s.Hyper.Stop = 10
	a, _ := open(t, s, look{})
	text := screenText(a)
	for _, want := range []string{"autopilot paused", "»1.960", "found", "→ 310x"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	if !strings.Contains(text, "surgery_stop_iter is 10") { // conv1 is pinned: surgery passes it by
		t.Errorf("the pinned layer does not say that no surgery is due:\n%s", text)
	}
	press(a, "down")
	if text = screenText(a); strings.Contains(text, "surgery_stop_iter") ||
		!strings.Contains(text, "driven by the autopilot") {
		t.Errorf("a driven layer says\n%s", text)
	}
	press(a, "right")
	if text = screenText(a); !strings.Contains(text, "takes it from the autopilot") {
		t.Errorf("a choice for a driven layer says\n%s", text)
	}
}

// Where a descent stands, in a line and in a few words.
func TestStateWords(t *testing.T) {
	begins := autopilot.Setting{Name: "start_iter", Value: "14000"}
	for _, c := range []struct {
		what      func(*session.Snapshot)
		long, few string
	}{
		{func(*session.Snapshot) {}, "off", ""},
		{descending, "descending, 69 %, next surgery at 12,480", "autopilot 69 %"},
		{func(s *session.Snapshot) { piloted(s, -1, target("20x"), begins) }, "waiting until 14,000",
			"autopilot waits"},
		{pausedDescent, "paused since 9,000, at 50 %", "autopilot paused"},
		{annealing, "annealing, 30 %, rate ×0.79", "annealing 30 %"},
		{doneDescent, "done", "autopilot done"},
		{func(s *session.Snapshot) { descending(s); s.State = session.Stopped }, "the run ended at 69 % of the descent",
			"autopilot 69 %"},
		{func(s *session.Snapshot) { s.Iter = 18000; descending(s) }, "descending, 100 %, next surgery at 18,000",
			"autopilot 100 %"},
	} {
		s := scene()
		c.what(s)
		if long, few := stateWords(s), fewWords(s); long != c.long || few != c.few {
			t.Errorf("%q and %q, wanted %q and %q", long, few, c.long, c.few)
		}
	}
}

// What is typed is completed by commands and settings, and behind the autopilot's word by options and their values.
func TestCompletion(t *testing.T) {
	s := scene()
	for _, c := range []struct {
		typed string
		want  string // the first that begins with it
	}{
		{"conv1.th", "conv1.threshold"},
		{"auto", "autopilot"},
		{"targ", "target"},
		{"autopilot pa", "autopilot pause"},
		{"autopilot end", "autopilot end_iter"},
		{"autopilot scale l", "autopilot scale lamp"},
		{"autopilot target 20x sch", "autopilot target 20x schedule"},
		{"autopilot target 20x schedule cu", "autopilot target 20x schedule cubic"},
		{"autopilot exclude conv1 c", "autopilot exclude conv1 conv2"},
		{"autopilot exclude conv1, c", "autopilot exclude conv1, conv2"},
		{"autopilot floor i", "autopilot floor ip1="},
		{"autopilot predict 20x sc", "autopilot predict 20x scale"},
		{"target 20x rule s", "target 20x rule soft"},
		{"autopilot 20x p", "autopilot 20x pin"}, // an action comes first or not at all
		{"autopilot scale lamp scale", ""},       // nor does an option come twice
	} {
		got := ""
		for _, line := range completeCommand(s, c.typed) {
			if strings.HasPrefix(line, c.typed) {
				got = line
				break
			}
		}
		if got != c.want {
			t.Errorf("%q goes on as %q, wanted %q", c.typed, got, c.want)
		}
	}
}

// A click selects an option or a layer, the wheel the next one.
func TestAutopilotMouse(t *testing.T) {
	s := scene()
	descending(s)
	a, _ := open(t, s, look{})
	press(a, "a")
	frame(a, 120, 40)
	screen := a.screens[autopilotID].(*autopilotScreen)
	a.Update(tea.MouseClickMsg{X: 5, Y: lineOf(t, a, " end_iter "), Button: tea.MouseLeft})
	if o := autopilot.Options[screen.form.chosen].Name; o != "end_iter" || screen.onLayers {
		t.Errorf("a click selects %s", o)
	}
	a.Update(tea.MouseWheelMsg{Button: tea.MouseWheelDown})
	if o := autopilot.Options[screen.form.chosen].Name; o != "interval" {
		t.Errorf("the wheel selects %s", o)
	}
	a.Update(tea.MouseClickMsg{X: 70, Y: lineOf(t, a, " ip1 "), Button: tea.MouseLeft})
	if l := a.sel.layer().Name; l != "ip1" || !screen.onLayers {
		t.Errorf("a click selects %s", l)
	}
}

// The solver's file may have a target: it is shown where the autopilot is off, and typing goes on from it.
func TestTargetOfTheFile(t *testing.T) {
	a, f := open(t, scene(), look{})
	f.file = []autopilot.Setting{target("50x")}
	press(a, "a")
	if text := screenText(a); !strings.Contains(text, "the solver's file has: 50x by iteration 22,992") {
		t.Errorf("the screen shows\n%s", text)
	}
	press(a, "enter", "enter")
	press(a, append(letters("jjjjjjjjje20000"), "enter")...)
	var got []string
	for _, g := range f.got {
		got = append(got, g.String())
	}
	if text := strings.Join(got, ", "); text != "autopilot target 50x, autopilot end_iter 20000" {
		t.Errorf("sent %q", text)
	}
}

// What a layer is left out by the net for, its name takes in.
func TestTakeInByName(t *testing.T) {
	s := scene()
	descending(s)
	s.Autopilot.Descent.Settings.Exclude = []string{"conv1"}
	a, f := open(t, s, look{})
	press(a, "a", "tab", "X")
	if len(f.got) != 1 || f.got[0].String() != "autopilot layers conv1 conv2 ip1 ip2" {
		t.Errorf("sent %v", f.got)
	}
}

// A layer that would keep next to nothing is named, unless a person wants it so.
func TestStarved(t *testing.T) {
	s := scene()
	o := outlook{atTarget: make([]autopilot.LayerCut, len(s.Layers)), totals: []int{500, 25000, 400000, 5000}}
	o.layers = outlookOf(s, nil, autopilot.DefaultSettings()).layers
	copy(o.atTarget, []autopilot.LayerCut{
		{Kept: 1, Bound: autopilot.AtFloor}, {Kept: 2}, {Kept: 40, Bound: autopilot.AtFloor}, {Kept: 1},
	})
	for i, want := range []bool{true, true, true, false} {
		if o.starves(i) != want {
			t.Errorf(
				"%s keeps %d of %d, %v: starved %t",
				o.layers[i].Name,
				o.atTarget[i].Kept,
				o.totals[i],
				o.atTarget[i].Bound,
				!want,
			)
		}
	}
	if text := o.starved(" (f)"); !strings.HasPrefix(text, "conv1 and 2 more would be starved") {
		t.Errorf("the warning is %q", text)
	}
	for i, b := range []autopilot.Bound{autopilot.HeldPinned, autopilot.AtCeiling, autopilot.HeldFrozen} {
		o.atTarget[i].Bound = b
	}
	if text := o.starved(" (f)"); text != "" {
		t.Errorf("the warning is %q", text)
	}
}
