#include "textflag.h"
#include "neon_arm64.h"
#include "philox_arm64.h"

// The constants are those of gpu.Key.Normals.
DATA normalConstants<>+0(SB)/8, $0x3ff0000000000000 // 1
DATA normalConstants<>+8(SB)/8, $0x3df0000000000000 // 2^-32
DATA normalConstants<>+16(SB)/8, $0x3fe6a09e667f3bcd // the bits of √0.5
DATA normalConstants<>+24(SB)/8, $0x4000000000000000 // 2
DATA normalConstants<>+32(SB)/8, $0x3fe0000000000000 // 0.5
DATA normalConstants<>+40(SB)/8, $0x3fe62e42fee00000 // ln 2, its upper part
DATA normalConstants<>+48(SB)/8, $0x3dea39ef35793c76 // and the rest
DATA normalConstants<>+56(SB)/8, $0x3fe5555555555593 // the polynomial of log
DATA normalConstants<>+64(SB)/8, $0x3fd999999997fa04
DATA normalConstants<>+72(SB)/8, $0x3fd2492494229359
DATA normalConstants<>+80(SB)/8, $0x3fcc71c51d8e78af
DATA normalConstants<>+88(SB)/8, $0x3fc7466496cb03de
DATA normalConstants<>+96(SB)/8, $0x3fc39a09d078c69f
DATA normalConstants<>+104(SB)/8, $0x3fc2f112df3e5244
DATA normalConstants<>+112(SB)/8, $0xc000000000000000 // -2
DATA normalConstants<>+120(SB)/8, $0x401921fb54442d18 // 2π
DATA normalConstants<>+128(SB)/8, $0x3ff45f306dc9c883 // 4/π
DATA normalConstants<>+136(SB)/8, $0x3fe921fb40000000 // π/4, in three parts
DATA normalConstants<>+144(SB)/8, $0x3e64442d00000000
DATA normalConstants<>+152(SB)/8, $0x3ce8469898cc5170
DATA normalConstants<>+160(SB)/8, $0xbda8fa49a0861a9b // the polynomial of cos
DATA normalConstants<>+168(SB)/8, $0x3e21ee9d7b4e3f05
DATA normalConstants<>+176(SB)/8, $0xbe927e4f7eac4bc6
DATA normalConstants<>+184(SB)/8, $0x3efa01a019c844f5
DATA normalConstants<>+192(SB)/8, $0xbf56c16c16c14f91
DATA normalConstants<>+200(SB)/8, $0x3fa555555555554b
DATA normalConstants<>+208(SB)/8, $0x3de5d8fd1fd19ccd // the polynomial of sin
DATA normalConstants<>+216(SB)/8, $0xbe5ae5e5a9291f5d
DATA normalConstants<>+224(SB)/8, $0x3ec71de3567d48a1
DATA normalConstants<>+232(SB)/8, $0xbf2a01a019bfdf03
DATA normalConstants<>+240(SB)/8, $0x3f8111111110f7d0
DATA normalConstants<>+248(SB)/8, $0xbfc5555555555548
GLOBL normalConstants<>(SB), RODATA|NOPTR, $256

#define K_one 0
#define K_scale 1
#define K_root 2
#define K_two 3
#define K_half 4
#define K_hi 5
#define K_lo 6
#define K_L1 7
#define K_L2 8
#define K_L3 9
#define K_L4 10
#define K_L5 11
#define K_L6 12
#define K_L7 13
#define K_minus2 14
#define K_turn 15
#define K_octants 16
#define K_A 17
#define K_B 18
#define K_C 19
#define K_c0 20
#define K_c1 21
#define K_c2 22
#define K_c3 23
#define K_c4 24
#define K_c5 25
#define K_s0 26
#define K_s1 27
#define K_s2 28
#define K_s3 29
#define K_s4 30
#define K_s5 31

// CONST is a constant, twice, of which there is a copy from R20 on.
#define CONST(k, d) LOAD(16*(k), 20, d)

// HORNER is a step of a polynomial in x, each operation rounded: p = p·x + k.
#define HORNER(k, x, p, t) \
	DMUL(x, p, p) \
	CONST(k, t)   \
	DADD(t, p, p)

// POLYNOMIAL has six coefficients, from a on.
#define POLYNOMIAL(a, x, p, t) \
	CONST(a, p)          \
	HORNER(a+1, x, p, t) \
	HORNER(a+2, x, p, t) \
	HORNER(a+3, x, p, t) \
	HORNER(a+4, x, p, t) \
	HORNER(a+5, x, p, t)

