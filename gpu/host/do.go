package host

import "dns-tui/gpu"

// Supports implements gpu.Back: the host does everything. Where tiles of products are not in assembler, an LSTM goes
// step by step, by BLAS.
func (d *back) Supports(op gpu.Op) bool {
	switch op.(type) {
	case *gpu.LSTM, *gpu.LSTMBackward:
		return has(vecProduct)
	}
	return true
}

// Do implements gpu.Back.
func (d *back) Do(op gpu.Op) {
	if d.preparation.waiting.is && d.joins(op) {
		return
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
	case *gpu.AddBackward:
		d.addBackward(o)
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
		d.sumSquares(o)
	case *gpu.Finite:
		d.finite(o)
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
			panic("gpu: the host has no kernel for an operation")
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
	case *gpu.LRNWithin:
		d.lrnWithin(o)
	case *gpu.LRNWithinBackward:
		d.lrnWithinBackward(o)
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
	case *gpu.ReLUBias:
		d.reluBias(o)
	case *gpu.SumBias:
		d.sumBias(o.Shape, o.DY, o.DB)
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
	case *gpu.LSTM:
		d.lstm(o)
	case *gpu.LSTMBackward:
		d.lstmBackward(o)
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
		softmaxLoss(o)
	case *gpu.SoftmaxLossBackward:
		d.softmaxLossBackward(o)
	case *gpu.SigmoidLoss:
		sigmoidLoss(o)
	case *gpu.SigmoidLossBackward:
		d.sigmoidLossBackward(o)
	case *gpu.HingeLoss:
		hingeLoss(o)
	case *gpu.HingeLossBackward:
		d.hingeLossBackward(o)
	case *gpu.LogLoss:
		logLoss(o)
	case *gpu.LogLossBackward:
		logLossBackward(o)
	case *gpu.InfogainLoss:
		infogainLoss(o)
	case *gpu.InfogainLossBackward:
		d.infogainLossBackward(o)
	case *gpu.ContrastiveLoss:
		contrastiveLoss(o)
	case *gpu.ContrastiveLossBackward:
		d.contrastiveLossBackward(o)
	case *gpu.ArgMax:
		d.argMax(o)
	case *gpu.Accuracy:
		accuracy(o)
	default:
		return false
	}
	return true
}

// kernels has room for a kernel of each type.
type kernels struct {
	fill                    fillKernel
	copy                    copyKernel
	axpby                   axpbyKernel
	add                     addKernel
	addBackward             addBackwardKernel
	reluBias                reluBiasKernel
	reluColumns             reluColumnsKernel
	rectifyRows             rectifyRowsKernel
	mul                     mulKernel
	maxUpdate               maxUpdateKernel
	maxBackward             maxBackwardKernel
	power                   powerKernel
	unary                   unaryKernel
	unaryBackward           unaryBackwardKernel
	dot                     dotKernel
	copy2D                  copy2DKernel
	gather                  gatherKernel
	scatterAdd              scatterAddKernel
	relu                    reluKernel
	reluBackward            reluBackwardKernel
	dropout                 dropoutKernel
	sumSquares              sumSquaresKernel
	nonFinite               nonFiniteKernel
	gemm                    gemmKernel
	gemmKept                gemmKeptKernel
	pack                    packKernel
	gemmPruned              gemmPrunedKernel
	conv                    convKernel
	sparseConv              sparseConvKernel
	layOut                  layOutKernel
	rows                    rowsKernel
	columns                 columnsKernel
	packUsed                packUsedKernel
	batch                   batchKernel
	convBackwardData        convBackwardDataKernel
	convBackwardDataPruned  convBackwardDataPrunedKernel
	convBackwardWeights     convBackwardWeightsKernel
	addRuns                 addRunsKernel
	packPanels              packPanelsKernel
	direct                  directKernel
	directGradient          directGradientKernel
	addPanels               addPanelsKernel
	winograd                winogradKernel
	winogradWeights         winogradWeightsKernel
	winogradTiles           winogradTilesKernel
	winogradSums            winogradSumsKernel
	product                 productKernel
	packRows                packRowsKernel
	thin                    thinKernel
	widen                   widenKernel
	dnn                     dnnKernel
	depthwise               depthwiseKernel
	depthwise3              depthwise3Kernel
	depthwiseData3          depthwiseData3Kernel
	depthwiseWeights3       depthwiseWeights3Kernel
	depthwiseData           depthwiseDataKernel
	depthwiseWeights        depthwiseWeightsKernel
	convBackwardKept        convBackwardKeptKernel
	addTaps                 addTapsKernel
	maxPool                 maxPoolKernel
	maxPoolTaps             maxPoolTapsKernel
	maxPoolRows             maxPoolRowsKernel
	avePoolRows             avePoolRowsKernel
	avePoolBackwardRows     avePoolBackwardRowsKernel
	avePoolWhole            avePoolWholeKernel
	avePoolWholeBackward    avePoolWholeBackwardKernel
	avePoolTaps             avePoolTapsKernel
	avePoolBackwardTaps     avePoolBackwardTapsKernel
	maxPool2                maxPool2Kernel
	maxPoolBackward         maxPoolBackwardKernel
	avePool                 avePoolKernel
	avePoolBackward         avePoolBackwardKernel
	stochasticPool          stochasticPoolKernel
	expectedPool            expectedPoolKernel
	im2col                  im2colKernel
	col2im                  col2imKernel
	lrn                     lrnKernel
	lrnBackward             lrnBackwardKernel
	lrnWithin               lrnWithinKernel
	lrnWithinBackward       lrnWithinBackwardKernel
	addBias                 addBiasKernel
	sumBias                 sumBiasKernel
	sumColumns              sumColumnsKernel
	scale                   scaleKernel
	scaleBackward           scaleBackwardKernel
	prelu                   preluKernel
	preluBackward           preluBackwardKernel
	batchStats              batchStatsKernel
	batchNorm               batchNormKernel
	batchNormBackward       batchNormBackwardKernel
	normalize               normalizeKernel
	normalizeAfter          normalizeAfterKernel
	normalizeBackward       normalizeBackwardKernel
	normalizeGlobalBackward normalizeGlobalBackwardKernel
	lstm                    lstmKernel
	lstmBackward            lstmBackwardKernel
	packGates               packGatesKernel
	packHidden              packHiddenKernel
	lstmUnit                lstmUnitKernel
	lstmUnitBackward        lstmUnitBackwardKernel
	softmax                 softmaxKernel
	softmaxBackward         softmaxBackwardKernel
	softmaxLossBackward     softmaxLossBackwardKernel
	sigmoidLossBackward     sigmoidLossBackwardKernel
	hingeLossBackward       hingeLossBackwardKernel
	infogainLossBackward    infogainLossBackwardKernel
	contrastiveLossBackward contrastiveLossBackwardKernel
	argMax                  argMaxKernel
	updateAny               updateAnyKernel
	updateDense             updateDenseKernel
	updateMasked            updateMaskedKernel
	sums                    sumsKernel
	squares                 squaresKernel
	paperSums               paperSumsKernel
	countKept               countKeptKernel
	redrawSeed              redrawSeedKernel
	redrawSoft              redrawSoftKernel
	rewrite                 rewriteKernel
	redrawPaper             redrawPaperKernel
	farthest                farthestKernel
}
