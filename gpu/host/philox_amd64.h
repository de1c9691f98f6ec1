// ROUND is one of Philox: four blocks, a number in each 64 bits, of which the upper half is of no account. Y12 and
// Y13 have the multipliers, R8+at the keys.
#define ROUND(c0, c1, c2, c3, p0, p1, at) \
	VPMULUDQ     c0, Y12, p0        \
	VPMULUDQ     c2, Y13, p1        \
	VPSRLQ       $32, p1, c0        \
	VPXOR        c1, c0, c0         \
	VPXOR        at+0(R8), c0, c0   \
	VPSRLQ       $32, p0, c2        \
	VPXOR        c3, c2, c2         \
	VPXOR        at+32(R8), c2, c2  \
	VMOVDQA      p1, c1             \
	VMOVDQA      p0, c3

// ROUNDS are all of them.
#define ROUNDS(c0, c1, c2, c3, p0, p1) \
	ROUND(c0, c1, c2, c3, p0, p1, 0) \
	ROUND(c0, c1, c2, c3, p0, p1, 64) \
	ROUND(c0, c1, c2, c3, p0, p1, 128) \
	ROUND(c0, c1, c2, c3, p0, p1, 192) \
	ROUND(c0, c1, c2, c3, p0, p1, 256) \
	ROUND(c0, c1, c2, c3, p0, p1, 320) \
	ROUND(c0, c1, c2, c3, p0, p1, 384) \
	ROUND(c0, c1, c2, c3, p0, p1, 448) \
	ROUND(c0, c1, c2, c3, p0, p1, 512) \
	ROUND(c0, c1, c2, c3, p0, p1, 576)

// INORDER brings the numbers of four blocks, one in each lane's lower half, to the order of the blocks: of two in a, of
// two in b.
#define INORDER(c0, c1, c2, c3, t, u, a, b) \
	VPSLLQ      $32, c1, c1       \
	VPSLLQ      $32, c3, c3       \
	VPBLENDD    $0xAA, c1, c0, c0 \
	VPBLENDD    $0xAA, c3, c2, c2 \
	VPUNPCKLQDQ c2, c0, t         \
	VPUNPCKHQDQ c2, c0, u         \
	VPERM2I128  $0x20, u, t, a    \
	VPERM2I128  $0x31, u, t, b
