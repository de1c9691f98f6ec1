//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unsafe"

	"dns-tui/gpu"
)

// Convolutions by cuDNN's graphs: a convolution and what comes behind it, a bias and a ReLU, as one plan. cuDNN's
// heuristics list engines with their settings; those that are deterministic, round no more than the precision does and
// fit in the workspace compete where kernels are measured (choose.go), as the algorithms of the legacy interface do.

// epilogue is what comes behind a convolution.
type epilogue struct{ bias, relu bool }

// planned is which plans: of a convolution, one of the three products of it, and what comes behind.
type planned struct {
	described
	kind  int     // of numbers: dnnFloat or dnnBFloat16
	width int     // channels of the images, filled up
	what  product // convForward to convBackwardWeights
	epilogue
}

// dnnPlan is a way to do a graph.
type dnnPlan struct {
	name       string // the engine and its settings: "12: 2=5 14=3"
	descriptor uint64
}

// planSet are the plans of a graph, with all descriptors that they are made of.
type planSet struct {
	descriptors
	list []dnnPlan
}

const (
	// mostConfigs is how many configurations of each heuristic are looked at, mostPlans how many plans compete.
	mostConfigs = 8
	mostPlans   = 6
	mostKnobs   = 24
)

// alignment is what addresses of a graph's tensors are multiples of.
const alignment = 16

// The identifiers of a graph's tensors, in the order of their addresses in a record; virtual ones come behind.
const (
	firstID = 1 + iota
	secondID
	outID
	biasID
	virtualID
)

// plansOf returns the plans of a graph, made at first use. Where there is none, the legacy interface serves: that is
// said, once.
func (d *back) plansOf(p planned) []dnnPlan {
	l := d.libs.dnn
	if s := l.plans[p]; s != nil {
		return s.list
	}
	s := &planSet{descriptors: descriptors{library: l}}
	l.plans[p] = s
	for _, f := range backendFunctions {
		if l.functions[f] == 0 {
			d.withoutGraph("it has no " + f)
			return nil
		}
	}
	d.makePlans(s, p)
	if len(s.list) == 0 {
		s.destroy()
		why := "no engine that is deterministic and fits"
		if s.err != nil {
			why = s.err.Error()
		}
		d.withoutGraph(why)
	}
	return s.list
}

// withoutGraph says that a graph is not used, once for a device.
func (d *back) withoutGraph(why string) {
	if d.libs.told {
		return
	}
	d.libs.told = true
	d.notices = append(d.notices, fmt.Sprintf("%s has no graph for %s (%s); its legacy interface serves instead",
		d.libs.dnn.version, d.labelled(d.fault.label), why))
}

// makePlans makes those of a graph.
func (d *back) makePlans(s *planSet, p planned) {
	g := graphOf(&s.descriptors, p)
	if s.err != nil {
		return
	}
	for _, mode := range []int{heuristicsA, heuristicsB, heuristicsFallback} {
		if mode == heuristicsFallback && len(s.list) > 0 {
			break
		}
		err := s.err // what one heuristic or engine lacks another may have
		s.err = nil
		h := s.create(heuristicsDescriptor)
		s.attribute(h, heuristicsGraph, descriptorType, g)
		s.attribute(h, heuristicsMode, heuristicsType, uint64(mode))
		s.finalize(h, "heuristics")
		for _, config := range s.readDescriptors(h, heuristicsResults, engineConfigDescriptor, mostConfigs) {
			if len(s.list) == mostPlans {
				break
			}
			d.makePlan(s, config)
		}
		if err != nil {
			s.err = err // the first says more than the last
		}
	}
	if len(s.list) > 0 {
		s.err = nil
	}
}

