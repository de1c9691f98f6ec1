#include "textflag.h"

// The matrices are those of F(4×4, 3×3) at the points 0, 1, -1, 2, -2 and infinity (Lavin and Gray, CVPR 2016), and, by
// the names that end in 5, of F(2×2, 5×5) at the same ones, whose B is the same.
DATA ·winogradConstants+0(SB)/4, $0x40800000  // 4
DATA ·winogradConstants+4(SB)/4, $0x40a00000  // 5
DATA ·winogradConstants+8(SB)/4, $0x40000000  // 2
DATA ·winogradConstants+12(SB)/4, $0x41000000 // 8
DATA ·winogradConstants+16(SB)/4, $0x3e800000 // 1/4
DATA ·winogradConstants+20(SB)/4, $0xbe2aaaab // -1/6
DATA ·winogradConstants+24(SB)/4, $0x3d2aaaab // 1/24
DATA ·winogradConstants+28(SB)/4, $0x3daaaaab // 1/12
DATA ·winogradConstants+32(SB)/4, $0x3e2aaaab // 1/6
DATA ·winogradConstants+36(SB)/4, $0x3f2aaaab // 2/3
DATA ·winogradConstants+40(SB)/4, $0x3eaaaaab // 1/3
GLOBL ·winogradConstants(SB), RODATA|NOPTR, $44

// INPUTS transforms six values in Y0 to Y5: to Y6, Y7, Y8, Y9, Y10 and Y11. Y13, Y14 and Y15 have 4, 5 and 2.
#define INPUTS \
	VMOVAPS      Y4, Y6          \
	VFMADD231PS  Y13, Y0, Y6     \
	VFNMADD231PS Y14, Y2, Y6     \
	VMOVAPS      Y4, Y9          \
	VFNMADD231PS Y13, Y2, Y9     \
	VMOVAPS      Y3, Y10         \
	VFNMADD231PS Y13, Y1, Y10    \
	VADDPS       Y10, Y9, Y7     \
	VSUBPS       Y10, Y9, Y8     \
	VSUBPS       Y2, Y4, Y4      \
	VSUBPS       Y1, Y3, Y12     \
	VMULPS       Y15, Y12, Y12   \
	VADDPS       Y12, Y4, Y9     \
	VSUBPS       Y12, Y4, Y10    \
	VMOVAPS      Y5, Y11         \
	VFMADD231PS  Y13, Y1, Y11    \
	VFNMADD231PS Y14, Y3, Y11

#define LOAD6(step) \
	VMOVUPS (AX), Y0 \
	ADDQ    step, AX \
	VMOVUPS (AX), Y1 \
	ADDQ    step, AX \
	VMOVUPS (AX), Y2 \
	ADDQ    step, AX \
	VMOVUPS (AX), Y3 \
	ADDQ    step, AX \
	VMOVUPS (AX), Y4 \
	ADDQ    step, AX \
	VMOVUPS (AX), Y5

// The values of a tile are on the stack in between: those of column j and row i at 32·(6·j + i).

// KEEP6 keeps the six values of column j.
#define KEEP6(j, a, b, c, d, e, f) \
	VMOVUPS a, 192*j+0(SP)   \
	VMOVUPS b, 192*j+32(SP)  \
	VMOVUPS c, 192*j+64(SP)  \
	VMOVUPS d, 192*j+96(SP)  \
	VMOVUPS e, 192*j+128(SP) \
	VMOVUPS f, 192*j+160(SP)

#define COLUMN_IN(j) \
	LOAD6(R9)                     \
	INPUTS                        \
	KEEP6(j, Y6, Y7, Y8, Y9, Y10, Y11)

#define ROW6(i) \
	VMOVUPS 32*i+0(SP), Y0   \
	VMOVUPS 32*i+192(SP), Y1 \
	VMOVUPS 32*i+384(SP), Y2 \
	VMOVUPS 32*i+576(SP), Y3 \
	VMOVUPS 32*i+768(SP), Y4 \
	VMOVUPS 32*i+960(SP), Y5

#define PUT(y, step) \
	VMOVUPS y, (AX) \
	ADDQ    step, AX

