package gpu

// A Hurry knows of a Measurer, which embeds it, for whom it leaves off.
type Hurry struct {
	asked func() bool // nil: nobody ever waits
	left  bool
}

// HurryWhen implements Measurer.
func (h *Hurry) HurryWhen(asked func() bool) { h.asked = asked }

// Hurried implements Measurer.
func (h *Hurry) Hurried() bool {
	was := h.left
	h.left = false
	return was
}

// Waits asks whether somebody does not want to wait for what is measured.
func (h *Hurry) Waits() bool { return h.asked != nil && h.asked() }

// LeaveOff tells that something was not measured.
func (h *Hurry) LeaveOff() { h.left = true }