// makePlan makes the plan of a configuration, where it is allowed.
func (d *back) makePlan(s *planSet, config uint64) {
	err := s.err
	s.err = nil
	defer func() {
		if s.err == nil {
			s.err = err
		}
	}()
	engines := s.readDescriptors(config, configEngine, engineDescriptor, 1)
	if len(engines) == 0 || !d.noted(s, engines[0]) {
		return
	}
	name := fmt.Sprintf("%d:", s.readNumber(engines[0], engineIndex, int64Type))
	var knobs []string
	for _, k := range s.readDescriptors(config, configKnobs, knobChoiceDescriptor, mostKnobs) {
		knobs = append(knobs, fmt.Sprintf(" %d=%d", s.readNumber(k, knobChoiceType, knobType),
			s.readNumber(k, knobChoiceValue, int64Type)))
	}
	slices.Sort(knobs)
	name += strings.Join(knobs, "")
	if slices.ContainsFunc(s.list, func(p dnnPlan) bool { return p.name == name }) {
		return
	}
	p := s.create(planDescriptor)
	s.attribute(p, planHandle, handleType, s.handle)
	s.attribute(p, planConfig, descriptorType, config)
	s.finalize(p, "plan")
	if bytes := s.readNumber(p, planWorkspace, int64Type); s.err == nil && bytes >= 0 && bytes <= workspaceBytes {
		s.list = append(s.list, dnnPlan{name, p})
	}
}

// noted reports whether an engine gives the same bits in every run, and rounds no more than the precision does.
func (d *back) noted(s *planSet, engine uint64) bool {
	count, at := s.read(engine, engineNotes, noteType, mostNotes)
	if s.err != nil {
		return false
	}
	for _, note := range unsafe.Slice((*int32)(at), count) {
		switch note {
		case noteNondeterministic, noteDownConvert, noteReducedReduction:
			return false
		case noteTensorCore:
			if d.precision == FP32 {
				return false
			}
		}
	}
	return true
}

// graphOf makes the descriptors of a graph.
func graphOf(b *descriptors, p planned) uint64 {
	ops := operationsOf(b, p)
	graph := b.create(operationGraphDescriptor)
	b.attribute(graph, graphHandle, handleType, b.handle)
	b.attribute(graph, graphOps, descriptorType, ops...)
	b.finalize(graph, "graph")
	return graph
}

// operationsOf makes the operations of a graph: a convolution, and what comes behind it.
func operationsOf(b *descriptors, p planned) []uint64 {
	g, channels, kind := &p.g, p.width, p.kind
	x := imagesOf(b, firstID, kind, p.last, false, g.N, channels, g.H, g.W)
	w := imagesOf(b, secondID, kind, p.last, false, g.O, channels/g.Groups, g.KH, g.KW)
	ops := []uint64{0}
	switch p.what {
	case convForward:
		y := result{b: b, p: p}
		ops[0] = operationOf(
			b,
			forwardDescriptor,
			forwardAlpha,
			0,
			convolutionOf(b, g),
			w,
			x,
			y.next(!p.bias && !p.relu),
		)
		if p.bias {
			bias := imagesOf(b, biasID, dnnFloat, false, false, 1, g.O, 1, 1)
			from := y.tensor
			ops = append(ops, pointwiseOf(b, pointwiseAdd, from, bias, y.next(!p.relu)))
		}
		if p.relu {
			from := y.tensor
			ops = append(ops, pointwiseOf(b, pointwiseReLU, from, 0, y.next(true)))
		}
	case convBackwardData:
		dx := imagesOf(b, outID, kind, p.last, false, g.N, channels, g.H, g.W)
		dy := imagesOf(b, firstID, kind, p.last, false, g.N, g.O, g.OutH, g.OutW)
		ops[0] = operationOf(b, backwardDataDescriptor, dataAlpha, 0, convolutionOf(b, g), w, dx, dy)
	case convBackwardWeights:
		beta := float32(1)
		if p.last { // it is brought back to Caffe's order, and added there
			beta = 0
		}
		dw := imagesOf(b, outID, dnnFloat, p.last, false, g.O, channels/g.Groups, g.KH, g.KW)
		dy := imagesOf(b, secondID, kind, p.last, false, g.N, g.O, g.OutH, g.OutW)
		ops[0] = operationOf(b, backwardFilterDescriptor, filterAlpha, beta, convolutionOf(b, g), dw, x, dy)
	}
	return ops
}

