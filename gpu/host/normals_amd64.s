#include "textflag.h"
#include "philox_amd64.h"

// The constants are those of gpu.Key.Normals.
DATA ·normalConstants+0(SB)/8, $0x4330000000000000 // 2^52
DATA ·normalConstants+8(SB)/8, $0x3ff0000000000000 // 1
DATA ·normalConstants+16(SB)/8, $0x3df0000000000000 // 2^-32
DATA ·normalConstants+24(SB)/8, $0x3fe6a09e667f3bcd // the bits of √0.5
DATA ·normalConstants+32(SB)/8, $0x0000000000000040 // what makes exponents positive
DATA ·normalConstants+40(SB)/8, $0x4330000000000040 // 2^52 + 64
DATA ·normalConstants+48(SB)/8, $0x4000000000000000 // 2
DATA ·normalConstants+56(SB)/8, $0x3fe0000000000000 // 0.5
DATA ·normalConstants+64(SB)/8, $0x3fe62e42fee00000 // ln 2, its upper part
DATA ·normalConstants+72(SB)/8, $0x3dea39ef35793c76 // and the rest
DATA ·normalConstants+80(SB)/8, $0x3fe5555555555593 // the polynomial of log
DATA ·normalConstants+88(SB)/8, $0x3fd999999997fa04
DATA ·normalConstants+96(SB)/8, $0x3fd2492494229359
DATA ·normalConstants+104(SB)/8, $0x3fcc71c51d8e78af
DATA ·normalConstants+112(SB)/8, $0x3fc7466496cb03de
DATA ·normalConstants+120(SB)/8, $0x3fc39a09d078c69f
DATA ·normalConstants+128(SB)/8, $0x3fc2f112df3e5244
DATA ·normalConstants+136(SB)/8, $0xc000000000000000 // -2
DATA ·normalConstants+144(SB)/8, $0x401921fb54442d18 // 2π
DATA ·normalConstants+152(SB)/8, $0x3ff45f306dc9c883 // 4/π
DATA ·normalConstants+160(SB)/8, $0x3fe921fb40000000 // π/4, in three parts
DATA ·normalConstants+168(SB)/8, $0x3e64442d00000000
DATA ·normalConstants+176(SB)/8, $0x3ce8469898cc5170
DATA ·normalConstants+184(SB)/8, $0xbda8fa49a0861a9b // the polynomial of cos
DATA ·normalConstants+192(SB)/8, $0x3e21ee9d7b4e3f05
DATA ·normalConstants+200(SB)/8, $0xbe927e4f7eac4bc6
DATA ·normalConstants+208(SB)/8, $0x3efa01a019c844f5
DATA ·normalConstants+216(SB)/8, $0xbf56c16c16c14f91
DATA ·normalConstants+224(SB)/8, $0x3fa555555555554b
DATA ·normalConstants+232(SB)/8, $0x3de5d8fd1fd19ccd // the polynomial of sin
DATA ·normalConstants+240(SB)/8, $0xbe5ae5e5a9291f5d
DATA ·normalConstants+248(SB)/8, $0x3ec71de3567d48a1
DATA ·normalConstants+256(SB)/8, $0xbf2a01a019bfdf03
DATA ·normalConstants+264(SB)/8, $0x3f8111111110f7d0
DATA ·normalConstants+272(SB)/8, $0xbfc5555555555548
DATA ·normalConstants+280(SB)/8, $0x8000000000000000 // the sign
GLOBL ·normalConstants(SB), RODATA|NOPTR, $288

#define K_magic 0
#define K_one 8
#define K_scale 16
#define K_root 24
#define K_bias 32
#define K_biased 40
#define K_two 48
#define K_half 56
#define K_hi 64
#define K_lo 72
#define K_L1 80
#define K_L2 88
#define K_L3 96
#define K_L4 104
#define K_L5 112
#define K_L6 120
#define K_L7 128
#define K_minus2 136
#define K_turn 144
#define K_octants 152
#define K_A 160
#define K_B 168
#define K_C 176
#define K_c0 184
#define K_c1 192
#define K_c2 200
#define K_c3 208
#define K_c4 216
#define K_c5 224
#define K_s0 232
#define K_s1 240
#define K_s2 248
#define K_s3 256
#define K_s4 264
#define K_s5 272
#define K_sign 280

// CONST is a constant in all lanes.
#define CONST(k, y) VBROADCASTSD k(R9), y

// HORNER is a step of a polynomial in x, each operation rounded: p = p·x + k, or with x before k + x·p.
#define HORNER(k, x, p, t) \
	VMULPD x, p, p \
	CONST(k, t)    \
	VADDPD t, p, p

