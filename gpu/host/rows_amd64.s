#include "textflag.h"

// FOUR reads the inputs of four weights, of which the first is so many bytes from SI on, to a register of four.
#define FOUR(offset, to) \
	MOVWLZX   offset+0(SI), AX        \
	MOVWLZX   offset+2(SI), BX        \
	MOVWLZX   offset+4(SI), R12       \
	MOVWLZX   offset+6(SI), R13       \
	VMOVSS    (DX)(AX*4), to          \
	VINSERTPS $0x10, (DX)(BX*4), to, to  \
	VINSERTPS $0x20, (DX)(R12*4), to, to \
	VINSERTPS $0x30, (DX)(R13*4), to, to

// EIGHT adds the products of eight weights, the first offset weights from SI and DI on, to a sum. It is in registers of
// its own where two follow each other.
#define EIGHT(offset, low, high, both, sum) \
	FOUR(offset*2, low)                    \
	FOUR(offset*2+8, high)                 \
	VINSERTF128 $1, high, both, both       \
	VMULPS      offset*4(DI), both, both   \
	VADDPS      both, sum, sum

// func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)
//
// y[i] = the sum of values[j]·x[inputs[j]] over j from starts[i] to starts[i+1], as gatherDot makes it.
TEXT ·rows(SB), NOSPLIT, $0-48
	MOVQ starts+0(FP), R8
	MOVQ n+8(FP), R9
	MOVQ inputs+16(FP), SI
	MOVQ values+24(FP), DI
	MOVQ x+32(FP), DX
	MOVQ y+40(FP), R10
	MOVL (R8), AX
	LEAQ (SI)(AX*2), SI
	LEAQ (DI)(AX*4), DI

row:
	MOVL   4(R8), CX
	SUBL   (R8), CX
	VXORPS X0, X0, X0
	JZ     store
	VXORPS Y1, Y1, Y1
	VXORPS X2, X2, X2
	SUBQ   $16, CX
	JL     eight

sixteen:
	EIGHT(0, X3, X4, Y3, Y0)
	EIGHT(8, X5, X6, Y5, Y1)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JGE  sixteen

eight:
	ADDQ $8, CX
	JL   rest
	EIGHT(0, X3, X4, Y3, Y0)
	ADDQ $16, SI
	ADDQ $32, DI
	SUBQ $8, CX

rest:
	ADDQ $8, CX
	JZ   sum

one:
	MOVWLZX (SI), AX
	VMOVSS  (DX)(AX*4), X3
	VMULSS  (DI), X3, X3
	VADDSS  X3, X2, X2
	ADDQ    $2, SI
	ADDQ    $4, DI
	DECQ    CX
	JNZ     one

sum:
	VADDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x0e, X0, X1
	VADDPS       X1, X0, X0
	VPERMILPS    $0x01, X0, X1
	VADDSS       X1, X0, X0
	VADDSS       X2, X0, X0

store:
	VMOVSS X0, (R10)
	ADDQ   $4, R8
	ADDQ   $4, R10
	DECQ   R9
	JNZ    row
	VZEROUPPER
	RET
