package gpu

// NewDry returns a device that allocates nothing and runs nothing: to learn the shapes of a net, of any size, at no
// cost. Only what a layer calls while it is set up works; other operations panic. Where held is not nil, the bytes that
// are allocated and not freed are counted there.
func NewDry(held *int64) *Device { return NewDevice(dry{held: held}, nil) }

// NewDryLike is NewDry of which layers and solvers ask for as much as of a device: it has the same operations (Has),
// and works as far ahead.
func NewDryLike(d *Device, held *int64) *Device { return NewDevice(dry{held, d.back}, nil) }

// Dry reports whether the device is one of NewDry's.
func (d *Device) Dry() bool {
	_, ok := d.back.(dry)
	return ok
}

type dry struct {
	held *int64
	like Back // or nil
}

type dryMemory struct {
	n    int
	held *int64
}

func (m *dryMemory) Len() int { return m.n }

func (m *dryMemory) Free() {
	if m.held != nil {
		*m.held -= 4 * int64(m.n)
		m.held = nil
	}
}

func (dry) Name() string { return "dry" }
func (dry) Close() error { return nil }

func (d dry) Capabilities() Capabilities {
	c := Capabilities{Kind: "dry"}
	if d.like != nil {
		c.Lag = d.like.Capabilities().Lag
	}
	return c
}

func (d dry) Alloc(n int) (Memory, error) {
	if d.held != nil {
		*d.held += 4 * int64(n)
	}
	return &dryMemory{n, d.held}, nil
}

func (dry) Allocated() int64            { return 0 }
func (dry) Upload(*Tensor, []float32)   {}
func (dry) Download([]float32, *Tensor) { panic("gpu: a dry device holds no numbers") }
func (dry) Fetch([]float32, *Tensor)    { panic("gpu: a dry device holds no numbers") }
func (dry) Do(Op)                       {}
func (dry) Mark() Mark                  { return 0 }
func (dry) Await(Mark) error            { return nil }
func (d dry) Supports(op Op) bool {
	_, ok := op.(*Fill)
	return ok || d.like != nil && d.like.Supports(op)
}
