//go:build !amd64

package host

// What assembler of amd64 alone has: vectors.go has none of it here, so nobody calls it.

func combineAVX(terms *term, n int, x, y *float32, length int, last float32) { panic(absent) }
func direct32(t *directTile)                                                 { panic(absent) }
func direct16(t *directTile)                                                 { panic(absent) }
func directAVX2(t *directTile)                                               { panic(absent) }
func gradient32(t *gradientTile)                                             { panic(absent) }
func gradient16(t *gradientTile)                                             { panic(absent) }
func gradientAVX2(t *gradientTile)                                           { panic(absent) }
func product32(t *productTile)                                               { panic(absent) }
func product32Half(t *productTile)                                           { panic(absent) }
func product16(t *productTile)                                               { panic(absent) }
func productAVX2(t *productTile)                                             { panic(absent) }
func maxRow512(r *poolRow)                                                   { panic(absent) }
func sumRow512(r *poolRow)                                                   { panic(absent) }
func spreadRow512(r *poolRow)                                                { panic(absent) }
