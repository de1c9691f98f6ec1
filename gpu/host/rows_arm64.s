#include "textflag.h"
#include "neon_arm64.h"

// FOUR reads the inputs of four weights, by the next indices from R1 on.
#define FOUR(v) \
	MOVHU.P 2(R1), R6     \
	MOVHU.P 2(R1), R7     \
	MOVHU.P 2(R1), R8     \
	MOVHU.P 2(R1), R9     \
	ADD     R6<<2, R3, R6 \
	ADD     R7<<2, R3, R7 \
	ADD     R8<<2, R3, R8 \
	ADD     R9<<2, R3, R9 \
	VLD1    (R6), v.S[0]  \
	VLD1    (R7), v.S[1]  \
	VLD1    (R8), v.S[2]  \
	VLD1    (R9), v.S[3]

// EIGHT adds the products of the next eight weights to the sums in s and the register behind it.
#define EIGHT(s) \
	FOUR(V4)                      \
	FOUR(V5)                      \
	VLD1.P 32(R2), [V6.S4, V7.S4] \
	FMUL(6, 4, 4)                 \
	FMUL(7, 5, 5)                 \
	FADD(4, s, s)                 \
	FADD(5, s+1, s+1)

// func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)
//
// y[i] = the sum of values[j]·x[inputs[j]] over j from starts[i] to starts[i+1], as gatherDot makes it.
TEXT ·rows(SB), NOSPLIT, $0-48
	MOVD    starts+0(FP), R0
	MOVD    n+8(FP), R10
	MOVD    inputs+16(FP), R1
	MOVD    values+24(FP), R2
	MOVD    x+32(FP), R3
	MOVD    y+40(FP), R4
	MOVWU.P 4(R0), R11
	ADD     R11<<1, R1
	ADD     R11<<2, R2

row:
	MOVWU.P 4(R0), R12
	SUB     R11, R12, R5           // R5: the row's weights
	MOVD    R12, R11
	VEOR    V0.B16, V0.B16, V0.B16
	CBZ     R5, store
	VEOR    V1.B16, V1.B16, V1.B16
	VEOR    V2.B16, V2.B16, V2.B16
	VEOR    V3.B16, V3.B16, V3.B16
	VEOR    V8.B16, V8.B16, V8.B16
	SUBS    $16, R5
	BLT     eight

sixteen:
	EIGHT(0)
	EIGHT(2)
	SUBS $16, R5
	BGE  sixteen

eight:
	TBZ $3, R5, rest
	EIGHT(0)

rest:
	ANDS $7, R5
	BEQ  sum

one:
	MOVHU.P 2(R1), R6
	ADD     R6<<2, R3, R6
	FMOVS   (R6), F4
	FMOVS.P 4(R2), F6
	FMULS   F6, F4, F4
	FADDS   F4, F8, F8
	SUB     $1, R5
	CBNZ    R5, one

sum:
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	LANES(0, 1, V0)
	FADDS F8, F0, F0

store:
	FMOVS.P F0, 4(R4)
	SUB     $1, R10
	CBNZ    R10, row
	RET
