// Device memory: one arena, with a shadow that tells for every four bytes whether they belong to an allocation. The
// kernels are compiled with -fsanitize=kernel-address, which calls a function before each load and store; here it looks
// at the shadow, so that an access outside an allocation, between two, or to memory that was freed, is found.
#pragma once
#include <stddef.h>
#include <stdint.h>

namespace emulator {

// set_memory says how many bytes the device has.
void set_memory(size_t bytes);
// allocate returns 0 where the device has not that much left.
uintptr_t allocate(size_t bytes, const void *owner);
// release reports whether p was an allocation.
bool release(uintptr_t p);
// release_all releases what an owner has left.
void release_all(const void *owner);
void memory_info(size_t *free_bytes, size_t *total);
// owned reports whether all bytes lie in one allocation.
bool owned(uintptr_t p, size_t bytes);

// take_fault returns the first bad access since the last call, or null.
const char *take_fault();
// say_fault notes a bad access that is no kernel's own.
void say_fault(const char *what, uintptr_t p, size_t bytes);

} // namespace emulator