// NORMALS makes of two numbers each in a and b, integers of 64 bits, two pairs of normal numbers, and writes them. It
// takes V0 to V7 and V15; V19 and V20 have mean and standard deviation, V21 to V23 the integers 2, 1 and -2, V31 signs.
#define NORMALS(a, b, A, B) \
	UCVTF2(a, a)                                                                                  \
	UCVTF2(b, b)                                                                                  \
	/* V0: the logarithm of the first number, which is 2^e·(1 + f) with 1 + f from √0.5 to √2. */ \
	CONST(K_one, 15)                                                                              \
	DADD(15, a, a)                                                                                \
	CONST(K_scale, 0)                                                                             \
	DMUL(0, a, a)                                                                                 \
	DMUL(0, b, b)                                                                                 \
	CONST(K_root, 1)                                                                              \
	SUB2(1, a, 2)                                                                                 \
	SSHR2(52, 2, 2)                                                                               \
	SHL2(52, 2, 3)                                                                                \
	SUB2(3, a, 0)                                                                                 \
	DSUB(15, 0, 0)     /* V0: f */                                                                \
	SCVTF2(2, 2)       /* V2: e */                                                                \
	CONST(K_two, 3)                                                                               \
	DADD(0, 3, 3)                                                                                 \
	DDIV(3, 0, 3)      /* V3: s */                                                                \
	DMUL(3, 3, 4)      /* V4: s² */                                                               \
	DMUL(4, 4, 5)      /* V5: s⁴ */                                                               \
	CONST(K_L7, 6)                                                                                \
	HORNER(K_L5, 5, 6, 1)                                                                         \
	HORNER(K_L3, 5, 6, 1)                                                                         \
	HORNER(K_L1, 5, 6, 1)                                                                         \
	DMUL(6, 4, 6)                                                                                 \
	CONST(K_L6, 7)                                                                                \
	HORNER(K_L4, 5, 7, 1)                                                                         \
	HORNER(K_L2, 5, 7, 1)                                                                         \
	DMUL(7, 5, 7)                                                                                 \
	DADD(7, 6, 6)      /* V6: R */                                                                \
	CONST(K_half, 1)                                                                              \
	DMUL(0, 1, 7)                                                                                 \
	DMUL(0, 7, 7)      /* V7: f²/2 */                                                             \
	DADD(6, 7, 6)                                                                                 \
	DMUL(6, 3, 6)                                                                                 \
	CONST(K_lo, 4)                                                                                \
	DMUL(4, 2, 4)                                                                                 \
	DADD(4, 6, 6)                                                                                 \
	DSUB(6, 7, 6)                                                                                 \
	DSUB(0, 6, 6)                                                                                 \
	CONST(K_hi, 4)                                                                                \
	DMUL(4, 2, 2)                                                                                 \
	DSUB(6, 2, 0)                                                                                 \
	CONST(K_minus2, 4)                                                                            \
	DMUL(4, 0, 0)                                                                                 \
	DSQRT(0, 0)        /* V0: the distance from 0 */                                              \
	/* b: an angle; its octant, made even, and what is left of it. */                             \
	CONST(K_turn, 2)                                                                              \
	DMUL(2, b, b)                                                                                 \
	CONST(K_octants, 2)                                                                           \
	DMUL(2, b, 2)                                                                                 \
	FCVTZS2(2, 2)                                                                                 \
	ADD2(22, 2, 2)                                                                                \
	ANDV(23, 2, 2)     /* V2: the octant */                                                       \
	SCVTF2(2, 3)                                                                                  \
	CONST(K_A, 4)                                                                                 \
	DMUL(4, 3, 4)                                                                                 \
	DSUB(4, b, b)                                                                                 \
	CONST(K_B, 4)                                                                                 \
	DMUL(4, 3, 4)                                                                                 \
	DSUB(4, b, b)                                                                                 \
	CONST(K_C, 4)                                                                                 \
	DMUL(4, 3, 4)                                                                                 \
	DSUB(4, b, b)      /* b: z */                                                                 \
	DMUL(b, b, 3)      /* V3: z² */                                                               \
	POLYNOMIAL(K_c0, 3, 4, 1)                                                                     \
	DMUL(3, 3, 5)                                                                                 \
	DMUL(4, 5, 4)                                                                                 \
	CONST(K_half, 5)                                                                              \
	DMUL(3, 5, 5)                                                                                 \
	DSUB(5, 15, 5)                                                                                \
	DADD(4, 5, 4)      /* V4: cos z */                                                            \
	POLYNOMIAL(K_s0, 3, 5, 1)                                                                     \
	DMUL(3, b, 6)                                                                                 \
	DMUL(5, 6, 5)                                                                                 \
	DADD(5, b, 5)      /* V5: sin z */                                                            \
	SHL2(62, 2, 6)                                                                                \
	SSHR2(63, 6, 6)                                                                               \
	MOV(4, 7)                                                                                     \
	BIT(6, 5, 7)                                                                                  \
	BIT(6, 4, 5)                                                                                  \
	SHL2(61, 2, 6)                                                                                \
	ANDV(31, 6, 6)                                                                                \
	EORV(6, 5, 5)      /* V5: the sine */                                                         \
	ADD2(21, 2, 2)                                                                                \
	SHL2(61, 2, 2)                                                                                \
	ANDV(31, 2, 2)                                                                                \
	EORV(2, 7, 7)      /* V7: the cosine */                                                       \
	DMUL(7, 0, 7)                                                                                 \
	DMUL(5, 0, 5)                                                                                 \
	FCVTN(7, a)                                                                                   \
	FCVTN(5, b)                                                                                   \
	VZIP1  B.S4, A.S4, V0.S4                                                                      \
	FMUL(20, 0, 0)                                                                                \
	FADD(19, 0, 0)                                                                                \
	VST1.P [V0.S4], 16(R0)

