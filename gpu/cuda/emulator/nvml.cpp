// A stand-in for NVML, libnvidia-ml.so.1: a GPU that is used at 42 %, is 57 °C warm, and has 3 of 8 GiB in use. Its identity
// is one that the emulated driver gives.
#include <string.h>

static int users;
static int device;

extern "C" {

int nvmlInit_v2() { return users++, 0; }
int nvmlShutdown() { return users-- > 0 ? 0 : 1; }
int nvmlDeviceGetHandleByUUID(const char *uuid, void **h) {
	if (!users) return 1; // NVML_ERROR_UNINITIALIZED
	if (strncmp(uuid, "GPU-00000000-0000-0000-0000-0000000000", 38)) return 6; // NVML_ERROR_NOT_FOUND
	*h = &device;
	return 0;
}
int nvmlDeviceGetUtilizationRates(void *h, unsigned *rates) {
	if (!users || h != &device) return 1;
	rates[0] = 42;
	rates[1] = 7;
	return 0;
}
int nvmlDeviceGetMemoryInfo(void *h, unsigned long long *bytes) {
	if (!users || h != &device) return 1;
	bytes[0] = 8ull << 30;
	bytes[1] = 5ull << 30;
	bytes[2] = 3ull << 30;
	return 0;
}
int nvmlDeviceGetTemperature(void *h, int sensor, unsigned *degrees) {
	if (!users || h != &device || sensor != 0) return 1;
	*degrees = 57;
	return 0;
}

} // extern "C"
