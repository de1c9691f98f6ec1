//go:build cuda

package cuda

import "dns-tui/gpu"

// Supports implements gpu.Back. There is a kernel for every operation but those that layers compose: a ReLU behind a
// product joins it in the queue (fuse.go). What BatchNorm's gradients keep in scratch memory is bounded, and so is the
// grid of a product.
func (d *back) Supports(op gpu.Op) bool {
	switch o := op.(type) {
	case *gpu.Accuracy:
		return o.PerClass == nil || hitWords(o.Shape.Channels) <= countWords
	case *gpu.BatchNormBackward:
		return 8*o.Shape.Channels <= partialBytes/2
	case *gpu.NormalizeBackward:
		return 8*o.Shape.Channels <= partialBytes/2
	case *gpu.LRNWithin, *gpu.LRNWithinBackward, *gpu.LSTM, *gpu.LSTMBackward, *gpu.AddBackward, *gpu.ReLUBias:
		return false // composed by the layer
	case *gpu.Gemm:
		return d.launchable(o.M, 1) && o.Bias == nil && !o.Then.On
	case *gpu.Conv:
		return d.launchable(1, o.G.Groups) && !o.Then.On
	case *gpu.Add:
		return !o.Then.On
	case *gpu.Normalize:
		return o.After == gpu.After{}
	case *gpu.ConvBackwardData:
		return d.launchable(1, o.G.Groups)
	case *gpu.ConvBackwardWeights:
		return d.launchable(1, o.G.Groups)
	}
	return true
}

// Do implements gpu.Back.
func (d *back) Do(op gpu.Op) {
	if d.precision != FP32 {
		switch op.(type) {
		case *gpu.Update, *gpu.Surgery: // they keep copies (keeping)
		default:
			d.wrote(op)
		}
		if d.doChannelsLast(op) {
			return
		}
		switch op.(type) {
		case *gpu.SumSquares, *gpu.Finite: // they read as who reads from outside (inPlanes)
		default:
			if !d.keepsOrder(op) {
				d.settleAll(op)
			}
		}
	}
	switch o := op.(type) {
	case *gpu.Fill:
		d.fill(o)
	case *gpu.Copy:
		d.copy(o)
	case *gpu.Axpby:
		d.axpby(o)
	case *gpu.Add:
		d.add(o)
	case *gpu.Mul:
		d.mul(o)
	case *gpu.MaxUpdate:
		d.maxUpdate(o)
	case *gpu.MaxBackward:
		d.maxBackward(o)
	case *gpu.Power:
		d.power(o)
	case *gpu.Unary:
		d.unary(o)
	case *gpu.UnaryBackward:
		d.unaryBackward(o)
	case *gpu.Dot:
		d.dot(o)
	case *gpu.Copy2D:
		d.copy2D(o)
	case *gpu.Gather:
		d.gather(o)
	case *gpu.ScatterAdd:
		d.scatterAdd(o)
	case *gpu.ReLU:
		d.relu(o)
	case *gpu.ReLUBackward:
		d.reluBackward(o)
	case *gpu.Dropout:
		d.dropout(o)
	case *gpu.SumSquares:
		o.Sum = 0
		d.inPlanes(o.X, func(at address, n int) { o.Sum += d.sumSquares(at, n) })
	case *gpu.Finite:
		o.Yes = true
		d.inPlanes(o.X, func(at address, n int) { o.Yes = o.Yes && d.countBad(at, n) == 0 })
	case *gpu.Gemm:
		d.gemm(o)
	case *gpu.Update:
		d.update(o)
	case *gpu.Surgery:
		d.surgery(o)
	case *gpu.Farthest:
		d.farthest(o)
	case *gpu.AllReduce:
		d.allReduce(o)
	case *gpu.AwaitReduced:
		d.awaitReduced()
	default:
		if !d.doSpatial(op) && !d.doChannels(op) && !d.doScores(op) {
			panic("gpu: CUDA has no kernel for an operation")
		}
	}
}

// doSpatial does op where it is a convolution, a pooling, LRN or im2col.
func (d *back) doSpatial(op gpu.Op) bool {
	switch o := op.(type) {
	case *gpu.Conv:
		d.conv(o)
	case *gpu.ConvBackwardData:
		d.convBackwardData(o)
	case *gpu.ConvBackwardWeights:
		d.convBackwardWeights(o)
	case *gpu.MaxPool:
		d.maxPool(o)
	case *gpu.MaxPoolBackward:
		d.maxPoolBackward(o)
	case *gpu.AvePool:
		d.avePool(o)
	case *gpu.AvePoolBackward:
		d.avePoolBackward(o)
	case *gpu.StochasticPool:
		d.stochasticPool(o)
	case *gpu.ExpectedPool:
		d.expectedPool(o)
	case *gpu.Im2col:
		d.im2col(o)
	case *gpu.Col2im:
		d.col2im(o)
	case *gpu.LRN:
		d.lrn(o)
	case *gpu.LRNBackward:
		d.lrnBackward(o)
	default:
		return false
	}
	return true
}

// doChannels does op where it is one with a number per channel, or the cell of an LSTM.
func (d *back) doChannels(op gpu.Op) bool {
	switch o := op.(type) {
	case *gpu.AddBias:
		d.addBias(o)
	case *gpu.SumBias:
		d.sumBias(o.Shape, d.ptr(o.DY), d.ptr(o.DB))
	case *gpu.Scale:
		d.scale(o)
	case *gpu.ScaleBackward:
		d.scaleBackward(o)
	case *gpu.PReLU:
		d.prelu(o)
	case *gpu.PReLUBackward:
		d.preluBackward(o)
	case *gpu.BatchStats:
		d.batchStats(o)
	case *gpu.BatchNorm:
		d.batchNorm(o)
	case *gpu.BatchNormBackward:
		d.batchNormBackward(o)
	case *gpu.Normalize:
		d.normalize(o)
	case *gpu.NormalizeBackward:
		d.normalizeBackward(o)
	case *gpu.NormalizeGlobalBackward:
		d.normalizeGlobalBackward(o)
	case *gpu.LSTMUnit:
		d.lstmUnit(o)
	case *gpu.LSTMUnitBackward:
		d.lstmUnitBackward(o)
	default:
		return false
	}
	return true
}

// doScores does op where it is softmax, a loss, accuracy or argmax.
func (d *back) doScores(op gpu.Op) bool {
	switch o := op.(type) {
	case *gpu.Softmax:
		d.softmax(o)
	case *gpu.SoftmaxBackward:
		d.softmaxBackward(o)
	case *gpu.SoftmaxLoss:
		d.softmaxLoss(o)
	case *gpu.SoftmaxLossBackward:
		d.softmaxLossBackward(o)
	case *gpu.SigmoidLoss:
		d.sigmoidLoss(o)
	case *gpu.SigmoidLossBackward:
		d.sigmoidLossBackward(o)
	case *gpu.HingeLoss:
		d.hingeLoss(o)
	case *gpu.HingeLossBackward:
		d.hingeLossBackward(o)
	case *gpu.LogLoss:
		d.logLoss(o)
	case *gpu.LogLossBackward:
		d.logLossBackward(o)
	case *gpu.InfogainLoss:
		d.infogainLoss(o)
	case *gpu.InfogainLossBackward:
		d.infogainLossBackward(o)
	case *gpu.ContrastiveLoss:
		d.contrastiveLoss(o)
	case *gpu.ContrastiveLossBackward:
		d.contrastiveLossBackward(o)
	case *gpu.ArgMax:
		d.argMax(o)
	case *gpu.Accuracy:
		d.accuracy(o)
	default:
		return false
	}
	return true
}
