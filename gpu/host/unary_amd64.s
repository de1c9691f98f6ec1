#include "textflag.h"
#include "exp_amd64.h"

// The polynomial is that of Cephes' logf (Moshier, 1989), in single precision.
DATA ·logConstants+0(SB)/4, $0x3d9021bb  // 7.0376836292e-2
DATA ·logConstants+4(SB)/4, $0xbdebd1b8  // -1.1514610310e-1
DATA ·logConstants+8(SB)/4, $0x3def251a  // 1.1676998740e-1
DATA ·logConstants+12(SB)/4, $0xbdfe5d4f // -1.2420140846e-1
DATA ·logConstants+16(SB)/4, $0x3e11e9bf // 1.4249322787e-1
DATA ·logConstants+20(SB)/4, $0xbe2aae50 // -1.6668057665e-1
DATA ·logConstants+24(SB)/4, $0x3e4cceac // 2.0000714765e-1
DATA ·logConstants+28(SB)/4, $0xbe7ffffc // -2.4999993993e-1
DATA ·logConstants+32(SB)/4, $0x3eaaaaaa // 3.3333331174e-1
DATA ·logConstants+36(SB)/4, $0xb95e8083 // ln 2, less its upper part
DATA ·logConstants+40(SB)/4, $0x3f318000 // ln 2, its upper part
DATA ·logConstants+44(SB)/4, $0x3f000000 // 0.5
DATA ·logConstants+48(SB)/4, $0x3f3504f3 // the bits of √0.5
DATA ·logConstants+52(SB)/4, $0x3ed413cd // √2 - 1
DATA ·logConstants+56(SB)/4, $0x00800000 // the least normal number
DATA ·logConstants+60(SB)/4, $0x7f800000 // infinity
DATA ·logConstants+64(SB)/4, $0x42ae0000 // 87, of which e to its power, and to minus that, is normal
DATA ·logConstants+68(SB)/4, $0x80000000 // the sign
GLOBL ·logConstants(SB), RODATA|NOPTR, $72

// The numbers of a function, unaryNumbers, by their offsets.
#define U_a 0
#define U_b 4
#define U_c 8
#define U_shift 16
#define U_scale 24
#define U_factor 32

#define LSTEP(offset, f, t, p) \
	VBROADCASTSS offset(R9), t \
	VFMADD213PS  t, f, p

// LOG1P is log(1 + f) + e·ln 2 in p, where √0.5 <= 1 + f < √2.
#define LOG1P(f, e, z, p, t) \
	VMULPS       f, f, z    \
	VBROADCASTSS 0(R9), p   \
	LSTEP(4, f, t, p)       \
	LSTEP(8, f, t, p)       \
	LSTEP(12, f, t, p)      \
	LSTEP(16, f, t, p)      \
	LSTEP(20, f, t, p)      \
	LSTEP(24, f, t, p)      \
	LSTEP(28, f, t, p)      \
	LSTEP(32, f, t, p)      \
	VMULPS       f, p, p    \
	VMULPS       z, p, p    \
	VBROADCASTSS 36(R9), t  \
	VFMADD231PS  t, e, p    \
	VBROADCASTSS 44(R9), t  \
	VFNMADD231PS t, z, p    \
	VADDPS       f, p, p    \
	VBROADCASTSS 40(R9), t  \
	VFMADD231PS  t, e, p

// FORWARD begins a function y of x, BACKWARD the gradient dx of dy. BX has its numbers, AX is where.
#define FORWARD \
	MOVQ x+0(FP), SI         \
	MOVQ y+8(FP), DI         \
	MOVQ n+16(FP), CX        \
	MOVQ u+24(FP), BX        \
	LEAQ ·logConstants(SB), R9 \
	XORQ AX, AX

#define BACKWARD \
	MOVQ x+0(FP), SI         \
	MOVQ y+8(FP), R10        \
	MOVQ dy+16(FP), DX       \
	MOVQ dx+24(FP), DI       \
	MOVQ n+32(FP), CX        \
	MOVQ u+40(FP), BX        \
	LEAQ ·logConstants(SB), R9 \
	XORQ AX, AX

