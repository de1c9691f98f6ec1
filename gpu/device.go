package gpu

import "dns-tui/gpu/collective"

// A Device runs operations on tensors of its own. Its methods are what layers call: each checks the sizes of its
// operands, describes the operation as an Op, and has the Back do it; what the Back lacks is done on the host (see
// NewDevice). Methods are called from one goroutine at a time.
type Device struct {
	back     Back
	labeler  Labeler   // nil where the back end is none
	monitor  Monitored // nil where the back end is none
	preparer Preparer  // nil where the back end is none
	measurer Measurer  // nil where the back end is none
	check    operands
	ops      ops
	fallback fallback
	group    collective.Group // nil: joined to none

	operations float64 // of products, so far
}

// NewDevice returns a device with a back end. Where an operation is asked for that the back end does not support, it is
// done by the back end that openHost returns, with copies of the operands there and back; a notice says so the first
// time. openHost is called at the first such operation. It may be nil for a back end that supports everything.
func NewDevice(b Back, openHost func() Back) *Device {
	d := &Device{back: b, fallback: fallback{open: openHost}}
	d.labeler, _ = b.(Labeler)
	d.monitor, _ = b.(Monitored)
	d.preparer, _ = b.(Preparer)
	d.measurer, _ = b.(Measurer)
	return d
}

// Name describes the device to a person: "host (2 threads, OpenBLAS ...)".
func (d *Device) Name() string { return d.back.Name() }

// Capabilities says what the device is, and what a user should know of it.
func (d *Device) Capabilities() Capabilities {
	c := d.back.Capabilities()
	c.Notices = d.fallback.noticed(c.Notices)
	return c
}

// Close releases the device; its tensors are invalid from then on.
func (d *Device) Close() error {
	d.fallback.close()
	return d.back.Close()
}

// Label names what the kernels from now on are for: "conv1 forward". A failure says it, and Prepared.
func (d *Device) Label(name string) {
	if d.labeler != nil {
		d.labeler.Label(name)
	}
}

// Health says how the device is; it is zero where that is not known. It may be called from any goroutine, and does not
// wait.
func (d *Device) Health() Health {
	if d.monitor == nil {
		return Health{}
	}
	return d.monitor.Health()
}

// HurryWhen has the device ask, before each time that it measures something, whether somebody waits: then it leaves
// off, keeps what it has found out, and does by a rule what it has not. asked is called where operations are.
func (d *Device) HurryWhen(asked func() bool) {
	if d.measurer != nil {
		d.measurer.HurryWhen(asked)
	}
}

// Hurried reports whether, since it was asked last, the device has done something by a rule since it was in a hurry:
// another time it may do that in another way, with other last bits.
func (d *Device) Hurried() bool { return d.measurer != nil && d.measurer.Hurried() }

// Shortage returns an error where the device lacked memory for an operation since it was asked last, and then takes it
// back into use: from that operation on nothing was done of what was asked for. Without, Await returns it.
func (d *Device) Shortage() error {
	if r, ok := d.back.(Recoverer); ok {
		return r.Shortage()
	}
	return nil
}

// Prepare promises that w, the weights of products (Conv, GemmPruned), stays as it is from now on, and reports whether
// the device makes use of that: at a layer's first product of each shape it tries the ways that it knows, some of which
// leave out what is zero, measures each, and takes the fastest from then on. Ways differ in the order in which they
// add, so results differ by rounding; and where a weight is zero, an input that is infinite or NaN may not show, nor
// such a weight where the input is zero.
func (d *Device) Prepare(w *Tensor) bool {
	if d.preparer == nil {
		return false
	}
	d.preparer.Prepare(w)
	return true
}

// Unread promises that y, where a convolution with prepared weights writes it, is read by nothing but a ReLU in place
// and one MaxPool, and that the places of its maxima are read by nothing. Then it need not be written, and holds
// anything; the two may be done as one, when the pooling is asked for.
func (d *Device) Unread(y *Tensor) {
	if d.preparer != nil {
		d.preparer.Unread(y)
	}
}

// UsePrepared says whether products make use of Prepare, as they do at first.
func (d *Device) UsePrepared(use bool) {
	if d.preparer != nil {
		d.preparer.UsePrepared(use)
	}
}

// Prepared lists the products with prepared weights, in the order in which they were first done.
func (d *Device) Prepared() []Prepared {
	if d.preparer == nil {
		return nil
	}
	return d.preparer.Prepared()
}

// Alloc returns n zeroed elements, or an error that says how much was wanted.
func (d *Device) Alloc(n int) (Memory, error) { return d.back.Alloc(n) }

// Allocated returns the bytes that are allocated now.
func (d *Device) Allocated() int64 { return d.back.Allocated() }

// Upload copies src to dst; both have the same number of elements.
func (d *Device) Upload(dst *Tensor, src []float32) {
	wantLen("Upload", "dst", dst, len(src))
	d.back.Upload(dst, src)
}

