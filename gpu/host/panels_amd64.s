#include "textflag.h"

// The arguments of a tile of a product, productTile, by their offsets.
#define P_a 0
#define P_b 8
#define P_k 16
#define P_c 24
#define P_cStep 32
#define P_init 40
#define P_next 48
#define P_nextStep 56
#define P_line 64
#define P_lines 72
#define P_rows 80

// AHEAD is what loops keep of what is to be fetched: R8 is where, R9 how many lines of a row are left.
#define AHEAD \
	MOVQ P_next(DI), R8      \
	MOVQ P_nextStep(DI), R10 \
	MOVQ P_line(DI), R11     \
	MOVQ P_lines(DI), R12    \
	MOVQ P_rows(DI), R15     \
	MOVQ R12, R9             \
	MOVQ R8, R13

// START goes to each where sums begin with a number a row, and not with what is in C.
#define START(each) \
	MOVQ  P_c(DI), CX     \
	MOVQ  P_cStep(DI), DX \
	MOVQ  P_init(DI), SI  \
	TESTQ SI, SI          \
	JNZ   each

// BEGIN has the operands and their length, and AHEAD.
#define BEGIN \
	MOVQ P_a(DI), SI \
	MOVQ P_b(DI), BX \
	MOVQ P_k(DI), CX \
	AHEAD

// FETCH_AHEAD fetches a line of what comes next. Where a row of it ends it goes to next, which is NEXT_ROW: that begins the
// following row, and behind the last fetches what is being multiplied, until its end.
#define FETCH_AHEAD(next) \
	PREFETCHT1 (R8) \
	ADDQ R11, R8    \
	DECQ R9         \
	JZ   next

#define NEXT_ROW(go) \
	ADDQ R10, R13 \
	MOVQ R13, R8  \
	MOVQ R12, R9  \
	DECQ R15      \
	JNZ  go       \
	MOVQ SI, R8   \
	XORL R11, R11 \
	MOVQ CX, R9   \
	INCQ R9       \
	JMP  go

#define FETCH2 \
	PREFETCHT0 (CX)   \
	PREFETCHT0 64(CX) \
	ADDQ       DX, CX

#define FETCH1 \
	PREFETCHT0 (CX) \
	ADDQ       DX, CX

#define LOADS2(sum, sum2) \
	VMOVUPS (CX), sum    \
	VMOVUPS 64(CX), sum2 \
	ADDQ    DX, CX

#define STORES2(sum, sum2) \
	VMOVUPS sum, (CX)    \
	VMOVUPS sum2, 64(CX) \
	ADDQ    DX, CX

#define EACH2(offset, sum, sum2) \
	VBROADCASTSS offset(SI), sum \
	VMOVAPS      sum, sum2

#define TIMES32(offset, t, sum, sum2) \
	VBROADCASTSS offset(SI), t  \
	VFMADD231PS  t, Z28, sum    \
	VFMADD231PS  t, Z29, sum2

