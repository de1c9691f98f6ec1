#include "textflag.h"
#include "neon_arm64.h"

// The matrices are those of F(4×4, 3×3) at the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, CVPR 2016), and, by
// the names that end in 5, of F(2×2, 5×5) at the same ones, whose B is the same. Each operation is that of AVX2, fused
// where it is fused there: so are the bits.
DATA winogradConstants<>+0(SB)/4, $0x40800000 // 4
DATA winogradConstants<>+4(SB)/4, $0x40a00000 // 5
DATA winogradConstants<>+8(SB)/4, $0x40000000 // 2
DATA winogradConstants<>+12(SB)/4, $0x41000000 // 8
DATA winogradConstants<>+16(SB)/4, $0x3e800000 // 1/4
DATA winogradConstants<>+20(SB)/4, $0xbe2aaaab // -1/6
DATA winogradConstants<>+24(SB)/4, $0x3d2aaaab // 1/24
DATA winogradConstants<>+28(SB)/4, $0x3daaaaab // 1/12
DATA winogradConstants<>+32(SB)/4, $0x3e2aaaab // 1/6
DATA winogradConstants<>+36(SB)/4, $0x3f2aaaab // 2/3
DATA winogradConstants<>+40(SB)/4, $0x3eaaaaab // 1/3
GLOBL winogradConstants<>(SB), RODATA|NOPTR, $44

// The registers that have them, four times each.
#define C_4 16
#define C_5 17
#define C_2 18
#define C_8 19
#define C_4th 20
#define C_minus6th 21
#define C_24th 22
#define C_12th 23
#define C_6th 24
#define C_2_3rds 25
#define C_3rd 26

// The values of a tile are on the stack in between, from R20 on: those of column j and row i at 16·(6·j + i).
#define BEGIN \
	MOVD    $winogradConstants<>(SB), R8 \
	MOVD    $values-576(SP), R20         \
	VLD1R.P 4(R8), [V16.S4]              \
	VLD1R.P 4(R8), [V17.S4]              \
	VLD1R.P 4(R8), [V18.S4]              \
	VLD1R.P 4(R8), [V19.S4]              \
	VLD1R.P 4(R8), [V20.S4]              \
	VLD1R.P 4(R8), [V21.S4]              \
	VLD1R.P 4(R8), [V22.S4]              \
	VLD1R.P 4(R8), [V23.S4]              \
	VLD1R.P 4(R8), [V24.S4]              \
	VLD1R.P 4(R8), [V25.S4]              \
	VLD1R   (R8), [V26.S4]

// GET6 reads six values step apart, from R5 on.
#define GET6(step) \
	VLD1.P (R5)(step), [V0.S4] \
	VLD1.P (R5)(step), [V1.S4] \
	VLD1.P (R5)(step), [V2.S4] \
	VLD1.P (R5)(step), [V3.S4] \
	VLD1.P (R5)(step), [V4.S4] \
	VLD1.P (R5)(step), [V5.S4]

// KEEP keeps a value of column j and row i, ROW2 to ROW6 get the first of row i.
#define KEEP(n, i, j) STORE(n, 96*(j)+16*(i), 20)

#define KEEP6(j, a, b, c, d, e, f) \
	KEEP(a, 0, j) \
	KEEP(b, 1, j) \
	KEEP(c, 2, j) \
	KEEP(d, 3, j) \
	KEEP(e, 4, j) \
	KEEP(f, 5, j)

#define ROW2(i) \
	LOAD(16*(i), 20, 0)    \
	LOAD(16*(i)+96, 20, 1)

#define ROW3(i) \
	ROW2(i)                 \
	LOAD(16*(i)+192, 20, 2)

#define ROW4(i) \
	ROW3(i)                 \
	LOAD(16*(i)+288, 20, 3)

#define ROW5(i) \
	ROW4(i)                 \
	LOAD(16*(i)+384, 20, 4)

#define ROW6(i) \
	ROW5(i)                 \
	LOAD(16*(i)+480, 20, 5)

// PUT writes a value where R5 says, which goes on.
#define PUT(v, step) VST1.P [v.S4], (R5)(step)

#define PUT6(step, a, b, c, d, e, f) \
	PUT(a, step) \
	PUT(b, step) \
	PUT(c, step) \
	PUT(d, step) \
	PUT(e, step) \
	PUT(f, step)

