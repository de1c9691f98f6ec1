package host

// What assembler of amd64 alone has; vectors.go says what each is for.

//go:noescape
func combineAVX(terms *term, n int, x, y *float32, length int, last float32)

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
