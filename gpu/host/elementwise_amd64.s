#include "textflag.h"

// func relu8(x, y *float32, n int)
//
// y = max(x, 0) for n times eight elements. Of a NaN and 0, VMAXPS takes the NaN, which stands last; of -0 and 0 the
// -0, which adding 0 makes 0.
TEXT ·relu8(SB), NOSPLIT, $0-24
	MOVQ   x+0(FP), SI
	MOVQ   y+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y0, Y0, Y0

loop:
	VMAXPS  (SI), Y0, Y1
	VADDPS  Y0, Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     loop
	VZEROUPPER
	RET

// func add8(x, y *float32, n int)
//
// y += x for n times eight elements.
TEXT ·add8(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ n+16(FP), CX

loop:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     loop
	VZEROUPPER
	RET

DATA oneDouble<>+0(SB)/8, $1.0
GLOBL oneDouble<>(SB), RODATA|NOPTR, $8

// func power4(x, y *float32, n int, scale, shift float32, more int) (done int)
//
// y = (shift + scale·x)^-0.75, or with more ^-1.75, of n times four elements, by square roots in float64, as pow has
// them; up to the first four of which one is not above 0.
TEXT ·power4(SB), NOSPLIT, $0-48
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	VBROADCASTSS scale+24(FP), X8
	VBROADCASTSS shift+28(FP), X9
	MOVQ         more+32(FP), DX
	VBROADCASTSD oneDouble<>(SB), Y10
	VXORPS       X11, X11, X11
	XORQ         AX, AX

power:
	CMPQ      AX, CX
	JGE       powered
	VMULPS    (SI), X8, X0
	VADDPS    X0, X9, X0
	VCMPPS    $1, X0, X11, X1 // 0 is less
	VMOVMSKPS X1, BX
	CMPL      BX, $15
	JNE       powered
	VCVTPS2PD X0, Y0
	VSQRTPD   Y0, Y1
	VSQRTPD   Y1, Y2
	TESTQ     DX, DX
	JZ        less
	VMULPD    Y1, Y0, Y1

less:
	VMULPD     Y2, Y1, Y1
	VDIVPD     Y1, Y10, Y1
	VCVTPD2PSY Y1, X1
	VMOVUPS    X1, (DI)
	ADDQ       $16, SI
	ADDQ       $16, DI
	INCQ       AX
	JMP        power

powered:
	MOVQ AX, done+40(FP)
	VZEROUPPER
	RET

// func mul8(x, y, z *float32, n int)
//
// z = x·y for n times eight elements.
TEXT ·mul8(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DX
	MOVQ z+16(FP), DI
	MOVQ n+24(FP), CX
	XORQ AX, AX

mul:
	VMOVUPS (SI)(AX*1), Y0
	VMULPS  (DX)(AX*1), Y0, Y0
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     mul
	VZEROUPPER
	RET

// func axpby8(x, y *float32, n int, a, b float32)
//
// y = a·x + b·y for n times eight elements; y is not read where b is 0.
TEXT ·axpby8(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
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
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     both
	VZEROUPPER
	RET

scale:
	VMULPS  (SI), Y8, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     scale
	VZEROUPPER
	RET

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
	VMOVUPS   Y1, (DI)(AX*1)
	ADDQ      $32, AX
	DECQ      CX
	JNZ       reluBack
	VZEROUPPER
	RET

// func squares8(x, y *float32, n int, f float32)
//
// y += f·x·x for n times eight elements.
TEXT ·squares8(SB), NOSPLIT, $0-28
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	VBROADCASTSS f+24(FP), Y8

squares:
	VMOVUPS (SI), Y0
	VMULPS  Y0, Y8, Y1
	VMULPS  Y0, Y1, Y1
	VADDPS  (DI), Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     squares
	VZEROUPPER
	RET

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
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     ratios
	VZEROUPPER
	RET
