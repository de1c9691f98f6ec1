#include "textflag.h"
#include "neon_arm64.h"

#define REDRAW \
	MOVD w+0(FP), R0      \
	MOVD masked+8(FP), R1 \
	MOVD n+16(FP), R2     \
	LSL  $1, R2           \
	MOVD $0x80000000, R3  \
	VDUP R3, V16.S4       \
	VEOR V17.B16, V17.B16, V17.B16 \
	VEOR V18.B16, V18.B16, V18.B16 \
	VEOR V19.B16, V19.B16, V19.B16 \
	VEOR V20.B16, V20.B16, V20.B16

// DECIDED writes forward weights of four entries, V0: gpu.Pruned where V1 is set, else the entry. V18 counts those, V19
// what was kept before of them, V20 what was pruned before of the others.
#define DECIDED \
	VLD1  (R1), [V2.S4]           \
	VCMEQ V16.S4, V2.S4, V2.S4    \
	VSUB  V1.S4, V18.S4, V18.S4   \
	BICV(2, 1, 3)                  \
	VSUB  V3.S4, V19.S4, V19.S4   \
	BICV(1, 2, 3)                  \
	VSUB  V3.S4, V20.S4, V20.S4   \
	FADD(17, 0, 0)                \
	VBIT  V1.B16, V16.B16, V0.B16 \
	VST1.P [V0.S4], 16(R1)        \
	SUB   $1, R2

// COUNTED adds the four counts of a register, in R4.
#define COUNTED(v) \
	VADDV v.S4, V0     \
	VMOV  V0.S[0], R4

// func sgd8(w, grad, history *float32, n int, u *sgdNumbers)
//
// history = rate·(scale·grad + decay·w) + momentum·history, w -= history, and grad the step or 0, each operation
// rounded, of n times eight elements.
TEXT ·sgd8(SB), NOSPLIT, $0-40
	MOVD w+0(FP), R0
	MOVD grad+8(FP), R1
	MOVD history+16(FP), R2
	MOVD n+24(FP), R3
	MOVD u+32(FP), R4
	VLD1R.P 4(R4), [V16.S4] // rate
	VLD1R.P 4(R4), [V17.S4] // scale
	VLD1R.P 4(R4), [V18.S4] // decay
	VLD1R.P 4(R4), [V19.S4] // momentum
	VLD1R (R4), [V20.S4]    // all bits, where the step stays

sgd:
	VLD1 (R0), [V0.S4, V1.S4]
	VLD1 (R1), [V2.S4, V3.S4]
	VLD1 (R2), [V4.S4, V5.S4]
	FMUL(17, 2, 2)
	FMUL(17, 3, 3)
	FMUL(18, 0, 6)
	FMUL(18, 1, 7)
	FADD(6, 2, 2)
	FADD(7, 3, 3)
	FMUL(16, 2, 2)
	FMUL(16, 3, 3)
	FMUL(19, 4, 4)
	FMUL(19, 5, 5)
	FADD(4, 2, 2)
	FADD(5, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R2)
	FSUB(2, 0, 0)
	FSUB(3, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R0)
	VAND V20.B16, V2.B16, V2.B16
	VAND V20.B16, V3.B16, V3.B16
	VST1.P [V2.S4, V3.S4], 32(R1)
	SUB  $1, R3
	CBNZ R3, sgd
	RET

// func redrawSeed8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)
//
// Entries between low and high are pruned, of n times eight.
TEXT ·redrawSeed8(SB), NOSPLIT, $0-44
	TO4(low+24(FP), F21, V21)
	TO4(high+28(FP), F22, V22)
	REDRAW

seed:
	VLD1.P 16(R0), [V0.S4]
	FCMGT(21, 0, 1)
	FCMGT(0, 22, 2)
	VAND V2.B16, V1.B16, V1.B16
	DECIDED
	CBNZ R2, seed
	COUNTED(V18)
	MOVW R4, drop+32(FP)
	COUNTED(V19)
	MOVW R4, pruned+36(FP)
	COUNTED(V20)
	MOVW R4, spliced+40(FP)
	RET

