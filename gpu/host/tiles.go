package host

import (
	"dns-tui/gpu"
)

// A product of matrices by the tiles of a convolution (direct.go): C = A·op(B), where the rows of A are positions, and
// C = Aᵀ·B, where its columns are elements of a run. Panels of op(B) are packed in a worker's scratch, a block of k at
// a time, and are never in memory; so a product with few rows reads B once, at the memory's speed.
//
// The floor is 2·m·n·k operations, or A, B and C read once and C written.

// tileBlock is how many elements of k are packed at once.
const tileBlock = 256

// tileRows is how many rows of C share a packing.
const tileRows = 240 // a multiple of 6 and 8

// tileColumns is how many columns of C make a piece.
const tileColumns = 4 * panel

// canTile reports whether a product can be made of tiles.
func canTile(o *gpu.Gemm) bool {
	return o.Alpha == 1 && (o.Beta == 0 || o.Beta == 1) && !(o.TransA && o.TransB) && o.M*o.N*o.K > 0
}

func (d *back) gemmTiles(o *gpu.Gemm) {
	k := tilesKernel{d, o.TransB, o.M, o.N, o.K, o.Beta == 0, slice(o.A), slice(o.B), slice(o.C)}
	pieces := ceil(o.M, tileRows) * ceil(o.N, tileColumns)
	if o.TransA {
		launch(d, &d.kernels.outerTiles, outerTilesKernel{k}, pieces, 1)
		return
	}
	launch(d, &d.kernels.tiles, k, pieces, 1)
}

func ceil(n, of int) int { return (n + of - 1) / of }

// tilesKernel does pieces of C = A·op(B), or C += A·op(B): some rows, and tileColumns columns.
type tilesKernel struct {
	d       *back
	transB  bool
	m, n, k int
	sets    bool // else it adds
	a, b, c []float32
}

// piece is what an item is of.
func (p *tilesKernel) piece(item int) (row, rows, column, columns int) {
	across := ceil(p.n, tileColumns)
	row, column = item/across*tileRows, item%across*tileColumns
	return row, min(tileRows, p.m-row), column, min(tileColumns, p.n-column)
}

func (p *tilesKernel) run(lo, hi, worker int) {
	const size = 8 * 2 * panel // of the largest tile
	packed := p.d.scratch(worker, tileColumns*tileBlock+size+2*panel)
	edge, zeros := packed[tileColumns*tileBlock:][:size], packed[tileColumns*tileBlock+size:]
	clear(zeros)
	w := &p.d.tiles[worker]
	t := &w.direct
	for item := lo; item < hi; item++ {
		row, rows, column, columns := p.piece(item)
		for k0 := 0; k0 < p.k; k0 += tileBlock {
			deep := min(tileBlock, p.k-k0)
			p.pack(packed, k0, deep, column, columns)
			fresh := p.sets && k0 == 0
			for at := 0; at < columns; {
				wide := min(tilePanels, ceil(columns-at, panel))
				n := min(wide*panel, columns-at)
				for i := 0; i < rows; i += tilePositions {
					m := min(tilePositions, rows-i)
					t.x = &p.a[(row+i)*p.k+k0]
					for j := range t.pos {
						t.pos[j] = 4 * p.k * min(j, m-1)
					}
					w.run[0] = 0
					t.runs, t.nRuns, t.length = &w.run[0], 1, deep
					t.w, t.second = &packed[at*deep], 4*panel*deep
					c := p.c[(row+i)*p.n+column+at:]
					whole := m == tilePositions && n == wide*panel
					t.out, t.outStep = &c[0], 4*p.n
					if !whole {
						t.out, t.outStep = &edge[0], 4*wide*panel
						if !fresh {
							copyTile(edge, wide*panel, c, p.n, m, n)
						}
					}
					if t.init, t.initStep = t.out, t.outStep; fresh {
						t.init, t.initStep = &zeros[0], 0
					}
					tileOfOutputs(t, wide)
					if !whole {
						copyTile(c, p.n, edge, wide*panel, m, n)
					}
				}
				at += wide * panel
			}
		}
	}
}

// copyTile copies m rows of n elements.
func copyTile(dst []float32, dstStep int, src []float32, srcStep, m, n int) {
	for i := range m {
		copy(dst[i*dstStep:][:n], src[i*srcStep:][:n])
	}
}

// pack brings columns of op(B) to panels of deep rows, from a row on.
func (p *tilesKernel) pack(packed []float32, k0, deep, column, columns int) {
	if columns%panel != 0 {
		clear(packed[columns/panel*panel*deep:][:panel*deep])
	}
	if !p.transB {
		for i := range deep { // a row at a time, which is in one piece
			row := p.b[(k0+i)*p.n+column:][:columns]
			for at := 0; at < columns; at += panel {
				copyPanel(packed[at*deep+i*panel:], row[at:], min(panel, columns-at))
			}
		}
		return
	}
	for j := 0; j < columns; j += 8 {
		y := packed[j/panel*panel*deep+j%panel:]
		transposeBlock(p.b[(column+j)*p.k+k0:], p.k, y, panel, min(8, columns-j), deep)
	}
}

// outerTilesKernel does pieces of C = Aᵀ·B, or C += Aᵀ·B: A is k×m and B k×n.
type outerTilesKernel struct{ tilesKernel }

func (p *outerTilesKernel) run(lo, hi, worker int) {
	const size = 8 * 2 * panel
	scratch := p.d.scratch(worker, (tileColumns+tileRows+8)*tileBlock+size)
	edge, as := scratch[:size], scratch[size+tileColumns*tileBlock:]
	packed := scratch[size:]
	t := &p.d.tiles[worker].gradient
	for item := lo; item < hi; item++ {
		row, rows, column, columns := p.piece(item)
		width := ceil(rows, tileElements) * tileElements
		for k0 := 0; k0 < p.k; k0 += tileBlock {
			deep := min(tileBlock, p.k-k0)
			for i := range deep {
				y := as[i*width:][:width]
				clear(y[copy(y, p.a[(k0+i)*p.m+row:][:rows]):])
			}
			for at := 0; at < columns; {
				wide := min(tilePanels, ceil(columns-at, panel))
				n := min(wide*panel, columns-at)
				for i := range deep {
					y := packed[i*wide*panel:][:wide*panel]
					clear(y[copy(y, p.b[(k0+i)*p.n+column+at:][:n]):])
				}
				for i := 0; i < rows; i += tileElements {
					m := min(tileElements, rows-i)
					c := p.c[(row+i)*p.n+column+at:]
					fresh := p.sets && k0 == 0
					whole := m == tileElements && n == wide*panel && !fresh
					t.x, t.xStep, t.xRow = &as[i], 4*width, 0
					t.dy, t.dyStep, t.rows, t.cols = &packed[0], 4*wide*panel, 1, deep
					t.sum, t.sumStep = &c[0], 4*p.n
					if !whole {
						t.sum, t.sumStep = &edge[0], 4*wide*panel
						if fresh {
							clear(edge)
						} else {
							copyTile(edge, wide*panel, c, p.n, m, n)
						}
					}
					tileOfGradients(t, wide)
					if !whole {
						copyTile(c, p.n, edge, wide*panel, m, n)
					}
				}
				at += wide * panel
			}
		}
	}
}
