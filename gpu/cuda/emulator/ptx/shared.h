// The shared memory of a block, which finds
//   - accesses outside its arrays: they lie apart,
//   - reads of what no thread of the block has written,
//   - races: two threads that access a word, one of them to write it, without a barrier between.
#pragma once
#include <string.h>

#include <vector>

#include "program.h"

namespace emulator::ptx {

class Shared {
	enum : uint16_t { several = 0xFFFF, atomics = 0xFFFE };

	// A Word is what is known of four bytes. Time is counted in barriers, over all blocks that a thread of the processor
	// runs, so nothing is cleared between blocks.
	struct Word {
		uint32_t written = 0, read = 0; // when last
		uint16_t writer = 0, reader = 0;
		uint8_t size = 0; // how many of its bytes an array has: the first
	};
	std::vector<uint8_t> bytes;
	std::vector<Word> words;
	const Program *program = nullptr;
	uint32_t now = 0, began = 0;

	// inside reports whether an access, aligned as it must be, lies in an array.
	bool inside(uint32_t at, unsigned size) const {
		return at < bytes.size() && words[at / 4].size >= at % 4 + (size < 4 ? size : 4) && (size <= 4 || words[at / 4 + 1].size == 4);
	}
	bool may_read(const Word &w, uint16_t me) const { return w.written >= began && (w.written != now || w.writer == me); }
	bool may_write(const Word &w, uint16_t me) const { return (w.written != now || w.writer == me) && (w.read != now || w.reader == me); }

	// refuse says which of the rules an access breaks.
	[[noreturn]] void refuse(Warp &w, int lane, uint32_t at, unsigned size, const char *what, bool reads) const;

public:
	void start(const Program &p);
	void barrier() { now++; }

	template <class T> T load(Warp &w, int lane, uint16_t me, uint32_t at) {
		if (__builtin_expect(!inside(at, sizeof(T)), 0)) refuse(w, lane, at, sizeof(T), "load", true);
		for (uint32_t i = at / 4; i <= (at + sizeof(T) - 1) / 4; i++) {
			Word &word = words[i];
			if (__builtin_expect(!may_read(word, me), 0)) refuse(w, lane, 4 * i, 4, "load", true);
			word.reader = word.read == now && word.reader != me ? (uint16_t)several : me;
			word.read = now;
		}
		T v;
		memcpy(&v, bytes.data() + at, sizeof v);
		return v;
	}

	template <class T> void store(Warp &w, int lane, uint16_t me, uint32_t at, T v) {
		if (__builtin_expect(!inside(at, sizeof(T)), 0)) refuse(w, lane, at, sizeof(T), "store", false);
		for (uint32_t i = at / 4; i <= (at + sizeof(T) - 1) / 4; i++) {
			Word &word = words[i];
			if (__builtin_expect(!may_write(word, me), 0)) refuse(w, lane, 4 * i, 4, "store", false);
			word.written = now;
			word.writer = me;
		}
		memcpy(bytes.data() + at, &v, sizeof v);
	}

	// Banks counts accesses of warps, and the cycles that they wait for a bank. A bank has every 32nd word, and gives one of them
	// a cycle; accesses of 8 and 16 bytes are done by a half and a quarter of a warp at a time.
	struct Banks {
		long accesses = 0, conflicts = 0;
		void access(const uint32_t *at, uint32_t mask, unsigned size);
	} banks;

	// add is atomic: no race with another.
	uint32_t add(Warp &w, int lane, uint16_t me, uint32_t at, uint32_t value);
};

} // namespace emulator::ptx
