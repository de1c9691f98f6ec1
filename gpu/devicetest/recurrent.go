package devicetest

import (
	"fmt"

	"dns-tui/gpu"
)

// lstm checks an LSTM over time against its steps one by one, which are checked by themselves.
func lstm(b *bench) {
	if b.d.Capabilities().Kind == "host" && !b.d.Has(&gpu.LSTM{}) {
		return // layers go step by step there, and nobody does it for the host
	}
	for _, s := range []gpu.LSTMShape{
		{Steps: 1, N: 1, Size: 1}, {Steps: 3, N: 3, Size: 5}, {Steps: 4, N: 17, Size: 70}, {Steps: 2, N: 9, Size: 32},
		{Steps: 3, N: 8, Size: 300}, {Steps: 2, N: 40, Size: 45},
	} {
		if s.Size > 8 && !b.d.Has(&gpu.LSTM{Shape: s}) {
			continue // the host does it, and what it is compared with takes long on an emulator
		}
		lstmCase(b, s, true)
		lstmCase(b, s, false)
	}
}

func lstmCase(b *bench, s gpu.LSTMShape, gradient bool) {
	step, size := s.N*s.Size, s.Size
	rows := gpu.ChannelShape{Outer: 1, Channels: s.N, Inner: size}
	w, x, first, firstCell := b.random(4*size*size), b.random(4*s.Steps*step), b.random(step), b.random(step)
	cont := make([]float32, s.Steps*s.N)
	for i := range cont {
		cont[i] = float32([]float64{1, 0, 1, 0.5, 1}[i%5])
	}
	tw, tcont, tfirst, tcell := b.tensor(w), b.tensor(cont), b.tensor(first), b.tensor(firstCell)
	hidden, c, h := b.empty(s.Steps*step), b.empty(s.Steps*step), b.empty(s.Steps*step)
	tx := b.tensor(x)
	wantX, wantHidden, wantC, wantH := b.tensor(x), b.empty(s.Steps*step), b.empty(s.Steps*step), b.empty(s.Steps*step)
	at := func(x *gpu.Tensor, t, n int) *gpu.Tensor { return x.View(t*n, n) }
	before, cells := tfirst, tcell
	for t := range s.Steps {
		b.d.Scale(rows, before, at(tcont, t, s.N), nil, at(wantHidden, t, step))
		b.d.Gemm(false, true, s.N, 4*size, size, 1, at(wantHidden, t, step), tw, 1, at(wantX, t, 4*step))
		before = at(wantH, t, step)
		b.d.LSTMUnit(s.N, size, cells, at(wantX, t, 4*step), at(tcont, t, s.N), at(wantC, t, step), before)
		cells = at(wantC, t, step)
	}
	b.d.LSTM(s, tw, tcont, tfirst, tcell, tx, hidden, c, h)
	what := fmt.Sprintf("LSTM %+v", s)
	b.check(what+" gates", tx, wide(b.values(wantX)))
	b.check(what+" hidden", hidden, wide(b.values(wantHidden)))
	b.check(what+" c", c, wide(b.values(wantC)))
	b.check(what+" h", h, wide(b.values(wantH)))

	var tdh *gpu.Tensor
	if gradient {
		tdh = b.tensor(b.random(s.Steps * step))
	}
	dx, want, dc, dh, carry := b.empty(
		4*s.Steps*step,
	), b.empty(
		4*s.Steps*step,
	), b.empty(
		step,
	), b.empty(
		step,
	), b.empty(
		step,
	)
	b.d.Fill(carry, 0)
	b.d.Fill(dc, 0)
	for t := s.Steps - 1; t >= 0; t-- {
		b.d.Copy(dh, carry)
		if gradient {
			b.d.Axpby(1, at(tdh, t, step), 1, dh)
		}
		cells := tcell
		if t > 0 {
			cells = at(wantC, t-1, step)
		}
		b.d.LSTMUnitBackward(
			s.N,
			size,
			cells,
			at(wantX, t, 4*step),
			at(wantC, t, step),
			dc,
			dh,
			dc,
			at(want, t, 4*step),
		)
		b.d.Gemm(false, false, s.N, size, 4*size, 1, at(want, t, 4*step), tw, 0, dh)
		b.d.Scale(rows, dh, at(tcont, t, s.N), nil, carry)
	}
	b.d.LSTMBackward(s, tw, tcont, tcell, wantX, wantC, tdh, dx)
	b.check(what+" gradient", dx, wide(b.values(want)))
}
