#include "textflag.h"

// In Go's assembly the result is the last operand; VSUBPS and VDIVPS subtract the first from the second, and divide the
// second by the first.

// func forward3(masked, w []float32, cut float32)
//
// Each product, sum and quotient is one of gpu.Soft's and of its cube root, with the same operands, so the results have
// the same bits.
TEXT ·forward3(SB), NOSPLIT, $0-52
	MOVQ         masked_base+0(FP), DI
	MOVQ         masked_len+8(FP), CX
	MOVQ         w_base+24(FP), SI
	VBROADCASTSS cut+48(FP), Y15       // Y15: c
	VMULPS       Y15, Y15, Y14         // Y14: c²
	MOVL         $0x80000000, AX
	VMOVD        AX, X13
	VPBROADCASTD X13, Y13              // Y13: the sign, and a pruned entry
	MOVL         $0xaaaaaaab, AX
	VMOVD        AX, X12
	VPBROADCASTD X12, Y12              // Y12: 2³³/3, rounded up
	MOVL         $0x2a5137a0, AX
	VMOVD        AX, X11
	VPBROADCASTD X11, Y11              // Y11: what a third of the bits lacks
	VXORPS       Y10, Y10, Y10         // Y10: 0
	SHRQ         $3, CX
	JZ           done

loop:
	VPCMPEQD  (DI), Y13, Y6 // Y6: where pruned
	VMOVMSKPS Y6, AX
	CMPL      AX, $255
	JEQ       next

	VMOVUPS (SI), Y0
	VANDPS  Y13, Y0, Y9     // Y9: the signs
	VXORPS  Y9, Y0, Y0      // Y0: a
	VMULPS  Y0, Y0, Y1      // a²
	VMULPS  Y15, Y0, Y2     // a·c
	VADDPS  Y2, Y1, Y1
	VADDPS  Y14, Y1, Y1     // a² + a·c + c²
	VSUBPS  Y15, Y0, Y2     // a - c
	VMULPS  Y1, Y2, Y1      // Y1: x = a³ - c³
	VCMPPS  $2, Y15, Y0, Y0 // where a <= c
	VCMPPS  $0, Y10, Y1, Y8 // where x = 0
	VORPS   Y0, Y8, Y8      // Y8: where the forward weight is 0

	// The bits of x divided by 3, of four entries at a time.
	VPMULUDQ Y12, Y1, Y2
	VPSRLQ   $33, Y2, Y2
	VPSRLQ   $32, Y1, Y3
	VPMULUDQ Y12, Y3, Y3
	VPSRLQ   $33, Y3, Y3
	VPSLLQ   $32, Y3, Y3
	VPOR     Y3, Y2, Y2
	VPADDD   Y11, Y2, Y2 // Y2: t, the first guess

	// t·(t³ + 2x)/(2t³ + x), twice.
	VADDPS Y1, Y1, Y7 // Y7: 2x
	VMULPS Y2, Y2, Y3
	VMULPS Y2, Y3, Y3 // t³
	VADDPS Y7, Y3, Y4
	VMULPS Y4, Y2, Y2
	VADDPS Y3, Y3, Y3
	VADDPS Y1, Y3, Y3
	VDIVPS Y3, Y2, Y2
	VMULPS Y2, Y2, Y3
	VMULPS Y2, Y3, Y3
	VADDPS Y7, Y3, Y4
	VMULPS Y4, Y2, Y2
	VADDPS Y3, Y3, Y3
	VADDPS Y1, Y3, Y3
	VDIVPS Y3, Y2, Y2

	VORPS     Y9, Y2, Y2
	VANDNPS   Y2, Y8, Y8
	VADDPS    Y10, Y8, Y8      // a root that is too small for a float32 loses its sign
	VBLENDVPS Y6, Y13, Y8, Y8
	VMOVUPS   Y8, (DI)

next:
	ADDQ $32, DI
	ADDQ $32, SI
	DECQ CX
	JNZ  loop

done:
	VZEROUPPER
	RET

// func forwardHard(masked, w []float32)
TEXT ·forwardHard(SB), NOSPLIT, $0-48
	MOVQ         masked_base+0(FP), DI
	MOVQ         masked_len+8(FP), CX
	MOVQ         w_base+24(FP), SI
	MOVL         $0x80000000, AX
	VMOVD        AX, X13
	VPBROADCASTD X13, Y13              // Y13: a pruned entry
	VXORPS       Y10, Y10, Y10         // Y10: 0
	SHRQ         $3, CX
	JZ           done

loop:
	VPCMPEQD  (DI), Y13, Y6    // Y6: where pruned
	VADDPS    (SI), Y10, Y8    // a zero loses its sign
	VBLENDVPS Y6, Y13, Y8, Y8
	VMOVUPS   Y8, (DI)
	ADDQ      $32, DI
	ADDQ      $32, SI
	DECQ      CX
	JNZ       loop

done:
	VZEROUPPER
	RET
