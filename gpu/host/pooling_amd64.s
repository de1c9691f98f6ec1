#include "textflag.h"

DATA steps<>+0(SB)/4, $0.0
DATA steps<>+4(SB)/4, $2.0
DATA steps<>+8(SB)/4, $4.0
DATA steps<>+12(SB)/4, $6.0
GLOBL steps<>(SB), RODATA|NOPTR, $16

DATA one<>+0(SB)/4, $1.0
GLOBL one<>(SB), RODATA|NOPTR, $4

DATA eight<>+0(SB)/4, $8.0
GLOBL eight<>(SB), RODATA|NOPTR, $4

DATA least<>+0(SB)/4, $0xff7fffff
GLOBL least<>(SB), RODATA|NOPTR, $4

DATA none<>+0(SB)/4, $-1.0
GLOBL none<>(SB), RODATA|NOPTR, $4

// LARGER puts v, which is at X9, in the place of the largest so far, X2 at X8, where it is not less or equal and that is
// a number: where it is larger, or the first NaN.
#define LARGER(v) \
	VCMPPS    $6, X2, v, X6  \
	VCMPPS    $7, X2, X2, X7 \
	VANDPS    X6, X7, X6     \
	VBLENDVPS X6, v, X2, X2  \
	VBLENDVPS X6, X9, X8, X8

// func maxPool2Rows(r0, r1, y, argmax *float32, n int, first, width float32)
//
// Four windows at a time, n times: elements of even and odd columns of both rows are compared in the order of their
// positions. One takes the place of the largest so far where it is larger, or the first that is NaN.
TEXT ·maxPool2Rows(SB), NOSPLIT, $0-48
	MOVQ         r0+0(FP), SI
	MOVQ         r1+8(FP), DX
	MOVQ         y+16(FP), DI
	MOVQ         argmax+24(FP), BX
	MOVQ         n+32(FP), CX
	VBROADCASTSS first+40(FP), X15
	VADDPS       steps<>(SB), X15, X15 // X15: positions of the windows
	VBROADCASTSS width+44(FP), X14     // X14: from one row to the next
	VBROADCASTSS one<>(SB), X13
	VBROADCASTSS eight<>(SB), X12      // X12: from four windows to the next
	VBROADCASTSS least<>(SB), X11
	VBROADCASTSS none<>(SB), X10

loop:
	VMOVUPS (SI), X0
	VMOVUPS 16(SI), X1
	VSHUFPS $0x88, X1, X0, X2 // X2: top left
	VSHUFPS $0xdd, X1, X0, X3 // X3: top right
	VMOVUPS (DX), X0
	VMOVUPS 16(DX), X1
	VSHUFPS $0x88, X1, X0, X4 // X4: bottom left
	VSHUFPS $0xdd, X1, X0, X5 // X5: bottom right

	VMOVAPS X15, X8           // X2: the largest so far, X8: where it is

	VADDPS X13, X15, X9
	LARGER(X3)

	VADDPS X14, X15, X9
	LARGER(X4)

	VADDPS X13, X9, X9
	LARGER(X5)

	VCMPPS    $2, X11, X2, X6 // nothing is above -FLT_MAX
	VBLENDVPS X6, X11, X2, X2
	VBLENDVPS X6, X10, X8, X8

	VMOVUPS X2, (DI)
	VMOVUPS X8, (BX)
	VADDPS  X12, X15, X15
	ADDQ    $32, SI
	ADDQ    $32, DX
	ADDQ    $16, DI
	ADDQ    $16, BX
	DECQ    CX
	JNZ     loop
	RET

// LARGER_OF puts the larger of a and b in to, where both are numbers, or else NaN.
#define LARGER_OF(b, a, to) \
	VCMPPS $3, b, a, X6  \
	VMAXPS b, a, to      \
	VORPS  X6, to, to

// func maxima2Rows(r0, r1, y *float32, n int, floor float32)
//
// Four windows at a time, n times: first the larger of each column, then those of even and odd columns.
TEXT ·maxima2Rows(SB), NOSPLIT, $0-36
	MOVQ         r0+0(FP), SI
	MOVQ         r1+8(FP), DX
	MOVQ         y+16(FP), DI
	MOVQ         n+24(FP), CX
	VBROADCASTSS floor+32(FP), X15

maxima:
	VMOVUPS (SI), X0
	VMOVUPS 16(SI), X1
	VMOVUPS (DX), X2
	VMOVUPS 16(DX), X3
	LARGER_OF(X2, X0, X0)
	LARGER_OF(X3, X1, X1)
	VSHUFPS $0x88, X1, X0, X2
	VSHUFPS $0xdd, X1, X0, X3
	LARGER_OF(X3, X2, X2)
	VMAXPS  X2, X15, X2 // the second where one is NaN
	VMOVUPS X2, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DX
	ADDQ    $16, DI
	DECQ    CX
	JNZ     maxima
	RET
