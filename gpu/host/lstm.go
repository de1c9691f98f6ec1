package host

import "dns-tui/gpu"

// An LSTM over time: its recurrent weights are packed once, to panels of as many columns as a tile has. A piece of a
// step is a panel's units: the products of their four gates, one after the other, and then their cells, while the
// gates' inputs are in the cache; then their hidden state is packed for the products of the next step. Backward it is
// the product for a panel's hidden units, and then their cells of the step before.
//
// The floor is 2·4·n·size² operations a step, or the weights, gates and states read or written once.

// recurrent is the room that an LSTM takes.
type recurrent struct {
	weights []float32
	states  [2][]float32 // what is multiplied, packed: of a step, and of the next
	dc      []float32    // gradients of cells
}

// lstm is what forward and backward have in common.
type lstm struct {
	d           *back
	s           gpu.LSTMShape
	cont        []float32
	weights     []float32
	now, after  []float32 // what is multiplied in a step, packed, and in the next
	t           int       // the step
	width, deep int       // of a panel; what is summed over
}

// later are rows of a panel's units that a piece reads and writes behind its products. They lie far apart, so that no
// processor sees them coming: they are fetched meanwhile, one of the areas beside each tile of the last streams.
type later struct {
	areas [maxAreas]rowsLater
	n, at int // how many there are; those before at are fetched
}

const maxAreas = 8

type rowsLater struct {
	x          []float32 // of the first row
	step, rows int
}

// add adds rows that are step apart.
func (l *later) add(x []float32, step, rows int) {
	for most := deepest / 2; rows > 0 && l.n < len(l.areas); rows -= most { // two lines a row, and one a step of k
		l.areas[l.n] = rowsLater{x, step, min(rows, most)}
		if l.n++; rows > most {
			x = x[most*step:]
		}
	}
}

// fetch has a tile fetch the next area.
func (l *later) fetch(t *productTile) {
	if l.at == l.n {
		return
	}
	a := &l.areas[l.at]
	l.at++
	t.next, t.nextStep, t.line, t.lines, t.rows = &a.x[0], 4*a.step, cacheLine, tilePanels*panel*4/cacheLine, a.rows
}

// newLSTM makes room for panels of weights that sum over deep elements.
func (d *back) newLSTM(s gpu.LSTMShape, cont *gpu.Tensor, deep, panels int) lstm {
	r, width := &d.recurrent, tilePanels*panel
	for i := range r.states {
		clear(room(&r.states[i], ceil(s.N, tilePositions)*tilePositions*deep))
	}
	return lstm{
		d: d, s: s, cont: slice(cont), weights: room(&r.weights, panels*width*deep),
		now: r.states[0], after: r.states[1], width: width, deep: deep,
	}
}

// units are those of a piece.
func (l *lstm) units(item int) (first, n int) {
	first = item * l.width
	return first, min(l.width, l.s.Size-first)
}

// pack brings n elements of every stream, in rows that are step apart, to elements from k on of what is multiplied
// next.
func (l *lstm) pack(x []float32, step, k, n int) {
	for i := 0; i < l.s.N; i += tilePositions {
		to := l.after[i*l.deep+k*tilePositions:]
		transposeBlock(x[i*step:], step, to, tilePositions, min(tilePositions, l.s.N-i), n)
	}
}

// sum adds the product of what is multiplied now and a panel to n columns of c, whose rows are step apart. room is that
// of a tile.
func (l *lstm) sum(t *productTile, packed, c []float32, step, n int, room []float32, behind *later) {
	tiles := ceil(l.s.N, tilePositions)
	if tiles > 1 { // the last fetches what is needed later
		tiles--
	}
	for k := 0; k < l.deep; k += deepest {
		t.k, t.b, t.init = min(deepest, l.deep-k), &packed[k*l.width], nil
		lines, next := 0, packed
		if end := (k + t.k) * l.width; end < len(packed) { // the panel's next block is fetched meanwhile
			next = packed[end:]
			lines = ceil(min(deepest*l.width, len(next))/16, tiles)
		}
		for i := 0; i < l.s.N; i += tilePositions {
			m := min(tilePositions, l.s.N-i)
			t.a = &l.now[i*l.deep+k*tilePositions]
			t.next, t.nextStep, t.line, t.lines, t.rows = t.a, 0, 0, t.k+1, 1
			if i/tilePositions == tiles {
				behind.fetch(t)
			} else if at := i / tilePositions * lines * 16; lines > 0 && at < len(next) {
				t.next, t.line, t.lines = &next[at], cacheLine, lines
			}
			whole := m == tilePositions && n == l.width
			if whole {
				t.c, t.cStep = &c[i*step], 4*step
			} else {
				t.c, t.cStep = &room[0], 4*l.width
				copyRows(c[i*step:], step, room, l.width, m, n)
			}
			tileOfProduct(t, m, tilePanels)
			if !whole {
				copyRows(room, l.width, c[i*step:], step, m, n)
			}
		}
	}
}

