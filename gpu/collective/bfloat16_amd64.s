#include "textflag.h"

// Sixteen numbers a turn, by AVX2. The arithmetic is that of bfloat16.go.

DATA bias<>+0(SB)/4, $0x7fff
GLOBL bias<>(SB), RODATA|NOPTR, $4
DATA one<>+0(SB)/4, $1
GLOBL one<>(SB), RODATA|NOPTR, $4
DATA quiet<>+0(SB)/4, $0x40
GLOBL quiet<>(SB), RODATA|NOPTR, $4

// ROUND8 makes of eight numbers in X eight of 16 bits in the low halves of X.
#define ROUND8(X, T, U, M) \
	VCMPPS $3, X, X, M   \ // not a number
	VPSRLD $16, X, T     \
	VPOR   Y14, T, U     \ // stays none
	VPAND  Y13, T, T     \
	VPADDD X, T, T       \
	VPADDD Y15, T, T     \
	VPSRLD $16, T, T     \
	VPBLENDVB M, U, T, X

// func roundVector(to *uint16, x *float32, n int)
TEXT ·roundVector(SB), NOSPLIT, $0-24
	MOVQ to+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX
	VPBROADCASTD bias<>(SB), Y15
	VPBROADCASTD quiet<>(SB), Y14
	VPBROADCASTD one<>(SB), Y13

roundLoop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	ROUND8(Y0, Y2, Y3, Y4)
	ROUND8(Y1, Y5, Y6, Y7)
	VPACKUSDW Y1, Y0, Y0
	VPERMQ $0xD8, Y0, Y0
	VMOVDQU Y0, (DI)
	ADDQ $64, SI
	ADDQ $32, DI
	SUBQ $16, CX
	JNZ roundLoop
	VZEROUPPER
	RET

// func widenVector(to *float32, x *uint16, n int)
TEXT ·widenVector(SB), NOSPLIT, $0-24
	MOVQ to+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

widenLoop:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VMOVDQU Y0, (DI)
	VMOVDQU Y1, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ widenLoop
	VZEROUPPER
	RET

// func addHalvesVector(total *float32, x *uint16, n int)
TEXT ·addHalvesVector(SB), NOSPLIT, $0-24
	MOVQ total+0(FP), DI
	MOVQ x+8(FP), SI
	MOVQ n+16(FP), CX

addHalvesLoop:
	VPMOVZXWD (SI), Y0
	VPMOVZXWD 16(SI), Y1
	VPSLLD $16, Y0, Y0
	VPSLLD $16, Y1, Y1
	VMOVUPS (DI), Y2
	VMOVUPS 32(DI), Y3
	VADDPS Y0, Y2, Y2
	VADDPS Y1, Y3, Y3
	VMOVUPS Y2, (DI)
	VMOVUPS Y3, 32(DI)
	ADDQ $32, SI
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ addHalvesLoop
	VZEROUPPER
	RET

// func addVector(to, a, b *float32, n int)
TEXT ·addVector(SB), NOSPLIT, $0-32
	MOVQ to+0(FP), DI
	MOVQ a+8(FP), SI
	MOVQ b+16(FP), DX
	MOVQ n+24(FP), CX

addLoop:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VADDPS (DX), Y0, Y0
	VADDPS 32(DX), Y1, Y1
	VMOVUPS Y0, (DI)
	VMOVUPS Y1, 32(DI)
	ADDQ $64, SI
	ADDQ $64, DX
	ADDQ $64, DI
	SUBQ $16, CX
	JNZ addLoop
	VZEROUPPER
	RET
