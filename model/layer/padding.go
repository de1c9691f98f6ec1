package layer

import (
	"fmt"

	"dns-tui/gpu"
)

// sides are pixels around a plane: Synopsys' pad_l, pad_r, pad_t and pad_b.
type sides struct{ left, right, top, bottom int }

// padding puts a border of one value around planes, for kernels that pad both sides alike.
type padding struct {
	d            *gpu.Device
	sides        sides
	planes, h, w int // of what is padded
	data, diff   framed
}

// framed is a blob with its border, and on the way to it the rows with theirs.
type framed struct{ rows, all *gpu.Tensor }

// newPadding makes the room for padding of the planes of b.
func newPadding(c *Context, b *Blob, s sides, border float32) (*padding, error) {
	g, err := planes(b)
	if err != nil {
		return nil, fmt.Errorf("pad_l, pad_r, pad_t, pad_b: %w", err)
	}
	const most = 1 << 20
	if max(s.left, s.right, s.top, s.bottom) > most {
		return nil, fmt.Errorf("%d, %d, %d, %d; wanted at most %d each", s.left, s.right, s.top, s.bottom, most)
	}
	p := &padding{d: c.Device, sides: s, planes: g.Planes, h: g.H, w: g.W}
	if p.data, err = p.frame(); err != nil {
		return nil, err
	}
	p.d.Fill(p.data.rows, border)
	p.d.Fill(p.data.all, border)
	if c.Backward {
		p.diff, err = p.frame()
	}
	return p, err
}

func (p *padding) height() int { return p.sides.top + p.h + p.sides.bottom }
func (p *padding) width() int  { return p.sides.left + p.w + p.sides.right }

func (p *padding) frame() (f framed, err error) {
	if f.rows, err = gpu.NewTensor(p.d, p.planes*p.h*p.width()); err == nil {
		f.all, err = gpu.NewTensor(p.d, p.planes*p.height()*p.width())
	}
	return f, err
}

// put copies x, planes without a border, into the frame, whose border stays.
func (p *padding) put(x *gpu.Tensor) *gpu.Tensor {
	wide := p.width()
	p.d.Copy2D(p.planes*p.h, p.w, x, 0, p.w, p.data.rows, p.sides.left, wide)
	p.d.Copy2D(p.planes, p.h*wide, p.data.rows, 0, p.h*wide, p.data.all, p.sides.top*wide, p.height()*wide)
	return p.data.all
}

// take copies the gradient in the frame, without that of the border, to dx.
func (p *padding) take(dx *gpu.Tensor) {
	wide := p.width()
	p.d.Copy2D(p.planes, p.h*wide, p.diff.all, p.sides.top*wide, p.height()*wide, p.diff.rows, 0, p.h*wide)
	p.d.Copy2D(p.planes*p.h, p.w, p.diff.rows, p.sides.left, wide, dx, 0, p.w)
}
