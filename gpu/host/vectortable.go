package host

// vectorKernel is a kernel that assembler does for some processors.
type vectorKernel int

// routines are a kernel's, in assembler, by what set has them.
type routines map[VectorSet]string

// both are routines of the same names in a set of amd64 and in NEON.
func both(set VectorSet, names string) routines { return routines{set: names, NEONSet: names} }

// tableRow says of a kernel what it computes, its floor, and its routines. All arrays are of float32, four bytes an
// element. The floor is what must be read and written once, a number of bytes for each element of the result, or the
// operations that a product takes.
type tableRow struct {
	id              vectorKernel
	name            string
	computes, floor string
	by              routines
}

// The kernels, in the order of vectorTable.
const (
	vecAdd vectorKernel = iota
	vecReLU
	vecReLUBackward
	vecLeaky
	vecDotBelow
	vecMul
	vecDivide
	vecAxpby
	vecWeighted
	vecSquares
	vecRatios
	vecPowers
	vecNormalizeWithin
	vecWithinGradients
	vecSubtractProducts
	vecSumShifted
	vecExp
	vecSigmoid
	vecTanH
	vecUnary
	vecUnarySlope
	vecLargest
	vecCellForward
	vecCell
	vecSGD
	vecStep
	vecRedrawSeed
	vecRedrawCut
	vecRedrawPaper
	vecPaperSums
	vecForward
	vecSum
	vecDot
	vecDeviations
	vecSumDot
	vecScale
	vecNormalize
	vecNormalizeBackward
	vecNormalizeScale
	vecGradientSums
	vecGradients
	vecDropout
	vecNormals
	vecUniforms
	vecCombine
	vecRows
	vecProduct
	vecCopyRows
	vecThin
	vecTranspose
	vecDirect
	vecGradient
	vecWinograd
	vecDepthwise
	vecPoolRows
	vecMaxPool2
	vecMaxima2
	vecLargestRows
	vecAddRows
	vecSplit
	vecCount
)