// func normals8(y *float32, n int, a *normalNumbers)
//
// n times four pairs of normal numbers, as gpu.Key.Normals makes them, each operation rounded as there: mean + std·them
// is written. Constants are copied to the stack, twice each.
TEXT ·normals8(SB), 0, $512-24
	MOVD y+0(FP), R0
	MOVD n+8(FP), R1
	MOVD a+16(FP), R4
	MOVD $normalConstants<>(SB), R8
	MOVD $constants-512(SP), R20
	MOVD R20, R9
	MOVD $32, R10

constants:
	VLD1R.P 8(R8), [V0.D2]
	VST1.P  [V0.D2], 16(R9)
	SUB     $1, R10
	CBNZ    R10, constants

	ADD     $880, R4, R9
	VLD1R.P 4(R9), [V19.S4]
	VLD1R   (R9), [V20.S4]
	MOVD    $2, R9
	VDUP    R9, V21.D2
	MOVD    $1, R9
	VDUP    R9, V22.D2
	MOVD    $-2, R9
	VDUP    R9, V23.D2
	MOVD    $0x8000000000000000, R9
	VDUP    R9, V31.D2
	PHILOX

normals:
	ROUNDS
	VUSHLL  $0, V0.S2, V8.D2
	VUSHLL2 $0, V0.S4, V9.D2
	VUSHLL  $0, V1.S2, V10.D2
	VUSHLL2 $0, V1.S4, V11.D2
	NORMALS(8, 10, V8, V10)
	NORMALS(9, 11, V9, V11)
	SUB     $1, R1
	CBNZ    R1, normals
	RET

#define UNIFORM(v) \
	FMUL(18, v, v) \
	FADD(17, v, v)

// func uniforms16(y *float32, n int, a *philoxNumbers)
//
// y = low + width·u of n times four blocks of four numbers u, multiples of 2^-24, each operation rounded.
TEXT ·uniforms16(SB), NOSPLIT, $0-24
	MOVD y+0(FP), R0
	MOVD n+8(FP), R1
	MOVD a+16(FP), R4
	PHILOX
	UNITNUMBERS       // V16: 2^-24, V17: low, V18: width

uniforms:
	ROUNDS
	UNITS
	UNIFORM(0)
	UNIFORM(1)
	UNIFORM(2)
	UNIFORM(3)
	VST4.P [V0.S4, V1.S4, V2.S4, V3.S4], 64(R0)
	SUB    $1, R1
	CBNZ   R1, uniforms
	RET

// KEEP is v times the scale where the number u is at least the ratio, else 0.
#define KEEP(u, v) \
	FCMGE(17, u, u) \
	FMUL(18, v, v)  \
	ANDV(u, v, v)

// func dropout16(x, y *float32, n int, a *philoxNumbers)
//
// y = x·scale where the element's number is at least the ratio, else 0, for n times four blocks of four numbers.
TEXT ·dropout16(SB), NOSPLIT, $0-32
	MOVD x+0(FP), R0
	MOVD y+8(FP), R2
	MOVD n+16(FP), R1
	MOVD a+24(FP), R4
	PHILOX
	UNITNUMBERS       // V16: 2^-24, V17: ratio, V18: scale

dropout:
	ROUNDS
	UNITS
	VLD4.P 64(R0), [V4.S4, V5.S4, V6.S4, V7.S4]
	KEEP(0, 4)
	KEEP(1, 5)
	KEEP(2, 6)
	KEEP(3, 7)
	VST4.P [V4.S4, V5.S4, V6.S4, V7.S4], 64(R2)
	SUB    $1, R1
	CBNZ   R1, dropout
	RET
