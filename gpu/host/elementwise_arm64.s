#include "textflag.h"
#include "neon_arm64.h"

// func combineNEON(terms *term, n int, x, y *float32, length int, last float32)
//
// y[i] = the sum of weight·x[at+i] over n terms, and of last, for length elements, a multiple of 4. Sums are in
// registers, of 32 elements, then of 4.
TEXT ·combineNEON(SB), NOSPLIT, $0-44
	MOVD  terms+0(FP), R0
	MOVD  n+8(FP), R1
	MOVD  x+16(FP), R2
	MOVD  y+24(FP), R3
	MOVD  length+32(FP), R4
	FMOVS last+40(FP), F17
	VDUP  V17.S[0], V17.S4 // V17: last

blocks32:
	CMP $32, R4
	BLT blocks4
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V2.B16, V2.B16, V2.B16
	VEOR V3.B16, V3.B16, V3.B16
	VEOR V4.B16, V4.B16, V4.B16
	VEOR V5.B16, V5.B16, V5.B16
	VEOR V6.B16, V6.B16, V6.B16
	VEOR V7.B16, V7.B16, V7.B16
	MOVD R0, R5
	MOVD R1, R6
	CBZ  R6, end32

loop32:
	MOVW  (R5), R7
	ADD   $4, R5, R8
	VLD1R (R8), [V16.S4] // V16: the weight
	ADD   R7<<2, R2, R8
	VLD1.P 64(R8), [V20.S4, V21.S4, V22.S4, V23.S4]
	VLD1   (R8), [V24.S4, V25.S4, V26.S4, V27.S4]
	FMUL(16, 20, 20)
	FMUL(16, 21, 21)
	FMUL(16, 22, 22)
	FMUL(16, 23, 23)
	FMUL(16, 24, 24)
	FMUL(16, 25, 25)
	FMUL(16, 26, 26)
	FMUL(16, 27, 27)
	FADD(20, 0, 0)
	FADD(21, 1, 1)
	FADD(22, 2, 2)
	FADD(23, 3, 3)
	FADD(24, 4, 4)
	FADD(25, 5, 5)
	FADD(26, 6, 6)
	FADD(27, 7, 7)
	ADD   $8, R5
	SUB   $1, R6
	CBNZ  R6, loop32

end32:
	FADD(17, 0, 0)
	FADD(17, 1, 1)
	FADD(17, 2, 2)
	FADD(17, 3, 3)
	FADD(17, 4, 4)
	FADD(17, 5, 5)
	FADD(17, 6, 6)
	FADD(17, 7, 7)
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R3)
	VST1.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R3)
	ADD    $128, R2
	SUB    $32, R4
	B      blocks32

blocks4:
	CMP  $4, R4
	BLT  done
	VEOR V0.B16, V0.B16, V0.B16
	MOVD R0, R5
	MOVD R1, R6
	CBZ  R6, end4

loop4:
	MOVW  (R5), R7
	ADD   $4, R5, R8
	VLD1R (R8), [V16.S4]
	ADD   R7<<2, R2, R8
	VLD1  (R8), [V20.S4]
	FMUL(16, 20, 20)
	FADD(20, 0, 0)
	ADD   $8, R5
	SUB   $1, R6
	CBNZ  R6, loop4

end4:
	FADD(17, 0, 0)
	VST1.P [V0.S4], 16(R3)
	ADD    $16, R2
	SUB    $4, R4
	B      blocks4

done:
	RET

// func relu8(x, y *float32, n int)
//
// y = max(x, 0) of n times eight elements.
TEXT ·relu8(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V2.B16, V2.B16, V2.B16

relu:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FMAX(2, 0, 0)
	FMAX(2, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, relu
	RET

// func add8(x, y *float32, n int)
//
// y = y + x of n times eight elements.
TEXT ·add8(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2

add:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1   (R1), [V2.S4, V3.S4]
	FADD(0, 2, 2)
	FADD(1, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, add
	RET

// func mul8(x, y, z *float32, n int)
//
// z = x·y of n times eight elements.
TEXT ·mul8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD z+16(FP), R2
	MOVD n+24(FP), R3

mul:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FMUL(2, 0, 0)
	FMUL(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, mul
	RET

// func axpby8(x, y *float32, n int, a, b float32)
//
// y = a·x + b·y of n times eight elements; y is not read where b is 0.
TEXT ·axpby8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(a+24(FP), F16, V16)
	TO4(b+28(FP), F17, V17)
	FCMPS $(0.0), F17
	BEQ   scale

both:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1   (R1), [V2.S4, V3.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FMUL(17, 2, 2)
	FMUL(17, 3, 3)
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, both
	RET

scale:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, scale
	RET

// func weighted8(x, y, z *float32, n int, a, b float32)
//
// z = a·x + b·y, each rounded, of n times eight elements.
TEXT ·weighted8(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD z+16(FP), R2
	MOVD n+24(FP), R3
	TO4(a+32(FP), F16, V16)
	TO4(b+36(FP), F17, V17)

weighted:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FMUL(17, 2, 2)
	FMUL(17, 3, 3)
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, weighted
	RET

// func reluBackward8(x, dy, dx *float32, n int, slope float32)
//
// dx = dy where x is above 0, else slope·dy, of n times eight elements.
TEXT ·reluBackward8(SB), NOSPLIT, $0-36
	MOVD x+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD dx+16(FP), R2
	MOVD n+24(FP), R3
	TO4(slope+32(FP), F16, V16)
	VEOR V17.B16, V17.B16, V17.B16

reluBack:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FCMGT(17, 0, 0)
	FCMGT(17, 1, 1)
	FMUL(16, 2, 4)
	FMUL(16, 3, 5)
	VBIT V0.B16, V2.B16, V4.B16
	VBIT V1.B16, V3.B16, V5.B16
	VST1.P [V4.S4, V5.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, reluBack
	RET

// func divide8(x, y, z *float32, n int)
//
// z = x/y of n times eight elements.
TEXT ·divide8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD z+16(FP), R2
	MOVD n+24(FP), R3

divide:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FDIV(2, 0, 0)
	FDIV(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, divide
	RET

// func leaky8(x, y *float32, n int, slope float32)
//
// y = max(x, 0) + slope·min(x, 0), each rounded, of n times eight elements.
TEXT ·leaky8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(slope+24(FP), F16, V16)
	VEOR V17.B16, V17.B16, V17.B16

leaky:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FMAX(17, 0, 2)
	FMAX(17, 1, 3)
	FMIN(17, 0, 0)
	FMIN(17, 1, 1)
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FADD(0, 2, 2)
	FADD(1, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, leaky
	RET

// func dotBelow8(x, y *float32, n int) float32
//
// Σ x·y where x is not above 0, of n times eight elements, in eight lanes.
TEXT ·dotBelow8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V0.B16, V0.B16, V0.B16
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V17.B16, V17.B16, V17.B16

dotBelow:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VLD1.P 32(R1), [V4.S4, V5.S4]
	FCMGT(17, 2, 6)
	FCMGT(17, 3, 7)
	FMUL(4, 2, 2)
	FMUL(5, 3, 3)
	BICV(6, 2, 2)
	BICV(7, 3, 3)
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	SUB  $1, R2
	CBNZ R2, dotBelow
	LANES(0, 1, V0)
	FMOVS F0, ret+24(FP)
	RET
