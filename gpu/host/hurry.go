package host

import (
	"fmt"
	"sync/atomic"
	"time"

	"dns-tui/gpu"
)

// measuring is what the device measures.
type measuring struct {
	phase atomic.Pointer[string] // what it is about; nil: nothing
	done  int                    // that were measured
}

// Health implements gpu.Monitored: of the host only what it measures is told.
func (d *back) Health() gpu.Health {
	if p := d.measuring.phase.Load(); p != nil {
		return gpu.Health{Phase: *p}
	}
	return gpu.Health{}
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
	took := leastTimes(o, ways, adds, d.Waits)
	if took == nil {
		d.LeaveOff()
		return nil
	}
	m.done++
	return took
}
