#include "textflag.h"

// Go's assembler has no names for additions, products and maxima of vectors of floats: they are words here, each with
// its name in Arm's manual (C7.2, FADD, FMUL, FMAX (vector)) beside it.

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
	WORD $0x6e30de94 // FMUL V20.4S, V20.4S, V16.4S
	WORD $0x6e30deb5 // FMUL V21.4S, V21.4S, V16.4S
	WORD $0x6e30ded6 // FMUL V22.4S, V22.4S, V16.4S
	WORD $0x6e30def7 // FMUL V23.4S, V23.4S, V16.4S
	WORD $0x6e30df18 // FMUL V24.4S, V24.4S, V16.4S
	WORD $0x6e30df39 // FMUL V25.4S, V25.4S, V16.4S
	WORD $0x6e30df5a // FMUL V26.4S, V26.4S, V16.4S
	WORD $0x6e30df7b // FMUL V27.4S, V27.4S, V16.4S
	WORD $0x4e34d400 // FADD V0.4S, V0.4S, V20.4S
	WORD $0x4e35d421 // FADD V1.4S, V1.4S, V21.4S
	WORD $0x4e36d442 // FADD V2.4S, V2.4S, V22.4S
	WORD $0x4e37d463 // FADD V3.4S, V3.4S, V23.4S
	WORD $0x4e38d484 // FADD V4.4S, V4.4S, V24.4S
	WORD $0x4e39d4a5 // FADD V5.4S, V5.4S, V25.4S
	WORD $0x4e3ad4c6 // FADD V6.4S, V6.4S, V26.4S
	WORD $0x4e3bd4e7 // FADD V7.4S, V7.4S, V27.4S
	ADD   $8, R5
	SUB   $1, R6
	CBNZ  R6, loop32

end32:
	WORD $0x4e31d400 // FADD V0.4S, V0.4S, V17.4S
	WORD $0x4e31d421 // FADD V1.4S, V1.4S, V17.4S
	WORD $0x4e31d442 // FADD V2.4S, V2.4S, V17.4S
	WORD $0x4e31d463 // FADD V3.4S, V3.4S, V17.4S
	WORD $0x4e31d484 // FADD V4.4S, V4.4S, V17.4S
	WORD $0x4e31d4a5 // FADD V5.4S, V5.4S, V17.4S
	WORD $0x4e31d4c6 // FADD V6.4S, V6.4S, V17.4S
	WORD $0x4e31d4e7 // FADD V7.4S, V7.4S, V17.4S
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
	WORD $0x6e30de94 // FMUL V20.4S, V20.4S, V16.4S
	WORD $0x4e34d400 // FADD V0.4S, V0.4S, V20.4S
	ADD   $8, R5
	SUB   $1, R6
	CBNZ  R6, loop4

end4:
	WORD $0x4e31d400 // FADD V0.4S, V0.4S, V17.4S
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
	WORD $0x4e22f400 // FMAX V0.4S, V0.4S, V2.4S
	WORD $0x4e22f421 // FMAX V1.4S, V1.4S, V2.4S
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
	WORD $0x4e20d442 // FADD V2.4S, V2.4S, V0.4S
	WORD $0x4e21d463 // FADD V3.4S, V3.4S, V1.4S
	VST1.P [V2.S4, V3.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, add
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
	WORD $0x4e21f400 // FMAX V0.4S, V0.4S, V1.4S
	WORD $0x4e23f442 // FMAX V2.4S, V2.4S, V3.4S
	WORD $0x4e22f400 // FMAX V0.4S, V0.4S, V2.4S
	WORD $0x4e25f400 // FMAX V0.4S, V0.4S, V5.4S
	VST1.P [V0.S4], 16(R2)
	SUB  $1, R3
	CBNZ R3, maxima
	RET
