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

//go:noescape
func transpose8(src *float32, srcStep int, dst *float32, dstStep int, m, n, over int)

//go:noescape
func copyRows32(src *float32, srcStep int, dst *float32, dstStep, rows int)

//go:noescape
func copyRowsOf(src *float32, srcStep int, dst *float32, dstStep, rows, n int)

//go:noescape
func thin8(src, dst *float32, n int)

//go:noescape
func widen8(src, dst *float32, n int)

//go:noescape
func winogradInput(src *float32, rowStep, columnStep int, dst *float32, step, n int)

//go:noescape
func winogradOutput(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)

//go:noescape
func winogradWeights(src *float32, tapStep int, dst *float32, step, n int)

//go:noescape
func winogradGradient(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)

//go:noescape
func winogradKernels(src *float32, step int, dst *float32, tapStep, n int)

//go:noescape
func winogradOutput5(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int)

//go:noescape
func winogradWeights5(src *float32, tapStep int, dst *float32, step, n int)

//go:noescape
func winogradGradient5(src *float32, rowStep, columnStep int, dst *float32, step, next, n int)

//go:noescape
func winogradKernels5(src *float32, step int, dst *float32, tapStep, n int)

//go:noescape
func divide8(x, y, z *float32, n int)

//go:noescape
func leaky8(x, y *float32, n int, slope float32)

//go:noescape
func dotBelow8(x, y *float32, n int) float32

//go:noescape
func maxPool2Rows(r0, r1, y, argmax *float32, n int, first, width float32)

//go:noescape
func largestRows(v, y, argmax *float32, vStride, yStride, rows, columns int, position, step, rowStep float32)

//go:noescape
func addRows8(x, y *float32, xStride, yStride, rows, columns int)

//go:noescape
func split8(x, even, odd *float32, n int)

//go:noescape
func join8(even, odd, x *float32, n int)

//go:noescape
func squares8(x, y *float32, n int, f float32)

//go:noescape
func ratios8(x, y, z, sum *float32, n int)

//go:noescape
func power8(x, y *float32, n int, scale, shift float32, more int) (done int)

//go:noescape
func normalizeWithin8(x, s, y *float32, n int, f float32)

//go:noescape
func withinGradients8(x, s, dy, dx, t *float32, n int)

//go:noescape
func subtractProducts8(x, y, z *float32, n int, f float32)

//go:noescape
func sumShifted8(x *float32, n, step, count int)

//go:noescape
func normalize8(x, y *float32, n int, m, r float32)

//go:noescape
func normalizeBackward8(y, dy, dx *float32, n int, m, my, r float32)

//go:noescape
func exp8(x, y *float32, n int, top float32)

//go:noescape
func sigmoid8(x, y *float32, n int)

//go:noescape
func tanh8(x, y *float32, n int)

//go:noescape
func largest8(x *float32, n int) float32

//go:noescape
func cellForward8(x *forwardOperands, n int)

//go:noescape
func cell8(x *cellOperands, n int)

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
func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32)

//go:noescape
func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32)

//go:noescape
func forward3(masked, w []float32, cut float32)

//go:noescape
func forwardHard(masked, w []float32)

//go:noescape
func normals8(y *float32, n int, a *normalNumbers)

//go:noescape
func uniforms16(y *float32, n int, a *philoxNumbers)

//go:noescape
func dropout16(x, y *float32, n int, a *philoxNumbers)

//go:noescape
func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)

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
