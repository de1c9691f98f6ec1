#include "textflag.h"
#include "neon_arm64.h"

// The numbers of a step, stepNumbers, in registers; each lies eight times in memory, of which four are read.
#define S_scale 16
#define S_theta 17
#define S_decay 18
#define S_l1 19
#define S_rest 20
#define S_stay 21
#define S_rate 22
#define S_m 23
#define S_m1 24
#define S_plus 25
#define S_d2 26
#define S_d21 27
#define S_delta 28
#define S_corrected 29
#define S_sign 30

// The arrays of a step, stepArrays, by their offsets.
#define A_w 0
#define A_grad 8
#define A_history 16
#define A_second 24
#define A_masked 32

// ARRAYS begins a step of n times eight weights, four at a time. V31 has zeros.
#define ARRAYS \
	MOVD a+0(FP), R6               \
	MOVD n+8(FP), R5               \
	MOVD u+16(FP), R7              \
	LSL  $1, R5                    \
	MOVD A_w(R6), R0               \
	MOVD A_grad(R6), R1            \
	MOVD A_history(R6), R2         \
	MOVD A_second(R6), R3          \
	MOVD A_masked(R6), R4          \
	LOAD(0, 7, 16)                 \
	LOAD(32, 7, 17)                \
	LOAD(64, 7, 18)                \
	LOAD(96, 7, 19)                \
	LOAD(128, 7, 20)               \
	LOAD(160, 7, 21)               \
	LOAD(192, 7, 22)               \
	LOAD(224, 7, 23)               \
	LOAD(256, 7, 24)               \
	LOAD(288, 7, 25)               \
	LOAD(320, 7, 26)               \
	LOAD(352, 7, 27)               \
	LOAD(384, 7, 28)               \
	LOAD(416, 7, 29)               \
	LOAD(448, 7, 30)               \
	VEOR V31.B16, V31.B16, V31.B16

// GRADIENT is of four weights, V0: V1 is scale·grad, with theta where pruned, and the regulariser's. V2 is history, V7
// where pruned weights rest. Without a mask R4 is the weights, whose theta is the scale, and none rests.
#define GRADIENT \
	VLD1.P 16(R4), [V7.S4]      \
	VLD1   (R0), [V0.S4]        \
	VLD1   (R1), [V3.S4]        \
	VLD1   (R2), [V2.S4]        \
	VCMEQ  V30.S4, V7.S4, V7.S4 \
	MOV(S_scale, 1)             \
	BIT(7, S_theta, 1)          \
	FMUL(3, 1, 1)               \
	FMUL(S_decay, 0, 3)         \
	FABS(0, 4)                  \
	FCMGT(31, 4, 4)             \
	ANDV(S_sign, 0, 5)          \
	EORV(S_decay, 5, 5)         \
	ANDV(5, 4, 4)               \
	BIT(S_l1, 4, 3)             \
	FADD(3, 1, 1)               \
	ANDV(S_rest, 7, 7)

// HISTORY writes a history, but what rests.
#define HISTORY(old, new, v, to) \
	BIT(7, old, new)      \
	VST1.P [v.S4], 16(to)

// STEP takes the step, V1, off the weights, and goes on where there are more.
#define STEP(loop) \
	FSUB(1, 0, 3)          \
	BIT(7, 0, 3)           \
	VST1.P [V3.S4], 16(R0) \
	ANDV(S_stay, 1, 1)     \
	BICV(7, 1, 1)          \
	VST1.P [V1.S4], 16(R1) \
	SUB    $1, R5          \
	CBNZ   R5, loop

// func stepSGD8(a *stepArrays, n int, u *stepNumbers)
//
// history = rate·g + m·history, which is the step. All these are of n times eight, each operation rounded.
TEXT ·stepSGD8(SB), NOSPLIT, $0-24
	ARRAYS

sgd:
	GRADIENT
	FMUL(S_rate, 1, 1)
	FMUL(S_m, 2, 3)
	FADD(3, 1, 1)
	MOV(1, 3)
	HISTORY(2, 3, V3, R2)
	STEP(sgd)
	RET

