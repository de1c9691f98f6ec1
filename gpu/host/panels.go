package host

import (
	"math"
	"unsafe"
)

// A product C = A·B, or C += A·B, of matrices that may lie in images: an element of A in all lanes times a vector of a
// row of B, summed in registers. A block of k at a time, A is packed to panels of as many rows as a tile has, and B to
// panels of as many columns, whichever way they lie; so a tile reads two streams. A block of B's panel stays in the
// first cache while all rows of a piece pass by, and A's block of the piece in the second. A sum is made in the order
// of k, whatever the size of a tile and the processor.
//
// The floor is 2·m·n·k operations, or A, B and C read once and C written.

// deepest is how many elements of k are packed at once: a panel of 32 columns takes 32 KiB.
const deepest = 256

// A piece of C has at most so many rows, and columns.
const (
	pieceRows    = 264 // a multiple of 6 and 8
	pieceColumns = 256
	leastColumns = 64
	wantedPieces = 16
)

// matrix is one that a product reads or writes. The elements of a row lie one after another; of images, those of a
// plane.
type matrix struct {
	data  []float32
	step  int // from a row to the next
	plane int // elements of a row that lie one after another
	image int // from the first of these to the first of the next
}

// plain is a matrix whose rows lie in one piece.
func plain(data []float32, step int) matrix { return matrix{data, step, math.MaxInt, 0} }

// at returns where element i of a row lies, and how many of it lie there.
func (m *matrix) at(i int) (at, n int) {
	return i/m.plane*m.image + i%m.plane, m.plane - i%m.plane
}

// productTile is what a tile of a product is made of. The assembler knows its offsets; cStep is in bytes.
type productTile struct {
	a     *float32 // for each k the elements of tilePositions rows
	b     *float32 // for each k those of the tile's columns
	k     int
	c     *float32
	cStep int
	init  *float32 // what the sums of a row begin with; nil: with what is there

	// What will be read next, and is fetched meanwhile, a line of the cache in each step of k. Sizes are in bytes.
	next     *float32
	nextStep int // from a row to the next
	line     int // of the cache; 0: nothing is fetched
	lines    int // of a row
	rows     int
}

// pack brings count panels' rows, from first on, to panels of width: for each of deep elements from k0 on those of the
// panel. along says that k goes along the matrix's rows, which are the panels' rows then; else its rows are k's.
func (m *matrix) pack(to []float32, width int, along bool, first, count, k0, deep int) {
	if rest := count % width; rest > 0 {
		clear(to[(count-rest)*deep:][:width*deep])
	}
	if along {
		for k := 0; k < deep; {
			from, length := m.at(k0 + k)
			length = min(length, deep-k, 128)
			for at := 0; at < count; at += width {
				y := to[at*deep+k*width:]
				for r := at; r < min(at+width, count); r += 8 {
					x := m.data[from+(first+r)*m.step:]
					transposeBlock(x, m.step, y[r-at:], width, min(8, at+width-r, count-r), length)
				}
			}
			k += length
		}
		return
	}
	const together = 8 // rows, of which panels beside each other read the same lines of the cache
	for k := 0; k < deep; k += together {
		rows := min(together, deep-k)
		for j := 0; j < count; {
			from, length := m.at(first + j)
			length = min(length, count-j, width-j%width)
			x := m.data[from+(k0+k)*m.step:]
			copyRows(x, m.step, to[j/width*width*deep+k*width+j%width:], width, rows, length)
			j += length
		}
	}
}

// copyRows copies rows of n elements, at most 32.
func copyRows(src []float32, srcStep int, dst []float32, dstStep, rows, n int) {
	_, _ = src[(rows-1)*srcStep+n-1], dst[(rows-1)*dstStep+n-1]
	if copyRowsVectors(src, srcStep, dst, dstStep, rows, n) {
		return
	}
	for i := range rows {
		copy(dst[i*dstStep:][:n], src[i*srcStep:][:n])
	}
}

