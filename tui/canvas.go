package tui

import (
	"math"
	"strings"

	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"
	"github.com/guptarohit/asciigraph"
)

// canvas is the cells of a plot. What is drawn later stands over what was before.
type canvas struct {
	cols, rows int
	cells      []canvasCell
}

// canvasCell is a character and its style; 0 is a blank.
type canvasCell struct {
	char  rune
	style *lipgloss.Style
}

func newCanvas(cols, rows int) canvas { return canvas{cols, rows, make([]canvasCell, cols*rows)} }

// put draws a character, unless that is outside.
func (c *canvas) put(col, row int, char rune, style *lipgloss.Style) {
	if col >= 0 && col < c.cols && row >= 0 && row < c.rows {
		c.cells[row*c.cols+col] = canvasCell{char, style}
	}
}

// at is the character of a cell; 0 is a blank.
func (c *canvas) at(col, row int) rune { return c.cells[row*c.cols+col].char }

// blank reports whether so many cells of a row are free.
func (c *canvas) blank(col, row, n int) bool {
	if col < 0 || row < 0 || row >= c.rows || col+n > c.cols {
		return false
	}
	for _, cell := range c.cells[row*c.cols+col : row*c.cols+col+n] {
		if cell.char != 0 {
			return false
		}
	}
	return true
}

// write draws a text in a row.
func (c *canvas) write(col, row int, text string, style *lipgloss.Style) {
	for i, r := range []rune(text) {
		c.put(col+i, row, r, style)
	}
}

// line is a row as the terminal takes it, cells of one style together.
func (c *canvas) line(row int) string {
	var b strings.Builder
	cells := c.cells[row*c.cols : (row+1)*c.cols]
	for i := 0; i < len(cells); {
		end := i
		for end < len(cells) && cells[end].style == cells[i].style && (cells[end].char == 0) == (cells[i].char == 0) {
			end++
		}
		if cells[i].char == 0 {
			b.WriteString(strings.Repeat(" ", end-i))
		} else {
			text := make([]rune, end-i)
			for k := range text {
				text[k] = cells[i+k].char
			}
			b.WriteString(cells[i].style.Render(string(text)))
		}
		i = end
	}
	return b.String()
}

// perCell is how many values stand side by side in a cell.
func (t *theme) perCell() int {
	if t.tier == brailleTier {
		return 2
	}
	return 1
}

// rowOf is the row in which a curve draws a height from 0, the bottom, to 1, of so many rows.
func (t *theme) rowOf(height float64, rows int) int {
	if t.tier == brailleTier {
		return dotOf(height, rows) / 4
	}
	return rows - 1 - int(height*float64(rows-1)+0.5)
}

// dotOf is the line of dots of a height in braille, the first at the top.
func dotOf(height float64, rows int) int {
	tall := rows*4 - 1
	return tall - clamp(int(height*float64(tall)+0.5), tall)
}

// trace draws lines through heights from 0 to 1, perCell of them a column; NaN is a gap.
func (t *theme) trace(c *canvas, curves []curve, heights [][]float64) {
	if t.tier == brailleTier {
		for i, h := range heights {
			c.braille(h, &curves[i].style)
		}
		return
	}
	t.blocks(c, curves, heights)
}

// blocks draws with asciigraph, whose rows are made to be ours: it counts heights in them.
func (t *theme) blocks(c *canvas, curves []curve, heights [][]float64) {
	var drawn [][]float64
	var of []int
	var colours []asciigraph.AnsiColor
	var chars []asciigraph.CharSet
	for i, h := range heights {
		inRows := make([]float64, len(h))
		known := false
		for k, v := range h {
			inRows[k] = v * float64(c.rows-1)
			known = known || !math.IsNaN(v)
		}
		if !known { // asciigraph wants a number in each
			continue
		}
		set := asciigraph.DefaultCharSet
		if t.ascii || t.mono && i < len(heights)-1 { // without colours form tells them apart
			set = asciigraph.CreateCharSet(curves[i].char)
		}
		colours = append(colours, asciigraph.AnsiColor(firstColour+len(of)))
		drawn, of, chars = append(drawn, inRows), append(of, i), append(chars, set)
	}
	if len(drawn) == 0 {
		return
	}
	text := asciigraph.PlotMany(drawn, asciigraph.Height(c.rows-1), asciigraph.LowerBound(0),
		asciigraph.UpperBound(float64(c.rows-1)), asciigraph.SeriesChars(chars...),
		asciigraph.SeriesColors(colours...), asciigraph.Precision(0))
	row := 0
	for line := range strings.SplitSeq(text, "\n") {
		c.take(line, row, func(colour int) *lipgloss.Style { return &curves[of[colour]].style })
		row++
	}
}

// firstColour is the colour that stands for the first curve in what asciigraph draws: the styles are ours.
const firstColour = 16

// take takes over a row that asciigraph drew, without its axis.
func (c *canvas) take(line string, row int, style func(colour int) *lipgloss.Style) {
	col, colour, state := -1, 0, byte(0)
	for len(line) > 0 {
		seq, width, n, next := ansi.DecodeSequence(line, state, nil)
		line, state = line[n:], next
		switch {
		case width == 0: // a colour: "\x1b[38;5;16m"
			if number, ok := strings.CutPrefix(strings.TrimSuffix(seq, "m"), "\x1b[38;5;"); ok {
				colour = atoi(number) - firstColour
			}
		case col < 0:
			if strings.ContainsAny(seq, "┤┼") {
				col = 0
			}
		default:
			if seq != " " {
				c.put(col, row, []rune(seq)[0], style(colour))
			}
			col++
		}
	}
}

// atoi is a number of digits.
func atoi(s string) int {
	n := 0
	for _, r := range s {
		n = 10*n + int(r-'0')
	}
	return n
}

// brailleDots are the bits of a braille cell, by row and column.
var brailleDots = [4][2]rune{{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}}

// brailleBlank is the braille cell without dots.
const brailleBlank = 0x2800

// braille draws a curve with two by four dots a cell.
func (c *canvas) braille(heights []float64, style *lipgloss.Style) {
	before := -1
	for x, h := range heights {
		if math.IsNaN(h) {
			before = -1
			continue
		}
		at := dotOf(h, c.rows)
		from, to := at, at
		switch { // the line from the value before
		case before > at:
			to = before - 1
		case before >= 0 && before < at:
			from = before + 1
		}
		before = at
		for dot := from; dot <= to; dot++ {
			c.dot(x, dot, style)
		}
	}
}

// dot adds a dot to a cell of braille.
func (c *canvas) dot(x, y int, style *lipgloss.Style) {
	cell := &c.cells[y/4*c.cols+x/2]
	if cell.char < brailleBlank {
		cell.char = brailleBlank
	}
	cell.char |= brailleDots[y%4][x%2]
	cell.style = style
}
