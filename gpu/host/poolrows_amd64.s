#include "textflag.h"

// The operands of a row of outputs, poolRow, by their offsets.
#define P_x 0
#define P_y 8
#define P_argmax 16
#define P_masks 24
#define P_offset 32
#define P_rowStep 40
#define P_kh 48
#define P_kw 56
#define P_vectors 64
#define P_vectorStep 72
#define P_index 80
#define P_sizes 88
#define P_position 96
#define P_stride 100
#define P_width 104

DATA sixteenths<>+0(SB)/4, $0.0
DATA sixteenths<>+4(SB)/4, $1.0
DATA sixteenths<>+8(SB)/4, $2.0
DATA sixteenths<>+12(SB)/4, $3.0
DATA sixteenths<>+16(SB)/4, $4.0
DATA sixteenths<>+20(SB)/4, $5.0
DATA sixteenths<>+24(SB)/4, $6.0
DATA sixteenths<>+28(SB)/4, $7.0
DATA sixteenths<>+32(SB)/4, $8.0
DATA sixteenths<>+36(SB)/4, $9.0
DATA sixteenths<>+40(SB)/4, $10.0
DATA sixteenths<>+44(SB)/4, $11.0
DATA sixteenths<>+48(SB)/4, $12.0
DATA sixteenths<>+52(SB)/4, $13.0
DATA sixteenths<>+56(SB)/4, $14.0
DATA sixteenths<>+60(SB)/4, $15.0
GLOBL sixteenths<>(SB), RODATA|NOPTR, $64

DATA rowNumbers<>+0(SB)/4, $1.0
DATA rowNumbers<>+4(SB)/4, $16.0
DATA rowNumbers<>+8(SB)/4, $0xff7fffff // -FLT_MAX
DATA rowNumbers<>+12(SB)/4, $-1.0
GLOBL rowNumbers<>(SB), RODATA|NOPTR, $16

// ROW reads what both kernels want. SI: the first tap of a vector.
#define ROW \
	MOVQ      r+0(FP), DI       \
	MOVQ      P_x(DI), SI       \
	ADDQ      P_offset(DI), SI  \
	MOVQ      P_y(DI), R13      \
	MOVQ      P_masks(DI), R12  \
	MOVQ      P_rowStep(DI), R8 \
	MOVQ      P_kh(DI), R9      \
	MOVQ      P_kw(DI), R10     \
	MOVQ      P_vectors(DI), R11 \
	MOVQ      P_index(DI), AX   \
	VMOVDQU32 (AX), Z30

// TAP reads a tap of sixteen outputs, Z4: column AX of the row at R15. K3 has which are in the plane.
#define TAP \
	KMOVW     (R12)(AX*8), K1        \
	KMOVW     2(R12)(AX*8), K2       \
	VMOVUPS.Z (R15)(AX*4), K1, Z2    \
	VMOVUPS.Z 64(R15)(AX*4), K2, Z3  \
	VMOVDQA32 Z30, Z4                \
	VPERMI2PS Z3, Z2, Z4

// func maxRow512(r *poolRow)
//
// An element takes the place of the largest so far, Z0 at Z1, where it is larger. Where one was infinite or NaN the
// sixteen are done again: the first NaN stays.
TEXT ·maxRow512(SB), NOSPLIT, $0-8
	ROW
	MOVQ         P_argmax(DI), BX
	VBROADCASTSS P_position(DI), Z29
	VBROADCASTSS P_stride(DI), Z28
	VMULPS       sixteenths<>(SB), Z28, Z27
	VADDPS       Z27, Z29, Z29               // Z29: positions of the first tap
	VBROADCASTSS rowNumbers<>+4(SB), Z26
	VMULPS       Z26, Z28, Z26               // Z26: from a vector to the next
	VBROADCASTSS rowNumbers<>+0(SB), Z25
	VBROADCASTSS P_width(DI), Z24
	VBROADCASTSS rowNumbers<>+8(SB), Z23
	VBROADCASTSS rowNumbers<>+12(SB), Z22
	VXORPS       X19, X19, X19

maxVector:
	VMOVAPS Z23, Z0
	VMOVAPS Z22, Z1
	VMOVAPS Z19, Z5                          // Z5: 0, or NaN where an element is not finite
	VMOVAPS Z29, Z20
	MOVQ    SI, R15
	MOVQ    R9, CX
	TESTQ   CX, CX
	JZ      maxStore

maxTaps:
	VMOVAPS Z20, Z21
	XORQ    AX, AX

