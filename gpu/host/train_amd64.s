#include "textflag.h"

// func sgd8(w, grad, history *float32, n int, u *sgdNumbers)
//
// history = rate·(scale·grad + decay·w) + momentum·history, w -= history, and grad the step or 0, each operation
// rounded, for n vectors of eight elements.
TEXT ·sgd8(SB), NOSPLIT, $0-40
	MOVQ         w+0(FP), SI
	MOVQ         grad+8(FP), DX
	MOVQ         history+16(FP), DI
	MOVQ         n+24(FP), CX
	MOVQ         u+32(FP), BX
	VBROADCASTSS 0(BX), Y8   // rate
	VBROADCASTSS 4(BX), Y9   // scale
	VBROADCASTSS 8(BX), Y10  // decay
	VBROADCASTSS 12(BX), Y11 // momentum
	VBROADCASTSS 16(BX), Y12 // all bits, where the step stays
	XORQ         AX, AX

sgd:
	VMOVUPS (SI)(AX*1), Y0
	VMULPS  (DX)(AX*1), Y9, Y1
	VMULPS  Y0, Y10, Y2
	VADDPS  Y2, Y1, Y1
	VMULPS  Y8, Y1, Y1
	VMULPS  (DI)(AX*1), Y11, Y2
	VADDPS  Y2, Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	VSUBPS  Y1, Y0, Y0
	VMOVUPS Y0, (SI)(AX*1)
	VANDPS  Y12, Y1, Y1
	VMOVUPS Y1, (DX)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     sgd
	VZEROUPPER
	RET

DATA signBit<>+0(SB)/4, $0x80000000
GLOBL signBit<>(SB), RODATA|NOPTR, $4

#define REDRAW \
	MOVQ         w+0(FP), SI      \
	MOVQ         masked+8(FP), DI \
	MOVQ         n+16(FP), CX     \
	VBROADCASTSS signBit<>(SB), Y8 \
	VXORPS       Y9, Y9, Y9       \
	VXORPS       Y10, Y10, Y10    \
	VXORPS       Y11, Y11, Y11    \
	VXORPS       Y12, Y12, Y12    \
	XORQ         AX, AX

// DECIDED writes forward weights of eight entries, Y0: gpu.Pruned where Y1 is set, else the entry. Y10 counts those,
// Y11 what was kept before of them, Y12 what was pruned before of the others.
#define DECIDED \
	VPCMPEQD (DI)(AX*1), Y8, Y2 \
	VPSUBD   Y1, Y10, Y10       \
	VPANDN   Y1, Y2, Y3         \
	VPSUBD   Y3, Y11, Y11       \
	VPANDN   Y2, Y1, Y3         \
	VPSUBD   Y3, Y12, Y12       \
	VADDPS   Y9, Y0, Y0         \
	VBLENDVPS Y1, Y8, Y0, Y0    \
	VMOVUPS  Y0, (DI)(AX*1)     \
	ADDQ     $32, AX            \
	DECQ     CX

// COUNTED adds the eight counts of a register, in AX.
#define COUNTED(y, x) \
	VEXTRACTI128 $1, y, X0   \
	VPADDD       X0, x, x    \
	VPSHUFD      $0x4e, x, X0 \
	VPADDD       X0, x, x    \
	VPSHUFD      $0xb1, x, X0 \
	VPADDD       X0, x, x    \
	VMOVD        x, AX

// func redrawSeed8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)
//
// Entries between low and high are pruned, of n vectors of eight.
TEXT ·redrawSeed8(SB), NOSPLIT, $0-44
	VBROADCASTSS low+24(FP), Y13
	VBROADCASTSS high+28(FP), Y14
	REDRAW

seed:
	VMOVUPS (SI)(AX*1), Y0
	VCMPPS  $1, Y0, Y13, Y1 // low is less
	VCMPPS  $1, Y14, Y0, Y2
	VANDPS  Y2, Y1, Y1
	DECIDED
	JNZ     seed
	COUNTED(Y10, X10)
	MOVL    AX, drop+32(FP)
	COUNTED(Y11, X11)
	MOVL    AX, pruned+36(FP)
	COUNTED(Y12, X12)
	MOVL    AX, spliced+40(FP)
	VZEROUPPER
	RET

