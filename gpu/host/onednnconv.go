package host

import (
	"errors"
	"fmt"
	"math"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/ebitengine/purego"

	"dns-tui/gpu"
)

// The three passes of a convolution.
const (
	dnnForward = iota
	dnnData
	dnnWeights
)

// dnnKey is what a primitive depends on.
type dnnKey struct {
	g    gpu.ConvGeometry // N: images of a call
	pass int
	bias bool
}

// dnnStep is a call: a primitive, and for each worker its arguments.
type dnnStep struct {
	primitive uintptr
	workers   []dnnArguments
}

// dnnArguments are those of a worker's call. They lie where the collector does not move them, and a call allocates
// nothing.
type dnnArguments struct {
	args [5]dnnArgument
	call [4]uintptr
	_    [64]byte
}

// dnnArgument is dnnl_exec_arg_t.
type dnnArgument struct {
	arg    int32
	memory uintptr
}

// dnnOperand is an array of a primitive, which lies as it does here, and as suits the library where that is another.
type dnnOperand struct {
	memory  []uintptr // of each worker, as it lies here
	used    []uintptr // as suits the library; nil: the same
	reorder *dnnStep
	layout  uintptr // that suits it
	room    int     // elements of it
}

// dnnConvolution does a pass of a convolution of some images.
type dnnConvolution struct {
	x, w, y    dnnOperand // y: what is made; w: of the gradient of weights, the gradient of outputs
	bias       []uintptr  // of each worker
	scratchpad []uintptr
	main       *dnnStep
	scratch    int // elements of a worker's room: of all that lies otherwise, and the library's own
	spad       int // of which are the library's own
}

var errDescription = errors.New("it does not say how its arrays lie")

// convolution makes the primitives of a pass.
func (l *oneDNN) convolution(key dnnKey) (*dnnConvolution, error) {
	g := &key.g
	x, y := []int{g.N, g.C, g.H, g.W}, []int{g.N, g.O, g.OutH, g.OutW}
	w := []int{g.O, g.C, g.KH, g.KW}
	if g.Groups > 1 {
		w = []int{g.Groups, g.O / g.Groups, g.C / g.Groups, g.KH, g.KW}
	}
	description, err := l.describe(key, x, w, y)
	if err != nil {
		return nil, err
	}
	c := &dnnConvolution{}
	var primitive uintptr
	if err := l.make(&primitive, "dnnl_primitive_create", description); err != nil {
		return nil, err
	}
	c.main = l.step(primitive)
	type operand struct {
		o          *dnnOperand
		sizes      []int
		query, arg int
		out        bool
	}
	var all []operand
	switch key.pass {
	case dnnForward:
		all = []operand{
			{&c.x, x, dnnQuerySrc, dnnArgSrc, false}, {&c.w, w, dnnQueryWeights, dnnArgWeights, false},
			{&c.y, y, dnnQueryDst, dnnArgDst, true},
		}
	case dnnData:
		all = []operand{
			{&c.x, y, dnnQueryDiffDst, dnnArgDiffDst, false}, {&c.w, w, dnnQueryWeights, dnnArgWeights, false},
			{&c.y, x, dnnQueryDiffSrc, dnnArgDiffSrc, true},
		}
	default:
		all = []operand{
			{&c.x, x, dnnQuerySrc, dnnArgSrc, false}, {&c.w, y, dnnQueryDiffDst, dnnArgDiffDst, false},
			{&c.y, w, dnnQueryDiffWeights, dnnArgDiffWeights, true},
		}
	}
	for i, a := range all {
		if err := l.operand(a.o, a.sizes, l.query(description, a.query), a.out); err != nil {
			return nil, err
		}
		c.scratch += a.o.room
		for worker := range l.streams {
			memory := a.o.memory
			if a.o.used != nil {
				memory = a.o.used
			}
			c.main.workers[worker].args[i] = dnnArgument{int32(a.arg), memory[worker]}
		}
	}
	return c, l.others(c, key, description)
}

