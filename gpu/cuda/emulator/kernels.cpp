// The kernels, compiled for this machine.
#include "device.h"

#include "../kernels/all.cu"
#include "../kernels/tensor.cu"
#include "../kernels/nhwc.cu"
