#include "textflag.h"
#include "neon_arm64.h"

DATA steps<>+0(SB)/4, $0.0
DATA steps<>+4(SB)/4, $1.0
DATA steps<>+8(SB)/4, $2.0
DATA steps<>+12(SB)/4, $3.0
DATA steps<>+16(SB)/4, $0xff7fffff // -FLT_MAX
DATA steps<>+20(SB)/4, $-1.0
GLOBL steps<>(SB), RODATA|NOPTR, $24

// LARGER puts v, which is at p, in the place of the largest so far, top at at, where it is not less or equal and that
// is a number: where it is larger, or the first NaN.
#define LARGER(v, p, top, at, t, u) \
	FCMEQ(top, top, t) \
	FCMGE(v, top, u)   \
	BICV(u, t, t)      \
	BIT(t, v, top)     \
	BIT(t, p, at)

// func maxPool2Rows(r0, r1, y, argmax *float32, n int, first, width float32)
//
// Four windows at a time, n times: elements of even and odd columns of both rows are compared in the order of their
// positions. One takes the place of the largest so far where it is larger, or the first that is NaN.
TEXT ·maxPool2Rows(SB), NOSPLIT, $0-48
	MOVD    r0+0(FP), R0
	MOVD    r1+8(FP), R1
	MOVD    y+16(FP), R2
	MOVD    argmax+24(FP), R3
	MOVD    n+32(FP), R4
	MOVD    $steps<>(SB), R5
	VLD1.P  16(R5), [V16.S4]
	VLD1R.P 4(R5), [V20.S4]   // V20: -FLT_MAX
	VLD1R   (R5), [V21.S4]    // V21: -1
	TO4(first+40(FP), F17, V17)
	TO4(width+44(FP), F18, V18)
	FMOVS   $1.0, F19
	VDUP    V19.S[0], V19.S4
	FMOVS   $8.0, F22
	VDUP    V22.S[0], V22.S4
	FADD(16, 16, 16)
	FADD(16, 17, 17)          // V17: positions of the windows

windows:
	VLD2.P 32(R0), [V0.S4, V1.S4]
	VLD2.P 32(R1), [V2.S4, V3.S4]
	MOV(17, 4)                    // V0: the largest so far, V4: where it is
	FADD(19, 17, 5)
	FADD(18, 17, 6)
	FADD(19, 6, 7)
	LARGER(1, 5, 0, 4, 24, 25)
	LARGER(2, 6, 0, 4, 24, 25)
	LARGER(3, 7, 0, 4, 24, 25)
	FCMGE(0, 20, 24)              // nothing is above -FLT_MAX
	BIT(24, 20, 0)
	BIT(24, 21, 4)
	VST1.P [V0.S4], 16(R2)
	VST1.P [V4.S4], 16(R3)
	FADD(22, 17, 17)
	SUB    $1, R4
	CBNZ   R4, windows
	RET

// LARGEST has elements of v, V0, take the place of those of y, V1, where they are larger or the first NaN, and their
// positions, V4, that of argmax, V2.
#define LARGEST \
	LARGER(0, 4, 1, 2, 24, 25)

#define LARGEST4 \
	VLD1.P 16(R7), [V0.S4] \
	VLD1   (R8), [V1.S4]   \
	VLD1   (R9), [V2.S4]   \
	LARGEST                \
	VST1.P [V1.S4], 16(R8) \
	VST1.P [V2.S4], 16(R9)

// func largestRows(v, y, argmax *float32, vStride, yStride, rows, columns int, position, step, rowStep float32)
//
// rows of columns elements. Of four or more the last four may overlap the four before: an element is not larger than
// itself. Fewer are done one by one.
TEXT ·largestRows(SB), NOSPLIT, $0-68
	MOVD   v+0(FP), R0
	MOVD   y+8(FP), R1
	MOVD   argmax+16(FP), R2
	MOVD   vStride+24(FP), R3
	MOVD   yStride+32(FP), R4
	MOVD   rows+40(FP), R5
	MOVD   columns+48(FP), R6
	TO4(position+56(FP), F17, V17)
	TO4(step+60(FP), F18, V18)
	TO4(rowStep+64(FP), F19, V19)
	LSL    $2, R3
	LSL    $2, R4
	MOVD   $steps<>(SB), R7
	VLD1   (R7), [V16.S4]
	FMUL(18, 16, 16)
	FADD(16, 17, 17)          // V17: positions of the first four of a row
	FMOVS  $4.0, F20
	VDUP   V20.S[0], V20.S4
	FMUL(18, 20, 20)          // V20: from four to the next
	SUBS   $4, R6, R10        // R10: where the last four begin
	BLT    fewRow
	SCVTFS R10, F21
	VDUP   V21.S[0], V21.S4
	FMUL(18, 21, 21)          // V21: from the first to the last four

row:
	MOVD R0, R7
	MOVD R1, R8
	MOVD R2, R9
	MOV(17, 4)
	MOVD R10, R11
	CBZ  R11, last

