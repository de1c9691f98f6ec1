//go:build cuda

package cuda

import (
	"sync/atomic"
	"time"

	"gorgonia.org/cu"

	"dns-tui/gpu"
)

// monitor reads the GPU's health from NVML, which comes with the driver. Where it is absent there is none.
type monitor struct {
	latest atomic.Pointer[gpu.Health]
	stop   chan struct{}
	ended  chan struct{}
}

// monitorEvery is how often NVML is asked; an answer can take it some milliseconds.
const monitorEvery = time.Second

// openMonitor begins to watch the GPU in a goroutine of its own.
func (d *back) openMonitor() error {
	dev, err := cu.GetDevice(d.opts.Ordinal)
	if err != nil {
		return err
	}
	uuid, err := dev.UUID()
	if err != nil {
		return nil
	}
	n, err := loadNVML()
	if err != nil || n.initialize() != 0 {
		return nil
	}
	// By its identity: NVML does not know of CUDA_VISIBLE_DEVICES.
	var h uintptr
	if n.handle("GPU-"+uuid.String(), &h) != 0 {
		n.shutdown()
		return nil
	}
	m := &d.monitor
	m.stop, m.ended = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(m.ended)
		defer n.shutdown()
		tick := time.NewTicker(monitorEvery)
		defer tick.Stop()
		for {
			m.latest.Store(n.health(h))
			select {
			case <-m.stop:
				return
			case <-tick.C:
			}
		}
	}()
	return nil
}

// health asks for everything; what NVML does not tell is 0.
func (n *nvml) health(device uintptr) *gpu.Health {
	v := &gpu.Health{}
	var rates nvmlUtilization
	if n.utilization(device, &rates) == 0 {
		v.Known, v.Utilization = true, int(rates.gpu)
	}
	var memory nvmlMemory
	if n.memory(device, &memory) == 0 {
		v.Known, v.Memory = true, int64(memory.used)
	}
	var degrees uint32
	if n.temperature(device, nvmlTemperatureGPU, &degrees) == 0 {
		v.Known, v.Temperature = true, int(degrees)
	}
	return v
}

// Health implements gpu.Monitored.
func (d *back) Health() gpu.Health {
	var h gpu.Health
	if l := d.monitor.latest.Load(); l != nil {
		h = *l
	}
	if p := d.phase.Load(); p != nil {
		h.Phase = *p
	}
	return h
}

func (d *back) closeMonitor() {
	if d.monitor.stop != nil {
		close(d.monitor.stop)
		<-d.monitor.ended
		d.monitor.stop = nil
	}
}
