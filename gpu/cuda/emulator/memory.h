// Device memory: one arena, with a shadow that tells for every four bytes whether they belong to an allocation, so that
// an access outside an allocation, between two, or to memory that was freed, is found. PTX asks before each load and
// store; kernels that the C++ compiler made are instrumented: -fsanitize=kernel-address calls a function before each.
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

// pin and unpin say which of the host's memory kernels may reach; pinned reports whether all bytes lie in one piece of it.
void pin(uintptr_t p, size_t bytes);
void unpin(uintptr_t p);
bool pinned(uintptr_t p, size_t bytes);

// The arena and its shadow: a byte for every four, which is 1 in an allocation.
const size_t arena_bytes = (size_t)64 << 30;
extern uintptr_t arena;
extern uint8_t *shadow;

// allocated reports whether a load or store of up to 16 bytes lies in an allocation.
inline bool allocated(uintptr_t p, size_t bytes) {
	size_t at = p - arena;
	if (at >= arena_bytes) return false;
	for (size_t i = at / 4; i <= (at + bytes - 1) / 4; i++)
		if (!shadow[i]) return false;
	return true;
}

// take_fault returns the first fault since the last call, or null.
const char *take_fault();
// note_fault notes what a kernel or a copy did that it may not, and prints it.
void note_fault(const char *what);
// describe_access writes what was done to which address, and what lies near; say_fault notes that.
void describe_access(char *text, size_t room, const char *what, uintptr_t p, size_t bytes);
void say_fault(const char *what, uintptr_t p, size_t bytes);

} // namespace emulator
