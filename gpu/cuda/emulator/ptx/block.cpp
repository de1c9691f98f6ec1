// Blocks of PTX: how threads take turns.
//
// The lanes of a warp that stand at the same instruction go on together. Where they part, those that stand earliest in
// the code go first, so that they come together again where their ways do; any order would be right, for the threads of
// a GPU are independent too (section 3.1, "independent thread scheduling"). The warps of a block run one after another,
// each until its lanes wait for others at a barrier.
#include "../block.h"

#include <stdarg.h>
#include <stdio.h>

#include <algorithm>
#include <list>
#include <stdexcept>

#include "../memory.h"
#include "warp.h"

namespace emulator {

namespace ptx {

enum { warp_limit = 32 };

// number is what a special register has in a lane of a warp whose first thread is that.
static uint32_t number(Special s, unsigned thread) {
	const uint3 &d = here.block_dim, &g = here.grid_dim, &b = here.block;
	switch (s) {
	case Special::tid_x: return thread % d.x;
	case Special::tid_y: return thread / d.x % d.y;
	case Special::tid_z: return thread / d.x / d.y;
	case Special::ntid_x: return d.x;
	case Special::ntid_y: return d.y;
	case Special::ntid_z: return d.z;
	case Special::ctaid_x: return b.x;
	case Special::ctaid_y: return b.y;
	case Special::ctaid_z: return b.z;
	case Special::nctaid_x: return g.x;
	case Special::nctaid_y: return g.y;
	case Special::nctaid_z: return g.z;
	case Special::laneid: return thread % lanes;
	case Special::none: break;
	}
	return 0;
}

static void fill(Warp &w, const Constant &c) {
	for (int lane = 0; lane < lanes; lane++) memcpy(w.registers + c.place + lane * c.width, &c.bits, c.width); // little-endian
}

void Block::prepare(const Program &p, void **values) {
	unsigned threads = here.block_dim.x * here.block_dim.y * here.block_dim.z, count = (threads + lanes - 1) / lanes;
	if (program != &p || warps.size() != count) {
		program = &p;
		// A register that nothing has written is a NaN.
		registers.assign((size_t)count * p.register_bytes + 64, 0xFF);
		warps.assign(count, Warp());
		uint8_t *from = (uint8_t *)(((uintptr_t)registers.data() + 63) & ~(uintptr_t)63);
		for (unsigned k = 0; k < count; k++) {
			warps[k].block = this;
			warps[k].registers = from + (size_t)k * p.register_bytes;
			warps[k].first = k * lanes;
			for (auto &c : p.constants) fill(warps[k], c);
		}
	}
	params.assign(p.param_bytes, 0);
	for (int k = 0; k < p.count; k++) memcpy(params.data() + p.params[k].at, values[k], p.params[k].size);
	for (auto &w : warps) {
		unsigned n = std::min(threads - w.first, (unsigned)lanes);
		w.alive = n == lanes ? ~0u : (1u << n) - 1;
		w.at_barrier = w.at_meeting = 0;
		w.copies.clear();
		std::fill(w.pc, w.pc + lanes, 0);
		for (auto &s : p.specials)
			for (int lane = 0; lane < lanes; lane++) w.at<uint32_t>(s.second)[lane] = number(s.first, w.thread(lane));
	}
	shared.start(p);
}

void Block::run(const Program &p, void **values) {
	prepare(p, values);
	for (bool alive = true; alive;) {
		alive = false;
		for (auto &w : warps) {
			w.run();
			alive |= w.alive != 0;
		}
		if (alive) release();
	}
	p.accesses += shared.banks.accesses;
	p.conflicts += shared.banks.conflicts;
	shared.banks = {};
}

// release lets all threads go on from a barrier, at which all that have not ended must be: those of a warp at the same
// (bar.sync is barrier.sync.aligned).
void Block::release() {
	for (auto &w : warps) {
		if (w.at_meeting) {
			int lane = __builtin_ctz(w.at_meeting);
			w.running = &program->code[w.pc[lane]];
			fail(w, lane, "it waits for ever for the other lanes of its warp");
		}
		for (uint32_t m = w.alive; m; m &= m - 1) {
			int lane = __builtin_ctz(m), first = __builtin_ctz(w.alive);
			if (w.pc[lane] != w.pc[first]) {
				w.running = &program->code[w.pc[lane] - 1];
				fail(w, lane, "other threads of its warp are at another barrier, in line %u", program->code[w.pc[first] - 1].line);
			}
		}
		w.at_barrier = 0;
	}
	shared.barrier();
}

// lanes_of makes a mask of a predicate.
static inline uint32_t lanes_of(const bool *p) {
	uint32_t mask = 0;
	for (int k = 0; k < 4; k++) {
		uint64_t eight;
		memcpy(&eight, p + 8 * k, 8);
		mask |= (uint32_t)(((eight & 0x0101010101010101ull) * 0x0102040810204080ull) >> 56) << 8 * k;
	}
	return mask;
}

void Warp::run() {
	for (;;) {
		uint32_t ready = alive & ~at_barrier & ~at_meeting;
		if (!ready) {
			// A meeting takes place when all that are left have come to the same one.
			if (!at_meeting || at_meeting != alive) return;
			uint32_t at = pc[__builtin_ctz(alive)];
			for (uint32_t m = alive; m; m &= m - 1)
				if (pc[__builtin_ctz(m)] != at) return;
			at_meeting = 0;
			ready = alive;
		}
		uint32_t from = UINT32_MAX, other = UINT32_MAX, mask = 0;
		for (uint32_t m = ready; m; m &= m - 1) from = std::min(from, pc[__builtin_ctz(m)]);
		for (uint32_t m = ready; m; m &= m - 1) {
			int lane = __builtin_ctz(m);
			if (pc[lane] == from) mask |= 1u << lane;
			else other = std::min(other, pc[lane]);
		}
		step(mask, from, other);
	}
}

// step runs lanes that stand at an instruction, until they part, wait, end, or come to where others stand.
void Warp::step(uint32_t mask, uint32_t from, uint32_t other) {
	const Instruction *code = block->program->code.data();
	uint32_t at = from;
	auto stand = [&](uint32_t which, uint32_t where) {
		for (; which; which &= which - 1) pc[__builtin_ctz(which)] = where;
	};
	do {
		const Instruction &i = code[at];
		running = &i;
		uint32_t doing = mask;
		if (i.guarded) {
			uint32_t p = lanes_of(this->at<bool>(i.guard));
			doing &= i.unless ? ~p : p;
		}
		switch (i.flow) {
		case Flow::next:
			if (doing) i.action(*this, i, doing);
			at++;
			continue;
		case Flow::branch:
			if (doing == mask) {
				at = i.target;
				continue;
			}
			if (doing == 0) {
				at++;
				continue;
			}
			stand(doing, i.target);
			stand(mask & ~doing, at + 1);
			return;
		case Flow::leave:
			alive &= ~doing;
			stand(mask & ~doing, at + 1);
			return;
		case Flow::barrier:
			at_barrier |= doing;
			stand(mask, at + 1);
			return;
		case Flow::meet:
			if (mask != alive) {
				at_meeting |= mask;
				stand(mask, at);
				return;
			}
			if (doing) i.action(*this, i, doing);
			at++;
			continue;
		}
	} while (at < other);
	stand(mask, at);
}

static thread_local Block *block;

static void note(Warp &w, int lane, const char *what) {
	char text[640];
	here.thread = {number(Special::tid_x, w.thread(lane)), number(Special::tid_y, w.thread(lane)), number(Special::tid_z, w.thread(lane))};
	const Instruction &i = *w.running;
	snprintf(text, sizeof text, "kernel %s, line %u of its PTX (%.*s), block (%u,%u,%u), thread (%u,%u,%u): %s", w.block->program->name, i.line,
		(int)std::min<size_t>(strcspn(i.text, ";"), 80), i.text, here.block.x, here.block.y, here.block.z, here.thread.x, here.thread.y,
		here.thread.z, what);
	note_fault(text);
}

void fail(Warp &w, int lane, const char *format, ...) {
	char what[320];
	va_list more;
	va_start(more, format);
	vsnprintf(what, sizeof what, format, more);
	va_end(more);
	note(w, lane, what);
	throw Fault();
}

void fail_access(Warp &w, int lane, const char *what, uint64_t at, unsigned bytes) {
	char text[320];
	describe_access(text, sizeof text, what, at, bytes);
	note(w, lane, text);
	throw Fault();
}

} // namespace ptx

using namespace ptx;

// images are kept: a program loads the same each time that it opens the device.
static std::list<Image> &images() {
	static auto *all = new std::list<Image>;
	return *all;
}

// load_image is called by the driver, which has its lock.
const void *load_image(const char *text) {
	for (auto &i : images())
		if (i.text == text) return &i;
	Image &image = images().emplace_back();
	image.text = text;
	try {
		parse(image);
	} catch (const std::runtime_error &e) {
		note_fault(e.what());
		images().pop_back();
		return nullptr;
	}
	return &image;
}

const Kernel *find_kernel(const void *image, const char *name) {
	if (!image) return nullptr; // a cubin
	auto &kernels = ((const Image *)image)->kernels;
	auto it = kernels.find(name);
	return it == kernels.end() ? nullptr : &it->second;
}

void run_block(const Kernel *k, void **params) {
	auto *p = (const Program *)k;
	if (!block) block = new Block;
	p->ran = true;
	try {
		block->run(*p, params);
	} catch (const Fault &) { // it is noted; the rest of the block is not run
	}
}

void describe(char *text, size_t bytes) {
	snprintf(text, bytes, "kernel %s", block && block->program ? block->program->name : "?");
}

extern "C" {

// emulator_unreached returns the names of the kernels that were loaded and have never run, a line each. They are those of
// the program: tests' own images have one kernel, test.
const char *emulator_unreached() {
	static std::string names;
	names.clear();
	for (auto &i : images())
		for (auto &k : i.kernels)
			if (!k.second.ran && k.first != "test") names += k.first + "\n";
	return names.c_str();
}

// emulator_conflicts returns of each kernel that has run its name, how often its warps went to shared memory, and how many
// cycles more that took because lanes met in a bank, a line each.
const char *emulator_conflicts() {
	static std::string lines;
	std::map<std::string, std::pair<long, long>> all;
	for (auto &i : images())
		for (auto &k : i.kernels)
			if (k.second.ran && k.first != "test") {
				all[k.first].first += k.second.accesses;
				all[k.first].second += k.second.conflicts;
			}
	lines.clear();
	for (auto &k : all) lines += k.first + " " + std::to_string(k.second.first) + " " + std::to_string(k.second.second) + "\n";
	return lines.c_str();
}

} // extern "C"

} // namespace emulator