// NEXT writes eight elements, and goes on where there are more.
#define NEXT(v, loop) \
	VMOVUPS v, (DI)(AX*1) \
	ADDQ    $32, AX       \
	DECQ    CX            \
	JNZ     loop

// DONE is how many vectors were done.
#define DONE(at) \
	SHRQ $5, AX \
	MOVQ AX, at \
	VZEROUPPER  \
	RET

// WITHIN goes to stop unless all of v are between -87 and 87.
#define WITHIN(v, t, stop) \
	VBROADCASTSS ·expConstants+52(SB), t \
	VANDPS       v, t, t   \
	VBROADCASTSS 64(R9), Y7 \
	VCMPPS       $1, Y7, t, t \
	VMOVMSKPS    t, R11    \
	CMPL         R11, $255 \
	JNE          stop

// func expOf8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = b·e^(a·x), up to the first eight of which one has |a·x| of 87 or more, or NaN. What a·x lacks by rounding is made
// good by a factor.
TEXT ·expOf8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	VBROADCASTSS U_a(BX), Y15
	VBROADCASTSS U_b(BX), Y6

expOne:
	VMOVUPS      (SI)(AX*1), Y5
	VMULPS       Y5, Y15, Y0
	VFMSUB213PS  Y0, Y15, Y5 // Y5: a·x less Y0
	WITHIN(Y0, Y1, expDone)
	EXP(Y0, Y1, Y2, Y3)
	VFMADD231PS  Y0, Y5, Y0
	VMULPS       Y6, Y0, Y0
	NEXT(Y0, expOne)

expDone:
	DONE(done+32(FP))

// func logOf8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = c·log(a·x + b), up to the first eight of which one has a sum that is not normal and above 0. The sum is made in
// two parts.
TEXT ·logOf8(SB), NOSPLIT, $0-40
	FORWARD
	VBROADCASTSS U_a(BX), Y13
	VBROADCASTSS U_b(BX), Y14
	VBROADCASTSS U_c(BX), Y15
	VBROADCASTSS ·expConstants+44(SB), Y11
	VBROADCASTSS 48(R9), Y12
	VBROADCASTSS 56(R9), Y9
	VBROADCASTSS 60(R9), Y10

logOne:
	VMOVUPS     (SI)(AX*1), Y0
	VMULPS      Y0, Y13, Y1
	VFMSUB213PS Y1, Y13, Y0  // Y0: what the product lacks
	VADDPS      Y1, Y14, Y2  // Y2: the sum
	VSUBPS      Y1, Y2, Y3   // what b came to
	VSUBPS      Y3, Y2, Y4   // what the product came to
	VSUBPS      Y4, Y1, Y4
	VSUBPS      Y3, Y14, Y3
	VADDPS      Y4, Y3, Y3
	VADDPS      Y3, Y0, Y0   // Y0: what the sum lacks
	VCMPPS      $13, Y9, Y2, Y3
	VCMPPS      $1, Y10, Y2, Y4
	VANDPS      Y4, Y3, Y3
	VMOVMSKPS   Y3, R11
	CMPL        R11, $255
	JNE         logDone
	VDIVPS      Y2, Y0, Y0
	VPSUBD      Y12, Y2, Y3
	VPSRAD      $23, Y3, Y3
	VPSLLD      $23, Y3, Y4
	VPSUBD      Y4, Y2, Y2
	VSUBPS      Y11, Y2, Y2  // Y2: f
	VCVTDQ2PS   Y3, Y3       // Y3: e
	LOG1P(Y2, Y3, Y4, Y5, Y6)
	VADDPS      Y0, Y5, Y5
	VMULPS      Y15, Y5, Y5
	NEXT(Y5, logOne)

logDone:
	DONE(done+32(FP))

