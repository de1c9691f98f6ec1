package gpu

import "fmt"

// fallback does on the host what a back end lacks.
type fallback struct {
	open    func() Back     // opens the host, or nil
	host    Back            // nil until it is needed
	err     error           // the first failure
	noted   map[string]bool // operations that a notice says so of
	notices []string        // the back end's, and this one's own, in the order in which they came
	taken   int             // of the back end's
}

// noticed returns all notices, given those of the back end.
func (f *fallback) noticed(of []string) []string {
	if len(f.noted) == 0 {
		return of
	}
	f.take(of)
	return f.notices
}

// take adds the back end's notices that came since.
func (f *fallback) take(of []string) {
	f.notices = append(f.notices, of[f.taken:]...)
	f.taken = len(of)
}

func (f *fallback) close() {
	if f.host != nil {
		f.host.Close()
	}
}

// copied is an operand's memory, and its copy on the host: of the elements between from and to.
type copied struct {
	device   Memory
	host     Memory
	from, to int
}

func (c *copied) span(m Memory, off int) *Tensor {
	return &Tensor{Mem: m, Off: off, N: c.to - c.from, Shape: []int{c.to - c.from}}
}

// do does op on the host, with copies of what its operands lie in. Operands that share memory share the copy.
func (f *fallback) do(b Back, op Op) {
	f.begin(b, op)
	var copies []*copied
	find := func(m Memory) *copied {
		for _, c := range copies {
			if c.device == m {
				return c
			}
		}
		return nil
	}
	op.operands(&operands{visit: func(t **Tensor, _ Access) {
		c := find((*t).Mem)
		if c == nil {
			c = &copied{device: (*t).Mem, from: (*t).Off, to: (*t).Off}
			copies = append(copies, c)
		}
		c.from, c.to = min(c.from, (*t).Off), max(c.to, (*t).Off+(*t).N)
	}})
	for _, c := range copies {
		m, err := f.host.Alloc(c.to - c.from)
		if err != nil {
			f.fail(fmt.Errorf("%s on the host: %w", nameOf(op), err))
			return
		}
		defer m.Free()
		c.host = m
		values := make([]float32, c.to-c.from)
		b.Download(values, c.span(c.device, c.from))
		f.host.Upload(c.span(m, 0), values)
	}
	type written struct{ host, device *Tensor }
	var out []written
	op.operands(&operands{visit: func(t **Tensor, how Access) {
		device, c := *t, find((*t).Mem)
		*t = &Tensor{Mem: c.host, Off: device.Off - c.from, N: device.N, Shape: device.Shape}
		if how != Reads {
			out = append(out, written{*t, device})
		}
	}})
	f.host.Do(op)
	for _, w := range out {
		values := make([]float32, w.host.N)
		f.host.Download(values, w.host)
		b.Upload(w.device, values)
	}
}

// begin opens the host, and says what is done there.
func (f *fallback) begin(b Back, op Op) {
	if f.host == nil {
		if f.open == nil {
			panic("gpu: " + b.Name() + " does not support " + nameOf(op))
		}
		f.host, f.noted = f.open(), map[string]bool{}
	}
	if !f.noted[nameOf(op)] {
		f.take(b.Capabilities().Notices)
		f.noted[nameOf(op)] = true
		f.notices = append(
			f.notices,
			fmt.Sprintf("%s has no kernel for %s: the host does it, with copies", b.Name(), nameOf(op)),
		)
	}
}

func (f *fallback) fail(err error) {
	if f.err == nil {
		f.err = err
	}
}
