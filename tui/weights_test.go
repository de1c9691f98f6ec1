package tui

import (
	"fmt"
	"strings"
	"testing"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/model/session"
)

// evenMap is a picture whose points keep these parts of their weights.
func evenMap(kept ...float64) *session.Picture {
	p := &session.Picture{Rows: 1000, Cols: 1000, Area: session.Area{Height: 1, Width: len(kept)},
		Mean: make([]int8, len(kept))}
	for _, k := range kept {
		p.Kept = append(p.Kept, byte(k*255+0.5))
	}
	return p
}

// The shades of a map reach to its densest point, and its legend says to how much that is.
func TestMapShades(t *testing.T) {
	for _, c := range []struct {
		kept   []float64
		legend string
		steps  []int
	}{
		{[]float64{0, 0.2, 0.5, 0.9, 1}, "25 50 75 100", []int{0, 1, 2, 4, 4}},
		{[]float64{0, 0.02, 0.09}, "2.5 5 7.5 10", []int{0, 1, 4}},
		{[]float64{0, 0.004}, "0.25 0.5 0.75 1", []int{0, 2}},
		{[]float64{0}, "25 50 75 100", []int{0}},
	} {
		for _, mono := range []bool{false, true} {
			th := newTheme(blockTier, false, mono)
			pic := evenMap(c.kept...)
			s := th.shadingOf(pic)
			for i, want := range c.steps {
				kept, _ := pic.At(0, i)
				if got := s.step(kept); got != want {
					t.Errorf("of %v, %g has shade %d, wanted %d", c.kept, c.kept[i], got, want)
				}
			}
			legend := ansi.Strip(th.mapLegend(s))
			_, rest, _ := strings.Cut(legend, "kept: ")
			var numbers []string
			for w := range strings.FieldsSeq(rest) {
				if strings.ContainsAny(w, "0123456789") {
					numbers = append(numbers, w)
				}
			}
			if got := strings.Join(numbers, " "); got != c.legend {
				t.Errorf("the legend of %v says %s, wanted %s: %s", c.kept, got, c.legend, legend)
			}
		}
	}
}

// Without colours a denser point has more dots in braille, and another shade or letter elsewhere.
func TestMapWithoutColours(t *testing.T) {
	for _, tr := range []tier{blockTier, brailleTier, asciiTier} {
		th := newTheme(tr, false, true)
		seen := map[string]float64{}
		for _, kept := range []float64{0, 0.2, 0.45, 0.7, 1} {
			// a map of one density, and one point of all, so that the scale is the same
			pic := evenMap(1)
			pic.Area.Height, pic.Area.Width = 8, 4
			pic.Kept, pic.Mean = nil, make([]int8, 32)
			for i := range 32 {
				k := kept
				if i == 31 {
					k = 1
				}
				pic.Kept = append(pic.Kept, byte(k*255+0.5))
			}
			line := th.drawMap(pic)[0]
			if before, ok := seen[line]; ok {
				t.Errorf("%v: %g and %g look the same: %q", tr, before, kept, line)
			}
			seen[line] = kept
			if kept > 0 && strings.TrimSpace(line) == "" {
				t.Errorf("%v: %g kept is blank", tr, kept)
			}
		}
	}
}

// A layer of many weights is drawn by what its points keep, with the scale under the map.
func TestMapHasScale(t *testing.T) {
	for _, l := range []look{{blockTier, false}, {brailleTier, false}, {brailleTier, true}, {asciiTier, true}} {
		s := scene()
		conv1(s)
		a, _ := open(t, s, l)
		press(a, "i", "tab")
		text := ansi.Strip(frame(a, 120, 40))
		if !strings.Contains(text, "100") || !strings.Contains(text, "blank: pruned   kept:") {
			t.Errorf("%v has no scale:\n%s", fmt.Sprint(l), text)
		}
	}
}