// POLYNOMIAL has six coefficients, from a on.
#define POLYNOMIAL(a, x, p, t) \
	CONST(a, p)             \
	HORNER(a+8, x, p, t)    \
	HORNER(a+16, x, p, t)   \
	HORNER(a+24, x, p, t)   \
	HORNER(a+32, x, p, t)   \
	HORNER(a+40, x, p, t)

// DOUBLE makes a float64 of the lower 32 bits of each lane. Y11 has zeros.
#define DOUBLE(y, t) \
	VPBLENDD $0xAA, Y11, y, y \
	CONST(K_magic, t)         \
	VPOR     t, y, y          \
	VSUBPD   t, y, y

// func normals8(y *float32, n int, a *normalNumbers)
//
// n times four pairs of normal numbers, as gpu.Key.Normals makes them, each operation rounded as there: mean + std·them
// is written.
TEXT ·normals8(SB), NOSPLIT, $0-24
	MOVQ    y+0(FP), DI
	MOVQ    n+8(FP), CX
	MOVQ    a+16(FP), R8
	LEAQ    ·normalConstants(SB), R9
	VMOVDQU 704(R8), Y10 // numbers of blocks
	VPXOR   Y11, Y11, Y11
	VPCMPEQD Y15, Y15, Y15
	VPSRLQ  $63, Y15, Y15
	VPSLLQ  $1, Y15, Y15 // Y15: 2

normals:
	VMOVDQU 640(R8), Y12
	VMOVDQU 672(R8), Y13
	VMOVDQA Y10, Y0
	VMOVDQU 736(R8), Y1
	VMOVDQU 768(R8), Y2
	VMOVDQU 800(R8), Y3
	ROUNDS(Y0, Y1, Y2, Y3, Y4, Y5)
	VPADDQ  848(R8), Y10, Y10
	DOUBLE(Y0, Y2)
	DOUBLE(Y1, Y2)

	// Y0: the logarithm of the first number, which is 2^e·(1 + f) with 1 + f from √0.5 to √2.
	CONST(K_one, Y9)
	VADDPD  Y9, Y0, Y0
	CONST(K_scale, Y8)
	VMULPD  Y8, Y0, Y0
	VMULPD  Y8, Y1, Y1  // Y1: the second number
	CONST(K_root, Y2)
	VPSUBQ  Y2, Y0, Y2
	VPSRAD  $20, Y2, Y2
	VPSHUFD $0xF5, Y2, Y2
	VPSLLQ  $52, Y2, Y3
	VPSUBQ  Y3, Y0, Y0
	VSUBPD  Y9, Y0, Y0  // Y0: f
	CONST(K_bias, Y3)
	VPADDD  Y3, Y2, Y2
	VPBLENDD $0xAA, Y11, Y2, Y2
	CONST(K_magic, Y3)
	VPOR    Y3, Y2, Y2
	CONST(K_biased, Y3)
	VSUBPD  Y3, Y2, Y2  // Y2: e
	CONST(K_two, Y3)
	VADDPD  Y0, Y3, Y3
	VDIVPD  Y3, Y0, Y3  // Y3: s
	VMULPD  Y3, Y3, Y4  // Y4: s²
	VMULPD  Y4, Y4, Y5  // Y5: s⁴
	CONST(K_L7, Y6)
	HORNER(K_L5, Y5, Y6, Y8)
	HORNER(K_L3, Y5, Y6, Y8)
	HORNER(K_L1, Y5, Y6, Y8)
	VMULPD  Y6, Y4, Y6
	CONST(K_L6, Y7)
	HORNER(K_L4, Y5, Y7, Y8)
	HORNER(K_L2, Y5, Y7, Y8)
	VMULPD  Y7, Y5, Y7
	VADDPD  Y7, Y6, Y6  // Y6: R
	CONST(K_half, Y8)
	VMULPD  Y0, Y8, Y7
	VMULPD  Y0, Y7, Y7  // Y7: f²/2
	VADDPD  Y6, Y7, Y6
	VMULPD  Y6, Y3, Y6
	CONST(K_lo, Y4)
	VMULPD  Y4, Y2, Y4
	VADDPD  Y4, Y6, Y6
	VSUBPD  Y6, Y7, Y6
	VSUBPD  Y0, Y6, Y6
	CONST(K_hi, Y4)
	VMULPD  Y4, Y2, Y2
	VSUBPD  Y6, Y2, Y0
	CONST(K_minus2, Y4)
	VMULPD  Y4, Y0, Y0
	VSQRTPD Y0, Y0      // Y0: the distance from 0

	// Y1: an angle; its octant, made even, and what is left of it.
	CONST(K_turn, Y2)
	VMULPD       Y2, Y1, Y1
	CONST(K_octants, Y2)
	VMULPD       Y2, Y1, Y2
	VCVTTPD2DQY  Y2, X2
	VPCMPEQD     X3, X3, X3
	VPSUBD       X3, X2, X2
	VPSLLD       $1, X3, X3
	VPAND        X3, X2, X2
	VCVTDQ2PD    X2, Y3
	VPMOVZXDQ    X2, Y2        // Y2: the octant
	CONST(K_A, Y4)
	VMULPD       Y4, Y3, Y4
	VSUBPD       Y4, Y1, Y1
	CONST(K_B, Y4)
	VMULPD       Y4, Y3, Y4
	VSUBPD       Y4, Y1, Y1
	CONST(K_C, Y4)
	VMULPD       Y4, Y3, Y4
	VSUBPD       Y4, Y1, Y1    // Y1: z
	VMULPD       Y1, Y1, Y3    // Y3: z²
	POLYNOMIAL(K_c0, Y3, Y4, Y8)
	VMULPD       Y3, Y3, Y5
	VMULPD       Y4, Y5, Y4
	CONST(K_half, Y5)
	VMULPD       Y3, Y5, Y5
	VSUBPD       Y5, Y9, Y5
	VADDPD       Y4, Y5, Y4    // Y4: cos z
	POLYNOMIAL(K_s0, Y3, Y5, Y8)
	VMULPD       Y3, Y1, Y6
	VMULPD       Y5, Y6, Y5
	VADDPD       Y5, Y1, Y5    // Y5: sin z
	VPSLLQ       $62, Y2, Y6
	VBLENDVPD    Y6, Y5, Y4, Y7
	VBLENDVPD    Y6, Y4, Y5, Y5
	CONST(K_sign, Y8)
	VPSLLQ       $61, Y2, Y6
	VPAND        Y8, Y6, Y6
	VXORPD       Y6, Y5, Y5    // Y5: the sine
	VPADDQ       Y15, Y2, Y2
	VPSLLQ       $61, Y2, Y2
	VPAND        Y8, Y2, Y2
	VXORPD       Y2, Y7, Y7    // Y7: the cosine

	VMULPD       Y7, Y0, Y7
	VMULPD       Y5, Y0, Y5
	VCVTPD2PSY   Y7, X7
	VCVTPD2PSY   Y5, X5
	VUNPCKLPS    X5, X7, X0
	VUNPCKHPS    X5, X7, X1
	VINSERTF128  $1, X1, Y0, Y0
	VBROADCASTSS 880(R8), Y1   // mean
	VBROADCASTSS 884(R8), Y2   // std
	VMULPS       Y2, Y0, Y0
	VADDPS       Y1, Y0, Y0
	VMOVUPS      Y0, (DI)
	ADDQ         $32, DI
	DECQ         CX
	JNZ          normals
	VZEROUPPER
	RET

