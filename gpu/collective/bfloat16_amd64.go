package collective

import "golang.org/x/sys/cpu"

// vectors says that this processor has what bfloat16_amd64.s is written for. Results are the same without.
var vectors = cpu.X86.HasAVX2

// What they do is said in bfloat16.go. n is a multiple of 16, and not 0.

//go:noescape
func roundVector(to *uint16, x *float32, n int)

//go:noescape
func widenVector(to *float32, x *uint16, n int)

//go:noescape
func addHalvesVector(total *float32, x *uint16, n int)

//go:noescape
func addVector(to, a, b *float32, n int)
