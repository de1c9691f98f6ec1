#include "textflag.h"

// The numbers of a channel, channelNumbers, by their offsets.
#define N_mean 0
#define N_reciprocal 4
#define N_a 8
#define N_b 12
#define N_floor 16
#define N_slope 20
#define N_meanG 24
#define N_meanGNorm 28

// func normalizeScale8(x, norm, y *float32, n int, of *channelNumbers)
//
// norm = (x - mean)·reciprocal, y = max(a·norm + b, floor), each rounded, for n vectors of eight elements. Of a NaN and
// the floor, VMAXPS takes the NaN, which stands last.
TEXT ·normalizeScale8(SB), NOSPLIT, $0-40
	MOVQ         x+0(FP), SI
	MOVQ         norm+8(FP), DX
	MOVQ         y+16(FP), DI
	MOVQ         n+24(FP), CX
	MOVQ         of+32(FP), BX
	VBROADCASTSS N_mean(BX), Y8
	VBROADCASTSS N_reciprocal(BX), Y9
	VBROADCASTSS N_a(BX), Y10
	VBROADCASTSS N_b(BX), Y11
	VBROADCASTSS N_floor(BX), Y12
	XORQ         AX, AX

normalize:
	VMOVUPS (SI)(AX*1), Y0
	VSUBPS  Y8, Y0, Y0
	VMULPS  Y9, Y0, Y0
	VMOVUPS Y0, (DX)(AX*1)
	VMULPS  Y10, Y0, Y0
	VADDPS  Y11, Y0, Y0
	VMAXPS  Y0, Y12, Y0
	VMOVUPS Y0, (DI)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     normalize
	VZEROUPPER
	RET

#define FACTORS \
	VBROADCASTSS N_a(BX), Y10    \
	VBROADCASTSS N_b(BX), Y11    \
	VBROADCASTSS N_slope(BX), Y12 \
	VXORPS       Y13, Y13, Y13

// RECTIFIED reads norm, v, and the gradient of what ReLU was given, g: dy where a·norm + b is above 0, else slope·dy.
#define RECTIFIED(offset, v, g, t) \
	VMOVUPS   offset(SI)(AX*1), v   \
	VMULPS    v, Y10, t             \
	VADDPS    Y11, t, t             \
	VCMPPS    $1, t, Y13, t         \
	VMOVUPS   offset(DI)(AX*1), g   \
	VMULPS    g, Y12, Y15           \
	VBLENDVPS t, g, Y15, g

// SUMS adds g, and g·norm.
#define SUMS(offset, sum, dot) \
	RECTIFIED(offset, Y6, Y7, Y8) \
	VADDPS Y7, sum, sum           \
	VMULPS Y6, Y7, Y7             \
	VADDPS Y7, dot, dot

// LANES sums the eight lanes of two registers, of which the first keeps the sum.
#define LANES(a, b, low, t) \
	VADDPS       b, a, a       \
	VEXTRACTF128 $1, a, t      \
	VADDPS       t, low, low   \
	VPERMILPS    $0x0e, low, t \
	VADDPS       t, low, low   \
	VPERMILPS    $0x01, low, t \
	VADDSS       t, low, low

// func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32)
//
// Of n vectors of eight elements, in 16 lanes each.
TEXT ·gradientSums8(SB), NOSPLIT, $0-40
	MOVQ norm+0(FP), SI
	MOVQ dy+8(FP), DI
	MOVQ n+16(FP), CX
	MOVQ of+24(FP), BX
	FACTORS
	VXORPS Y0, Y0, Y0
	VXORPS Y1, Y1, Y1
	VXORPS Y2, Y2, Y2
	VXORPS Y3, Y3, Y3
	XORQ   AX, AX
	SUBQ   $2, CX
	JL     sumLast

sumTwo:
	SUMS(0, Y0, Y2)
	SUMS(32, Y1, Y3)
	ADDQ $64, AX
	SUBQ $2, CX
	JGE  sumTwo

sumLast:
	ADDQ $2, CX
	JZ   sumDone
	SUMS(0, Y0, Y2)

sumDone:
	LANES(Y0, Y1, X0, X4)
	LANES(Y2, Y3, X2, X4)
	VMOVSS X0, sum+32(FP)
	VMOVSS X2, dot+36(FP)
	VZEROUPPER
	RET

// func gradients8(norm, dy, dx *float32, n int, of *channelNumbers)
//
// dy = a·g, dx = (dy - meanG - norm·meanGNorm)·reciprocal, each rounded, for n vectors of eight elements; dx may be dy.
TEXT ·gradients8(SB), NOSPLIT, $0-40
	MOVQ         norm+0(FP), SI
	MOVQ         dy+8(FP), DI
	MOVQ         dx+16(FP), DX
	MOVQ         n+24(FP), CX
	MOVQ         of+32(FP), BX
	FACTORS
	VBROADCASTSS N_meanG(BX), Y8
	VBROADCASTSS N_meanGNorm(BX), Y9
	VBROADCASTSS N_reciprocal(BX), Y14
	XORQ         AX, AX
	CMPQ         DX, DI
	JE           gradientsInPlace

gradientsBoth:
	RECTIFIED(0, Y0, Y1, Y2)
	VMULPS  Y10, Y1, Y1
	VMOVUPS Y1, (DI)(AX*1)
	VSUBPS  Y8, Y1, Y1
	VMULPS  Y9, Y0, Y0
	VSUBPS  Y0, Y1, Y1
	VMULPS  Y14, Y1, Y1
	VMOVUPS Y1, (DX)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     gradientsBoth
	VZEROUPPER
	RET

gradientsInPlace:
	RECTIFIED(0, Y0, Y1, Y2)
	VMULPS  Y10, Y1, Y1
	VSUBPS  Y8, Y1, Y1
	VMULPS  Y9, Y0, Y0
	VSUBPS  Y0, Y1, Y1
	VMULPS  Y14, Y1, Y1
	VMOVUPS Y1, (DX)(AX*1)
	ADDQ    $32, AX
	DECQ    CX
	JNZ     gradientsInPlace
	VZEROUPPER
	RET
