#include "textflag.h"
#include "neon_arm64.h"

// The arguments of a tile of outputs, directTile, by their offsets.
#define T_x 0
#define T_pos 8
#define T_runs 72
#define T_nruns 80
#define T_length 88
#define T_w 96
#define T_init 112
#define T_initStep 120
#define T_out 128
#define T_outStep 136

// LOADS and STORES go on by R5 in R4.
#define LOADS(a, b, c, d) VLD1.P (R4)(R5), [a.S4, b.S4, c.S4, d.S4]
#define STORES(a, b, c, d) VST1.P [a.S4, b.S4, c.S4, d.S4], (R4)(R5)

#define LOADS6 \
	LOADS(V0, V1, V2, V3)     \
	LOADS(V4, V5, V6, V7)     \
	LOADS(V8, V9, V10, V11)   \
	LOADS(V12, V13, V14, V15) \
	LOADS(V16, V17, V18, V19) \
	LOADS(V20, V21, V22, V23)

#define STORES6 \
	STORES(V0, V1, V2, V3)     \
	STORES(V4, V5, V6, V7)     \
	STORES(V8, V9, V10, V11)   \
	STORES(V12, V13, V14, V15) \
	STORES(V16, V17, V18, V19) \
	STORES(V20, V21, V22, V23)

// TIMES adds 16 numbers, in V24 to V27, times a lane of m.
#define TIMES(lane, m, a, b, c, d) \
	FMLA(lane, m, 24, a) \
	FMLA(lane, m, 25, b) \
	FMLA(lane, m, 26, c) \
	FMLA(lane, m, 27, d)

// func directNEON(t *directTile)
//
// Six positions, 16 outputs: an element of a position times the weights of the outputs. Each sum is made in the order
// of the runs, each product and addition rounded once: the bits are those of AVX2.
TEXT ·directNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD T_x(R0), R1
	MOVD T_pos+0(R0), R6
	MOVD T_pos+8(R0), R7
	MOVD T_pos+16(R0), R8
	MOVD T_pos+24(R0), R9
	MOVD T_pos+32(R0), R10
	MOVD T_pos+40(R0), R11
	MOVD T_init(R0), R4
	MOVD T_initStep(R0), R5
	LOADS6
	MOVD T_w(R0), R2
	MOVD T_runs(R0), R3
	MOVD T_nruns(R0), R12

run:
	MOVD.P 8(R3), R13
	ADD    R1, R13           // where the run begins
	ADD    R13, R6, R14
	ADD    R13, R7, R15
	ADD    R13, R8, R16
	ADD    R13, R9, R17
	ADD    R13, R10, R19
	ADD    R13, R11, R20
	MOVD   T_length(R0), R21

step:
	VLD1.P  64(R2), [V24.S4, V25.S4, V26.S4, V27.S4]
	FMOVS.P 4(R14), F28
	FMOVS.P 4(R15), F29
	FMOVS.P 4(R16), F30
	FMOVS.P 4(R17), F31
	TIMES(0, 28, 0, 1, 2, 3)
	TIMES(0, 29, 4, 5, 6, 7)
	FMOVS.P 4(R19), F28
	FMOVS.P 4(R20), F29
	TIMES(0, 30, 8, 9, 10, 11)
	TIMES(0, 31, 12, 13, 14, 15)
	TIMES(0, 28, 16, 17, 18, 19)
	TIMES(0, 29, 20, 21, 22, 23)
	SUB     $1, R21
	CBNZ    R21, step
	SUB     $1, R12
	CBNZ    R12, run

	MOVD T_out(R0), R4
	MOVD T_outStep(R0), R5
	STORES6
	RET

// The arguments of a tile of a weight gradient, gradientTile, by their offsets.
#define G_x 0
#define G_xStep 8
#define G_xRow 16
#define G_dy 24
#define G_dyStep 32
#define G_rows 40
#define G_cols 48
#define G_sum 56
#define G_sumStep 64

// func gradientNEON(t *gradientTile)
//
// Six elements of a run, 16 outputs, in the order of the positions, each product and addition rounded once.
TEXT ·gradientNEON(SB), NOSPLIT, $0-8
	MOVD t+0(FP), R0
	MOVD G_x(R0), R1
	MOVD G_xStep(R0), R6
	MOVD G_xRow(R0), R7
	MOVD G_dy(R0), R2
	MOVD G_dyStep(R0), R8
	MOVD G_rows(R0), R9
	MOVD G_cols(R0), R10
	MOVD G_sum(R0), R4
	MOVD G_sumStep(R0), R5
	LOADS6

row:
	MOVD R10, R11

col:
	VLD1.P (R2)(R8), [V24.S4, V25.S4, V26.S4, V27.S4]
	ADD    $16, R1, R12
	VLD1   (R1), [V28.S4]
	VLD1   (R12), [V29.S2]
	ADD    R6, R1
	TIMES(0, 28, 0, 1, 2, 3)
	TIMES(1, 28, 4, 5, 6, 7)
	TIMES(2, 28, 8, 9, 10, 11)
	TIMES(3, 28, 12, 13, 14, 15)
	TIMES(0, 29, 16, 17, 18, 19)
	TIMES(1, 29, 20, 21, 22, 23)
	SUB    $1, R11
	CBNZ   R11, col
	ADD    R7, R1
	SUB    $1, R9
	CBNZ   R9, row

	MOVD G_sum(R0), R4
	STORES6
	RET

// ROW is the address of a row of the source behind another, or that one where there are no more than i.
#define ROW(i, before, at) \
	ADD  R1, before, at     \
	CMP  $i, R4             \
	CSEL GT, at, before, at

