package main

import (
	"fmt"
	"io"
	"strings"

	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/compare"
	"dns-tui/model/ship"
)

// print prints two weights files side by side.
func (c *comparedWeights) print(w io.Writer, f *compareFlags, d *gpu.Device) {
	a, b := &c.sides[0], &c.sides[1]
	for i, s := range []*comparedSide{a, b} {
		of := ""
		if a.model != b.model {
			of = ", on " + s.model
		}
		escape.Fprintf(w, "%s: %s%s\n", "AB"[i:i+1], s.path, of)
	}
	escape.Fprintf(w, "net %q, phase %s, %s of %d\n\n", a.net.Name, f.phase, count(f.iterations, "batch"), c.batch)
	c.printOutputs(w, f.all)
	c.printSizes(w)
	c.printLayers(w)
	if f.sparse {
		for i, s := range []*comparedSide{a, b} {
			escape.Fprintf(w, "\n%s, how products are done that leave zeros out:\n", "AB"[i:i+1])
			describePrepared(w, s.products)
		}
	}
	escape.Fprintf(w, "\ntimes: medians of %s forward of each, A and B in turn, on the %s\n",
		count(f.iterations, "pass"), d.Name())
}

func (c *comparedWeights) printOutputs(w io.Writer, all bool) {
	outputs, leftOut := c.outputs()
	rows := [][]string{{"output", "A", "B", "B - A"}}
	names := make([]string, len(outputs))
	for i, o := range outputs {
		names[i] = o.Name
	}
	var more []string
	for _, l := range model.List(names, all) {
		o := outputs[l.Index]
		if l.More != "" {
			more = append(more, l.More)
		}
		row := []string{l.Name}
		for _, v := range o.values {
			if v == nil {
				row = append(row, "")
			} else {
				row = append(row, fmt.Sprintf("%.6g", *v))
			}
		}
		if o.values[0] != nil && o.values[1] != nil {
			row = append(row, fmt.Sprintf("%.4g", *o.values[1]-*o.values[0]))
		}
		rows = append(rows, row)
	}
	if len(outputs) > 0 {
		printColumns(w, 1, rows)
		for _, text := range more {
			escape.Fprintln(w, text+allNumbers)
		}
		escape.Fprintln(w)
	}
	if leftOut > 0 {
		escape.Fprintf(w, "accuracy and loss are left out: on random data they mean nothing\n\n")
	}
}

func (c *comparedWeights) printSizes(w io.Writer) {
	a, b := &c.sides[0], &c.sides[1]
	rows := [][]string{{"", "A", "B", "A / B"}}
	add := func(name, format string, x, y float64) {
		row := []string{name}
		for _, v := range []float64{x, y} {
			if format == "" {
				row = append(row, human.Count(int(v)))
			} else {
				row = append(row, fmt.Sprintf(format, v))
			}
		}
		if y > 0 {
			row = append(row, fmt.Sprintf("%.2f", x/y))
		}
		rows = append(rows, row)
	}
	bytes := func(name string, of func(*comparedSide) int64) { add(name, "", float64(of(a)), float64(of(b))) }
	bytes("bytes on disk", func(s *comparedSide) int64 { return s.bytes })
	bytes("bytes of export's caffemodel", func(s *comparedSide) int64 { return s.weights.Bytes.Caffemodel })
	bytes("bytes of export's compact file", func(s *comparedSide) int64 { return s.weights.Bytes.Compact })
	bytes("bytes of export's safetensors", func(s *comparedSide) int64 { return s.weights.Bytes.Safetensors })
	all, kept := c.totals()
	add("parameters", "", float64(all[0]), float64(all[1]))
	add("parameters that are not zero", "", float64(kept[0]), float64(kept[1]))
	macs := func(name string, of func(ship.MACs) float64) { add(name, "", of(a.macs), of(b.macs)) }
	macs("multiply-accumulates an image", func(m ship.MACs) float64 { return m.Dense })
	macs("without those of zeros", func(m ship.MACs) float64 { return m.Kept })
	add("ms a pass, dense", "%.4f", milliseconds(a.times.Dense), milliseconds(b.times.Dense))
	if a.prepared && b.prepared {
		add("ms a pass, zeros left out", "%.4f", milliseconds(a.times.Pass), milliseconds(b.times.Pass))
	}
	printColumns(w, 1, rows)
	escape.Fprintln(w)
}

// totals are the parameters of both nets, and those that are not zero.
func (c *comparedWeights) totals() (all, kept [2]int) {
	for _, l := range c.layers {
		for i, s := range []*compare.Side{l.A, l.B} {
			if s != nil {
				all[i], kept[i] = all[i]+s.Entries, kept[i]+s.Kept
			}
		}
	}
	return all, kept
}

func (c *comparedWeights) printLayers(w io.Writer) {
	rows := [][]string{{
		"layer", "type", "entries", "kept A", "kept B", "B - A", "in both", "only A", "only B", "largest", "rms",
	}}
	var notCompared []*compare.Layer
	for i := range c.layers {
		l := &c.layers[i]
		if rows = append(rows, layerRow(l)); l.Both == nil {
			notCompared = append(notCompared, l)
		}
	}
	printColumns(w, 2, rows)
	for _, l := range notCompared {
		escape.Fprintf(w, "not compared: %s: %s\n", l.Name, l.Why)
	}
}

// layerRow is a layer's row of the table. What a layer keeps is said of those that can be pruned.
func layerRow(l *compare.Layer) []string {
	row := []string{l.Name, l.Type, entriesOf(l), "", "", "", "", "", "", "", ""}
	if l.Prunable {
		for i, s := range []*compare.Side{l.A, l.B} {
			if s != nil {
				row[3+i] = human.Count(s.Kept)
			}
		}
		if l.A != nil && l.B != nil {
			row[5] = human.Count(l.B.Kept - l.A.Kept)
		}
	}
	if b := l.Both; b != nil {
		if l.Prunable {
			row[6], row[7], row[8] = human.Count(b.InBoth), human.Count(b.OnlyA), human.Count(b.OnlyB)
		}
		row[9], row[10] = fmt.Sprintf("%.4g", b.Largest), fmt.Sprintf("%.4g", b.RMS)
	}
	return row
}

// entriesOf is how many entries a layer has: "20 → 11" where B has another number.
func entriesOf(l *compare.Layer) string {
	switch {
	case l.A == nil:
		return "0 → " + human.Count(l.B.Entries)
	case l.B == nil:
		return human.Count(l.A.Entries) + " → 0"
	case l.A.Entries != l.B.Entries:
		return human.Count(l.A.Entries) + " → " + human.Count(l.B.Entries)
	}
	return human.Count(l.A.Entries)
}

// printColumns prints rows of cells, the first columns to the left, all others to the right.
func printColumns(w io.Writer, left int, rows [][]string) {
	width := func(cell string) int { return len([]rune(escape.Line(cell))) }
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(cell))
		}
	}
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			room := strings.Repeat(" ", widths[i]-width(cell))
			if cells[i] = room + cell; i < left {
				cells[i] = cell + room
			}
		}
		escape.Fprintln(w, strings.TrimRight(strings.Join(cells, "  "), " "))
	}
}
