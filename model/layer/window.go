package layer

import (
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// window is what a convolution_param says of the spatial axes: those behind the axis of the channels.
type window struct {
	axis                          int // of the channels
	in                            []int
	kernel, stride, pad, dilation []int
}

// Window is how a layer's kernel lies over spatial axes.
type Window struct {
	Kernel, Stride, Dilation []int
	Before, After            []int // padding of each axis
}

// ConvolutionWindow returns the window of a Convolution, Deconvolution or Im2col over a bottom of a shape, and the axis
// of the channels.
func ConvolutionWindow(p *caffepb.ConvolutionParameter, shape []int) (w Window, axis int, err error) {
	var after []int
	if uneven(p) {
		after = []int{int(p.GetPadB()), int(p.GetPadR())}
		even := proto.CloneOf(p)
		even.PadL, even.PadR, even.PadT, even.PadB = nil, nil, nil, nil
		even.Pad = []uint32{uint32(p.GetPadT()), uint32(p.GetPadL())}
		p = even
	}
	read, err := readWindow(p, &Blob{Shape: shape})
	if err != nil {
		return Window{}, 0, err
	}
	w = Window{read.kernel, read.stride, read.dilation, read.pad, read.pad}
	if after != nil {
		w.After = after
	}
	return w, read.axis, nil
}

// readWindow reads and checks the settings of Caffe's BaseConvolutionLayer::LayerSetUp for bottom.
func readWindow(p *caffepb.ConvolutionParameter, bottom *Blob) (*window, error) {
	if p == nil {
		p = &caffepb.ConvolutionParameter{}
	}
	axis, err := bottom.Axis(int(p.GetAxis()))
	if err != nil {
		return nil, fmt.Errorf("convolution_param: %w", err)
	}
	if uneven(p) {
		return nil, errors.New("convolution_param: pad_l, pad_r, pad_t and pad_b go with Convolution alone")
	}
	w := &window{axis: axis, in: append([]int(nil), bottom.Shape[axis+1:]...)}
	n := len(w.in)
	if n > gpu.MaxSpatialAxes {
		return nil, fmt.Errorf(
			"bottom %q has the shape %s: %d axes behind axis %d of the channels; wanted at most %d",
			bottom.Name,
			bottom.FormatShape(),
			n,
			axis,
			gpu.MaxSpatialAxes,
		)
	}
	for _, s := range []struct {
		name string
		list []uint32
		h, w *uint32
		def  int
		to   *[]int
		min  int
		hint string
	}{
		{"kernel", p.KernelSize, p.KernelH, p.KernelW, 0, &w.kernel, 1, " (kernel_size, or kernel_h and kernel_w)"},
		{"stride", p.Stride, p.StrideH, p.StrideW, 1, &w.stride, 1, ""},
		{"pad", p.Pad, p.PadH, p.PadW, 0, &w.pad, 0, ""},
		{"dilation", p.Dilation, nil, nil, 1, &w.dilation, 1, ""},
	} {
		if *s.to, err = spatial(s.name, s.list, s.h, s.w, s.def, n); err != nil {
			return nil, err
		}
		for _, v := range *s.to {
			if v < s.min {
				return nil, fmt.Errorf(
					"convolution_param: %s is %s; wanted at least %s%s",
					s.name,
					caffe.FormatShape(*s.to),
					caffe.FormatShape(same(s.min, n)),
					s.hint,
				)
			}
			if v > 1<<30 { // -1, written into an unsigned field
				return nil, fmt.Errorf("convolution_param: %s is %s", s.name, caffe.FormatShape(*s.to))
			}
		}
	}
	return w, nil
}

// spatial reads one setting that is given once, once an axis, or as _h and _w.
func spatial(name string, list []uint32, h, w *uint32, def, axes int) ([]int, error) {
	if h != nil || w != nil {
		switch {
		case len(list) > 0:
			return nil, fmt.Errorf("convolution_param: %s and %s_h/%s_w are mutually exclusive", name, name, name)
		case axes != 2:
			return nil, fmt.Errorf(
				"convolution_param: %s_h and %s_w go with 2 spatial axes; the bottom has %d",
				name,
				name,
				axes,
			)
		case (h == nil) != (w == nil) && name == "kernel":
			return nil, fmt.Errorf("convolution_param: kernel_h and kernel_w go together")
		}
		v := same(def, 2)
		if h != nil {
			v[0] = int(*h)
		}
		if w != nil {
			v[1] = int(*w)
		}
		return v, nil
	}
	switch {
	case len(list) == 0:
		return same(def, axes), nil
	case len(list) == 1:
		return same(int(list[0]), axes), nil
	case len(list) != axes:
		return nil, fmt.Errorf(
			"convolution_param: %d values of %s; wanted 1, or one for each of the %d spatial axes",
			len(list),
			name,
			axes,
		)
	}
	v := make([]int, axes)
	for i := range v {
		v[i] = int(list[i])
	}
	return v, nil
}

func same(v, n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = v
	}
	return s
}

// col is the window over blobs of c channels, with the input at size in.
func (w *window) col(c int, in []int) gpu.ColGeometry {
	g := gpu.ColGeometry{Channels: c, In: in, Kernel: w.kernel, Stride: w.stride, Pad: w.pad, Dilation: w.dilation}
	g.Resolve()
	return g
}

// extent is what a kernel covers along an axis.
func (w *window) extent(i int) int { return w.dilation[i]*(w.kernel[i]-1) + 1 }