// INPUTS transforms six values in V0 to V5: to V6, V7, V8, V9, V10 and V11.
#define INPUTS \
	MOV(4, 6)         \
	FMLAV(C_4, 0, 6)  \
	FMLS(C_5, 2, 6)   \
	MOV(4, 9)         \
	FMLS(C_4, 2, 9)   \
	MOV(3, 10)        \
	FMLS(C_4, 1, 10)  \
	FADD(10, 9, 7)    \
	FSUB(10, 9, 8)    \
	FSUB(2, 4, 4)     \
	FSUB(1, 3, 12)    \
	FMUL(C_2, 12, 12) \
	FADD(12, 4, 9)    \
	FSUB(12, 4, 10)   \
	MOV(5, 11)        \
	FMLAV(C_4, 1, 11) \
	FMLS(C_5, 3, 11)

#define COLUMN_IN(j) \
	MOVD R4, R5                  \
	ADD  R10, R4                 \
	GET6(R9)                     \
	INPUTS                       \
	KEEP6(j, 6, 7, 8, 9, 10, 11)

#define ROW_IN(i) \
	ROW6(i)                             \
	INPUTS                              \
	PUT6(R11, V6, V7, V8, V9, V10, V11)

// func winogradInput(src *float32, rowStep, columnStep int, dst *float32, step, n int)
//
// Bᵀ·d·B of a tile of 6×6 for n times eight channels, four at a time. Steps are in bytes.
TEXT ·winogradInput(SB), 0, $576-48
	MOVD src+0(FP), R0
	MOVD rowStep+8(FP), R9
	MOVD columnStep+16(FP), R10
	MOVD dst+24(FP), R1
	MOVD step+32(FP), R11
	MOVD n+40(FP), R2
	LSL  $1, R2
	BEGIN

inputOne:
	MOVD R0, R4
	COLUMN_IN(0)
	COLUMN_IN(1)
	COLUMN_IN(2)
	COLUMN_IN(3)
	COLUMN_IN(4)
	COLUMN_IN(5)
	MOVD R1, R5
	ROW_IN(0)
	ROW_IN(1)
	ROW_IN(2)
	ROW_IN(3)
	ROW_IN(4)
	ROW_IN(5)
	ADD  $16, R0
	ADD  $16, R1
	SUB  $1, R2
	CBNZ R2, inputOne
	RET

// OUTPUTS transforms six values in V0 to V5: to V0, V1, V2 and V3.
#define OUTPUTS \
	FADD(2, 1, 6)    \
	FSUB(2, 1, 7)    \
	FADD(4, 3, 8)    \
	FSUB(4, 3, 9)    \
	FADD(6, 0, 0)    \
	FADD(8, 0, 0)    \
	MOV(7, 1)        \
	FMLAV(C_2, 9, 1) \
	MOV(6, 2)        \
	FMLAV(C_4, 8, 2) \
	FADD(5, 7, 3)    \
	FMLAV(C_8, 9, 3)

#define COLUMN_OUT(j) \
	MOVD R4, R5   \
	ADD  R11, R4  \
	GET6(R12)     \
	OUTPUTS       \
	KEEP(0, 0, j) \
	KEEP(1, 1, j) \
	KEEP(2, 2, j) \
	KEEP(3, 3, j)

#define ROW_OUT(i) \
	ROW6(i)        \
	OUTPUTS        \
	FADD(12, 0, 0) \
	FADD(12, 1, 1) \
	FADD(12, 2, 2) \
	FADD(12, 3, 3) \
	MOVD R4, R5    \
	ADD  R9, R4    \
	PUT(V0, R10)   \
	PUT(V1, R10)   \
	PUT(V2, R10)   \
	PUT(V3, R10)

// func winogradOutput(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)
//
// Aᵀ·m·A + bias of a tile of 4×4 for n times eight outputs, four at a time. Steps are in bytes.
TEXT ·winogradOutput(SB), 0, $576-56
	MOVD src+0(FP), R0
	MOVD step+8(FP), R11
	MOVD bias+16(FP), R3
	MOVD dst+24(FP), R1
	MOVD rowStep+32(FP), R9
	MOVD columnStep+40(FP), R10
	MOVD n+48(FP), R2
	LSL  $1, R2
	ADD  R11<<1, R11, R12
	LSL  $1, R12                // R12: from a row of a tile to the next, six steps
	BEGIN