// UNIFORM8 writes eight numbers of u.
#define UNIFORM8(u, offset) \
	VPSRLD    $8, u, u    \
	VCVTDQ2PS u, u        \
	VMULPS    Y14, u, u   \
	VMULPS    Y11, u, u   \
	VADDPS    Y15, u, u   \
	VMOVUPS   u, offset(DI)

// func uniforms16(y *float32, n int, a *philoxNumbers)
//
// y = low + width·u of n times four blocks of four numbers u, multiples of 2^-24, each operation rounded.
TEXT ·uniforms16(SB), NOSPLIT, $0-24
	MOVQ         y+0(FP), DI
	MOVQ         n+8(FP), CX
	MOVQ         a+16(FP), R8
	VMOVDQU      640(R8), Y12
	VMOVDQU      672(R8), Y13
	VMOVDQU      704(R8), Y10 // numbers of blocks
	VBROADCASTSS 832(R8), Y14 // 2^-24
	VBROADCASTSS 836(R8), Y15 // low
	VBROADCASTSS 840(R8), Y11 // width

uniforms:
	VMOVDQA Y10, Y0
	VMOVDQU 736(R8), Y1
	VMOVDQU 768(R8), Y2
	VMOVDQU 800(R8), Y3
	ROUNDS(Y0, Y1, Y2, Y3, Y4, Y5)
	INORDER(Y0, Y1, Y2, Y3, Y4, Y5, Y6, Y7)
	UNIFORM8(Y6, 0)
	UNIFORM8(Y7, 32)
	VPADDQ  848(R8), Y10, Y10
	ADDQ    $64, DI
	DECQ    CX
	JNZ     uniforms
	VZEROUPPER
	RET