// checkFits reports a kernel that is larger than the padded bottom.
func (w *window) checkFits(bottom *Blob) error {
	for i, n := range w.in {
		if n+2*w.pad[i] < w.extent(i) {
			return fmt.Errorf(
				"the kernel, %s (dilation %s), is larger than bottom %q, %s with padding %s",
				caffe.FormatShape(w.kernel),
				caffe.FormatShape(w.dilation),
				bottom.Name,
				caffe.FormatShape(w.in),
				caffe.FormatShape(w.pad),
			)
		}
	}
	return nil
}

// convolver runs a convolution from inputs (n, c, in...) to outputs (n, o, out...).
type convolver interface {
	forward(x, w, b, y *gpu.Tensor)
	backwardData(dy, w, dx *gpu.Tensor)
	// backwardWeights may leave out the gradients of weights that kept, forward weights or nil, prunes.
	backwardWeights(x, dy, kept, dw, db *gpu.Tensor)
}

// newConvolver returns the kernels for a window over n inputs of c channels and size in, to o channels: the device's
// own in up to two spatial axes, im2col and matrix products in more.
func newConvolver(d *gpu.Device, w *window, n, c, o, groups int, in []int) (convolver, error) {
	if len(in) > 2 {
		return newVolume(d, w, n, c, o, groups, in)
	}
	g := gpu.ConvGeometry{N: n, C: c, O: o, Groups: groups, H: 1, W: 1, KH: 1, KW: 1, SH: 1, SW: 1, DH: 1, DW: 1}
	if len(in) > 0 {
		g.H, g.KH, g.SH, g.PH, g.DH = in[0], w.kernel[0], w.stride[0], w.pad[0], w.dilation[0]
	}
	if len(in) > 1 {
		g.W, g.KW, g.SW, g.PW, g.DW = in[1], w.kernel[1], w.stride[1], w.pad[1], w.dilation[1]
	}
	g.Resolve()
	return &planar{d, g}, nil
}

// planar is a convolution over at most two spatial axes.
type planar struct {
	d *gpu.Device
	g gpu.ConvGeometry
}

func (p *planar) forward(x, w, b, y *gpu.Tensor)     { p.d.Conv(&p.g, x, w, b, y) }
func (p *planar) backwardData(dy, w, dx *gpu.Tensor) { p.d.ConvBackwardData(&p.g, dy, w, dx) }
func (p *planar) backwardWeights(x, dy, kept, dw, db *gpu.Tensor) {
	p.d.ConvBackwardWeights(&p.g, x, dy, kept, dw, db)
}

// volume is a convolution over more axes: an image at a time, y = W·col in each group.
type volume struct {
	d                *gpu.Device
	g                gpu.ColGeometry
	n, o, groups     int
	rows, k, places  int // of a group: outputs; rows of col; columns
	col              *gpu.Tensor
	cols             []*gpu.Tensor // its groups
	in, out, weights cuts
}

func newVolume(d *gpu.Device, w *window, n, c, o, groups int, in []int) (*volume, error) {
	v := &volume{d: d, g: w.col(c, in), n: n, o: o, groups: groups}
	v.rows, v.k, v.places = o/groups, v.g.Rows()/groups, v.g.Positions()
	var err error
	if v.col, err = gpu.NewTensor(d, v.g.Rows(), v.places); err != nil {
		return nil, err
	}
	for i := range groups {
		v.cols = append(v.cols, v.col.View(i*v.k*v.places, v.k, v.places))
	}
	return v, nil
}

func (v *volume) forward(x, w, b, y *gpu.Tensor) {
	xs, ys, ws := v.in.of(x, v.n), v.out.of(y, v.n*v.groups), v.weights.of(w, v.groups)
	for n, img := range xs {
		v.d.Im2col(&v.g, img, v.col)
		for i, col := range v.cols {
			v.d.Gemm(false, false, v.rows, v.places, v.k, 1, ws[i], col, 0, ys[n*v.groups+i])
		}
	}
	if b != nil {
		v.d.AddBias(v.outputs(), b, y)
	}
}

func (v *volume) outputs() gpu.ChannelShape {
	return gpu.ChannelShape{Outer: v.n, Channels: v.o, Inner: v.places}
}

func (v *volume) backwardData(dy, w, dx *gpu.Tensor) {
	xs, ys, ws := v.in.of(dx, v.n), v.out.of(dy, v.n*v.groups), v.weights.of(w, v.groups)
	for n, img := range xs {
		for i, col := range v.cols {
			v.d.Gemm(true, false, v.k, v.places, v.rows, 1, ws[i], ys[n*v.groups+i], 0, col)
		}
		v.d.Col2im(&v.g, v.col, img)
	}
}

func (v *volume) backwardWeights(x, dy, _, dw, db *gpu.Tensor) {
	if dw != nil {
		xs, ys, ws := v.in.of(x, v.n), v.out.of(dy, v.n*v.groups), v.weights.of(dw, v.groups)
		for n, img := range xs {
			v.d.Im2col(&v.g, img, v.col)
			for i, col := range v.cols {
				v.d.Gemm(false, true, v.rows, v.k, v.places, 1, ys[n*v.groups+i], col, 1, ws[i])
			}
		}
	}
	if db != nil {
		v.d.SumBias(v.outputs(), dy, db)
	}
}

// cuts keeps the equal parts of the tensors that it was asked for, so that a pass allocates none.
type cuts struct{ seen map[*gpu.Tensor][]*gpu.Tensor }

func (c *cuts) of(t *gpu.Tensor, parts int) []*gpu.Tensor {
	if p, ok := c.seen[t]; ok {
		return p
	}
	if c.seen == nil {
		c.seen = map[*gpu.Tensor][]*gpu.Tensor{}
	}
	p := make([]*gpu.Tensor, parts)
	for i := range p {
		p[i] = t.View(i*(t.N/parts), t.N/parts)
	}
	c.seen[t] = p
	return p
}