// func redrawCut8(w, masked *float32, n int, cut float32) (drop, pruned, spliced uint32)
//
// Entries of a magnitude up to cut are pruned, of n times eight.
TEXT ·redrawCut8(SB), NOSPLIT, $0-44
	TO4(cut+24(FP), F21, V21)
	REDRAW

cut:
	VLD1.P 16(R0), [V0.S4]
	FABS(0, 1)
	FCMGE(1, 21, 1)
	DECIDED
	CBNZ R2, cut
	COUNTED(V18)
	MOVW R4, drop+32(FP)
	COUNTED(V19)
	MOVW R4, pruned+36(FP)
	COUNTED(V20)
	MOVW R4, spliced+40(FP)
	RET

// func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)
//
// What was kept is pruned up to a magnitude of low, and what was pruned stays so unless above high, of n vectors of
// eight.
TEXT ·redrawPaper8(SB), NOSPLIT, $0-44
	TO4(low+24(FP), F21, V21)
	TO4(high+28(FP), F22, V22)
	REDRAW

paper:
	VLD1.P 16(R0), [V0.S4]
	VLD1  (R1), [V2.S4]
	VCMEQ V16.S4, V2.S4, V2.S4
	FABS(0, 3)
	FCMGE(3, 21, 4)
	FCMGT(22, 3, 1)
	BICV(1, 2, 1)
	BICV(2, 4, 4)
	ORRV(4, 1, 1)
	DECIDED
	CBNZ R2, paper
	COUNTED(V18)
	MOVW R4, drop+32(FP)
	COUNTED(V19)
	MOVW R4, pruned+36(FP)
	COUNTED(V20)
	MOVW R4, spliced+40(FP)
	RET

// DOUBLES adds four magnitudes to two registers of float64 from a on, and their squares to those from b on.
#define DOUBLES(v, a, b) \
	FCVTL(v, 4)        \
	FCVTL2(v, 5)       \
	DADD(4, a, a)      \
	DADD(5, a+1, a+1)  \
	DMUL(4, 4, 4)      \
	DMUL(5, 5, 5)      \
	DADD(4, b, b)      \
	DADD(5, b+1, b+1)

// MAGNITUDES makes of entries v their magnitudes, or 0 where they are pruned, as forward weights m say, or 0, and
// counts.
#define MAGNITUDES(v, m) \
	FCMEQ(17, v, 6)     \
	VCMEQ V16.S4, m.S4, m.S4 \
	VORR  m.B16, V6.B16, V6.B16 \
	BICV(6, 21, 6)      \
	VSUB  V6.S4, V18.S4, V18.S4 \
	FABS(v, v)          \
	ANDV(6, v, v)

// func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32)
//
// Adds |w| to eight lanes, and w² to the eight behind them, and counts, where an entry is neither 0 nor pruned, of n
// vectors of eight. A square of a float32 is exact in float64.
TEXT ·paperSums8(SB), NOSPLIT, $0-36
	MOVD   lanes+24(FP), R5
	REDRAW
	LSR    $1, R2
	MOVD   R5, R6
	VLD1.P 64(R6), [V24.D2, V25.D2, V26.D2, V27.D2]
	VLD1   (R6), [V28.D2, V29.D2, V30.D2, V31.D2]
	VCMEQ  V17.S4, V17.S4, V21.S4 // V21: all bits

sums:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	MAGNITUDES(0, V2)
	MAGNITUDES(1, V3)
	DOUBLES(0, 24, 28)
	DOUBLES(1, 26, 30)
	SUB    $1, R2
	CBNZ   R2, sums
	VST1.P [V24.D2, V25.D2, V26.D2, V27.D2], 64(R5)
	VST1   [V28.D2, V29.D2, V30.D2, V31.D2], (R5)
	COUNTED(V18)
	MOVW   R4, count+32(FP)
	RET
