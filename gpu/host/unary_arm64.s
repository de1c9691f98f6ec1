#include "textflag.h"
#include "neon_arm64.h"
#include "exp_arm64.h"

// The polynomial is that of Cephes' logf (Moshier, 1989), in single precision.
DATA logConstants<>+0(SB)/4, $0x3d9021bb // 7.0376836292e-2
DATA logConstants<>+4(SB)/4, $0xbdebd1b8 // -1.1514610310e-1
DATA logConstants<>+8(SB)/4, $0x3def251a // 1.1676998740e-1
DATA logConstants<>+12(SB)/4, $0xbdfe5d4f // -1.2420140846e-1
DATA logConstants<>+16(SB)/4, $0x3e11e9bf // 1.4249322787e-1
DATA logConstants<>+20(SB)/4, $0xbe2aae50 // -1.6668057665e-1
DATA logConstants<>+24(SB)/4, $0x3e4cceac // 2.0000714765e-1
DATA logConstants<>+28(SB)/4, $0xbe7ffffc // -2.4999993993e-1
DATA logConstants<>+32(SB)/4, $0x3eaaaaaa // 3.3333331174e-1
DATA logConstants<>+36(SB)/4, $0xb95e8083 // ln 2, less its upper part
DATA logConstants<>+40(SB)/4, $0x3f318000 // ln 2, its upper part
DATA logConstants<>+44(SB)/4, $0x3f000000 // 0.5
DATA logConstants<>+48(SB)/4, $0x3f3504f3 // the bits of √0.5
DATA logConstants<>+52(SB)/4, $0x3ed413cd // √2 - 1
DATA logConstants<>+56(SB)/4, $0x00800000 // the least normal number
DATA logConstants<>+60(SB)/4, $0x7f800000 // infinity
DATA logConstants<>+64(SB)/4, $0x42ae0000 // 87, of which e to its power, and to minus that, is normal
DATA logConstants<>+68(SB)/4, $0x80000000 // the sign
DATA logConstants<>+72(SB)/8, $0
GLOBL logConstants<>(SB), RODATA|NOPTR, $80

// LOGCONSTANTS has them in V8 to V12. L is the one of a number.
#define LOGCONSTANTS \
	MOVD   $logConstants<>(SB), R8                \
	VLD1.P 64(R8), [V8.S4, V9.S4, V10.S4, V11.S4] \
	VLD1   (R8), [V12.S4]

#define L(number, d) DUP((number)&3, 8+((number)>>2), d)

#define L_POLY 0
#define L_LN2LOW 9
#define L_LN2 10
#define L_HALF 11
#define L_ROOTHALF 12
#define L_ROOT2LESS1 13
#define L_NORMAL 14
#define L_INFINITY 15
#define L_87 16

// LSTEP is one of a polynomial in f: to = p·f + the constant of a number.
#define LSTEP(number, f, p, to) \
	L(number, to)   \
	FMLAV(f, p, to)

// LOG1P is log(1 + f) + e·ln 2 in p, where √0.5 <= 1 + f < √2.
#define LOG1P(f, e, z, p, t) \
	FMUL(f, f, z)     \
	L(L_POLY, p)      \
	LSTEP(1, f, p, t) \
	LSTEP(2, f, t, p) \
	LSTEP(3, f, p, t) \
	LSTEP(4, f, t, p) \
	LSTEP(5, f, p, t) \
	LSTEP(6, f, t, p) \
	LSTEP(7, f, p, t) \
	LSTEP(8, f, t, p) \
	FMUL(f, p, p)     \
	FMUL(z, p, p)     \
	L(L_LN2LOW, t)    \
	FMLAV(t, e, p)    \
	L(L_HALF, t)      \
	FMLS(t, z, p)     \
	FADD(f, p, p)     \
	L(L_LN2, t)       \
	FMLAV(t, e, p)

// FORWARD begins a function y of x, BACKWARD the gradient dx of dy. R4 has its numbers, unaryNumbers: a, b and c, which
// NUMBERS has in V13, V14 and V15; R6 is how many eights are done.
#define FORWARD \
	MOVD x+0(FP), R0  \
	MOVD y+8(FP), R1  \
	MOVD n+16(FP), R2 \
	MOVD u+24(FP), R4 \
	MOVD $0, R6

#define BACKWARD \
	MOVD x+0(FP), R0   \
	MOVD y+8(FP), R3   \
	MOVD dy+16(FP), R5 \
	MOVD dx+24(FP), R1 \
	MOVD n+32(FP), R2  \
	MOVD u+40(FP), R4  \
	MOVD $0, R6

