package model

import (
	"fmt"

	"dns-tui/gpu"
	"dns-tui/model/layer"
)

// FirstBad returns an error that names the first layer whose parameters or output hold a NaN or an infinity after a
// pass forward, or nil. Outputs are computed again where blobs share memory: one may be gone, or overwritten by a layer
// that works in place on a view of it.
func (n *Net) FirstBad() (bad error) {
	if err := n.device.Sync(); err != nil { // nothing that it would hold is right
		return err
	}
	restore := n.holdState()
	defer func() {
		if err := n.device.Shortage(); bad == nil { // of what was computed again; else nothing is put back
			bad = err
		}
		restore()
	}()
	defer func(say func(string)) { n.debug = say }(n.debug)
	n.debug = nil
	for i, nd := range n.nodes {
		for _, p := range nd.params {
			if !n.device.Finite(p.Forward()) {
				if err := n.device.Sync(); err != nil { // a device that failed says so of anything
					return err
				}
				return fmt.Errorf("layer %q (%s): parameter %d holds NaN or Inf", nd.name, nd.typ, p.Index)
			}
		}
		if n.reuse && len(nd.bottom) > 0 && len(nd.top) > 0 {
			if err := n.forward(i); err != nil {
				return err
			}
		}
		for _, t := range nd.top {
			if n.gone[t] || n.device.Finite(t.Data) {
				continue
			}
			if err := n.device.Sync(); err != nil {
				return err
			}
			if d, ok := nd.layer.(layer.Diagnoser); ok {
				if err := d.Diagnose(nd.bottom); err != nil {
					return fmt.Errorf("layer %q (%s): %w", nd.name, nd.typ, err)
				}
			}
			return fmt.Errorf("layer %q (%s): blob %q holds NaN or Inf", nd.name, nd.typ, t.Name)
		}
	}
	return nil
}

// holdState returns a function that puts back what layers carry from pass to pass, which passes by themselves change.
func (n *Net) holdState() (restore func()) {
	if !n.reuse {
		return func() {}
	}
	held := map[*gpu.Tensor][]float32{}
	hold := func(t *gpu.Tensor) {
		held[t] = make([]float32, t.N)
		n.device.Download(held[t], t)
	}
	for _, p := range n.params {
		if p.Statistics {
			hold(p.Data)
		}
	}
	for _, st := range n.States() {
		for _, t := range st.Tensors {
			hold(t)
		}
	}
	return func() {
		for t, v := range held {
			n.device.Upload(t, v)
		}
	}
}
