package gpu

// Dry is a device that allocates nothing and runs nothing: to learn the shapes of a net, of any size, at no cost. Only
// what a layer calls while it is set up works; kernels panic.
type Dry struct {
	Device
	Held *int64 // where it is not nil, the bytes that were asked for are added here
}

type dryMemory int

func (m dryMemory) Len() int { return int(m) }
func (dryMemory) Free()      {}

// Name implements Device.
func (Dry) Name() string { return "dry" }

// Capabilities implements Device.
func (Dry) Capabilities() Capabilities { return Capabilities{Kind: "dry"} }

// Close implements Device.
func (Dry) Close() error { return nil }

// Alloc implements Store.
func (d Dry) Alloc(n int) (Memory, error) {
	if d.Held != nil {
		*d.Held += 4 * int64(n)
	}
	return dryMemory(n), nil
}

// Allocated implements Store.
func (Dry) Allocated() int64 { return 0 }

// Upload implements Store.
func (Dry) Upload(*Tensor, []float32) {}

// Fill implements Vector.
func (Dry) Fill(*Tensor, float32) {}

// Sync implements Store.
func (Dry) Sync() error { return nil }

// Mark implements Store.
func (Dry) Mark() Mark { return 0 }

// Await implements Store.
func (Dry) Await(Mark) error { return nil }