maxTap:
	TAP
	KMOVW       4(R12)(AX*8), K3
	VCMPPS      $30, Z0, Z4, K3, K4 // greater
	VFMADD231PS Z19, Z4, Z5
	VMOVAPS     Z4, K4, Z0
	VMOVAPS     Z21, K4, Z1
	VADDPS      Z25, Z21, Z21
	INCQ        AX
	CMPQ        AX, R10
	JL          maxTap
	ADDQ        R8, R15
	VADDPS      Z24, Z20, Z20
	DECQ        CX
	JNZ         maxTaps
	VCMPPS      $3, Z5, Z5, K4      // unordered
	KORTESTW    K4, K4
	JNZ         maxOdd

maxStore:
	KMOVW   6(R12), K5
	VMOVUPS Z0, K5, (R13)
	VMOVUPS Z1, K5, (BX)
	ADDQ    $64, R13
	ADDQ    $64, BX
	LEAQ    (R12)(R10*8), R12
	ADDQ    P_vectorStep(DI), SI
	VADDPS  Z26, Z29, Z29
	DECQ    R11
	JNZ     maxVector
	VZEROUPPER
	RET

maxOdd:
	VMOVAPS Z23, Z0
	VMOVAPS Z22, Z1
	VMOVAPS Z29, Z20
	MOVQ    SI, R15
	MOVQ    R9, CX

maxOddTaps:
	VMOVAPS Z20, Z21
	XORQ    AX, AX

maxOddTap:
	TAP
	KMOVW   4(R12)(AX*8), K3
	VCMPPS  $7, Z0, Z0, K3, K4      // the largest is a number
	VCMPPS  $6, Z0, Z4, K4, K4      // not less or equal
	VMOVAPS Z4, K4, Z0
	VMOVAPS Z21, K4, Z1
	VADDPS  Z25, Z21, Z21
	INCQ    AX
	CMPQ    AX, R10
	JL      maxOddTap
	ADDQ    R8, R15
	VADDPS  Z24, Z20, Z20
	DECQ    CX
	JNZ     maxOddTaps
	JMP     maxStore

// func sumRow512(r *poolRow)
//
// What is not in the plane counts as 0.
TEXT ·sumRow512(SB), NOSPLIT, $0-8
	ROW
	MOVQ P_sizes(DI), BX

sumVector:
	VXORPS X0, X0, X0
	MOVQ   SI, R15
	MOVQ   R9, CX
	TESTQ  CX, CX
	JZ     sumStore

sumTaps:
	XORQ AX, AX

sumTap:
	TAP
	VADDPS Z4, Z0, Z0
	INCQ   AX
	CMPQ   AX, R10
	JL     sumTap
	ADDQ   R8, R15
	DECQ   CX
	JNZ    sumTaps

sumStore:
	KMOVW     6(R12), K5
	VMOVUPS.Z (BX), K5, Z1
	VDIVPS    Z1, Z0, K5, Z0
	VMOVUPS   Z0, K5, (R13)
	ADDQ      $64, R13
	ADDQ      $64, BX
	LEAQ      (R12)(R10*8), R12
	ADDQ      P_vectorStep(DI), SI
	DECQ      R11
	JNZ       sumVector
	VZEROUPPER
	RET

// func spreadRow512(r *poolRow)
//
// A tap is what windows that lie side by side give to the elements in one of their columns.
TEXT ·spreadRow512(SB), NOSPLIT, $0-8
	MOVQ r+0(FP), DI
	MOVQ P_x(DI), SI
	ADDQ P_offset(DI), SI
	MOVQ P_y(DI), R13
	MOVQ P_masks(DI), R12
	MOVQ P_rowStep(DI), R8
	MOVQ P_kh(DI), R9
	MOVQ P_kw(DI), R10
	MOVQ P_vectors(DI), R11

spreadVector:
	VXORPS X0, X0, X0
	MOVQ   SI, R15
	MOVQ   R9, CX
	TESTQ  CX, CX
	JZ     spreadStore

spreadTaps:
	XORQ AX, AX

spreadTap:
	MOVL        (R12)(AX*8), DX
	KMOVW       4(R12)(AX*8), K1
	VEXPANDPS.Z (R15)(DX*4), K1, Z4
	VADDPS      Z4, Z0, Z0
	INCQ        AX
	CMPQ        AX, R10
	JL          spreadTap
	ADDQ        R8, R15
	DECQ        CX
	JNZ         spreadTaps

spreadStore:
	KMOVW   6(R12), K5
	VMOVUPS Z0, K5, (R13)
	ADDQ    $64, R13
	LEAQ    (R12)(R10*8), R12
	DECQ    R11
	JNZ     spreadVector
	VZEROUPPER
	RET
