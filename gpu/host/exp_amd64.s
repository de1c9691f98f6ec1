#include "textflag.h"
#include "exp_amd64.h"

// The polynomials are those of Cephes' expf and tanhf (Moshier, 1989), in single precision.
DATA ·expConstants+0(SB)/4, $0xc2aeac50  // -87.33655, whose power is the least that is normal
DATA ·expConstants+4(SB)/4, $0x42b0c0a5  // 88.37626
DATA ·expConstants+8(SB)/4, $0x3fb8aa3b  // log2 e
DATA ·expConstants+12(SB)/4, $0x3f318000 // ln 2, its upper part
DATA ·expConstants+16(SB)/4, $0xb95e8083 // and the rest
DATA ·expConstants+20(SB)/4, $0x39506967 // 1.9875691500e-4
DATA ·expConstants+24(SB)/4, $0x3ab743ce // 1.3981999507e-3
DATA ·expConstants+28(SB)/4, $0x3c088908 // 8.3334519073e-3
DATA ·expConstants+32(SB)/4, $0x3d2aa9c1 // 4.1665795894e-2
DATA ·expConstants+36(SB)/4, $0x3e2aaaaa // 1.6666665459e-1
DATA ·expConstants+40(SB)/4, $0x3f000000 // 5.0000001201e-1
DATA ·expConstants+44(SB)/4, $0x3f800000 // 1
DATA ·expConstants+48(SB)/4, $127
DATA ·expConstants+52(SB)/4, $0x7fffffff // all but the sign
DATA ·expConstants+56(SB)/4, $0x3f200000 // 0.625
DATA ·expConstants+60(SB)/4, $0xbbbaf0ea // -5.70498872745e-3
DATA ·expConstants+64(SB)/4, $0x3ca9134e // 2.06390887954e-2
DATA ·expConstants+68(SB)/4, $0xbd5c1e2d // -5.37397155531e-2
DATA ·expConstants+72(SB)/4, $0x3e088393 // 1.33314422036e-1
DATA ·expConstants+76(SB)/4, $0xbeaaaa99 // -3.33332819422e-1
GLOBL ·expConstants(SB), RODATA|NOPTR, $80

// func exp8(x, y *float32, n int, top float32)
//
// y = e^(x - top), for n vectors of eight elements.
TEXT ·exp8(SB), NOSPLIT, $0-28
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	VBROADCASTSS top+24(FP), Y15
	EXPCONSTANTS

expOne:
	VMOVUPS (SI), Y0
	VSUBPS  Y15, Y0, Y0
	EXP(Y0, Y1, Y2, Y3)
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     expOne
	VZEROUPPER
	RET

// func sigmoid8(x, y *float32, n int)
//
// y = 1/(1 + e^-x), for n vectors of eight elements.
TEXT ·sigmoid8(SB), NOSPLIT, $0-24
	MOVQ   x+0(FP), SI
	MOVQ   y+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y15, Y15, Y15
	EXPCONSTANTS

sigmoidOne:
	SIGMOID((SI), Y15)
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     sigmoidOne
	VZEROUPPER
	RET

// func tanh8(x, y *float32, n int)
//
// y = tanh x, for n vectors of eight elements.
TEXT ·tanh8(SB), NOSPLIT, $0-24
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	EXPCONSTANTS
	VBROADCASTSS 52(R8), Y15

tanhOne:
	VMOVUPS      (SI), Y4
	TANH
	VMOVUPS      Y0, (DI)
	ADDQ         $32, SI
	ADDQ         $32, DI
	DECQ         CX
	JNZ          tanhOne
	VZEROUPPER
	RET

// func largest8(x *float32, n int) float32
//
// The largest of n vectors of eight elements.
TEXT ·largest8(SB), NOSPLIT, $0-20
	MOVQ    x+0(FP), SI
	MOVQ    n+8(FP), CX
	VMOVUPS (SI), Y0

largestOne:
	VMAXPS (SI), Y0, Y0
	ADDQ   $32, SI
	DECQ   CX
	JNZ    largestOne

	VEXTRACTF128 $1, Y0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x0e, X0, X1
	VMAXPS       X1, X0, X0
	VPERMILPS    $0x01, X0, X1
	VMAXSS       X1, X0, X0
	VMOVSS       X0, ret+16(FP)
	VZEROUPPER
	RET

