// What the driver knows of a kernel, however it is run: compiled from its source (device.h) or as PTX (ptx/).
#pragma once
#include <cstdint>

struct uint3 { unsigned x, y, z; };

namespace emulator {

// Where the running thread stands.
struct Place { uint3 thread, block, block_dim, grid_dim; };
extern thread_local Place here;

enum { max_params = 40 };

struct Kernel {
	const char *name = nullptr;
	int threads = 0; // of a block at most: the launch bound
	int count = 0;   // of parameters
	unsigned sizes[max_params] = {};
};

} // namespace emulator