// vectorTable has every kernel of which there is assembler. What none of the sets in use has is done in Go, by the
// function that calls it.
var vectorTable = [vecCount]tableRow{
	{vecAdd, "sum", "y += x", "12 bytes", both(AVXSet, "add8")},
	{vecReLU, "ReLU", "y = max(x, 0)", "8 bytes", both(AVXSet, "relu8")},
	{vecReLUBackward, "gradient of ReLU", "dx = x > 0 ? dy : slope·dy", "12 bytes", both(AVXSet, "reluBackward8")},
	{vecLeaky, "ReLU with a slope", "y = max(x, 0) + slope·min(x, 0)", "8 bytes", both(AVXSet, "leaky8")},
	{vecDotBelow, "gradient of the slope of PReLU", "Σ x·dy where x <= 0", "8 bytes", both(AVXSet, "dotBelow8")},
	{vecMul, "product of elements", "z = x·y", "12 bytes", both(AVXSet, "mul8")},
	{vecDivide, "quotient", "z = x/y", "12 bytes", both(AVXSet, "divide8")},
	{vecAxpby, "sum of multiples, in place", "y = a·x + b·y", "12 bytes, 8 where b is 0", both(AVXSet, "axpby8")},
	{vecWeighted, "sum of multiples", "z = a·x + b·y", "12 bytes", both(AVXSet, "weighted8")},
	{vecSquares, "sum with squares", "y += f·x²", "12 bytes", both(AVXSet, "squares8")},
	{vecRatios, "sum with ratios", "s += x·y/z", "20 bytes", both(AVXSet, "ratios8")},
	{vecPowers, "powers of LRN", "y = (shift + scale·x)^-0.75, or ^-1.75", "8 bytes", both(AVXSet, "power8")},
	{
		vecNormalizeWithin,
		"LRN within channels",
		"s = 1 + f·s, y = x·s^-0.75",
		"16 bytes",
		both(AVXSet, "normalizeWithin8"),
	},
	{
		vecWithinGradients,
		"its gradient, before sums",
		"dx = dy·s^-0.75, t = dx·x/s",
		"20 bytes",
		both(AVXSet, "withinGradients8"),
	},
	{vecSubtractProducts, "its gradient, with sums", "z -= f·x·y", "16 bytes", both(AVXSet, "subtractProducts8")},
	{vecSumShifted, "sums of shifted rows", "x[i] = Σ x[i + j·step]", "8 bytes", both(AVXSet, "sumShifted8")},
	{vecExp, "exponential", "y = e^(x - top)", "8 bytes", both(AVX2Set, "exp8")},
	{vecSigmoid, "sigmoid", "y = 1/(1 + e^-x)", "8 bytes", both(AVX2Set, "sigmoid8")},
	{vecTanH, "hyperbolic tangent", "y = tanh x", "8 bytes", both(AVX2Set, "tanh8")},
	{
		vecUnary,
		"elementwise functions",
		"y = f(x), of gpu.UnaryFunc",
		"8 bytes",
		both(AVX2Set, "abs8 bnll8 elu8 expOf8 logOf8 swish8 square8 cube8 root8 inverseRoot8 inverse8"),
	},
	{
		vecUnarySlope,
		"their gradients",
		"dx = dy·f'(x)",
		"12 bytes, 16 where x and y are read",
		both(AVX2Set, "sigmoidSlope8 tanhSlope8 absSlope8 bnllSlope8 eluSlope8 expSlope8 logSlope8 "+
			"swishSlope8 squareSlope8 cubeSlope8 rootSlope8 inverseSlope8"),
	},
	{vecLargest, "largest element", "max x", "4 bytes", both(AVXSet, "largest8")},
	{
		vecCellForward,
		"an LSTM's cells",
		"gates.forward where the stream goes on",
		"44 bytes",
		both(AVX2Set, "cellForward8"),
	},
	{vecCell, "gradient of an LSTM's cells", "gates.backward", "52 bytes", both(AVXSet, "cell8")},
	{vecSGD, "update by SGD", "h = rate·(scale·g + decay·w) + momentum·h, w -= h", "24 bytes", both(AVXSet, "sgd8")},
	{
		vecStep,
		"update by any method, with theta, L1 and rest",
		"the steps of gpu.Method",
		"24 bytes, 4 with a mask, 8 with a second history",
		both(AVX2Set, "stepSGD8 stepNesterov8 stepAdaGrad8 stepRMSProp8 stepAdaDelta8 stepAdam8"),
	},
	{vecRedrawSeed, "mask of the seed rule", "pruned where low < w < high", "12 bytes", both(AVX2Set, "redrawSeed8")},
	{vecRedrawCut, "mask of the soft rule", "pruned where abs w <= cut", "12 bytes", both(AVX2Set, "redrawCut8")},
	{
		vecRedrawPaper,
		"mask of the paper rule",
		"kept up to low: pruned; pruned above high: kept",
		"12 bytes",
		both(AVX2Set, "redrawPaper8"),
	},
	{
		vecPaperSums,
		"statistics of the paper rule",
		"Σ abs w, Σ w², how many, of what is kept and not 0",
		"8 bytes",
		both(AVX2Set, "paperSums8"),
	},
	{
		vecForward,
		"forward weights",
		"kept w, shrunk by the soft rule",
		"12 bytes",
		both(AVX2Set, "forward3 forwardHard"),
	},
	{vecSum, "sum of elements", "Σ x", "4 bytes", both(AVXSet, "sum8")},
	{vecDot, "dot product", "Σ x·y", "8 bytes", both(AVXSet, "dot8")},
	{vecDeviations, "squares of deviations", "Σ (x - m)²", "4 bytes", both(AVXSet, "deviations8")},
	{vecSumDot, "sum and dot product", "Σ y, Σ x·y", "8 bytes", both(AVXSet, "sumDot8")},
	{vecScale, "factor and term", "y = a·x + b", "8 bytes", both(AVXSet, "scale8")},
	{vecNormalize, "normalization", "y = (x - m)·r", "8 bytes", both(AVXSet, "normalize8")},
	{vecNormalizeBackward, "its gradient", "dx = (dy - m - y·my)·r", "12 bytes", both(AVXSet, "normalizeBackward8")},
	{
		vecNormalizeScale,
		"BatchNorm with Scale and ReLU",
		"norm = (x - m)·r, y = max(a·norm + b, floor)",
		"12 bytes",
		both(AVXSet, "normalizeScale8"),
	},
	{vecGradientSums, "sums of its gradient", "Σ g, Σ g·norm", "8 bytes", both(AVXSet, "gradientSums8")},
	{vecGradients, "its gradient", "dx of norm and dy", "12 bytes", both(AVXSet, "gradients8")},
	{vecDropout, "dropout", "y = u < ratio ? 0 : scale·x, u by Philox", "8 bytes", both(AVX2Set, "dropout16")},
	{
		vecNormals,
		"normal numbers",
		"y = mean + std·N(0, 1), by Philox, Box and Muller",
		"4 bytes; half a log, a sine and a cosine",
		both(AVX2Set, "normals8"),
	},
	{
		vecUniforms,
		"uniform numbers",
		"y = low + width·u, by Philox",
		"4 bytes; a quarter of a block",
		both(AVX2Set, "uniforms16"),
	},
	{vecCombine, "sum of moved arrays", "y[i] = Σ weight·x[at + i] + last", "8 bytes", routines{
		AVXSet: "combineAVX", NEONSet: "combineNEON",
	}},
	{
		vecRows,
		"product of rows of kept weights",
		"y[i] = Σ value·x[input]",
		"6 bytes a kept weight",
		both(AVXSet, "rows"),
	},
	{vecProduct, "tile of a product of packed matrices", "c += a·b", "2·k operations", routines{
		AVX2Set: "productAVX2", AVX512Set: "product16 product32 product32Half", NEONSet: "productNEON",
	}},
	{vecCopyRows, "copy of rows", "rows of up to 32 elements", "8 bytes", both(AVXSet, "copyRows32 copyRowsOf")},
	{vecThin, "every other element", "y[i] = x[2i], or y[2i] = x[i]", "12 bytes", both(AVX2Set, "thin8 widen8")},
	{vecTranspose, "transposition", "y[j, i] = x[i, j] of up to 8 rows", "8 bytes", both(AVXSet, "transpose8")},
	{vecDirect, "tile of a convolution without columns", "out += x·w", "2·k operations", routines{
		AVX2Set: "directAVX2", AVX512Set: "direct16 direct32", NEONSet: "directNEON",
	}},
	{vecGradient, "tile of gradients of its weights", "dw += x·dy", "2·positions operations", routines{
		AVX2Set: "gradientAVX2", AVX512Set: "gradient16 gradient32", NEONSet: "gradientNEON",
	}},
	{
		vecWinograd,
		"transforms of Winograd's convolutions",
		"F(4×4, 3×3), F(2×2, 5×5), gradients",
		"8 bytes a transformed element",
		both(AVX2Set, "winogradInput winogradOutput winogradWeights winogradGradient winogradKernels "+
			"winogradOutput5 winogradWeights5 winogradGradient5 winogradKernels5"),
	},
	{
		vecDepthwise,
		"depthwise convolutions of 3×3",
		"sums of nine, and their gradients",
		"8 bytes",
		both(AVX512Set, "depthwiseSums depthwiseSums2 depthwiseDots depthwiseDots2 copyPlane spreadPlane"),
	},
	{vecPoolRows, "pooling by rows", "maxima, means, and their gradients", "8 bytes, 12 with places", routines{
		AVX512Set: "maxRow512 sumRow512 spreadRow512",
	}},
	{vecMaxPool2, "maxima of 2×2 and their places", "y = max, argmax", "24 bytes", both(AVXSet, "maxPool2Rows")},
	{vecMaxima2, "maxima of 2×2", "y = max", "20 bytes", both(AVXSet, "maxima2Rows")},
	{vecLargestRows, "maxima by taps", "y = max(y, v), with places", "20 bytes", both(AVXSet, "largestRows")},
	{vecAddRows, "sums of rows", "y += x", "12 bytes", both(AVXSet, "addRows8")},
	{vecSplit, "even and odd elements", "apart, or together", "8 bytes", both(AVXSet, "split8 join8")},
}
