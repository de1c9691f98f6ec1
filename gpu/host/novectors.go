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
func transpose8(src *float32, srcStep int, dst *float32, dstStep int, m, n, over int)  { panic(absent) }
func copyRows32(src *float32, srcStep int, dst *float32, dstStep, rows int)            { panic(absent) }
func copyRowsOf(src *float32, srcStep int, dst *float32, dstStep, rows, n int)         { panic(absent) }
func thin8(src, dst *float32, n int)                                                   { panic(absent) }
func widen8(src, dst *float32, n int)                                                  { panic(absent) }
func winogradInput(src *float32, rowStep, columnStep int, dst *float32, step, n int)   { panic(absent) }
func winogradOutput(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int) {
	panic(absent)
}
func winogradWeights(src *float32, tapStep int, dst *float32, step, n int) { panic(absent) }
func winogradGradient(src *float32, rowStep, columnStep int, dst *float32, step, next, n int) {
	panic(absent)
}
func winogradKernels(src *float32, step int, dst *float32, tapStep, n int) { panic(absent) }
func winogradOutput5(src *float32, step int, bias, dst *float32, rowStep, columnStep, n int) {
	panic(absent)
}
func winogradWeights5(src *float32, tapStep int, dst *float32, step, n int) { panic(absent) }
func winogradGradient5(src *float32, rowStep, columnStep int, dst *float32, step, next, n int) {
	panic(absent)
}
func winogradKernels5(src *float32, step int, dst *float32, tapStep, n int) { panic(absent) }
func divide8(x, y, z *float32, n int)                                       { panic(absent) }
func leaky8(x, y *float32, n int, slope float32)                            { panic(absent) }
func dotBelow8(x, y *float32, n int) float32                                { panic(absent) }
func maxPool2Rows(r0, r1, y, argmax *float32, n int, first, width float32)  { panic(absent) }
func largestRows(v, y, argmax *float32, vStride, yStride, rows, columns int, position, step, rowStep float32) {
	panic(absent)
}
func addRows8(x, y *float32, xStride, yStride, rows, columns int)            { panic(absent) }
func split8(x, even, odd *float32, n int)                                    { panic(absent) }
func join8(even, odd, x *float32, n int)                                     { panic(absent) }
func squares8(x, y *float32, n int, f float32)                               { panic(absent) }
func ratios8(x, y, z, sum *float32, n int)                                   { panic(absent) }
func power8(x, y *float32, n int, scale, shift float32, more int) (done int) { panic(absent) }
func normalizeWithin8(x, s, y *float32, n int, f float32)                    { panic(absent) }
func withinGradients8(x, s, dy, dx, t *float32, n int)                       { panic(absent) }
func subtractProducts8(x, y, z *float32, n int, f float32)                   { panic(absent) }
func sumShifted8(x *float32, n, step, count int)                             { panic(absent) }
func normalize8(x, y *float32, n int, m, r float32)                          { panic(absent) }
func normalizeBackward8(y, dy, dx *float32, n int, m, my, r float32)         { panic(absent) }
func exp8(x, y *float32, n int, top float32)                                 { panic(absent) }
func sigmoid8(x, y *float32, n int)                                          { panic(absent) }
func tanh8(x, y *float32, n int)                                             { panic(absent) }
func largest8(x *float32, n int) float32                                     { panic(absent) }
func cellForward8(x *forwardOperands, n int)                                 { panic(absent) }
func cell8(x *cellOperands, n int)                                           { panic(absent) }
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
func stepSGD8(a *stepArrays, n int, u *stepNumbers)                          { panic(absent) }
func stepNesterov8(a *stepArrays, n int, u *stepNumbers)                     { panic(absent) }
func stepAdaGrad8(a *stepArrays, n int, u *stepNumbers)                      { panic(absent) }
func stepRMSProp8(a *stepArrays, n int, u *stepNumbers)                      { panic(absent) }
func stepAdaDelta8(a *stepArrays, n int, u *stepNumbers)                     { panic(absent) }
func stepAdam8(a *stepArrays, n int, u *stepNumbers)                         { panic(absent) }
func redrawPaper8(w, masked *float32, n int, low, high float32) (drop, pruned, spliced uint32) {
	panic(absent)
}
func paperSums8(w, masked *float32, n int, lanes *float64) (count uint32) { panic(absent) }
func forward3(masked, w []float32, cut float32)                           { panic(absent) }
func forwardHard(masked, w []float32)                                     { panic(absent) }
func normals8(y *float32, n int, a *normalNumbers)                        { panic(absent) }
func uniforms16(y *float32, n int, a *philoxNumbers)                      { panic(absent) }
func dropout16(x, y *float32, n int, a *philoxNumbers)                    { panic(absent) }
func rows(starts *uint32, n int, inputs *uint16, values, x, y *float32)   { panic(absent) }
func depthwiseSums(t *depthwisePlane)                                     { panic(absent) }
func depthwiseSums2(t *depthwisePlane)                                    { panic(absent) }
func depthwiseDots(t *depthwisePlane)                                     { panic(absent) }
func depthwiseDots2(t *depthwisePlane)                                    { panic(absent) }
func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32) {
	panic(absent)
}
func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int) { panic(absent) }
