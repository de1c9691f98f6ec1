package host

import (
	"fmt"
	"sync/atomic"
	"time"

	"dns-tui/gpu"
)

// measuring is what the device measures, and for whom it leaves off.
type measuring struct {
	phase   atomic.Pointer[string] // what it is about; nil: nothing
	done    int                    // that were measured
	asked   func() bool            // whether somebody waits; nil: nobody ever does
	hurried bool                   // that something was not measured
}

// Health implements gpu.Monitored: of the host only what it measures is told.
func (d *back) Health() gpu.Health {
	if p := d.measuring.phase.Load(); p != nil {
		return gpu.Health{Phase: *p}
	}
	return gpu.Health{}
}

// HurryWhen implements gpu.Measurer.
func (d *back) HurryWhen(asked func() bool) { d.measuring.asked = asked }

// Hurried implements gpu.Measurer.
func (d *back) Hurried() bool {
	was := d.measuring.hurried
	d.measuring.hurried = false
	return was
}

// measureWays is leastTimes, told of while it lasts; nil where somebody does not want to wait for it.
func measureWays[O any](d *back, o O, ways []way[O], adds []float32) []time.Duration {
	m := &d.measuring
	of := d.preparation.label
	if of == "" {
		of = "a product"
	}
	phase := fmt.Sprintf("choosing kernels: %s (%d chosen)", of, m.done)
	m.phase.Store(&phase)
	defer m.phase.Store(nil)
	took := leastTimes(o, ways, adds, m.asked)
	if took == nil {
		m.hurried = true
		return nil
	}
	m.done++
	return took
}