outputOne:
	VLD1.P 16(R3), [V12.S4]
	MOVD   R0, R4
	COLUMN_OUT(0)
	COLUMN_OUT(1)
	COLUMN_OUT(2)
	COLUMN_OUT(3)
	COLUMN_OUT(4)
	COLUMN_OUT(5)
	MOVD   R1, R4
	ROW_OUT(0)
	ROW_OUT(1)
	ROW_OUT(2)
	ROW_OUT(3)
	ADD    $16, R0
	ADD    $16, R1
	SUB    $1, R2
	CBNZ   R2, outputOne
	RET

// WEIGHTS transforms three values in V0 to V2: to V6, V7, V8, V9, V10 and V2.
#define WEIGHTS \
	FMUL(C_4th, 0, 6)      \
	FADD(2, 0, 3)          \
	FADD(1, 3, 7)          \
	FMUL(C_minus6th, 7, 7) \
	FSUB(1, 3, 8)          \
	FMUL(C_minus6th, 8, 8) \
	FMUL(C_24th, 0, 4)     \
	FMLAV(C_6th, 2, 4)     \
	FMUL(C_12th, 1, 5)     \
	FADD(5, 4, 9)          \
	FSUB(5, 4, 10)

#define COLUMN_WEIGHTS(j) \
	MOVD   R4, R5               \
	ADD    R9, R4               \
	VLD1.P (R5)(R10), [V0.S4]   \
	VLD1.P (R5)(R10), [V1.S4]   \
	VLD1.P (R5)(R10), [V2.S4]   \
	WEIGHTS                     \
	KEEP6(j, 6, 7, 8, 9, 10, 2)

#define ROW_WEIGHTS(i) \
	ROW3(i)                            \
	WEIGHTS                            \
	PUT6(R11, V6, V7, V8, V9, V10, V2)

// func winogradWeights(src *float32, tapStep int, dst *float32, step, n int)
//
// G·g·Gᵀ of n times eight kernels of 3×3, four at a time. Steps are in bytes.
TEXT ·winogradWeights(SB), 0, $576-40
	MOVD src+0(FP), R0
	MOVD tapStep+8(FP), R9
	MOVD dst+16(FP), R1
	MOVD step+24(FP), R11
	MOVD n+32(FP), R2
	LSL  $1, R2
	ADD  R9<<1, R9, R10    // R10: from a row of taps to the next
	BEGIN

weightsOne:
	MOVD R0, R4
	COLUMN_WEIGHTS(0)
	COLUMN_WEIGHTS(1)
	COLUMN_WEIGHTS(2)
	MOVD R1, R5
	ROW_WEIGHTS(0)
	ROW_WEIGHTS(1)
	ROW_WEIGHTS(2)
	ROW_WEIGHTS(3)
	ROW_WEIGHTS(4)
	ROW_WEIGHTS(5)
	ADD  $16, R0
	ADD  $16, R1
	SUB  $1, R2
	CBNZ R2, weightsOne
	RET

// SPREAD transforms four values in V0 to V3: to V0, V4, V5, V6, V7 and V3.
#define SPREAD \
	FADD(2, 0, 8)     \
	FADD(3, 1, 9)     \
	FADD(9, 8, 4)     \
	FSUB(9, 8, 5)     \
	MOV(0, 10)        \
	FMLAV(C_4, 2, 10) \
	FMUL(C_2, 1, 11)  \
	FMLAV(C_8, 3, 11) \
	FADD(11, 10, 6)   \
	FSUB(11, 10, 7)

#define COLUMN_SPREAD(j) \
	MOVD   R4, R5              \
	ADD    R10, R4             \
	VLD1.P (R5)(R9), [V0.S4]   \
	VLD1.P (R5)(R9), [V1.S4]   \
	VLD1.P (R5)(R9), [V2.S4]   \
	VLD1.P (R5)(R9), [V3.S4]   \
	SPREAD                     \
	KEEP6(j, 0, 4, 5, 6, 7, 3)

#define ROW_SPREAD(i) \
	ROW4(i)                           \
	SPREAD                            \
	PUT6(R11, V0, V4, V5, V6, V7, V3)

// func winogradGradient(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)
//
// A·e·Aᵀ of a tile of 4×4 for n times eight outputs, four at a time; eights lie next apart in dst. Steps are in bytes.
TEXT ·winogradGradient(SB), 0, $576-56
	MOVD src+0(FP), R0
	MOVD rowStep+8(FP), R9
	MOVD columnStep+16(FP), R10
	MOVD dst+24(FP), R1
	MOVD step+32(FP), R11
	MOVD next+40(FP), R6
	MOVD n+48(FP), R2
	LSL  $1, R2
	MOVD $16, R7                // R7: to the next four,
	SUB  $16, R6                // R6: and from there to those behind them
	BEGIN