// result makes the tensors that a forward graph's operations write: float32 that is nowhere, and y.
type result struct {
	b      *descriptors
	p      planned
	tensor uint64
	id     int
}

func (r *result) next(last bool) uint64 {
	g := &r.p.g
	id, kind := virtualID+r.id, dnnFloat
	if r.id++; last {
		id, kind = outID, r.p.kind
	}
	r.tensor = imagesOf(r.b, id, kind, r.p.last, !last, g.N, g.O, g.OutH, g.OutW)
	return r.tensor
}

// imagesOf describes an array of images in Caffe's order or with channels last.
func imagesOf(b *descriptors, id, kind int, last, virtual bool, n, c, h, w int) uint64 {
	strides := []uint64{uint64(c * h * w), uint64(h * w), uint64(w), 1}
	if last {
		strides = []uint64{uint64(c * h * w), 1, uint64(w * c), uint64(c)}
	}
	t := b.create(backendTensorDescriptor)
	b.attribute(t, tensorID, int64Type, uint64(id))
	b.attribute(t, tensorType, dataType, uint64(kind))
	b.attribute(t, tensorAlignment, int64Type, alignment)
	b.attribute(t, tensorDims, int64Type, uint64(n), uint64(c), uint64(h), uint64(w))
	b.attribute(t, tensorStrides, int64Type, strides...)
	if virtual {
		b.attribute(t, tensorVirtual, booleanType, 1)
	}
	b.finalize(t, "tensor")
	return t
}

// convolutionOf describes how a convolution goes over its images; sums are float32.
func convolutionOf(b *descriptors, g *gpu.ConvGeometry) uint64 {
	c := b.create(convolutionDescriptor)
	b.attribute(c, convolutionCompute, dataType, dnnFloat)
	b.attribute(c, convolutionMode, modeType, dnnCrossCorrelation)
	b.attribute(c, convolutionDims, int64Type, 2)
	b.attribute(c, convolutionDilation, int64Type, uint64(g.DH), uint64(g.DW))
	b.attribute(c, convolutionStrides, int64Type, uint64(g.SH), uint64(g.SW))
	b.attribute(c, convolutionPre, int64Type, uint64(g.PH), uint64(g.PW))
	b.attribute(c, convolutionPost, int64Type, uint64(g.PH), uint64(g.PW))
	b.finalize(c, "convolution")
	return c
}

// operationOf is one of the three operations, whose attributes begin at alpha and are in the order alpha, beta,
// convolution, w or dw, x or dx, y or dy.
func operationOf(b *descriptors, kind, alpha int, beta float32, conv, w, x, y uint64) uint64 {
	o := b.create(kind)
	b.number(o, alpha, 1)
	b.number(o, alpha+1, beta)
	for i, t := range []uint64{conv, w, x, y} {
		b.attribute(o, alpha+2+i, descriptorType, t)
	}
	b.finalize(o, "operation")
	return o
}

// pointwiseOf is y = x + with, or y = max(x, 0) without with.
func pointwiseOf(b *descriptors, mode int, x, with, y uint64) uint64 {
	p := b.create(pointwiseDescriptor)
	b.attribute(p, pointwiseMode, pointwiseType, uint64(mode))
	b.attribute(p, pointwisePrecision, dataType, dnnFloat)
	b.finalize(p, "pointwise")
	o := b.create(pointwiseOpDescriptor)
	b.attribute(o, pointwiseOpMode, descriptorType, p)
	b.attribute(o, pointwiseOpX, descriptorType, x)
	if with != 0 {
		b.attribute(o, pointwiseOpB, descriptorType, with)
	}
	b.attribute(o, pointwiseOpY, descriptorType, y)
	b.finalize(o, "pointwise operation")
	return o
}

