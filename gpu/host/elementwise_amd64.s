#include "textflag.h"

// NEXT writes eight elements, goes on with the next, of which AX is the offset, and returns behind the last; NEXT2
// where SI and DI move.
#define NEXT(v, loop) \
	VMOVUPS v, (DI)(AX*1) \
	ADDQ    $32, AX       \
	DECQ    CX            \
	JNZ     loop          \
	VZEROUPPER            \
	RET

#define NEXT2(v, loop) \
	VMOVUPS v, (DI) \
	ADDQ    $32, SI \
	ADDQ    $32, DI \
	DECQ    CX      \
	JNZ     loop    \
	VZEROUPPER      \
	RET

// THREE has the arrays x, y and z of z = x∘y, their vectors and offset; TWO has two that move.
#define THREE \
	MOVQ x+0(FP), SI  \
	MOVQ y+8(FP), DX  \
	MOVQ z+16(FP), DI \
	MOVQ n+24(FP), CX \
	XORQ AX, AX

#define TWO \
	MOVQ x+0(FP), SI  \
	MOVQ y+8(FP), DI  \
	MOVQ n+16(FP), CX

// func relu8(x, y *float32, n int)
//
// y = max(x, 0) for n times eight elements. Of a NaN and 0, VMAXPS takes the NaN, which stands last; of -0 and 0 the
// -0, which adding 0 makes 0.
TEXT ·relu8(SB), NOSPLIT, $0-24
	TWO
	VXORPS Y0, Y0, Y0

loop:
	VMAXPS  (SI), Y0, Y1
	VADDPS  Y0, Y1, Y1
	NEXT2(Y1, loop)

// func add8(x, y *float32, n int)
//
// y += x for n times eight elements.
TEXT ·add8(SB), NOSPLIT, $0-24
	TWO

loop:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	NEXT2(Y0, loop)

DATA oneSingle<>+0(SB)/4, $1.0
GLOBL oneSingle<>(SB), RODATA|NOPTR, $4

// POWER makes of s, which is above 0, s^-0.75 in p: the reciprocal of its root times the root of that. Y10 has ones.
#define POWER(s, p, t) \
	VSQRTPS s, t       \
	VSQRTPS t, p       \
	VMULPS  p, t, p    \
	VDIVPS  p, Y10, p

// func power8(x, y *float32, n int, scale, shift float32, more int) (done int)
//
// y = (shift + scale·x)^-0.75, or with more ^-1.75, of n times eight elements, by square roots, as pow has them; up to
// the first eight of which one is not above 0.
TEXT ·power8(SB), NOSPLIT, $0-48
	TWO
	VBROADCASTSS scale+24(FP), Y8
	VBROADCASTSS shift+28(FP), Y9
	MOVQ         more+32(FP), DX
	VBROADCASTSS oneSingle<>(SB), Y10
	VXORPS       X11, X11, X11
	XORQ         AX, AX

power:
	CMPQ      AX, CX
	JGE       powered
	VMULPS    (SI), Y8, Y0
	VADDPS    Y0, Y9, Y0
	VCMPPS    $1, Y0, Y11, Y1 // 0 is less
	VMOVMSKPS Y1, BX
	CMPL      BX, $255
	JNE       powered
	POWER(Y0, Y1, Y2)
	TESTQ     DX, DX
	JZ        less
	VDIVPS    Y0, Y1, Y1

less:
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	INCQ    AX
	JMP     power

powered:
	MOVQ AX, done+40(FP)
	VZEROUPPER
	RET

// func normalizeWithin8(x, s, y *float32, n int, f float32)
//
// s = 1 + f·s, y = x·s^-0.75, for n times eight elements.
TEXT ·normalizeWithin8(SB), NOSPLIT, $0-36
	MOVQ         x+0(FP), SI
	MOVQ         s+8(FP), DX
	MOVQ         y+16(FP), DI
	MOVQ         n+24(FP), CX
	VBROADCASTSS f+32(FP), Y8
	VBROADCASTSS oneSingle<>(SB), Y10
	XORQ         AX, AX

