//go:build cuda

package cuda

import (
	"fmt"

	"github.com/ebitengine/purego"
)

// nvml has the functions of NVML that are used, of libnvidia-ml.so.1, which comes with the driver. They are looked up
// when a device is opened: a program that is linked against all of NVML does not start where its functions are bound
// at once (LD_BIND_NOW, hardened linkers) and there is no NVML. All return 0 for success.
type nvml struct {
	initialize  func() int32
	shutdown    func() int32
	handle      func(uuid string, device *uintptr) int32
	utilization func(device uintptr, rates *nvmlUtilization) int32
	memory      func(device uintptr, memory *nvmlMemory) int32
	temperature func(device uintptr, sensor int32, degrees *uint32) int32
}

// nvmlUtilization is nvmlUtilization_t: percent of the last sample period, of kernels and of the memory.
type nvmlUtilization struct{ gpu, _ uint32 }

// nvmlMemory is nvmlMemory_t: bytes, all and free ones before those in use.
type nvmlMemory struct{ _, _, used uint64 }

// nvmlTemperatureGPU is NVML_TEMPERATURE_GPU.
const nvmlTemperatureGPU = 0

// loadNVML finds NVML.
func loadNVML() (*nvml, error) {
	lib, err := purego.Dlopen("libnvidia-ml.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, err
	}
	n := &nvml{}
	for name, f := range map[string]any{
		"nvmlInit_v2":                   &n.initialize,
		"nvmlShutdown":                  &n.shutdown,
		"nvmlDeviceGetHandleByUUID":     &n.handle,
		"nvmlDeviceGetUtilizationRates": &n.utilization,
		"nvmlDeviceGetMemoryInfo":       &n.memory,
		"nvmlDeviceGetTemperature":      &n.temperature,
	} {
		at, err := purego.Dlsym(lib, name)
		if err != nil {
			return nil, fmt.Errorf("libnvidia-ml.so.1 lacks %s", name)
		}
		purego.RegisterFunc(f, at)
	}
	return n, nil
}
