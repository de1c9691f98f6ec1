#include "textflag.h"
#include "neon_arm64.h"

// Each sum is made as by AVX-512, where it is fused there: so are the bits.

// The arguments of a plane, depthwisePlane, by their offsets.
#define D_x 0
#define D_xStep 8
#define D_w 16
#define D_y 24
#define D_yStep 32
#define D_rows 40
#define D_cols 48
#define D_bias 56
#define D_sums 64

#define BEGIN_PLANE \
	MOVD t+0(FP), R0      \
	MOVD D_x(R0), R1      \
	MOVD D_xStep(R0), R11 \
	MOVD D_y(R0), R2      \
	MOVD D_yStep(R0), R12 \
	MOVD D_rows(R0), R14  \
	MOVD D_cols(R0), R13

// WEIGHTS has nine weights in the lanes of V0 to V2, and the bias in V3.
#define WEIGHTS \
	MOVD   D_w(R0), R3            \
	VLD1.P 32(R3), [V0.S4, V1.S4] \
	FMOVS  (R3), F2               \
	ADD    $D_bias, R0, R3        \
	VLD1R  (R3), [V3.S4]

// ROWS begins with the rows that an output's row reads, so many bytes in.
#define ROWS(bytes) \
	ADD  bytes, R1, R5 \
	ADD  R11, R5, R6   \
	ADD  R11, R6, R7   \
	MOVD R2, R8        \
	MOVD R13, R9

#define ON(bytes) \
	ADD $bytes, R5 \
	ADD $bytes, R6 \
	ADD $bytes, R7

// TAP adds elements times the weight of a number.
#define TAP(number, n, d) FMLA((number)&3, (number)>>2, n, d)

// SUM8 adds three taps of eight outputs of a row, from the weight of a number on, to V16 and V17; SUM4 of four.
#define SUM8(r, number) \
	LOADU(0, r, 4)        \
	LOADU(16, r, 5)       \
	LOADU(4, r, 6)        \
	LOADU(20, r, 7)       \
	LOADU(8, r, 18)       \
	LOADU(24, r, 19)      \
	TAP(number, 4, 16)    \
	TAP(number, 5, 17)    \
	TAP(number+1, 6, 16)  \
	TAP(number+1, 7, 17)  \
	TAP(number+2, 18, 16) \
	TAP(number+2, 19, 17)

#define SUM4(r, number) \
	LOADU(0, r, 4)        \
	LOADU(4, r, 6)        \
	LOADU(8, r, 18)       \
	TAP(number, 4, 16)    \
	TAP(number+1, 6, 16)  \
	TAP(number+2, 18, 16)

