//go:build !arm64

package host

// What assembler of arm64 alone has: vectors.go has none of it here, so nobody calls it.

func combineNEON(terms *term, n int, x, y *float32, length int, last float32) { panic(absent) }
func directNEON(t *directTile)                                                { panic(absent) }
func gradientNEON(t *gradientTile)                                            { panic(absent) }
func productNEON(t *productTile)                                              { panic(absent) }