// func redrawCut8(w, masked *float32, n int, cut float32) (drop, pruned, spliced uint32)
//
// Entries of a magnitude up to cut are pruned, of n vectors of eight.
TEXT ·redrawCut8(SB), NOSPLIT, $0-44
	VBROADCASTSS cut+24(FP), Y13
	REDRAW

cut:
	VMOVUPS (SI)(AX*1), Y0
	VANDNPS Y0, Y8, Y1
	VCMPPS  $2, Y13, Y1, Y1 // less or equal
	DECIDED
	JNZ     cut
	COUNTED(Y10, X10)
	MOVL    AX, drop+32(FP)
	COUNTED(Y11, X11)
	MOVL    AX, pruned+36(FP)
	COUNTED(Y12, X12)
	MOVL    AX, spliced+40(FP)
	VZEROUPPER
	RET

// func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)
//
// What was kept is pruned up to a magnitude of low, and what was pruned stays so unless above high, of n vectors of
// eight.
TEXT ·redrawPaper8(SB), NOSPLIT, $0-44
	VBROADCASTSS low+24(FP), Y13
	VBROADCASTSS high+28(FP), Y14
	REDRAW

paper:
	VMOVUPS  (SI)(AX*1), Y0
	VANDNPS  Y0, Y8, Y1
	VPCMPEQD (DI)(AX*1), Y8, Y2
	VCMPPS   $2, Y13, Y1, Y3 // less or equal
	VCMPPS   $1, Y1, Y14, Y1 // high is less
	VPANDN   Y2, Y1, Y1
	VPANDN   Y3, Y2, Y3
	VPOR     Y3, Y1, Y1
	DECIDED
	JNZ      paper
	COUNTED(Y10, X10)
	MOVL     AX, drop+32(FP)
	COUNTED(Y11, X11)
	MOVL     AX, pruned+36(FP)
	COUNTED(Y12, X12)
	MOVL     AX, spliced+40(FP)
	VZEROUPPER
	RET

// func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32)
//
// Adds |w| to eight lanes, and w² to the eight behind them, and counts, where an entry is neither 0 nor pruned, of n
// vectors of eight. A square of a float32 is exact in float64.
TEXT ·paperSums8(SB), NOSPLIT, $0-36
	MOVQ    lanes+24(FP), R8
	VMOVUPD (R8), Y4
	VMOVUPD 32(R8), Y5
	VMOVUPD 64(R8), Y6
	VMOVUPD 96(R8), Y7
	REDRAW

sums:
	VMOVUPS      (SI)(AX*1), Y0
	VPCMPEQD     (DI)(AX*1), Y8, Y2
	VCMPPS       $4, Y9, Y0, Y1 // not equal, or NaN
	VPANDN       Y1, Y2, Y1
	VPSUBD       Y1, Y10, Y10
	VANDNPS      Y0, Y8, Y0
	VANDPS       Y1, Y0, Y0
	VEXTRACTF128 $1, Y0, X1
	VCVTPS2PD    X0, Y0
	VCVTPS2PD    X1, Y1
	VADDPD       Y0, Y4, Y4
	VADDPD       Y1, Y5, Y5
	VMULPD       Y0, Y0, Y0
	VMULPD       Y1, Y1, Y1
	VADDPD       Y0, Y6, Y6
	VADDPD       Y1, Y7, Y7
	ADDQ         $32, AX
	DECQ         CX
	JNZ          sums
	VMOVUPD      Y4, (R8)
	VMOVUPD      Y5, 32(R8)
	VMOVUPD      Y6, 64(R8)
	VMOVUPD      Y7, 96(R8)
	COUNTED(Y10, X10)
	MOVL         AX, count+32(FP)
	VZEROUPPER
	RET