// tileRoom is how many elements a tile has.
func (l *lstm) tileRoom() int { return tilePositions * l.width }

func (d *back) lstm(o *gpu.LSTM) {
	s, w := o.Shape, slice(o.W)
	size, step := s.Size, s.N*s.Size
	width := tilePanels * panel
	k := lstmKernel{
		lstm: d.newLSTM(s, o.Cont, size, 4*ceil(size, width)), x: slice(o.X), hidden: slice(o.Hidden),
		c: slice(o.C), h: slice(o.H), cells: slice(o.FirstCell),
	}
	launch(d, &d.kernels.packGates, packGatesKernel{plain(w, size), size, width, k.weights}, ceil(size, width), 1)
	first := slice(o.First)
	for i := range s.N {
		scaled(first[i*size:][:size], k.hidden[i*size:][:size], k.cont[i])
	}
	k.pack(k.hidden, size, 0, size)
	for k.t = range s.Steps {
		k.now, k.after = k.after, k.now
		if k.t > 0 {
			k.cells = k.c[(k.t-1)*step:]
		}
		launch(d, &d.kernels.lstm, k, ceil(size, width), 1)
	}
}

// packGatesKernel packs panels of a layer's units: those of the gates of the same units stand one after another.
type packGatesKernel struct {
	w           matrix
	size, width int
	packed      []float32
}

func (k *packGatesKernel) run(lo, hi, _ int) {
	for item := lo; item < hi; item++ {
		first := item * k.width
		for gate := range 4 {
			to := k.packed[(4*item+gate)*k.width*k.size:][:k.width*k.size]
			k.w.pack(to, k.width, true, gate*k.size+first, min(k.width, k.size-first), 0, k.size)
		}
	}
}

// scaled sets y to a·x.
func scaled(x, y []float32, a float32) {
	for i := axpbyVectors(x, y, a, 0); i < len(y); i++ {
		y[i] = a * x[i]
	}
}

// lstmKernel does panels of units of a step.
type lstmKernel struct {
	lstm
	x, hidden, c, h []float32
	cells           []float32 // of the step before
}

func (k *lstmKernel) run(lo, hi, worker int) {
	n, size := k.s.N, k.s.Size
	at := k.t * n * size
	x, c, h := k.x[4*at:][:4*n*size], k.c[at:][:n*size], k.h[at:][:n*size]
	t, room := &k.d.tiles[worker].product, k.d.scratch(worker, k.tileRoom())
	for item := lo; item < hi; item++ {
		first, units := k.units(item)
		behind := k.behind(item, x, c, h)
		for gate := range 4 {
			packed := k.weights[(4*item+gate)*k.width*size:][:k.width*size]
			k.sum(t, packed, x[gate*size+first:], 4*size, units, room, &behind)
		}
		for i := range n {
			from := i*size + first
			cell := gatesOf(x[4*i*size:], size, first, units)
			cell.forward(k.cells[from:][:units], c[from:][:units], h[from:][:units], k.cont[k.t*n+i])
		}
		if k.t+1 == k.s.Steps {
			continue
		}
		hidden := k.hidden[at+n*size:]
		for i := range n {
			from := i*size + first
			scaled(h[from:][:units], hidden[from:][:units], k.cont[(k.t+1)*n+i])
		}
		k.pack(hidden[first:], size, first, units)
	}
}

