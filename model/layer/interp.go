package layer

import (
	"fmt"

	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

func init() {
	register("Interp", Arity{1, 1, 1, 1}, func() Layer { return &interp{} })
}

// interp is the bilinear Interp of DeepLab and PSPNet: the planes of images, cut by pad_beg and pad_end, in another
// size, so that corners come on corners. With r = (in-1)/(out-1), place o of the output lies at o·r, between the
// places i = ⌊o·r⌋ and i+1 of the input, and is (1-f)·x[i] + f·x[i+1], f = o·r - i, in both directions.
type interp struct {
	readsNothing
	c          *Context
	planes     int
	h, w       int // of the input
	outH, outW int
	across     *gpu.Tensor    // outW × w: a row of the output, from a row of the input
	up         [2]*gpu.Tensor // rows that a row of the output lies between
	part       [2]*gpu.Tensor // the parts that it takes of them
	wide, half *gpu.Tensor    // the input in its new width; a part of the output
}

func (l *interp) Setup(c *Context, bottom, top []*Blob) (err error) {
	l.c = c
	b, p := bottom[0], c.Param.GetInterpParam()
	if p == nil {
		p = &caffepb.InterpParameter{}
	}
	g, err := planes(b)
	if err != nil {
		return err
	}
	l.planes, l.h, l.w = g.Planes, g.H, g.W
	cut := -int(p.GetPadBeg())
	h, w := l.h+int(p.GetPadBeg())+int(p.GetPadEnd()), l.w+int(p.GetPadBeg())+int(p.GetPadEnd())
	switch {
	case p.GetPadBeg() > 0 || p.GetPadEnd() > 0:
		return fmt.Errorf(
			"interp_param: pad_beg is %d and pad_end %d; wanted 0 or less, which cuts",
			p.GetPadBeg(),
			p.GetPadEnd(),
		)
	case h < 1 || w < 1:
		return fmt.Errorf(
			"interp_param: pad_beg %d and pad_end %d leave nothing of bottom %q, %s",
			p.GetPadBeg(),
			p.GetPadEnd(),
			b.Name,
			b.FormatShape(),
		)
	}
	if l.outH, l.outW, err = interpSize(p, h, w); err != nil {
		return err
	}
	if rows := l.planes * max(l.h, l.outH); rows > maxIndex {
		return fmt.Errorf(
			"%d rows of pixels, of bottom %q or of the output; at most %d can be resized",
			rows,
			b.Name,
			maxIndex,
		)
	}
	if l.w*l.outW > maxIndex {
		return fmt.Errorf("interp_param: rows of %d pixels to %d; at most %d pairs of them", l.w, l.outW, maxIndex)
	}
	if err := top[0].Reshape(c.Device, b.Shape[0], b.Shape[1], l.outH, l.outW); err != nil {
		return err
	}
	return l.allocate(cut, h, w)
}

// interpSize is the size of the output. As in the fork, one factor alone goes before height and width, and these
// before both.
func interpSize(p *caffepb.InterpParameter, h, w int) (outH, outW int, err error) {
	shrink, zoom := int(p.GetShrinkFactor()), int(p.GetZoomFactor())
	if shrink < 1 || zoom < 1 {
		return 0, 0, fmt.Errorf("interp_param: shrink_factor is %d and zoom_factor %d; wanted at least 1", shrink, zoom)
	}
	given := p.Height != nil && p.Width != nil
	if one := (p.ShrinkFactor == nil) != (p.ZoomFactor == nil); one || p.ShrinkFactor != nil && !given {
		h, w = (h-1)/shrink+1, (w-1)/shrink+1
		return h + (h-1)*(zoom-1), w + (w-1)*(zoom-1), nil
	}
	switch {
	case !given:
		return 0, 0, fmt.Errorf("interp_param: wanted height and width, or shrink_factor, or zoom_factor")
	case p.GetHeight() < 1 || p.GetWidth() < 1:
		return 0, 0, fmt.Errorf(
			"interp_param: height is %d and width %d; wanted at least 1",
			p.GetHeight(),
			p.GetWidth(),
		)
	}
	return int(p.GetHeight()), int(p.GetWidth()), nil
}

// between is where place o of out lies among in places: at i, and part of the way to the next.
func between(o, in, out int) (i, next int, f float32) {
	var r float32
	if out > 1 {
		r = float32(in-1) / float32(out-1)
	}
	at := r * float32(o)
	i = min(int(at), in-1)
	return i, min(i+1, in-1), at - float32(i)
}

// allocate makes the matrices for an input of h by w behind what is cut, and the room for what is half done.
func (l *interp) allocate(cut, h, w int) error {
	across := make([]float32, l.outW*l.w)
	for o := range l.outW {
		i, next, f := between(o, w, l.outW)
		across[o*l.w+cut+i] += 1 - f
		across[o*l.w+cut+next] += f
	}
	rows := l.planes * l.outH
	var up, part [2][]float32
	for k := range up {
		up[k], part[k] = make([]float32, rows), make([]float32, rows)
	}
	for r := range rows {
		i, next, f := between(r%l.outH, h, l.outH)
		above := r/l.outH*l.h + cut
		up[0][r], up[1][r] = float32(above+i), float32(above+next)
		part[0][r], part[1][r] = 1-f, f
	}
	for _, t := range []struct {
		to     **gpu.Tensor
		values []float32
	}{{&l.across, across}, {&l.up[0], up[0]}, {&l.up[1], up[1]}, {&l.part[0], part[0]}, {&l.part[1], part[1]}} {
		var err error
		if *t.to, err = gpu.NewTensor(l.c.Device, len(t.values)); err != nil {
			return err
		}
		l.c.Device.Upload(*t.to, t.values)
	}
	var err error
	if l.wide, err = gpu.NewTensor(l.c.Device, l.planes*l.h*l.outW); err != nil {
		return err
	}
	l.half, err = gpu.NewTensor(l.c.Device, rows*l.outW)
	return err
}

// rows is the output as rows of pixels, with a number each.
func (l *interp) rows() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: 1, Channels: l.planes * l.outH, Inner: l.outW}
}

func (l *interp) Forward(bottom, top []*Blob) error {
	d, y := l.c.Device, top[0].Data
	d.Gemm(false, true, l.planes*l.h, l.outW, l.w, 1, bottom[0].Data, l.across, 0, l.wide)
	d.Gather(l.outW, l.up[0], l.wide, y)
	d.Scale(l.rows(), y, l.part[0], nil, y)
	d.Gather(l.outW, l.up[1], l.wide, l.half)
	d.Scale(l.rows(), l.half, l.part[1], nil, l.half)
	d.Axpby(1, l.half, 1, y)
	return nil
}

func (l *interp) Backward(top []*Blob, need []bool, bottom []*Blob) {
	if !need[0] {
		return
	}
	d := l.c.Device
	d.Fill(l.wide, 0)
	for k := range l.up {
		d.Scale(l.rows(), top[0].Diff, l.part[k], nil, l.half)
		d.ScatterAdd(l.outW, l.up[k], l.half, l.wide)
	}
	d.Gemm(false, false, l.planes*l.h, l.w, l.outW, 1, l.wide, l.across, 0, bottom[0].Diff)
}
