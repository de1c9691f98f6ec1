// A warp that runs, and its block.
#pragma once
#include <string.h>

#include <deque>
#include <tuple>
#include <vector>

#include "program.h"
#include "shared.h"

namespace emulator::ptx {

// each calls f for the lanes of a mask; for all of them in a loop that the compiler makes vector instructions of. An
// instruction's result may lie where an operand does, in the same lane.
template <class F> inline void each(uint32_t mask, F f) {
	if (mask == ~0u) {
#pragma GCC ivdep
		for (int lane = 0; lane < lanes; lane++) f(lane);
		return;
	}
	for (; mask; mask &= mask - 1) f(__builtin_ctz(mask));
}

struct Block {
	const Program *program = nullptr;
	std::vector<uint8_t> params;
	std::vector<uint8_t> registers; // of all warps
	std::vector<Warp> warps;
	Shared shared;

	void run(const Program &p, void **values);

private:
	void prepare(const Program &p, void **values);
	void release();
};

// A Copy is one of 16 bytes to shared memory that is under way (cp.async).
struct Copy {
	uint32_t to;
	uint32_t words[4];
};

struct Warp {
	Block *block = nullptr;
	uint8_t *registers = nullptr;
	unsigned first = 0;                                // thread of the block
	uint32_t alive = 0, at_barrier = 0, at_meeting = 0; // lanes
	uint32_t pc[lanes] = {};
	const Instruction *running = nullptr;
	std::vector<std::deque<std::vector<Copy>>> copies; // of each lane: its groups, the last of them open

	template <class T> T *at(uint32_t place) { return (T *)(registers + place); }
	uint16_t thread(int lane) const { return (uint16_t)(first + lane); }
	void run(); // until no lane can go on alone

private:
	void step(uint32_t mask, uint32_t from, uint32_t other);
};

// Fault is thrown where a kernel does what it may not; it has been noted.
struct Fault {};

// fail notes a fault of a lane at the instruction that its warp runs.
[[noreturn]] void fail(Warp &w, int lane, const char *format, ...) __attribute__((format(printf, 3, 4)));
// fail_access notes one with an address in global memory.
[[noreturn]] void fail_access(Warp &w, int lane, const char *what, uint64_t at, unsigned bytes);

} // namespace emulator::ptx
