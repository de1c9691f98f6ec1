// Package draw draws a net: as DOT for graphviz, or as SVG laid out here.
package draw

import (
	"fmt"
	"io"
	"strings"

	"dns-tui/caffe"
	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model"
)

// Graph is a net to draw.
type Graph struct {
	Name   string
	Layers []model.LayerInfo
	// Kept and Total are the parameters of a layer that are not pruned, and all, by name; empty without weights.
	Kept, Total map[string]int
}

// New returns the graph of a net, with what a caffemodel keeps of each layer where weights is not nil.
func New(name string, layers []model.LayerInfo, weights []model.LayerWeights) *Graph {
	g := &Graph{Name: name, Layers: layers, Kept: map[string]int{}, Total: map[string]int{}}
	for _, w := range weights {
		g.Kept[w.Name], g.Total[w.Name] = w.Kept, w.Total
	}
	return g
}

// edge leads from a layer to one that reads its top.
type edge struct {
	from, to int
	label    string
}

// edges are the blobs that flow. A layer in place stands between the one that made a blob and those that follow.
func (g *Graph) edges() []edge {
	made := map[string]int{}
	shape := map[string]string{}
	var out []edge
	for i, l := range g.Layers {
		for _, b := range l.Bottom {
			if from, ok := made[b]; ok {
				out = append(out, edge{from, i, strings.TrimSpace(escape.Line(b) + " " + shape[b])})
			}
		}
		for k, t := range l.Top {
			made[t], shape[t] = i, ""
			if k < len(l.Shapes) {
				shape[t] = caffe.FormatShape(l.Shapes[k])
			}
		}
	}
	return out
}

// lines are the text of a layer's box.
func (g *Graph) lines(l model.LayerInfo) []string {
	lines := []string{escape.Line(l.Name), escape.Line(l.Type)}
	if l.Count > 0 {
		lines = append(lines, human.Count(l.Count)+" parameters")
	} else if l.Shared {
		lines = append(lines, "shared parameters")
	}
	if s, ok := g.sparsity(l.Name); ok {
		lines = append(lines, fmt.Sprintf("%.2f %% pruned", 100*s))
	}
	return lines
}

// sparsity is the fraction of a layer's parameters that are pruned.
func (g *Graph) sparsity(layer string) (float64, bool) {
	total := g.Total[layer]
	if total == 0 {
		return 0, false
	}
	return 1 - float64(g.Kept[layer])/float64(total), true
}

// shade is the fill of a box: white where nothing is known, darker blue the more is kept.
func (g *Graph) shade(layer string) string {
	s, ok := g.sparsity(layer)
	if !ok {
		return "#ffffff"
	}
	const r, gr, b = 120, 170, 220
	mix := func(c int) int { return 255 - int(float64(255-c)*(0.15+0.85*(1-s))) }
	return fmt.Sprintf("#%02x%02x%02x", mix(r), mix(gr), mix(b))
}

// DOT writes the graph for graphviz.
func (g *Graph) DOT(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(
		&b,
		"digraph %s {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fontname=\"Helvetica\"];\n  edge "+
			"[fontname=\"Helvetica\", fontsize=10];\n",
		escape.DOT(g.Name),
	)
	for i, l := range g.Layers {
		fmt.Fprintf(
			&b,
			"  n%d [label=%s, fillcolor=%q];\n",
			i,
			escape.DOT(strings.Join(g.lines(l), "\n")),
			g.shade(l.Name),
		)
	}
	for _, e := range g.edges() {
		fmt.Fprintf(&b, "  n%d -> n%d [label=%s];\n", e.from, e.to, escape.DOT(e.label))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