// others makes the bias, and the library's own scratch memory.
func (l *oneDNN) others(c *dnnConvolution, key dnnKey, description uintptr) (err error) {
	n := 3
	pad := l.query(description, dnnQueryScratchpad)
	if bytes := l.sizeOf(pad); bytes > 0 {
		if c.scratchpad, err = l.memories(pad); err != nil {
			return err
		}
		c.spad = ceil(bytes, 4*panel) * panel
		c.scratch += c.spad
		for worker, m := range c.scratchpad {
			c.main.workers[worker].args[n] = dnnArgument{dnnArgScratchpad, m}
		}
		n++
	}
	if key.bias {
		layout, err := l.layout(true, key.g.O)
		if err != nil {
			return err
		}
		if c.bias, err = l.memories(layout); err != nil {
			return err
		}
		for worker, m := range c.bias {
			c.main.workers[worker].args[n] = dnnArgument{dnnArgBias, m}
		}
		n++
	}
	for worker := range l.streams {
		c.main.workers[worker].call[2] = uintptr(n)
	}
	return nil
}

// step prepares the calls of a primitive.
func (l *oneDNN) step(primitive uintptr) *dnnStep {
	s := &dnnStep{primitive, make([]dnnArguments, len(l.streams))}
	for i := range s.workers {
		s.workers[i].call = [4]uintptr{primitive, l.streams[i], 0, addressOf(&s.workers[i].args)}
	}
	return s
}