#define NUMBERS \
	VLD1R.P 4(R4), [V13.S4] \
	VLD1R.P 4(R4), [V14.S4] \
	VLD1R   (R4), [V15.S4]

// NEXT goes on where there are more eights.
#define NEXT(loop) \
	ADD $1, R6 \
	CMP R2, R6 \
	BLT loop

// WITHIN goes to stop unless all of a and b are between -87 and 87.
#define WITHIN(a, b, t, u, stop) \
	L(L_87, 30)     \
	FABS(a, t)      \
	FABS(b, u)      \
	FCMGT(t, 30, t) \
	FCMGT(u, 30, u) \
	ANDV(u, t, t)   \
	ALL(t, stop)

// LACKED is ax less a·x, which is in t, where ax is that product rounded.
#define LACKED(x, ax, t) \
	MOV(ax, t)     \
	FMLS(13, x, t)

// EXPOF makes e^(a·x) of ax, a·x rounded, in V0; what it lacks is made good by a factor.
#define EXPOF(x, ax) \
	LACKED(x, ax, 29) \
	MOV(ax, 0)        \
	EXP(0, 1, 2, 3)   \
	FMLS(29, 0, 0)

// func expOf8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = b·e^(a·x), up to the first eight of which one has |a·x| of 87 or more, or NaN. What a·x lacks by rounding is made
// good by a factor.
TEXT ·expOf8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	LOGCONSTANTS
	NUMBERS

expOne:
	VLD1.P 32(R0), [V4.S4, V5.S4]
	FMUL(4, 13, 6)
	FMUL(5, 13, 7)
	WITHIN(6, 7, 0, 1, expDone)
	EXPOF(4, 6)
	FMUL(14, 0, 0)
	VST1.P [V0.S4], 16(R1)
	EXPOF(5, 7)
	FMUL(14, 0, 0)
	VST1.P [V0.S4], 16(R1)
	NEXT(expOne)

expDone:
	MOVD R6, done+32(FP)
	RET

// LOGSUM is a·x + b in sum, and in lack what that lacks. It takes V2, V3, V16 and V17.
#define LOGSUM(x, sum, lack) \
	FMUL(x, 13, 2)     /* the product */              \
	LACKED(x, 2, 3)                                   \
	FADD(2, 14, sum)                                  \
	FSUB(2, sum, 16)   /* what b came to */           \
	FSUB(16, sum, 17)  /* what the product came to */ \
	FSUB(17, 2, 17)                                   \
	FSUB(16, 14, 16)                                  \
	FADD(17, 16, 16)                                  \
	FSUB(3, 16, lack)

// LOGOF makes c·log(sum + lack), in V2.
#define LOGOF(sum, lack) \
	FDIV(sum, lack, lack)    \
	SUB4(24, sum, 3)         \
	SSHR4(23, 3, 3)          \
	SHL4(23, 3, 2)           \
	SUB4(2, sum, 0)          \
	FSUB(21, 0, 0)   /* f */ \
	SCVTF(3, 3)      /* e */ \
	LOG1P(0, 3, 1, 2, 16)    \
	FADD(lack, 2, 2)         \
	FMUL(15, 2, 2)

// func logOf8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = c·log(a·x + b), up to the first eight of which one has a sum that is not normal and above 0. The sum is made in
// two parts.
TEXT ·logOf8(SB), NOSPLIT, $0-40
	FORWARD
	LOGCONSTANTS
	NUMBERS
	FMOVS $1.0, F21
	VDUP  V21.S[0], V21.S4
	L(L_NORMAL, 22)
	L(L_INFINITY, 23)
	L(L_ROOTHALF, 24)

logOne:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	LOGSUM(0, 4, 5)
	LOGSUM(1, 6, 7)
	FCMGE(22, 4, 0)
	FCMGT(4, 23, 1)
	FCMGE(22, 6, 2)
	FCMGT(6, 23, 3)
	ANDV(1, 0, 0)
	ANDV(3, 2, 2)
	ANDV(2, 0, 0)
	ALL(0, logDone)
	LOGOF(4, 5)
	VST1.P [V2.S4], 16(R1)
	LOGOF(6, 7)
	VST1.P [V2.S4], 16(R1)
	NEXT(logOne)

logDone:
	MOVD R6, done+32(FP)
	RET

