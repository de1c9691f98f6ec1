#include "textflag.h"

// The numbers of a step, stepNumbers, eight times each, by their offsets.
#define S_scale 0
#define S_theta 32
#define S_decay 64
#define S_l1 96
#define S_rest 128
#define S_stay 160
#define S_rate 192
#define S_m 224
#define S_m1 256
#define S_plus 288
#define S_d2 320
#define S_d21 352
#define S_delta 384
#define S_corrected 416
#define S_sign 448

// The arrays of a step, stepArrays, by their offsets.
#define A_w 0
#define A_grad 8
#define A_history 16
#define A_second 24
#define A_masked 32

#define ARRAYS \
	MOVQ   a+0(FP), DI          \
	MOVQ   n+8(FP), CX          \
	MOVQ   u+16(FP), BX         \
	MOVQ   A_w(DI), SI          \
	MOVQ   A_grad(DI), DX       \
	MOVQ   A_history(DI), R8    \
	MOVQ   A_second(DI), R9     \
	MOVQ   A_masked(DI), R10    \
	XORQ   AX, AX               \
	VMOVUPS S_sign(BX), Y13     \
	VXORPS Y14, Y14, Y14

// GRADIENT is of eight weights, Y0: Y1 is scale·grad, with theta where pruned, and the regulariser's. Y2 is history, Y7
// where pruned weights rest. Without a mask R10 is the weights, of which S_theta is S_scale and S_rest none.
#define GRADIENT \
	VMOVUPS   (SI)(AX*1), Y0      \
	VPCMPEQD  (R10)(AX*1), Y13, Y7 \
	VMOVUPS   S_scale(BX), Y1     \
	VBLENDVPS Y7, S_theta(BX), Y1, Y1 \
	VMULPS    (DX)(AX*1), Y1, Y1  \
	VMULPS    S_decay(BX), Y0, Y3 \
	VCMPPS    $12, Y14, Y0, Y4    \
	VANDPS    Y13, Y0, Y5         \
	VXORPS    S_decay(BX), Y5, Y5 \
	VANDPS    Y5, Y4, Y4          \
	VMOVUPS   S_l1(BX), Y5        \
	VBLENDVPS Y5, Y4, Y3, Y3      \
	VADDPS    Y3, Y1, Y1          \
	VMOVUPS   (R8)(AX*1), Y2      \
	VANDPS    S_rest(BX), Y7, Y7

// HISTORY writes a history, but what rests.
#define HISTORY(old, new, to) \
	VBLENDVPS Y7, old, new, new \
	VMOVUPS   new, (to)(AX*1)

// STEP takes the step, Y1, off the weights.
#define STEP \
	VSUBPS    Y1, Y0, Y3         \
	VBLENDVPS Y7, Y0, Y3, Y3     \
	VMOVUPS   Y3, (SI)(AX*1)     \
	VANDPS    S_stay(BX), Y1, Y1 \
	VANDNPS   Y1, Y7, Y1         \
	VMOVUPS   Y1, (DX)(AX*1)     \
	ADDQ      $32, AX            \
	DECQ      CX

// func stepSGD8(a *stepArrays, n int, u *stepNumbers)
//
// history = rate·g + m·history, which is the step. All these are of n vectors of eight, each operation rounded.
TEXT ·stepSGD8(SB), NOSPLIT, $0-24
	ARRAYS

sgd:
	GRADIENT
	VMULPS S_rate(BX), Y1, Y1
	VMULPS S_m(BX), Y2, Y3
	VADDPS Y3, Y1, Y1
	VMOVAPS Y1, Y3
	HISTORY(Y2, Y3, R8)
	STEP
	JNZ    sgd
	VZEROUPPER
	RET

// func stepNesterov8(a *stepArrays, n int, u *stepNumbers)
//
// history = rate·g + m·before; the step is (1 + m)·history - m·before.
TEXT ·stepNesterov8(SB), NOSPLIT, $0-24
	ARRAYS

nesterov:
	GRADIENT
	VMULPS S_rate(BX), Y1, Y1
	VMULPS S_m(BX), Y2, Y4
	VADDPS Y4, Y1, Y3
	VMULPS S_plus(BX), Y3, Y1
	VSUBPS Y4, Y1, Y1
	HISTORY(Y2, Y3, R8)
	STEP
	JNZ    nesterov
	VZEROUPPER
	RET

