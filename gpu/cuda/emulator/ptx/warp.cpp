// What the lanes of a warp do together: shfl.sync of section 9.7.8, mma of section 9.7.13; and the barrier, bar.sync of
// section 9.7.12, and branches, section 9.7.11, which block.cpp does itself.
#include "table.h"

namespace emulator::ptx {

// The lanes that take part say so themselves; here they are always those that have come.
static void want_members(Warp &w, const Instruction &i, uint32_t mask, uint32_t place) {
	each(mask, [&](int lane) {
		uint32_t members = w.at<uint32_t>(place)[lane];
		if ((members & w.alive) != mask || (members & ~w.alive))
			fail(w, lane, "its lanes are to be %#x, and %#x are here", members, mask);
	});
	(void)i;
}

enum Mode { bfly, idx, up, down };

// shuffle is d|p, a, b, c, members: d is a of the lane that b and c name, or its own where p says that there is none.
template <Mode mode> static void shuffle(Warp &w, const Instruction &i, uint32_t mask) {
	const uint32_t *o = i.operands;
	want_members(w, i, mask, o[5]);
	uint32_t brought[lanes];
	memcpy(brought, w.at<uint32_t>(o[2]), sizeof brought);
	auto *b = w.at<uint32_t>(o[3]), *c = w.at<uint32_t>(o[4]);
	for (uint32_t m = mask; m; m &= m - 1) {
		int lane = __builtin_ctz(m), by = (int)(b[lane] & 31), clamp = (int)(c[lane] & 31), segment = (int)(c[lane] >> 8 & 31);
		int last = (lane & segment) | (clamp & ~segment), first = lane & segment, from;
		bool in;
		switch (mode) {
		case bfly: from = lane ^ by, in = from <= last; break;
		case idx: from = first | (by & ~segment), in = from <= last; break;
		case up: from = lane - by, in = from >= last; break;
		case down: from = lane + by, in = from <= last; break;
		}
		if (in && !(mask >> from & 1)) fail(w, lane, "lane %d, whose number it wants, is not here", from);
		w.at<uint32_t>(o[0])[lane] = brought[in ? from : lane];
		w.at<bool>(o[1])[lane] = in;
	}
}

static float float_of(uint32_t u) {
	float f;
	memcpy(&f, &u, 4);
	return f;
}

// Where the numbers of a matrix lie in the lanes' registers, by the tables of section 9.7.13.4 ("Matrix fragments for
// mma.m16n8k8" with .tf32, ".m16n8k16" with .bf16): a lane has group = lane / 4 and place = lane % 4.
struct Tf32 {
	enum { depth = 8 };
	// valid reports whether a register has a number of .tf32: of others the result is undefined (section 9.7.13).
	static bool valid(uint32_t u) { return (u & 0x1FFFu) == 0 || (u & 0x7F800000u) == 0x7F800000u; }
	// a[row][k]: in register 0 or 1 (row + 8), 2 or 3 (k + 4), of the lane of group row % 8, place k % 4.
	static float a(const uint32_t *const r[4], int row, int k) { return float_of(r[(row >> 3) + 2 * (k >> 2)][(row & 7) * 4 + (k & 3)] & ~0x1FFFu); }
	// b[k][column]: in register 0 or 1 (k + 4) of the lane of group column, place k % 4.
	static float b(const uint32_t *const r[2], int k, int column) { return float_of(r[k >> 2][column * 4 + (k & 3)] & ~0x1FFFu); }
};
struct Bf16 {
	enum { depth = 16 };
	static bool valid(uint32_t) { return true; }
	// Two numbers a register, the lower first, of the lane of place k % 8 / 2; k + 8 is in the later registers.
	static float half(uint32_t u, int k) { return float_of(k & 1 ? u & 0xFFFF0000u : u << 16); }
	static float a(const uint32_t *const r[4], int row, int k) { return half(r[(row >> 3) + 2 * (k >> 3)][(row & 7) * 4 + ((k & 7) >> 1)], k); }
	static float b(const uint32_t *const r[2], int k, int column) { return half(r[k >> 3][column * 4 + ((k & 7) >> 1)], k); }
};

// multiply is d, a, b, c: 16×8 of d are those of c and a·b. The products are added in double, once to c: the order of a
// GPU's additions is its own (section 9.7.13 leaves it open).
template <class F> static void multiply(Warp &w, const Instruction &i, uint32_t mask) {
	if (mask != ~0u) fail(w, __builtin_ctz(mask), "a matrix wants all lanes, and %#x are here", mask);
	const uint32_t *o = i.operands;
	const uint32_t *a_registers[4], *b_registers[2];
	for (int k = 0; k < 4; k++) a_registers[k] = w.at<uint32_t>(o[4 + k]);
	for (int k = 0; k < 2; k++) b_registers[k] = w.at<uint32_t>(o[8 + k]);
	for (int k = 0; k < 6; k++)
		for (int lane = 0; lane < lanes; lane++)
			if (!F::valid(w.at<uint32_t>(o[4 + k])[lane])) fail(w, lane, "an operand is not rounded to TF32: %#x", w.at<uint32_t>(o[4 + k])[lane]);
	float a[16][F::depth], b[F::depth][8], d[4][lanes];
	for (int row = 0; row < 16; row++)
		for (int k = 0; k < F::depth; k++) a[row][k] = F::a(a_registers, row, k);
	for (int k = 0; k < F::depth; k++)
		for (int column = 0; column < 8; column++) b[k][column] = F::b(b_registers, k, column);
	for (int row = 0; row < 16; row++) {
		double sums[8] = {};
		for (int k = 0; k < F::depth; k++)
			for (int column = 0; column < 8; column++) sums[column] += (double)a[row][k] * b[k][column];
		// c and d: in register 0 or 1 (column + 1), 2 or 3 (row + 8), of the lane of group row % 8, place column / 2.
		for (int column = 0; column < 8; column++) {
			int r = (column & 1) + 2 * (row >> 3), lane = (row & 7) * 4 + (column >> 1);
			d[r][lane] = w.at<float>(o[10 + r])[lane] + (float)sums[column];
		}
	}
	for (int r = 0; r < 4; r++) memcpy(w.at<float>(o[r]), d[r], sizeof d[r]);
}

void add_warp(Table &t) {
	t.add("bra", {{}, nullptr, Flow::branch});
	t.add("bra.uni", {{}, nullptr, Flow::branch});
	t.add("ret", {{}, nullptr, Flow::leave});
	t.add("exit", {{}, nullptr, Flow::leave});
	t.add("bar.sync", {{4}, nullptr, Flow::barrier});
	t.add("shfl.sync.bfly.b32", {{4, 1, 4, 4, 4, 4}, shuffle<bfly>, Flow::meet});
	t.add("shfl.sync.idx.b32", {{4, 1, 4, 4, 4, 4}, shuffle<idx>, Flow::meet});
	t.add("shfl.sync.up.b32", {{4, 1, 4, 4, 4, 4}, shuffle<up>, Flow::meet});
	t.add("shfl.sync.down.b32", {{4, 1, 4, 4, 4, 4}, shuffle<down>, Flow::meet});
	t.add("mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32", {std::vector<uint8_t>(14, 4), multiply<Tf32>, Flow::meet});
	t.add("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32", {std::vector<uint8_t>(14, 4), multiply<Bf16>, Flow::meet});
}

} // namespace emulator::ptx