// memories makes a memory object for each worker, of no memory yet.
func (l *oneDNN) memories(layout uintptr) ([]uintptr, error) {
	all := make([]uintptr, len(l.streams))
	for i := range all {
		if err := l.make(&all[i], "dnnl_memory_create", layout, l.engine, 0); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// operand finds out how an array is to lie, and makes the reordering where that is not as it lies here.
func (l *oneDNN) operand(o *dnnOperand, sizes []int, used uintptr, out bool) error {
	if used == 0 {
		return errDescription
	}
	o.layout = used
	plain, err := l.layout(true, sizes...)
	if err != nil {
		return err
	}
	if o.memory, err = l.memories(plain); err != nil || l.same(plain, used) {
		return err
	}
	if o.used, err = l.memories(used); err != nil {
		return err
	}
	o.room = ceil(l.sizeOf(used), 4*panel) * panel
	from, to, source, target := plain, used, o.memory, o.used
	if out {
		from, to, source, target = used, plain, o.used, o.memory
	}
	var description, primitive uintptr
	err = l.make(&description, "dnnl_reorder_primitive_desc_create", from, l.engine, to, l.engine, 0)
	if err != nil {
		return err
	}
	if err := l.make(&primitive, "dnnl_primitive_create", description); err != nil {
		return err
	}
	o.reorder = l.step(primitive)
	for worker := range l.streams {
		a := &o.reorder.workers[worker]
		a.args[0], a.args[1] = dnnArgument{dnnArgSrc, source[worker]}, dnnArgument{dnnArgDst, target[worker]}
		a.call[2] = 2
	}
	return nil
}

// describe makes the description of a pass's primitive.
func (l *oneDNN) describe(key dnnKey, x, w, y []int) (description uintptr, err error) {
	g := &key.g
	var layouts [3]uintptr
	for i, sizes := range [][]int{x, w, y} {
		if layouts[i], err = l.layout(false, sizes...); err != nil {
			return 0, err
		}
	}
	var bias uintptr
	if key.bias {
		if bias, err = l.layout(true, g.O); err != nil {
			return 0, err
		}
	}
	padding := l.dims(g.PH, g.PW)
	window := []uintptr{l.dims(g.SH, g.SW), l.dims(g.DH-1, g.DW-1), padding, padding}
	forward, err := l.description("forward", []uintptr{dnnForwardTraining, dnnDirect}, []uintptr{
		layouts[0], layouts[1], bias, layouts[2],
	}, window, 0)
	if err != nil || key.pass == dnnForward {
		return forward, err
	}
	if key.pass == dnnData {
		return l.description("backward_data", []uintptr{dnnDirect}, layouts[:], window, forward)
	}
	return l.description("backward_weights", []uintptr{dnnDirect}, []uintptr{layouts[0], layouts[1], 0, layouts[2]},
		window, forward)
}

// description makes one, by one call (version 3), or by that of an operation first (version 2).
func (l *oneDNN) description(pass string, kinds, layouts, window []uintptr, forward uintptr) (made uintptr, err error) {
	if l.major == 3 {
		args := append(append(append([]uintptr{l.engine}, kinds...), layouts...), window...)
		if forward != 0 {
			args = append(args, forward)
		}
		return made, l.make(&made, "dnnl_convolution_"+pass+"_primitive_desc_create", append(args, l.attributes)...)
	}
	operation := l.keep(32 << 10)
	args := append(append(append([]uintptr{operation}, kinds...), layouts...), window...)
	if err := l.call("dnnl_dilated_convolution_"+pass+"_desc_init", args...); err != nil {
		return 0, err
	}
	return made, l.make(&made, "dnnl_primitive_desc_create", operation, l.attributes, l.engine, forward)
}

// set says where an array of a worker is.
func (l *oneDNN) set(c *[4]uintptr, memory uintptr, x []float32) {
	old := *c
	c[0], c[1] = memory, addressOf(unsafe.SliceData(x))
	purego.SyscallN(l.setHandle, c[:2]...)
	*c = old
}

// do calls a step, and reports whether it went well.
func (l *oneDNN) do(s *dnnStep, worker int) bool {
	status, _, _ := purego.SyscallN(l.execute, s.workers[worker].call[:]...)
	return int32(status) == 0
}

// run does a pass. room is the worker's scratch. laid are the weights where they lie as suits the library.
func (c *dnnConvolution) run(l *oneDNN, worker int, x, w, laid, bias, y, room []float32) bool {
	call := &c.main.workers[worker].call
	room = aligned(room)
	ok := true
	in := func(o *dnnOperand, x, laid []float32) {
		l.set(call, o.memory[worker], x)
		if o.used == nil {
			return
		}
		if laid != nil {
			l.set(call, o.used[worker], laid)
			return
		}
		l.set(call, o.used[worker], room[:o.room])
		room = room[o.room:]
		ok = l.do(o.reorder, worker) && ok
	}
	in(&c.x, x, nil)
	in(&c.w, w, laid)
	l.set(call, c.y.memory[worker], y)
	if c.y.used != nil {
		l.set(call, c.y.used[worker], room[:c.y.room])
		room = room[c.y.room:]
	}
	if c.scratchpad != nil {
		l.set(call, c.scratchpad[worker], room[:c.spad])
	}
	if c.bias != nil {
		l.set(call, c.bias[worker], bias)
	}
	ok = l.do(c.main, worker) && ok
	if c.y.used != nil {
		ok = l.do(c.y.reorder, worker) && ok
	}
	return ok
}

// aligned is what of x begins on a line of the cache.
func aligned(x []float32) []float32 {
	skip := -int(addressOf(unsafe.SliceData(x))) & (cacheLine - 1) / 4
	return x[skip&(panel-1):]
}

// dnnPlan is how a pass of a convolution is done: so many images a call, and the rest.
type dnnPlan struct {
	per, calls int
	most, rest *dnnConvolution
	laid       []float32 // the weights, as suits the library
	failed     atomic.Bool
}

// of is the primitive of a call.
func (p *dnnPlan) of(call int) *dnnConvolution {
	if call == p.calls-1 {
		return p.rest
	}
	return p.most
}

// plan returns how a pass is done, or nil where the library cannot, or does not do it as we do.
func (d *back) dnnPlanOf(g *gpu.ConvGeometry, pass int, bias bool) *dnnPlan {
	key := dnnKey{*g, pass, bias}
	p, ok := d.dnnPlans[key]
	if ok {
		return p
	}
	if d.dnnPlans == nil {
		d.dnnPlans = map[dnnKey]*dnnPlan{}
	}
	p, err := d.newDNNPlan(key)
	if err != nil {
		p = nil
		if errors.As(err, new(*dnnWrong)) {
			d.notices = append(d.notices, err.Error())
		}
	}
	d.dnnPlans[key] = p
	return p
}

func (d *back) newDNNPlan(key dnnKey) (p *dnnPlan, err error) {
	defer d.dnn.alone()()
	p = &dnnPlan{}
	p.per, p.calls = runsOf(key.g.N, 16)
	if key.pass == dnnWeights {
		p.per, p.calls = runsOf(key.g.N, max(2, maxPartialBytes/4/key.g.WeightLen()))
	}
	at := func(images int) (*dnnConvolution, error) {
		one := key
		one.g.N = images
		c, err := d.dnn.convolution(one)
		if err == nil {
			err = d.checkDNN(one, c)
		}
		return c, err
	}
	last := key.g.N - (p.calls-1)*p.per
	if p.rest, err = at(last); err != nil {
		return nil, err
	}
	if p.most = p.rest; last != p.per {
		if p.most, err = at(p.per); err != nil {
			return nil, err
		}
	}
	d.dnn.sizes = nil
	if key.pass != dnnWeights && p.most.w.used != nil && d.dnn.same(p.most.w.layout, p.rest.w.layout) {
		p.laid = make([]float32, p.most.w.room+panel)
	}
	return p, nil
}

// dnnWrong says that a result is not ours.
type dnnWrong struct {
	title      string
	key        dnnKey
	at         int
	have, want float32
}

func (e *dnnWrong) Error() string {
	return fmt.Sprintf("%s is not used for a convolution (%+v, pass %d): its result [%d] is %g, ours %g",
		e.title, e.key.g, e.key.pass, e.at, e.have, e.want)
}

// checkDNN compares a pass of random numbers with our own, by columns.
func (d *back) checkDNN(key dnnKey, c *dnnConvolution) error {
	g := &key.g
	random := gpu.Key{Seed: 1}
	tensor := func(n int) *gpu.Tensor {
		random.Iter++
		v := make([]float32, n)
		for i := range v {
			v[i] = random.Uniform(i) - 0.5
		}
		return &gpu.Tensor{Mem: &allocation{data: v, dev: d}, N: n}
	}
	x, w, y := tensor(g.InputLen()), tensor(g.WeightLen()), tensor(g.OutputLen())
	var bias *gpu.Tensor
	if key.bias {
		bias = tensor(g.O)
	}
	room := make([]float32, c.scratch+panel)
	var have []float32
	var want *gpu.Tensor
	var ok bool
	switch key.pass {
	case dnnForward:
		have, want = make([]float32, y.N), y
		ok = c.run(d.dnn, 0, slice(x), slice(w), nil, slice(bias), have, room)
		d.convColumns(&gpu.Conv{G: g, X: x, W: w, B: bias, Y: y})
	case dnnData:
		have, want = make([]float32, x.N), x
		ok = c.run(d.dnn, 0, slice(y), slice(w), nil, nil, have, room)
		d.convBackwardDataColumns(&gpu.ConvBackwardData{G: g, DY: y, W: w, DX: x})
	default:
		have, want = make([]float32, w.N), w
		ok = c.run(d.dnn, 0, slice(x), slice(y), nil, nil, have, room)
		clear(slice(w))
		d.convBackwardWeightsColumns(&gpu.ConvBackwardWeights{G: g, X: x, DY: y, DW: w})
	}
	runtime.KeepAlive(room) // C had its address alone
	if !ok {
		return fmt.Errorf("%s: a convolution failed", d.dnn.title)
	}
	square := 0.0
	for _, v := range slice(want) {
		square += float64(float64(v) * float64(v))
	}
	most := 1e-4 * (1e-6 + math.Sqrt(square/float64(len(have))))
	for i, v := range slice(want) {
		if !(math.Abs(float64(have[i]-v)) <= most) {
			return &dnnWrong{d.dnn.title, key, i, have[i], v}
		}
	}
	return nil
}

// dnnKernel does calls of a plan.
type dnnKernel struct {
	d                *back
	p                *dnnPlan
	x, w, bias, y    []float32
	laid             []float32
	perX, perW, perY int // elements of a call; perW is 0 for weights
	then             gpu.Rectifier
}

func (k *dnnKernel) run(lo, hi, worker int) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	k.d.dnn.oneThread()
	for call := lo; call < hi; call++ {
		c := k.p.of(call)
		room := k.d.scratch(worker, c.scratch+panel)
		if !c.run(k.d.dnn, worker, k.x[call*k.perX:], k.w[call*k.perW:], k.laid, k.bias, k.y[call*k.perY:], room) {
			k.p.failed.Store(true)
		}
		if y := k.y[call*k.perY:]; k.then.On {
			rectified(y[:min(k.perY, len(y))], k.then)
		}
	}
}

// layWeights brings weights to the library's layout, where that is another, once for all calls.
func (d *back) layWeights(p *dnnPlan, w []float32) []float32 {
	if p.laid == nil {
		return nil
	}
	defer d.dnn.alone()()
	o, laid := &p.most.w, aligned(p.laid)
	call := &p.most.main.workers[0].call
	d.dnn.set(call, o.memory[0], w)
	d.dnn.set(call, o.used[0], laid)
	if !d.dnn.do(o.reorder, 0) {
		p.failed.Store(true)
	}
	return laid
}

func (d *back) convDNN(o *gpu.Conv) {
	g := o.G
	p := d.dnnPlanOf(g, dnnForward, o.B != nil)
	if !d.passDNN(p, slice(o.X), slice(o.W), slice(o.B), slice(o.Y), g.C*g.H*g.W, g.O*g.OutH*g.OutW, o.Then) {
		d.convColumns(o)
	}
}

func (d *back) convBackwardDataDNN(o *gpu.ConvBackwardData) {
	g := o.G
	p := d.dnnPlanOf(g, dnnData, false)
	if !d.passDNN(p, slice(o.DY), slice(o.W), nil, slice(o.DX), g.O*g.OutH*g.OutW, g.C*g.H*g.W, gpu.Rectifier{}) {
		d.convBackwardDataColumns(o)
	}
}

// passDNN makes y of x by a plan, which may be nil, and reports whether that was done. An image has so many elements of
// each.
func (d *back) passDNN(p *dnnPlan, x, w, bias, y []float32, ofX, ofY int, then gpu.Rectifier) bool {
	if p == nil {
		return false
	}
	launch(
		d,
		&d.kernels.dnn,
		dnnKernel{d, p, x, w, bias, y, d.layWeights(p, w), p.per * ofX, 0, p.per * ofY, then},
		p.calls,
		1,
	)
	return !p.failed.Load()
}

// convBackwardWeightsDNN sums runs of images apart, as convBackwardColumns does.
func (d *back) convBackwardWeightsDNN(o *gpu.ConvBackwardWeights) {
	g := o.G
	p := d.dnnPlanOf(g, dnnWeights, false)
	if p != nil {
		weights := g.WeightLen()
		grads := room(&d.grads, p.calls*weights)
		k := dnnKernel{
			d, p, slice(o.X), slice(o.DY), nil, grads, nil,
			p.per * g.C * g.H * g.W, p.per * g.O * g.OutH * g.OutW, weights,
			gpu.Rectifier{},
		}
		launch(d, &d.kernels.dnn, k, p.calls, 1)
		if !p.failed.Load() {
			launch(d, &d.kernels.addRuns, addRunsKernel{grads, slice(o.DW), p.calls}, weights, grain)
			return
		}
	}
	d.convBackwardWeightsColumns(o)
}

// canDNN reports whether the library does a pass of a convolution, and does it as we do.
func (d *back) canDNN(pass int) func(*productKey) bool {
	return func(k *productKey) bool {
		if d.dnn == nil || d.convolutions.file == nil && d.convolutions.only != dnnName {
			return false
		}
		return d.dnnPlanOf(&k.g, pass, pass == dnnForward) != nil
	}
}

// dnnName is the name of the library's way.
const dnnName = "oneDNN"
