#include "textflag.h"
#include "neon_arm64.h"

// Sums are made in the lanes of AVX and added in its order, so that they have the same bits: two registers here are one
// there.

#define NONE(a) VEOR a.B16, a.B16, a.B16

#define NONE8(a, b, c, d, e, f, g, h) \
	NONE(a) \
	NONE(b) \
	NONE(c) \
	NONE(d) \
	NONE(e) \
	NONE(f) \
	NONE(g) \
	NONE(h)

// REDUCE sums the 32 lanes of eight registers from a on, v, which keeps the sum.
#define REDUCE(a, v) \
	FADD(a+2, a, a)     \
	FADD(a+3, a+1, a+1) \
	FADD(a+6, a+4, a+4) \
	FADD(a+7, a+5, a+5) \
	FADD(a+4, a, a)     \
	FADD(a+5, a+1, a+1) \
	LANES(a, a+1, v)

// func sum8(x *float32, n int) float32
//
// Σ x of n times eight elements, in 32 lanes.
TEXT ·sum8(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	NONE8(V0, V1, V2, V3, V4, V5, V6, V7)
	SUBS $4, R1
	BLT  sumRest

sumFour:
	VLD1.P 64(R0), [V8.S4, V9.S4, V10.S4, V11.S4]
	VLD1.P 64(R0), [V12.S4, V13.S4, V14.S4, V15.S4]
	FADD(8, 0, 0)
	FADD(9, 1, 1)
	FADD(10, 2, 2)
	FADD(11, 3, 3)
	FADD(12, 4, 4)
	FADD(13, 5, 5)
	FADD(14, 6, 6)
	FADD(15, 7, 7)
	SUBS $4, R1
	BGE  sumFour

sumRest:
	ADDS $4, R1
	BEQ  sumDone

sumOne:
	VLD1.P 32(R0), [V8.S4, V9.S4]
	FADD(8, 0, 0)
	FADD(9, 1, 1)
	SUB  $1, R1
	CBNZ R1, sumOne

sumDone:
	REDUCE(0, V0)
	FMOVS F0, ret+16(FP)
	RET

// PRODUCT adds products of eight elements to registers s and s + 1.
#define PRODUCT(s) \
	VLD1.P 32(R0), [V8.S4, V9.S4]   \
	VLD1.P 32(R1), [V10.S4, V11.S4] \
	FMUL(10, 8, 8)                  \
	FMUL(11, 9, 9)                  \
	FADD(8, s, s)                   \
	FADD(9, s+1, s+1)

// func dot8(x, y *float32, n int) float32
//
// Σ x·y of n times eight elements, in 32 lanes.
TEXT ·dot8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	NONE8(V0, V1, V2, V3, V4, V5, V6, V7)
	SUBS $4, R2
	BLT  dotRest

dotFour:
	PRODUCT(0)
	PRODUCT(2)
	PRODUCT(4)
	PRODUCT(6)
	SUBS $4, R2
	BGE  dotFour

dotRest:
	ADDS $4, R2
	BEQ  dotDone

dotOne:
	PRODUCT(0)
	SUB  $1, R2
	CBNZ R2, dotOne

dotDone:
	REDUCE(0, V0)
	FMOVS F0, ret+24(FP)
	RET

// SQUARE adds squares of eight elements less V16 to registers s and s + 1.
#define SQUARE(s) \
	VLD1.P 32(R0), [V8.S4, V9.S4] \
	FSUB(16, 8, 8)                \
	FSUB(16, 9, 9)                \
	FMUL(8, 8, 8)                 \
	FMUL(9, 9, 9)                 \
	FADD(8, s, s)                 \
	FADD(9, s+1, s+1)

// func deviations8(x *float32, n int, m float32) float32
//
// Σ (x - m)² of n times eight elements, in 32 lanes.
TEXT ·deviations8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	TO4(m+16(FP), F16, V16)
	NONE8(V0, V1, V2, V3, V4, V5, V6, V7)
	SUBS $4, R1
	BLT  squareRest

squareFour:
	SQUARE(0)
	SQUARE(2)
	SQUARE(4)
	SQUARE(6)
	SUBS $4, R1
	BGE  squareFour

squareRest:
	ADDS $4, R1
	BEQ  squareDone

squareOne:
	SQUARE(0)
	SUB  $1, R1
	CBNZ R1, squareOne

squareDone:
	REDUCE(0, V0)
	FMOVS F0, ret+24(FP)
	RET

// BOTH adds eight elements of y to registers s and s + 1, and their products with those of x to p and p + 1.
#define BOTH(s, p) \
	VLD1.P 32(R0), [V8.S4, V9.S4]   \
	VLD1.P 32(R1), [V10.S4, V11.S4] \
	FADD(10, s, s)                  \
	FADD(11, s+1, s+1)              \
	FMUL(10, 8, 8)                  \
	FMUL(11, 9, 9)                  \
	FADD(8, p, p)                   \
	FADD(9, p+1, p+1)

// func sumDot8(x, y *float32, n int) (sum, dot float32)
//
// Σ y and Σ x·y of n times eight elements, in 32 lanes each.
TEXT ·sumDot8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	NONE8(V0, V1, V2, V3, V4, V5, V6, V7)
	NONE8(V16, V17, V18, V19, V20, V21, V22, V23)
	SUBS $4, R2
	BLT  bothRest

bothFour:
	BOTH(0, 16)
	BOTH(2, 18)
	BOTH(4, 20)
	BOTH(6, 22)
	SUBS $4, R2
	BGE  bothFour

bothRest:
	ADDS $4, R2
	BEQ  bothDone

bothOne:
	BOTH(0, 16)
	SUB  $1, R2
	CBNZ R2, bothOne

bothDone:
	REDUCE(0, V0)
	REDUCE(16, V16)
	FMOVS F0, sum+24(FP)
	FMOVS F16, dot+28(FP)
	RET

// func scale8(x, y *float32, n int, a, b float32)
//
// y = a·x + b, each rounded, of n times eight elements.
TEXT ·scale8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(a+24(FP), F16, V16)
	TO4(b+28(FP), F17, V17)

scale:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FMUL(16, 0, 0)
	FMUL(16, 1, 1)
	FADD(17, 0, 0)
	FADD(17, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, scale
	RET

// func normalize8(x, y *float32, n int, m, r float32)
//
// y = (x - m)·r, each rounded, of n times eight elements.
TEXT ·normalize8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	TO4(m+24(FP), F16, V16)
	TO4(r+28(FP), F17, V17)

normalizeOne:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FSUB(16, 0, 0)
	FSUB(16, 1, 1)
	FMUL(17, 0, 0)
	FMUL(17, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	SUB  $1, R2
	CBNZ R2, normalizeOne
	RET

// func normalizeBackward8(y, dy, dx *float32, n int, m, my, r float32)
//
// dx = (dy - m - y·my)·r, each rounded, of n times eight elements.
TEXT ·normalizeBackward8(SB), NOSPLIT, $0-44
	MOVD y+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD dx+16(FP), R2
	MOVD n+24(FP), R3
	TO4(m+32(FP), F16, V16)
	TO4(my+36(FP), F17, V17)
	TO4(r+40(FP), F18, V18)

backwardOne:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	VLD1.P 32(R1), [V2.S4, V3.S4]
	FSUB(16, 2, 2)
	FSUB(16, 3, 3)
	FMUL(17, 0, 0)
	FMUL(17, 1, 1)
	FSUB(0, 2, 2)
	FSUB(1, 3, 3)
	FMUL(18, 2, 2)
	FMUL(18, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, backwardOne
	RET

// The numbers of a channel, channelNumbers, by their order.
#define NUMBERS \
	VLD1R.P 4(R4), [V16.S4] /* mean */       \
	VLD1R.P 4(R4), [V17.S4] /* reciprocal */ \
	VLD1R.P 4(R4), [V18.S4] /* a */          \
	VLD1R.P 4(R4), [V19.S4] /* b */          \
	VLD1R.P 4(R4), [V20.S4] /* floor */      \
	VLD1R.P 4(R4), [V21.S4] /* slope */      \
	VLD1R.P 4(R4), [V22.S4] /* meanG */      \
	VLD1R   (R4), [V23.S4]  /* meanGNorm */  \
	NONE(V24)

// func normalizeScale8(x, norm, y *float32, n int, of *channelNumbers)
//
// norm = (x - mean)·reciprocal, y = max(a·norm + b, floor), each rounded, of n times eight elements.
TEXT ·normalizeScale8(SB), NOSPLIT, $0-40
	MOVD x+0(FP), R0
	MOVD norm+8(FP), R1
	MOVD y+16(FP), R2
	MOVD n+24(FP), R3
	MOVD of+32(FP), R4
	NUMBERS

normalize:
	VLD1.P 32(R0), [V0.S4, V1.S4]
	FSUB(16, 0, 0)
	FSUB(16, 1, 1)
	FMUL(17, 0, 0)
	FMUL(17, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R1)
	FMUL(18, 0, 0)
	FMUL(18, 1, 1)
	FADD(19, 0, 0)
	FADD(19, 1, 1)
	FMAX(20, 0, 0)
	FMAX(20, 1, 1)
	VST1.P [V0.S4, V1.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, normalize
	RET

// RECTIFIED reads norm, V0, and the gradient of what ReLU was given, V2: dy where a·norm + b is above 0, else
// slope·dy. Of norm's and dy's next four, V1 and V3.
#define RECTIFIED \
	VLD1.P 32(R0), [V0.S4, V1.S4] \
	VLD1   (R1), [V4.S4, V5.S4]   \
	FMUL(18, 0, 6)                \
	FMUL(18, 1, 7)                \
	FADD(19, 6, 6)                \
	FADD(19, 7, 7)                \
	FCMGT(24, 6, 6)               \
	FCMGT(24, 7, 7)               \
	FMUL(21, 4, 2)                \
	FMUL(21, 5, 3)                \
	VBIT V6.B16, V4.B16, V2.B16   \
	VBIT V7.B16, V5.B16, V3.B16

// SUMS adds g to registers s and s + 1, and g·norm to p and p + 1.
#define SUMS(s, p) \
	RECTIFIED         \
	ADD  $32, R1      \
	FADD(2, s, s)     \
	FADD(3, s+1, s+1) \
	FMUL(0, 2, 2)     \
	FMUL(1, 3, 3)     \
	FADD(2, p, p)     \
	FADD(3, p+1, p+1)

// func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32)
//
// Of n times eight elements, in 16 lanes each.
TEXT ·gradientSums8(SB), NOSPLIT, $0-40
	MOVD norm+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD n+16(FP), R3
	MOVD of+24(FP), R4
	NUMBERS
	NONE8(V8, V9, V10, V11, V12, V13, V14, V15)
	SUBS $2, R3
	BLT  sumLast

sumTwo:
	SUMS(8, 12)
	SUMS(10, 14)
	SUBS $2, R3
	BGE  sumTwo

sumLast:
	ADDS $2, R3
	BEQ  gradientsSummed
	SUMS(8, 12)

gradientsSummed:
	FADD(10, 8, 8)
	FADD(11, 9, 9)
	FADD(14, 12, 12)
	FADD(15, 13, 13)
	LANES(8, 9, V8)
	LANES(12, 13, V12)
	FMOVS F8, sum+32(FP)
	FMOVS F12, dot+36(FP)
	RET

// func gradients8(norm, dy, dx *float32, n int, of *channelNumbers)
//
// dy = a·g, dx = (dy - meanG - norm·meanGNorm)·reciprocal, each rounded, of n times eight elements; dx may be dy, which
// is written before.
TEXT ·gradients8(SB), NOSPLIT, $0-40
	MOVD norm+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD dx+16(FP), R2
	MOVD n+24(FP), R3
	MOVD of+32(FP), R4
	NUMBERS

gradients:
	RECTIFIED
	FMUL(18, 2, 2)
	FMUL(18, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R1)
	FSUB(22, 2, 2)
	FSUB(22, 3, 3)
	FMUL(23, 0, 0)
	FMUL(23, 1, 1)
	FSUB(0, 2, 2)
	FSUB(1, 3, 3)
	FMUL(17, 2, 2)
	FMUL(17, 3, 3)
	VST1.P [V2.S4, V3.S4], 32(R2)
	SUB  $1, R3
	CBNZ R3, gradients
	RET
