package draw

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"dns-tui/escape"
)

// The measures of a drawing, in pixels.
const (
	charWidth  = 7
	lineHeight = 15
	boxPad     = 8
	gapX       = 30
	gapY       = 34
	margin     = 20
)

// box is a layer in its place; a layer of -1 is a bend of an edge that passes a row.
type box struct {
	layer      int
	row        int
	x, y, w, h float64 // x is the middle
	lines      []string
	above      []*box
	below      []*box
	order      float64
}

// SVG writes the graph as a picture: layers in rows, each below those that it reads.
func (g *Graph) SVG(w io.Writer) error {
	rows, paths := g.place()
	width, height := measure(rows)
	var b strings.Builder
	fmt.Fprintf(
		&b,
		`<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f" `+
			`font-family="Helvetica, Arial, sans-serif" font-size="12">`+"\n",
		width,
		height,
		width,
		height,
	)
	fmt.Fprintf(&b, "<title>%s</title>\n<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n", escape.XML(g.Name))
	b.WriteString(
		`<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" ` +
			`orient="auto"><path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>` + "\n",
	)
	for _, p := range paths {
		p.svg(&b)
	}
	for _, row := range rows {
		for _, x := range row {
			if x.layer >= 0 {
				x.svg(&b, g.shade(g.Layers[x.layer].Name))
			}
		}
	}
	b.WriteString("</svg>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (x *box) svg(b *strings.Builder, fill string) {
	fmt.Fprintf(
		b,
		`<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" rx="5" fill="%s" stroke="#555"/>`+"\n",
		x.x-x.w/2,
		x.y,
		x.w,
		x.h,
		fill,
	)
	for i, line := range x.lines {
		weight := ""
		if i == 0 {
			weight = ` font-weight="bold"`
		}
		fmt.Fprintf(
			b,
			`<text x="%.1f" y="%.1f" text-anchor="middle"%s>%s</text>`+"\n",
			x.x,
			x.y+boxPad+float64(i+1)*lineHeight-4,
			weight,
			escape.XML(line),
		)
	}
}

// path is an edge: the boxes that it goes through.
type path struct {
	boxes []*box
	label string // "" where another edge says it
	atEnd bool
}

func (p path) svg(b *strings.Builder) {
	from, to := p.boxes[0], p.boxes[len(p.boxes)-1]
	fmt.Fprintf(b, `<path fill="none" stroke="#555" marker-end="url(#a)" d="M%.1f %.1f`, from.x, from.y+from.h)
	at := [2]float64{from.x, from.y + from.h}
	curve := func(x, y float64) {
		mid := (at[1] + y) / 2
		fmt.Fprintf(b, " C%.1f %.1f %.1f %.1f %.1f %.1f", at[0], mid, x, mid, x, y)
		at = [2]float64{x, y}
	}
	for _, m := range p.boxes[1 : len(p.boxes)-1] {
		curve(m.x, m.y)
		fmt.Fprintf(b, " L%.1f %.1f", m.x, m.y+m.h)
		at[1] = m.y + m.h
	}
	curve(to.x, to.y)
	b.WriteString(`"/>` + "\n")
	if p.label == "" {
		return
	}
	x, y := from.x+4, from.y+from.h+11
	if p.atEnd {
		x, y = p.boxes[1].x+4, p.boxes[1].y-9
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" font-size="9" fill="#555">%s</text>`+"\n", x, y, escape.XML(p.label))
}

// label leaves each blob's name at its first edge alone: where that begins, or where a layer makes several, where it
// ends.
func label(paths []path) {
	told := map[*box]map[string]bool{}
	for i := range paths {
		p := &paths[i]
		from := p.boxes[0]
		if told[from] == nil {
			told[from] = map[string]bool{}
		}
		if told[from][p.label] {
			p.label = ""
			continue
		}
		told[from][p.label] = true
	}
	for i := range paths {
		paths[i].atEnd = len(told[paths[i].boxes[0]]) > 1
	}
}

// place puts layers into rows, orders the rows so that few edges cross, and gives everything its place.
func (g *Graph) place() (rows [][]*box, paths []path) {
	edges := g.edges()
	boxes := make([]*box, len(g.Layers))
	for i, l := range g.Layers {
		lines := g.lines(l)
		long := 0
		for _, s := range lines {
			long = max(long, len([]rune(s)))
		}
		boxes[i] = &box{
			layer: i,
			lines: lines,
			w:     float64(long*charWidth + 2*boxPad),
			h:     float64(len(lines)*lineHeight + 2*boxPad),
		}
	}
	for _, e := range edges { // edges lead from earlier layers to later ones
		boxes[e.to].row = max(boxes[e.to].row, boxes[e.from].row+1)
	}
	add := func(x *box) {
		for len(rows) <= x.row {
			rows = append(rows, nil)
		}
		rows[x.row] = append(rows[x.row], x)
	}
	for _, x := range boxes {
		add(x)
	}
	seen := map[string]bool{}
	for _, e := range edges {
		if key := fmt.Sprint(e.from, e.to, e.label); seen[key] {
			continue
		} else {
			seen[key] = true
		}
		p := path{boxes: []*box{boxes[e.from]}, label: e.label}
		for row := boxes[e.from].row + 1; row < boxes[e.to].row; row++ {
			bend := &box{layer: -1, row: row, w: 8}
			add(bend)
			p.boxes = append(p.boxes, bend)
		}
		p.boxes = append(p.boxes, boxes[e.to])
		for i := 1; i < len(p.boxes); i++ {
			p.boxes[i-1].below = append(p.boxes[i-1].below, p.boxes[i])
			p.boxes[i].above = append(p.boxes[i].above, p.boxes[i-1])
		}
		paths = append(paths, p)
	}
	label(paths)
	arrange(rows)
	return rows, paths
}

// arrange orders each row by the mean place of the neighbours in the row above, then below, some times over, and spaces
// the boxes out about those means.
func arrange(rows [][]*box) {
	for _, row := range rows {
		for i, x := range row {
			x.order = float64(i)
		}
	}
	sweep := func(row []*box, next func(*box) []*box) {
		for _, x := range row {
			if n := next(x); len(n) > 0 {
				t := 0.0
				for _, o := range n {
					t += o.order
				}
				x.order = t / float64(len(n))
			}
		}
		slices.SortStableFunc(row, func(a, b *box) int { return cmp.Compare(a.order, b.order) })
		for i, x := range row {
			x.order = float64(i) - float64(len(row)-1)/2
		}
	}
	for range 8 {
		for i := 1; i < len(rows); i++ {
			sweep(rows[i], func(x *box) []*box { return x.above })
		}
		for i := len(rows) - 2; i >= 0; i-- {
			sweep(rows[i], func(x *box) []*box { return x.below })
		}
	}
	y := float64(margin)
	for _, row := range rows {
		tall := 0.0
		for _, x := range row {
			tall = max(tall, x.h)
		}
		for _, x := range row {
			if x.y = y; x.layer < 0 {
				x.h = tall
			}
		}
		y += tall + gapY
		spread(row)
	}
	for range 4 { // towards the neighbours, as far as the row has room
		for _, row := range rows {
			settle(row)
		}
	}
}

// spread sets a row out around 0.
func spread(row []*box) {
	total := -float64(gapX)
	for _, x := range row {
		total += x.w + gapX
	}
	at := -total / 2
	for _, x := range row {
		x.x = at + x.w/2
		at += x.w + gapX
	}
}

// settle moves each box of a row towards the mean of its neighbours, but not into another.
func settle(row []*box) {
	for i, x := range row {
		near := append(append([]*box(nil), x.above...), x.below...)
		if len(near) == 0 {
			continue
		}
		want := 0.0
		for _, o := range near {
			want += o.x / float64(len(near))
		}
		if i > 0 {
			want = max(want, row[i-1].x+(row[i-1].w+x.w)/2+gapX)
		}
		if i+1 < len(row) {
			want = min(want, row[i+1].x-(row[i+1].w+x.w)/2-gapX)
		}
		x.x = want
	}
	for i := 1; i < len(row); i++ {
		row[i].x = max(row[i].x, row[i-1].x+(row[i-1].w+row[i].w)/2+gapX)
	}
}

// measure moves everything into view and returns the size of the picture.
func measure(rows [][]*box) (width, height float64) {
	low, high := 0.0, 0.0
	for _, row := range rows {
		for _, x := range row {
			low, high = min(low, x.x-x.w/2), max(high, x.x+x.w/2)
			height = max(height, x.y+x.h)
		}
	}
	for _, row := range rows {
		for _, x := range row {
			x.x += margin - low
		}
	}
	const label = 80 // of the blob at the right edge
	return high - low + 2*margin + label, height + margin
}