fours:
	LARGEST4
	FADD(20, 4, 4)
	SUBS $4, R11
	BGT  fours

last:
	ADD  R10<<2, R0, R7
	ADD  R10<<2, R1, R8
	ADD  R10<<2, R2, R9
	FADD(21, 17, 4)
	LARGEST4
	FADD(19, 17, 17)
	ADD  R3, R0
	ADD  R4, R1
	ADD  R4, R2
	SUB  $1, R5
	CBNZ R5, row
	RET

fewRow:
	MOVD R0, R7
	MOVD R1, R8
	MOVD R2, R9
	MOV(17, 4)
	MOVD R6, R11

few:
	FMOVS.P 4(R7), F0
	FMOVS   (R8), F1
	FMOVS   (R9), F2
	LARGEST
	FMOVS.P F1, 4(R8)
	FMOVS.P F2, 4(R9)
	FADD(18, 4, 4)
	SUB     $1, R11
	CBNZ    R11, few
	FADD(19, 17, 17)
	ADD     R3, R0
	ADD     R4, R1
	ADD     R4, R2
	SUB     $1, R5
	CBNZ    R5, fewRow
	RET

// func addRows8(x, y *float32, xStride, yStride, rows, columns int)
//
// Rows of y += rows of x: eight, four and one of a row at a time.
TEXT ·addRows8(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD xStride+16(FP), R2
	MOVD yStride+24(FP), R3
	MOVD rows+32(FP), R4
	MOVD columns+40(FP), R5
	LSL  $2, R2
	LSL  $2, R3

addRow:
	MOVD R0, R6
	MOVD R1, R7
	SUBS $8, R5, R8
	BLT  addFour

addEight:
	VLD1.P 32(R6), [V0.S4, V1.S4]
	VLD1   (R7), [V2.S4, V3.S4]
	FADD(0, 2, 2)
	FADD(1, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R7)
	SUBS   $8, R8
	BGE    addEight

addFour:
	TBZ    $2, R5, addRest
	VLD1.P 16(R6), [V0.S4]
	VLD1   (R7), [V2.S4]
	FADD(0, 2, 2)
	VST1.P [V2.S4], 16(R7)

addRest:
	ANDS $3, R5, R8
	BEQ  addNext

addOne:
	FMOVS.P 4(R6), F0
	FMOVS   (R7), F2
	FADDS   F0, F2, F2
	FMOVS.P F2, 4(R7)
	SUB     $1, R8
	CBNZ    R8, addOne

addNext:
	ADD  R2, R0
	ADD  R3, R1
	SUB  $1, R4
	CBNZ R4, addRow
	RET

// func split8(x, even, odd *float32, n int)
//
// n times sixteen elements of x are put apart.
TEXT ·split8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD even+8(FP), R1
	MOVD odd+16(FP), R2
	MOVD n+24(FP), R3

split:
	VLD2.P 32(R0), [V0.S4, V1.S4]
	VLD2.P 32(R0), [V2.S4, V3.S4]
	VST1.P [V0.S4], 16(R1)
	VST1.P [V2.S4], 16(R1)
	VST1.P [V1.S4], 16(R2)
	VST1.P [V3.S4], 16(R2)
	SUB    $1, R3
	CBNZ   R3, split
	RET

// func join8(even, odd, x *float32, n int)
//
// n times sixteen elements are put together again.
TEXT ·join8(SB), NOSPLIT, $0-32
	MOVD even+0(FP), R1
	MOVD odd+8(FP), R2
	MOVD x+16(FP), R0
	MOVD n+24(FP), R3

join:
	VLD1.P 16(R1), [V0.S4]
	VLD1.P 16(R2), [V1.S4]
	VLD1.P 16(R1), [V2.S4]
	VLD1.P 16(R2), [V3.S4]
	VST2.P [V0.S4, V1.S4], 32(R0)
	VST2.P [V2.S4, V3.S4], 32(R0)
	SUB    $1, R3
	CBNZ   R3, join
	RET

// func maxima2Rows(r0, r1, y *float32, n int, floor float32)
//
// Four windows at a time, n times: even and odd columns of both rows. FMAX gives NaN where one is.
TEXT ·maxima2Rows(SB), NOSPLIT, $0-36
	MOVD  r0+0(FP), R0
	MOVD  r1+8(FP), R1
	MOVD  y+16(FP), R2
	MOVD  n+24(FP), R3
	FMOVS floor+32(FP), F5
	VDUP  V5.S[0], V5.S4

maxima:
	VLD2.P 32(R0), [V0.S4, V1.S4]
	VLD2.P 32(R1), [V2.S4, V3.S4]
	FMAX(1, 0, 0)
	FMAX(3, 2, 2)
	FMAX(2, 0, 0)
	FMAX(5, 0, 0)
	VST1.P [V0.S4], 16(R2)
	SUB    $1, R3
	CBNZ   R3, maxima
	RET
