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
	}
	return 0
}

// operations are those of the convolution, and of each of its two gradients.
func (g *ConvGeometry) operations() float64 {
	return 2 * float64(g.OutputLen()) * float64(g.C/g.Groups*g.KH*g.KW)
}

// Operations counts the multiplications and additions of the products (Gemm, Conv and its gradients) that were asked
// for so far: 2·m·n·k for each, whether or not zeros were left out.
func (d *Device) Operations() float64 { return d.operations }
