#include "textflag.h"

// OPERANDS reads those of all three: DI terms, CX how many, SI x, DX y.
#define OPERANDS \
	MOVQ terms+0(FP), DI \
	MOVQ n+8(FP), CX     \
	MOVQ x+16(FP), SI    \
	MOVQ y+24(FP), DX   

// TERM reads one: Y8 its weight, BX where its vector begins.
#define TERM \
	MOVQ         (DI), AX    \
	VBROADCASTSS 8(DI), Y8   \
	LEAQ         (SI)(AX*4), BX

// ADD adds the products of eight elements to a sum.
#define ADD(offset, product, sum) \
	VMULPS offset(BX), Y8, product \
	VADDPS product, sum, sum

// func combine64(terms *term, n int, x, y *float32, last float32)
//
// y[i] = the sum of weight·x[at+i] over n terms, and of last, for 64 elements. The sums are in registers.
TEXT ·combine64(SB), NOSPLIT, $0-36
	OPERANDS
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	TESTQ CX, CX
	JZ    end

loop:
	TERM
	ADD(0, Y9, Y0)
	ADD(32, Y10, Y1)
	ADD(64, Y11, Y2)
	ADD(96, Y12, Y3)
	ADD(128, Y13, Y4)
	ADD(160, Y14, Y5)
	ADD(192, Y15, Y6)
	ADD(224, Y9, Y7)
	ADDQ $16, DI
	DECQ CX
	JNZ  loop

end:
	VBROADCASTSS last+32(FP), Y8
	VADDPS  Y8, Y0, Y0
	VMOVUPS Y0, (DX)
	VADDPS  Y8, Y1, Y1
	VMOVUPS Y1, 32(DX)
	VADDPS  Y8, Y2, Y2
	VMOVUPS Y2, 64(DX)
	VADDPS  Y8, Y3, Y3
	VMOVUPS Y3, 96(DX)
	VADDPS  Y8, Y4, Y4
	VMOVUPS Y4, 128(DX)
	VADDPS  Y8, Y5, Y5
	VMOVUPS Y5, 160(DX)
	VADDPS  Y8, Y6, Y6
	VMOVUPS Y6, 192(DX)
	VADDPS  Y8, Y7, Y7
	VMOVUPS Y7, 224(DX)
	VZEROUPPER
	RET

// func combine32(terms *term, n int, x, y *float32, last float32)
TEXT ·combine32(SB), NOSPLIT, $0-36
	OPERANDS
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	TESTQ CX, CX
	JZ    end

loop:
	TERM
	ADD(0, Y9, Y0)
	ADD(32, Y10, Y1)
	ADD(64, Y11, Y2)
	ADD(96, Y12, Y3)
	ADDQ $16, DI
	DECQ CX
	JNZ  loop

end:
	VBROADCASTSS last+32(FP), Y8
	VADDPS  Y8, Y0, Y0
	VMOVUPS Y0, (DX)
	VADDPS  Y8, Y1, Y1
	VMOVUPS Y1, 32(DX)
	VADDPS  Y8, Y2, Y2
	VMOVUPS Y2, 64(DX)
	VADDPS  Y8, Y3, Y3
	VMOVUPS Y3, 96(DX)
	VZEROUPPER
	RET

// func combine8(terms *term, n int, x, y *float32, last float32)
TEXT ·combine8(SB), NOSPLIT, $0-36
	OPERANDS
	VXORPS Y0, Y0, Y0
	TESTQ CX, CX
	JZ    end

loop:
	TERM
	ADD(0, Y9, Y0)
	ADDQ $16, DI
	DECQ CX
	JNZ  loop

end:
	VBROADCASTSS last+32(FP), Y8
	VADDPS  Y8, Y0, Y0
	VMOVUPS Y0, (DX)
	VZEROUPPER
	RET
