package tui

import (
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
)

var updateGolden = flag.Bool("update", false, "write the golden screens anew")

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
	a, _ = openWith(t, scene(), look{}, Options{Compare: []Compared{{Name: "earlier", History: other}}})
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
		switch rapid.IntRange(0, 11).Draw(rt, "scene") {
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
		case 4:
			descending(s)
		case 5:
			pausedDescent(s)
		case 6:
			annealing(s)
		case 7:
			manyLayers(s)
		case 8:
			searchDescends(s)
		case 9:
			searching(s)
		case 10:
			searchDone(s)
		}
		if len(s.Layers) > 0 {
			conv1(s)
		}
		measured(s)
		planned(s)
		switch rapid.IntRange(0, 3).Draw(rt, "shipped") {
		case 0:
			whatIsShipped(s)
		case 1:
			shippedByThresholds(s)
		case 2:
			s.Shipped = &session.Shipped{Problem: "what was asked for cannot be"}
		}
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
