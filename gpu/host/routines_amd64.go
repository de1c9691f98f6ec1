package host

// What assembler of amd64 alone has; vectors.go says what each is for.

//go:noescape
func dropout16(x, y *float32, n int, a *philoxNumbers)

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

//go:noescape
func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)

//go:noescape
func forward3(masked, w []float32, cut float32)

//go:noescape
func forwardHard(masked, w []float32)

//go:noescape
func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)

//go:noescape
func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32)

//go:noescape
func stepSGD8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func stepNesterov8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func stepAdaGrad8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func stepRMSProp8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func stepAdaDelta8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func stepAdam8(a *stepArrays, n int, u *stepNumbers)

//go:noescape
func abs8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func bnll8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func elu8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func expOf8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func logOf8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func swish8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func square8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func cube8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func root8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func inverseRoot8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func inverse8(x, y *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func sigmoidSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func tanhSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func absSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func bnllSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func eluSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func expSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func logSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func swishSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func squareSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func cubeSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func rootSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func inverseSlope8(x, y, dy, dx *float32, n int, u *unaryNumbers) (done int)

//go:noescape
func normals8(y *float32, n int, a *normalNumbers)

//go:noescape
func uniforms16(y *float32, n int, a *philoxNumbers)