// behind is what the products of a piece, and its cells, are about to touch.
func (k *lstmKernel) behind(item int, x, c, h []float32) (l later) {
	n, size := k.s.N, k.s.Size
	first, _ := k.units(item)
	for gate := range 3 {
		l.add(x[(gate+1)*size+first:], 4*size, n)
	}
	l.add(c[first:], size, n)
	l.add(k.cells[first:], size, n)
	l.add(h[first:], size, n)
	if k.t+1 < k.s.Steps {
		l.add(k.hidden[(k.t+1)*n*size+first:], size, n)
	}
	if first += k.width; first < size {
		l.add(x[first:], 4*size, n)
	}
	return l
}

func (d *back) lstmBackward(o *gpu.LSTMBackward) {
	s, w := o.Shape, slice(o.W)
	size, step := s.Size, s.N*s.Size
	width := tilePanels * panel
	k := lstmBackwardKernel{
		lstm: d.newLSTM(s, o.Cont, 4*size, ceil(size, width)), gates: slice(o.Gates), c: slice(o.C), dh: slice(o.DH),
		dx: slice(o.DX), dc: room(&d.recurrent.dc, step), firstCell: slice(o.FirstCell),
	}
	clear(k.dc)
	pack := packHiddenKernel{plain(w, size), size, width, k.weights}
	launch(d, &d.kernels.packHidden, pack, ceil(size, width), 1)
	for k.t = s.Steps - 1; k.t >= 0; k.t-- {
		k.now, k.after = k.after, k.now
		launch(d, &d.kernels.lstmBackward, k, ceil(size, width), 1)
	}
}

// packHiddenKernel packs panels of hidden units, which sum over the gates of all.
type packHiddenKernel packGatesKernel

func (k *packHiddenKernel) run(lo, hi, _ int) {
	for item := lo; item < hi; item++ {
		first := item * k.width
		to := k.packed[item*k.width*4*k.size:][:k.width*4*k.size]
		k.w.pack(to, k.width, false, first, min(k.width, k.size-first), 0, 4*k.size)
	}
}

// lstmBackwardKernel does panels of units of a step: the gradient of their hidden state from the gates of the step
// behind, then the gradients of their own gates.
type lstmBackwardKernel struct {
	lstm
	gates, c, dh, dx, dc, firstCell []float32
}

func (k *lstmBackwardKernel) run(lo, hi, worker int) {
	n, size, last := k.s.N, k.s.Size, k.t+1 == k.s.Steps
	at := k.t * n * size
	before := k.firstCell
	if k.t > 0 {
		before = k.c[at-n*size:]
	}
	gates, dx, c := k.gates[4*at:][:4*n*size], k.dx[4*at:][:4*n*size], k.c[at:][:n*size]
	t, room := &k.d.tiles[worker].product, k.d.scratch(worker, k.tileRoom()+(n+1)*k.width)
	tile, tanh, dhs := room[:k.tileRoom()], room[k.tileRoom():][:k.width], room[k.tileRoom()+k.width:]
	for item := lo; item < hi; item++ {
		first, units := k.units(item)
		clear(dhs)
		if !last {
			packed := k.weights[item*k.width*k.deep:][:k.width*k.deep]
			var behind later
			behind.add(gates[first:], size, 4*n) // of a stream, one gate's rows after the other's
			behind.add(dx[first:], size, 4*n)
			behind.add(c[first:], size, n)
			behind.add(before[first:], size, n)
			if k.dh != nil {
				behind.add(k.dh[at+first:], size, n)
			}
			k.sum(t, packed, dhs, k.width, units, tile, &behind)
		}
		for i := range n {
			from := i*size + first
			dh := dhs[i*k.width:][:units]
			if !last && k.cont[(k.t+1)*n+i] != 1 {
				scaled(dh, dh, k.cont[(k.t+1)*n+i])
			}
			if k.dh != nil {
				accumulate(k.dh[at+from:][:units], dh)
			}
			cell, dcell := gatesOf(gates[4*i*size:], size, first, units), gatesOf(dx[4*i*size:], size, first, units)
			cell.backward(&dcell, before[from:][:units], c[from:][:units], k.dc[from:][:units], dh,
				k.dc[from:][:units], tanh[:units])
		}
		if k.t > 0 {
			for gate := range 4 {
				k.pack(dx[gate*size+first:], 4*size, gate*size+first, units)
			}
		}
	}
}

// accumulate adds x to y.
func accumulate(x, y []float32) {
	for i := addVectors(x, y); i < len(y); i++ {
		y[i] += x[i]
	}
}
