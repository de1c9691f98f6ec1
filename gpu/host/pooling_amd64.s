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

DATA eighths<>+0(SB)/4, $0.0
DATA eighths<>+4(SB)/4, $1.0
DATA eighths<>+8(SB)/4, $2.0
DATA eighths<>+12(SB)/4, $3.0
DATA eighths<>+16(SB)/4, $4.0
DATA eighths<>+20(SB)/4, $5.0
DATA eighths<>+24(SB)/4, $6.0
DATA eighths<>+28(SB)/4, $7.0
GLOBL eighths<>(SB), RODATA|NOPTR, $32

// LARGEST8 has eight elements of v, Y0, take the place of those of y, Y1, where they are larger or the first NaN, and
// their positions, Y4, that of argmax: where v is not less or equal, and y is a number.
#define LARGEST8 \
	VMOVUPS   (SI)(AX*4), Y0 \
	VMOVUPS   (DI)(AX*4), Y1 \
	VCMPPS    $6, Y1, Y0, Y2 \
	VCMPPS    $7, Y1, Y1, Y3 \
	VANDPS    Y2, Y3, Y2     \
	VBLENDVPS Y2, Y0, Y1, Y1 \
	VMOVUPS   Y1, (DI)(AX*4) \
	VMOVUPS   (BX)(AX*4), Y3 \
	VBLENDVPS Y2, Y4, Y3, Y3 \
	VMOVUPS   Y3, (BX)(AX*4)

// func largestRows(v, y, argmax *float32, vStride, yStride, rows, columns int, position, step, rowStep float32)
//
// rows of columns elements. Of eight or more the last eight may overlap the eight before: an element is not larger than
// itself.
TEXT ·largestRows(SB), NOSPLIT, $0-68
	MOVQ         v+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         argmax+16(FP), BX
	MOVQ         vStride+24(FP), R8
	MOVQ         yStride+32(FP), R9
	MOVQ         rows+40(FP), CX
	MOVQ         columns+48(FP), R10
	SHLQ         $2, R8
	SHLQ         $2, R9
	VBROADCASTSS position+56(FP), Y7   // Y7: of the first of a row
	VBROADCASTSS step+60(FP), Y5
	VMULPS       eighths<>(SB), Y5, Y8 // Y8: from the first to eight
	SUBQ         $8, R10               // R10: where the last eight begin
	JL           few
	VBROADCASTSS eight<>(SB), Y6
	VMULPS       Y6, Y5, Y6            // Y6: from eight to the next
	VBROADCASTSS rowStep+64(FP), Y9
	VCVTSI2SSQ   R10, X10, X10
	VSHUFPS      $0, X10, X10, X10
	VINSERTF128  $1, X10, Y10, Y10
	VMULPS       Y5, Y10, Y10
	VADDPS       Y8, Y10, Y10          // Y10: from the first to the last eight

row:
	VADDPS Y8, Y7, Y4
	XORQ   AX, AX

eights:
	CMPQ AX, R10
	JGE  last
	LARGEST8
	VADDPS Y6, Y4, Y4
	ADDQ $8, AX
	JMP  eights

last:
	MOVQ   R10, AX
	VADDPS Y10, Y7, Y4
	LARGEST8
	VADDPS Y9, Y7, Y7
	ADDQ   R8, SI
	ADDQ   R9, DI
	ADDQ   R9, BX
	DECQ   CX
	JNZ    row
	VZEROUPPER
	RET

few:
	VBROADCASTSS rowStep+64(FP), Y9
	VADDPS       Y8, Y7, Y4
	LEAQ         ·masks(SB), DX
	NEGQ         R10
	LEAQ         (DX)(R10*4), DX
	VMOVUPS      (DX), Y15             // Y15: as many as there are

