// Logic and shift: section 9.7.7. A shift by more than the bits there are is one by all of them.
#include "table.h"

namespace emulator::ptx {

template <class T> static T both(T a, T b) { return a & b; }
template <class T> static T either(T a, T b) { return a | b; }
template <class T> static T one_of(T a, T b) { return a ^ b; }
template <class T> static T complement(T a) { return (T)~a; }
static bool opposite(bool a) { return !a; }
template <class T> static T shl(T a, uint32_t n) { return n >= 8 * sizeof(T) ? (T)0 : (T)(a << n); }
template <class T> static T shr(T a, uint32_t n) { return n >= 8 * sizeof(T) ? (T)(a < 0 ? -1 : 0) : (T)(a >> n); }

// prmt without a mode: each byte of the result is one of the eight of b and a, or the sign of one, as four bits of c say.
static uint32_t permute(uint32_t a, uint32_t b, uint32_t c) {
	uint64_t bytes = (uint64_t)b << 32 | a;
	uint32_t out = 0;
	for (int i = 0; i < 4; i++) {
		uint32_t choice = c >> 4 * i & 15, byte = (uint32_t)(bytes >> 8 * (choice & 7)) & 0xFF;
		if (choice & 8) byte = byte & 0x80 ? 0xFF : 0;
		out |= byte << 8 * i;
	}
	return out;
}

#define BITS(bits) \
	t.map<both<uint##bits##_t>>({"and.b" #bits}); \
	t.map<either<uint##bits##_t>>({"or.b" #bits}); \
	t.map<one_of<uint##bits##_t>>({"xor.b" #bits}); \
	t.map<complement<uint##bits##_t>>({"not.b" #bits}); \
	t.map<shl<uint##bits##_t>>({"shl.b" #bits}); \
	t.map<shr<uint##bits##_t>>({"shr.u" #bits, "shr.b" #bits}); \
	t.map<shr<int##bits##_t>>({"shr.s" #bits});

void add_logic(Table &t) {
	BITS(16) BITS(32) BITS(64)
	t.map<permute>({"prmt.b32"});
	t.map<both<bool>>({"and.pred"});
	t.map<either<bool>>({"or.pred"});
	t.map<one_of<bool>>({"xor.pred"});
	t.map<opposite>({"not.pred"});
}

} // namespace emulator::ptx
