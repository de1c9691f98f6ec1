#include "textflag.h"
#include "philox_amd64.h"

// REDUCE sums the eight lanes of four registers, of which the first keeps the sum.
#define REDUCE(a, b, c, d, low, t) \
	VADDPS       b, a, a        \
	VADDPS       d, c, c        \
	VADDPS       c, a, a        \
	VEXTRACTF128 $1, a, t       \
	VADDPS       t, low, low    \
	VPERMILPS    $0x0e, low, t  \
	VADDPS       t, low, low    \
	VPERMILPS    $0x01, low, t  \
	VADDSS       t, low, low

#define CLEAR4(a, b, c, d) \
	VXORPS a, a, a \
	VXORPS b, b, b \
	VXORPS c, c, c \
	VXORPS d, d, d

// func sum8(x *float32, n int) float32
//
// The sum of n vectors of eight elements, in 32 lanes.
TEXT ·sum8(SB), NOSPLIT, $0-20
	MOVQ x+0(FP), SI
	MOVQ n+8(FP), CX
	CLEAR4(Y0, Y1, Y2, Y3)
	SUBQ $4, CX
	JL   sumRest

sumFour:
	VADDPS (SI), Y0, Y0
	VADDPS 32(SI), Y1, Y1
	VADDPS 64(SI), Y2, Y2
	VADDPS 96(SI), Y3, Y3
	ADDQ   $128, SI
	SUBQ   $4, CX
	JGE    sumFour

sumRest:
	ADDQ $4, CX
	JZ   sumDone

sumOne:
	VADDPS (SI), Y0, Y0
	ADDQ   $32, SI
	DECQ   CX
	JNZ    sumOne

sumDone:
	REDUCE(Y0, Y1, Y2, Y3, X0, X4)
	VMOVSS X0, ret+16(FP)
	VZEROUPPER
	RET

#define PRODUCT(offset, t, sum) \
	VMOVUPS offset(SI), t      \
	VMULPS  offset(DI), t, t   \
	VADDPS  t, sum, sum

// func dot8(x, y *float32, n int) float32
//
// The sum of products of n vectors of eight elements, in 32 lanes.
TEXT ·dot8(SB), NOSPLIT, $0-28
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ n+16(FP), CX
	CLEAR4(Y0, Y1, Y2, Y3)
	SUBQ $4, CX
	JL   dotRest

dotFour:
	PRODUCT(0, Y4, Y0)
	PRODUCT(32, Y5, Y1)
	PRODUCT(64, Y6, Y2)
	PRODUCT(96, Y7, Y3)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $4, CX
	JGE  dotFour

dotRest:
	ADDQ $4, CX
	JZ   dotDone

dotOne:
	PRODUCT(0, Y4, Y0)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  dotOne

dotDone:
	REDUCE(Y0, Y1, Y2, Y3, X0, X4)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

#define SQUARE(offset, t, sum) \
	VMOVUPS offset(SI), t  \
	VSUBPS  Y8, t, t       \
	VMULPS  t, t, t        \
	VADDPS  t, sum, sum

// func deviations8(x *float32, n int, m float32) float32
//
// The sum of (x - m)² of n vectors of eight elements, in 32 lanes.
TEXT ·deviations8(SB), NOSPLIT, $0-28
	MOVQ         x+0(FP), SI
	MOVQ         n+8(FP), CX
	VBROADCASTSS m+16(FP), Y8
	CLEAR4(Y0, Y1, Y2, Y3)
	SUBQ         $4, CX
	JL           squareRest

squareFour:
	SQUARE(0, Y4, Y0)
	SQUARE(32, Y5, Y1)
	SQUARE(64, Y6, Y2)
	SQUARE(96, Y7, Y3)
	ADDQ $128, SI
	SUBQ $4, CX
	JGE  squareFour

squareRest:
	ADDQ $4, CX
	JZ   squareDone

squareOne:
	SQUARE(0, Y4, Y0)
	ADDQ $32, SI
	DECQ CX
	JNZ  squareOne

squareDone:
	REDUCE(Y0, Y1, Y2, Y3, X0, X4)
	VMOVSS X0, ret+24(FP)
	VZEROUPPER
	RET

// BOTH adds the elements of y, and their products with those of x.
#define BOTH(offset, t, sum, products) \
	VMOVUPS offset(DI), t            \
	VADDPS  t, sum, sum              \
	VMULPS  offset(SI), t, t         \
	VADDPS  t, products, products

// func sumDot8(x, y *float32, n int) (sum, dot float32)
//
// The sum of n vectors of eight elements of y, and that of their products with x, in 32 lanes each.
TEXT ·sumDot8(SB), NOSPLIT, $0-32
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ n+16(FP), CX
	CLEAR4(Y0, Y1, Y2, Y3)
	CLEAR4(Y4, Y5, Y6, Y7)
	SUBQ $4, CX
	JL   bothRest

