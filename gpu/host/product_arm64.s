#include "textflag.h"
#include "neon_arm64.h"

// The arguments of a tile of a product, productTile, by their offsets.
#define P_a 0
#define P_b 8
#define P_k 16
#define P_c 24
#define P_cStep 32
#define P_init 40
#define P_next 48
#define P_nextStep 56
#define P_line 64
#define P_lines 72
#define P_rows 80

// EACH begins the 16 sums of a row with a number.
#define EACH(a, b, c, d) \
	VLD1R.P 4(R6), [a.S4]      \
	VORR    a.B16, a.B16, b.B16 \
	VORR    a.B16, a.B16, c.B16 \
	VORR    a.B16, a.B16, d.B16

#define LOADS(a, b, c, d) \
	VLD1 (R4), [a.S4, b.S4, c.S4, d.S4] \
	ADD  R5, R4

#define STORES(a, b, c, d) \
	VST1 [a.S4, b.S4, c.S4, d.S4], (R4) \
	ADD  R5, R4

// TIMES adds 16 elements of B, in V24 to V27, times a lane of m.
#define TIMES(lane, m, a, b, c, d) \
	FMLA(lane, m, 24, a) \
	FMLA(lane, m, 25, b) \
	FMLA(lane, m, 26, c) \
	FMLA(lane, m, 27, d)

// func productNEON(t *productTile)
//
// Six rows, 16 columns. Each sum is made in the order of k, each product and addition rounded once, as by FMA: the bits
// are those of AVX2.
TEXT ·productNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD P_a(R0), R1
	MOVD P_b(R0), R2
	MOVD P_k(R0), R3
	MOVD P_c(R0), R4
	MOVD P_cStep(R0), R5
	MOVD P_init(R0), R6
	MOVD P_next(R0), R8
	MOVD P_nextStep(R0), R10
	MOVD P_line(R0), R11
	MOVD P_lines(R0), R12
	MOVD P_rows(R0), R13
	MOVD R12, R9
	MOVD R8, R14
	CBNZ R6, each
	LOADS(V0, V1, V2, V3)
	LOADS(V4, V5, V6, V7)
	LOADS(V8, V9, V10, V11)
	LOADS(V12, V13, V14, V15)
	LOADS(V16, V17, V18, V19)
	LOADS(V20, V21, V22, V23)
	B    step

each:
	EACH(V0, V1, V2, V3)
	EACH(V4, V5, V6, V7)
	EACH(V8, V9, V10, V11)
	EACH(V12, V13, V14, V15)
	EACH(V16, V17, V18, V19)
	EACH(V20, V21, V22, V23)

step:
	// A line of the cache of what comes next; behind its last row, of what is being multiplied.
	PRFM (R8), PLDL2KEEP
	ADD  R11, R8
	SUBS $1, R9
	BEQ  nextRow

go:
	VLD1.P 64(R2), [V24.S4, V25.S4, V26.S4, V27.S4]
	VLD1.P 16(R1), [V28.S4]
	VLD1.P 8(R1), [V29.S2]
	TIMES(0, 28, 0, 1, 2, 3)
	TIMES(1, 28, 4, 5, 6, 7)
	TIMES(2, 28, 8, 9, 10, 11)
	TIMES(3, 28, 12, 13, 14, 15)
	TIMES(0, 29, 16, 17, 18, 19)
	TIMES(1, 29, 20, 21, 22, 23)
	SUBS $1, R3
	BNE  step
	B    done

nextRow:
	ADD  R10, R14
	MOVD R14, R8
	MOVD R12, R9
	SUBS $1, R13
	BNE  go
	MOVD R1, R8
	MOVD $0, R11
	ADD  $1, R3, R9
	B    go

done:
	MOVD P_c(R0), R4
	STORES(V0, V1, V2, V3)
	STORES(V4, V5, V6, V7)
	STORES(V8, V9, V10, V11)
	STORES(V12, V13, V14, V15)
	STORES(V16, V17, V18, V19)
	STORES(V20, V21, V22, V23)
	RET
