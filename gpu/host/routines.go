//go:build amd64 || arm64

package host

// What assembler of both amd64 and arm64 has; vectors.go says what each is for.

//go:noescape
func relu8(x, y *float32, n int)

//go:noescape
func add8(x, y *float32, n int)

//go:noescape
func maxima2Rows(r0, r1, y *float32, n int, floor float32)