// func bnll8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = max(x, 0) + log(1 + e^-|x|).
TEXT ·bnll8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	LOGCONSTANTS
	MOVD R2, done+32(FP)
	LSL  $1, R2
	L(L_ROOT2LESS1, 13)
	L(L_HALF, 14)
	VEOR V7.B16, V7.B16, V7.B16

bnllOne:
	VLD1.P 16(R0), [V4.S4]
	ORRV(31, 4, 0)
	EXP(0, 1, 2, 3)        // V0: t
	FCMGT(0, 13, 1)        // V1: where f is t
	FSUB(21, 0, 2)
	FMUL(14, 2, 2)
	BIT(1, 0, 2)           // V2: f
	BICV(1, 21, 1)         // V1: e
	LOG1P(2, 1, 3, 5, 6)
	FMAX(7, 4, 0)
	FADD(5, 0, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, bnllOne
	RET

// func elu8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = x where that is above 0, else a·(e^x - 1).
TEXT ·elu8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	NUMBERS
	MOVD R2, done+32(FP)
	LSL  $1, R2
	VEOR V6.B16, V6.B16, V6.B16

eluOne:
	VLD1.P 16(R0), [V4.S4]
	MOV(4, 0)
	EXPM1(0, 1, 2, 3)
	FMUL(13, 3, 3)
	FCMGT(6, 4, 1)
	BIT(1, 4, 3)
	VST1.P [V3.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, eluOne
	RET

// func swish8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = x/(1 + e^-(a·x)), up to the first eight of which one has |a·x| of 87 or more, or NaN. What a·x lacks by rounding
// is made good by a factor.
TEXT ·swish8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	LOGCONSTANTS
	NUMBERS
	FNEG(13, 13)

swishOne:
	VLD1.P 32(R0), [V4.S4, V5.S4]
	FMUL(4, 13, 6)
	FMUL(5, 13, 7)
	WITHIN(6, 7, 0, 1, swishDone)
	EXPOF(4, 6)
	FADD(21, 0, 0)
	FDIV(0, 4, 0)
	VST1.P [V0.S4], 16(R1)
	EXPOF(5, 7)
	FADD(21, 0, 0)
	FDIV(0, 5, 0)
	VST1.P [V0.S4], 16(R1)
	NEXT(swishOne)

swishDone:
	MOVD R6, done+32(FP)
	RET

// func abs8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = |x|.
TEXT ·abs8(SB), NOSPLIT, $0-40
	FORWARD
	MOVD R2, done+32(FP)

absOne:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FABS(0, 0)
	FABS(1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB    $1, R2
	CBNZ   R2, absOne
	RET

// BASES has in V12 to V14 the numbers of powers, in float64, in V15 ones, in V10 infinities, in V11 zeros.
#define BASES \
	ADD    $16, R4                   \
	VLD1.P 16(R4), [V12.D2]          \
	VLD1R  (R4), [V14.D2]            \
	VDUP   V12.D[1], V13.D2          \
	VDUP   V12.D[0], V12.D2          \
	FMOVD  $1.0, F15                 \
	VDUP   V15.D[0], V15.D2          \
	MOVD   $0x7ff0000000000000, R7   \
	VDUP   R7, V10.D2                \
	VEOR   V11.B16, V11.B16, V11.B16

// BASE is shift + scale·x in float64, of eight elements in V4 to V7.
#define BASE \
	VLD1.P 32(R0), [V0.S4, V1.S4] \
	FCVTL(0, 4)                   \
	FCVTL2(0, 5)                  \
	FCVTL(1, 6)                   \
	FCVTL2(1, 7)                  \
	DMUL(13, 4, 4)                \
	DMUL(13, 5, 5)                \
	DMUL(13, 6, 6)                \
	DMUL(13, 7, 7)                \
	DADD(12, 4, 4)                \
	DADD(12, 5, 5)                \
	DADD(12, 6, 6)                \
	DADD(12, 7, 7)

// ABOVE goes to stop unless all of V4 to V7 are above 0 and finite.
#define ABOVE(stop) \
	DCMGT(11, 4, 0) \
	DCMGT(4, 10, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(11, 5, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(5, 10, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(11, 6, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(6, 10, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(11, 7, 1) \
	ANDV(1, 0, 0)   \
	DCMGT(7, 10, 1) \
	ANDV(1, 0, 0)   \
	ALL(0, stop)

// ROUNDED makes eight float32 of V4 to V7, in V0 and V1; WRITTEN writes them.
#define ROUNDED \
	FCVTN(4, 0)  \
	FCVTN2(5, 0) \
	FCVTN(6, 1)  \
	FCVTN2(7, 1)

#define WRITTEN VST1.P [V0.S4, V1.S4], 32(R1)

#define SQUARE \
	DMUL(4, 4, 4) \
	DMUL(5, 5, 5) \
	DMUL(6, 6, 6) \
	DMUL(7, 7, 7)

#define CUBE \
	DMUL(4, 4, 0) \
	DMUL(0, 4, 4) \
	DMUL(5, 5, 0) \
	DMUL(0, 5, 5) \
	DMUL(6, 6, 0) \
	DMUL(0, 6, 6) \
	DMUL(7, 7, 0) \
	DMUL(0, 7, 7)

#define ROOT \
	DSQRT(4, 4) \
	DSQRT(5, 5) \
	DSQRT(6, 6) \
	DSQRT(7, 7)

#define INVERSE \
	DDIV(4, 15, 4) \
	DDIV(5, 15, 5) \
	DDIV(6, 15, 6) \
	DDIV(7, 15, 7)

// func square8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = (shift + scale·x)², as gpu.UnaryFunc has it in float64.
TEXT ·square8(SB), NOSPLIT, $0-40
	FORWARD
	BASES

squareOne:
	BASE
	SQUARE
	ROUNDED
	WRITTEN
	NEXT(squareOne)
	MOVD R6, done+32(FP)
	RET

// func cube8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = (shift + scale·x)³.
TEXT ·cube8(SB), NOSPLIT, $0-40
	FORWARD
	BASES

cubeOne:
	BASE
	CUBE
	ROUNDED
	WRITTEN
	NEXT(cubeOne)
	MOVD R6, done+32(FP)
	RET

// func root8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = √(shift + scale·x), up to the first eight of which one is not of a finite number above 0; so the next two.
TEXT ·root8(SB), NOSPLIT, $0-40
	FORWARD
	BASES

rootOne:
	BASE
	ABOVE(rootDone)
	ROOT
	ROUNDED
	WRITTEN
	NEXT(rootOne)

rootDone:
	MOVD R6, done+32(FP)
	RET

// func inverse8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = 1/(shift + scale·x).
TEXT ·inverse8(SB), NOSPLIT, $0-40
	FORWARD
	BASES

inverseOne:
	BASE
	ABOVE(inverseDone)
	INVERSE
	ROUNDED
	WRITTEN
	NEXT(inverseOne)

inverseDone:
	MOVD R6, done+32(FP)
	RET

// func inverseRoot8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = 1/√(shift + scale·x).
TEXT ·inverseRoot8(SB), NOSPLIT, $0-40
	FORWARD
	BASES

inverseRootOne:
	BASE
	ABOVE(inverseRootDone)
	ROOT
	INVERSE
	ROUNDED
	WRITTEN
	NEXT(inverseRootOne)

inverseRootDone:
	MOVD R6, done+32(FP)
	RET

// FACTOR makes gradients of V4 to V7 and dy, in V0 and V1.
#define FACTOR \
	DMUL(14, 4, 4)                \
	DMUL(14, 5, 5)                \
	DMUL(14, 6, 6)                \
	DMUL(14, 7, 7)                \
	ROUNDED                       \
	VLD1.P 32(R5), [V2.S4, V3.S4] \
	FMUL(2, 0, 0)                 \
	FMUL(3, 1, 1)

// func squareSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·factor·(shift + scale·x), the gradient of a square; the next that of a cube.
TEXT ·squareSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

squareSlopeOne:
	BASE
	FACTOR
	WRITTEN
	NEXT(squareSlopeOne)
	MOVD R6, done+48(FP)
	RET

TEXT ·cubeSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

cubeSlopeOne:
	BASE
	SQUARE
	FACTOR
	WRITTEN
	NEXT(cubeSlopeOne)
	MOVD R6, done+48(FP)
	RET

// func rootSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·factor/√(shift + scale·x), up to the first eight of which one is not of a finite number above 0; the next
// the gradient of 1/(shift + scale·x).
TEXT ·rootSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

rootSlopeOne:
	BASE
	ABOVE(rootSlopeDone)
	ROOT
	INVERSE
	FACTOR
	WRITTEN
	NEXT(rootSlopeOne)

rootSlopeDone:
	MOVD R6, done+48(FP)
	RET

TEXT ·inverseSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

inverseSlopeOne:
	BASE
	ABOVE(inverseSlopeDone)
	SQUARE
	INVERSE
	FACTOR
	WRITTEN
	NEXT(inverseSlopeOne)

inverseSlopeDone:
	MOVD R6, done+48(FP)
	RET

// func sigmoidSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·y·(1 - y).
TEXT ·sigmoidSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	FMOVS $1.0, F21
	VDUP  V21.S[0], V21.S4
	MOVD  R2, done+48(FP)
	LSL   $1, R2

sigmoidSlopeOne:
	VLD1.P 16(R3), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	FSUB(0, 21, 1)
	FMUL(1, 0, 0)
	FMUL(7, 0, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, sigmoidSlopeOne
	RET

// func tanhSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(1 - y²), of which the difference is rounded once.
TEXT ·tanhSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	FMOVS $1.0, F21
	VDUP  V21.S[0], V21.S4
	MOVD  R2, done+48(FP)
	LSL   $1, R2

tanhSlopeOne:
	VLD1.P 16(R3), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	MOV(21, 1)
	FMLS(0, 0, 1)
	FMUL(7, 1, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, tanhSlopeOne
	RET

// func eluSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy where y is above 0, else dy·(y + a).
TEXT ·eluSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	NUMBERS
	VEOR V6.B16, V6.B16, V6.B16
	MOVD R2, done+48(FP)
	LSL  $1, R2

eluSlopeOne:
	VLD1.P 16(R3), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	FADD(13, 0, 2)
	FMUL(7, 2, 2)
	FCMGT(6, 0, 1)
	BIT(1, 7, 2)
	MOV(2, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, eluSlopeOne
	RET

// func expSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(a·y).
TEXT ·expSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	NUMBERS
	MOVD R2, done+48(FP)
	LSL  $1, R2

expSlopeOne:
	VLD1.P 16(R3), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	FMUL(0, 13, 0)
	FMUL(7, 0, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, expSlopeOne
	RET

// func logSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(c·a/(a·x + b)), of which the sum is rounded once.
TEXT ·logSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	NUMBERS
	FMUL(13, 15, 15)
	MOVD R2, done+48(FP)
	LSL  $1, R2

logSlopeOne:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	MOV(14, 1)
	FMLAV(0, 13, 1)
	FDIV(1, 15, 0)
	FMUL(7, 0, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, logSlopeOne
	RET

// func bnllSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy/(1 + e^-x), the quotient before the product.
TEXT ·bnllSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	EXPCONSTANTS
	MOVD R2, done+48(FP)
	LSL  $1, R2

bnllSlopeOne:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	SIGMOID(0, 1, 2, 3)
	FMUL(7, 0, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, bnllSlopeOne
	RET

// SWISHSLOPE makes the gradient of four elements, of -a·x in ax.
#define SWISHSLOPE(ax) \
	EXP(ax, 1, 2, 3)       \
	FADD(21, ax, ax)       \
	FDIV(ax, 21, ax)       \
	VLD1.P 16(R3), [V4.S4] \
	MOV(21, 5)             \
	FMLS(4, 13, 5)         \
	FMUL(4, 13, 4)         \
	FMLAV(5, ax, 4)        \
	VLD1.P 16(R5), [V5.S4] \
	FMUL(5, 4, 4)          \
	VST1.P [V4.S4], 16(R1)

// func swishSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(a·y + s·(1 - a·y)), s = 1/(1 + e^-(a·x)), up to the first eight of which one has |a·x| of 87 or more, or
// NaN.
TEXT ·swishSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	EXPCONSTANTS
	LOGCONSTANTS
	NUMBERS

swishSlopeOne:
	VLD1.P 32(R0), [V6.S4, V7.S4]
	FMUL(6, 13, 6)
	FMUL(7, 13, 7)
	FNEG(6, 6)
	FNEG(7, 7)
	WITHIN(6, 7, 0, 1, swishSlopeDone)
	SWISHSLOPE(6)
	SWISHSLOPE(7)
	NEXT(swishSlopeOne)

swishSlopeDone:
	MOVD R6, done+48(FP)
	RET

// func absSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy times 1 with the sign of x, or times 0 where x is 0 or NaN.
TEXT ·absSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	FMOVS $1.0, F21
	VDUP  V21.S[0], V21.S4
	VEOR  V6.B16, V6.B16, V6.B16
	MOVD  $0x80000000, R7
	VDUP  R7, V31.S4
	MOVD  R2, done+48(FP)
	LSL   $1, R2

absSlopeOne:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R5), [V7.S4]
	FABS(0, 1)
	FCMGT(6, 1, 1)
	MOV(21, 2)
	BIT(31, 0, 2)
	ANDV(1, 2, 2)
	FMUL(7, 2, 0)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, absSlopeOne
	RET