// move copies a tile of rows between an edge, in which they are step apart, and column j of row i of a matrix.
func (m *matrix) move(edge []float32, step, i, j, rows, columns int, store bool) {
	for done := 0; done < columns; {
		at, n := m.at(j + done)
		n = min(n, columns-done)
		x, y := m.data[at+i*m.step:], edge[done:]
		if store {
			copyRows(y, step, x, m.step, rows, n)
		} else {
			copyRows(x, m.step, y, step, rows, n)
		}
		done += n
	}
}

// product is one of groups that have the same sizes.
type product struct {
	a, b, c        matrix // of the first group
	alongA, alongB bool   // that k goes along the rows of A, of B
	m, n, k        int
	sets           bool      // else it adds
	bias           []float32 // what the sums of rows begin with, of all groups; nil: 0
	groups         int
	aGroup         int // from a group to the next
	bGroup         int
	cGroup         int
	runs           int // pieces of k, whose sums are apart
	cRun           int // from the sums of a run to the next
	ends           ends
}

// cut is how a product is cut into pieces, which depends on its sizes alone.
type cut struct{ rows, columns, down, across, perRun int }

func (p *product) cut() cut {
	c := cut{down: ceil(p.m, pieceRows), perRun: ceil(p.k, p.runs)}
	c.rows = ceil(ceil(p.m, c.down), tilePositions) * tilePositions
	c.down = ceil(p.m, c.rows)
	wide := min(max(ceil(p.n*c.down*p.groups*p.runs, wantedPieces), leastColumns), pieceColumns)
	c.across = ceil(p.n, wide)
	c.columns = ceil(ceil(p.n, c.across), 2*panel) * 2 * panel
	c.across = ceil(p.n, c.columns)
	return c
}

// runsOfProduct is into how many pieces k is cut where C has few, and sums of runs are no more elements than most.
func runsOfProduct(m, n, k, groups, most int) int {
	of := groups * ceil(m, pieceRows) * ceil(n, pieceColumns)
	runs := max(1, min(ceil(wantedPieces, 2*of), most/(m*n*groups), k/(2*deepest)))
	return ceil(k, ceil(k, runs))
}

// multiply does a product. Where many pieces read the same rows of A, shared says, they are packed once.
func (d *back) multiply(p product, shared bool) {
	k := productKernel{d: d, product: p, cut: p.cut()}
	if shared && k.across > 2 {
		rows := ceil(p.m, tilePositions)
		k.packed = room(&d.packed, p.groups*rows*tilePositions*p.k)
		launch(
			d,
			&d.kernels.packRows,
			packRowsKernel{k.packed, p, rows},
			p.groups*rows,
			max(1, grain/p.k/tilePositions),
		)
	}
	launch(d, &d.kernels.product, k, p.groups*p.runs*k.down*k.across, 1)
}

// packRowsKernel packs panels of rows of all groups of A, with all of k.
type packRowsKernel struct {
	packed []float32
	product
	rows int // panels of a group
}

func (p *packRowsKernel) run(lo, hi, _ int) {
	size := tilePositions * p.k
	for item := lo; item < hi; item++ {
		group, first := item/p.rows, item%p.rows*tilePositions
		a := p.a
		a.data = a.data[group*p.aGroup:]
		a.pack(p.packed[item*size:], tilePositions, p.alongA, first, min(tilePositions, p.m-first), 0, p.k)
	}
}

// productKernel does pieces of C, of all runs and groups.
type productKernel struct {
	d *back
	product
	cut
	packed []float32 // A, if it is packed
}

// piece is one of C, and a block of k of it.
type piece struct {
	a, b, c                    matrix
	row, rows, column, columns int
	k0, deep, last             int // of the block; where k ends
}

