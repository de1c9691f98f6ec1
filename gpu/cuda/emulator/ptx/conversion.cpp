// Conversion: cvt of section 9.7.8.
#include <cmath>

#include "table.h"

namespace emulator::ptx {

template <class From, class To> static To cast(From a) { return (To)a; }

// To an integer, towards zero: what does not fit is the nearest that does, and NaN is 0 (of double the least: section 9.7.8).
static int32_t whole(float a) { return a != a ? 0 : a >= 0x1p31f ? INT32_MAX : a <= -0x1p31f ? INT32_MIN : (int32_t)a; }
static int32_t whole(double a) { return a != a ? INT32_MIN : a >= 0x1p31 ? INT32_MAX : a <= -0x1p31 ? INT32_MIN : (int32_t)a; }
static uint32_t natural(float a) { return !(a > 0) ? 0 : a >= 0x1p32f ? UINT32_MAX : (uint32_t)a; }

static float truncated(float a) { return __builtin_truncf(a); }
static float rounded(float a) { return __builtin_rintf(a); }
static float floored(float a) { return __builtin_floorf(a); }
static float ceiled(float a) { return __builtin_ceilf(a); }
static float saturated(float a) { return !(a > 0) ? 0.0f : a > 1 ? 1.0f : a; }

static uint32_t bits_of(float a) {
	uint32_t u;
	memcpy(&u, &a, 4);
	return u;
}

// tf32 is a float32 with ten bits of fraction: to nearest, ties away from zero.
static uint32_t tf32(float a) {
	uint32_t u = bits_of(a);
	return (u & 0x7F800000u) == 0x7F800000u ? u : (u + 0x1000u) & ~0x1FFFu;
}

// bf16 is the upper half of a float32: to nearest, ties to even. a is the upper of the two.
static uint32_t bf16(float a) {
	uint32_t u = bits_of(a);
	return a != a ? 0x7FFF : (u + 0x7FFF + ((u >> 16) & 1)) >> 16;
}
static uint32_t bf16x2(float a, float b) { return bf16(a) << 16 | bf16(b); }

// low takes a narrow number out of a register of 16 bits.
template <class Narrow, class To> static To low(uint16_t a) { return (To)(Narrow)a; }

void add_conversion(Table &t) {
	t.map<cast<float, double>>({"cvt.f64.f32"});
	t.map<cast<double, float>>({"cvt.rn.f32.f64"});
	t.map<cast<int32_t, float>>({"cvt.rn.f32.s32"});
	t.map<cast<uint32_t, float>>({"cvt.rn.f32.u32"});
	t.map<cast<int64_t, float>>({"cvt.rn.f32.s64"});
	t.map<cast<uint64_t, float>>({"cvt.rn.f32.u64"});
	t.map<cast<int32_t, double>>({"cvt.rn.f64.s32"});
	t.map<cast<uint32_t, double>>({"cvt.rn.f64.u32"});
	t.map<cast<int64_t, double>>({"cvt.rn.f64.s64"});
	t.map<cast<uint64_t, double>>({"cvt.rn.f64.u64"});
	t.map<static_cast<int32_t (*)(float)>(whole)>({"cvt.rzi.s32.f32"});
	t.map<static_cast<int32_t (*)(double)>(whole)>({"cvt.rzi.s32.f64"});
	t.map<natural>({"cvt.rzi.u32.f32"});
	t.map<truncated>({"cvt.rzi.f32.f32"});
	t.map<rounded>({"cvt.rni.f32.f32"});
	t.map<floored>({"cvt.rmi.f32.f32"});
	t.map<ceiled>({"cvt.rpi.f32.f32"});
	t.map<saturated>({"cvt.sat.f32.f32"});
	t.map<tf32>({"cvt.rna.tf32.f32"});
	t.map<bf16x2>({"cvt.rn.bf16x2.f32"});
	t.map<cast<int32_t, int64_t>>({"cvt.s64.s32"});
	t.map<cast<uint32_t, uint64_t>>({"cvt.u64.u32", "cvt.s64.u32"});
	t.map<cast<uint64_t, uint32_t>>({"cvt.u32.u64", "cvt.s32.s64", "cvt.s32.u64", "cvt.u32.s64"});
	t.map<cast<uint32_t, uint16_t>>({"cvt.u16.u32", "cvt.s16.s32", "cvt.s16.u32", "cvt.u16.s32"});
	t.map<cast<uint64_t, uint16_t>>({"cvt.u16.u64", "cvt.s16.s64"});
	t.map<cast<uint16_t, uint32_t>>({"cvt.u32.u16", "cvt.s32.u16"});
	t.map<cast<int16_t, int32_t>>({"cvt.s32.s16"});
	t.map<cast<uint16_t, uint64_t>>({"cvt.u64.u16"});
	t.map<low<uint8_t, uint32_t>>({"cvt.u32.u8", "cvt.s32.u8"});
	t.map<low<int8_t, int32_t>>({"cvt.s32.s8"});
	t.map<low<uint8_t, uint16_t>>({"cvt.u16.u8", "cvt.s16.u8"});
	t.map<low<int8_t, int16_t>>({"cvt.s16.s8"});
}

} // namespace emulator::ptx
