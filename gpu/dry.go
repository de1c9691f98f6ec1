package gpu

// NewDry returns a device that allocates nothing and runs nothing: to learn the shapes of a net, of any size, at no
// cost. Only what a layer calls while it is set up works; other operations panic. Where held is not nil, the bytes that
// are allocated and not freed are counted there.
func NewDry(held *int64) *Device { return NewDevice(dry{held}, nil) }

// Dry reports whether the device is one of NewDry's.
func (d *Device) Dry() bool {
	_, ok := d.back.(dry)
	return ok
}

type dry struct{ held *int64 }

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

func (dry) Name() string               { return "dry" }
func (dry) Capabilities() Capabilities { return Capabilities{Kind: "dry"} }
func (dry) Close() error               { return nil }

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
func (dry) Supports(op Op) bool {
	_, ok := op.(*Fill)
	return ok
}