// ADAPTED makes of g the step rate·g/(√history + delta), of the history in h.
#define ADAPTED(h) \
	VSQRTPS h, Y4               \
	VADDPS  S_delta(BX), Y4, Y4 \
	VMULPS  S_rate(BX), Y1, Y1  \
	VDIVPS  Y4, Y1, Y1

// func stepAdaGrad8(a *stepArrays, n int, u *stepNumbers)
//
// history += g²; the step is rate·g/(√history + delta).
TEXT ·stepAdaGrad8(SB), NOSPLIT, $0-24
	ARRAYS

adaGrad:
	GRADIENT
	VMULPS Y1, Y1, Y3
	VADDPS Y3, Y2, Y3
	ADAPTED(Y3)
	HISTORY(Y2, Y3, R8)
	STEP
	JNZ    adaGrad
	VZEROUPPER
	RET

// func stepRMSProp8(a *stepArrays, n int, u *stepNumbers)
//
// history = d2·history + (1 - d2)·g²; the step is rate·g/(√history + delta).
TEXT ·stepRMSProp8(SB), NOSPLIT, $0-24
	ARRAYS

rmsProp:
	GRADIENT
	VMULPS S_d21(BX), Y1, Y3
	VMULPS Y1, Y3, Y3
	VMULPS S_d2(BX), Y2, Y4
	VADDPS Y3, Y4, Y3
	ADAPTED(Y3)
	HISTORY(Y2, Y3, R8)
	STEP
	JNZ    rmsProp
	VZEROUPPER
	RET

// func stepAdaDelta8(a *stepArrays, n int, u *stepNumbers)
//
// history = m·history + (1 - m)·g², d = g·√((second + delta)/(history + delta)), second = m·second + (1 - m)·d²; the
// step is rate·d.
TEXT ·stepAdaDelta8(SB), NOSPLIT, $0-24
	ARRAYS

adaDelta:
	GRADIENT
	VMULPS  S_m1(BX), Y1, Y3
	VMULPS  Y1, Y3, Y3
	VMULPS  S_m(BX), Y2, Y4
	VADDPS  Y3, Y4, Y3
	VMOVUPS (R9)(AX*1), Y5
	VADDPS  S_delta(BX), Y5, Y4
	VADDPS  S_delta(BX), Y3, Y6
	VDIVPS  Y6, Y4, Y4
	VSQRTPS Y4, Y4
	VMULPS  Y4, Y1, Y1
	HISTORY(Y2, Y3, R8)
	VMULPS  S_m1(BX), Y1, Y4
	VMULPS  Y1, Y4, Y4
	VMULPS  S_m(BX), Y5, Y6
	VADDPS  Y4, Y6, Y4
	HISTORY(Y5, Y4, R9)
	VMULPS  S_rate(BX), Y1, Y1
	STEP
	JNZ     adaDelta
	VZEROUPPER
	RET

// func stepAdam8(a *stepArrays, n int, u *stepNumbers)
//
// history = m·history + (1 - m)·g, second = d2·second + (1 - d2)·g²; the step is
// rate·correction·history/(√second + delta).
TEXT ·stepAdam8(SB), NOSPLIT, $0-24
	ARRAYS

adam:
	GRADIENT
	VMULPS  S_m1(BX), Y1, Y3
	VMULPS  S_m(BX), Y2, Y4
	VADDPS  Y3, Y4, Y3
	VMOVUPS (R9)(AX*1), Y5
	VMULPS  S_d21(BX), Y1, Y4
	VMULPS  Y1, Y4, Y4
	VMULPS  S_d2(BX), Y5, Y6
	VADDPS  Y4, Y6, Y4
	VSQRTPS Y4, Y6
	VADDPS  S_delta(BX), Y6, Y6
	VMULPS  S_corrected(BX), Y3, Y1
	VDIVPS  Y6, Y1, Y1
	HISTORY(Y2, Y3, R8)
	HISTORY(Y5, Y4, R9)
	STEP
	JNZ     adam
	VZEROUPPER
	RET
