package draw

import (
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"

	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/modeltest"

	"dns-tui/caffe/caffepb"
)

func graph(t *testing.T, name string) *Graph {
	t.Helper()
	n, err := model.NewNet(
		modeltest.ReadNet(t, name, 1),
		model.NetOptions{Device: gpu.NewDry(nil), State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}},
	)
	if err != nil {
		t.Fatal(err)
	}
	return New(n.Name, n.Layers(), []model.LayerWeights{{Name: "conv1", Kept: 100, Total: 400}})
}

// In every net no two boxes overlap, every edge leads down, and the picture is sound XML.
func TestLayout(t *testing.T) {
	for _, e := range modeltest.Examples {
		g := graph(t, e.Name)
		rows, paths := g.place()
		boxes := 0
		var above float64
		for _, row := range rows {
			low := above
			for i, b := range row {
				if b.y < low {
					t.Errorf("%s: a row at %g reaches into the one above, which ends at %g", e.Name, b.y, low)
				}
				above = max(above, b.y+b.h)
				if i > 0 && row[i-1].x+row[i-1].w/2 > b.x-b.w/2 {
					t.Errorf("%s: boxes at %g and %g overlap", e.Name, row[i-1].x, b.x)
				}
				if b.layer >= 0 {
					boxes++
				}
			}
		}
		if boxes != len(g.Layers) {
			t.Errorf("%s: %d boxes for %d layers", e.Name, boxes, len(g.Layers))
		}
		for _, p := range paths {
			for i := 1; i < len(p.boxes); i++ {
				if p.boxes[i].row != p.boxes[i-1].row+1 {
					t.Errorf("%s: an edge from row %d to %d", e.Name, p.boxes[i-1].row, p.boxes[i].row)
				}
			}
		}
		var b strings.Builder
		if err := g.SVG(&b); err != nil {
			t.Fatal(err)
		}
		d := xml.NewDecoder(strings.NewReader(b.String()))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%s: %v", e.Name, err)
			}
		}
	}
}

func TestDOT(t *testing.T) {
	var b strings.Builder
	if err := graph(t, "siamese").DOT(&b); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`digraph "MNIST-Siamese" {`,
		`n2 [label="conv1\nConvolution\n520 parameters\n75.00 % pruned"`,
		`n10 [label="conv1_p\nConvolution\nshared parameters", fillcolor="#ffffff"];`,
		`n1 -> n2 [label="data 1x1x28x28"];`, `n1 -> n10 [label="data_p 1x1x28x28"];`,
		`n0 -> n18 [label="sim 1"];`,
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %s in\n%s", want, b.String())
		}
	}
}
