package tui

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/gpu"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// cell is a cell of the screen: what stands there, and its style in words, "" for none.
type cell struct{ text, style string }

// cells reads a line as a terminal does.
func cells(line string) []cell {
	var out []cell
	var pen pen
	state := byte(0)
	for len(line) > 0 {
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		line, state = line[n:], next
		switch {
		case width > 0:
			out = append(out, cell{seq, pen.String()})
			for range width - 1 {
				out = append(out, cell{"", pen.String()})
			}
		case strings.HasPrefix(seq, "\x1b[") && strings.HasSuffix(seq, "m"):
			pen.set(strings.Split(seq[2:len(seq)-1], ";"))
		}
	}
	return out
}

// pen is the style in which a terminal writes.
type pen struct{ form, fore, back string }

// set takes in the parameters of a style.
func (p *pen) set(params []string) {
	for len(params) > 0 {
		n := 1
		switch params[0] {
		case "", "0":
			*p = pen{}
		case "1":
			p.form += " bold"
		case "2":
			p.form += " dim"
		case "7": // the cursor
			p.form += " reverse"
		case "38", "48":
			colour := "colour " + params[2]
			if n = 3; params[1] == "2" {
				n, colour = 5, "#"
				for _, part := range params[2:5] {
					v, _ := strconv.Atoi(part)
					colour += fmt.Sprintf("%02X", v)
				}
			}
			if params[0] == "38" {
				p.fore = colour
			} else {
				p.back = "on " + colour
			}
		default:
			panic("a style that no screen has: " + params[0])
		}
		params = params[n:]
	}
}

func (p pen) String() string {
	return strings.Join(strings.Fields(p.form+" "+p.fore+" "+p.back), " ")
}

// styleNames are letters for the styles of a theme.
func styleNames(t *theme) map[string]rune {
	names := map[string]rune{"": ' '}
	for _, s := range []struct {
		letter rune
		text   string
	}{
		{'d', t.dim.Render("x")}, {'b', t.title.Render("x")}, {'a', t.accent.Render("x")}, {'g', t.good.Render("x")},
		{'w', t.warn.Render("x")}, {'m', t.marked.Render("x")},
	} {
		if style := cells(s.text)[0].style; names[style] == 0 {
			names[style] = s.letter
		}
	}
	return names
}

// styled is a screen with its styles: under each line that has some, a line with a letter for each cell's style. The
// letters come first: d dim, b bold, a accent, g good, w warn, m marked, digits for what is no style of the theme.
func styled(t *theme, frame string) string {
	names := styleNames(t)
	var body, legend strings.Builder
	used, others := map[string]bool{"": true}, '1'
	for line := range strings.SplitSeq(frame, "\n") {
		var letters strings.Builder
		for _, c := range cells(line) {
			if names[c.style] == 0 {
				names[c.style] = others
				others++
			}
			if !used[c.style] {
				used[c.style] = true
				fmt.Fprintf(&legend, "%c %s\n", names[c.style], c.style)
			}
			letters.WriteRune(names[c.style])
		}
		fmt.Fprintf(&body, "%s\n", strings.TrimRight(ansi.Strip(line), " "))
		if s := strings.TrimRight(letters.String(), " "); s != "" {
			fmt.Fprintf(&body, "%s\n", s)
		}
	}
	return legend.String() + body.String()
}

// themes are those that look different.
var themes = []struct {
	name        string
	light, mono bool
}{{"dark", false, false}, {"light", true, false}, {"mono", false, true}}

// Golden screens with their styles, in each theme.
func TestStyles(t *testing.T) {
	want := map[string]bool{"main": true, "drafted": true, "scoped": true, "dying": true, "filters": true,
		"sensitivity": true, "journal": true, "autopilot_rejected": true, "autopilot_paused": true, "frontier": true,
		"ship":     true,
		"settings": true, "states": true, "palette": true, "quit": true}
	for _, sc := range scenes {
		if !want[sc.name] {
			continue
		}
		delete(want, sc.name)
		for _, th := range themes {
			s := scene()
			if sc.scene != nil {
				sc.scene(s)
			}
			a, _ := open(t, s, look{noColor: th.mono})
			a.theme = newTheme(blockTier, th.light, th.mono)
			a.Update(tea.WindowSizeMsg{Width: 80, Height: 24})
			if sc.prepare != nil {
				sc.prepare(a)
			}
			golden(t, "styles_"+sc.name+"_"+th.name, styled(&a.theme, a.View().Content))
		}
	}
	if len(want) > 0 {
		t.Errorf("no scenes %v", want)
	}
}

