//go:build !amd64

package host

// What assembler of amd64 alone has: vectors.go has none of it here, so nobody calls it.

func dropout16(x, y *float32, n int, a *philoxNumbers)                       { panic(absent) }
func combineAVX(terms *term, n int, x, y *float32, length int, last float32) { panic(absent) }
func depthwiseSums(t *depthwisePlane)                                        { panic(absent) }
func depthwiseSums2(t *depthwisePlane)                                       { panic(absent) }
func depthwiseDots(t *depthwisePlane)                                        { panic(absent) }
func depthwiseDots2(t *depthwisePlane)                                       { panic(absent) }
func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32) {
	panic(absent)
}
func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int) { panic(absent) }
func direct32(t *directTile)                                                       { panic(absent) }
func direct16(t *directTile)                                                       { panic(absent) }
func directAVX2(t *directTile)                                                     { panic(absent) }
func gradient32(t *gradientTile)                                                   { panic(absent) }
func gradient16(t *gradientTile)                                                   { panic(absent) }
func gradientAVX2(t *gradientTile)                                                 { panic(absent) }
func product32(t *productTile)                                                     { panic(absent) }
func product32Half(t *productTile)                                                 { panic(absent) }
func product16(t *productTile)                                                     { panic(absent) }
func productAVX2(t *productTile)                                                   { panic(absent) }
func maxRow512(r *poolRow)                                                         { panic(absent) }
func sumRow512(r *poolRow)                                                         { panic(absent) }
func spreadRow512(r *poolRow)                                                      { panic(absent) }
func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)            { panic(absent) }
func forward3(masked, w []float32, cut float32)                                    { panic(absent) }
func forwardHard(masked, w []float32)                                              { panic(absent) }
func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32) {
	panic(absent)
}
func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32)    { panic(absent) }
func stepSGD8(a *stepArrays, n int, u *stepNumbers)                          { panic(absent) }
func stepNesterov8(a *stepArrays, n int, u *stepNumbers)                     { panic(absent) }
func stepAdaGrad8(a *stepArrays, n int, u *stepNumbers)                      { panic(absent) }
func stepRMSProp8(a *stepArrays, n int, u *stepNumbers)                      { panic(absent) }
func stepAdaDelta8(a *stepArrays, n int, u *stepNumbers)                     { panic(absent) }
func stepAdam8(a *stepArrays, n int, u *stepNumbers)                         { panic(absent) }
func abs8(x, y *float32, n int, u *unaryNumbers) (done int)                  { panic(absent) }
func bnll8(x, y *float32, n int, u *unaryNumbers) (done int)                 { panic(absent) }
func elu8(x, y *float32, n int, u *unaryNumbers) (done int)                  { panic(absent) }
func expOf8(x, y *float32, n int, u *unaryNumbers) (done int)                { panic(absent) }
func logOf8(x, y *float32, n int, u *unaryNumbers) (done int)                { panic(absent) }
func swish8(x, y *float32, n int, u *unaryNumbers) (done int)                { panic(absent) }
func square8(x, y *float32, n int, u *unaryNumbers) (done int)               { panic(absent) }
func cube8(x, y *float32, n int, u *unaryNumbers) (done int)                 { panic(absent) }
func root8(x, y *float32, n int, u *unaryNumbers) (done int)                 { panic(absent) }
func inverseRoot8(x, y *float32, n int, u *unaryNumbers) (done int)          { panic(absent) }
func inverse8(x, y *float32, n int, u *unaryNumbers) (done int)              { panic(absent) }
func sigmoidSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int) { panic(absent) }
func tanhSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)    { panic(absent) }
func absSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)     { panic(absent) }
func bnllSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)    { panic(absent) }
func eluSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)     { panic(absent) }
func expSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)     { panic(absent) }
func logSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)     { panic(absent) }
func swishSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)   { panic(absent) }
func squareSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)  { panic(absent) }
func cubeSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)    { panic(absent) }
func rootSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)    { panic(absent) }
func inverseSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int) { panic(absent) }
func normals8(y *float32, n int, a *normalNumbers)                           { panic(absent) }
func uniforms16(y *float32, n int, a *philoxNumbers)                         { panic(absent) }
