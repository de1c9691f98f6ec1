// Go's assembler has no names for arithmetic of vectors of four floats. These have the names of Arm's manual (C7.2),
// with a V behind those that are other instructions in Go's assembler, and behind FMLA, of which the manual has two.
// They take the numbers of registers in Go's order: the result is the last.

#define FADD(m, n, d) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d))  // d = n + m
#define FSUB(m, n, d) WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d))  // d = n - m
#define FMUL(m, n, d) WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d))  // d = n·m
#define FDIV(m, n, d) WORD $(0x6e20fc00 | (m)<<16 | (n)<<5 | (d))  // d = n/m
#define FMLAV(m, n, d) WORD $(0x4e20cc00 | (m)<<16 | (n)<<5 | (d)) // d += n·m, rounded once
#define FMLS(m, n, d) WORD $(0x4ea0cc00 | (m)<<16 | (n)<<5 | (d))  // d -= n·m, rounded once
#define FMAX(m, n, d) WORD $(0x4e20f400 | (m)<<16 | (n)<<5 | (d))  // d = max(n, m), NaN where one is
#define FMIN(m, n, d) WORD $(0x4ea0f400 | (m)<<16 | (n)<<5 | (d))  // d = min(n, m), NaN where one is
#define FADDP(m, n, d) WORD $(0x6e20d400 | (m)<<16 | (n)<<5 | (d)) // d = sums of neighbours of n, then of m
#define FCMGT(m, n, d) WORD $(0x6ea0e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n > m
#define FCMGE(m, n, d) WORD $(0x6e20e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n >= m
#define FCMEQ(m, n, d) WORD $(0x4e20e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n = m
#define FABS(n, d) WORD $(0x4ea0f800 | (n)<<5 | (d))               // d = |n|
#define FNEG(n, d) WORD $(0x6ea0f800 | (n)<<5 | (d))               // d = -n
#define FSQRT(n, d) WORD $(0x6ea1f800 | (n)<<5 | (d))              // d = √n
#define FRINTN(n, d) WORD $(0x4e218800 | (n)<<5 | (d))             // d = n, rounded to the nearest even integer
#define FCVTNS(n, d) WORD $(0x4e21a800 | (n)<<5 | (d))             // d = n as such an integer
#define SCVTF(n, d) WORD $(0x4e21d800 | (n)<<5 | (d))              // d = the number of an integer n
#define FMAXV(n, d) WORD $(0x6e30f800 | (n)<<5 | (d))              // d = the largest of n, NaN where one is
#define ANDV(m, n, d) WORD $(0x4e201c00 | (m)<<16 | (n)<<5 | (d))   // d = n and m
#define ORRV(m, n, d) WORD $(0x4ea01c00 | (m)<<16 | (n)<<5 | (d))   // d = n or m
#define EORV(m, n, d) WORD $(0x6e201c00 | (m)<<16 | (n)<<5 | (d))   // d = n exclusive or m
#define BICV(m, n, d) WORD $(0x4e601c00 | (m)<<16 | (n)<<5 | (d))   // d = n without the bits of m
#define BIT(m, n, d) WORD $(0x6ea01c00 | (m)<<16 | (n)<<5 | (d))   // d = n where m has bits

// Of two float64, with a D for the F.

#define DADD(m, n, d) WORD $(0x4e60d400 | (m)<<16 | (n)<<5 | (d))  // d = n + m
#define DSUB(m, n, d) WORD $(0x4ee0d400 | (m)<<16 | (n)<<5 | (d))  // d = n - m
#define DMUL(m, n, d) WORD $(0x6e60dc00 | (m)<<16 | (n)<<5 | (d))  // d = n·m
#define DDIV(m, n, d) WORD $(0x6e60fc00 | (m)<<16 | (n)<<5 | (d))  // d = n/m
#define DSQRT(n, d) WORD $(0x6ee1f800 | (n)<<5 | (d))              // d = √n
#define DCMGT(m, n, d) WORD $(0x6ee0e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n > m
#define FCVTL(n, d) WORD $(0x0e617800 | (n)<<5 | (d))              // d = the first two of n, from float32
#define FCVTL2(n, d) WORD $(0x4e617800 | (n)<<5 | (d))             // d = the last two of n, from float32
#define FCVTN(n, d) WORD $(0x0e616800 | (n)<<5 | (d))              // d = n as two float32, and 0
#define FCVTN2(n, d) WORD $(0x4e616800 | (n)<<5 | (d))             // the last two of d = n as float32

