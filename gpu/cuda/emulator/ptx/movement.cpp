// Moving registers: mov and cvta of section 9.7.8. An address is the same number in its own space and as a generic one.
#include "table.h"

namespace emulator::ptx {

template <class T> static T same(T a) { return a; }
static uint64_t pack(uint32_t low, uint32_t high) { return (uint64_t)high << 32 | low; }

// unpack has two results: the halves of its last operand.
static void unpack(Warp &w, const Instruction &i, uint32_t mask) {
	auto *low = w.at<uint32_t>(i.operands[0]), *high = w.at<uint32_t>(i.operands[1]);
	auto *from = w.at<uint64_t>(i.operands[2]);
	each(mask, [=](int lane) {
		uint64_t v = from[lane];
		low[lane] = (uint32_t)v;
		high[lane] = (uint32_t)(v >> 32);
	});
}

void add_movement(Table &t) {
	t.map<same<bool>>({"mov.pred"});
	t.map<same<uint16_t>>({"mov.b16", "mov.u16", "mov.s16"});
	t.map<same<uint32_t>>({"mov.b32", "mov.u32", "mov.s32", "mov.f32"});
	t.map<same<uint64_t>>({"mov.b64", "mov.u64", "mov.s64", "mov.f64"});
	t.map<same<uint64_t>>({"cvta.global.u64", "cvta.to.global.u64", "cvta.shared.u64", "cvta.to.shared.u64"});
	t.map<pack>({"mov.b64/pack"});
	t.add("mov.b64/unpack", {{4, 4, 8}, unpack});
}

} // namespace emulator::ptx