// func bnll8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = max(x, 0) + log(1 + e^-|x|).
TEXT ·bnll8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	VBROADCASTSS 68(R9), Y15

bnllOne:
	VMOVUPS      (SI)(AX*1), Y4
	VORPS        Y15, Y4, Y0
	EXP(Y0, Y1, Y2, Y3)          // Y0: t
	VBROADCASTSS 52(R9), Y1
	VCMPPS       $1, Y1, Y0, Y1  // Y1: where f is t
	VSUBPS       Y11, Y0, Y2
	VBROADCASTSS 44(R9), Y3
	VMULPS       Y3, Y2, Y2
	VBLENDVPS    Y1, Y0, Y2, Y0  // Y0: f
	VANDNPS      Y11, Y1, Y1     // Y1: e
	LOG1P(Y0, Y1, Y2, Y5, Y3)
	VXORPS       Y0, Y0, Y0
	VMAXPS       Y4, Y0, Y0
	VADDPS       Y5, Y0, Y0
	NEXT(Y0, bnllOne)
	DONE(done+32(FP))

// func elu8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = x where that is above 0, else a·(e^x - 1).
TEXT ·elu8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	VBROADCASTSS U_a(BX), Y15
	VXORPS       Y6, Y6, Y6

eluOne:
	VMOVUPS   (SI)(AX*1), Y4
	VMOVAPS   Y4, Y0
	EXPM1(Y0, Y1, Y2, Y3)
	VMULPS    Y15, Y2, Y2
	VCMPPS    $1, Y4, Y6, Y0
	VBLENDVPS Y0, Y4, Y2, Y2
	NEXT(Y2, eluOne)
	DONE(done+32(FP))

// func swish8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = x/(1 + e^-(a·x)), up to the first eight of which one has |a·x| of 87 or more, or NaN. What a·x lacks by rounding
// is made good by a factor.
TEXT ·swish8(SB), NOSPLIT, $0-40
	FORWARD
	EXPCONSTANTS
	VBROADCASTSS U_a(BX), Y15
	VBROADCASTSS 68(R9), Y1
	VXORPS       Y1, Y15, Y15 // -a

swishOne:
	VMOVUPS     (SI)(AX*1), Y4
	VMULPS      Y4, Y15, Y0
	VMOVAPS     Y4, Y5
	VFMSUB213PS Y0, Y15, Y5
	WITHIN(Y0, Y1, swishDone)
	EXP(Y0, Y1, Y2, Y3)
	VFMADD231PS Y0, Y5, Y0
	VADDPS      Y11, Y0, Y0
	VDIVPS      Y0, Y4, Y0
	NEXT(Y0, swishOne)

swishDone:
	DONE(done+32(FP))

// func abs8(x, y *float32, n int, u *unaryNumbers) (done int)
//
// y = |x|.
TEXT ·abs8(SB), NOSPLIT, $0-40
	FORWARD
	VBROADCASTSS ·expConstants+52(SB), Y15

absOne:
	VANDPS (SI)(AX*1), Y15, Y0
	NEXT(Y0, absOne)
	DONE(done+32(FP))

// BASE is shift + scale·x in float64, of four elements each in Y0 and Y1. Y15 has ones.
#define BASES \
	VBROADCASTSD U_shift(BX), Y12  \
	VBROADCASTSD U_scale(BX), Y13  \
	VBROADCASTSD U_factor(BX), Y14 \
	MOVQ         $0x3ff0000000000000, R11 \
	VMOVQ        R11, X15          \
	VBROADCASTSD X15, Y15          \
	VXORPS       Y11, Y11, Y11     \
	MOVQ         $0x7ff0000000000000, R11 \
	VMOVQ        R11, X10          \
	VBROADCASTSD X10, Y10

#define BASE \
	VCVTPS2PD (SI)(AX*1), Y0   \
	VCVTPS2PD 16(SI)(AX*1), Y1 \
	VMULPD    Y13, Y0, Y0      \
	VMULPD    Y13, Y1, Y1      \
	VADDPD    Y12, Y0, Y0      \
	VADDPD    Y12, Y1, Y1