// func depthwiseSums(t *depthwisePlane)
//
// The outputs of a plane, stride 1.
TEXT ·depthwiseSums(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	WEIGHTS

sumsRow:
	ROWS($0)
	SUBS $8, R9
	BLT  sumsRest

sums8:
	MOV(3, 16)
	MOV(3, 17)
	SUM8(5, 0)
	SUM8(6, 3)
	SUM8(7, 6)
	VST1.P [V16.S4, V17.S4], 32(R8)
	ON(32)
	SUBS   $8, R9
	BGE    sums8

sumsRest:
	ANDS $7, R9
	BEQ  sumsNext

sums4:
	MOV(3, 16)
	SUM4(5, 0)
	SUM4(6, 3)
	SUM4(7, 6)
	SUBS   $4, R9
	BLT    sumsLast
	VST1.P [V16.S4], 16(R8)
	ON(16)
	BNE    sums4
	B      sumsNext

sumsLast:
	TBZ    $1, R9, sumsOdd // R9 is -3, -2 or -1
	TBZ    $0, R9, sumsTwo
	VST1.P V16.D[0], 8(R8) // three
	VST1   V16.S[2], (R8)
	B      sumsNext

sumsTwo:
	VST1 V16.D[0], (R8)
	B    sumsNext

sumsOdd:
	VST1 V16.S[0], (R8)

sumsNext:
	ADD  R11, R1
	ADD  R12, R2
	SUB  $1, R14
	CBNZ R14, sumsRow
	RET

// SUM2 adds three taps of four outputs of stride 2, of elements from r on: even ones, odd ones, and the even ones from
// the third on.
#define SUM2(r, number) \
	ADD  $8, r, R10            \
	VLD2 (r), [V4.S4, V5.S4]   \
	VLD2 (R10), [V6.S4, V7.S4] \
	TAP(number, 4, 16)         \
	TAP(number+1, 5, 16)       \
	TAP(number+2, 6, 16)

// func depthwiseSums2(t *depthwisePlane)
//
// The outputs of a plane, stride 2.
TEXT ·depthwiseSums2(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	WEIGHTS

sums2Row:
	ROWS($0)

sums2:
	MOV(3, 16)
	SUM2(R5, 0)
	SUM2(R6, 3)
	SUM2(R7, 6)
	SUBS   $4, R9
	BLT    sums2Last
	VST1.P [V16.S4], 16(R8)
	ON(32)
	BNE    sums2
	B      sums2Next

sums2Last:
	TBZ    $1, R9, sums2Odd
	TBZ    $0, R9, sums2Two
	VST1.P V16.D[0], 8(R8)
	VST1   V16.S[2], (R8)
	B      sums2Next

sums2Two:
	VST1 V16.D[0], (R8)
	B    sums2Next

sums2Odd:
	VST1 V16.S[0], (R8)

sums2Next:
	ADD  R11<<1, R1
	ADD  R12, R2
	SUB  $1, R14
	CBNZ R14, sums2Row
	RET

// The gradients of weights keep eight of the sixteen lanes of each tap's sum, in V0 to V8 and V9 to V17, while the
// plane passes: so it passes twice, R4 being 0 and 1.
#define NONE18 \
	VEOR V0.B16, V0.B16, V0.B16    \
	VEOR V1.B16, V1.B16, V1.B16    \
	VEOR V2.B16, V2.B16, V2.B16    \
	VEOR V3.B16, V3.B16, V3.B16    \
	VEOR V4.B16, V4.B16, V4.B16    \
	VEOR V5.B16, V5.B16, V5.B16    \
	VEOR V6.B16, V6.B16, V6.B16    \
	VEOR V7.B16, V7.B16, V7.B16    \
	VEOR V8.B16, V8.B16, V8.B16    \
	VEOR V9.B16, V9.B16, V9.B16    \
	VEOR V10.B16, V10.B16, V10.B16 \
	VEOR V11.B16, V11.B16, V11.B16 \
	VEOR V12.B16, V12.B16, V12.B16 \
	VEOR V13.B16, V13.B16, V13.B16 \
	VEOR V14.B16, V14.B16, V14.B16 \
	VEOR V15.B16, V15.B16, V15.B16 \
	VEOR V16.B16, V16.B16, V16.B16 \
	VEOR V17.B16, V17.B16, V17.B16

// GRADIENTS has in V18 and V19 the next eight gradients, or those that a row has left, R9 + 8 of them, and zeros.
#define GRADIENTS(few, one, two, put, high, got) \
	ADDS    $8, R9                    \
	CMP     $8, R9                    \
	BLT     few                       \
	VLD1    (R8), [V18.S4, V19.S4]    \
	B       got                       \
	few:                              \
	MOVD    R8, R10                   \
	VEOR    V20.B16, V20.B16, V20.B16 \
	TBZ     $2, R9, one               \
	VLD1.P  16(R10), [V18.S4]         \
	one:                              \
	TBZ     $1, R9, two               \
	FMOVD.P 8(R10), F20               \
	TBZ     $0, R9, put               \
	VLD1    (R10), V20.S[2]           \
	B       put                       \
	two:                              \
	TBZ     $0, R9, put               \
	FMOVS   (R10), F20                \
	put:                              \
	TBNZ    $2, R9, high              \
	MOV(20, 18)                       \
	VEOR    V20.B16, V20.B16, V20.B16 \
	high:                             \
	MOV(20, 19)                       \
	got:                              \
	ADD     $64, R8

// DOTS adds gradients times what three taps of a row read to sums a, b and c, and those nine behind them.
#define DOTS(r, a, b, c) \
	LOADU(0, r, 20)    \
	LOADU(16, r, 21)   \
	LOADU(4, r, 22)    \
	LOADU(20, r, 23)   \
	LOADU(8, r, 24)    \
	LOADU(24, r, 25)   \
	FMLAV(20, 18, a)   \
	FMLAV(21, 19, a+9) \
	FMLAV(22, 18, b)   \
	FMLAV(23, 19, b+9) \
	FMLAV(24, 18, c)   \
	FMLAV(25, 19, c+9)

#define DOTS2(r, a, b, c) \
	ADD  $8, r, R10              \
	VLD2 (r), [V20.S4, V21.S4]   \
	VLD2 (R10), [V22.S4, V23.S4] \
	FMLAV(20, 18, a)             \
	FMLAV(21, 18, b)             \
	FMLAV(22, 18, c)             \
	ADD  $32, r, R10             \
	VLD2 (R10), [V20.S4, V21.S4] \
	ADD  $40, r, R10             \
	VLD2 (R10), [V22.S4, V23.S4] \
	FMLAV(20, 19, a+9)           \
	FMLAV(21, 19, b+9)           \
	FMLAV(22, 19, c+9)

// LANES8 adds eight sums of a tap to numbers of float64, from R3 on, which goes on to the next tap's.
#define LANES8(tap) \
	FCVTL(tap, 20)                              \
	FCVTL2(tap, 21)                             \
	FCVTL(tap+9, 22)                            \
	FCVTL2(tap+9, 23)                           \
	VLD1 (R3), [V24.D2, V25.D2, V26.D2, V27.D2] \
	DADD(20, 24, 24)                            \
	DADD(21, 25, 25)                            \
	DADD(22, 26, 26)                            \
	DADD(23, 27, 27)                            \
	VST1 [V24.D2, V25.D2, V26.D2, V27.D2], (R3) \
	ADD  $128, R3

// SUMMED adds what one pass summed.
#define SUMMED \
	MOVD D_sums(R0), R3 \
	ADD  R4<<6, R3      \
	LANES8(0)           \
	LANES8(1)           \
	LANES8(2)           \
	LANES8(3)           \
	LANES8(4)           \
	LANES8(5)           \
	LANES8(6)           \
	LANES8(7)           \
	LANES8(8)

// func depthwiseDots(t *depthwisePlane)
//
// The sums of a plane's gradients, y, times what each of nine taps reads, stride 1; lanes apart.
TEXT ·depthwiseDots(SB), NOSPLIT, $0-8
	MOVD $0, R4

dotsPass:
	BEGIN_PLANE
	NONE18

dotsRow:
	LSL  $5, R4, R3
	ROWS(R3)
	ADD  R4<<5, R8
	SUB  R4<<3, R9
	SUBS $8, R9
	CMP  $-8, R9
	BLE  dotsNext

dotsBlock:
	GRADIENTS(dotsFew, dotsOne, dotsTwo, dotsPut, dotsHigh, dotsGot)
	DOTS(5, 0, 1, 2)
	DOTS(6, 3, 4, 5)
	DOTS(7, 6, 7, 8)
	ON(64)
	SUB $24, R9
	CMP $-8, R9
	BGT dotsBlock

dotsNext:
	ADD  R11, R1
	ADD  R12, R2
	SUB  $1, R14
	CBNZ R14, dotsRow
	SUMMED
	ADD  $1, R4
	CMP  $2, R4
	BLT  dotsPass
	RET

// func depthwiseDots2(t *depthwisePlane)
//
// depthwiseDots of stride 2.
TEXT ·depthwiseDots2(SB), NOSPLIT, $0-8
	MOVD $0, R4

dots2Pass:
	BEGIN_PLANE
	NONE18

dots2Row:
	LSL  $6, R4, R3
	ROWS(R3)
	ADD  R4<<5, R8
	SUB  R4<<3, R9
	SUBS $8, R9
	CMP  $-8, R9
	BLE  dots2Next

dots2Block:
	GRADIENTS(dots2Few, dots2One, dots2Two, dots2Put, dots2High, dots2Got)
	DOTS2(R5, 0, 1, 2)
	DOTS2(R6, 3, 4, 5)
	DOTS2(R7, 6, 7, 8)
	ON(128)
	SUB $24, R9
	CMP $-8, R9
	BGT dots2Block

dots2Next:
	ADD  R11<<1, R1
	ADD  R12, R2
	SUB  $1, R14
	CBNZ R14, dots2Row
	SUMMED
	ADD  $1, R4
	CMP  $2, R4
	BLT  dots2Pass
	RET

// func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32)
//
// Rows of any length. Steps are in bytes. What begins at next and also is fetched meanwhile, as much as is copied.
TEXT ·copyPlane(SB), NOSPLIT, $0-64
	MOVD src+0(FP), R0
	MOVD srcStep+8(FP), R1
	MOVD dst+16(FP), R2
	MOVD dstStep+24(FP), R3
	MOVD rows+32(FP), R4
	MOVD cols+40(FP), R5
	MOVD next+48(FP), R6
	MOVD also+56(FP), R7

planeRow:
	MOVD R0, R8
	MOVD R2, R9
	PRFM (R6), PLDL2KEEP
	PRFM (R7), PLDL2KEEP
	ADD  R5<<2, R6
	ADD  R5<<2, R7
	SUBS $16, R5, R10
	BLT  plane8

plane16:
	VLD1.P 64(R8), [V0.S4, V1.S4, V2.S4, V3.S4]
	VST1.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R9)
	SUBS   $16, R10
	BLT    plane8
	SUB    R10<<2, R6, R11
	PRFM   (R11), PLDL2KEEP
	SUB    R10<<2, R7, R11
	PRFM   (R11), PLDL2KEEP
	B      plane16

plane8:
	TBZ    $3, R5, plane4
	VLD1.P 32(R8), [V0.S4, V1.S4]
	VST1.P [V0.S4, V1.S4], 32(R9)

plane4:
	TBZ    $2, R5, plane2
	VLD1.P 16(R8), [V0.S4]
	VST1.P [V0.S4], 16(R9)

plane2:
	TBZ    $1, R5, plane1
	VLD1.P 8(R8), [V0.S2]
	VST1.P [V0.S2], 8(R9)

plane1:
	TBZ   $0, R5, planeNext
	FMOVS (R8), F0
	FMOVS F0, (R9)

planeNext:
	ADD  R1, R0
	ADD  R3, R2
	SUB  $1, R4
	CBNZ R4, planeRow
	RET

// func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int)
//
// Rows of any length, to every other element, with zeros between.
TEXT ·spreadPlane(SB), NOSPLIT, $0-48
	MOVD src+0(FP), R0
	MOVD srcStep+8(FP), R1
	MOVD dst+16(FP), R2
	MOVD dstStep+24(FP), R3
	MOVD rows+32(FP), R4
	MOVD cols+40(FP), R5
	VEOR V1.B16, V1.B16, V1.B16

spreadRow:
	MOVD R0, R8
	MOVD R2, R9
	SUBS $4, R5, R10
	BLT  spreadRest

spread4:
	VLD1.P 16(R8), [V0.S4]
	VST2.P [V0.S4, V1.S4], 32(R9)
	SUBS   $4, R10
	BGE    spread4

spreadRest:
	ANDS $3, R5, R10
	BEQ  spreadNext

spread1:
	FMOVS.P 4(R8), F0
	FMOVD.P F0, 8(R9)    // and the zero beside it
	SUB     $1, R10
	CBNZ    R10, spread1

spreadNext:
	ADD  R1, R0
	ADD  R3, R2
	SUB  $1, R4
	CBNZ R4, spreadRow
	RET