// Download waits for the operations before it and copies src to dst.
func (d *Device) Download(dst []float32, src *Tensor) {
	wantLen("Download", "src", src, len(dst))
	d.back.Download(dst, src)
}

// Fetch copies src, as it is now, to dst. dst holds it when Await has returned for a Mark made after.
func (d *Device) Fetch(dst []float32, src *Tensor) {
	wantLen("Fetch", "src", src, len(dst))
	d.back.Fetch(dst, src)
}

// Mark returns a point in the order of operations. Only the last eight are kept apart.
func (d *Device) Mark() Mark { return d.back.Mark() }

// Await waits until all operations before m are done, and what Fetch and Surgery were to write is written. It returns
// the device's first failure; a device that failed stays failed.
func (d *Device) Await(m Mark) error {
	if err := d.back.Await(m); err != nil {
		return err
	}
	return d.fallback.err
}

// Sync is Await(Mark()).
func (d *Device) Sync() error { return d.Await(d.Mark()) }

// Has reports whether the device has a kernel of its own for an operation, with its shapes and settings; its tensors
// are not looked at. What it has not a layer may compose of others, which is quicker than to have the host do it.
func (d *Device) Has(op Op) bool { return d.back.Supports(op) }

// do checks the sizes of an operation's operands and has it done.
func (d *Device) do(op Op) {
	d.check.op = op
	op.operands(&d.check)
	d.operations += operationsOf(op)
	if d.back.Supports(op) {
		d.back.Do(op)
		return
	}
	if b, is := d.back.(dry); is && b.stage != nil {
		b.copied(op)
		return
	}
	d.fallback.do(d.back, op)
}

// describe does an operation. Its description is in room, which the device has for each kind of operation, so that none
// is allocated; it is cleared afterwards, to keep no tensor from the garbage collector.
func describe[T any, P interface {
	*T
	Op
}](d *Device, room *T, op T) {
	*room = op
	d.do(P(room))
	var none T
	*room = none
}

// ops has room for the description of an operation of each kind.
type ops struct {
	Fill                    Fill
	Copy                    Copy
	Axpby                   Axpby
	Add                     Add
	Mul                     Mul
	MaxUpdate               MaxUpdate
	MaxBackward             MaxBackward
	Power                   Power
	Unary                   Unary
	UnaryBackward           UnaryBackward
	Dot                     Dot
	Copy2D                  Copy2D
	Gather                  Gather
	ScatterAdd              ScatterAdd
	ReLU                    ReLU
	ReLUBackward            ReLUBackward
	Dropout                 Dropout
	SumSquares              SumSquares
	Finite                  Finite
	Gemm                    Gemm
	Conv                    Conv
	ConvBackwardData        ConvBackwardData
	ConvBackwardWeights     ConvBackwardWeights
	MaxPool                 MaxPool
	MaxPoolBackward         MaxPoolBackward
	AvePool                 AvePool
	AvePoolBackward         AvePoolBackward
	StochasticPool          StochasticPool
	ExpectedPool            ExpectedPool
	Im2col                  Im2col
	Col2im                  Col2im
	LRN                     LRN
	LRNBackward             LRNBackward
	LRNWithin               LRNWithin
	LRNWithinBackward       LRNWithinBackward
	AddBackward             AddBackward
	ReLUBias                ReLUBias
	AddBias                 AddBias
	SumBias                 SumBias
	Scale                   Scale
	ScaleBackward           ScaleBackward
	PReLU                   PReLU
	PReLUBackward           PReLUBackward
	BatchStats              BatchStats
	BatchNorm               BatchNorm
	BatchNormBackward       BatchNormBackward
	Normalize               Normalize
	NormalizeBackward       NormalizeBackward
	NormalizeGlobalBackward NormalizeGlobalBackward
	Softmax                 Softmax
	SoftmaxBackward         SoftmaxBackward
	SoftmaxLoss             SoftmaxLoss
	SoftmaxLossBackward     SoftmaxLossBackward
	SigmoidLoss             SigmoidLoss
	SigmoidLossBackward     SigmoidLossBackward
	HingeLoss               HingeLoss
	HingeLossBackward       HingeLossBackward
	LogLoss                 LogLoss
	LogLossBackward         LogLossBackward
	InfogainLoss            InfogainLoss
	InfogainLossBackward    InfogainLossBackward
	ContrastiveLoss         ContrastiveLoss
	ContrastiveLossBackward ContrastiveLossBackward
	ArgMax                  ArgMax
	Accuracy                Accuracy
	LSTM                    LSTM
	LSTMBackward            LSTMBackward
	LSTMUnit                LSTMUnit
	LSTMUnitBackward        LSTMUnitBackward
	Update                  Update
	Surgery                 Surgery
	Farthest                Farthest
	AllReduce               AllReduce
	AwaitReduced            AwaitReduced
}
