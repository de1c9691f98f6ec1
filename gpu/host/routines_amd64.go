package host

// What assembler of amd64 alone has; vectors.go says what each is for.

//go:noescape
func combineAVX(terms *term, n int, x, y *float32, length int, last float32)

//go:noescape
func depthwiseSums(t *depthwisePlane)

//go:noescape
func depthwiseSums2(t *depthwisePlane)

//go:noescape
func depthwiseDots(t *depthwisePlane)

//go:noescape
func depthwiseDots2(t *depthwisePlane)

//go:noescape
func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32)

//go:noescape
func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int)

//go:noescape
func direct32(t *directTile)

//go:noescape
func direct16(t *directTile)

//go:noescape
func directAVX2(t *directTile)

//go:noescape
func gradient32(t *gradientTile)

//go:noescape
func gradient16(t *gradientTile)

//go:noescape
func gradientAVX2(t *gradientTile)

//go:noescape
func product32(t *productTile)

//go:noescape
func product32Half(t *productTile)

//go:noescape
func product16(t *productTile)

//go:noescape
func productAVX2(t *productTile)

//go:noescape
func maxRow512(r *poolRow)

//go:noescape
func sumRow512(r *poolRow)

//go:noescape
func spreadRow512(r *poolRow)