fewrow:
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (DI), Y15, Y1
	VCMPPS     $6, Y1, Y0, Y2
	VCMPPS     $7, Y1, Y1, Y3
	VANDPS     Y2, Y3, Y2
	VBLENDVPS  Y2, Y0, Y1, Y1
	VMASKMOVPS Y1, Y15, (DI)
	VMASKMOVPS (BX), Y15, Y3
	VBLENDVPS  Y2, Y4, Y3, Y3
	VMASKMOVPS Y3, Y15, (BX)
	VADDPS     Y9, Y4, Y4
	ADDQ       R8, SI
	ADDQ       R9, DI
	ADDQ       R9, BX
	DECQ       CX
	JNZ        fewrow
	VZEROUPPER
	RET

// func addRows8(x, y *float32, xStride, yStride, rows, columns int)
//
// Rows of y += rows of x.
TEXT ·addRows8(SB), NOSPLIT, $0-48
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ xStride+16(FP), R8
	MOVQ yStride+24(FP), R9
	MOVQ rows+32(FP), CX
	MOVQ columns+40(FP), R10
	SHLQ $2, R8
	SHLQ $2, R9
	MOVQ R10, R11
	ANDQ $-8, R11             // R11: columns in whole vectors
	ANDQ $7, R10              // R10: the rest
	LEAQ ·masks+32(SB), DX
	MOVQ R10, AX
	SHLQ $2, AX
	SUBQ AX, DX
	VMOVUPS (DX), Y15         // Y15: as many as the rest

addrow:
	XORQ AX, AX

addeights:
	CMPQ    AX, R11
	JGE     addrest
	VMOVUPS (DI)(AX*4), Y0
	VADDPS  (SI)(AX*4), Y0, Y0
	VMOVUPS Y0, (DI)(AX*4)
	ADDQ    $8, AX
	JMP     addeights

addrest:
	TESTQ      R10, R10
	JZ         addnext
	VMASKMOVPS (DI)(AX*4), Y15, Y0
	VMASKMOVPS (SI)(AX*4), Y15, Y1
	VADDPS     Y1, Y0, Y0
	VMASKMOVPS Y0, Y15, (DI)(AX*4)

addnext:
	ADDQ R8, SI
	ADDQ R9, DI
	DECQ CX
	JNZ  addrow
	VZEROUPPER
	RET

// func split8(x, even, odd *float32, n int)
//
// n times sixteen elements of x are put apart.
TEXT ·split8(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ even+8(FP), DI
	MOVQ odd+16(FP), BX
	MOVQ n+24(FP), CX

split:
	VMOVUPS    (SI), Y0
	VMOVUPS    32(SI), Y1
	VPERM2F128 $0x20, Y1, Y0, Y2 // the first halves of both
	VPERM2F128 $0x31, Y1, Y0, Y3
	VSHUFPS    $0x88, Y3, Y2, Y0
	VSHUFPS    $0xdd, Y3, Y2, Y1
	VMOVUPS    Y0, (DI)
	VMOVUPS    Y1, (BX)
	ADDQ       $64, SI
	ADDQ       $32, DI
	ADDQ       $32, BX
	DECQ       CX
	JNZ        split
	VZEROUPPER
	RET

// func join8(even, odd, x *float32, n int)
//
// n times sixteen elements are put together again.
TEXT ·join8(SB), NOSPLIT, $0-32
	MOVQ even+0(FP), DI
	MOVQ odd+8(FP), BX
	MOVQ x+16(FP), SI
	MOVQ n+24(FP), CX

join:
	VMOVUPS    (DI), Y0
	VMOVUPS    (BX), Y1
	VUNPCKLPS  Y1, Y0, Y2
	VUNPCKHPS  Y1, Y0, Y3
	VPERM2F128 $0x20, Y3, Y2, Y0
	VPERM2F128 $0x31, Y3, Y2, Y1
	VMOVUPS    Y0, (SI)
	VMOVUPS    Y1, 32(SI)
	ADDQ       $64, SI
	ADDQ       $32, DI
	ADDQ       $32, BX
	DECQ       CX
	JNZ        join
	VZEROUPPER
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