// piece is what an item is of.
func (p *productKernel) piece(item int) piece {
	across, rest := item%p.across, item/p.across
	down, rest := rest%p.down, rest/p.down
	run, group := rest%p.runs, rest/p.runs
	t := piece{a: p.a, b: p.b, c: p.c, row: down * p.rows, column: across * p.columns}
	t.rows, t.columns = min(p.rows, p.m-t.row), min(p.columns, p.n-t.column)
	t.a.data, t.b.data = t.a.data[group*p.aGroup:], t.b.data[group*p.bGroup:]
	t.c.data = t.c.data[group*p.cGroup+run*p.cRun:]
	t.k0, t.last = run*p.perRun, min((run+1)*p.perRun, p.k)
	t.deep = ceil(t.last-t.k0, ceil(t.last-t.k0, deepest))
	return t
}

func (p *productKernel) run(lo, hi, worker int) {
	aRoom := 0
	if p.packed == nil {
		aRoom = p.rows * deepest
	}
	scratch := p.d.scratch(worker, aRoom+p.columns*deepest+p.rows*p.columns+p.rows)
	room := func(n int) (x []float32) { x, scratch = scratch[:n], scratch[n:]; return x }
	as, bs, edges, begins := room(aRoom), room(p.columns*deepest), room(p.rows*p.columns), room(p.rows)
	tile := &p.d.tiles[worker].product
	for item := lo; item < hi; item++ {
		t := p.piece(item)
		clear(begins)
		group := item / (p.across * p.down * p.runs)
		if p.bias != nil {
			copy(begins, p.bias[group*p.m+t.row:][:t.rows])
		}
		w := blockOfPiece{piece: t, edges: edges, bs: bs, first: true, sets: p.sets, begins: begins}
		for ; w.k0 < w.last; w.k0 += w.deep {
			w.deep = min(w.deep, w.last-w.k0)
			w.b.pack(bs, tilePanels*panel, p.alongB, w.column, w.columns, w.k0, w.deep)
			if w.aStep = tilePositions * w.deep; p.packed == nil {
				w.a.pack(as, tilePositions, p.alongA, w.row, w.rows, w.k0, w.deep)
				w.as = as
			} else {
				w.aStep = tilePositions * p.k
				panels := ceil(p.m, tilePositions)
				w.as = p.packed[(group*panels+w.row/tilePositions)*w.aStep+w.k0*tilePositions:]
			}
			w.fetch = p.ahead(&w.piece, item)
			w.sum(tile)
			w.first = false
		}
		if !p.ends.none() {
			p.finish(&t)
		}
	}
}

// finish does what comes after a piece of C, which the second cache has.
func (p *productKernel) finish(t *piece) {
	for done := 0; done < t.columns; {
		at, n := t.c.at(t.column + done)
		n = min(n, t.columns-done)
		p.ends.do(t.c.data[at+t.row*t.c.step:], t.c.step, t.rows, t.column+done, n)
		done += n
	}
}

// area is what will be read next: rows of a matrix.
type area struct {
	m                            matrix
	along                        bool
	first, count, k0, deep, rows int
}

// ahead says what will be read after a block: of A, if that is not packed, and of B.
func (p *productKernel) ahead(t *piece, item int) (next [2]area) {
	n := *t
	if n.k0 += n.deep; n.k0 >= n.last {
		if item++; item >= p.groups*p.runs*p.down*p.across {
			return next
		}
		n = p.piece(item)
	}
	deep := min(n.deep, n.last-n.k0)
	set := func(m matrix, along bool, first, count int) area {
		a := area{m: m, along: along, first: first, count: count, k0: n.k0, deep: deep, rows: deep}
		if along {
			a.rows = count
		}
		return a
	}
	if p.packed == nil {
		next[0] = set(n.a, p.alongA, n.row, n.rows)
	}
	next[1] = set(n.b, p.alongB, n.column, n.columns)
	return next
}

// fetch makes a tile fetch rows of an area.
func (a *area) fetch(t *productTile, row, rows int) {
	first, length, i := a.first+row, a.deep, a.k0
	if !a.along {
		first, length, i = a.k0+row, a.count, a.first
	}
	at, _ := a.m.at(i)
	t.next, t.nextStep = &a.m.data[at+first*a.m.step], 4*a.m.step
	t.line, t.lines, t.rows = cacheLine, ceil(4*length, cacheLine)+1, min(rows, a.rows-row)
}