// In the histogram dim means "would be pruned": in every theme and with every set of glyphs, the bars of the weights
// that the next surgery would prune are dim and no others are, wherever the handle is moved. Under the seed rule they
// are those left of the handle; the paper rule prunes to nine tenths of its threshold.
func TestDimWouldBePruned(t *testing.T) {
	for _, th := range themes {
		for tr := range tiers {
			for _, rule := range []gpu.Rule{gpu.SeedRule, gpu.PaperRule} {
				a, _ := open(t, ruled(rule), look{})
				a.theme = newTheme(tr, th.light, th.mono)
				a.Update(tea.WindowSizeMsg{Width: 100, Height: 40})
				t.Run(fmt.Sprintf("%s %v rule %d", th.name, tr, rule), func(t *testing.T) { testDim(t, a, rule) })
			}
		}
	}
}

func testDim(t *testing.T, a *App, rule gpu.Rule) {
	before := -1
	for range 5 {
		handle, dim, rest := histogram(t, a)
		pruned := a.sel.layer().Histogram.Pruned(mainOf(a).choices.threshold(a.sel.layer()))
		nearest := float64(pruned) / perBin * gpu.HistogramWidth // of those that stay
		want := 5 + position(nearest, 0, 3, 52)
		if rule == gpu.SeedRule && handle != want {
			t.Errorf("the handle is at %d, weights are pruned up to cell %d", handle, want)
		}
		if dim != want-1 || rest != want {
			t.Errorf("dim to cell %d, not dim from cell %d, weights are pruned up to cell %d\n%s",
				dim, rest, want, a.View().Content)
		}
		if dim <= before {
			t.Errorf("dim to cell %d with a higher threshold, %d before", dim, before)
		}
		before = dim
		press(a, "L", "L", "L")
	}
}

// perBin is how many weights of the test's layer are at each distance.
const perBin = 2

// ruled is a scene whose first layer has a rule, weights at every distance and a low threshold.
func ruled(rule gpu.Rule) *session.Snapshot {
	s := scene()
	l := &s.Layers[0]
	l.Rule, s.Hyper.Layers[0].Rule, s.Hyper.Layers[0].Threshold = rule, rule, 0.4
	r := &gpu.SurgeryResult{
		Sigma:    0.05,
		KeptAt:   make([]uint32, gpu.HistogramBins),
		PrunedAt: make([]uint32, gpu.HistogramBins),
	}
	for i := range gpu.HistogramBins {
		r.KeptAt[i] = perBin
	}
	l.Histogram = solver.NewHistogram(rule, r)
	return s
}

// histogram returns where the editor has the handle of its slider, the last bar that is dim and the first that is not.
func histogram(t *testing.T, a *App) (handle, dim, rest int) {
	t.Helper()
	handle, dim, rest = -1, -1, 1000
	for line := range strings.SplitSeq(a.View().Content, "\n") {
		row := cells(line)[:62] // of the left column
		isSlider := func(c cell) bool { return c.text == a.theme.glyph.handle }
		text := ansi.Strip(line)
		switch at := slices.IndexFunc(row, isSlider); {
		case strings.Contains(text, "95 %"): // the labels of the presets
		case handle < 0:
			handle = at
		case strings.Contains(text, "sparsity "):
			if dim < 0 || rest == 1000 {
				t.Fatalf("no histogram with dim and other bars:\n%s", a.View().Content)
			}
			return handle, dim, rest
		default:
			for i, c := range row[2 : len(row)-2-len(" 3s|w|")] { // within frame, margin and what stands at the right
				switch {
				case strings.TrimSpace(c.text) == "":
				case c.style == "dim":
					dim = max(dim, 2+i)
				default:
					rest = min(rest, 2+i)
				}
			}
		}
	}
	t.Fatalf("no editor:\n%s", a.View().Content)
	return 0, 0, 0
}
