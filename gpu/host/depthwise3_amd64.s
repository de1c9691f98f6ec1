#include "textflag.h"

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

DATA ·evens+0(SB)/8, $0x0000000200000000
DATA ·evens+8(SB)/8, $0x0000000600000004
DATA ·evens+16(SB)/8, $0x0000000a00000008
DATA ·evens+24(SB)/8, $0x0000000e0000000c
DATA ·evens+32(SB)/8, $0x0000001200000010
DATA ·evens+40(SB)/8, $0x0000001600000014
DATA ·evens+48(SB)/8, $0x0000001a00000018
DATA ·evens+56(SB)/8, $0x0000001e0000001c
GLOBL ·evens(SB), RODATA|NOPTR, $64

DATA ·odds+0(SB)/8, $0x0000000300000001
DATA ·odds+8(SB)/8, $0x0000000700000005
DATA ·odds+16(SB)/8, $0x0000000b00000009
DATA ·odds+24(SB)/8, $0x0000000f0000000d
DATA ·odds+32(SB)/8, $0x0000001300000011
DATA ·odds+40(SB)/8, $0x0000001700000015
DATA ·odds+48(SB)/8, $0x0000001b00000019
DATA ·odds+56(SB)/8, $0x0000001f0000001d
GLOBL ·odds(SB), RODATA|NOPTR, $64

// MASK sets K1 to the first n of 16, or to all.
#define MASK(n) \
	MOVQ    $16, CX      \
	CMPQ    n, CX        \
	CMOVQLT n, CX        \
	MOVL    $1, AX       \
	SHLL    CX, AX       \
	DECL    AX           \
	KMOVW   AX, K1

// ROWS begins with the rows that an output's row reads.
#define ROWS \
	MOVQ SI, R8       \
	LEAQ (SI)(R11*1), R9  \
	LEAQ (SI)(R11*2), R10 \
	MOVQ DI, BX       \
	MOVQ R13, DX

// NEXT_BLOCK goes on to the next 16 outputs of a row, for which what is read moves by bytes; NEXT_ROW to the next row,
// NEXT_ROW2 where it reads two rows further on.
#define NEXT_BLOCK(bytes, block) \
	ADDQ $bytes, R8  \
	ADDQ $bytes, R9  \
	ADDQ $bytes, R10 \
	ADDQ $64, BX     \
	SUBQ $16, DX     \
	JG   block

#define NEXT_ROW(row) \
	ADDQ R11, SI \
	ADDQ R12, DI \
	DECQ R14     \
	JNZ  row

#define NEXT_ROW2(row) \
	LEAQ (SI)(R11*2), SI \
	ADDQ R12, DI         \
	DECQ R14             \
	JNZ  row

// SUM3OF adds a row's three taps, times their weights, to the outputs, Z10; DOTS3OF the outputs' gradients, Z10, times
// what the taps read, to their sums. SUM3 and DOTS3 do with what APART loaded.
#define SUM3OF(p, a, b, c) \
	VFMADD231PS (p), a, Z10  \
	VFMADD231PS 4(p), b, Z10 \
	VFMADD231PS 8(p), c, Z10

#define SUM3(a, b, c) \
	VFMADD231PS Z11, a, Z10 \
	VFMADD231PS Z12, b, Z10 \
	VFMADD231PS Z13, c, Z10

#define DOTS3OF(p, a, b, c) \
	VFMADD231PS (p), Z10, a  \
	VFMADD231PS 4(p), Z10, b \
	VFMADD231PS 8(p), Z10, c

#define DOTS3(a, b, c) \
	VFMADD231PS Z11, Z10, a \
	VFMADD231PS Z12, Z10, b \
	VFMADD231PS Z13, Z10, c