// func cellForward8(x *forwardOperands, n int)
//
// i, f, o and g become sigmoids of themselves, g its tanh; c = f·before + i·g and h = o·tanh c, each operation rounded,
// of n vectors of eight cells.
TEXT ·cellForward8(SB), NOSPLIT, $0-16
	MOVQ         x+0(FP), DI
	MOVQ         n+8(FP), CX
	MOVQ         0(DI), SI  // i
	MOVQ         8(DI), R9  // f
	MOVQ         16(DI), R10 // o
	MOVQ         24(DI), R11 // g
	MOVQ         32(DI), R12 // before
	MOVQ         40(DI), R13 // c
	MOVQ         48(DI), DX // h
	XORQ         AX, AX
	VXORPS       Y7, Y7, Y7
	EXPCONSTANTS
	VBROADCASTSS 52(R8), Y15

cellForwardOne:
	SIGMOID((SI)(AX*1), Y7)
	VMOVUPS Y0, (SI)(AX*1)
	SIGMOID((R9)(AX*1), Y7)
	VMOVUPS Y0, (R9)(AX*1)
	SIGMOID((R10)(AX*1), Y7)
	VMOVUPS Y0, (R10)(AX*1)
	VMOVUPS (R11)(AX*1), Y4
	TANH
	VMOVUPS Y0, (R11)(AX*1)
	VMULPS  (SI)(AX*1), Y0, Y0
	VMOVUPS (R9)(AX*1), Y1
	VMULPS  (R12)(AX*1), Y1, Y1
	VADDPS  Y0, Y1, Y4
	VMOVUPS Y4, (R13)(AX*1)
	TANH
	VMULPS  (R10)(AX*1), Y0, Y0
	VMOVUPS Y0, (DX)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     cellForwardOne
	VZEROUPPER
	RET

// func cell8(x *cellOperands, n int)
//
// With dc + dh·o·(1 - t²) for dc: dbefore = dc·f, and the gradients of the gates' inputs dc·g·i·(1 - i),
// dc·before·f·(1 - f), dh·t·o·(1 - o) and dc·i·(1 - g²), each operation rounded, of n vectors of eight cells.
TEXT ·cell8(SB), NOSPLIT, $0-16
	MOVQ         x+0(FP), DI
	MOVQ         n+8(FP), CX
	VBROADCASTSS ·expConstants+44(SB), Y15
	XORQ         AX, AX

cellOne:
	MOVQ    0(DI), SI
	VMOVUPS (SI)(AX*1), Y0 // i
	MOVQ    8(DI), SI
	VMOVUPS (SI)(AX*1), Y1 // f
	MOVQ    16(DI), SI
	VMOVUPS (SI)(AX*1), Y2 // o
	MOVQ    24(DI), SI
	VMOVUPS (SI)(AX*1), Y3 // g
	MOVQ    32(DI), SI
	VMOVUPS (SI)(AX*1), Y4 // t
	MOVQ    40(DI), SI
	VMOVUPS (SI)(AX*1), Y5 // dh
	MOVQ    48(DI), SI
	VMOVUPS (SI)(AX*1), Y6 // dc
	MOVQ    56(DI), SI
	VMOVUPS (SI)(AX*1), Y7 // before

	VMULPS Y2, Y5, Y8
	VMULPS Y4, Y4, Y9
	VSUBPS Y9, Y15, Y9
	VMULPS Y9, Y8, Y8
	VADDPS Y8, Y6, Y6

	VMULPS  Y1, Y6, Y8
	MOVQ    64(DI), SI
	VMOVUPS Y8, (SI)(AX*1)

	VMULPS  Y3, Y6, Y8
	VMULPS  Y0, Y8, Y8
	VSUBPS  Y0, Y15, Y9
	VMULPS  Y9, Y8, Y8
	MOVQ    72(DI), SI
	VMOVUPS Y8, (SI)(AX*1)

	VMULPS  Y7, Y6, Y8
	VMULPS  Y1, Y8, Y8
	VSUBPS  Y1, Y15, Y9
	VMULPS  Y9, Y8, Y8
	MOVQ    80(DI), SI
	VMOVUPS Y8, (SI)(AX*1)

	VMULPS  Y4, Y5, Y8
	VMULPS  Y2, Y8, Y8
	VSUBPS  Y2, Y15, Y9
	VMULPS  Y9, Y8, Y8
	MOVQ    88(DI), SI
	VMOVUPS Y8, (SI)(AX*1)

	VMULPS  Y0, Y6, Y8
	VMULPS  Y3, Y3, Y9
	VSUBPS  Y9, Y15, Y9
	VMULPS  Y9, Y8, Y8
	MOVQ    96(DI), SI
	VMOVUPS Y8, (SI)(AX*1)

	ADDQ $32, AX
	DECQ CX
	JNZ  cellOne
	VZEROUPPER
	RET