within:
	VMULPS  (DX)(AX*1), Y8, Y0
	VADDPS  Y10, Y0, Y0
	VMOVUPS Y0, (DX)(AX*1)
	POWER(Y0, Y1, Y2)
	VMULPS  (SI)(AX*1), Y1, Y1
	NEXT(Y1, within)

// func withinGradients8(x, s, dy, dx, t *float32, n int)
//
// dx = dy·s^-0.75, t = dx·x/s, for n times eight elements.
TEXT ·withinGradients8(SB), NOSPLIT, $0-48
	MOVQ         x+0(FP), SI
	MOVQ         s+8(FP), DX
	MOVQ         dy+16(FP), BX
	MOVQ         dx+24(FP), DI
	MOVQ         t+32(FP), R8
	MOVQ         n+40(FP), CX
	VBROADCASTSS oneSingle<>(SB), Y10
	XORQ         AX, AX

withinBack:
	VMOVUPS (DX)(AX*1), Y0
	POWER(Y0, Y1, Y2)
	VMULPS  (BX)(AX*1), Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	VMULPS  (SI)(AX*1), Y1, Y1
	VDIVPS  Y0, Y1, Y1
	VMOVUPS Y1, (R8)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     withinBack
	VZEROUPPER
	RET

// func subtractProducts8(x, y, z *float32, n int, f float32)
//
// z -= f·x·y, each rounded, for n times eight elements.
TEXT ·subtractProducts8(SB), NOSPLIT, $0-36
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DX
	MOVQ         z+16(FP), DI
	MOVQ         n+24(FP), CX
	VBROADCASTSS f+32(FP), Y8
	XORQ         AX, AX

subtract:
	VMULPS  (SI)(AX*1), Y8, Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	VMOVUPS (DI)(AX*1), Y1
	VSUBPS  Y0, Y1, Y1
	NEXT(Y1, subtract)

