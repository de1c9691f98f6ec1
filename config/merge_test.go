package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/gpu"
)

// A run that goes on: whose settings hold, and what is told.
func TestMerge(t *testing.T) {
	with := func(h *Hyper, pairs ...string) *Hyper {
		for i := 0; i < len(pairs); i += 2 {
			var err error
			if h, _, err = set(h, pairs[i], pairs[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		return h
	}
	base := hyper()
	for _, c := range []struct {
		name             string
		saved, then, now *Hyper
		by               Precedence
		want             *Hyper
		notes            []string
	}{
		{"nothing changed", base, base, base, ByEdit, base, nil},
		{"edited", base, base, with(base, "base_lr", "1e-5", "conv1.threshold", "1"), ByEdit,
			with(base, "base_lr", "1e-5", "conv1.threshold", "1"),
			[]string{"base_lr 0.01 → 1e-05: the files were edited", "conv1.threshold 0.6 → 1: the files were edited"}},
		{"set live", with(base, "lr_mult", "0.5", "block.ip.c_rate", "2"), base, base, ByEdit,
			with(base, "lr_mult", "0.5", "block.ip.c_rate", "2"),
			[]string{"kept: lr_mult 0.5 (files: 1), block.ip.c_rate 2 (files: -0.5)"}},
		{"edited and set live", with(base, "momentum", "0.5"), base, with(base, "momentum", "0.8"), ByEdit,
			with(base, "momentum", "0.8"),
			[]string{"momentum 0.9 → 0.8: the files were edited since the snapshot; the 0.5 that was set in the run " +
				"does not hold"}},
		{
			"edited to what was set live",
			with(base, "momentum", "0.5"),
			base,
			with(base, "momentum", "0.5"),
			ByEdit,
			with(base, "momentum", "0.5"),
			nil,
		},
		{"set live and edited, by the snapshot", with(base, "momentum", "0.5"), base,
			with(base, "momentum", "0.8"), BySnapshot, with(base, "momentum", "0.5"),
			[]string{"momentum is 0.5 by the snapshot, though the files were edited from 0.9 to 0.8"}},
		{
			"set live, by the files",
			with(base, "momentum", "0.5"),
			base,
			base,
			ByFiles,
			base,
			[]string{"momentum is 0.9 by the files; it was set to 0.5"},
		},
		{
			"an older snapshot",
			with(base, "momentum", "0.5"),
			nil,
			base,
			ByEdit,
			with(base, "momentum", "0.5"),
			[]string{"kept: momentum 0.5 (files: 0.9)"},
		},
		{
			"an older snapshot, by the files",
			with(base, "momentum", "0.5"),
			nil,
			base,
			ByFiles,
			base,
			[]string{"momentum is 0.9 by the files; it was 0.5 in the snapshot"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := []*Hyper{c.saved.clone(), c.now.clone()}
			got, notes, kept := Merge(c.saved, c.then, c.now, c.by)
			if kept != nil {
				notes = append(notes, "kept: "+strings.Join(kept, ", "))
			}
			if d := cmp.Diff(c.want, got); d != "" {
				t.Error(d)
			}
			if d := cmp.Diff(before, []*Hyper{c.saved, c.now}); d != "" {
				t.Errorf("an operand changed: %s", d)
			}
			if len(notes) != len(c.notes) {
				t.Fatalf("notes %q, wanted %q", notes, c.notes)
			}
			for i, want := range c.notes {
				if !strings.HasPrefix(notes[i], want) {
					t.Errorf("note %q, wanted %q", notes[i], want)
				}
			}
		})
	}
	t.Run("layers that came and went", func(t *testing.T) {
		saved := &Hyper{
			LRMult: 1,
			Stop:   Never,
			Layers: []LayerHyper{{Name: "gone"}, {Name: "ruled", Rule: gpu.PaperRule, Threshold: 2}},
		}
		now := &Hyper{
			LRMult: 1,
			Stop:   Never,
			Layers: []LayerHyper{{Name: "new", Threshold: 1}, {Name: "ruled", Threshold: 1}},
		}
		got, notes, _ := Merge(saved, saved, now, ByEdit)
		if d := cmp.Diff(now, got); d != "" {
			t.Error(d)
		}
		want := []string{
			"new is not in the snapshot's settings: the files' hold",
			"ruled has a different surgery_rule in the snapshot: the files' settings hold",
		}
		if d := cmp.Diff(want, notes); d != "" {
			t.Error(d)
		}
	})
}
