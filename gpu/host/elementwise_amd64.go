package host

import "golang.org/x/sys/cpu"

//go:noescape
func relu8(x, y *float32, n int)

//go:noescape
func add8(x, y *float32, n int)

// reluVectors sets y to max(x, 0), eight elements at a time, and returns how many it did.
func reluVectors(x, y []float32) int {
	n := len(y) / 8
	if n == 0 || !cpu.X86.HasAVX {
		return 0
	}
	_ = x[:8*n]
	relu8(&x[0], &y[0], n)
	return 8 * n
}

// addVectors adds x to y, eight elements at a time, and returns how many it did.
func addVectors(x, y []float32) int {
	n := len(y) / 8
	if n == 0 || !cpu.X86.HasAVX {
		return 0
	}
	_ = x[:8*n]
	add8(&x[0], &y[0], n)
	return 8 * n
}