// ABOVE goes to stop unless all of Y0 and Y1 are above 0 and finite.
#define ABOVE(stop) \
	VCMPPD    $1, Y0, Y11, Y2 \
	VCMPPD    $1, Y10, Y0, Y3 \
	VANDPD    Y3, Y2, Y2      \
	VCMPPD    $1, Y1, Y11, Y3 \
	VANDPD    Y3, Y2, Y2      \
	VCMPPD    $1, Y10, Y1, Y3 \
	VANDPD    Y3, Y2, Y2      \
	VMOVMSKPD Y2, R11         \
	CMPL      R11, $15        \
	JNE       stop

// ROUNDED makes eight float32 of Y0 and Y1, in Y0.
#define ROUNDED \
	VCVTPD2PSY  Y0, X0        \
	VCVTPD2PSY  Y1, X1        \
	VINSERTF128 $1, X1, Y0, Y0

#define SQUARE \
	VMULPD Y0, Y0, Y0 \
	VMULPD Y1, Y1, Y1

#define CUBE \
	VMULPD Y0, Y0, Y2 \
	VMULPD Y1, Y1, Y3 \
	VMULPD Y2, Y0, Y0 \
	VMULPD Y3, Y1, Y1

#define ROOT \
	VSQRTPD Y0, Y0 \
	VSQRTPD Y1, Y1

#define INVERSE \
	VDIVPD Y0, Y15, Y0 \
	VDIVPD Y1, Y15, Y1

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
	NEXT(Y0, squareOne)
	DONE(done+32(FP))

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
	NEXT(Y0, cubeOne)
	DONE(done+32(FP))

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
	NEXT(Y0, rootOne)

rootDone:
	DONE(done+32(FP))

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
	NEXT(Y0, inverseOne)

inverseDone:
	DONE(done+32(FP))

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
	NEXT(Y0, inverseRootOne)

inverseRootDone:
	DONE(done+32(FP))

#define FACTOR \
	VMULPD Y0, Y14, Y0 \
	VMULPD Y1, Y14, Y1 \
	ROUNDED            \
	VMULPS (DX)(AX*1), Y0, Y0

// func squareSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·factor·(shift + scale·x), the gradient of a square; the next that of a cube.
TEXT ·squareSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

squareSlopeOne:
	BASE
	FACTOR
	NEXT(Y0, squareSlopeOne)
	DONE(done+48(FP))

TEXT ·cubeSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

cubeSlopeOne:
	BASE
	SQUARE
	FACTOR
	NEXT(Y0, cubeSlopeOne)
	DONE(done+48(FP))

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
	NEXT(Y0, rootSlopeOne)

rootSlopeDone:
	DONE(done+48(FP))

TEXT ·inverseSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	BASES

inverseSlopeOne:
	BASE
	ABOVE(inverseSlopeDone)
	SQUARE
	INVERSE
	FACTOR
	NEXT(Y0, inverseSlopeOne)

inverseSlopeDone:
	DONE(done+48(FP))

// func sigmoidSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·y·(1 - y).
TEXT ·sigmoidSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS ·expConstants+44(SB), Y15

sigmoidSlopeOne:
	VMOVUPS (R10)(AX*1), Y0
	VSUBPS  Y0, Y15, Y1
	VMULPS  Y1, Y0, Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	NEXT(Y0, sigmoidSlopeOne)
	DONE(done+48(FP))

// func tanhSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(1 - y²), of which the difference is rounded once.
TEXT ·tanhSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS ·expConstants+44(SB), Y15

tanhSlopeOne:
	VMOVUPS      (R10)(AX*1), Y0
	VMOVAPS      Y15, Y1
	VFNMADD231PS Y0, Y0, Y1
	VMULPS       (DX)(AX*1), Y1, Y1
	NEXT(Y1, tanhSlopeOne)
	DONE(done+48(FP))

