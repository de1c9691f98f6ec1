package host

// What assembler of arm64 alone has; vectors.go says what each is for.

//go:noescape
func combineNEON(terms *term, n int, x, y *float32, length int, last float32)

//go:noescape
func productNEON(t *productTile)

//go:noescape
func directNEON(t *directTile)

//go:noescape
func gradientNEON(t *gradientTile)
