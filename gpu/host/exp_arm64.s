#include "textflag.h"
#include "neon_arm64.h"
#include "exp_arm64.h"

// The polynomials are those of Cephes' expf and tanhf (Moshier, 1989), in single precision. The registers are those
// that EXPCONSTANTS puts them in.
DATA ·expConstants+0(SB)/4, $0xc2aeac50 // V16: -87.33655, whose power is the least that is normal
DATA ·expConstants+4(SB)/4, $0x42b0c0a5 // V17: 88.37626
DATA ·expConstants+8(SB)/4, $0x3fb8aa3b // V18: log2 e
DATA ·expConstants+12(SB)/4, $0x3f318000 // V19: ln 2, its upper part
DATA ·expConstants+16(SB)/4, $0xb95e8083 // V20: and the rest
DATA ·expConstants+20(SB)/4, $0x39506967 // V23: 1.9875691500e-4
DATA ·expConstants+24(SB)/4, $0x3ab743ce // V24: 1.3981999507e-3
DATA ·expConstants+28(SB)/4, $0x3c088908 // V25: 8.3334519073e-3
DATA ·expConstants+32(SB)/4, $0x3d2aa9c1 // V26: 4.1665795894e-2
DATA ·expConstants+36(SB)/4, $0x3e2aaaaa // V27: 1.6666665459e-1
DATA ·expConstants+40(SB)/4, $0x3f000000 // V28: 5.0000001201e-1
DATA ·expConstants+44(SB)/4, $0x3f800000 // V21: 1
DATA ·expConstants+48(SB)/4, $127 // V22
DATA ·expConstants+52(SB)/4, $0x80000000 // V31: the sign
DATA ·expConstants+56(SB)/4, $0xbbbaf0ea // V29: -5.70498872745e-3
DATA ·expConstants+60(SB)/4, $0x3ca9134e // 2.06390887954e-2
DATA ·expConstants+64(SB)/4, $0xbd5c1e2d // -5.37397155531e-2
DATA ·expConstants+68(SB)/4, $0x3e088393 // 1.33314422036e-1
DATA ·expConstants+72(SB)/4, $0xbeaaaa99 // V30: -3.33332819422e-1
DATA ·expConstants+76(SB)/4, $0x3f200000 // 0.625
DATA ·expConstants+80(SB)/8, $0
GLOBL ·expConstants(SB), RODATA|NOPTR, $88

// func exp8(x, y *float32, n int, top float32)
//
// y = e^(x - top), of n times eight elements, four at a time.
TEXT ·exp8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	LSL  $1, R2
	TO4(top+24(FP), F15, V15)
	EXPCONSTANTS

expOne:
	VLD1.P 16(R0), [V0.S4]
	FSUB(15, 0, 0)
	EXP(0, 1, 2, 3)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, expOne
	RET

