package gpu

// A Narrower is a Back that stores some activations as bf16, with two bytes an element. Which those are it learns from
// a rehearsal.
type Narrower interface {
	Back
	Rehearser
	// Narrows reports whether it does so now.
	Narrows() bool
}

// Narrow finds which of the memory that is reserved needs two bytes an element: pass does, in their order, the
// operations that the device is to do later, all of which are rehearsed (Rehearser): nothing is computed. What is
// stored as bf16 in all of them is narrow from then on (Reserved.Narrow). None of it may have memory yet.
//
// Where the device is asked for something else later, narrow memory serves as well, but then the device takes the
// four bytes an element beside it (Reserved.Aside).
func (d *Device) Narrow(all []*Reserved, pass func()) {
	n, ok := d.narrower()
	if !ok || len(all) == 0 {
		return
	}
	stage := n.Rehearse()
	for _, r := range all {
		r.setNarrow(true)
		m, err := stage.Alloc(r.Len()) // as it may become wide
		if err != nil {                // an array that is too large, which whoever gives it memory says better
			for _, r := range all {
				r.setNarrow(false)
			}
			return
		}
		r.Give(m, 0)
	}
	d.standIn(n, stage, pass)
	for _, r := range all {
		r.setNarrow(r.narrow && r.stored && r.aside == nil)
	}
}

// narrower is the back end, or that which a dry device is like.
func (d *Device) narrower() (Narrower, bool) {
	b := d.back
	if is, dry := b.(dry); dry {
		b = is.like
	}
	n, ok := b.(Narrower)
	return n, ok && n.Narrows()
}
