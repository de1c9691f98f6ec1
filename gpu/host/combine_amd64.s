#include "textflag.h"

// masks has eight times all bits, then eight times none.
DATA ·masks+0(SB)/8, $-1
DATA ·masks+8(SB)/8, $-1
DATA ·masks+16(SB)/8, $-1
DATA ·masks+24(SB)/8, $-1
DATA ·masks+32(SB)/8, $0
DATA ·masks+40(SB)/8, $0
DATA ·masks+48(SB)/8, $0
DATA ·masks+56(SB)/8, $0
GLOBL ·masks(SB), RODATA|NOPTR, $64

// TERM reads one: Y8 its weight, BX where its vector begins.
#define TERM \
	MOVLQSX      (DI), AX    \
	VBROADCASTSS 4(DI), Y8   \
	LEAQ         (SI)(AX*4), BX

// ADD adds the products of eight elements to a sum.
#define ADD(offset, product, sum) \
	VMULPS offset(BX), Y8, product \
	VADDPS product, sum, sum

// func combineAVX(terms *term, n int, x, y *float32, length int, last float32)
//
// y[i] = the sum of weight·x[at+i] over n terms, and of last, for length elements. Sums are in registers, of 64
// elements, then of 32, of 8, and of the rest.
TEXT ·combineAVX(SB), NOSPLIT, $0-44
	MOVQ    terms+0(FP), R8
	MOVQ    n+8(FP), R9
	MOVQ    x+16(FP), SI
	MOVQ    y+24(FP), DX
	MOVQ    length+32(FP), R10

blocks64:
	CMPQ R10, $64
	JL   less64
	MOVQ R8, DI
	MOVQ R9, CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	VXORPS Y4, Y4, Y4
	VXORPS Y5, Y5, Y5
	VXORPS Y6, Y6, Y6
	VXORPS Y7, Y7, Y7
	TESTQ CX, CX
	JZ    end64

loop64:
	TERM
	ADD(0, Y9, Y0)
	ADD(32, Y10, Y1)
	ADD(64, Y11, Y2)
	ADD(96, Y12, Y3)
	ADD(128, Y13, Y4)
	ADD(160, Y14, Y5)
	ADD(192, Y15, Y6)
	ADD(224, Y9, Y7)
	ADDQ $8, DI
	DECQ CX
	JNZ  loop64

end64:
	VBROADCASTSS last+40(FP), Y8
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
	ADDQ $256, SI
	ADDQ $256, DX
	SUBQ $64, R10
	JMP  blocks64

less64:

blocks32:
	CMPQ R10, $32
	JL   less32
	MOVQ R8, DI
	MOVQ R9, CX
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	TESTQ CX, CX
	JZ    end32

loop32:
	TERM
	ADD(0, Y9, Y0)
	ADD(32, Y10, Y1)
	ADD(64, Y11, Y2)
	ADD(96, Y12, Y3)
	ADDQ $8, DI
	DECQ CX
	JNZ  loop32

end32:
	VBROADCASTSS last+40(FP), Y8
	VADDPS  Y8, Y0, Y0
	VMOVUPS Y0, (DX)
	VADDPS  Y8, Y1, Y1
	VMOVUPS Y1, 32(DX)
	VADDPS  Y8, Y2, Y2
	VMOVUPS Y2, 64(DX)
	VADDPS  Y8, Y3, Y3
	VMOVUPS Y3, 96(DX)
	ADDQ $128, SI
	ADDQ $128, DX
	SUBQ $32, R10
	JMP  blocks32

less32:

blocks8:
	CMPQ R10, $8
	JL   less8
	MOVQ R8, DI
	MOVQ R9, CX
	VXORPS Y0, Y0, Y0
	TESTQ CX, CX
	JZ    end8

loop8:
	TERM
	ADD(0, Y9, Y0)
	ADDQ $8, DI
	DECQ CX
	JNZ  loop8

end8:
	VBROADCASTSS last+40(FP), Y8
	VADDPS  Y8, Y0, Y0
	VMOVUPS Y0, (DX)
	ADDQ $32, SI
	ADDQ $32, DX
	SUBQ $8, R10
	JMP  blocks8

less8:
	TESTQ R10, R10
	JZ    done
	LEAQ  ·masks+32(SB), AX
	SHLQ  $2, R10
	SUBQ  R10, AX
	VMOVUPS (AX), Y15 // Y15: as many as there are left
	MOVQ  R9, CX
	VXORPS Y0, Y0, Y0
	TESTQ CX, CX
	JZ    endRest

loopRest:
	MOVLQSX      (R8), AX
	VBROADCASTSS 4(R8), Y8
	VMASKMOVPS   (SI)(AX*4), Y15, Y9
	VMULPS       Y9, Y8, Y9
	VADDPS       Y9, Y0, Y0
	ADDQ $8, R8
	DECQ CX
	JNZ  loopRest

endRest:
	VBROADCASTSS last+40(FP), Y8
	VADDPS     Y8, Y0, Y0
	VMASKMOVPS Y0, Y15, (DX)

done:
	VZEROUPPER
	RET