// func sumShifted8(x *float32, n, step, count int)
//
// x[i] = x[i] + x[i+step] + … of count elements, for n times eight elements; step is in bytes.
TEXT ·sumShifted8(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	MOVQ step+16(FP), DX
	MOVQ count+24(FP), R8

shifted:
	VMOVUPS (SI), Y0
	MOVQ    SI, DI
	MOVQ    R8, AX

shift:
	DECQ   AX
	JZ     shiftedOne
	ADDQ   DX, DI
	VADDPS (DI), Y0, Y0
	JMP    shift

shiftedOne:
	VMOVUPS Y0, (SI)
	ADDQ    $32, SI
	DECQ    CX
	JNZ     shifted
	VZEROUPPER
	RET

// func mul8(x, y, z *float32, n int)
//
// z = x·y for n times eight elements.
TEXT ·mul8(SB), NOSPLIT, $0-32
	THREE

mul:
	VMOVUPS (SI)(AX*1), Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	NEXT(Y0, mul)

// func axpby8(x, y *float32, n int, a, b float32)
//
// y = a·x + b·y for n times eight elements; y is not read where b is 0.
TEXT ·axpby8(SB), NOSPLIT, $0-32
	TWO
	VBROADCASTSS a+24(FP), Y8
	VBROADCASTSS b+28(FP), Y9
	VXORPS       X0, X0, X0
	VUCOMISS     X0, X9
	JP           both // NaN
	JE           scale

both:
	VMULPS  (DI), Y9, Y1
	VMULPS  (SI), Y8, Y0
	VADDPS  Y1, Y0, Y0
	NEXT2(Y0, both)

scale:
	VMULPS  (SI), Y8, Y0
	NEXT2(Y0, scale)

// func reluBackward8(x, dy, dx *float32, n int, slope float32)
//
// dx = dy where x is above 0, else slope·dy, for n times eight elements.
TEXT ·reluBackward8(SB), NOSPLIT, $0-36
	MOVQ         x+0(FP), SI
	MOVQ         dy+8(FP), DX
	MOVQ         dx+16(FP), DI
	MOVQ         n+24(FP), CX
	VBROADCASTSS slope+32(FP), Y8
	VXORPS       Y9, Y9, Y9
	XORQ         AX, AX

reluBack:
	VMOVUPS   (SI)(AX*1), Y0
	VCMPPS    $1, Y0, Y9, Y0 // 0 is less
	VMOVUPS   (DX)(AX*1), Y1
	VMULPS    Y1, Y8, Y2
	VBLENDVPS Y0, Y1, Y2, Y1
	NEXT(Y1, reluBack)

// func squares8(x, y *float32, n int, f float32)
//
// y += f·x·x for n times eight elements.
TEXT ·squares8(SB), NOSPLIT, $0-28
	TWO
	VBROADCASTSS f+24(FP), Y8

squares:
	VMOVUPS (SI), Y0
	VMULPS  Y0, Y8, Y1
	VMULPS  Y0, Y1, Y1
	VADDPS  (DI), Y1, Y1
	NEXT2(Y1, squares)

// func ratios8(x, y, z, sum *float32, n int)
//
// sum += x·y/z for n times eight elements.
TEXT ·ratios8(SB), NOSPLIT, $0-40
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DX
	MOVQ z+16(FP), BX
	MOVQ sum+24(FP), DI
	MOVQ n+32(FP), CX
	XORQ AX, AX

ratios:
	VMOVUPS (SI)(AX*1), Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	VDIVPS  (BX)(AX*1), Y0, Y0
	VADDPS  (DI)(AX*1), Y0, Y0
	NEXT(Y0, ratios)

// func divide8(x, y, z *float32, n int)
//
// z = x/y for n times eight elements.
TEXT ·divide8(SB), NOSPLIT, $0-32
	THREE

divide:
	VMOVUPS (SI)(AX*1), Y0
	VDIVPS  (DX)(AX*1), Y0, Y0
	NEXT(Y0, divide)

// func weighted8(x, y, z *float32, n int, a, b float32)
//
// z = a·x + b·y, each rounded, for n times eight elements.
TEXT ·weighted8(SB), NOSPLIT, $0-40
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DX
	MOVQ         z+16(FP), DI
	MOVQ         n+24(FP), CX
	VBROADCASTSS a+32(FP), Y8
	VBROADCASTSS b+36(FP), Y9
	XORQ         AX, AX

weighted:
	VMULPS  (SI)(AX*1), Y8, Y0
	VMULPS  (DX)(AX*1), Y9, Y1
	VADDPS  Y1, Y0, Y0
	NEXT(Y0, weighted)

// func leaky8(x, y *float32, n int, slope float32)
//
// y = max(x, 0) + slope·min(x, 0), each rounded, for n times eight elements. The maximum of -0 is made 0, as relu8's.
TEXT ·leaky8(SB), NOSPLIT, $0-28
	TWO
	VBROADCASTSS slope+24(FP), Y8
	VXORPS       Y9, Y9, Y9

leaky:
	VMOVUPS (SI), Y0
	VMAXPS  Y0, Y9, Y1
	VADDPS  Y9, Y1, Y1
	VMINPS  Y0, Y9, Y0
	VMULPS  Y8, Y0, Y0
	VADDPS  Y0, Y1, Y0
	NEXT2(Y0, leaky)

// func dotBelow8(x, y *float32, n int) float32
//
// Σ x·y where x is not above 0, of n times eight elements, in eight lanes.
TEXT ·dotBelow8(SB), NOSPLIT, $0-28
	TWO
	VXORPS Y0, Y0, Y0
	VXORPS Y9, Y9, Y9

dotBelow:
	VMOVUPS (SI), Y1
	VCMPPS  $1, Y1, Y9, Y2 // 0 is less
	VMULPS  (DI), Y1, Y1
	VANDNPS Y1, Y2, Y1
	VADDPS  Y1, Y0, Y0
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     dotBelow

	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x0e, X0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x01, X0, X1
	VADDSS       X1, X0, X0
	VMOVSS       X0, ret+24(FP)
	VZEROUPPER
	RET
