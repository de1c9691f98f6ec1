#include "textflag.h"

// func relu8(x, y *float32, n int)
//
// y = max(x, 0) for n times eight elements. Of a NaN and 0, VMAXPS takes the NaN, which stands last; of -0 and 0 the
// -0, which adding 0 makes 0.
TEXT ·relu8(SB), NOSPLIT, $0-24
	MOVQ   x+0(FP), SI
	MOVQ   y+8(FP), DI
	MOVQ   n+16(FP), CX
	VXORPS Y0, Y0, Y0

loop:
	VMAXPS  (SI), Y0, Y1
	VADDPS  Y0, Y1, Y1
	VMOVUPS Y1, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     loop
	VZEROUPPER
	RET

// func add8(x, y *float32, n int)
//
// y += x for n times eight elements.
TEXT ·add8(SB), NOSPLIT, $0-24
	MOVQ x+0(FP), SI
	MOVQ y+8(FP), DI
	MOVQ n+16(FP), CX

loop:
	VMOVUPS (DI), Y0
	VADDPS  (SI), Y0, Y0
	VMOVUPS Y0, (DI)
	ADDQ    $32, SI
	ADDQ    $32, DI
	DECQ    CX
	JNZ     loop
	VZEROUPPER
	RET