// PUT6 puts six values, steps apart.
#define PUT6(step, a, b, c, d, e, f) \
	PUT(a, step) \
	PUT(b, step) \
	PUT(c, step) \
	PUT(d, step) \
	PUT(e, step) \
	PUT(f, step)

#define ROW_IN(i) \
	ROW6(i)      \
	INPUTS       \
	PUT6(R11, Y6, Y7, Y8, Y9, Y10, Y11)

// func winogradInput(src *float32, rowStep, columnStep int, dst *float32, step, n int)
//
// Bᵀ·d·B of a tile of 6×6 for n times eight channels. Steps are in bytes.
TEXT ·winogradInput(SB), 0, $1152-48
	MOVQ         src+0(FP), SI
	MOVQ         rowStep+8(FP), R9
	MOVQ         columnStep+16(FP), R10
	MOVQ         dst+24(FP), DI
	MOVQ         step+32(FP), R11
	MOVQ         n+40(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 0(R8), Y13
	VBROADCASTSS 4(R8), Y14
	VBROADCASTSS 8(R8), Y15

inputOne:
	MOVQ SI, BX
	MOVQ BX, AX
	COLUMN_IN(0)
	ADDQ R10, BX
	MOVQ BX, AX
	COLUMN_IN(1)
	ADDQ R10, BX
	MOVQ BX, AX
	COLUMN_IN(2)
	ADDQ R10, BX
	MOVQ BX, AX
	COLUMN_IN(3)
	ADDQ R10, BX
	MOVQ BX, AX
	COLUMN_IN(4)
	ADDQ R10, BX
	MOVQ BX, AX
	COLUMN_IN(5)
	MOVQ DI, AX
	ROW_IN(0)
	ROW_IN(1)
	ROW_IN(2)
	ROW_IN(3)
	ROW_IN(4)
	ROW_IN(5)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  inputOne
	VZEROUPPER
	RET

// OUTPUTS transforms six values in Y0 to Y5: to Y0, Y1, Y2 and Y3. Y13, Y14 and Y15 have 2, 4 and 8.
#define OUTPUTS \
	VADDPS      Y2, Y1, Y6   \
	VSUBPS      Y2, Y1, Y7   \
	VADDPS      Y4, Y3, Y8   \
	VSUBPS      Y4, Y3, Y9   \
	VADDPS      Y6, Y0, Y0   \
	VADDPS      Y8, Y0, Y0   \
	VMOVAPS     Y7, Y1       \
	VFMADD231PS Y13, Y9, Y1  \
	VMOVAPS     Y6, Y2       \
	VFMADD231PS Y14, Y8, Y2  \
	VADDPS      Y5, Y7, Y3   \
	VFMADD231PS Y15, Y9, Y3

#define COLUMN_OUT(j) \
	LOAD6(DX)                     \
	OUTPUTS                       \
	VMOVUPS Y0, 192*j+0(SP)   \
	VMOVUPS Y1, 192*j+32(SP)  \
	VMOVUPS Y2, 192*j+64(SP)  \
	VMOVUPS Y3, 192*j+96(SP)

#define ROW_OUT(i) \
	ROW6(i)               \
	OUTPUTS               \
	VADDPS Y12, Y0, Y0    \
	VADDPS Y12, Y1, Y1    \
	VADDPS Y12, Y2, Y2    \
	VADDPS Y12, Y3, Y3    \
	MOVQ   BX, AX         \
	PUT(Y0, R10)          \
	PUT(Y1, R10)          \
	PUT(Y2, R10)          \
	PUT(Y3, R10)          \
	ADDQ   R9, BX

// func winogradOutput(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)
//
// Aᵀ·m·A + bias of a tile of 4×4 for n times eight outputs. Steps are in bytes.
TEXT ·winogradOutput(SB), 0, $1152-56
	MOVQ         src+0(FP), SI
	MOVQ         step+8(FP), R11
	MOVQ         bias+16(FP), R12
	MOVQ         dst+24(FP), DI
	MOVQ         rowStep+32(FP), R9
	MOVQ         columnStep+40(FP), R10
	MOVQ         n+48(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 8(R8), Y13
	VBROADCASTSS 0(R8), Y14
	VBROADCASTSS 12(R8), Y15
	LEAQ         (R11)(R11*2), DX
	ADDQ         DX, DX            // from a row of a tile to the next: six steps

outputOne:
	VMOVUPS (R12), Y12
	MOVQ SI, BX
	MOVQ BX, AX
	COLUMN_OUT(0)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT(1)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT(2)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT(3)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT(4)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT(5)
	MOVQ DI, BX
	ROW_OUT(0)
	ROW_OUT(1)
	ROW_OUT(2)
	ROW_OUT(3)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R12
	DECQ CX
	JNZ  outputOne
	VZEROUPPER
	RET

// WEIGHTS transforms three values in Y0 to Y2: to Y6, Y7, Y8, Y9, Y10 and Y2. Y11 to Y15 have 1/4, -1/6, 1/24, 1/12 and
// 1/6.
#define WEIGHTS \
	VMULPS      Y11, Y0, Y6   \
	VADDPS      Y2, Y0, Y3    \
	VADDPS      Y1, Y3, Y7    \
	VMULPS      Y12, Y7, Y7   \
	VSUBPS      Y1, Y3, Y8    \
	VMULPS      Y12, Y8, Y8   \
	VMULPS      Y13, Y0, Y4   \
	VFMADD231PS Y15, Y2, Y4   \
	VMULPS      Y14, Y1, Y5   \
	VADDPS      Y5, Y4, Y9    \
	VSUBPS      Y5, Y4, Y10

#define COLUMN_WEIGHTS(j) \
	VMOVUPS (BX), Y0          \
	VMOVUPS (BX)(R10*1), Y1   \
	VMOVUPS (BX)(R10*2), Y2   \
	WEIGHTS                   \
	KEEP6(j, Y6, Y7, Y8, Y9, Y10, Y2)

#define ROW_WEIGHTS(i) \
	VMOVUPS 32*i+0(SP), Y0   \
	VMOVUPS 32*i+192(SP), Y1 \
	VMOVUPS 32*i+384(SP), Y2 \
	WEIGHTS                  \
	PUT6(R11, Y6, Y7, Y8, Y9, Y10, Y2)

// func winogradWeights(src *float32, tapStep int, dst *float32, step, n int)
//
// G·g·Gᵀ of n times eight kernels of 3×3. Steps are in bytes.
TEXT ·winogradWeights(SB), 0, $1152-40
	MOVQ         src+0(FP), SI
	MOVQ         tapStep+8(FP), R9
	MOVQ         dst+16(FP), DI
	MOVQ         step+24(FP), R11
	MOVQ         n+32(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 16(R8), Y11
	VBROADCASTSS 20(R8), Y12
	VBROADCASTSS 24(R8), Y13
	VBROADCASTSS 28(R8), Y14
	VBROADCASTSS 32(R8), Y15
	LEAQ         (R9)(R9*2), R10 // from a row of taps to the next

weightsOne:
	MOVQ SI, BX
	COLUMN_WEIGHTS(0)
	ADDQ R9, BX
	COLUMN_WEIGHTS(1)
	ADDQ R9, BX
	COLUMN_WEIGHTS(2)
	MOVQ DI, AX
	ROW_WEIGHTS(0)
	ROW_WEIGHTS(1)
	ROW_WEIGHTS(2)
	ROW_WEIGHTS(3)
	ROW_WEIGHTS(4)
	ROW_WEIGHTS(5)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  weightsOne
	VZEROUPPER
	RET

// SPREAD transforms four values in Y0 to Y3: to Y0, Y4, Y5, Y6, Y7 and Y3. Y13, Y14 and Y15 have 2, 4 and 8.
#define SPREAD \
	VADDPS      Y2, Y0, Y8   \
	VADDPS      Y3, Y1, Y9   \
	VADDPS      Y9, Y8, Y4   \
	VSUBPS      Y9, Y8, Y5   \
	VMOVAPS     Y0, Y10      \
	VFMADD231PS Y14, Y2, Y10 \
	VMULPS      Y13, Y1, Y11 \
	VFMADD231PS Y15, Y3, Y11 \
	VADDPS      Y11, Y10, Y6 \
	VSUBPS      Y11, Y10, Y7

#define COLUMN_SPREAD(j) \
	MOVQ    BX, AX              \
	VMOVUPS (AX), Y0            \
	ADDQ    R9, AX              \
	VMOVUPS (AX), Y1            \
	ADDQ    R9, AX              \
	VMOVUPS (AX), Y2            \
	ADDQ    R9, AX              \
	VMOVUPS (AX), Y3            \
	SPREAD                      \
	KEEP6(j, Y0, Y4, Y5, Y6, Y7, Y3)

#define ROW_SPREAD(i) \
	VMOVUPS 32*i+0(SP), Y0   \
	VMOVUPS 32*i+192(SP), Y1 \
	VMOVUPS 32*i+384(SP), Y2 \
	VMOVUPS 32*i+576(SP), Y3 \
	SPREAD                   \
	PUT6(R11, Y0, Y4, Y5, Y6, Y7, Y3)

// func winogradGradient(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)
//
// A·e·Aᵀ of a tile of 4×4 for n times eight outputs, which lie next apart in dst. Steps are in bytes.
TEXT ·winogradGradient(SB), 0, $1152-56
	MOVQ         src+0(FP), SI
	MOVQ         rowStep+8(FP), R9
	MOVQ         columnStep+16(FP), R10
	MOVQ         dst+24(FP), DI
	MOVQ         step+32(FP), R11
	MOVQ         next+40(FP), R12
	MOVQ         n+48(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 8(R8), Y13
	VBROADCASTSS 0(R8), Y14
	VBROADCASTSS 12(R8), Y15

gradientOne:
	MOVQ SI, BX
	COLUMN_SPREAD(0)
	ADDQ R10, BX
	COLUMN_SPREAD(1)
	ADDQ R10, BX
	COLUMN_SPREAD(2)
	ADDQ R10, BX
	COLUMN_SPREAD(3)
	MOVQ DI, AX
	ROW_SPREAD(0)
	ROW_SPREAD(1)
	ROW_SPREAD(2)
	ROW_SPREAD(3)
	ROW_SPREAD(4)
	ROW_SPREAD(5)
	ADDQ $32, SI
	ADDQ R12, DI
	DECQ CX
	JNZ  gradientOne
	VZEROUPPER
	RET

// GATHERED transforms six values in Y0 to Y5: to Y6, Y7 and Y8. Y11 to Y15 have 1/4, -1/6, 1/24, 1/12 and 1/6.
#define GATHERED \
	VADDPS      Y2, Y1, Y9   \
	VADDPS      Y4, Y3, Y10  \
	VMULPS      Y11, Y0, Y6  \
	VFMADD231PS Y12, Y9, Y6  \
	VFMADD231PS Y13, Y10, Y6 \
	VSUBPS      Y1, Y2, Y7   \
	VMULPS      Y15, Y7, Y7  \
	VSUBPS      Y4, Y3, Y8   \
	VFMADD231PS Y14, Y8, Y7  \
	VMOVAPS     Y5, Y8       \
	VFMADD231PS Y12, Y9, Y8  \
	VFMADD231PS Y15, Y10, Y8

#define COLUMN_GATHERED(j) \
	MOVQ BX, AX               \
	LOAD6(DX)                 \
	GATHERED                  \
	VMOVUPS Y6, 192*j+0(SP)   \
	VMOVUPS Y7, 192*j+32(SP)  \
	VMOVUPS Y8, 192*j+64(SP)

#define ROW_GATHERED(i) \
	ROW6(i)      \
	GATHERED     \
	PUT(Y6, R10) \
	PUT(Y7, R10) \
	PUT(Y8, R10)

// func winogradKernels(src *float32, step int, dst *float32, tapStep, n int)
//
// Gᵀ·u·G, kernels of 3×3, of n times eight. Steps are in bytes.
TEXT ·winogradKernels(SB), 0, $1152-40
	MOVQ         src+0(FP), SI
	MOVQ         step+8(FP), R11
	MOVQ         dst+16(FP), DI
	MOVQ         tapStep+24(FP), R10
	MOVQ         n+32(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 16(R8), Y11
	VBROADCASTSS 20(R8), Y12
	VBROADCASTSS 24(R8), Y13
	VBROADCASTSS 28(R8), Y14
	VBROADCASTSS 32(R8), Y15
	LEAQ         (R11)(R11*2), DX
	ADDQ         DX, DX            // from a row of a tile to the next: six steps

kernelsOne:
	MOVQ SI, BX
	COLUMN_GATHERED(0)
	ADDQ R11, BX
	COLUMN_GATHERED(1)
	ADDQ R11, BX
	COLUMN_GATHERED(2)
	ADDQ R11, BX
	COLUMN_GATHERED(3)
	ADDQ R11, BX
	COLUMN_GATHERED(4)
	ADDQ R11, BX
	COLUMN_GATHERED(5)
	MOVQ DI, AX
	ROW_GATHERED(0)
	ROW_GATHERED(1)
	ROW_GATHERED(2)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  kernelsOne
	VZEROUPPER
	RET

// OUTPUTS5 transforms six values in Y0 to Y5: to Y0 and Y1. Y13 has 2.
#define OUTPUTS5 \
	VADDPS      Y2, Y1, Y6   \
	VSUBPS      Y2, Y1, Y7   \
	VADDPS      Y4, Y3, Y8   \
	VSUBPS      Y4, Y3, Y9   \
	VADDPS      Y6, Y0, Y0   \
	VADDPS      Y8, Y0, Y0   \
	VADDPS      Y5, Y7, Y1   \
	VFMADD231PS Y13, Y9, Y1

#define COLUMN_OUT5(j) \
	LOAD6(DX)                 \
	OUTPUTS5                  \
	VMOVUPS Y0, 192*j+0(SP) \
	VMOVUPS Y1, 192*j+32(SP)

#define ROW_OUT5(i) \
	ROW6(i)               \
	OUTPUTS5              \
	VADDPS Y12, Y0, Y0    \
	VADDPS Y12, Y1, Y1    \
	MOVQ   BX, AX         \
	PUT(Y0, R10)          \
	PUT(Y1, R10)          \
	ADDQ   R9, BX

// func winogradOutput5(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)
//
// Aᵀ·m·A + bias of a tile of 2×2 for n times eight outputs. Steps are in bytes.
TEXT ·winogradOutput5(SB), 0, $1152-56
	MOVQ         src+0(FP), SI
	MOVQ         step+8(FP), R11
	MOVQ         bias+16(FP), R12
	MOVQ         dst+24(FP), DI
	MOVQ         rowStep+32(FP), R9
	MOVQ         columnStep+40(FP), R10
	MOVQ         n+48(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 8(R8), Y13
	LEAQ         (R11)(R11*2), DX
	ADDQ         DX, DX            // from a row of a tile to the next: six steps

outputOne5:
	VMOVUPS (R12), Y12
	MOVQ SI, BX
	MOVQ BX, AX
	COLUMN_OUT5(0)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT5(1)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT5(2)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT5(3)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT5(4)
	ADDQ R11, BX
	MOVQ BX, AX
	COLUMN_OUT5(5)
	ADDQ R11, BX
	MOVQ DI, BX
	ROW_OUT5(0)
	ROW_OUT5(1)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R12
	DECQ CX
	JNZ  outputOne5
	VZEROUPPER
	RET

// WEIGHTS5 transforms five values in Y0 to Y4: to Y0, Y7, Y8, Y1, Y2 and Y4. Y9 to Y15 have 1/4, -1/6, 1/24, 1/6, 2/3,
// 1/12 and 1/3.
#define WEIGHTS5 \
	VADDPS      Y2, Y0, Y5   \
	VADDPS      Y4, Y5, Y5   \
	VADDPS      Y3, Y1, Y6   \
	VADDPS      Y6, Y5, Y7   \
	VMULPS      Y10, Y7, Y7  \
	VSUBPS      Y6, Y5, Y8   \
	VMULPS      Y10, Y8, Y8  \
	VMULPS      Y11, Y0, Y5  \
	VFMADD231PS Y12, Y2, Y5  \
	VFMADD231PS Y13, Y4, Y5  \
	VMULPS      Y14, Y1, Y6  \
	VFMADD231PS Y15, Y3, Y6  \
	VADDPS      Y6, Y5, Y1   \
	VSUBPS      Y6, Y5, Y2   \
	VMULPS      Y9, Y0, Y0

#define COLUMN_WEIGHTS5(j) \
	MOVQ    BX, AX    \
	VMOVUPS (AX), Y0  \
	ADDQ    R10, AX   \
	VMOVUPS (AX), Y1  \
	ADDQ    R10, AX   \
	VMOVUPS (AX), Y2  \
	ADDQ    R10, AX   \
	VMOVUPS (AX), Y3  \
	ADDQ    R10, AX   \
	VMOVUPS (AX), Y4  \
	WEIGHTS5          \
	KEEP6(j, Y0, Y7, Y8, Y1, Y2, Y4)

#define ROW_WEIGHTS5(i) \
	VMOVUPS 32*i+0(SP), Y0 \
	VMOVUPS 32*i+192(SP), Y1 \
	VMOVUPS 32*i+384(SP), Y2 \
	VMOVUPS 32*i+576(SP), Y3 \
	VMOVUPS 32*i+768(SP), Y4 \
	WEIGHTS5                 \
	PUT6(R11, Y0, Y7, Y8, Y1, Y2, Y4)

// func winogradWeights5(src *float32, tapStep int, dst *float32, step, n int)
//
// G·g·Gᵀ of n times eight kernels of 5×5. Steps are in bytes.
TEXT ·winogradWeights5(SB), 0, $1152-40
	MOVQ         src+0(FP), SI
	MOVQ         tapStep+8(FP), R9
	MOVQ         dst+16(FP), DI
	MOVQ         step+24(FP), R11
	MOVQ         n+32(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 16(R8), Y9
	VBROADCASTSS 20(R8), Y10
	VBROADCASTSS 24(R8), Y11
	VBROADCASTSS 32(R8), Y12
	VBROADCASTSS 36(R8), Y13
	VBROADCASTSS 28(R8), Y14
	VBROADCASTSS 40(R8), Y15
	LEAQ         (R9)(R9*4), R10 // from a row of taps to the next

weightsOne5:
	MOVQ SI, BX
	COLUMN_WEIGHTS5(0)
	ADDQ R9, BX
	COLUMN_WEIGHTS5(1)
	ADDQ R9, BX
	COLUMN_WEIGHTS5(2)
	ADDQ R9, BX
	COLUMN_WEIGHTS5(3)
	ADDQ R9, BX
	COLUMN_WEIGHTS5(4)
	MOVQ DI, AX
	ROW_WEIGHTS5(0)
	ROW_WEIGHTS5(1)
	ROW_WEIGHTS5(2)
	ROW_WEIGHTS5(3)
	ROW_WEIGHTS5(4)
	ROW_WEIGHTS5(5)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  weightsOne5
	VZEROUPPER
	RET

// SPREAD5 transforms two values in Y0 and Y1: to Y0, Y2, Y3, Y4, Y5 and Y1. Y13 has 2.
#define SPREAD5 \
	VADDPS       Y1, Y0, Y2  \
	VSUBPS       Y1, Y0, Y3  \
	VMOVAPS      Y0, Y4      \
	VFMADD231PS  Y13, Y1, Y4 \
	VMOVAPS      Y0, Y5      \
	VFNMADD231PS Y13, Y1, Y5

#define COLUMN_SPREAD5(j) \
	VMOVUPS (BX), Y0        \
	VMOVUPS (BX)(R9*1), Y1  \
	SPREAD5                 \
	KEEP6(j, Y0, Y2, Y3, Y4, Y5, Y1)

#define ROW_SPREAD5(i) \
	VMOVUPS 32*i+0(SP), Y0 \
	VMOVUPS 32*i+192(SP), Y1 \
	SPREAD5                  \
	PUT6(R11, Y0, Y2, Y3, Y4, Y5, Y1)

// func winogradGradient5(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)
//
// A·e·Aᵀ of a tile of 2×2 for n times eight outputs, which lie next apart in dst. Steps are in bytes.
TEXT ·winogradGradient5(SB), 0, $1152-56
	MOVQ         src+0(FP), SI
	MOVQ         rowStep+8(FP), R9
	MOVQ         columnStep+16(FP), R10
	MOVQ         dst+24(FP), DI
	MOVQ         step+32(FP), R11
	MOVQ         next+40(FP), R12
	MOVQ         n+48(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 8(R8), Y13

gradientOne5:
	MOVQ SI, BX
	COLUMN_SPREAD5(0)
	ADDQ R10, BX
	COLUMN_SPREAD5(1)
	MOVQ DI, AX
	ROW_SPREAD5(0)
	ROW_SPREAD5(1)
	ROW_SPREAD5(2)
	ROW_SPREAD5(3)
	ROW_SPREAD5(4)
	ROW_SPREAD5(5)
	ADDQ $32, SI
	ADDQ R12, DI
	DECQ CX
	JNZ  gradientOne5
	VZEROUPPER
	RET

// GATHERED5 transforms six values in Y0 to Y5: to Y0, Y2, Y3, Y4 and Y5. Y9 to Y15 have 1/4, -1/6, 1/24, 1/6, 2/3, 1/12
// and 1/3.
#define GATHERED5 \
	VADDPS      Y2, Y1, Y6   \
	VMULPS      Y10, Y6, Y6  \
	VSUBPS      Y2, Y1, Y8   \
	VMULPS      Y10, Y8, Y8  \
	VADDPS      Y4, Y3, Y7   \
	VSUBPS      Y4, Y3, Y1   \
	VMULPS      Y9, Y0, Y0   \
	VADDPS      Y6, Y0, Y0   \
	VFMADD231PS Y11, Y7, Y0  \
	VMOVAPS     Y8, Y2       \
	VFMADD231PS Y14, Y1, Y2  \
	VMOVAPS     Y6, Y3       \
	VFMADD231PS Y12, Y7, Y3  \
	VMOVAPS     Y8, Y4       \
	VFMADD231PS Y15, Y1, Y4  \
	VADDPS      Y6, Y5, Y5   \
	VFMADD231PS Y13, Y7, Y5

#define COLUMN_GATHERED5(j) \
	MOVQ BX, AX               \
	LOAD6(DX)                 \
	GATHERED5                 \
	VMOVUPS Y0, 192*j+0(SP) \
	VMOVUPS Y2, 192*j+32(SP) \
	VMOVUPS Y3, 192*j+64(SP) \
	VMOVUPS Y4, 192*j+96(SP) \
	VMOVUPS Y5, 192*j+128(SP)

#define ROW_GATHERED5(i) \
	ROW6(i)      \
	GATHERED5    \
	PUT(Y0, R10) \
	PUT(Y2, R10) \
	PUT(Y3, R10) \
	PUT(Y4, R10) \
	PUT(Y5, R10)

// func winogradKernels5(src *float32, step int, dst *float32, tapStep, n int)
//
// Gᵀ·u·G, kernels of 5×5, of n times eight. Steps are in bytes.
TEXT ·winogradKernels5(SB), 0, $1152-40
	MOVQ         src+0(FP), SI
	MOVQ         step+8(FP), R11
	MOVQ         dst+16(FP), DI
	MOVQ         tapStep+24(FP), R10
	MOVQ         n+32(FP), CX
	LEAQ         ·winogradConstants(SB), R8
	VBROADCASTSS 16(R8), Y9
	VBROADCASTSS 20(R8), Y10
	VBROADCASTSS 24(R8), Y11
	VBROADCASTSS 32(R8), Y12
	VBROADCASTSS 36(R8), Y13
	VBROADCASTSS 28(R8), Y14
	VBROADCASTSS 40(R8), Y15
	LEAQ         (R11)(R11*2), DX
	ADDQ         DX, DX            // from a row of a tile to the next: six steps

kernelsOne5:
	MOVQ SI, BX
	COLUMN_GATHERED5(0)
	ADDQ R11, BX
	COLUMN_GATHERED5(1)
	ADDQ R11, BX
	COLUMN_GATHERED5(2)
	ADDQ R11, BX
	COLUMN_GATHERED5(3)
	ADDQ R11, BX
	COLUMN_GATHERED5(4)
	ADDQ R11, BX
	COLUMN_GATHERED5(5)
	MOVQ DI, AX
	ROW_GATHERED5(0)
	ROW_GATHERED5(1)
	ROW_GATHERED5(2)
	ROW_GATHERED5(3)
	ROW_GATHERED5(4)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  kernelsOne5
	VZEROUPPER
	RET
