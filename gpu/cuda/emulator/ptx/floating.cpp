// Floating-point arithmetic: section 9.7.3. Without a rounding modifier a sum or a product is rounded to nearest; nvcc has
// already made fma of what it contracts, and this file is compiled without contraction.
#include <cfloat>
#include <cmath>

#include "table.h"

namespace emulator::ptx {

template <class T> static T add(T a, T b) { return a + b; }
template <class T> static T sub(T a, T b) { return a - b; }
template <class T> static T mul(T a, T b) { return a * b; }
template <class T> static T quotient(T a, T b) { return a / b; }
template <class T> static T reciprocal(T a) { return 1 / a; }
template <class T> static T neg(T a) { return -a; }
static float absolute(float a) { return __builtin_fabsf(a); }
static double absolute(double a) { return __builtin_fabs(a); }
static float root(float a) { return __builtin_sqrtf(a); }
static double root(double a) { return __builtin_sqrt(a); }
static float fma_rn(float a, float b, float c) { return __builtin_fmaf(a, b, c); }
static double fma_rn(double a, double b, double c) { return __builtin_fma(a, b, c); }

// A result in double that is rounded to a float in another direction. A double has more than twice a float's digits, so
// only a value closer to a float than a double can tell goes the wrong way.
static float fma_rm(float a, float b, float c) {
	double d = __builtin_fma((double)a, (double)b, (double)c);
	float f = (float)d;
	return (double)f > d ? nextafterf(f, -INFINITY) : f;
}
static float add_rz(float a, float b) {
	double d = (double)a + (double)b;
	float f = (float)d;
	return std::fabs((double)f) > std::fabs(d) ? nextafterf(f, 0) : f;
}
static float sub_rz(float a, float b) { return add_rz(a, -b); }

// min and max return the number where the other is NaN; -0 is less than +0.
template <class T> static T least(T a, T b) {
	if (a != a) return b;
	if (b != b) return a;
	return a < b || (a == b && std::signbit(a)) ? a : b;
}
template <class T> static T greatest(T a, T b) {
	if (a != a) return b;
	if (b != b) return a;
	return a > b || (a == b && !std::signbit(a)) ? a : b;
}

// ftz: a subnormal number is a zero of its sign, as operand and as result.
static float flushed(float a) { return std::fabs(a) < FLT_MIN ? std::copysign(0.0f, a) : a; }

// The approximate functions: a GPU's are within 2 units of the last place of these.
static float ex2(float a) { return exp2f(a); }
static float lg2(float a) { return log2f(a); }
static float reciprocal_root(float a) { return 1 / sqrtf(a); }
template <float (*F)(float)> static float ftz_of_one(float a) { return flushed(F(flushed(a))); }
template <float (*F)(float, float)> static float ftz_of_two(float a, float b) { return flushed(F(flushed(a), flushed(b))); }

void add_floating(Table &t) {
	t.map<add<float>>({"add.f32", "add.rn.f32"});
	t.map<add<double>>({"add.f64", "add.rn.f64"});
	t.map<add_rz>({"add.rz.f32"});
	t.map<sub<float>>({"sub.f32", "sub.rn.f32"});
	t.map<sub<double>>({"sub.f64", "sub.rn.f64"});
	t.map<sub_rz>({"sub.rz.f32"});
	t.map<mul<float>>({"mul.f32", "mul.rn.f32"});
	t.map<mul<double>>({"mul.f64", "mul.rn.f64"});
	t.map<static_cast<float (*)(float, float, float)>(fma_rn)>({"fma.rn.f32"});
	t.map<static_cast<double (*)(double, double, double)>(fma_rn)>({"fma.rn.f64"});
	t.map<fma_rm>({"fma.rm.f32"});
	t.map<quotient<float>>({"div.rn.f32", "div.approx.f32", "div.full.f32"});
	t.map<quotient<double>>({"div.rn.f64"});
	t.map<ftz_of_two<quotient<float>>>({"div.approx.ftz.f32", "div.full.ftz.f32"});
	t.map<reciprocal<float>>({"rcp.rn.f32", "rcp.approx.f32"});
	t.map<reciprocal<double>>({"rcp.rn.f64"});
	t.map<ftz_of_one<reciprocal<float>>>({"rcp.approx.ftz.f32"});
	t.map<static_cast<float (*)(float)>(root)>({"sqrt.rn.f32", "sqrt.approx.f32"});
	t.map<static_cast<double (*)(double)>(root)>({"sqrt.rn.f64"});
	t.map<reciprocal_root>({"rsqrt.approx.f32"});
	t.map<ftz_of_one<reciprocal_root>>({"rsqrt.approx.ftz.f32"});
	t.map<ex2>({"ex2.approx.f32"});
	t.map<ftz_of_one<ex2>>({"ex2.approx.ftz.f32"});
	t.map<lg2>({"lg2.approx.f32"});
	t.map<ftz_of_one<lg2>>({"lg2.approx.ftz.f32"});
	t.map<neg<float>>({"neg.f32"});
	t.map<neg<double>>({"neg.f64"});
	t.map<static_cast<float (*)(float)>(absolute)>({"abs.f32"});
	t.map<static_cast<double (*)(double)>(absolute)>({"abs.f64"});
	t.map<least<float>>({"min.f32"});
	t.map<least<double>>({"min.f64"});
	t.map<greatest<float>>({"max.f32"});
	t.map<greatest<double>>({"max.f64"});
}

} // namespace emulator::ptx
