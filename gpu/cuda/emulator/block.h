// How kernels run. There are two ways, of which a build of the driver has one: block.cpp runs them as the C++ compiler
// made them of their source, ptx/ runs the text that the program loads.
#pragma once
#include <stddef.h>

#include "kernel.h"

namespace emulator {

// load_image reads a module's text; null, and why on stderr, where a kernel in it cannot be run. Images live for ever.
const void *load_image(const char *text);

// find_kernel returns the kernel of a name in an image, or null.
const Kernel *find_kernel(const void *image, const char *name);

// run_block runs the block at here.block.
void run_block(const Kernel *k, void **params);

// describe writes which kernel, block and thread the calling thread runs.
void describe(char *text, size_t bytes);

// run_kernel runs all blocks of a launch and returns when they are done (team.cpp).
void run_kernel(const Kernel *k, uint3 grid, uint3 block, void **params);

} // namespace emulator
