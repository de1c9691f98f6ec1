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

// func copyRows32(src *float32, srcStep int, dst *float32, dstStep, rows int)
//
// Rows of 32 elements. Steps are in bytes. What follows in a row will be wanted next.
TEXT ·copyRows32(SB), NOSPLIT, $0-40
	MOVD src+0(FP), R0
	MOVD srcStep+8(FP), R1
	MOVD dst+16(FP), R2
	MOVD dstStep+24(FP), R3
	MOVD rows+32(FP), R4

rows32:
	ADD  $64, R0, R5
	ADD  $64, R2, R6
	VLD1 (R0), [V0.S4, V1.S4, V2.S4, V3.S4]
	VLD1 (R5), [V4.S4, V5.S4, V6.S4, V7.S4]
	PRFM 128(R0), PLDL1KEEP
	PRFM 192(R0), PLDL1KEEP
	VST1 [V0.S4, V1.S4, V2.S4, V3.S4], (R2)
	VST1 [V4.S4, V5.S4, V6.S4, V7.S4], (R6)
	ADD  R1, R0
	ADD  R3, R2
	SUB  $1, R4
	CBNZ R4, rows32
	RET

// func copyRowsOf(src *float32, srcStep int, dst *float32, dstStep, rows, n int)
//
// Rows of n elements, at most 32. Steps are in bytes.
TEXT ·copyRowsOf(SB), NOSPLIT, $0-48
	MOVD src+0(FP), R0
	MOVD srcStep+8(FP), R1
	MOVD dst+16(FP), R2
	MOVD dstStep+24(FP), R3
	MOVD rows+32(FP), R4
	MOVD n+40(FP), R5

columns8:
	MOVD R0, R6
	MOVD R2, R7
	MOVD R4, R8
	SUBS $8, R5
	BLT  last

rows8:
	VLD1.P (R6)(R1), [V0.S4, V1.S4]
	VST1.P [V0.S4, V1.S4], (R7)(R3)
	SUB    $1, R8
	CBNZ   R8, rows8
	ADD    $32, R0
	ADD    $32, R2
	B      columns8

last:
	TBZ $2, R5, last2

rows4:
	VLD1.P (R6)(R1), [V0.S4]
	VST1.P [V0.S4], (R7)(R3)
	SUB    $1, R8
	CBNZ   R8, rows4
	ADD    $16, R0
	ADD    $16, R2
	MOVD   R0, R6
	MOVD   R2, R7
	MOVD   R4, R8

last2:
	TBZ $1, R5, last1

rows2:
	VLD1.P (R6)(R1), [V0.S2]
	VST1.P [V0.S2], (R7)(R3)
	SUB    $1, R8
	CBNZ   R8, rows2
	ADD    $8, R0
	ADD    $8, R2
	MOVD   R0, R6
	MOVD   R2, R7
	MOVD   R4, R8

last1:
	TBZ $0, R5, copied

rows1:
	FMOVS (R6), F0
	FMOVS F0, (R7)
	ADD   R1, R6
	ADD   R3, R7
	SUB   $1, R8
	CBNZ  R8, rows1

copied:
	RET

// func thin8(src, dst *float32, n int)
//
// Every other of 16·n elements.
TEXT ·thin8(SB), NOSPLIT, $0-24
	MOVD src+0(FP), R0
	MOVD dst+8(FP), R1
	MOVD n+16(FP), R2

thinOne:
	VLD2.P 32(R0), [V0.S4, V1.S4]
	VLD2.P 32(R0), [V2.S4, V3.S4]
	VST1.P [V0.S4], 16(R1)
	VST1.P [V2.S4], 16(R1)
	SUB    $1, R2
	CBNZ   R2, thinOne
	RET

// func widen8(src, dst *float32, n int)
//
// 8·n elements, with a zero behind each.
TEXT ·widen8(SB), NOSPLIT, $0-24
	MOVD src+0(FP), R0
	MOVD dst+8(FP), R1
	MOVD n+16(FP), R2
	VEOR V1.B16, V1.B16, V1.B16
	VEOR V3.B16, V3.B16, V3.B16

widenOne:
	VLD1.P 16(R0), [V0.S4]
	VLD1.P 16(R0), [V2.S4]
	VST2.P [V0.S4, V1.S4], 32(R1)
	VST2.P [V2.S4, V3.S4], 32(R1)
	SUB    $1, R2
	CBNZ   R2, widenOne
	RET