// FMLA adds n times a lane of m to d, rounded once.
#define FMLA(lane, m, n, d) WORD $(0x4f801000 | ((lane)&1)<<21 | ((lane)>>1)<<11 | (m)<<16 | (n)<<5 | (d))

// DUP is a lane of n, four times.
#define DUP(lane, n, d) WORD $(0x4e040400 | (lane)<<19 | (n)<<5 | (d))

// LOAD and STORE are of four floats, at an offset from general register r: a multiple of 16, up to 65520.
#define LOAD(offset, r, d) WORD $(0x3dc00000 | (offset)<<6 | (r)<<5 | (d))
#define STORE(n, offset, r) WORD $(0x3d800000 | (offset)<<6 | (r)<<5 | (n))

// LOADU is LOAD at any offset up to 255.
#define LOADU(offset, r, d) WORD $(0x3cc00000 | (offset)<<12 | (r)<<5 | (d))

// MOV copies a register.
#define MOV(n, d) ORRV(n, n, d)

// Of four integers; shifts are by 0 to 31 bits to the left, by 1 to 32 to the right.

#define ADD4(m, n, d) WORD $(0x4ea08400 | (m)<<16 | (n)<<5 | (d))    // d = n + m
#define SUB4(m, n, d) WORD $(0x6ea08400 | (m)<<16 | (n)<<5 | (d))    // d = n - m
#define SHL4(by, n, d) WORD $(0x4f205400 | (by)<<16 | (n)<<5 | (d))  // d = n<<by
#define SSHR4(by, n, d) WORD $((0x4f400400 - ((by)<<16)) | (n)<<5 | (d)) // d = n>>by, of numbers with signs

// Of two integers of 64 bits; shifts by 0 to 63 bits to the left, by 1 to 64 to the right.

#define ADD2(m, n, d) WORD $(0x4ee08400 | (m)<<16 | (n)<<5 | (d))    // d = n + m
#define SUB2(m, n, d) WORD $(0x6ee08400 | (m)<<16 | (n)<<5 | (d))    // d = n - m
#define SHL2(by, n, d) WORD $(0x4f405400 | (by)<<16 | (n)<<5 | (d))  // d = n<<by
#define SSHR2(by, n, d) WORD $((0x4f800400 - ((by)<<16)) | (n)<<5 | (d)) // d = n>>by, of numbers with signs
#define SCVTF2(n, d) WORD $(0x4e61d800 | (n)<<5 | (d))               // d = the float64 of an integer n
#define UCVTF2(n, d) WORD $(0x6e61d800 | (n)<<5 | (d))               // d = the float64 of an integer n without a sign
#define FCVTZS2(n, d) WORD $(0x4ee1b800 | (n)<<5 | (d))              // d = a float64 n as an integer, towards 0

// UMULL are the products, of 64 bits, of the first two of four integers without signs, UMULL2 of the last two.
#define UMULL(m, n, d) WORD $(0x2ea0c000 | (m)<<16 | (n)<<5 | (d))
#define UMULL2(m, n, d) WORD $(0x6ea0c000 | (m)<<16 | (n)<<5 | (d))

// UMINV is the least of n's four integers without signs, in the first lane of d.
#define UMINV(n, d) WORD $(0x6eb1a800 | (n)<<5 | (d))

// LANE0 brings the first of n's four integers to general register r.
#define LANE0(n, r) WORD $(0x0e043c00 | (n)<<5 | (r))

// ALL goes to stop unless all bits of a are set; R25 is used.
#define ALL(a, stop) \
	UMINV(a, a)      \
	LANE0(a, 25)     \
	CMNW $1, R25     \
	BNE  stop

// LANES sums the eight lanes of registers a and b, of which the first, v, keeps the sum: halves, then every other.
#define LANES(a, b, v) \
	FADD(b, a, a)                      \
	VEXT $8, v.B16, v.B16, V31.B16     \
	FADD(31, a, a)                     \
	FADDP(a, a, a)

#define TO4(from, f, v) \
	FMOVS from, f \
	VDUP  v.S[0], v.S4
