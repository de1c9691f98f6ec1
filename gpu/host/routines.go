//go:build amd64 || arm64

package host

// What assembler of both amd64 and arm64 has; vectors.go says what each is for.

//go:noescape
func normalizeScale8(x, norm, y *float32, n int, of *channelNumbers)

//go:noescape
func gradientSums8(norm, dy *float32, n int, of *channelNumbers) (sum, dot float32)

//go:noescape
func gradients8(norm, dy, dx *float32, n int, of *channelNumbers)

//go:noescape
func sum8(x *float32, n int) float32

//go:noescape
func dot8(x, y *float32, n int) float32

//go:noescape
func deviations8(x *float32, n int, m float32) float32

//go:noescape
func sumDot8(x, y *float32, n int) (sum, dot float32)

//go:noescape
func scale8(x, y *float32, n int, a, b float32)

//go:noescape
func relu8(x, y *float32, n int)

//go:noescape
func add8(x, y *float32, n int)

//go:noescape
func mul8(x, y, z *float32, n int)

//go:noescape
func axpby8(x, y *float32, n int, a, b float32)

//go:noescape
func reluBackward8(x, dy, dx *float32, n int, slope float32)

//go:noescape
func weighted8(x, y, z *float32, n int, a, b float32)

//go:noescape
func maxima2Rows(r0, r1, y *float32, n int, floor float32)

//go:noescape
func sgd8(w, grad, history *float32, n int, u *sgdNumbers)

//go:noescape
func redrawSeed8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)

//go:noescape
func redrawCut8(w, masked *float32, n int, cut float32) (drop, pruned, spliced uint32)
