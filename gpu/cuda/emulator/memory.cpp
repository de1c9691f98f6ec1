#include "memory.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include <map>
#include <mutex>

#include "block.h"

namespace emulator {

// Addresses are not used twice until the arena is, so what was freed stays poisoned for long.
static const size_t gap = 256; // alignment, and the least distance of two allocations

static std::mutex mu;
uintptr_t arena;
uint8_t *shadow;
static size_t cursor, total_bytes = (size_t)4 << 30, used_bytes;
static std::map<uintptr_t, size_t> live;
static char fault[768];
static bool faulted;
static std::map<uintptr_t, const void *> owners;
static std::map<uintptr_t, size_t> pinned_pieces;

static void open_arena() {
	if (arena) return;
	arena = (uintptr_t)mmap(nullptr, arena_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	shadow = (uint8_t *)mmap(nullptr, arena_bytes / 4, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

void set_memory(size_t bytes) {
	std::lock_guard<std::mutex> l(mu);
	total_bytes = bytes;
}

static size_t padded(size_t bytes) { return (bytes + gap - 1) / gap * gap; }

uintptr_t allocate(size_t bytes, const void *owner) {
	std::lock_guard<std::mutex> l(mu);
	open_arena();
	if (bytes == 0 || used_bytes + bytes > total_bytes) return 0;
	size_t room = padded(bytes) + gap;
	if (cursor + room > arena_bytes) cursor = 0;
	for (;;) { // past what still lives there
		auto it = live.lower_bound(arena + cursor);
		if (it != live.begin()) {
			auto before = std::prev(it);
			size_t end = before->first + padded(before->second) + gap - arena;
			if (end > cursor) {
				cursor = end;
				continue;
			}
		}
		if (it == live.end() || it->first >= arena + cursor + room) break;
		cursor = it->first + padded(it->second) + gap - arena;
	}
	if (cursor + room > arena_bytes) return 0;
	uintptr_t p = arena + cursor;
	cursor += room;
	live[p] = bytes;
	owners[p] = owner;
	used_bytes += bytes;
	memset(shadow + (p - arena) / 4, 1, (bytes + 3) / 4);
	memset((void *)p, 0xFF, bytes); // NaN: new memory is not zero on a GPU either
	return p;
}

static bool release_locked(uintptr_t p) {
	auto it = live.find(p);
	if (it == live.end()) return false;
	memset(shadow + (p - arena) / 4, 0, (it->second + 3) / 4);
	size_t whole = it->second & ~(size_t)4095;
	if (whole) { // give the pages back
		uintptr_t from = (p + 4095) & ~(uintptr_t)4095, to = (p + it->second) & ~(uintptr_t)4095;
		if (to > from) madvise((void *)from, to - from, MADV_DONTNEED);
	}
	used_bytes -= it->second;
	live.erase(it);
	owners.erase(p);
	return true;
}

bool release(uintptr_t p) {
	std::lock_guard<std::mutex> l(mu);
	return release_locked(p);
}

void release_all(const void *owner) {
	std::lock_guard<std::mutex> l(mu);
	std::map<uintptr_t, const void *> all = owners;
	for (auto &o : all)
		if (o.second == owner) release_locked(o.first);
}

void memory_info(size_t *free_bytes, size_t *total) {
	std::lock_guard<std::mutex> l(mu);
	*total = total_bytes;
	*free_bytes = used_bytes < total_bytes ? total_bytes - used_bytes : 0;
}

static bool within(const std::map<uintptr_t, size_t> &pieces, uintptr_t p, size_t bytes) {
	std::lock_guard<std::mutex> l(mu);
	auto it = pieces.upper_bound(p);
	if (it == pieces.begin()) return false;
	--it;
	return p + bytes <= it->first + it->second;
}

bool owned(uintptr_t p, size_t bytes) { return within(live, p, bytes); }
bool pinned(uintptr_t p, size_t bytes) { return within(pinned_pieces, p, bytes); }

void pin(uintptr_t p, size_t bytes) {
	std::lock_guard<std::mutex> l(mu);
	pinned_pieces[p] = bytes;
}
void unpin(uintptr_t p) {
	std::lock_guard<std::mutex> l(mu);
	pinned_pieces.erase(p);
}

const char *take_fault() {
	std::lock_guard<std::mutex> l(mu);
	if (!faulted) return nullptr;
	faulted = false;
	return fault;
}

void note_fault(const char *what) {
	std::lock_guard<std::mutex> l(mu);
	if (faulted) return;
	faulted = true;
	snprintf(fault, sizeof fault, "%s", what);
	fprintf(stderr, "emulator: %s\n", fault);
}

void describe_access(char *text, size_t room, const char *what, uintptr_t p, size_t bytes) {
	std::lock_guard<std::mutex> l(mu);
	char near[96] = "outside device memory";
	auto it = live.upper_bound(p);
	if (it != live.begin()) {
		--it;
		snprintf(near, sizeof near, "%zd bytes behind the start of an allocation of %zu", (ssize_t)(p - it->first), it->second);
	}
	snprintf(text, room, "%s of %zu bytes at %#zx, %s", what, bytes, (size_t)p, near);
}

void say_fault(const char *what, uintptr_t p, size_t bytes) {
	char text[sizeof fault];
	describe_access(text, sizeof text, what, p, bytes);
	note_fault(text);
}

static void bad(uintptr_t p, size_t bytes, bool store) {
	char what[512];
	describe(what, sizeof what);
	size_t n = strlen(what);
	snprintf(what + n, sizeof what - n, ": %s", store ? "store" : "load");
	say_fault(what, p, bytes);
}

// check looks at the shadow of an access to the arena; the rest of memory is not the device's.
static inline void check(uintptr_t p, size_t bytes, bool store) {
	if (__builtin_expect(p - arena >= arena_bytes, 1)) {
		if (__builtin_expect(p < 4096, 0)) bad(p, bytes, store);
		return;
	}
	if (__builtin_expect(!allocated(p, bytes), 0)) bad(p, bytes, store);
}

} // namespace emulator

#define ACCESS(n) \
	extern "C" void __asan_load##n##_noabort(uintptr_t p) { emulator::check(p, n, false); } \
	extern "C" void __asan_store##n##_noabort(uintptr_t p) { emulator::check(p, n, true); }
ACCESS(1)
ACCESS(2)
ACCESS(4)
ACCESS(8)
ACCESS(16)
extern "C" void __asan_loadN_noabort(uintptr_t p, size_t n) { emulator::check(p, n, false); }
extern "C" void __asan_storeN_noabort(uintptr_t p, size_t n) { emulator::check(p, n, true); }
extern "C" void __asan_handle_no_return() {}
extern "C" void __asan_before_dynamic_init(const char *) {}
extern "C" void __asan_after_dynamic_init() {}