// cacheLine is the bytes of one.
const cacheLine = 64

// blockOfPiece is a block of k of a piece, packed.
type blockOfPiece struct {
	piece
	edges  []float32 // of tiles that are not whole, until the last block
	as, bs []float32
	aStep  int // from the rows of a tile to the next
	first  bool
	sets   bool
	begins []float32 // what sums begin with, if sets
	fetch  [2]area
}

// sum adds a block of k to a piece.
func (p *blockOfPiece) sum(t *productTile) {
	width := tilePanels * panel
	down := ceil(p.rows, tilePositions)
	tiles, wanted := down*ceil(p.columns, width), p.fetch[0].rows+p.fetch[1].rows
	t.k = p.deep
	for j := 0; j < p.columns; j += width {
		n, wide := min(width, p.columns-j), width
		if n <= panel && wide > panel {
			wide = panel
			p.narrow(j)
		}
		at, inOne := p.c.at(p.column + j)
		t.b = &p.bs[j*p.deep]
		for i := 0; i < p.rows; i += tilePositions {
			m := min(tilePositions, p.rows-i)
			whole := m == tilePositions && n == wide && inOne >= n
			edge := p.edges[j/width*down*tilePositions*width+i*width:]
			if whole {
				t.c, t.cStep = &p.c.data[at+(p.row+i)*p.c.step], 4*p.c.step
			} else {
				t.c, t.cStep = &edge[0], 4*wide
				if p.first && !p.sets {
					p.c.move(edge, wide, p.row+i, p.column+j, m, n, false)
				}
			}
			if t.init = nil; p.first && p.sets {
				t.init = &p.begins[i]
			}
			t.a = &p.as[i/tilePositions*p.aStep]
			t.next, t.nextStep, t.line, t.lines, t.rows = t.a, 0, 0, p.deep+1, 1
			if p.first && !p.sets && whole && i+2*tilePositions <= p.rows {
				// What is added to next is waited for otherwise.
				t.next, t.nextStep = &p.c.data[at+(p.row+i+tilePositions)*p.c.step], t.cStep
				t.line, t.lines, t.rows = cacheLine, 4*wide/cacheLine, tilePositions
				tileOfProduct(t, m, wide/panel)
				continue
			}
			done := j/width*down + i/tilePositions
			if row, end := done*wanted/tiles, (done+1)*wanted/tiles; row < end {
				if next := &p.fetch[0]; row < next.rows {
					next.fetch(t, row, end-row)
				} else {
					p.fetch[1].fetch(t, row-next.rows, end-row)
				}
			}
			tileOfProduct(t, m, wide/panel)
			if !whole && p.k0+p.deep >= p.last {
				p.c.move(edge, wide, p.row+i, p.column+j, m, n, true)
			}
		}
	}
}

// narrow makes of the last panel one of 16 columns.
func (p *blockOfPiece) narrow(j int) {
	width := tilePanels * panel
	y := p.bs[j*p.deep:][:width*p.deep]
	for k := 1; k < p.deep; k++ {
		copyPanel(y[k*panel:], y[k*width:], panel)
	}
}

// tileOfProductGo is the tile of processors for which there is no assembler.
func tileOfProductGo(t *productTile, panels int) {
	a := unsafe.Slice(t.a, t.k*tilePositions)
	b := unsafe.Slice(t.b, t.k*panels*panel)
	for i := range tilePositions {
		for at := range panels {
			c := (*[panel]float32)(unsafe.Add(unsafe.Pointer(t.c), i*t.cStep+4*panel*at))
			s := *c
			if t.init != nil {
				begin := *(*float32)(unsafe.Add(unsafe.Pointer(t.init), 4*i))
				for j := range s {
					s[j] = begin
				}
			}
			for k := range t.k {
				v := a[k*tilePositions+i]
				for j, f := range (*[panel]float32)(b[(k*panels+at)*panel:]) {
					s[j] += v * f
				}
			}
			*c = s
		}
	}
}
