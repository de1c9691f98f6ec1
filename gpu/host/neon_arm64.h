// Go's assembler has no names for arithmetic of vectors of four floats. These have the names of Arm's manual (C7.2),
// and take the numbers of registers in Go's order: the result is the last.

#define FADD(m, n, d) WORD $(0x4e20d400 | (m)<<16 | (n)<<5 | (d))  // d = n + m
#define FSUB(m, n, d) WORD $(0x4ea0d400 | (m)<<16 | (n)<<5 | (d))  // d = n - m
#define FMUL(m, n, d) WORD $(0x6e20dc00 | (m)<<16 | (n)<<5 | (d))  // d = n·m
#define FMAX(m, n, d) WORD $(0x4e20f400 | (m)<<16 | (n)<<5 | (d))  // d = max(n, m), NaN where one is
#define FADDP(m, n, d) WORD $(0x6e20d400 | (m)<<16 | (n)<<5 | (d)) // d = sums of neighbours of n, then of m
#define FCMGT(m, n, d) WORD $(0x6ea0e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n > m
#define FCMGE(m, n, d) WORD $(0x6e20e400 | (m)<<16 | (n)<<5 | (d)) // d = all bits where n >= m
#define FABS(n, d) WORD $(0x4ea0f800 | (n)<<5 | (d))               // d = |n|
#define BIC(m, n, d) WORD $(0x4e601c00 | (m)<<16 | (n)<<5 | (d))   // d = n without the bits of m

// FMLA adds to d n times a lane of m, rounded once.
#define FMLA(lane, m, n, d) WORD $(0x4f801000 | ((lane)&1)<<21 | ((lane)>>1)<<11 | (m)<<16 | (n)<<5 | (d))

#define TO4(from, f, v) \
	FMOVS from, f \
	VDUP  v.S[0], v.S4