gradientOne:
	MOVD R0, R4
	COLUMN_SPREAD(0)
	COLUMN_SPREAD(1)
	COLUMN_SPREAD(2)
	COLUMN_SPREAD(3)
	MOVD R1, R5
	ROW_SPREAD(0)
	ROW_SPREAD(1)
	ROW_SPREAD(2)
	ROW_SPREAD(3)
	ROW_SPREAD(4)
	ROW_SPREAD(5)
	ADD  $16, R0
	ADD  R7, R1
	MOVD R7, R8
	MOVD R6, R7
	MOVD R8, R6
	SUB  $1, R2
	CBNZ R2, gradientOne
	RET

// GATHERED transforms six values in V0 to V5: to V6, V7 and V8.
#define GATHERED \
	FADD(2, 1, 9)           \
	FADD(4, 3, 10)          \
	FMUL(C_4th, 0, 6)       \
	FMLAV(C_minus6th, 9, 6) \
	FMLAV(C_24th, 10, 6)    \
	FSUB(1, 2, 7)           \
	FMUL(C_6th, 7, 7)       \
	FSUB(4, 3, 8)           \
	FMLAV(C_12th, 8, 7)     \
	MOV(5, 8)               \
	FMLAV(C_minus6th, 9, 8) \
	FMLAV(C_6th, 10, 8)

#define COLUMN_GATHERED(j) \
	MOVD R4, R5   \
	ADD  R11, R4  \
	GET6(R12)     \
	GATHERED      \
	KEEP(6, 0, j) \
	KEEP(7, 1, j) \
	KEEP(8, 2, j)

#define ROW_GATHERED(i) \
	ROW6(i)      \
	GATHERED     \
	PUT(V6, R10) \
	PUT(V7, R10) \
	PUT(V8, R10)

// func winogradKernels(src *float32, step int, dst *float32, tapStep, n int)
//
// Gᵀ·u·G, kernels of 3×3, of n times eight, four at a time. Steps are in bytes.
TEXT ·winogradKernels(SB), 0, $576-40
	MOVD src+0(FP), R0
	MOVD step+8(FP), R11
	MOVD dst+16(FP), R1
	MOVD tapStep+24(FP), R10
	MOVD n+32(FP), R2
	LSL  $1, R2
	ADD  R11<<1, R11, R12
	LSL  $1, R12             // R12: from a row of a tile to the next, six steps
	BEGIN

kernelsOne:
	MOVD R0, R4
	COLUMN_GATHERED(0)
	COLUMN_GATHERED(1)
	COLUMN_GATHERED(2)
	COLUMN_GATHERED(3)
	COLUMN_GATHERED(4)
	COLUMN_GATHERED(5)
	MOVD R1, R5
	ROW_GATHERED(0)
	ROW_GATHERED(1)
	ROW_GATHERED(2)
	ADD  $16, R0
	ADD  $16, R1
	SUB  $1, R2
	CBNZ R2, kernelsOne
	RET

// OUTPUTS5 transforms six values in V0 to V5: to V0 and V1.
#define OUTPUTS5 \
	FADD(2, 1, 6)    \
	FSUB(2, 1, 7)    \
	FADD(4, 3, 8)    \
	FSUB(4, 3, 9)    \
	FADD(6, 0, 0)    \
	FADD(8, 0, 0)    \
	FADD(5, 7, 1)    \
	FMLAV(C_2, 9, 1)

#define COLUMN_OUT5(j) \
	MOVD R4, R5   \
	ADD  R11, R4  \
	GET6(R12)     \
	OUTPUTS5      \
	KEEP(0, 0, j) \
	KEEP(1, 1, j)

#define ROW_OUT5(i) \
	ROW6(i)        \
	OUTPUTS5       \
	FADD(12, 0, 0) \
	FADD(12, 1, 1) \
	MOVD R4, R5    \
	ADD  R9, R4    \
	PUT(V0, R10)   \
	PUT(V1, R10)

