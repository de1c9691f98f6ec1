#include "textflag.h"

// func combine64(terms *term, n int, x, y *float32)
//
// y[i] = the sum of weight·x[at+i] over n terms, one or more, for 64 elements. The sums are in registers.
TEXT ·combine64(SB), NOSPLIT, $0-32
	MOVQ   terms+0(FP), DI
	MOVQ   n+8(FP), CX
	MOVQ   x+16(FP), SI
	MOVQ   y+24(FP), DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7

loop:
	MOVQ         (DI), AX
	VBROADCASTSS 8(DI), Y8
	LEAQ         (SI)(AX*4), BX
	VMULPS       (BX), Y8, Y9
	VADDPS       Y9, Y0, Y0
	VMULPS       32(BX), Y8, Y10
	VADDPS       Y10, Y1, Y1
	VMULPS       64(BX), Y8, Y11
	VADDPS       Y11, Y2, Y2
	VMULPS       96(BX), Y8, Y12
	VADDPS       Y12, Y3, Y3
	VMULPS       128(BX), Y8, Y13
	VADDPS       Y13, Y4, Y4
	VMULPS       160(BX), Y8, Y14
	VADDPS       Y14, Y5, Y5
	VMULPS       192(BX), Y8, Y15
	VADDPS       Y15, Y6, Y6
	VMULPS       224(BX), Y8, Y9
	VADDPS       Y9, Y7, Y7
	ADDQ         $16, DI
	DECQ         CX
	JNZ          loop

	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, 64(DX)
	VMOVUPS Y3, 96(DX)
	VMOVUPS Y4, 128(DX)
	VMOVUPS Y5, 160(DX)
	VMOVUPS Y6, 192(DX)
	VMOVUPS Y7, 224(DX)
	VZEROUPPER
	RET

// func combine32(terms *term, n int, x, y *float32)
TEXT ·combine32(SB), NOSPLIT, $0-32
	MOVQ   terms+0(FP), DI
	MOVQ   n+8(FP), CX
	MOVQ   x+16(FP), SI
	MOVQ   y+24(FP), DX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3

loop:
	MOVQ         (DI), AX
	VBROADCASTSS 8(DI), Y8
	LEAQ         (SI)(AX*4), BX
	VMULPS       (BX), Y8, Y9
	VADDPS       Y9, Y0, Y0
	VMULPS       32(BX), Y8, Y10
	VADDPS       Y10, Y1, Y1
	VMULPS       64(BX), Y8, Y11
	VADDPS       Y11, Y2, Y2
	VMULPS       96(BX), Y8, Y12
	VADDPS       Y12, Y3, Y3
	ADDQ         $16, DI
	DECQ         CX
	JNZ          loop

	VMOVUPS Y0, (DX)
	VMOVUPS Y1, 32(DX)
	VMOVUPS Y2, 64(DX)
	VMOVUPS Y3, 96(DX)
	VZEROUPPER
	RET

// func combine8(terms *term, n int, x, y *float32)
TEXT ·combine8(SB), NOSPLIT, $0-32
	MOVQ   terms+0(FP), DI
	MOVQ   n+8(FP), CX
	MOVQ   x+16(FP), SI
	MOVQ   y+24(FP), DX
	VXORPS Y0, Y0, Y0

loop:
	MOVQ         (DI), AX
	VBROADCASTSS 8(DI), Y8
	VMULPS       (SI)(AX*4), Y8, Y9
	VADDPS       Y9, Y0, Y0
	ADDQ         $16, DI
	DECQ         CX
	JNZ          loop

	VMOVUPS Y0, (DX)
	VZEROUPPER
	RET
