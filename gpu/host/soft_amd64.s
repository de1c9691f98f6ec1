#include "textflag.h"

// func forward3(masked, w []float32, cut float32)
//
// Four entries at once, by instructions that every amd64 has. Each product, sum and quotient is one of gpu.Soft's and of
// its cube root, with the same operands, so the results have the same bits.
TEXT ·forward3(SB), NOSPLIT, $0-52
	MOVQ   masked_base+0(FP), DI
	MOVQ   masked_len+8(FP), CX
	MOVQ   w_base+24(FP), SI
	MOVSS  cut+48(FP), X15
	SHUFPS $0, X15, X15     // X15: c
	MOVAPS X15, X14
	MULPS  X14, X14         // X14: c²
	MOVL   $0x80000000, AX
	MOVD   AX, X13
	PSHUFD $0, X13, X13     // X13: the sign, and a pruned entry
	MOVL   $0xaaaaaaab, AX
	MOVD   AX, X12
	PSHUFD $0, X12, X12     // X12: 2³³/3, rounded up
	MOVL   $0x2a5137a0, AX
	MOVD   AX, X11
	PSHUFD $0, X11, X11     // X11: what a third of the bits lacks
	XORPS  X10, X10         // X10: 0
	SHRQ   $2, CX
	JZ     done

loop:
	MOVUPS   (DI), X6
	PCMPEQL  X13, X6 // X6: where pruned
	MOVMSKPS X6, AX
	CMPL     AX, $15
	JEQ      next

	MOVUPS (SI), X0
	MOVAPS X13, X9
	ANDPS  X0, X9      // X9: the signs
	XORPS  X9, X0      // X0: a
	MOVAPS X0, X1
	MULPS  X0, X1      // a²
	MOVAPS X0, X2
	MULPS  X15, X2     // a·c
	ADDPS  X2, X1
	ADDPS  X14, X1     // a² + a·c + c²
	MOVAPS X0, X2
	SUBPS  X15, X2     // a - c
	MULPS  X2, X1      // X1: x = a³ - c³
	CMPPS  X15, X0, $2 // where a <= c
	MOVAPS X1, X8
	CMPPS  X10, X8, $0 // where x = 0
	ORPS   X0, X8      // X8: where the forward weight is 0

	// The bits of x divided by 3, of two entries at a time.
	MOVAPS  X1, X2
	PMULULQ X12, X2
	PSRLQ   $33, X2
	MOVAPS  X1, X3
	PSRLQ   $32, X3
	PMULULQ X12, X3
	PSRLQ   $33, X3
	PSLLQ   $32, X3
	POR     X3, X2
	PADDL   X11, X2 // X2: t, the first guess

	// t·(t³ + 2x)/(2t³ + x), twice.
	MOVAPS X1, X7
	ADDPS  X1, X7 // X7: 2x
	MOVAPS X2, X3
	MULPS  X2, X3
	MULPS  X2, X3 // t³
	MOVAPS X3, X4
	ADDPS  X7, X4
	MULPS  X4, X2
	ADDPS  X3, X3
	ADDPS  X1, X3
	DIVPS  X3, X2
	MOVAPS X2, X3
	MULPS  X2, X3
	MULPS  X2, X3
	MOVAPS X3, X4
	ADDPS  X7, X4
	MULPS  X4, X2
	ADDPS  X3, X3
	ADDPS  X1, X3
	DIVPS  X3, X2

	ORPS   X9, X2
	ANDNPS X2, X8
	ADDPS  X10, X8 // a root that is too small for a float32 loses its sign
	MOVAPS X6, X5
	ANDPS  X13, X5
	ANDNPS X8, X6
	ORPS   X5, X6
	MOVUPS X6, (DI)

next:
	ADDQ $16, DI
	ADDQ $16, SI
	DECQ CX
	JNZ  loop

done:
	RET

// func forwardHard(masked, w []float32)
TEXT ·forwardHard(SB), NOSPLIT, $0-48
	MOVQ   masked_base+0(FP), DI
	MOVQ   masked_len+8(FP), CX
	MOVQ   w_base+24(FP), SI
	MOVL   $0x80000000, AX
	MOVD   AX, X13
	PSHUFD $0, X13, X13     // X13: a pruned entry
	XORPS  X10, X10         // X10: 0
	SHRQ   $2, CX
	JZ     done

loop:
	MOVUPS  (DI), X6
	PCMPEQL X13, X6 // X6: where pruned
	MOVUPS  (SI), X8
	ADDPS   X10, X8 // a zero loses its sign
	MOVAPS  X6, X5
	ANDPS   X13, X5
	ANDNPS  X8, X6
	ORPS    X5, X6
	MOVUPS  X6, (DI)
	ADDQ    $16, DI
	ADDQ    $16, SI
	DECQ    CX
	JNZ     loop

done:
	RET
