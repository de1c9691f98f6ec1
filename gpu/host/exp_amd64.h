// What kernels with exponentials have in common; exp_amd64.s has the constants.

#define EXPCONSTANTS \
	LEAQ         ·expConstants(SB), R8 \
	VBROADCASTSS 8(R8), Y8   \
	VBROADCASTSS 12(R8), Y9  \
	VBROADCASTSS 16(R8), Y10 \
	VBROADCASTSS 44(R8), Y11 \
	VBROADCASTSS 48(R8), Y12 \
	VBROADCASTSS 0(R8), Y13  \
	VBROADCASTSS 4(R8), Y14

// STEP is one of a polynomial.
#define STEP(offset, x, t, p) \
	VBROADCASTSS offset(R8), t \
	VFMADD213PS  t, x, p

// EXPREST makes of x the power of what is left of it, less 1: |r| <= ln 2 / 2, in p, and n, which x is r + n·ln 2 with.
#define EXPREST(x, n, p, t) \
	VMAXPS       x, Y13, x       \
	VMINPS       x, Y14, x       \
	VMULPS       x, Y8, n        \
	VROUNDPS     $8, n, n        \
	VFNMADD231PS n, Y9, x        \
	VFNMADD231PS n, Y10, x       \
	VBROADCASTSS 20(R8), p       \
	STEP(24, x, t, p)            \
	STEP(28, x, t, p)            \
	STEP(32, x, t, p)            \
	STEP(36, x, t, p)            \
	STEP(40, x, t, p)            \
	VMULPS       x, x, t         \
	VFMADD213PS  x, t, p

// TWOTO makes 2^n of n.
#define TWOTO(n) \
	VCVTPS2DQ n, n      \
	VPADDD    Y12, n, n \
	VPSLLD    $23, n, n

// EXP is e^x: 2^n times the power of what is left. A NaN stays one.
#define EXP(x, n, p, t) \
	EXPREST(x, n, p, t)    \
	VADDPS Y11, p, p       \
	TWOTO(n)               \
	VMULPS n, p, x

// SIGMOID is 1/(1 + e^-x) of the vector at x, in Y0; zero is a vector of zeros.
#define SIGMOID(x, zero) \
	VSUBPS x, zero, Y0  \
	EXP(Y0, Y1, Y2, Y3) \
	VADDPS Y11, Y0, Y0  \
	VDIVPS Y0, Y11, Y0

// TANH is tanh of Y4 in Y0: below 0.625 a polynomial, from there on 1 - 2/(e^2|x| + 1). Y15 is all but the sign.
#define TANH \
	VANDPS       Y15, Y4, Y5        \
	VADDPS       Y5, Y5, Y0         \
	EXP(Y0, Y1, Y2, Y3)             \
	VADDPS       Y11, Y0, Y0        \
	VADDPS       Y11, Y11, Y1       \
	VDIVPS       Y0, Y1, Y0         \
	VSUBPS       Y0, Y11, Y0        \
	VANDNPS      Y4, Y15, Y1        \
	VORPS        Y1, Y0, Y0         \
	VMULPS       Y4, Y4, Y6         \
	VBROADCASTSS 60(R8), Y2         \
	STEP(64, Y6, Y3, Y2)            \
	STEP(68, Y6, Y3, Y2)            \
	STEP(72, Y6, Y3, Y2)            \
	STEP(76, Y6, Y3, Y2)            \
	VMULPS       Y6, Y2, Y2         \
	VFMADD213PS  Y4, Y4, Y2         \
	VBROADCASTSS 56(R8), Y3         \
	VCMPPS       $0x01, Y3, Y5, Y3  \
	VBLENDVPS    Y3, Y2, Y0, Y0

// EXPM1 is e^x - 1 in p: 2^n·(e^r - 1) + (2^n - 1).
#define EXPM1(x, n, p, t) \
	EXPREST(x, n, p, t)    \
	TWOTO(n)               \
	VSUBPS      Y11, n, t  \
	VFMADD213PS t, n, p