// func winogradOutput5(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)
//
// Aᵀ·m·A + bias of a tile of 2×2 for n times eight outputs, four at a time. Steps are in bytes.
TEXT ·winogradOutput5(SB), 0, $576-56
	MOVD src+0(FP), R0
	MOVD step+8(FP), R11
	MOVD bias+16(FP), R3
	MOVD dst+24(FP), R1
	MOVD rowStep+32(FP), R9
	MOVD columnStep+40(FP), R10
	MOVD n+48(FP), R2
	LSL  $1, R2
	ADD  R11<<1, R11, R12
	LSL  $1, R12                // R12: from a row of a tile to the next, six steps
	BEGIN

outputOne5:
	VLD1.P 16(R3), [V12.S4]
	MOVD   R0, R4
	COLUMN_OUT5(0)
	COLUMN_OUT5(1)
	COLUMN_OUT5(2)
	COLUMN_OUT5(3)
	COLUMN_OUT5(4)
	COLUMN_OUT5(5)
	MOVD   R1, R4
	ROW_OUT5(0)
	ROW_OUT5(1)
	ADD    $16, R0
	ADD    $16, R1
	SUB    $1, R2
	CBNZ   R2, outputOne5
	RET

// WEIGHTS5 transforms five values in V0 to V4: to V0, V7, V8, V1, V2 and V4.
#define WEIGHTS5 \
	FADD(2, 0, 5)          \
	FADD(4, 5, 5)          \
	FADD(3, 1, 6)          \
	FADD(6, 5, 7)          \
	FMUL(C_minus6th, 7, 7) \
	FSUB(6, 5, 8)          \
	FMUL(C_minus6th, 8, 8) \
	FMUL(C_24th, 0, 5)     \
	FMLAV(C_6th, 2, 5)     \
	FMLAV(C_2_3rds, 4, 5)  \
	FMUL(C_12th, 1, 6)     \
	FMLAV(C_3rd, 3, 6)     \
	FADD(6, 5, 1)          \
	FSUB(6, 5, 2)          \
	FMUL(C_4th, 0, 0)

#define COLUMN_WEIGHTS5(j) \
	MOVD   R4, R5              \
	ADD    R9, R4              \
	VLD1.P (R5)(R10), [V0.S4]  \
	VLD1.P (R5)(R10), [V1.S4]  \
	VLD1.P (R5)(R10), [V2.S4]  \
	VLD1.P (R5)(R10), [V3.S4]  \
	VLD1.P (R5)(R10), [V4.S4]  \
	WEIGHTS5                   \
	KEEP6(j, 0, 7, 8, 1, 2, 4)

#define ROW_WEIGHTS5(i) \
	ROW5(i)                           \
	WEIGHTS5                          \
	PUT6(R11, V0, V7, V8, V1, V2, V4)

// func winogradWeights5(src *float32, tapStep int, dst *float32, step, n int)
//
// G·g·Gᵀ of n times eight kernels of 5×5, four at a time. Steps are in bytes.
TEXT ·winogradWeights5(SB), 0, $576-40
	MOVD src+0(FP), R0
	MOVD tapStep+8(FP), R9
	MOVD dst+16(FP), R1
	MOVD step+24(FP), R11
	MOVD n+32(FP), R2
	LSL  $1, R2
	ADD  R9<<2, R9, R10    // R10: from a row of taps to the next
	BEGIN

weightsOne5:
	MOVD R0, R4
	COLUMN_WEIGHTS5(0)
	COLUMN_WEIGHTS5(1)
	COLUMN_WEIGHTS5(2)
	COLUMN_WEIGHTS5(3)
	COLUMN_WEIGHTS5(4)
	MOVD R1, R5
	ROW_WEIGHTS5(0)
	ROW_WEIGHTS5(1)
	ROW_WEIGHTS5(2)
	ROW_WEIGHTS5(3)
	ROW_WEIGHTS5(4)
	ROW_WEIGHTS5(5)
	ADD  $16, R0
	ADD  $16, R1
	SUB  $1, R2
	CBNZ R2, weightsOne5
	RET

// SPREAD5 transforms two values in V0 to V1: to V0, V2, V3, V4, V5 and V1.
#define SPREAD5 \
	FADD(1, 0, 2)    \
	FSUB(1, 0, 3)    \
	MOV(0, 4)        \
	FMLAV(C_2, 1, 4) \
	MOV(0, 5)        \
	FMLS(C_2, 1, 5)

