package tui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
)

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

// BenchmarkTick looks at the run and draws, on every screen, with a long journal.
func BenchmarkTick(b *testing.B) {
	for id := range screenCount {
		s := scene()
		conv1(s)
		measured(s)
		planned(s)
		descending(s)
		for range 300 {
			s.Events = append(s.Events, told(12470, "test  accuracy 0.9909  loss 0.0310"))
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
