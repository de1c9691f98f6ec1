#include "textflag.h"

// The arguments of a tile of outputs, directTile, by their offsets.
#define T_x 0
#define T_pos 8
#define T_runs 72
#define T_nruns 80
#define T_length 88
#define T_w 96
#define T_second 104
#define T_init 112
#define T_initStep 120
#define T_out 128
#define T_outStep 136

// POINTERS makes the addresses of eight positions.
#define POINTERS \
	MOVQ T_x(DI), AX        \
	MOVQ T_pos+0(DI), SI    \
	MOVQ T_pos+8(DI), R8    \
	MOVQ T_pos+16(DI), R9   \
	MOVQ T_pos+24(DI), R10  \
	MOVQ T_pos+32(DI), R11  \
	MOVQ T_pos+40(DI), R12  \
	MOVQ T_pos+48(DI), R13  \
	MOVQ T_pos+56(DI), R15  \
	ADDQ AX, SI             \
	ADDQ AX, R8             \
	ADDQ AX, R9             \
	ADDQ AX, R10            \
	ADDQ AX, R11            \
	ADDQ AX, R12            \
	ADDQ AX, R13            \
	ADDQ AX, R15

// AT32 multiplies the element of a position with 32 weights.
#define AT32(p, t, sum, sum2) \
	VBROADCASTSS (p)(AX*1), t    \
	VFMADD231PS  t, Z28, sum     \
	VFMADD231PS  t, Z29, sum2

#define LOAD2(sum, sum2) \
	VMOVUPS (CX), sum    \
	VMOVUPS 64(CX), sum2 \
	ADDQ    DX, CX

#define STORE2(sum, sum2) \
	VMOVUPS sum, (CX)    \
	VMOVUPS sum2, 64(CX) \
	ADDQ    DX, CX

