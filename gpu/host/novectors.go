//go:build !amd64 && !arm64

package host

// What assembler of amd64 and arm64 has: vectors.go has none of it here, so nobody calls it.

func normalizeScale8(x, norm, y *float32, n int, of *channelNumbers)                { panic(absent) }
func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32) { panic(absent) }
func gradients8(norm, dy, dx *float32, n int, of *channelNumbers)                   { panic(absent) }
func sum8(x *float32, n int) float32                                                { panic(absent) }
func dot8(x, y *float32, n int) float32                                             { panic(absent) }
func deviations8(x *float32, n int, m float32) float32                              { panic(absent) }
func sumDot8(x, y *float32, n int) (sum, dot float32)                               { panic(absent) }
func scale8(x, y *float32, n int, a, b float32)                                     { panic(absent) }
func relu8(x, y *float32, n int)                                                    { panic(absent) }
func add8(x, y *float32, n int)                                                     { panic(absent) }
func mul8(x, y, z *float32, n int)                                                  { panic(absent) }
func axpby8(x, y *float32, n int, a, b float32)                                     { panic(absent) }
func reluBackward8(x, dy, dx *float32, n int, slope float32)                        { panic(absent) }
func weighted8(x, y, z *float32, n int, a, b float32)                               { panic(absent) }
func maxima2Rows(r0, r1, y *float32, n int, floor float32)                          { panic(absent) }
func sgd8(w, grad, history *float32, n int, u *sgdNumbers)                          { panic(absent) }
func redrawSeed8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32) {
	panic(absent)
}
func redrawCut8(w, masked *float32, n int, cut float32) (drop, pruned, spliced uint32) { panic(absent) }
