#pragma once
#include "device.h"

namespace emulator {

// find_kernel returns the kernel of a name, or null.
const Kernel *find_kernel(const char *name);

// run_kernel runs all blocks of a launch and returns when they are done.
void run_kernel(const Kernel *k, uint3 grid, uint3 block, void **params);

// running_kernel names the kernel that the calling thread runs.
const char *running_kernel();

} // namespace emulator