// func direct32(t *directTile)
//
// Eight positions, 32 outputs, by AVX-512.
TEXT ·direct32(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	POINTERS
	MOVQ T_init(DI), CX
	MOVQ T_initStep(DI), DX
	LOAD2(Z0, Z1)
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOAD2(Z6, Z7)
	LOAD2(Z8, Z9)
	LOAD2(Z10, Z11)
	LOAD2(Z12, Z13)
	LOAD2(Z14, Z15)
	MOVQ T_w(DI), BX
	MOVQ T_second(DI), DX

	MOVQ T_runs(DI), R14

run32:
	MOVQ (R14), AX
	MOVQ T_length(DI), CX

step32:
	VMOVUPS (BX), Z28
	VMOVUPS (BX)(DX*1), Z29
	AT32(SI, Z24, Z0, Z1)
	AT32(R8, Z25, Z2, Z3)
	AT32(R9, Z26, Z4, Z5)
	AT32(R10, Z27, Z6, Z7)
	AT32(R11, Z24, Z8, Z9)
	AT32(R12, Z25, Z10, Z11)
	AT32(R13, Z26, Z12, Z13)
	AT32(R15, Z27, Z14, Z15)
	ADDQ $64, BX
	ADDQ $4, AX
	DECQ CX
	JNZ  step32
	ADDQ $8, R14
	DECQ T_nruns(DI)
	JNZ  run32

	MOVQ T_out(DI), CX
	MOVQ T_outStep(DI), DX
	STORE2(Z0, Z1)
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	STORE2(Z6, Z7)
	STORE2(Z8, Z9)
	STORE2(Z10, Z11)
	STORE2(Z12, Z13)
	STORE2(Z14, Z15)
	VZEROUPPER
	RET

// AT16 multiplies the element of a position with 16 weights.
#define AT16(p, t, sum) \
	VBROADCASTSS (p)(AX*1), t  \
	VFMADD231PS  t, Z28, sum

#define LOAD1(sum) \
	VMOVUPS (CX), sum \
	ADDQ    DX, CX

#define STORE1(sum) \
	VMOVUPS sum, (CX) \
	ADDQ    DX, CX

// func direct16(t *directTile)
//
// Eight positions, 16 outputs, by AVX-512.
TEXT ·direct16(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	POINTERS
	MOVQ T_init(DI), CX
	MOVQ T_initStep(DI), DX
	LOAD1(Z0)
	LOAD1(Z1)
	LOAD1(Z2)
	LOAD1(Z3)
	LOAD1(Z4)
	LOAD1(Z5)
	LOAD1(Z6)
	LOAD1(Z7)
	MOVQ T_w(DI), BX
	MOVQ T_runs(DI), R14

run16:
	MOVQ (R14), AX
	MOVQ T_length(DI), CX

step16:
	VMOVUPS (BX), Z28
	AT16(SI, Z24, Z0)
	AT16(R8, Z25, Z1)
	AT16(R9, Z26, Z2)
	AT16(R10, Z27, Z3)
	AT16(R11, Z24, Z4)
	AT16(R12, Z25, Z5)
	AT16(R13, Z26, Z6)
	AT16(R15, Z27, Z7)
	ADDQ $64, BX
	ADDQ $4, AX
	DECQ CX
	JNZ  step16
	ADDQ $8, R14
	DECQ T_nruns(DI)
	JNZ  run16

	MOVQ T_out(DI), CX
	MOVQ T_outStep(DI), DX
	STORE1(Z0)
	STORE1(Z1)
	STORE1(Z2)
	STORE1(Z3)
	STORE1(Z4)
	STORE1(Z5)
	STORE1(Z6)
	STORE1(Z7)
	VZEROUPPER
	RET

// AT multiplies the element of a position with 16 weights, by AVX2.
#define AT(p, t, sum, sum2) \
	VBROADCASTSS (p)(AX*1), t    \
	VFMADD231PS  t, Y12, sum     \
	VFMADD231PS  t, Y13, sum2

#define LOADY(sum, sum2) \
	VMOVUPS (CX), sum    \
	VMOVUPS 32(CX), sum2 \
	ADDQ    DX, CX

#define STOREY(sum, sum2) \
	VMOVUPS sum, (CX)    \
	VMOVUPS sum2, 32(CX) \
	ADDQ    DX, CX

// func directAVX2(t *directTile)
//
// Six positions, 16 outputs, by AVX2 and FMA.
TEXT ·directAVX2(SB), NOSPLIT, $0-8
	MOVQ t+0(FP), DI
	POINTERS
	MOVQ T_init(DI), CX
	MOVQ T_initStep(DI), DX
	LOADY(Y0, Y1)
	LOADY(Y2, Y3)
	LOADY(Y4, Y5)
	LOADY(Y6, Y7)
	LOADY(Y8, Y9)
	LOADY(Y10, Y11)
	MOVQ T_w(DI), BX
	MOVQ T_runs(DI), R14

runY:
	MOVQ (R14), AX
	MOVQ T_length(DI), CX

stepY:
	VMOVUPS (BX), Y12
	VMOVUPS 32(BX), Y13
	AT(SI, Y14, Y0, Y1)
	AT(R8, Y15, Y2, Y3)
	AT(R9, Y14, Y4, Y5)
	AT(R10, Y15, Y6, Y7)
	AT(R11, Y14, Y8, Y9)
	AT(R12, Y15, Y10, Y11)
	ADDQ $64, BX
	ADDQ $4, AX
	DECQ CX
	JNZ  stepY
	ADDQ $8, R14
	DECQ T_nruns(DI)
	JNZ  runY

	MOVQ T_out(DI), CX
	MOVQ T_outStep(DI), DX
	STOREY(Y0, Y1)
	STOREY(Y2, Y3)
	STOREY(Y4, Y5)
	STOREY(Y6, Y7)
	STOREY(Y8, Y9)
	STOREY(Y10, Y11)
	VZEROUPPER
	RET

// The arguments of a tile of a weight gradient, gradientTile, by their offsets.
#define G_x 0
#define G_xStep 8
#define G_xRow 16
#define G_dy 24
#define G_dyStep 32
#define G_rows 40
#define G_cols 48
#define G_sum 56
#define G_sumStep 64

// FACTOR32 multiplies one of the eight elements of a position with 32 gradients.
#define FACTOR32(offset, t, sum, sum2) \
	VBROADCASTSS offset(SI), t   \
	VFMADD231PS  t, Z28, sum     \
	VFMADD231PS  t, Z29, sum2

#define G_BEGIN \
	MOVQ t+0(FP), DI         \
	MOVQ G_x(DI), SI         \
	MOVQ G_xStep(DI), R8     \
	MOVQ G_xRow(DI), R9      \
	MOVQ G_dy(DI), BX        \
	MOVQ G_dyStep(DI), R10   \
	MOVQ G_rows(DI), R11     \
	MOVQ G_cols(DI), R12     \
	MOVQ G_sum(DI), CX       \
	MOVQ G_sumStep(DI), DX

// func gradient32(t *gradientTile)
//
// Eight elements of a run, 32 outputs, by AVX-512.
TEXT ·gradient32(SB), NOSPLIT, $0-8
	G_BEGIN
	LOAD2(Z0, Z1)
	LOAD2(Z2, Z3)
	LOAD2(Z4, Z5)
	LOAD2(Z6, Z7)
	LOAD2(Z8, Z9)
	LOAD2(Z10, Z11)
	LOAD2(Z12, Z13)
	LOAD2(Z14, Z15)

row32:
	MOVQ R12, CX

col32:
	VMOVUPS (BX), Z28
	VMOVUPS 64(BX), Z29
	FACTOR32(0, Z24, Z0, Z1)
	FACTOR32(4, Z25, Z2, Z3)
	FACTOR32(8, Z26, Z4, Z5)
	FACTOR32(12, Z27, Z6, Z7)
	FACTOR32(16, Z24, Z8, Z9)
	FACTOR32(20, Z25, Z10, Z11)
	FACTOR32(24, Z26, Z12, Z13)
	FACTOR32(28, Z27, Z14, Z15)
	ADDQ R10, BX
	ADDQ R8, SI
	DECQ CX
	JNZ  col32
	ADDQ R9, SI
	DECQ R11
	JNZ  row32

	MOVQ G_sum(DI), CX
	STORE2(Z0, Z1)
	STORE2(Z2, Z3)
	STORE2(Z4, Z5)
	STORE2(Z6, Z7)
	STORE2(Z8, Z9)
	STORE2(Z10, Z11)
	STORE2(Z12, Z13)
	STORE2(Z14, Z15)
	VZEROUPPER
	RET

#define FACTOR16(offset, t, sum) \
	VBROADCASTSS offset(SI), t   \
	VFMADD231PS  t, Z28, sum

// func gradient16(t *gradientTile)
//
// Eight elements of a run, 16 outputs, by AVX-512.
TEXT ·gradient16(SB), NOSPLIT, $0-8
	G_BEGIN
	LOAD1(Z0)
	LOAD1(Z1)
	LOAD1(Z2)
	LOAD1(Z3)
	LOAD1(Z4)
	LOAD1(Z5)
	LOAD1(Z6)
	LOAD1(Z7)

row16:
	MOVQ R12, CX

col16:
	VMOVUPS (BX), Z28
	FACTOR16(0, Z24, Z0)
	FACTOR16(4, Z25, Z1)
	FACTOR16(8, Z26, Z2)
	FACTOR16(12, Z27, Z3)
	FACTOR16(16, Z24, Z4)
	FACTOR16(20, Z25, Z5)
	FACTOR16(24, Z26, Z6)
	FACTOR16(28, Z27, Z7)
	ADDQ R10, BX
	ADDQ R8, SI
	DECQ CX
	JNZ  col16
	ADDQ R9, SI
	DECQ R11
	JNZ  row16

	MOVQ G_sum(DI), CX
	STORE1(Z0)
	STORE1(Z1)
	STORE1(Z2)
	STORE1(Z3)
	STORE1(Z4)
	STORE1(Z5)
	STORE1(Z6)
	STORE1(Z7)
	VZEROUPPER
	RET

#define FACTORY(offset, t, sum, sum2) \
	VBROADCASTSS offset(SI), t   \
	VFMADD231PS  t, Y12, sum     \
	VFMADD231PS  t, Y13, sum2

// func gradientAVX2(t *gradientTile)
//
// Six elements of a run, 16 outputs, by AVX2 and FMA.
TEXT ·gradientAVX2(SB), NOSPLIT, $0-8
	G_BEGIN
	LOADY(Y0, Y1)
	LOADY(Y2, Y3)
	LOADY(Y4, Y5)
	LOADY(Y6, Y7)
	LOADY(Y8, Y9)
	LOADY(Y10, Y11)

rowY:
	MOVQ R12, CX

colY:
	VMOVUPS (BX), Y12
	VMOVUPS 32(BX), Y13
	FACTORY(0, Y14, Y0, Y1)
	FACTORY(4, Y15, Y2, Y3)
	FACTORY(8, Y14, Y4, Y5)
	FACTORY(12, Y15, Y6, Y7)
	FACTORY(16, Y14, Y8, Y9)
	FACTORY(20, Y15, Y10, Y11)
	ADDQ R10, BX
	ADDQ R8, SI
	DECQ CX
	JNZ  colY
	ADDQ R9, SI
	DECQ R11
	JNZ  rowY

	MOVQ G_sum(DI), CX
	STOREY(Y0, Y1)
	STOREY(Y2, Y3)
	STOREY(Y4, Y5)
	STOREY(Y6, Y7)
	STOREY(Y8, Y9)
	STOREY(Y10, Y11)
	VZEROUPPER
	RET

// PAIR interleaves the elements of two rows.
#define PAIR(a, b, low, high) \
	VUNPCKLPS b, a, low  \
	VUNPCKHPS b, a, high

// FOURS brings four rows together: of two pairs, the first and the second.
#define FOURS(low, low2, first, second) \
	VSHUFPS $0x44, low2, low, first  \
	VSHUFPS $0xEE, low2, low, second

// HALVES brings eight rows together.
#define HALVES(a, b, first, second) \
	VPERM2F128 $0x20, b, a, first  \
	VPERM2F128 $0x31, b, a, second

// TRANSPOSE makes of rows in Y0 to Y7 columns, in Y8, Y10, Y12, Y14, Y9, Y11, Y13 and Y15.
#define TRANSPOSE \
	PAIR(Y0, Y1, Y8, Y9)      \
	PAIR(Y2, Y3, Y10, Y11)    \
	PAIR(Y4, Y5, Y12, Y13)    \
	PAIR(Y6, Y7, Y14, Y15)    \
	FOURS(Y8, Y10, Y0, Y1)    \
	FOURS(Y9, Y11, Y2, Y3)    \
	FOURS(Y12, Y14, Y4, Y5)   \
	FOURS(Y13, Y15, Y6, Y7)   \
	HALVES(Y0, Y4, Y8, Y9)    \
	HALVES(Y1, Y5, Y10, Y11)  \
	HALVES(Y2, Y6, Y12, Y13)  \
	HALVES(Y3, Y7, Y14, Y15)

// ROW is the address of a row, or of the last that there is.
#define ROW(at) \
	LEAQ    (AX)(DX*1), at \
	DECQ    CX             \
	CMOVQLE AX, at         \
	MOVQ    at, AX

#define KEEP(y) \
	VMOVUPS y, (BX) \
	ADDQ    R14, BX

#define KEEPMASKED(y) \
	VMASKMOVPS y, Y0, (BX) \
	ADDQ       R14, BX

#define REST(y) \
	KEEPMASKED(y) \
	DECQ CX       \
	JZ   done

// func transpose8(src *float32, srcStep int, dst *float32, dstStep int, m, n, over int)
//
// dst[j][i] = src[i][j] for i < m <= 8, j < n. Steps are in bytes. Where over is not 0, eight elements are written of
// each j, of which those from m on are of no use.
TEXT ·transpose8(SB), NOSPLIT, $0-56
	MOVQ src+0(FP), AX
	MOVQ srcStep+8(FP), DX
	MOVQ dst+16(FP), BX
	MOVQ dstStep+24(FP), R14
	MOVQ m+32(FP), CX
	MOVQ AX, SI
	ROW(DI)
	ROW(R8)
	ROW(R9)
	ROW(R10)
	ROW(R11)
	ROW(R12)
	ROW(R13)
	MOVQ n+40(FP), DX
	MOVQ m+32(FP), R15
	SUBQ $8, DX
	JL   tail
	MOVQ over+48(FP), CX
	ORQ  CX, CX
	JNZ  begin
	CMPQ R15, $8
	JL   narrow

begin:
	MOVQ srcStep+8(FP), CX
	SHLQ $3, CX

whole:
	PREFETCHT0 (SI)(CX*1)
	PREFETCHT0 (DI)(CX*1)
	PREFETCHT0 (R8)(CX*1)
	PREFETCHT0 (R9)(CX*1)
	PREFETCHT0 (R10)(CX*1)
	PREFETCHT0 (R11)(CX*1)
	PREFETCHT0 (R12)(CX*1)
	PREFETCHT0 (R13)(CX*1)
	VMOVUPS (SI), Y0
	VMOVUPS (DI), Y1
	VMOVUPS (R8), Y2
	VMOVUPS (R9), Y3
	VMOVUPS (R10), Y4
	VMOVUPS (R11), Y5
	VMOVUPS (R12), Y6
	VMOVUPS (R13), Y7
	TRANSPOSE
	KEEP(Y8)
	KEEP(Y10)
	KEEP(Y12)
	KEEP(Y14)
	KEEP(Y9)
	KEEP(Y11)
	KEEP(Y13)
	KEEP(Y15)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	SUBQ $8, DX
	JGE  whole
	JMP  tail

narrow:
	VMOVUPS (SI), Y0
	VMOVUPS (DI), Y1
	VMOVUPS (R8), Y2
	VMOVUPS (R9), Y3
	VMOVUPS (R10), Y4
	VMOVUPS (R11), Y5
	VMOVUPS (R12), Y6
	VMOVUPS (R13), Y7
	TRANSPOSE
	LEAQ ·masks+32(SB), AX
	MOVQ R15, CX
	SHLQ $2, CX
	SUBQ CX, AX
	VMOVUPS (AX), Y0
	KEEPMASKED(Y8)
	KEEPMASKED(Y10)
	KEEPMASKED(Y12)
	KEEPMASKED(Y14)
	KEEPMASKED(Y9)
	KEEPMASKED(Y11)
	KEEPMASKED(Y13)
	KEEPMASKED(Y15)
	ADDQ $32, SI
	ADDQ $32, DI
	ADDQ $32, R8
	ADDQ $32, R9
	ADDQ $32, R10
	ADDQ $32, R11
	ADDQ $32, R12
	ADDQ $32, R13
	SUBQ $8, DX
	JGE  narrow

tail:
	ADDQ $8, DX
	JZ   done
	LEAQ ·masks+32(SB), AX
	MOVQ DX, CX
	SHLQ $2, CX
	SUBQ CX, AX
	VMOVUPS (AX), Y15
	VMASKMOVPS (SI), Y15, Y0
	VMASKMOVPS (DI), Y15, Y1
	VMASKMOVPS (R8), Y15, Y2
	VMASKMOVPS (R9), Y15, Y3
	VMASKMOVPS (R10), Y15, Y4
	VMASKMOVPS (R11), Y15, Y5
	VMASKMOVPS (R12), Y15, Y6
	VMASKMOVPS (R13), Y15, Y7
	TRANSPOSE
	LEAQ ·masks+32(SB), AX
	MOVQ R15, CX
	SHLQ $2, CX
	SUBQ CX, AX
	VMOVUPS (AX), Y0
	MOVQ DX, CX
	REST(Y8)
	REST(Y10)
	REST(Y12)
	REST(Y14)
	REST(Y9)
	REST(Y11)
	REST(Y13)

done:
	VZEROUPPER
	RET