// plannedOf is the graph of a product, with a ReLU or without; false where cuDNN is not to do it.
func (d *back) plannedOf(w *work, relu bool) (planned, bool) {
	if w.g == nil {
		return planned{}, false
	}
	c, what, last := d.dnnOf(w)
	if c == nil {
		return planned{}, false
	}
	p := planned{described: described{*w.g, last}, kind: dnnFloat, width: w.g.C, what: what}
	if last {
		p.width = d.widthOf(w.g)
		if d.precision == BF16 {
			p.kind = dnnBFloat16
		}
	}
	if what == convForward {
		p.epilogue = epilogue{w.e.rowBias != 0 || w.e.columnBias != 0, relu}
	}
	return p, true
}

// plan returns the plan of a name; 0 where there is none.
func (d *back) plan(p planned, name string) uint64 {
	for _, one := range d.plansOf(p) {
		if one.name == name {
			return one.descriptor
		}
	}
	return 0
}

// emitPlan queues a product by a plan, and reports whether there is one.
func (d *back) emitPlan(w *work, name string, relu bool) bool {
	p, ok := d.plannedOf(w, relu)
	if !ok {
		return false
	}
	at := uint64(0)
	if !d.dry {
		if at = d.plan(p, name); at == 0 || (w.x|w.w|w.y|w.e.rowBias|w.e.columnBias)%alignment != 0 {
			return false
		}
	}
	out := w.y
	if p.last && p.what == convBackwardWeights {
		if out = d.gradientsRoom(w.g); out == 0 {
			return false
		}
	}
	l := d.libs.dnn
	f := func(name string) C.uint64_t { return C.uint64_t(l.functions["cudnnBackend"+name]) }
	args := C.dns_plan_args{
		create: f("CreateDescriptor"), set: f("SetAttribute"), finalize: f("Finalize"), destroy: f("DestroyDescriptor"),
		execute: f("Execute"), handle: C.uint64_t(l.handle), plan: C.uint64_t(at),
		work: C.uint64_t(d.libs.workspace), count: 3,
	}
	args.at = [4]C.uint64_t{C.uint64_t(w.x), C.uint64_t(w.w), C.uint64_t(out)}
	if p.bias {
		args.at[3], args.count = C.uint64_t(w.e.rowBias|w.e.columnBias), 4
	}
	callLibrary(d, C.record_plan, args)
	if out != w.y {
		d.addGradients(w.g, out, w.y)
	}
	return true
}

// referRectified is refer with a ReLU.
func (d *back) referRectified(w *work, own choice) *reference {
	v := *w
	v.e.rectify, v.e.slope = 1, 0
	return d.refer(&v, own)
}

// rectifies reports whether a plan with a ReLU comes to what the kernel of this program does.
func (r *reference) rectifies(name string) bool {
	same, _ := r.same(func(w *work) bool { return r.emitPlan(w, name, true) })
	return same
}

// rectified finds the plan that does a ReLU, too, and is faster than one without and a ReLU behind it; "" for none. It
// leaves off where somebody waits.
func (d *back) rectified(w *work, own, how choice, waits func() bool) string {
	p, ok := d.plannedOf(w, true)
	if !ok || p.what != convForward {
		return ""
	}
	best, bestMS := "", d.fastest(func() bool {
		if !d.emitLibrary(w, how) {
			return false
		}
		if p.kind == dnnBFloat16 {
			each(d, kBf16Relu, w.out/8, bf16ReluArgs{n: int32(w.out / 8), x: w.y, y: w.y})
		} else {
			each(d, kRelu, w.out, reluArgs{n: int32(w.out), x: w.y, y: w.y})
		}
		return true
	}, math.Inf(1))
	r := d.referRectified(w, own)
	defer r.free()
	for _, plan := range d.plansOf(p) {
		if waits() {
			return ""
		}
		if !r.rectifies(plan.name) {
			continue
		}
		ms := d.fastest(func() bool { return d.emitPlan(w, plan.name, true) }, bestMS)
		if ms >= 0 && ms < bestMS {
			best, bestMS = plan.name, ms
		}
	}
	return best
}
