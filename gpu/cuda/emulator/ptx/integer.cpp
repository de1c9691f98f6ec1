// Integer arithmetic: section 9.7.1. Sums and low halves of products are the same for both signs.
#include "table.h"

namespace emulator::ptx {

template <class T> static T add(T a, T b) { return (T)(a + b); }
template <class T> static T sub(T a, T b) { return (T)(a - b); }
template <class T> static T neg(T a) { return (T)(0 - a); }
template <class T> static T absolute(T a) { return a < 0 ? (T)(0 - (std::make_unsigned_t<T>)a) : a; }
template <class T> static T least(T a, T b) { return a < b ? a : b; }
template <class T> static T greatest(T a, T b) { return a > b ? a : b; }

template <class T> static T mul_lo(T a, T b) { return (T)((uint64_t)a * b); }
template <class T> static T mad_lo(T a, T b, T c) { return (T)((uint64_t)a * b + c); }
template <class T, class W> static W mul_wide(T a, T b) { return (W)a * (W)b; }
template <class T, class W> static W mad_wide(T a, T b, W c) { return (W)((uint64_t)((W)a * (W)b) + (uint64_t)c); }
template <class T, class W> static T mul_hi(T a, T b) { return (T)(((W)a * (W)b) >> (8 * sizeof(T))); }
template <class T, class W> static T mad_hi(T a, T b, T c) { return (T)((std::make_unsigned_t<T>)mul_hi<T, W>(a, b) + (std::make_unsigned_t<T>)c); }

// Division by zero gives what the machine likes; a GPU gives all ones. The least number by -1 is itself.
template <class T> static T quotient(T a, T b) { return b == 0 ? (T)~(T)0 : b == (T)-1 && (T)-1 < 0 ? neg(a) : (T)(a / b); }
template <class T> static T remainder(T a, T b) { return b == 0 ? a : b == (T)-1 && (T)-1 < 0 ? (T)0 : (T)(a % b); }

static uint32_t popc(uint32_t a) { return (uint32_t)__builtin_popcount(a); }
static uint32_t clz(uint32_t a) { return a ? (uint32_t)__builtin_clz(a) : 32; }

// bfi puts the low bits of a into b, length of them from a position on.
static uint32_t bfi(uint32_t a, uint32_t b, uint32_t position, uint32_t length) {
	position &= 255, length &= 255;
	if (position >= 32 || length == 0) return b;
	uint32_t mask = (length >= 32 ? ~0u : (1u << length) - 1) << position;
	return (b & ~mask) | ((a << position) & mask);
}

#define BOTH_SIGNS(bits) \
	t.map<add<uint##bits##_t>>({"add.u" #bits, "add.s" #bits}); \
	t.map<sub<uint##bits##_t>>({"sub.u" #bits, "sub.s" #bits}); \
	t.map<neg<uint##bits##_t>>({"neg.s" #bits}); \
	t.map<absolute<int##bits##_t>>({"abs.s" #bits}); \
	t.map<mul_lo<uint##bits##_t>>({"mul.lo.u" #bits, "mul.lo.s" #bits}); \
	t.map<mad_lo<uint##bits##_t>>({"mad.lo.u" #bits, "mad.lo.s" #bits});

#define EACH_SIGN(letter, type) \
	t.map<least<type>>({"min." letter}); \
	t.map<greatest<type>>({"max." letter}); \
	t.map<quotient<type>>({"div." letter}); \
	t.map<remainder<type>>({"rem." letter});

void add_integer(Table &t) {
	BOTH_SIGNS(16) BOTH_SIGNS(32) BOTH_SIGNS(64)
	EACH_SIGN("u16", uint16_t) EACH_SIGN("u32", uint32_t) EACH_SIGN("u64", uint64_t)
	EACH_SIGN("s16", int16_t) EACH_SIGN("s32", int32_t) EACH_SIGN("s64", int64_t)
	t.map<mul_wide<uint16_t, uint32_t>>({"mul.wide.u16"});
	t.map<mul_wide<int16_t, int32_t>>({"mul.wide.s16"});
	t.map<mul_wide<uint32_t, uint64_t>>({"mul.wide.u32"});
	t.map<mul_wide<int32_t, int64_t>>({"mul.wide.s32"});
	t.map<mad_wide<uint32_t, uint64_t>>({"mad.wide.u32"});
	t.map<mad_wide<int32_t, int64_t>>({"mad.wide.s32"});
	t.map<mul_hi<uint32_t, uint64_t>>({"mul.hi.u32"});
	t.map<mul_hi<int32_t, int64_t>>({"mul.hi.s32"});
	t.map<mul_hi<uint64_t, unsigned __int128>>({"mul.hi.u64"});
	t.map<mul_hi<int64_t, __int128>>({"mul.hi.s64"});
	t.map<mad_hi<uint32_t, uint64_t>>({"mad.hi.u32"});
	t.map<mad_hi<int32_t, int64_t>>({"mad.hi.s32"});
	t.map<popc>({"popc.b32"});
	t.map<clz>({"clz.b32"});
	t.map<bfi>({"bfi.b32"});
}

} // namespace emulator::ptx