// FOURS makes columns of four rows: a to d, in e to h by way of t to w.
#define FOURS(a, b, c, d, t, u, v, w, e, f, g, h) \
	VTRN1 b.S4, a.S4, t.S4 \
	VTRN2 b.S4, a.S4, u.S4 \
	VTRN1 d.S4, c.S4, v.S4 \
	VTRN2 d.S4, c.S4, w.S4 \
	VZIP1 v.D2, t.D2, e.D2 \
	VZIP1 w.D2, u.D2, f.D2 \
	VZIP2 v.D2, t.D2, g.D2 \
	VZIP2 w.D2, u.D2, h.D2

// func transpose8(src *float32, srcStep int, dst *float32, dstStep int, m, n, over int)
//
// dst[j][i] = src[i][j] for i < m <= 8, j < n. Steps are in bytes. Where over is not 0, up to eight elements are
// written of each j, of which those from m on are of no use. Four columns at a time: of eight rows, or of four, two and
// one of them; then the last columns.
TEXT ·transpose8(SB), NOSPLIT, $0-56
	MOVD src+0(FP), R0
	MOVD srcStep+8(FP), R1
	MOVD dst+16(FP), R2
	MOVD dstStep+24(FP), R3
	MOVD m+32(FP), R4
	MOVD n+40(FP), R5
	MOVD over+48(FP), R6
	LSR  $2, R5, R7         // R7: fours of columns
	CBZ  R7, tail
	MOVD R0, R9
	ROW(1, R9, R10)
	ROW(2, R10, R11)
	ROW(3, R11, R12)
	MOVD R2, R21            // R21: where columns go
	MOVD R7, R22            // R22: fours that are left
	CMP  $8, R4
	BEQ  eight
	CBZ  R6, parts
	CMP  $4, R4
	BLE  four

eight:
	ROW(4, R12, R13)
	ROW(5, R13, R14)
	ROW(6, R14, R15)
	ROW(7, R15, R16)

eightOne:
	VLD1.P 16(R9), [V0.S4]
	VLD1.P 16(R10), [V1.S4]
	VLD1.P 16(R11), [V2.S4]
	VLD1.P 16(R12), [V3.S4]
	VLD1.P 16(R13), [V4.S4]
	VLD1.P 16(R14), [V5.S4]
	VLD1.P 16(R15), [V6.S4]
	VLD1.P 16(R16), [V7.S4]
	FOURS(V0, V1, V2, V3, V24, V25, V26, V27, V16, V18, V20, V22)
	FOURS(V4, V5, V6, V7, V28, V29, V30, V31, V17, V19, V21, V23)
	VST1.P [V16.S4, V17.S4], (R21)(R3)
	VST1.P [V18.S4, V19.S4], (R21)(R3)
	VST1.P [V20.S4, V21.S4], (R21)(R3)
	VST1.P [V22.S4, V23.S4], (R21)(R3)
	SUB    $1, R22
	CBNZ   R22, eightOne
	B      tail

parts:
	TBZ $2, R4, two

four:
	VLD1.P 16(R9), [V0.S4]
	VLD1.P 16(R10), [V1.S4]
	VLD1.P 16(R11), [V2.S4]
	VLD1.P 16(R12), [V3.S4]
	FOURS(V0, V1, V2, V3, V24, V25, V26, V27, V16, V18, V20, V22)
	VST1.P [V16.S4], (R21)(R3)
	VST1.P [V18.S4], (R21)(R3)
	VST1.P [V20.S4], (R21)(R3)
	VST1.P [V22.S4], (R21)(R3)
	SUB    $1, R22
	CBNZ   R22, four
	CBNZ   R6, tail
	ADD    R1<<2, R0, R9
	ADD    R1, R9, R10
	ADD    $16, R2, R21
	MOVD   R7, R22

two:
	TBZ  $1, R4, one
	MOVD R9, R23

twoOne:
	VLD1.P 16(R9), [V0.S4]
	VLD1.P 16(R10), [V1.S4]
	VZIP1  V1.S4, V0.S4, V2.S4
	VZIP2  V1.S4, V0.S4, V3.S4
	VST1.P V2.D[0], (R21)(R3)
	VST1.P V2.D[1], (R21)(R3)
	VST1.P V3.D[0], (R21)(R3)
	VST1.P V3.D[1], (R21)(R3)
	SUB    $1, R22
	CBNZ   R22, twoOne
	ADD    R1<<1, R23, R9
	AND    $4, R4, R21
	ADD    R21<<2, R2, R21
	ADD    $8, R21
	MOVD   R7, R22

one:
	TBZ $0, R4, tail

oneOne:
	VLD1.P 16(R9), [V0.S4]
	VST1.P V0.S[0], (R21)(R3)
	VST1.P V0.S[1], (R21)(R3)
	VST1.P V0.S[2], (R21)(R3)
	VST1.P V0.S[3], (R21)(R3)
	SUB    $1, R22
	CBNZ   R22, oneOne

tail:
	ANDS $3, R5
	BEQ  done
	ADD  R7<<4, R0  // behind the fours
	MUL  R3, R7, R7
	ADD  R7<<2, R2

column:
	MOVD R0, R9
	MOVD R2, R21
	MOVD R4, R22

element:
	FMOVS   (R9), F0
	ADD     R1, R9
	FMOVS.P F0, 4(R21)
	SUB     $1, R22
	CBNZ    R22, element
	ADD     $4, R0
	ADD     R3, R2
	SUB     $1, R5
	CBNZ    R5, column

done:
	RET