// func product32(t *productTile)
//
// Eight rows, 32 columns, by AVX-512.
TEXT ·product32(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	START(each32)
	LOADS2(Z0, Z1)
	LOADS2(Z2, Z3)
	LOADS2(Z4, Z5)
	LOADS2(Z6, Z7)
	LOADS2(Z8, Z9)
	LOADS2(Z10, Z11)
	LOADS2(Z12, Z13)
	LOADS2(Z14, Z15)
	JMP   begin32

each32:
	FETCH2
	FETCH2
	FETCH2
	FETCH2
	FETCH2
	FETCH2
	FETCH2
	FETCH2
	EACH2(0, Z0, Z1)
	EACH2(4, Z2, Z3)
	EACH2(8, Z4, Z5)
	EACH2(12, Z6, Z7)
	EACH2(16, Z8, Z9)
	EACH2(20, Z10, Z11)
	EACH2(24, Z12, Z13)
	EACH2(28, Z14, Z15)

begin32:
	BEGIN

step32:
	FETCH_AHEAD(next32)

go32:
	VMOVUPS (BX), Z28
	VMOVUPS 64(BX), Z29
	TIMES32(0, Z24, Z0, Z1)
	TIMES32(4, Z25, Z2, Z3)
	TIMES32(8, Z26, Z4, Z5)
	TIMES32(12, Z27, Z6, Z7)
	TIMES32(16, Z24, Z8, Z9)
	TIMES32(20, Z25, Z10, Z11)
	TIMES32(24, Z26, Z12, Z13)
	TIMES32(28, Z27, Z14, Z15)
	ADDQ $32, SI
	ADDQ $128, BX
	DECQ CX
	JNZ  step32
	JMP  done32

next32:
	NEXT_ROW(go32)

done32:
	MOVQ P_c(DI), CX
	STORES2(Z0, Z1)
	STORES2(Z2, Z3)
	STORES2(Z4, Z5)
	STORES2(Z6, Z7)
	STORES2(Z8, Z9)
	STORES2(Z10, Z11)
	STORES2(Z12, Z13)
	STORES2(Z14, Z15)
	VZEROUPPER
	RET

// func product32Half(t *productTile)
//
// The first four of eight rows, 32 columns, by AVX-512.
TEXT ·product32Half(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	START(eachHalf)
	LOADS2(Z0, Z1)
	LOADS2(Z2, Z3)
	LOADS2(Z4, Z5)
	LOADS2(Z6, Z7)
	JMP   beginHalf

eachHalf:
	EACH2(0, Z0, Z1)
	EACH2(4, Z2, Z3)
	EACH2(8, Z4, Z5)
	EACH2(12, Z6, Z7)

beginHalf:
	BEGIN

stepHalf:
	FETCH_AHEAD(nextHalf)

goHalf:
	VMOVUPS (BX), Z28
	VMOVUPS 64(BX), Z29
	TIMES32(0, Z24, Z0, Z1)
	TIMES32(4, Z25, Z2, Z3)
	TIMES32(8, Z26, Z4, Z5)
	TIMES32(12, Z27, Z6, Z7)
	ADDQ $32, SI
	ADDQ $128, BX
	DECQ CX
	JNZ  stepHalf
	JMP  doneHalf

nextHalf:
	NEXT_ROW(goHalf)

doneHalf:
	MOVQ P_c(DI), CX
	STORES2(Z0, Z1)
	STORES2(Z2, Z3)
	STORES2(Z4, Z5)
	STORES2(Z6, Z7)
	VZEROUPPER
	RET

#define LOADS1(sum) \
	VMOVUPS (CX), sum \
	ADDQ    DX, CX

#define STORES1(sum) \
	VMOVUPS sum, (CX) \
	ADDQ    DX, CX

#define TIMES16(offset, t, sum) \
	VBROADCASTSS offset(SI), t \
	VFMADD231PS  t, Z28, sum

// func product16(t *productTile)
//
// Eight rows, 16 columns, by AVX-512.
TEXT ·product16(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	START(each16)
	LOADS1(Z0)
	LOADS1(Z1)
	LOADS1(Z2)
	LOADS1(Z3)
	LOADS1(Z4)
	LOADS1(Z5)
	LOADS1(Z6)
	LOADS1(Z7)
	JMP   begin16

each16:
	VBROADCASTSS 0(SI), Z0
	VBROADCASTSS 4(SI), Z1
	VBROADCASTSS 8(SI), Z2
	VBROADCASTSS 12(SI), Z3
	VBROADCASTSS 16(SI), Z4
	VBROADCASTSS 20(SI), Z5
	VBROADCASTSS 24(SI), Z6
	VBROADCASTSS 28(SI), Z7

begin16:
	BEGIN

step16:
	FETCH_AHEAD(next16)

go16:
	VMOVUPS (BX), Z28
	TIMES16(0, Z24, Z0)
	TIMES16(4, Z25, Z1)
	TIMES16(8, Z26, Z2)
	TIMES16(12, Z27, Z3)
	TIMES16(16, Z24, Z4)
	TIMES16(20, Z25, Z5)
	TIMES16(24, Z26, Z6)
	TIMES16(28, Z27, Z7)
	ADDQ $32, SI
	ADDQ $64, BX
	DECQ CX
	JNZ  step16
	JMP  done16

next16:
	NEXT_ROW(go16)

done16:
	MOVQ P_c(DI), CX
	STORES1(Z0)
	STORES1(Z1)
	STORES1(Z2)
	STORES1(Z3)
	STORES1(Z4)
	STORES1(Z5)
	STORES1(Z6)
	STORES1(Z7)
	VZEROUPPER
	RET

#define LOADSY(sum, sum2) \
	VMOVUPS (CX), sum    \
	VMOVUPS 32(CX), sum2 \
	ADDQ    DX, CX

#define STORESY(sum, sum2) \
	VMOVUPS sum, (CX)    \
	VMOVUPS sum2, 32(CX) \
	ADDQ    DX, CX

#define TIMESY(offset, t, sum, sum2) \
	VBROADCASTSS offset(SI), t  \
	VFMADD231PS  t, Y12, sum    \
	VFMADD231PS  t, Y13, sum2

// func productAVX2(t *productTile)
//
// Six rows, 16 columns, by AVX2 and FMA.
TEXT ·productAVX2(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	START(eachY)
	LOADSY(Y0, Y1)
	LOADSY(Y2, Y3)
	LOADSY(Y4, Y5)
	LOADSY(Y6, Y7)
	LOADSY(Y8, Y9)
	LOADSY(Y10, Y11)
	JMP   beginY

eachY:
	FETCH1
	FETCH1
	FETCH1
	FETCH1
	FETCH1
	FETCH1
	EACH2(0, Y0, Y1)
	EACH2(4, Y2, Y3)
	EACH2(8, Y4, Y5)
	EACH2(12, Y6, Y7)
	EACH2(16, Y8, Y9)
	EACH2(20, Y10, Y11)

beginY:
	BEGIN

stepY:
	FETCH_AHEAD(nextY)

goY:
	VMOVUPS (BX), Y12
	VMOVUPS 32(BX), Y13
	TIMESY(0, Y14, Y0, Y1)
	TIMESY(4, Y15, Y2, Y3)
	TIMESY(8, Y14, Y4, Y5)
	TIMESY(12, Y15, Y6, Y7)
	TIMESY(16, Y14, Y8, Y9)
	TIMESY(20, Y15, Y10, Y11)
	ADDQ $24, SI
	ADDQ $64, BX
	DECQ CX
	JNZ  stepY
	JMP  doneY

nextY:
	NEXT_ROW(goY)

doneY:
	MOVQ P_c(DI), CX
	STORESY(Y0, Y1)
	STORESY(Y2, Y3)
	STORESY(Y4, Y5)
	STORESY(Y6, Y7)
	STORESY(Y8, Y9)
	STORESY(Y10, Y11)
	VZEROUPPER
	RET

// func copyRows32(src *float32, srcStep int, dst *float32, dstStep, rows int)
//
// Rows of 32 elements. Steps are in bytes. What follows in a row will be wanted next.
TEXT ·copyRows32(SB), NOSPLIT, $0-40
	MOVQ src+0(FP), SI
	MOVQ srcStep+8(FP), R8
	MOVQ dst+16(FP), DI
	MOVQ dstStep+24(FP), R9
	MOVQ rows+32(FP), CX

rows32:
	VMOVUPS    (SI), Y0
	VMOVUPS    32(SI), Y1
	VMOVUPS    64(SI), Y2
	VMOVUPS    96(SI), Y3
	PREFETCHT0 128(SI)
	PREFETCHT0 192(SI)
	VMOVUPS    Y0, (DI)
	VMOVUPS    Y1, 32(DI)
	VMOVUPS    Y2, 64(DI)
	VMOVUPS    Y3, 96(DI)
	ADDQ       R8, SI
	ADDQ       R9, DI
	DECQ       CX
	JNZ        rows32
	VZEROUPPER
	RET

// func copyRowsOf(src *float32, srcStep int, dst *float32, dstStep, rows, n int)
//
// Rows of n elements, at most 32. Steps are in bytes.
TEXT ·copyRowsOf(SB), NOSPLIT, $0-48
	MOVQ src+0(FP), SI
	MOVQ srcStep+8(FP), R8
	MOVQ dst+16(FP), DI
	MOVQ dstStep+24(FP), R9
	MOVQ rows+32(FP), CX
	MOVQ n+40(FP), DX

columns8:
	MOVQ SI, R10
	MOVQ DI, R11
	MOVQ CX, R12
	SUBQ $8, DX
	JL   last

rows8:
	VMOVUPS (R10), Y0
	VMOVUPS Y0, (R11)
	ADDQ    R8, R10
	ADDQ    R9, R11
	DECQ    R12
	JNZ     rows8
	ADDQ    $32, SI
	ADDQ    $32, DI
	JMP     columns8

last:
	ADDQ  $8, DX
	TESTQ $4, DX
	JZ    last2

rows4:
	VMOVUPS (R10), X0
	VMOVUPS X0, (R11)
	ADDQ    R8, R10
	ADDQ    R9, R11
	DECQ    R12
	JNZ     rows4
	ADDQ    $16, SI
	ADDQ    $16, DI
	MOVQ    SI, R10
	MOVQ    DI, R11
	MOVQ    CX, R12

last2:
	TESTQ $2, DX
	JZ    last1

rows2:
	MOVQ (R10), AX
	MOVQ AX, (R11)
	ADDQ R8, R10
	ADDQ R9, R11
	DECQ R12
	JNZ  rows2
	ADDQ $8, SI
	ADDQ $8, DI
	MOVQ SI, R10
	MOVQ DI, R11
	MOVQ CX, R12

last1:
	TESTQ $1, DX
	JZ    copied

rows1:
	MOVL (R10), AX
	MOVL AX, (R11)
	ADDQ R8, R10
	ADDQ R9, R11
	DECQ R12
	JNZ  rows1

copied:
	VZEROUPPER
	RET

// func thin8(src, dst *float32, n int)
//
// Every other of 16·n elements.
TEXT ·thin8(SB), NOSPLIT, $0-24
	MOVQ src+0(FP), SI
	MOVQ dst+8(FP), DI
	MOVQ n+16(FP), CX

thinOne:
	VMOVUPS (SI), Y0
	VMOVUPS 32(SI), Y1
	VSHUFPS $0x88, Y1, Y0, Y2
	VPERMPD $0xD8, Y2, Y2
	VMOVUPS Y2, (DI)
	ADDQ    $64, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     thinOne
	VZEROUPPER
	RET

// func widen8(src, dst *float32, n int)
//
// 8·n elements, with a zero behind each.
TEXT ·widen8(SB), NOSPLIT, $0-24
	MOVQ   src+0(FP), SI
	MOVQ   dst+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y3, Y3, Y3

widenOne:
	VMOVUPS   (SI), Y0
	VPERMPD   $0xD8, Y0, Y0
	VUNPCKLPS Y3, Y0, Y1
	VUNPCKHPS Y3, Y0, Y2
	VMOVUPS   Y1, (DI)
	VMOVUPS   Y2, 32(DI)
	ADDQ      $32, SI
	ADDQ      $64, DI
	DECQ      CX
	JNZ       widenOne
	VZEROUPPER
	RET
