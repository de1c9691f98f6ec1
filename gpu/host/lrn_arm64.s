#include "textflag.h"
#include "neon_arm64.h"

// func squares8(x, y *float32, n int, f float32)
//
// y += f·x·x, each rounded, of n times eight elements.
TEXT ·squares8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(f+24(FP), F16, V16)

squares:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1   (R1), [V2.S4, V3.S4]
	FMUL(16, 0, 4)
	FMUL(16, 1, 5)
	FMUL(0, 4, 4)
	FMUL(1, 5, 5)
	FADD(4, 2, 2)
	FADD(5, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R1)
	SUB    $1, R2
	CBNZ   R2, squares
	RET

// func ratios8(x, y, z, sum *float32, n int)
//
// sum += x·y/z, each rounded, of n times eight elements.
TEXT ·ratios8(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD z+16(FP), R2
	MOVD sum+24(FP), R3
	MOVD n+32(FP), R4

ratios:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	VLD1.P 32(R2), [V4.S4, V5.S4]
	VLD1   (R3), [V6.S4, V7.S4]
	FMUL(2, 0, 0)
	FMUL(3, 1, 1)
	FDIV(4, 0, 0)
	FDIV(5, 1, 1)
	FADD(0, 6, 6)
	FADD(1, 7, 7)
	VST1.P [V6.S4, V7.S4], 32(R3)
	SUB    $1, R4
	CBNZ   R4, ratios
	RET

// ONE4 has ones in V20.
#define ONE4 \
	FMOVS $1.0, F20        \
	VDUP  V20.S[0], V20.S4

// POWER makes of s, which is above 0, s^-0.75 in p: the reciprocal of its root times the root of that.
#define POWER(s, p, t) \
	FSQRT(s, t)    \
	FSQRT(t, p)    \
	FMUL(p, t, p)  \
	FDIV(p, 20, p)

// func power8(x, y *float32, n int, scale, shift float32, more int) (done int)
//
// y = (shift + scale·x)^-0.75, or with more ^-1.75, of n times eight elements, by square roots, as pow has them; up to
// the first eight of which one is not above 0.
TEXT ·power8(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(scale+24(FP), F16, V16)
	TO4(shift+28(FP), F17, V17)
	MOVD more+32(FP), R3
	MOVD $0, R4
	VEOR V18.B16, V18.B16, V18.B16
	ONE4
	CBZ  R2, powered

power:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FADD(17, 0, 0)
	FADD(17, 1, 1)
	FCMGT(18, 0, 2)
	FCMGT(18, 1, 3)
	ANDV(3, 2, 2)
	ALL(2, powered)
	POWER(0, 2, 4)
	POWER(1, 3, 5)
	CBZ    R3, less
	FDIV(0, 2, 2)
	FDIV(1, 3, 3)

less:
	VST1.P [V2.S4, V3.S4], 32(R1)
	ADD    $1, R4
	CMP    R2, R4
	BLT    power

powered:
	MOVD R4, done+40(FP)
	RET

// func normalizeWithin8(x, s, y *float32, n int, f float32)
//
// s = 1 + f·s, y = x·s^-0.75, each operation rounded, of n times eight elements.
TEXT ·normalizeWithin8(SB), NOSPLIT, $0-36
	MOVD x+0(FP), R0
	MOVD s+8(FP), R1
	MOVD y+16(FP), R2
	MOVD n+24(FP), R3
	TO4(f+32(FP), F16, V16)
	ONE4

within:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1   (R1), [V2.S4, V3.S4]
	FMUL(16, 2, 2)
	FMUL(16, 3, 3)
	FADD(20, 2, 2)
	FADD(20, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R1)
	POWER(2, 4, 6)
	POWER(3, 5, 7)
	FMUL(0, 4, 4)
	FMUL(1, 5, 5)
	VST1.P [V4.S4, V5.S4], 32(R2)
	SUB    $1, R3
	CBNZ   R3, within
	RET

// func withinGradients8(x, s, dy, dx, t *float32, n int)
//
// dx = dy·s^-0.75, t = dx·x/s, each operation rounded, of n times eight elements.
TEXT ·withinGradients8(SB), NOSPLIT, $0-48
	MOVD x+0(FP), R0
	MOVD s+8(FP), R1
	MOVD dy+16(FP), R2
	MOVD dx+24(FP), R3
	MOVD t+32(FP), R4
	MOVD n+40(FP), R5
	ONE4

withinBack:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	VLD1.P 32(R2), [V8.S4, V9.S4]
	POWER(2, 4, 6)
	POWER(3, 5, 7)
	FMUL(8, 4, 4)
	FMUL(9, 5, 5)
	VST1.P [V4.S4, V5.S4], 32(R3)
	FMUL(0, 4, 4)
	FMUL(1, 5, 5)
	FDIV(2, 4, 4)
	FDIV(3, 5, 5)
	VST1.P [V4.S4, V5.S4], 32(R4)
	SUB    $1, R5
	CBNZ   R5, withinBack
	RET

// func subtractProducts8(x, y, z *float32, n int, f float32)
//
// z -= f·x·y, each rounded, of n times eight elements.
TEXT ·subtractProducts8(SB), NOSPLIT, $0-36
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD z+16(FP), R2
	MOVD n+24(FP), R3
	TO4(f+32(FP), F16, V16)

subtract:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	VLD1   (R2), [V4.S4, V5.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FMUL(2, 0, 0)
	FMUL(3, 1, 1)
	FSUB(0, 4, 4)
	FSUB(1, 5, 5)
	VST1.P [V4.S4, V5.S4], 32(R2)
	SUB    $1, R3
	CBNZ   R3, subtract
	RET

// func sumShifted8(x *float32, n, step, count int)
//
// x[i] = x[i] + x[i+step] + … of count elements, of n times eight elements; step is in bytes.
TEXT ·sumShifted8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	MOVD step+16(FP), R2
	MOVD count+24(FP), R3

shifted:
	VLD1 (R0), [V0.S4, V1.S4]
	MOVD R0, R4
	SUBS $1, R3, R5
	BLE  shiftedOne

shift:
	ADD  R2, R4
	VLD1 (R4), [V2.S4, V3.S4]
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	SUBS $1, R5
	BGT  shift

shiftedOne:
	VST1.P [V0.S4, V1.S4], 32(R0)
	SUB    $1, R1
	CBNZ   R1, shifted
	RET