// func eluSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy where y is above 0, else dy·(y + a).
TEXT ·eluSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS U_a(BX), Y15
	VXORPS       Y14, Y14, Y14

eluSlopeOne:
	VMOVUPS   (R10)(AX*1), Y0
	VMOVUPS   (DX)(AX*1), Y1
	VADDPS    Y15, Y0, Y2
	VMULPS    Y1, Y2, Y2
	VCMPPS    $1, Y0, Y14, Y0
	VBLENDVPS Y0, Y1, Y2, Y2
	NEXT(Y2, eluSlopeOne)
	DONE(done+48(FP))

// func expSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(a·y).
TEXT ·expSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS U_a(BX), Y15

expSlopeOne:
	VMULPS (R10)(AX*1), Y15, Y0
	VMULPS (DX)(AX*1), Y0, Y0
	NEXT(Y0, expSlopeOne)
	DONE(done+48(FP))

// func logSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(c·a/(a·x + b)), of which the sum is rounded once.
TEXT ·logSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS U_a(BX), Y13
	VBROADCASTSS U_b(BX), Y14
	VBROADCASTSS U_c(BX), Y15
	VMULPS       Y13, Y15, Y15

logSlopeOne:
	VMOVUPS     (SI)(AX*1), Y0
	VFMADD213PS Y14, Y13, Y0
	VDIVPS      Y0, Y15, Y0
	VMULPS      (DX)(AX*1), Y0, Y0
	NEXT(Y0, logSlopeOne)
	DONE(done+48(FP))

// func bnllSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy/(1 + e^-x), the quotient before the product.
TEXT ·bnllSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	EXPCONSTANTS
	VXORPS Y15, Y15, Y15

bnllSlopeOne:
	VSUBPS (SI)(AX*1), Y15, Y0
	EXP(Y0, Y1, Y2, Y3)
	VADDPS Y11, Y0, Y0
	VDIVPS Y0, Y11, Y0
	VMULPS (DX)(AX*1), Y0, Y0
	NEXT(Y0, bnllSlopeOne)
	DONE(done+48(FP))

// func swishSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy·(a·y + s·(1 - a·y)), s = 1/(1 + e^-(a·x)), up to the first eight of which one has |a·x| of 87 or more, or
// NaN.
TEXT ·swishSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	EXPCONSTANTS
	VBROADCASTSS U_a(BX), Y15
	VBROADCASTSS 68(R9), Y6

swishSlopeOne:
	VMULPS       (SI)(AX*1), Y15, Y0
	VXORPS       Y6, Y0, Y0
	WITHIN(Y0, Y1, swishSlopeDone)
	EXP(Y0, Y1, Y2, Y3)
	VADDPS       Y11, Y0, Y0
	VDIVPS       Y0, Y11, Y0
	VMOVUPS      (R10)(AX*1), Y4
	VMOVAPS      Y11, Y5
	VFNMADD231PS Y4, Y15, Y5
	VMULPS       Y4, Y15, Y4
	VFMADD213PS  Y4, Y5, Y0
	VMULPS       (DX)(AX*1), Y0, Y0
	NEXT(Y0, swishSlopeOne)

swishSlopeDone:
	DONE(done+48(FP))

// func absSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)
//
// dx = dy times 1 with the sign of x, or times 0 where x is 0 or NaN.
TEXT ·absSlope8(SB), NOSPLIT, $0-56
	BACKWARD
	VBROADCASTSS ·expConstants+44(SB), Y15
	VBROADCASTSS 68(R9), Y14
	VXORPS       Y13, Y13, Y13

absSlopeOne:
	VMOVUPS (SI)(AX*1), Y0
	VCMPPS  $12, Y13, Y0, Y1
	VANDPS  Y14, Y0, Y0
	VORPS   Y15, Y0, Y0
	VANDPS  Y1, Y0, Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	NEXT(Y0, absSlopeOne)
	DONE(done+48(FP))
