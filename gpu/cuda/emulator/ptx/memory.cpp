// Loads, stores and atomic additions: ld and st of section 9.7.8, atom and membar of section 9.7.12. Each is checked:
// aligned to its size (a vector to that of all its numbers), within an allocation, an array of shared memory or the
// parameters.
#include "../memory.h"

#include <atomic>
#include <type_traits>

#include "table.h"

namespace emulator::ptx {

// The spaces. A generic address is one of global memory: the kernels have no others.
struct Global {
	typedef uint64_t Address;
	static void check(Warp &w, int lane, uint64_t at, unsigned size, const char *what) {
		if (!allocated(at, size) && !pinned(at, size)) fail_access(w, lane, what, at, size);
	}
	template <class T> static T load(Warp &w, int lane, uint64_t at) {
		check(w, lane, at, sizeof(T), "load");
		T v;
		memcpy(&v, (const void *)at, sizeof v);
		return v;
	}
	template <class T> static void store(Warp &w, int lane, uint64_t at, T v) {
		check(w, lane, at, sizeof(T), "store");
		memcpy((void *)at, &v, sizeof v);
	}
	static uint32_t add(Warp &w, int lane, uint64_t at, uint32_t v) {
		check(w, lane, at, sizeof v, "atomic addition");
		return __atomic_fetch_add((uint32_t *)at, v, __ATOMIC_SEQ_CST);
	}
};

struct InShared {
	typedef uint32_t Address;
	template <class T> static T load(Warp &w, int lane, uint32_t at) { return w.block->shared.load<T>(w, lane, w.thread(lane), at); }
	template <class T> static void store(Warp &w, int lane, uint32_t at, T v) { w.block->shared.store(w, lane, w.thread(lane), at, v); }
	static uint32_t add(Warp &w, int lane, uint32_t at, uint32_t v) { return w.block->shared.add(w, lane, w.thread(lane), at, v); }
};

struct Param {
	typedef uint64_t Address;
	template <class T> static T load(Warp &w, int lane, uint64_t at) {
		auto &all = w.block->params;
		if (at > all.size() || all.size() - at < sizeof(T)) fail(w, lane, "load of %zu bytes at byte %lld of %zu of parameters", sizeof(T), (long long)at, all.size());
		T v;
		memcpy(&v, all.data() + at, sizeof v);
		return v;
	}
};

template <class A> static inline A address(Warp &w, const Instruction &i, int lane, uint32_t place, unsigned size) {
	A at = (A)(w.at<A>(place)[lane] + (A)i.offset);
	if (at % size) fail(w, lane, "address %#llx is not a multiple of %u", (unsigned long long)at, size);
	return at;
}

// meet counts how the lanes of an access to shared memory meet in its banks.
template <class Space> static void meet(Warp &w, const Instruction &i, uint32_t mask, uint32_t place, unsigned size) {
	if (!std::is_same<Space, InShared>::value) return;
	uint32_t at[lanes];
	for (int lane = 0; lane < lanes; lane++) at[lane] = w.at<uint32_t>(place)[lane] + (uint32_t)i.offset;
	w.block->shared.banks.access(at, mask, size);
}

// load reads count numbers T into registers R: d, ... [address].
template <class Space, class T, class R, int count> static void load(Warp &w, const Instruction &i, uint32_t mask) {
	typedef typename Space::Address A;
	meet<Space>(w, i, mask, i.operands[count], count * sizeof(T));
	for (; mask; mask &= mask - 1) {
		int lane = __builtin_ctz(mask);
		A at = address<A>(w, i, lane, i.operands[count], count * sizeof(T));
		for (int k = 0; k < count; k++) w.at<R>(i.operands[k])[lane] = (R)Space::template load<T>(w, lane, at + (A)(k * sizeof(T)));
	}
}

// store writes count numbers T from registers R: [address] a, ...
template <class Space, class T, class R, int count> static void store(Warp &w, const Instruction &i, uint32_t mask) {
	typedef typename Space::Address A;
	meet<Space>(w, i, mask, i.operands[0], count * sizeof(T));
	for (; mask; mask &= mask - 1) {
		int lane = __builtin_ctz(mask);
		A at = address<A>(w, i, lane, i.operands[0], count * sizeof(T));
		for (int k = 0; k < count; k++) Space::template store<T>(w, lane, at + (A)(k * sizeof(T)), (T)w.at<R>(i.operands[k + 1])[lane]);
	}
}

// atomic_add returns what was there: d [address] a.
template <class Space> static void atomic_add(Warp &w, const Instruction &i, uint32_t mask) {
	typedef typename Space::Address A;
	for (; mask; mask &= mask - 1) {
		int lane = __builtin_ctz(mask);
		A at = address<A>(w, i, lane, i.operands[1], 4);
		uint32_t before = Space::add(w, lane, at, w.at<uint32_t>(i.operands[2])[lane]);
		w.at<uint32_t>(i.operands[0])[lane] = before;
	}
}

// Asynchronous copies: cp.async of section 9.7.8.22. What is copied is read at once, and is in shared memory when the
// thread has waited for it; until then there are NaNs, so that nobody reads what was there before.
static void start_copy(Warp &w, const Instruction &i, uint32_t mask) {
	meet<InShared>(w, i, mask, i.operands[0], 16);
	w.copies.resize(lanes);
	for (; mask; mask &= mask - 1) {
		int lane = __builtin_ctz(mask);
		uint32_t to = w.at<uint32_t>(i.operands[0])[lane], bytes = w.at<uint32_t>(i.operands[2])[lane], given = w.at<uint32_t>(i.operands[3])[lane];
		uint64_t from = w.at<uint64_t>(i.operands[1])[lane];
		if (bytes != 16 || (given != 0 && given != 16)) fail(w, lane, "a copy of %u of %u bytes: the emulator knows 0 and 16 of 16", given, bytes);
		if (to % 16 || from % 16) fail(w, lane, "address %#llx is not a multiple of 16", (unsigned long long)(to % 16 ? to : from));
		Copy c = {to, {0, 0, 0, 0}};
		for (uint32_t k = 0; k < 4; k++) {
			if (given) c.words[k] = Global::load<uint32_t>(w, lane, from + 4 * k);
			InShared::store<uint32_t>(w, lane, to + 4 * k, 0xFFFFFFFFu);
		}
		auto &groups = w.copies[lane];
		if (groups.empty()) groups.emplace_back();
		groups.back().push_back(c);
	}
}

static void commit_copies(Warp &w, const Instruction &, uint32_t mask) {
	w.copies.resize(lanes);
	for (; mask; mask &= mask - 1) {
		auto &groups = w.copies[__builtin_ctz(mask)];
		if (groups.empty()) groups.emplace_back();
		groups.emplace_back();
	}
}

// await_copies waits until at most as many groups as its operand says are under way.
static void await_copies(Warp &w, const Instruction &i, uint32_t mask) {
	w.copies.resize(lanes);
	for (; mask; mask &= mask - 1) {
		int lane = __builtin_ctz(mask);
		auto &groups = w.copies[lane];
		while (groups.size() > w.at<uint32_t>(i.operands[0])[lane] + 1) { // the last is open
			for (auto &c : groups.front())
				for (uint32_t k = 0; k < 4; k++) InShared::store<uint32_t>(w, lane, c.to + 4 * k, c.words[k]);
			groups.pop_front();
		}
	}
}

// load_matrices is ldmatrix of four matrices of 8×8 numbers of two bytes (section 9.7.13.4.15): lane 8·k + r has the address
// of row r of matrix k. Register k of a lane has columns 2·(lane % 4) and the next of row lane / 4; transposed, that of
// column lane / 4.
template <bool transposed> static void load_matrices(Warp &w, const Instruction &i, uint32_t mask) {
	if (mask != ~0u) fail(w, __builtin_ctz(mask), "matrices want all lanes, and %#x are here", mask);
	meet<InShared>(w, i, mask, i.operands[4], 16);
	uint32_t rows[lanes][4];
	for (int lane = 0; lane < lanes; lane++) {
		uint32_t at = address<uint32_t>(w, i, lane, i.operands[4], 16);
		for (uint32_t k = 0; k < 4; k++) rows[lane][k] = InShared::load<uint32_t>(w, lane, at + 4 * k);
	}
	auto half = [&](int matrix, int row, int column) { return rows[8 * matrix + row][column / 2] >> 16 * (column & 1) & 0xFFFF; };
	for (int k = 0; k < 4; k++)
		for (int lane = 0; lane < lanes; lane++) {
			int a = lane / 4, b = 2 * (lane % 4);
			w.at<uint32_t>(i.operands[k])[lane] = transposed ? half(k, b, a) | half(k, b + 1, a) << 16 : half(k, a, b) | half(k, a, b + 1) << 16;
		}
}

static void fence(Warp &, const Instruction &, uint32_t) { std::atomic_thread_fence(std::memory_order_seq_cst); }

static std::string vector_of(int count) { return count == 1 ? "." : ".v" + std::to_string(count) + "."; }

// A Way is how an instruction of a space is spelled, before .v2 and the type.
typedef std::vector<std::string> Ways;

template <class Space, class T, class R, int count> static void add_load(Table &t, const Ways &ways, const std::vector<std::string> &types) {
	std::vector<uint8_t> widths(count, sizeof(R));
	widths.push_back(sizeof(typename Space::Address));
	for (auto &way : ways)
		for (auto &type : types) t.add("ld" + way + vector_of(count) + type + "/" + std::to_string(sizeof(R)), {widths, load<Space, T, R, count>});
}

template <class Space, class T, class R, int count> static void add_store(Table &t, const Ways &ways, const std::vector<std::string> &types) {
	std::vector<uint8_t> widths(count, sizeof(R));
	widths.insert(widths.begin(), sizeof(typename Space::Address));
	for (auto &way : ways)
		for (auto &type : types) t.add("st" + way + vector_of(count) + type + "/" + std::to_string(sizeof(R)), {widths, store<Space, T, R, count>});
}

// A signed number is extended by its sign where its register is wider; else the sign makes no difference.
template <class Space, int count> static void add_loads(Table &t, const Ways &ways) {
	add_load<Space, uint8_t, uint16_t, count>(t, ways, {"u8", "b8"});
	add_load<Space, uint8_t, uint32_t, count>(t, ways, {"u8", "b8"});
	add_load<Space, int8_t, int16_t, count>(t, ways, {"s8"});
	add_load<Space, int8_t, int32_t, count>(t, ways, {"s8"});
	add_load<Space, uint16_t, uint16_t, count>(t, ways, {"u16", "b16", "s16"});
	add_load<Space, uint16_t, uint32_t, count>(t, ways, {"u16", "b16"});
	add_load<Space, int16_t, int32_t, count>(t, ways, {"s16"});
	add_load<Space, uint32_t, uint32_t, count>(t, ways, {"u32", "b32", "s32", "f32"});
	add_load<Space, uint32_t, uint64_t, count>(t, ways, {"u32", "b32"});
	add_load<Space, int32_t, int64_t, count>(t, ways, {"s32"});
	add_load<Space, uint64_t, uint64_t, count>(t, ways, {"u64", "b64", "s64", "f64"});
}

template <class Space, int count> static void add_stores(Table &t, const Ways &ways) {
	add_store<Space, uint8_t, uint16_t, count>(t, ways, {"u8", "b8", "s8"});
	add_store<Space, uint8_t, uint32_t, count>(t, ways, {"u8", "b8", "s8"});
	add_store<Space, uint16_t, uint16_t, count>(t, ways, {"u16", "b16", "s16"});
	add_store<Space, uint16_t, uint32_t, count>(t, ways, {"u16", "b16", "s16"});
	add_store<Space, uint32_t, uint32_t, count>(t, ways, {"u32", "b32", "s32", "f32"});
	add_store<Space, uint32_t, uint64_t, count>(t, ways, {"u32", "b32", "s32"});
	add_store<Space, uint64_t, uint64_t, count>(t, ways, {"u64", "b64", "s64", "f64"});
}

template <class Space> static void add_all(Table &t, const Ways &loads, const Ways &stores) {
	add_loads<Space, 1>(t, loads);
	add_loads<Space, 2>(t, loads);
	add_loads<Space, 4>(t, loads);
	add_stores<Space, 1>(t, stores);
	add_stores<Space, 2>(t, stores);
	add_stores<Space, 4>(t, stores);
}

void add_memory(Table &t) {
	add_all<Global>(t, {"", ".global", ".global.nc", ".volatile", ".volatile.global"}, {"", ".global", ".volatile", ".volatile.global"});
	add_all<InShared>(t, {".shared", ".volatile.shared"}, {".shared", ".volatile.shared"});
	add_loads<Param, 1>(t, {".param"});
	add_loads<Param, 2>(t, {".param"});
	add_loads<Param, 4>(t, {".param"});
	for (auto *type : {"u32", "s32"}) {
		t.add(std::string("atom.global.add.") + type, {{4, 8, 4}, atomic_add<Global>});
		t.add(std::string("atom.add.") + type, {{4, 8, 4}, atomic_add<Global>});
		t.add(std::string("atom.shared.add.") + type, {{4, 4, 4}, atomic_add<InShared>});
	}
	t.add("cp.async.cg.shared.global", {{4, 8, 4, 4}, start_copy});
	t.add("cp.async.commit_group", {{}, commit_copies});
	t.add("cp.async.wait_group", {{4}, await_copies});
	t.add("ldmatrix.sync.aligned.m8n8.x4.shared.b16", {std::vector<uint8_t>(5, 4), load_matrices<false>, Flow::meet});
	t.add("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16", {std::vector<uint8_t>(5, 4), load_matrices<true>, Flow::meet});
	for (auto *name : {"membar.gl", "membar.cta", "membar.sys", "fence.sc.gpu", "fence.acq_rel.gpu"}) t.add(name, {{}, fence});
}

} // namespace emulator::ptx
