package gpu

// operationsOf is how many multiplications and additions an operation is that is a product: 2 for each
// multiply-accumulate, those of zeros too. 0 of other operations.
func operationsOf(op Op) float64 {
	switch o := op.(type) {
	case *Gemm:
		return 2 * float64(o.M) * float64(o.N) * float64(o.K)
	case *Conv:
		return o.G.operations()
	case *ConvBackwardData:
		return o.G.operations()
	case *ConvBackwardWeights:
		if o.DW != nil {
			return o.G.operations()
		}
	case *LSTM:
		return o.Shape.operations(o.Shape.Steps)
	case *LSTMBackward:
		return o.Shape.operations(o.Shape.Steps - 1) // no gradient comes from behind the last
	}
	return 0
}

// operations are those of the products of so many steps with the recurrent weights.
func (s LSTMShape) operations(steps int) float64 {
	return 2 * 4 * float64(steps) * float64(s.N) * float64(s.Size) * float64(s.Size)
}

// operations are those of the convolution, and of each of its two gradients.
func (g *ConvGeometry) operations() float64 {
	return 2 * float64(g.OutputLen()) * float64(g.C/g.Groups*g.KH*g.KW)
}

// Operations counts the multiplications and additions of the products (Gemm, Conv, LSTM and their gradients) that were
// asked for so far: 2·m·n·k for each, whether or not zeros were left out.
func (d *Device) Operations() float64 { return d.operations }
