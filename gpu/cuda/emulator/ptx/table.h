// The table of instructions. Each topic's file adds its own.
#pragma once
#include <initializer_list>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "warp.h"

namespace emulator::ptx {

// Map makes an Action of a function of numbers: the first operand becomes F of the others, lane by lane.
template <auto F> struct Map;
template <class R, class... A, R (*F)(A...)> struct Map<F> {
	static std::vector<uint8_t> widths() { return {sizeof(R), sizeof(A)...}; }
	static void run(Warp &w, const Instruction &i, uint32_t mask) { run(w, i, mask, std::index_sequence_for<A...>{}); }

private:
	template <size_t... I> static void run(Warp &w, const Instruction &i, uint32_t mask, std::index_sequence<I...>) {
		R *to = w.at<R>(i.operands[0]);
		std::tuple<const A *...> from(w.at<A>(i.operands[I + 1])...);
		each(mask, [=](int lane) { to[lane] = F(std::get<I>(from)[lane]...); });
	}
};

// An Entry is an instruction: the bytes of each operand's register, and what it does.
struct Entry {
	std::vector<uint8_t> widths;
	Action action = nullptr;
	Flow flow = Flow::next;
};

class Table {
	std::unordered_map<std::string, Entry> entries;

public:
	// find returns the entry of an instruction with all its modifiers, or null. Those that differ by their operands have a
	// suffix: mov.b64 with braces is mov.b64/pack or mov.b64/unpack; ld and st end with the bytes of the register that is
	// read or written, which may be wider than the type (section 9.4.1): ld.global.u8/2.
	const Entry *find(const std::string &name) const {
		auto it = entries.find(name);
		return it == entries.end() ? nullptr : &it->second;
	}
	void add(const std::string &name, Entry e) { entries.emplace(name, std::move(e)); }
	template <auto F> void map(std::initializer_list<const char *> names) {
		for (auto *name : names) add(name, {Map<F>::widths(), Map<F>::run});
	}
};

void add_integer(Table &);    // integer.cpp
void add_floating(Table &);   // floating.cpp
void add_comparison(Table &); // comparison.cpp
void add_logic(Table &);      // logic.cpp
void add_movement(Table &);   // movement.cpp
void add_conversion(Table &); // conversion.cpp
void add_memory(Table &);     // memory.cpp
void add_warp(Table &);       // warp.cpp

} // namespace emulator::ptx
