package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model"
)

// profile prints what each layer does in a pass forward and one backward, how fast, and how far that is from its floor.
func profile(ctx context.Context, e *env, n *model.Net, d *gpu.Device, flags *netFlags) error {
	peak, err := model.MeasurePeak(d)
	if err != nil {
		return err
	}
	layers, err := timePasses(ctx, e, flags.iterations, n.Profile)
	if err != nil {
		return err
	}
	head := []string{"layer", "type"}
	for _, pass := range []string{"forward", "backward"} {
		head = append(head, pass+" ms", "GFLOP/s", "GB/s", "floor ms", "of floor")
	}
	rows := [][]string{head}
	var all model.LayerProfile
	var floors [2]time.Duration
	all.Name = "all"
	for _, l := range layers {
		if l.In != "" {
			rows = append(rows, []string{l.Name, l.Type, "in " + l.In})
			continue
		}
		rows = append(rows, append([]string{l.Name, l.Type},
			append(passCells(l.Forward, l.Forward.Floor(peak)), passCells(l.Backward, l.Backward.Floor(peak))...)...))
		for i, p := range []struct{ sum, of *model.PassProfile }{
			{&all.Forward, &l.Forward}, {&all.Backward, &l.Backward},
		} {
			p.sum.Time += p.of.Time
			p.sum.Operations += p.of.Operations
			p.sum.Bytes += p.of.Bytes
			floors[i] += p.of.Floor(peak)
		}
	}
	rows = append(rows, append([]string{all.Name, ""},
		append(passCells(all.Forward, floors[0]), passCells(all.Backward, floors[1])...)...))
	printColumns(e.stdout, 2, rows)
	if text := slowest(layers, peak); text != "" {
		escape.Fprintf(e.stdout, "most above their floors: %s\n", text)
	}
	escape.Fprintf(e.stdout, "mean of %d passes, batch %d, on the %s, which does %.0f GFLOP/s in a product and moves "+
		"%.1f GB/s\n", flags.iterations, n.BatchSize(), d.Name(), peak.Operations/1e9, peak.Bytes/1e9)
	return nil
}

// passCells are a layer's part of a pass: ms, GFLOP/s, GB/s, ms of its floor, and which part of its time that is.
func passCells(p model.PassProfile, floor time.Duration) []string {
	if p.Time == 0 {
		return []string{"", "", "", "", ""}
	}
	rate := func(amount float64) string {
		if amount == 0 {
			return ""
		}
		return fmt.Sprintf("%.1f", amount/p.Time.Seconds()/1e9)
	}
	cells := []string{fmt.Sprintf("%.3f", milliseconds(p.Time)), rate(p.Operations), rate(p.Bytes), "", ""}
	if floor > 0 {
		cells[3] = fmt.Sprintf("%.3f", milliseconds(floor))
		cells[4] = fmt.Sprintf("%.0f %%", 100*floor.Seconds()/p.Time.Seconds())
	}
	return cells
}

// slowest names the parts of a pass whose time is most above their floors.
func slowest(layers []model.LayerProfile, peak model.Peak) string {
	const most = 5
	type part struct {
		name  string
		above time.Duration
	}
	var parts []part
	for _, l := range layers {
		for name, p := range map[string]model.PassProfile{" forward": l.Forward, " backward": l.Backward} {
			if floor := p.Floor(peak); floor > 0 && p.Time > floor {
				parts = append(parts, part{l.Name + name, p.Time - floor})
			}
		}
	}
	slices.SortFunc(parts, func(a, b part) int { return int(b.above - a.above) })
	var out []string
	for _, p := range parts[:min(most, len(parts))] {
		out = append(out, fmt.Sprintf("%s by %s ms", p.name, human.Milliseconds(p.above)))
	}
	return strings.Join(out, ", ")
}
