// Comparison and selection: section 9.7.5.
#include "table.h"

namespace emulator::ptx {

template <class T> static bool eq(T a, T b) { return a == b; }
template <class T> static bool ne(T a, T b) { return a != b; }
template <class T> static bool lt(T a, T b) { return a < b; }
template <class T> static bool le(T a, T b) { return a <= b; }
template <class T> static bool gt(T a, T b) { return a > b; }
template <class T> static bool ge(T a, T b) { return a >= b; }

// Of floats: num and nan, and "unordered" comparisons, which a NaN makes true; the others it makes false, ne too.
template <class T> static bool num(T a, T b) { return a == a && b == b; }
template <class T> static bool nan(T a, T b) { return !num(a, b); }
template <class T> static bool ordered_ne(T a, T b) { return a < b || a > b; }
template <class T> static bool equ(T a, T b) { return !ordered_ne(a, b); }
template <class T> static bool ltu(T a, T b) { return !(a >= b); }
template <class T> static bool leu(T a, T b) { return !(a > b); }
template <class T> static bool gtu(T a, T b) { return !(a <= b); }
template <class T> static bool geu(T a, T b) { return !(a < b); }

template <class T> static T select(T a, T b, bool p) { return p ? a : b; }

#define ORDER(letter, type) \
	t.map<eq<type>>({"setp.eq." letter}); \
	t.map<ne<type>>({"setp.ne." letter}); \
	t.map<lt<type>>({"setp.lt." letter}); \
	t.map<le<type>>({"setp.le." letter}); \
	t.map<gt<type>>({"setp.gt." letter}); \
	t.map<ge<type>>({"setp.ge." letter});

#define FLOATS(letter, type) \
	t.map<eq<type>>({"setp.eq." letter}); \
	t.map<ordered_ne<type>>({"setp.ne." letter}); \
	t.map<lt<type>>({"setp.lt." letter}); \
	t.map<le<type>>({"setp.le." letter}); \
	t.map<gt<type>>({"setp.gt." letter}); \
	t.map<ge<type>>({"setp.ge." letter}); \
	t.map<num<type>>({"setp.num." letter}); \
	t.map<nan<type>>({"setp.nan." letter}); \
	t.map<equ<type>>({"setp.equ." letter}); \
	t.map<ne<type>>({"setp.neu." letter}); \
	t.map<ltu<type>>({"setp.ltu." letter}); \
	t.map<leu<type>>({"setp.leu." letter}); \
	t.map<gtu<type>>({"setp.gtu." letter}); \
	t.map<geu<type>>({"setp.geu." letter});

#define BITS(bits) \
	t.map<eq<uint##bits##_t>>({"setp.eq.b" #bits}); \
	t.map<ne<uint##bits##_t>>({"setp.ne.b" #bits}); \
	t.map<select<uint##bits##_t>>({"selp.b" #bits, "selp.u" #bits, "selp.s" #bits});

void add_comparison(Table &t) {
	ORDER("u16", uint16_t) ORDER("u32", uint32_t) ORDER("u64", uint64_t)
	ORDER("s16", int16_t) ORDER("s32", int32_t) ORDER("s64", int64_t)
	FLOATS("f32", float) FLOATS("f64", double)
	BITS(16) BITS(32) BITS(64)
	t.map<select<float>>({"selp.f32"});
	t.map<select<double>>({"selp.f64"});
}

} // namespace emulator::ptx