// func stepNesterov8(a *stepArrays, n int, u *stepNumbers)
//
// history = rate·g + m·before; the step is (1 + m)·history - m·before.
TEXT ·stepNesterov8(SB), NOSPLIT, $0-24
	ARRAYS

nesterov:
	GRADIENT
	FMUL(S_rate, 1, 1)
	FMUL(S_m, 2, 4)
	FADD(4, 1, 3)
	FMUL(S_plus, 3, 1)
	FSUB(4, 1, 1)
	HISTORY(2, 3, V3, R2)
	STEP(nesterov)
	RET

// ADAPTED makes of g the step rate·g/(√history + delta), of the history in V3.
#define ADAPTED \
	FSQRT(3, 4)         \
	FADD(S_delta, 4, 4) \
	FMUL(S_rate, 1, 1)  \
	FDIV(4, 1, 1)

// func stepAdaGrad8(a *stepArrays, n int, u *stepNumbers)
//
// history += g²; the step is rate·g/(√history + delta).
TEXT ·stepAdaGrad8(SB), NOSPLIT, $0-24
	ARRAYS

adaGrad:
	GRADIENT
	FMUL(1, 1, 3)
	FADD(3, 2, 3)
	ADAPTED
	HISTORY(2, 3, V3, R2)
	STEP(adaGrad)
	RET

// func stepRMSProp8(a *stepArrays, n int, u *stepNumbers)
//
// history = d2·history + (1 - d2)·g²; the step is rate·g/(√history + delta).
TEXT ·stepRMSProp8(SB), NOSPLIT, $0-24
	ARRAYS

rmsProp:
	GRADIENT
	FMUL(S_d21, 1, 3)
	FMUL(1, 3, 3)
	FMUL(S_d2, 2, 4)
	FADD(3, 4, 3)
	ADAPTED
	HISTORY(2, 3, V3, R2)
	STEP(rmsProp)
	RET

// func stepAdaDelta8(a *stepArrays, n int, u *stepNumbers)
//
// history = m·history + (1 - m)·g², d = g·√((second + delta)/(history + delta)), second = m·second + (1 - m)·d²; the
// step is rate·d.
TEXT ·stepAdaDelta8(SB), NOSPLIT, $0-24
	ARRAYS

adaDelta:
	GRADIENT
	FMUL(S_m1, 1, 3)
	FMUL(1, 3, 3)
	FMUL(S_m, 2, 4)
	FADD(3, 4, 3)
	VLD1 (R3), [V5.S4]
	FADD(S_delta, 5, 4)
	FADD(S_delta, 3, 6)
	FDIV(6, 4, 4)
	FSQRT(4, 4)
	FMUL(4, 1, 1)
	HISTORY(2, 3, V3, R2)
	FMUL(S_m1, 1, 4)
	FMUL(1, 4, 4)
	FMUL(S_m, 5, 6)
	FADD(4, 6, 4)
	HISTORY(5, 4, V4, R3)
	FMUL(S_rate, 1, 1)
	STEP(adaDelta)
	RET

// func stepAdam8(a *stepArrays, n int, u *stepNumbers)
//
// history = m·history + (1 - m)·g, second = d2·second + (1 - d2)·g²; the step is
// rate·correction·history/(√second + delta).
TEXT ·stepAdam8(SB), NOSPLIT, $0-24
	ARRAYS

adam:
	GRADIENT
	FMUL(S_m1, 1, 3)
	FMUL(S_m, 2, 4)
	FADD(3, 4, 3)
	VLD1 (R3), [V5.S4]
	FMUL(S_d21, 1, 4)
	FMUL(1, 4, 4)
	FMUL(S_d2, 5, 6)
	FADD(4, 6, 4)
	FSQRT(4, 6)
	FADD(S_delta, 6, 6)
	FMUL(S_corrected, 3, 1)
	FDIV(6, 1, 1)
	HISTORY(2, 3, V3, R2)
	HISTORY(5, 4, V4, R3)
	STEP(adam)
	RET
