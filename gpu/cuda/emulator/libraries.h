// What the stand-ins for NVIDIA's libraries share: they do their work in the emulated streams' order.
#pragma once
#include <dlfcn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <functional>

extern "C" int emulator_later(void *stream, void (*f)(void *), void *data);
extern "C" int emulator_owned(uintptr_t p, size_t bytes);

// later returns 0, or where the stream does not take the work an error.
inline int later(void *stream, std::function<void()> work) {
	// A graph runs its nodes again and again, so the work is never freed.
	return emulator_later(stream, [](void *p) { (*(std::function<void()> *)p)(); }, new std::function<void()>(std::move(work)));
}

// reads stops the program where a library is given memory that is not the device's.
inline void reads(const char *what, const void *p, size_t floats) {
	if (floats && !emulator_owned((uintptr_t)p, 4 * floats)) {
		fprintf(stderr, "emulator: %s: %zu numbers at %p are not in one allocation\n", what, floats, p);
		abort();
	}
}

// refused reports whether this library is the one that EMULATOR_REFUSE, a part of a path, names: it makes no handles then.
// It is static, as each library has its own.
static bool refused() {
	static const char here = 0;
	Dl_info info;
	const char *part = getenv("EMULATOR_REFUSE");
	return part && *part && dladdr(&here, &info) && strstr(info.dli_fname, part);
}

// emulator_handles is how many handles of this library there are.
static long handles;
extern "C" long emulator_handles() { return handles; }
