#include "textflag.h"
#include "neon_arm64.h"

// CUBEROOT is a step to the cube root of V1: of t, V2, t·(t³ + 2x)/(2t³ + x).
#define CUBEROOT \
	FMUL(2, 2, 3) \
	FMUL(2, 3, 3) \
	FADD(7, 3, 4) \
	FMUL(4, 2, 2) \
	FADD(3, 3, 3) \
	FADD(1, 3, 3) \
	FDIV(3, 2, 2)

// MASKED begins with the arrays, four entries at a time; V16 is a pruned entry, and the sign, V17 zeros.
#define MASKED \
	MOVD masked_base+0(FP), R0     \
	MOVD masked_len+8(FP), R2      \
	MOVD w_base+24(FP), R1         \
	MOVD $0x80000000, R3           \
	VDUP R3, V16.S4                \
	VEOR V17.B16, V17.B16, V17.B16 \
	LSR  $2, R2                    \
	CBZ  R2, done

// func forward3(masked, w []float32, cut float32)
//
// Each product, sum and quotient is one of gpu.Soft's and of its cube root, with the same operands, so the results have
// the same bits.
TEXT ·forward3(SB), NOSPLIT, $0-52
	TO4(cut+48(FP), F18, V18)// V18: c
	FMUL(18, 18, 19)     // V19: c²
	MOVD $0xaaaaaaab, R3
	VDUP R3, V20.S4      // V20: 2³³/3, rounded up
	MOVD $0x2a5137a0, R3
	VDUP R3, V21.S4      // V21: what a third of the bits lacks
	MASKED

loop:
	VLD1   (R0), [V6.S4]
	VLD1.P 16(R1), [V0.S4]
	VCMEQ  V16.S4, V6.S4, V6.S4 // V6: where pruned
	UMINV(6, 2)
	LANE0(2, 3)
	CMNW   $1, R3
	BEQ    next

	ANDV(16, 0, 9)  // V9: the signs
	EORV(9, 0, 0)   // V0: a
	FMUL(0, 0, 1)   // a²
	FMUL(18, 0, 2)  // a·c
	FADD(2, 1, 1)
	FADD(19, 1, 1)  // a² + a·c + c²
	FSUB(18, 0, 2)  // a - c
	FMUL(1, 2, 1)   // V1: x = a³ - c³
	FCMGE(0, 18, 0) // where a <= c
	FCMEQ(17, 1, 8) // where x = 0
	ORRV(0, 8, 8)   // V8: where the forward weight is 0

	// The bits of x divided by 3.
	UMULL(20, 1, 2)
	UMULL2(20, 1, 3)
	VUZP2 V3.S4, V2.S4, V2.S4
	VUSHR $1, V2.S4, V2.S4
	ADD4(21, 2, 2)            // V2: t, the first guess

	FADD(1, 1, 7) // V7: 2x
	CUBEROOT
	CUBEROOT

	ORRV(9, 2, 2)
	BICV(8, 2, 8)
	FADD(17, 8, 8)     // a root that is too small for a float32 loses its sign
	BIT(6, 16, 8)
	VST1 [V8.S4], (R0)

next:
	ADD  $16, R0
	SUB  $1, R2
	CBNZ R2, loop

done:
	RET

// func forwardHard(masked, w []float32)
TEXT ·forwardHard(SB), NOSPLIT, $0-48
	MASKED

loop:
	VLD1   (R0), [V6.S4]
	VLD1.P 16(R1), [V0.S4]
	VCMEQ  V16.S4, V6.S4, V6.S4 // V6: where pruned
	FADD(17, 0, 0)              // a zero loses its sign
	BIT(6, 16, 0)
	VST1.P [V0.S4], 16(R0)
	SUB    $1, R2
	CBNZ   R2, loop

done:
	RET
