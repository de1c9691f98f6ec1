package session

import (
	"fmt"
	"math"

	"dns-tui/gpu"
	"dns-tui/model/solver"
)

// Area is a part of a layer's weights, seen as a matrix with a row for each entry of the blob's first axis, and how
// many cells to show it in. Rows and Cols of 0 take all that follow, Height and Width of 0 a cell for each weight.
type Area struct {
	Row, Col, Rows, Cols int
	Height, Width        int
}

// Picture shows weights: what fraction of each cell's is kept, and their mean.
type Picture struct {
	Layer      string
	Shape      []int // of the blob
	Rows, Cols int   // of the whole matrix
	Area       Area  // as it was drawn
	Iter       int
	Kept       []byte  // of each cell, by rows: the fraction kept, 255 for all
	Mean       []int8  // the mean of what is kept, 127 for Max
	Max        float64 // the largest absolute mean
}

// At returns a cell: the fraction kept, 0 to 1, and the mean of what is kept, -1 to 1.
func (p *Picture) At(row, col int) (kept, mean float64) {
	i := row*p.Area.Width + col
	return float64(p.Kept[i]) / 255, float64(p.Mean[i]) / 127
}

// maxCells bounds a picture, lookChunk what is read from the device at once.
const (
	maxCells  = 1 << 16
	lookChunk = 1 << 20
)

// pictureReader has the memory that pictures are read through.
type pictureReader struct {
	onDevice *gpu.Tensor
	values   []float32
}

// read draws the forward weights of a layer, a piece at a time: the largest layer needs no memory of its size.
func (p *pictureReader) read(s *solver.Solver, name string, a Area) (*Picture, error) {
	l := s.Layer(name)
	if l == nil {
		return nil, fmt.Errorf("no layer %q that can be pruned", name)
	}
	w := l.Weights
	pic := &Picture{Layer: name, Shape: w.Shape, Rows: w.Shape[0], Iter: s.Iter}
	pic.Cols = w.Data.N / max(1, pic.Rows)
	var err error
	if pic.Area, err = a.clip(pic.Rows, pic.Cols); err != nil {
		return nil, err
	}
	return pic, p.paint(s.Device(), pic, w.Forward())
}

// clip fits an area into a matrix.
func (a Area) clip(rows, cols int) (Area, error) {
	if a.Row < 0 || a.Row >= rows || a.Col < 0 || a.Col >= cols || a.Rows < 0 || a.Cols < 0 || a.Height < 0 ||
		a.Width < 0 {
		return a, fmt.Errorf("row %d, column %d; wanted a place in %d × %d weights", a.Row, a.Col, rows, cols)
	}
	if a.Rows == 0 || a.Rows > rows-a.Row {
		a.Rows = rows - a.Row
	}
	if a.Cols == 0 || a.Cols > cols-a.Col {
		a.Cols = cols - a.Col
	}
	if a.Height == 0 || a.Height > a.Rows {
		a.Height = a.Rows
	}
	if a.Width == 0 || a.Width > a.Cols {
		a.Width = a.Cols
	}
	if a.Height > maxCells/a.Width {
		return a, fmt.Errorf("%d × %d cells; wanted at most %d in all", a.Height, a.Width, maxCells)
	}
	return a, nil
}

// cellOf returns the cell of the i-th of n weights among so many cells.
func cellOf(i, n, cells int) int { return i * cells / n }

func (p *pictureReader) paint(d *gpu.Device, pic *Picture, w *gpu.Tensor) error {
	a := pic.Area
	if p.onDevice == nil {
		var err error
		if p.onDevice, err = gpu.NewTensor(d, lookChunk); err != nil {
			return err
		}
		p.values = make([]float32, lookChunk)
	}
	cells := a.Height * a.Width
	sum, kept, count := make([]float64, cells), make([]int, cells), make([]int, cells)
	add := func(row, col int, values []float32) {
		line := cellOf(row, a.Rows, a.Height) * a.Width
		for i, v := range values {
			c := line + cellOf(col+i, a.Cols, a.Width)
			count[c]++
			if !gpu.IsPruned(v) {
				kept[c]++
				sum[c] += float64(v)
			}
		}
	}
	for col := 0; col < a.Cols; col += lookChunk {
		width := min(lookChunk, a.Cols-col)
		step := max(1, lookChunk/width)
		for row := 0; row < a.Rows; row += step {
			rows := min(step, a.Rows-row)
			part := p.onDevice.View(0, rows*width)
			d.Copy2D(rows, width, w, (a.Row+row)*pic.Cols+a.Col+col, pic.Cols, part, 0, width)
			values := p.values[:rows*width]
			d.Download(values, part)
			for r := range rows {
				add(row+r, col, values[r*width:][:width])
			}
		}
	}
	if err := d.Sync(); err != nil {
		return err
	}
	pic.Kept, pic.Mean = make([]byte, cells), make([]int8, cells)
	for c := range sum {
		if kept[c] > 0 {
			sum[c] /= float64(kept[c])
			pic.Max = max(pic.Max, math.Abs(sum[c]))
		}
	}
	for c := range sum {
		pic.Kept[c] = byte(math.Round(255 * solver.Fraction(kept[c], count[c])))
		if kept[c] > 0 {
			pic.Kept[c] = max(1, pic.Kept[c]) // a cell with something left is not an empty one
		}
		if pic.Max > 0 && !math.IsNaN(sum[c]) {
			pic.Mean[c] = int8(math.Round(127 * max(-1, min(1, sum[c]/pic.Max))))
		}
	}
	return nil
}
