#include "shared.h"

#include <stdio.h>

#include <algorithm>

#include "warp.h"

namespace emulator::ptx {

void Shared::start(const Program &p) {
	if (program != &p) {
		program = &p;
		bytes.resize((p.shared_bytes + 3) / 4 * 4);
		words.assign(bytes.size() / 4 + 1, Word());
		for (auto &v : p.shared)
			for (unsigned k = 0; k < v.size; k += 4) words[(v.at + k) / 4].size = (uint8_t)std::min(4u, v.size - k);
	}
	began = ++now;
}

void Shared::refuse(Warp &w, int lane, uint32_t at, unsigned size, const char *what, bool reads) const {
	const Variable *near = nullptr;
	for (auto &v : program->shared)
		if (at >= v.at) near = &v;
	char place[256];
	if (near) snprintf(place, sizeof place, "%s of %u bytes at byte %u of shared %s, which has %u", what, size, at - near->at, near->name.c_str(), near->size);
	else snprintf(place, sizeof place, "%s of %u bytes at %#x of shared memory", what, size, at);
	if (!inside(at, size)) fail(w, lane, "%s: outside the array", place);
	const Word &word = words[at / 4];
	if (reads && word.written < began) fail(w, lane, "%s: no thread of the block has written it", place);
	bool written = word.written == now && word.writer != (uint16_t)w.thread(lane);
	uint16_t who = written ? word.writer : word.reader;
	char other[32] = "several threads";
	if (who == atomics) strcpy(other, "an atomic addition");
	else if (who != several) snprintf(other, sizeof other, "thread %u", who);
	fail(w, lane, "%s: a race with %s, which %s it since the last barrier", place, other, written ? "wrote" : "read");
}

void Shared::Banks::access(const uint32_t *at, uint32_t mask, unsigned size) {
	const int words = size < 4 ? 1 : (int)size / 4, group = lanes / words;
	for (int first = 0; first < lanes; first += group) {
		uint32_t seen[lanes][lanes]; // words of each bank
		int count[lanes] = {}, most = 0;
		for (int lane = first; lane < first + group; lane++) {
			if (!(mask >> lane & 1)) continue;
			for (int k = 0; k < words; k++) {
				uint32_t word = at[lane] / 4 + k, bank = word % lanes;
				int n = 0;
				while (n < count[bank] && seen[bank][n] != word) n++;
				if (n < count[bank]) continue;
				seen[bank][count[bank]++] = word;
				most = std::max(most, count[bank]);
			}
		}
		accesses += most > 0;
		conflicts += std::max(0, most - 1);
	}
}

uint32_t Shared::add(Warp &w, int lane, uint16_t me, uint32_t at, uint32_t value) {
	if (!inside(at, 4)) refuse(w, lane, at, 4, "atomic addition", true);
	Word &word = words[at / 4];
	bool alone = word.written != now || word.writer == me || word.writer == atomics;
	if (word.written < began || !alone || (word.read == now && word.reader != me)) refuse(w, lane, at, 4, "atomic addition", true);
	word.written = now;
	word.writer = atomics;
	uint32_t before;
	memcpy(&before, bytes.data() + at, 4);
	value += before;
	memcpy(bytes.data() + at, &value, 4);
	return before;
}

} // namespace emulator::ptx
