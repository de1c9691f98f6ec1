//go:build cuda

package cuda

import (
	"sync/atomic"
	"time"

	"github.com/NVIDIA/go-nvml/pkg/nvml"
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
	if err != nil || nvml.Init() != nvml.SUCCESS {
		return nil
	}
	// By its identity: NVML does not know of CUDA_VISIBLE_DEVICES.
	h, status := nvml.DeviceGetHandleByUUID("GPU-" + uuid.String())
	if status != nvml.SUCCESS {
		_ = nvml.Shutdown()
		return nil
	}
	m := &d.monitor
	m.stop, m.ended = make(chan struct{}), make(chan struct{})
	go func() {
		defer close(m.ended)
		defer func() { _ = nvml.Shutdown() }()
		tick := time.NewTicker(monitorEvery)
		defer tick.Stop()
		for {
			v := &gpu.Health{}
			if u, s := h.GetUtilizationRates(); s == nvml.SUCCESS {
				v.Known, v.Utilization = true, int(u.Gpu)
			}
			if mem, s := h.GetMemoryInfo(); s == nvml.SUCCESS {
				v.Known, v.Memory = true, int64(mem.Used)
			}
			if t, s := h.GetTemperature(nvml.TEMPERATURE_GPU); s == nvml.SUCCESS {
				v.Known, v.Temperature = true, int(t)
			}
			m.latest.Store(v)
			select {
			case <-m.stop:
				return
			case <-tick.C:
			}
		}
	}()
	return nil
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
