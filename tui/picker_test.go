package tui

import (
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
)

var someOffers = []Offer{
	{"run", "lenet_solver-4711", "LeNet, running at iteration 1,200 of 6,000, 12.50 % kept", "attaches to it",
		"dns-tui attach lenet_solver-4711"},
	{"snapshot", "lenet_iter_2000.solverstate", "iteration 2,000 of 6,000, lenet_solver.prototxt", "goes on from it",
		"dns-tui lenet_solver.prototxt --snapshot lenet_iter_2000.solverstate"},
	{"solver", "lenet_solver.prototxt", "lenet.prototxt, 6,000 iterations, pruned to 100x", "starts a run",
		"dns-tui lenet_solver.prototxt"},
	{"net", "evil\x1b[31m\u202e.prototxt", "a net that no solver here trains",
		"asks five questions, writes a solver", "dns-tui new 'evil'"},
}

func manyOffers(n int) []Offer {
	var out []Offer
	for i := range n {
		o := someOffers[2]
		o.Name = fmt.Sprintf("a_solver_with_a_name_that_is_rather_long_%03d.prototxt", i)
		out = append(out, o)
	}
	return out
}

// pickerOn is a picker with a set of glyphs on a terminal of a size.
func pickerOn(offers []Offer, l look, w, h int) *Picker {
	o := Options{Preferences: config.DefaultPreferences(), UTF8: true, NoColor: l.noColor}
	p := NewPicker(o, "In this folder", "dns-tui new NET.prototxt writes a solver; dns-tui help lists commands", offers)
	p.theme = newTheme(l.tier, false, l.noColor)
	p.Update(tea.WindowSizeMsg{Width: w, Height: h})
	return p
}

func TestPickerScreens(t *testing.T) {
	for _, l := range []look{{blockTier, false}, {asciiTier, false}, {blockTier, true}} {
		var all strings.Builder
		for _, size := range sizes {
			for _, offers := range [][]Offer{someOffers, manyOffers(54)} {
				p := pickerOn(offers, l, size[0], size[1])
				pick(p, tea.KeyDown)
				fmt.Fprintf(&all, "%dx%d\n%s\n", size[0], size[1], p.View().Content)
			}
		}
		golden(t, "picker_"+l.String(), all.String())
		if l.noColor && colours.MatchString(all.String()) {
			t.Errorf("colours though none are wanted: %q", colours.FindString(all.String()))
		}
	}
}

// escTwice is esc, pressed twice, as a terminal tells it.
const escTwice = rune(-1)

func pick(p *Picker, keys ...rune) tea.Cmd {
	var cmd tea.Cmd
	for _, k := range keys {
		key := tea.KeyPressMsg{Code: k}
		if k == escTwice {
			key = tea.KeyPressMsg{Code: tea.KeyEscape, Mod: tea.ModAlt}
		}
		_, cmd = p.Update(key)
	}
	return cmd
}

// Every size is filled exactly, in ASCII with nothing else.
func TestPickerFits(t *testing.T) {
	for _, l := range []look{{blockTier, false}, {asciiTier, true}} {
		for w := 1; w <= 130; w += 7 {
			for h := 1; h <= 40; h += 3 {
				for _, offers := range [][]Offer{someOffers, manyOffers(54), nil} {
					p := pickerOn(offers, l, w, h)
					pick(p, tea.KeyEnd)
					lines := strings.Split(p.View().Content, "\n")
					if len(lines) != h {
						t.Fatalf("%dx%d: %d lines", w, h, len(lines))
					}
					for _, line := range lines {
						plain := ansi.Strip(line)
						if ansi.StringWidth(line) != w || strings.ContainsAny(plain, "\x1b\u202e") {
							t.Fatalf("%dx%d: %q", w, h, line)
						}
						if l.tier == asciiTier && strings.IndexFunc(plain, func(r rune) bool { return r > 126 }) >= 0 {
							t.Fatalf("%dx%d: %q is not ASCII", w, h, plain)
						}
					}
				}
			}
		}
	}
}

func TestPickerKeys(t *testing.T) {
	for _, c := range []struct {
		keys   []rune
		want   int
		picked bool
	}{
		{[]rune{tea.KeyEnter}, 0, true},
		{[]rune{tea.KeyDown, tea.KeyDown, tea.KeyUp, tea.KeyEnter}, 1, true},
		{[]rune{'j', 'k', 'k', tea.KeyEnter}, 0, true},
		{[]rune{tea.KeyEnd, tea.KeyDown, tea.KeyEnter}, 53, true},
		{[]rune{tea.KeyPgDown, tea.KeyEnter}, 17, true},
		{[]rune{tea.KeyEnd, tea.KeyHome, tea.KeyEnter}, 0, true},
		{[]rune{tea.KeyDown, 'q'}, 1, false},
		{[]rune{tea.KeyEscape}, 0, false},
		{[]rune{tea.KeyDown, escTwice}, 1, false},
	} {
		p := pickerOn(manyOffers(54), look{}, 80, 24)
		cmd := pick(p, c.keys...)
		got, picked := p.Picked()
		if cmd == nil {
			t.Fatalf("%q: the picker stays", c.keys)
		}
		if _, quits := cmd().(tea.QuitMsg); !quits || got != c.want || picked != c.picked {
			t.Errorf("%q: %d, %t; wanted %d, %t", c.keys, got, picked, c.want, c.picked)
		}
	}
	p := pickerOn(manyOffers(3), look{}, 80, 24)
	_, cmd := p.Update(tea.KeyPressMsg{Code: 'z', Mod: tea.ModCtrl})
	if cmd == nil {
		t.Fatal("ctrl+z does nothing")
	}
	if _, ok := cmd().(tea.SuspendMsg); !ok {
		t.Errorf("ctrl+z: %v", cmd())
	}
	if _, cmd = p.Update(tea.ResumeMsg{}); cmd == nil {
		t.Error("after a suspension nothing is drawn anew")
	}
	p = pickerOn(nil, look{}, 80, 24)
	if cmd := pick(p, tea.KeyEnter); cmd != nil {
		t.Error("enter ends a picker of nothing")
	}
}

func TestLines(t *testing.T) { golden(t, "offers", strings.Join(Lines(someOffers), "\n")) }