#define COLUMN_SPREAD5(j) \
	MOVD   R4, R5              \
	ADD    R10, R4             \
	VLD1.P (R5)(R9), [V0.S4]   \
	VLD1.P (R5)(R9), [V1.S4]   \
	SPREAD5                    \
	KEEP6(j, 0, 2, 3, 4, 5, 1)

#define ROW_SPREAD5(i) \
	ROW2(i)                           \
	SPREAD5                           \
	PUT6(R11, V0, V2, V3, V4, V5, V1)

// func winogradGradient5(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)
//
// A·e·Aᵀ of a tile of 2×2 for n times eight outputs, four at a time; eights lie next apart in dst. Steps are in bytes.
TEXT ·winogradGradient5(SB), 0, $576-56
	MOVD src+0(FP), R0
	MOVD rowStep+8(FP), R9
	MOVD columnStep+16(FP), R10
	MOVD dst+24(FP), R1
	MOVD step+32(FP), R11
	MOVD next+40(FP), R6
	MOVD n+48(FP), R2
	LSL  $1, R2
	MOVD $16, R7                // R7: to the next four,
	SUB  $16, R6                // R6: and from there to those behind them
	BEGIN

gradientOne5:
	MOVD R0, R4
	COLUMN_SPREAD5(0)
	COLUMN_SPREAD5(1)
	MOVD R1, R5
	ROW_SPREAD5(0)
	ROW_SPREAD5(1)
	ROW_SPREAD5(2)
	ROW_SPREAD5(3)
	ROW_SPREAD5(4)
	ROW_SPREAD5(5)
	ADD  $16, R0
	ADD  R7, R1
	MOVD R7, R8
	MOVD R6, R7
	MOVD R8, R6
	SUB  $1, R2
	CBNZ R2, gradientOne5
	RET

// GATHERED5 transforms six values in V0 to V5: to V0, V2, V3, V4 and V5.
#define GATHERED5 \
	FADD(2, 1, 6)          \
	FMUL(C_minus6th, 6, 6) \
	FSUB(2, 1, 8)          \
	FMUL(C_minus6th, 8, 8) \
	FADD(4, 3, 7)          \
	FSUB(4, 3, 1)          \
	FMUL(C_4th, 0, 0)      \
	FADD(6, 0, 0)          \
	FMLAV(C_24th, 7, 0)    \
	MOV(8, 2)              \
	FMLAV(C_12th, 1, 2)    \
	MOV(6, 3)              \
	FMLAV(C_6th, 7, 3)     \
	MOV(8, 4)              \
	FMLAV(C_3rd, 1, 4)     \
	FADD(6, 5, 5)          \
	FMLAV(C_2_3rds, 7, 5)

#define COLUMN_GATHERED5(j) \
	MOVD R4, R5   \
	ADD  R11, R4  \
	GET6(R12)     \
	GATHERED5     \
	KEEP(0, 0, j) \
	KEEP(2, 1, j) \
	KEEP(3, 2, j) \
	KEEP(4, 3, j) \
	KEEP(5, 4, j)

#define ROW_GATHERED5(i) \
	ROW6(i)      \
	GATHERED5    \
	PUT(V0, R10) \
	PUT(V2, R10) \
	PUT(V3, R10) \
	PUT(V4, R10) \
	PUT(V5, R10)

// func winogradKernels5(src *float32, step int, dst *float32, tapStep, n int)
//
// Gᵀ·u·G, kernels of 5×5, of n times eight, four at a time. Steps are in bytes.
TEXT ·winogradKernels5(SB), 0, $576-40
	MOVD src+0(FP), R0
	MOVD step+8(FP), R11
	MOVD dst+16(FP), R1
	MOVD tapStep+24(FP), R10
	MOVD n+32(FP), R2
	LSL  $1, R2
	ADD  R11<<1, R11, R12
	LSL  $1, R12             // R12: from a row of a tile to the next, six steps
	BEGIN

kernelsOne5:
	MOVD R0, R4
	COLUMN_GATHERED5(0)
	COLUMN_GATHERED5(1)
	COLUMN_GATHERED5(2)
	COLUMN_GATHERED5(3)
	COLUMN_GATHERED5(4)
	COLUMN_GATHERED5(5)
	MOVD R1, R5
	ROW_GATHERED5(0)
	ROW_GATHERED5(1)
	ROW_GATHERED5(2)
	ROW_GATHERED5(3)
	ROW_GATHERED5(4)
	ADD  $16, R0
	ADD  $16, R1
	SUB  $1, R2
	CBNZ R2, kernelsOne5
	RET