bothFour:
	BOTH(0, Y8, Y0, Y4)
	BOTH(32, Y9, Y1, Y5)
	BOTH(64, Y10, Y2, Y6)
	BOTH(96, Y11, Y3, Y7)
	ADDQ $128, SI
	ADDQ $128, DI
	SUBQ $4, CX
	JGE  bothFour

bothRest:
	ADDQ $4, CX
	JZ   bothDone

bothOne:
	BOTH(0, Y8, Y0, Y4)
	ADDQ $32, SI
	ADDQ $32, DI
	DECQ CX
	JNZ  bothOne

bothDone:
	REDUCE(Y0, Y1, Y2, Y3, X0, X8)
	REDUCE(Y4, Y5, Y6, Y7, X4, X8)
	VMOVSS X0, sum+24(FP)
	VMOVSS X4, dot+28(FP)
	VZEROUPPER
	RET

// func scale8(x, y *float32, n int, a, b float32)
//
// y = a·x + b, each rounded, for n vectors of eight elements.
TEXT ·scale8(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	VBROADCASTSS a+24(FP), Y1
	VBROADCASTSS b+28(FP), Y2

scaleOne:
	VMULPS  (SI), Y1, Y0
	VADDPS  Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     scaleOne
	VZEROUPPER
	RET

// func normalize8(x, y *float32, n int, m, r float32)
//
// y = (x - m)·r, each rounded, for n vectors of eight elements.
TEXT ·normalize8(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	VBROADCASTSS m+24(FP), Y1
	VBROADCASTSS r+28(FP), Y2

normalizeOne:
	VMOVUPS (SI), Y0
	VSUBPS  Y1, Y0, Y0
	VMULPS  Y2, Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     normalizeOne
	VZEROUPPER
	RET

// func normalizeBackward8(y, dy, dx *float32, n int, m, my, r float32)
//
// dx = (dy - m - y·my)·r, each rounded, for n vectors of eight elements.
TEXT ·normalizeBackward8(SB), NOSPLIT, $0-44
	MOVQ         y+0(FP), SI
	MOVQ         dy+8(FP), DI
	MOVQ         dx+16(FP), DX
	MOVQ         n+24(FP), CX
	VBROADCASTSS m+32(FP), Y1
	VBROADCASTSS my+36(FP), Y2
	VBROADCASTSS r+40(FP), Y3

backwardOne:
	VMOVUPS (DI), Y0
	VSUBPS  Y1, Y0, Y0
	VMULPS  (SI), Y2, Y4
	VSUBPS  Y4, Y0, Y0
	VMULPS  Y3, Y0, Y0
	VMOVUPS Y0, (DX)
	ADDQ    $32, SI
	ADDQ    $32, DI
	ADDQ    $32, DX
	DECQ    CX
	JNZ     backwardOne
	VZEROUPPER
	RET

// KEEP8 writes eight elements, of those whose number is at least the ratio.
#define KEEP8(u, offset, t) \
	VPSRLD    $8, u, u            \
	VCVTDQ2PS u, u                \
	VMULPS    Y14, u, u           \
	VCMPPS    $0x0d, Y15, u, u    \
	VMULPS    offset(SI), Y11, t  \
	VANDPS    u, t, t             \
	VMOVUPS   t, offset(DI)

// func dropout16(x, y *float32, n int, a *philoxNumbers)
//
// y = x·scale where the element's number is at least the ratio, else 0, for n times four blocks of four numbers.
TEXT ·dropout16(SB), NOSPLIT, $0-32
	MOVQ         x+0(FP), SI
	MOVQ         y+8(FP), DI
	MOVQ         n+16(FP), CX
	MOVQ         a+24(FP), R8
	VMOVDQU      640(R8), Y12
	VMOVDQU      672(R8), Y13
	VMOVDQU      704(R8), Y10  // numbers of blocks
	VBROADCASTSS 832(R8), Y14  // 2^-24
	VBROADCASTSS 836(R8), Y15  // ratio
	VBROADCASTSS 840(R8), Y11  // scale

dropoutOne:
	VMOVDQA Y10, Y0
	VMOVDQU 736(R8), Y1
	VMOVDQU 768(R8), Y2
	VMOVDQU 800(R8), Y3
	ROUNDS(Y0, Y1, Y2, Y3, Y4, Y5)
	INORDER(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)
	KEEP8(Y6, 0, Y8)
	KEEP8(Y7, 32, Y9)
	VPADDQ 848(R8), Y10, Y10
	ADDQ   $64, SI
	ADDQ   $64, DI
	DECQ   CX
	JNZ    dropoutOne
	VZEROUPPER
	RET