#define WEIGHTS9 \
	MOVQ         D_w(R15), AX  \
	VBROADCASTSS 0(AX), Z0     \
	VBROADCASTSS 4(AX), Z1     \
	VBROADCASTSS 8(AX), Z2     \
	VBROADCASTSS 12(AX), Z3    \
	VBROADCASTSS 16(AX), Z4    \
	VBROADCASTSS 20(AX), Z5    \
	VBROADCASTSS 24(AX), Z6    \
	VBROADCASTSS 28(AX), Z7    \
	VBROADCASTSS 32(AX), Z8    \
	VBROADCASTSS D_bias(R15), Z9

#define BEGIN_PLANE \
	MOVQ t+0(FP), R15      \
	MOVQ D_x(R15), SI      \
	MOVQ D_xStep(R15), R11 \
	MOVQ D_y(R15), DI      \
	MOVQ D_yStep(R15), R12 \
	MOVQ D_rows(R15), R14  \
	MOVQ D_cols(R15), R13

// func depthwiseSums(t *depthwisePlane)
//
// The outputs of a plane, stride 1.
TEXT ·depthwiseSums(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	WEIGHTS9

sumsRow:
	ROWS

sumsBlock:
	MASK(DX)
	VMOVAPS     Z9, Z10
	SUM3OF(R8, Z0, Z1, Z2)
	SUM3OF(R9, Z3, Z4, Z5)
	SUM3OF(R10, Z6, Z7, Z8)
	VMOVUPS     Z10, K1, (BX)
	NEXT_BLOCK(64, sumsBlock)
	NEXT_ROW(sumsRow)
	VZEROUPPER
	RET

// APART loads every other of 32 elements: Z11 the even ones, Z12 the odd ones, Z13 the even ones from the third on. Z30
// and Z31 say which.
#define APART(p) \
	VMOVUPS   (p), Z11            \
	VMOVAPS   Z11, Z12            \
	VMOVUPS   8(p), Z13           \
	VPERMT2PS 64(p), Z30, Z11     \
	VPERMT2PS 64(p), Z31, Z12     \
	VPERMT2PS 72(p), Z30, Z13

#define INDICES \
	VMOVUPS ·evens(SB), Z30 \
	VMOVUPS ·odds(SB), Z31

// func depthwiseSums2(t *depthwisePlane)
//
// The outputs of a plane, stride 2.
TEXT ·depthwiseSums2(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	WEIGHTS9
	INDICES

sums2Row:
	ROWS

sums2Block:
	MASK(DX)
	VMOVAPS     Z9, Z10
	APART(R8)
	SUM3(Z0, Z1, Z2)
	APART(R9)
	SUM3(Z3, Z4, Z5)
	APART(R10)
	SUM3(Z6, Z7, Z8)
	VMOVUPS     Z10, K1, (BX)
	NEXT_BLOCK(128, sums2Block)
	NEXT_ROW2(sums2Row)
	VZEROUPPER
	RET

#define NONE9 \
	VXORPS Z0, Z0, Z0 \
	VXORPS Z1, Z1, Z1 \
	VXORPS Z2, Z2, Z2 \
	VXORPS Z3, Z3, Z3 \
	VXORPS Z4, Z4, Z4 \
	VXORPS Z5, Z5, Z5 \
	VXORPS Z6, Z6, Z6 \
	VXORPS Z7, Z7, Z7 \
	VXORPS Z8, Z8, Z8

// LANES adds the 16 sums of a tap to 16 numbers of float64.
#define LANES(z, y, at) \
	VCVTPS2PD     y, Z10               \
	VEXTRACTF64X4 $1, z, Y11           \
	VCVTPS2PD     Y11, Z11             \
	VADDPD        at(AX), Z10, Z10     \
	VADDPD        at+64(AX), Z11, Z11  \
	VMOVUPD       Z10, at(AX)          \
	VMOVUPD       Z11, at+64(AX)

#define LANES9 \
	MOVQ D_sums(R15), AX \
	LANES(Z0, Y0, 0)     \
	LANES(Z1, Y1, 128)   \
	LANES(Z2, Y2, 256)   \
	LANES(Z3, Y3, 384)   \
	LANES(Z4, Y4, 512)   \
	LANES(Z5, Y5, 640)   \
	LANES(Z6, Y6, 768)   \
	LANES(Z7, Y7, 896)   \
	LANES(Z8, Y8, 1024)

// func depthwiseDots(t *depthwisePlane)
//
// The sums of a plane's gradients, y, times what each of nine taps reads, stride 1; lanes apart.
TEXT ·depthwiseDots(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	NONE9

dotsRow:
	ROWS

dotsBlock:
	MASK(DX)
	VMOVUPS.Z   (BX), K1, Z10
	DOTS3OF(R8, Z0, Z1, Z2)
	DOTS3OF(R9, Z3, Z4, Z5)
	DOTS3OF(R10, Z6, Z7, Z8)
	NEXT_BLOCK(64, dotsBlock)
	NEXT_ROW(dotsRow)
	LANES9
	VZEROUPPER
	RET

// func depthwiseDots2(t *depthwisePlane)
//
// depthwiseDots of stride 2.
TEXT ·depthwiseDots2(SB), NOSPLIT, $0-8
	BEGIN_PLANE
	NONE9
	INDICES

dots2Row:
	ROWS

dots2Block:
	MASK(DX)
	VMOVUPS.Z   (BX), K1, Z10
	APART(R8)
	DOTS3(Z0, Z1, Z2)
	APART(R9)
	DOTS3(Z3, Z4, Z5)
	APART(R10)
	DOTS3(Z6, Z7, Z8)
	NEXT_BLOCK(128, dots2Block)
	NEXT_ROW2(dots2Row)
	LANES9
	VZEROUPPER
	RET

// func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32)
//
// Rows of any length. Steps are in bytes. What begins at next and also is fetched meanwhile, as much as is copied.
TEXT ·copyPlane(SB), NOSPLIT, $0-64
	MOVQ src+0(FP), SI
	MOVQ srcStep+8(FP), R11
	MOVQ dst+16(FP), DI
	MOVQ dstStep+24(FP), R12
	MOVQ rows+32(FP), R14
	MOVQ cols+40(FP), R13
	MOVQ next+48(FP), R9
	MOVQ also+56(FP), R10

planeRow:
	MOVQ SI, R8
	MOVQ DI, BX
	MOVQ R13, DX

planeBlock:
	MASK(DX)
	VMOVUPS.Z (R8), K1, Z0
	VMOVUPS   Z0, K1, (BX)
	PREFETCHT1 (R9)
	PREFETCHT1 (R10)
	ADDQ      $64, R9
	ADDQ      $64, R10
	ADDQ      $64, R8
	ADDQ      $64, BX
	SUBQ      $16, DX
	JG        planeBlock
	NEXT_ROW(planeRow)
	VZEROUPPER
	RET

// func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int)
//
// Rows of any length, to every other element, with zeros between; up to 16 elements more are written to a row.
TEXT ·spreadPlane(SB), NOSPLIT, $0-48
	MOVQ  src+0(FP), SI
	MOVQ  srcStep+8(FP), R11
	MOVQ  dst+16(FP), DI
	MOVQ  dstStep+24(FP), R12
	MOVQ  rows+32(FP), R14
	MOVQ  cols+40(FP), R13
	MOVL  $0x5555, AX
	KMOVW AX, K2

spreadRow:
	MOVQ SI, R8
	MOVQ DI, BX
	MOVQ R13, DX

spreadBlock:
	MASK(DX)
	VMOVUPS.Z     (R8), K1, Z0
	VEXPANDPS.Z   Z0, K2, Z1
	VEXTRACTF64X4 $1, Z0, Y0
	VEXPANDPS.Z   Z0, K2, Z2
	VMOVUPS       Z1, (BX)
	CMPQ          DX, $8
	JLE           spreadLast
	VMOVUPS       Z2, 64(BX)

spreadLast:
	ADDQ $64, R8
	ADDQ $128, BX
	SUBQ $16, DX
	JG   spreadBlock
	NEXT_ROW(spreadRow)
	VZEROUPPER
	RET
