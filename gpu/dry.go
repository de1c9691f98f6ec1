package gpu

// NewDry returns a device that allocates nothing and runs nothing: to learn the shapes of a net, of any size, at no
// cost. Only what a layer calls while it is set up works; other operations panic. Where held is not nil, the bytes that
// are allocated and not freed are counted there.
func NewDry(held *int64) *Device { return NewDevice(dry{held: held}, nil) }

// NewDryLike is NewDry of which layers and solvers ask for as much as of a device: it has the same operations (Has),
// and works as far ahead.
//
// Of a device whose own work takes memory (Rehearser) it counts that, too, in Allocated, and what is not set up only
// but run as well (Rehearses).
func NewDryLike(d *Device, held *int64) *Device {
	b := dry{held: held, like: d.back}
	if r, ok := d.back.(Rehearser); ok {
		b.stage = r.Rehearse()
	}
	return NewDevice(b, nil)
}

// A Rehearser is a Back whose own work takes memory: scratch space, copies in another layout.
type Rehearser interface {
	Rehearse() Rehearsal
	// Provide is that of Device.
	Provide(sizes []int64) error
}

// A Rehearsal is the part of a Back that a dry device calls: it allocates and computes nothing. Its Allocated is what
// the Back's would be: at first what that was when it was opened. What it downloads is 0.
type Rehearsal interface {
	Alloc(n int) (Memory, error)
	Allocated() int64
	Upload(dst *Tensor, src []float32)
	Download(dst []float32, src *Tensor)
	Do(op Op)
	// Sizes lists the bytes of all that is taken and cannot be done without, the oldest first.
	Sizes() []int64
}

// Rehearse has what pass does rehearsed by the device, with its tensors as they are: nothing is computed. It returns
// the bytes of each piece of memory that the device would take for its own work and cannot do without, the oldest
// first; none of a device whose own work takes no memory.
func (d *Device) Rehearse(pass func()) (sizes []int64) {
	r, ok := d.back.(Rehearser)
	if !ok {
		return nil
	}
	stage := r.Rehearse()
	d.standIn(d.back, stage, pass)
	return stage.Sizes()
}

// standIn puts a rehearsal of a back end in place of the device's own while pass runs.
func (d *Device) standIn(like Back, stage Rehearsal, pass func()) {
	back, labeler, operations := d.back, d.labeler, d.operations
	defer func() { d.back, d.labeler, d.operations = back, labeler, operations }()
	d.back, d.labeler = dry{like: like, stage: stage}, nil
	pass()
}

// Provide has the device keep pieces of memory of such sizes for its own work, or returns an error where there is no
// room for all of them.
func (d *Device) Provide(sizes []int64) error {
	if r, ok := d.back.(Rehearser); ok {
		return r.Provide(sizes)
	}
	return nil
}

// Rehearses reports whether the device is a dry one on which operations can be called, to count the memory that they
// would take.
func (d *Device) Rehearses() bool {
	b, ok := d.back.(dry)
	return ok && b.stage != nil
}

// Dry reports whether the device is one of NewDry's.
func (d *Device) Dry() bool {
	_, ok := d.back.(dry)
	return ok
}

type dry struct {
	held  *int64
	like  Back      // or nil
	stage Rehearsal // nil: nothing can be run
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
	if d.stage != nil {
		return d.stage.Alloc(n)
	}
	if d.held != nil {
		*d.held += 4 * int64(n)
	}
	return &dryMemory{n, d.held}, nil
}

func (d dry) Allocated() int64 {
	switch {
	case d.stage != nil:
		return d.stage.Allocated()
	case d.held != nil:
		return *d.held
	}
	return 0
}

func (d dry) Upload(dst *Tensor, src []float32) {
	if d.stage != nil {
		d.stage.Upload(dst, src)
	}
}

func (d dry) Download(dst []float32, src *Tensor) {
	if d.stage == nil {
		panic("gpu: a dry device holds no numbers")
	}
	d.stage.Download(dst, src)
}

func (d dry) Fetch(dst []float32, src *Tensor) { d.Download(dst, src) }

func (d dry) Do(op Op) {
	if d.stage != nil {
		d.stage.Do(op)
	}
}

// copied is what a rehearsal does of an operation that the host does: its operands are read there, and its results come
// back.
func (d dry) copied(op Op) {
	for _, reads := range []bool{true, false} {
		op.operands(&operands{visit: func(t **Tensor, how Access) {
			switch {
			case reads:
				d.stage.Download(nil, *t)
			case how != Reads:
				d.stage.Upload(*t, nil)
			}
		}})
	}
}

func (dry) Mark() Mark       { return 0 }
func (dry) Await(Mark) error { return nil }
func (d dry) Supports(op Op) bool {
	_, ok := op.(*Fill)
	return ok || d.like != nil && d.like.Supports(op)
}
