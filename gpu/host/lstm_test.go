package host

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/gpu"
)

// Gradients of cells by vectors have the bits of those one by one.
func TestCellVectors(t *testing.T) { eachSet(t, checkCellVectors) }

func checkCellVectors(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 30).Draw(t, "cells")
		seed := rapid.Uint64().Draw(t, "seed")
		random := func(stream uint32) []float32 {
			v := make([]float32, n)
			for i := range v {
				v[i] = 2*gpu.Key{Seed: seed, Stream: stream}.Uniform(i) - 1
			}
			return v
		}
		x := gates{random(0), random(1), random(2), random(3)}
		before, c, dc, dh, room := random(4), random(5), random(6), random(7), random(8)
		var results [2][5][]float32
		for way := range results {
			r := &results[way]
			for i := range r {
				r[i] = make([]float32, n)
			}
			d := gates{r[0], r[1], r[2], r[3]}
			step := n
			if way == 1 {
				step = 1
			}
			tanhs(c, room)
			for at := 0; at < n; at += step {
				one := func(v []float32) []float32 { return v[at : at+step] }
				cut := func(g gates) *gates { return &gates{one(g.i), one(g.f), one(g.o), one(g.g)} }
				t := append([]float32(nil), one(room)...)
				cut(x).gradients(cut(d), one(before), one(dc), one(dh), one(r[4]), t)
			}
		}
		for i, have := range results[0] {
			for j, v := range have {
				if want := results[1][i][j]; math.Float32bits(v) != math.Float32bits(want) {
					t.Fatalf("result %d, cell %d of %d: %g, and %g alone", i, j, n, v, want)
				}
			}
		}
	})
}

// The cells of streams that go on are done in one pass, to the bits of passes one after another.
func TestCellsInOnePass(t *testing.T) { eachSet(t, cellsInOnePass) }

func cellsInOnePass(t *testing.T) {
	const n = 37
	key := gpu.Key{Seed: 4}
	random := func() []float32 {
		key.Iter++
		v := make([]float32, n)
		for i := range v {
			v[i] = 6*key.Uniform(i) - 3
		}
		return v
	}
	i, f, o, g, before := random(), random(), random(), random(), random()
	c, h := make([]float32, n), make([]float32, n)
	x := gates{slices.Clone(i), slices.Clone(f), slices.Clone(o), slices.Clone(g)}
	x.forward(before, c, h, 1)
	sigmoids(i, i)
	sigmoids(f, f)
	sigmoids(o, o)
	tanhs(g, g)
	cells, hidden := make([]float32, n), make([]float32, n)
	for j := range n {
		cells[j] = float32(f[j]*before[j]) + float32(i[j]*g[j])
	}
	tanhs(cells, hidden)
	products(o, hidden, hidden)
	for name, v := range map[string][2][]float32{
		"i": {x.i, i}, "f": {x.f, f}, "o": {x.o, o}, "g": {x.g, g}, "c": {c, cells}, "h": {h, hidden},
	} {
		if !slices.Equal(v[0], v[1]) {
			t.Errorf("%s is %g, wanted %g", name, v[0], v[1])
		}
	}
}
