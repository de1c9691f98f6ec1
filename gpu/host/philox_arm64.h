// What numbers by Philox have in common: four blocks at a time, whose first numbers are in one register, and so on.

// Offsets in philoxNumbers, of what lies in 64 bits each, of which the lower 32 are read.
#define P_keys 0
#define P_multipliers 640
#define P_counter 704
#define P_unit 832
#define P_ratio 836
#define P_scale 840

// PHILOX has in V28 and V29 the multipliers, in V24 the numbers of blocks, in V25 to V27 what follows them in a
// counter, and in V30 how far the next blocks are. R4 is philoxNumbers.
#define PHILOX \
	MOVD   $32, R10              \
	ADD    $P_multipliers, R4, R9 \
	VLD1R.P (R9)(R10), [V28.S4]  \
	VLD1R.P (R9)(R10), [V29.S4]  \
	VLD1.P (R9)(R10), [V24.S4, V25.S4] \
	VUZP1  V25.S4, V24.S4, V24.S4 \
	VLD1R.P (R9)(R10), [V25.S4]  \
	VLD1R.P (R9)(R10), [V26.S4]  \
	VLD1R  (R9), [V27.S4]        \
	MOVD   $4, R9                \
	VDUP   R9, V30.S4

// PRODUCTS are the lower and the upper halves of the products of four numbers.
#define PRODUCTS(c, m, low, high, C, LOW, HIGH) \
	UMULL(m, c, low)                \
	UMULL2(m, c, c)                 \
	VUZP2 C.S4, LOW.S4, HIGH.S4     \
	VUZP1 C.S4, LOW.S4, LOW.S4

// ROUND is one of Philox, of V0 to V3, which takes V4 to V7 and two keys from R9 on.
#define ROUND \
	PRODUCTS(0, 28, 4, 5, V0, V4, V5) \
	PRODUCTS(2, 29, 6, 7, V2, V6, V7) \
	VLD1R.P (R9)(R10), [V0.S4]        \
	VLD1R.P (R9)(R10), [V2.S4]        \
	EORV(1, 0, 0)                     \
	EORV(7, 0, 0)                     \
	EORV(3, 2, 2)                     \
	EORV(5, 2, 2)                     \
	MOV(6, 1)                         \
	MOV(4, 3)

// ROUNDS are all of them, of the next four blocks.
#define ROUNDS \
	MOV(24, 0)          \
	MOV(25, 1)          \
	MOV(26, 2)          \
	MOV(27, 3)          \
	ADD4(30, 24, 24)    \
	ADD  $P_keys, R4, R9 \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND \
	ROUND

// UNIT makes multiples of 2^-24 of four numbers. V16 has 2^-24.
#define UNIT(v, V) \
	VUSHR $8, V.S4, V.S4 \
	SCVTF(v, v)          \
	FMUL(16, v, v)

#define UNITS \
	UNIT(0, V0) \
	UNIT(1, V1) \
	UNIT(2, V2) \
	UNIT(3, V3)

#define UNITNUMBERS \
	ADD     $P_unit, R4, R9 \
	VLD1R.P 4(R9), [V16.S4] \
	VLD1R.P 4(R9), [V17.S4] \
	VLD1R   (R9), [V18.S4]
