package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"
	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/config/configpb"
	"dns-tui/human"
	"dns-tui/model/session"
)

// Under a plot round iterations stand below their ticks, and these where a curve has that iteration.
func TestIterationsUnderPlot(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := rapid.IntRange(0, 500000).Draw(t, "from")
		win := window{
			from: from,
			to:   from + rapid.IntRange(1, 500000).Draw(t, "span"),
			cols: rapid.IntRange(4, 200).Draw(t, "cols"),
		}
		win.per = rapid.IntRange(1, 2).Draw(t, "per")
		th := newTheme(asciiTier, false, true)
		r := th.iterations(win)
		lines := r.lines()
		line, labels := []rune(ansi.Strip(lines[0])), ansi.Strip(lines[1])
		if len(line) != win.cols || len(labels) != win.cols {
			t.Fatalf("%d and %d cells, wanted %d", len(line), len(labels), win.cols)
		}
		for _, iter := range countTicks(win.from, win.to, max(2, win.cols/tickWidth)) {
			if col := win.column(iter); string(line[col]) != th.glyph.tick {
				t.Errorf("no tick at %d, column %d: %s", iter, col, string(line))
			}
			if text := human.Count(iter); len(text) <= win.cols && iter == from && !strings.Contains(labels, text) {
				t.Errorf("%s does not stand under %s", text, string(line))
			}
		}
	})
}

// A change has its mark on a line of its own, above the ticks, in the column of its iteration; where nothing was
// changed there is no such line.
func TestMarksOfChanges(t *testing.T) {
	for _, per := range []tier{blockTier, brailleTier, asciiTier} {
		s := scene()
		a, _ := open(t, s, look{tier: per})
		lines := func() []string {
			box := mainOf(a).plotter.box(configpb.Preferences_LOSS, 80, 20, "")
			return strings.Split(ansi.Strip(strings.Join(box, "\n")), "\n")
		}
		if text := strings.Join(lines(), "\n"); strings.ContainsAny(text, "▲^") && per != asciiTier {
			t.Errorf("%v: a mark without a change:\n%s", per, text)
		}
		s.Changes = []session.Change{changed(0, "base_lr", "0.1", "0.01"), changed(5000, "base_lr", "0.01", "0.02")}
		got := lines()
		marks, ticks := []rune(got[len(got)-4]), []rune(got[len(got)-3])
		mark := a.theme.plain("▲")
		for _, tick := range []int{0, 5000} {
			win := steady(mainOf(a).plotter.extent())
			win.cols, win.per = 78-axisRoom, a.theme.perCell()
			col := 1 + axisRoom + win.column(tick)
			if string(marks[col]) != mark || string(ticks[col]) != a.theme.glyph.tick {
				t.Errorf("%v: at %d stand %q and %q:\n%s", per, tick, marks[col], ticks[col], strings.Join(got, "\n"))
			}
		}
	}
}

// The cursor is a line through the plot: in its column each row has it, or a curve.
func TestCursorLine(t *testing.T) {
	for _, per := range []tier{blockTier, brailleTier, asciiTier} {
		a, _ := open(t, scene(), look{tier: per})
		press(a, "v", "left", "left", "left")
		p := plotsOf(a)
		d := p.plotter.gather(p.kind())
		win := p.window()
		lines := p.plotter.draw(d, win, area{w: 100, h: 30, whole: true, cursor: p.cursor})
		win.cols, win.per = 100-axisRoom, a.theme.perCell()
		col := axisRoom + win.column(p.cursor)
		for i, l := range lines[:30-2] {
			if cells := []rune(ansi.Strip(l)); len(cells) <= col || cells[col] == ' ' {
				t.Errorf("%v: row %d has no cursor in column %d: %q", per, i, col, string(cells))
			}
		}
	}
}

// A legend has as many curves as there is room for, and says how many it leaves out.
func TestLegend(t *testing.T) {
	a, _ := open(t, scene(), look{})
	p := plotsOf(a)
	d := plotted{left: 2}
	for i := range 20 {
		var s session.Series
		s.Add(0, 1)
		d.curves = append(d.curves, curve{name: fmt.Sprintf("layer%02d", i), series: s, char: letter(i), named: true})
	}
	for w := range 200 {
		text := ansi.Strip(p.legend(&d, w))
		named := strings.Count(text, "layer")
		if w >= 20 && ansi.StringWidth(text) > w {
			t.Fatalf("%d cells for %d: %q", ansi.StringWidth(text), w, text)
		}
		if want := fmt.Sprintf("and %d more", 20-named+2); !strings.Contains(text, want) {
			t.Errorf("%q does not say %q", text, want)
		}
	}
	if text := ansi.Strip(p.legend(&d, 120)); !strings.HasPrefix(text, "a layer00   b layer01") {
		t.Errorf("%q", text)
	}
}

// In a plot without colours each curve has a form of its own, or a letter at its end.
func TestCurvesDifferWithoutColours(t *testing.T) {
	s := scene()
	tested(s)
	other := &session.History{}
	for i := range 100 {
		other.Loss.Add(100*i, 0.05)
	}
	for _, per := range []tier{blockTier, brailleTier, asciiTier} {
		a, _ := openWith(
			t,
			s,
			look{tier: per, noColor: true},
			Options{Compare: []Compared{{Name: "earlier", History: other}}},
		)
		press(a, "v", "O")
		text := ansi.Strip(frame(a, 120, 40))
		plot, _, _ := strings.Cut(text, "earlier")
		if !strings.Contains(plot, "a") || !strings.Contains(text, "a earlier") {
			t.Errorf("%v: the other run has no letter:\n%s", per, text)
		}
	}
}

// Each plot that the preferences know is drawn on the main screen, whatever is known of the run.
func TestEachPlotOnTheMainScreen(t *testing.T) {
	for number, name := range configpb.Preferences_Plot_name {
		for _, prepare := range []func(*session.Snapshot){
			func(*session.Snapshot) {}, onGPU, func(s *session.Snapshot) { s.Layers, s.Hyper.Layers = nil, nil },
			func(s *session.Snapshot) { layerHistories(s); tested(s) },
		} {
			s := scene()
			prepare(s)
			p := config.DefaultPreferences()
			p.Plot = []configpb.Preferences_Plot{plotKind(number)}
			a, _ := openWith(t, s, look{}, Options{Preferences: p})
			text := ansi.Strip(frame(a, 120, 40))
			if title := plotDefs[plotKind(number)].title; title == "" || !strings.Contains(text, "╭ "+title+" ") {
				t.Errorf("%s is not drawn as %q:\n%s", name, title, text)
			}
		}
	}
}
