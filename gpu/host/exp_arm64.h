// What kernels with exponentials have in common; exp_arm64.s has the constants. Each operation is that of AVX2, fused
// where it is fused there: so are the bits.

// EXPCONSTANTS has V16 to V28 as exp_arm64.s says, and in V29 and V30 what TANH takes from lanes; V31 is signs.
#define EXPCONSTANTS \
	MOVD    $·expConstants(SB), R8  \
	VLD1R.P 4(R8), [V16.S4]         \
	VLD1R.P 4(R8), [V17.S4]         \
	VLD1R.P 4(R8), [V18.S4]         \
	VLD1R.P 4(R8), [V19.S4]         \
	VLD1R.P 4(R8), [V20.S4]         \
	VLD1R.P 4(R8), [V23.S4]         \
	VLD1R.P 4(R8), [V24.S4]         \
	VLD1R.P 4(R8), [V25.S4]         \
	VLD1R.P 4(R8), [V26.S4]         \
	VLD1R.P 4(R8), [V27.S4]         \
	VLD1R.P 4(R8), [V28.S4]         \
	VLD1R.P 4(R8), [V21.S4]         \
	VLD1R.P 4(R8), [V22.S4]         \
	VLD1R.P 4(R8), [V31.S4]         \
	VLD1    (R8), [V29.S4, V30.S4]

// STEP is one of a polynomial in x: to = p·x + c. A register has the power so far, the other takes the next.
#define STEP(c, x, p, to) \
	MOV(c, to)      \
	FMLAV(x, p, to)

// EXPREST makes of x the power of what is left of it, less 1: |r| <= ln 2 / 2, and n, which x is r + n·ln 2 with.
#define EXPREST(x, n, p, t) \
	FMAX(16, x, x)    \
	FMIN(17, x, x)    \
	FMUL(18, x, n)    \
	FRINTN(n, n)      \
	FMLS(19, n, x)    \
	FMLS(20, n, x)    \
	STEP(24, x, 23, p) \
	STEP(25, x, p, t) \
	STEP(26, x, t, p) \
	STEP(27, x, p, t) \
	STEP(28, x, t, p) \
	FMUL(x, x, t)     \
	FMLAV(t, p, x)

// TWOTO makes 2^n of n.
#define TWOTO(n) \
	FCVTNS(n, n)   \
	ADD4(22, n, n) \
	SHL4(23, n, n)

// EXP is e^x: 2^n times the power of what is left. A NaN stays one.
#define EXP(x, n, p, t) \
	EXPREST(x, n, p, t) \
	FADD(21, x, x)      \
	TWOTO(n)            \
	FMUL(n, x, x)

// SIGMOID is 1/(1 + e^-x), in x.
#define SIGMOID(x, n, p, t) \
	FNEG(x, x)      \
	EXP(x, n, p, t) \
	FADD(21, x, x)  \
	FDIV(x, 21, x)

// TANHSTEP is a STEP with a lane of c.
#define TANHSTEP(lane, c, x, p, to) \
	DUP(lane, c, to) \
	FMLAV(x, p, to)

// TANH is tanh of V4 in V0: below 0.625 a polynomial, from there on 1 - 2/(e^2|x| + 1).
#define TANH \
	FABS(4, 5)               \
	FADD(5, 5, 0)            \
	EXP(0, 1, 2, 3)          \
	FADD(21, 0, 0)           \
	FADD(21, 21, 1)          \
	FDIV(0, 1, 0)            \
	FSUB(0, 21, 0)           \
	BIT(31, 4, 0)            \
	FMUL(4, 4, 6)            \
	DUP(0, 29, 2)            \
	TANHSTEP(1, 29, 6, 2, 3) \
	TANHSTEP(2, 29, 6, 3, 2) \
	TANHSTEP(3, 29, 6, 2, 3) \
	TANHSTEP(0, 30, 6, 3, 2) \
	FMUL(6, 2, 2)            \
	MOV(4, 3)                \
	FMLAV(4, 2, 3)           \
	DUP(1, 30, 1)            \
	FCMGT(5, 1, 1)           \
	BIT(1, 3, 0)

// EXPM1 is e^x - 1 in t: 2^n·(e^r - 1) + (2^n - 1).
#define EXPM1(x, n, p, t) \
	EXPREST(x, n, p, t) \
	TWOTO(n)            \
	FSUB(21, n, t)      \
	FMLAV(n, x, t)
