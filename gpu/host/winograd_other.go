//go:build !amd64

package host

// There is assembler for AVX2 alone; winograd says so.
func winogradInput(*float32, int, int, *float32, int, int)             {}
func winogradOutput(*float32, int, *float32, *float32, int, int, int)  {}
func winogradWeights(*float32, int, *float32, int, int)                {}
func winogradGradient(*float32, int, int, *float32, int, int, int)     {}
func winogradKernels(*float32, int, *float32, int, int)                {}
func winogradOutput5(*float32, int, *float32, *float32, int, int, int) {}
func winogradWeights5(*float32, int, *float32, int, int)               {}
func winogradGradient5(*float32, int, int, *float32, int, int, int)    {}
func winogradKernels5(*float32, int, *float32, int, int)               {}
