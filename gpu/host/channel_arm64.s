#include "textflag.h"
#include "neon_arm64.h"

// Sums are made in eight lanes, or where there are two of them, in eight lanes each.

#define NONE(a) VEOR a.B16, a.B16, a.B16

// LANES sums the lanes of two registers, of which the first keeps the sum.
#define LANES(a, b) \
	FADD(b, a, a)  \
	FADDP(a, a, a) \
	FADDP(a, a, a)

// func sum8(x *float32, n int) float32
//
// Σ x of n times eight elements.
TEXT ·sum8(SB), NOSPLIT, $0-20
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	NONE(V0)
	NONE(V1)

sum:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	SUB  $1, R1
	CBNZ R1, sum
	LANES(0, 1)
	FMOVS F0, ret+16(FP)
	RET

// func dot8(x, y *float32, n int) float32
//
// Σ x·y of n times eight elements.
TEXT ·dot8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	NONE(V0)
	NONE(V1)

dot:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VLD1.P 32(R1), [V4.S4, V5.S4]
	FMUL(4, 2, 2)
	FMUL(5, 3, 3)
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	SUB  $1, R2
	CBNZ R2, dot
	LANES(0, 1)
	FMOVS F0, ret+24(FP)
	RET

// func deviations8(x *float32, n int, m float32) float32
//
// Σ (x - m)² of n times eight elements.
TEXT ·deviations8(SB), NOSPLIT, $0-28
	MOVD x+0(FP), R0
	MOVD n+8(FP), R1
	TO4(m+16(FP), F16, V16)
	NONE(V0)
	NONE(V1)

deviations:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	FSUB(16, 2, 2)
	FSUB(16, 3, 3)
	FMUL(2, 2, 2)
	FMUL(3, 3, 3)
	FADD(2, 0, 0)
	FADD(3, 1, 1)
	SUB  $1, R1
	CBNZ R1, deviations
	LANES(0, 1)
	FMOVS F0, ret+24(FP)
	RET

// func sumDot8(x, y *float32, n int) (sum, dot float32)
//
// Σ y and Σ x·y of n times eight elements.
TEXT ·sumDot8(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R1
	MOVD n+16(FP), R2
	NONE(V0)
	NONE(V1)
	NONE(V6)
	NONE(V7)

sumDot:
	VLD1.P 32(R0), [V2.S4, V3.S4]
	VLD1.P 32(R1), [V4.S4, V5.S4]
	FADD(4, 0, 0)
	FADD(5, 1, 1)
	FMUL(4, 2, 2)
	FMUL(5, 3, 3)
	FADD(2, 6, 6)
	FADD(3, 7, 7)
	SUB  $1, R2
	CBNZ R2, sumDot
	LANES(0, 1)
	LANES(6, 7)
	FMOVS F0, sum+24(FP)
	FMOVS F6, dot+28(FP)
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

// func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32)
//
// Of n times eight elements.
TEXT ·gradientSums8(SB), NOSPLIT, $0-40
	MOVD norm+0(FP), R0
	MOVD dy+8(FP), R1
	MOVD n+16(FP), R3
	MOVD of+24(FP), R4
	NUMBERS
	NONE(V25)
	NONE(V26)
	NONE(V27)
	NONE(V28)

gradientSums:
	RECTIFIED
	ADD  $32, R1
	FADD(2, 25, 25)
	FADD(3, 26, 26)
	FMUL(0, 2, 2)
	FMUL(1, 3, 3)
	FADD(2, 27, 27)
	FADD(3, 28, 28)
	SUB  $1, R3
	CBNZ R3, gradientSums
	LANES(25, 26)
	LANES(27, 28)
	FMOVS F25, sum+32(FP)
	FMOVS F27, dot+36(FP)
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