// func sigmoid8(x, y *float32, n int)
//
// y = 1/(1 + e^-x), of n times eight elements.
TEXT ·sigmoid8(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	LSL  $1, R2
	EXPCONSTANTS

sigmoidOne:
	VLD1.P 16(R0), [V0.S4]
	SIGMOID(0, 1, 2, 3)
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, sigmoidOne
	RET

// func tanh8(x, y *float32, n int)
//
// y = tanh x, of n times eight elements.
TEXT ·tanh8(SB), NOSPLIT, $0-24
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	LSL  $1, R2
	EXPCONSTANTS

tanhOne:
	VLD1.P 16(R0), [V4.S4]
	TANH
	VST1.P [V0.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, tanhOne
	RET

// func largest8(x *float32, n int) float32
//
// The largest of n times eight elements.
TEXT ·largest8(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	VLD1 (R0), [V0.S4, V1.S4]

largestOne:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	FMAX(2, 0, 0)
	FMAX(3, 1, 1)
	SUB    $1, R1
	CBNZ   R1, largestOne
	FMAX(1, 0, 0)
	FMAXV(0, 0)
	FMOVS  F0, ret+16(FP)
	RET

// func cellForward8(x *forwardOperands, n int)
//
// i, f, o and g become sigmoids of themselves, g its tanh; c = f·before + i·g and h = o·tanh c, each operation rounded,
// of n times eight cells, four at a time.
TEXT ·cellForward8(SB), NOSPLIT, $0-16
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	LSL  $1, R1
	MOVD 0(R0), R2   // i
	MOVD 8(R0), R3   // f
	MOVD 16(R0), R4  // o
	MOVD 24(R0), R5  // g
	MOVD 32(R0), R6  // before
	MOVD 40(R0), R7  // c
	MOVD 48(R0), R9  // h
	EXPCONSTANTS

cellForwardOne:
	VLD1   (R2), [V8.S4]
	SIGMOID(8, 1, 2, 3)
	VST1.P [V8.S4], 16(R2)
	VLD1   (R3), [V9.S4]
	SIGMOID(9, 1, 2, 3)
	VST1.P [V9.S4], 16(R3)
	VLD1   (R4), [V10.S4]
	SIGMOID(10, 1, 2, 3)
	VST1.P [V10.S4], 16(R4)
	VLD1   (R5), [V4.S4]
	TANH
	VST1.P [V0.S4], 16(R5)
	VLD1.P 16(R6), [V4.S4]
	FMUL(8, 0, 0)
	FMUL(9, 4, 4)
	FADD(0, 4, 4)
	VST1.P [V4.S4], 16(R7)
	TANH
	FMUL(10, 0, 0)
	VST1.P [V0.S4], 16(R9)
	SUB    $1, R1
	CBNZ   R1, cellForwardOne
	RET

// OPERAND reads four of an array of a cell, whose pointer is at an offset, WRITTEN writes them. R2 is how far in.
#define OPERAND(offset, v) \
	MOVD offset(R0), R3 \
	ADD  R2, R3         \
	VLD1 (R3), [v.S4]

#define WRITTEN(v, offset) \
	MOVD offset(R0), R3 \
	ADD  R2, R3         \
	VST1 [v.S4], (R3)

// func cell8(x *cellOperands, n int)
//
// With dc + dh·o·(1 - t²) for dc: dbefore = dc·f, and the gradients of the gates' inputs dc·g·i·(1 - i),
// dc·before·f·(1 - f), dh·t·o·(1 - o) and dc·i·(1 - g²), each operation rounded, of n times eight cells, four at a
// time.
TEXT ·cell8(SB), NOSPLIT, $0-16
	MOVD  x+0(FP), R0
	MOVD  n+8(FP), R1
	LSL   $1, R1
	MOVD  $0, R2
	FMOVS $1.0, F15
	VDUP  V15.S[0], V15.S4

cellOne:
	OPERAND(0, V0)  // i
	OPERAND(8, V1)  // f
	OPERAND(16, V2) // o
	OPERAND(24, V3) // g
	OPERAND(32, V4) // t
	OPERAND(40, V5) // dh
	OPERAND(48, V6) // dc
	OPERAND(56, V7) // before

	FMUL(2, 5, 8)
	FMUL(4, 4, 9)
	FSUB(9, 15, 9)
	FMUL(9, 8, 8)
	FADD(8, 6, 6)

	FMUL(1, 6, 8)
	WRITTEN(V8, 64)

	FMUL(3, 6, 8)
	FMUL(0, 8, 8)
	FSUB(0, 15, 9)
	FMUL(9, 8, 8)
	WRITTEN(V8, 72)

	FMUL(7, 6, 8)
	FMUL(1, 8, 8)
	FSUB(1, 15, 9)
	FMUL(9, 8, 8)
	WRITTEN(V8, 80)

	FMUL(4, 5, 8)
	FMUL(2, 8, 8)
	FSUB(2, 15, 9)
	FMUL(9, 8, 8)
	WRITTEN(V8, 88)

	FMUL(0, 6, 8)
	FMUL(3, 3, 9)
	FSUB(9, 15, 9)
	FMUL(9, 8, 8)
	WRITTEN(V8, 96)

	ADD  $16, R2
	SUB  $1, R1
	CBNZ R1, cellOne
	RET
