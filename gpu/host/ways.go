package host

import (
	"fmt"
	"runtime"
	"strings"

	"github.com/klauspost/cpuid/v2"

	"dns-tui/gpu"
	"dns-tui/gpu/measured"
)

// A dense convolution, a gradient of one, and a dense product are done in one of several ways. Which is the fastest
// depends on its shape and on the machine: it is measured where Options.Tune says so, and kept in the user's cache, as
// crossovers are. Else a rule decides. Where one of the two cannot be kept, neither is.

// denseWay is a way of convolutions, or of products.
type denseWay[O any] struct {
	name string
	do   func(O)
	can  func(*productKey) bool // whether it can do one
	rule func(*productKey) bool // whether it is chosen where nothing is measured: the first for which it is true
}

// convolutions are the ways of a device, and what was chosen of them.
type convolutions struct {
	forward  []denseWay[*gpu.Conv]
	data     []denseWay[*gpu.ConvBackwardData]
	weights  []denseWay[*gpu.ConvBackwardWeights]
	products []denseWay[*gpu.Gemm]
	chosen   map[productKey]int
	file     *measured.File // nil: a rule decides
	stored   map[string]string
	sure     bool   // that it can be written
	only     string // for tests: the way that does what it can
}

// openConvolutions makes the ways of a device, which are measured where tune is set.
func (d *back) openConvolutions(tune bool) {
	always := func(*productKey) bool { return true }
	c := &d.convolutions
	c.forward = []denseWay[*gpu.Conv]{
		{"depthwise-3×3", d.convDepthwise3, depthwise3, always},
		{"depthwise", d.convDepthwise, depthwise, always},
		{"product", d.convPointwise, pointwise, productRule},
		{"Winograd", d.convWinograd, canWinograd, winogradRule},
		{"direct", d.convDirect, always, directRule},
		{"columns", d.convColumns, always, always},
		{dnnName, d.convDNN, d.canDNN(dnnForward), always},
	}
	c.data = []denseWay[*gpu.ConvBackwardData]{
		{"depthwise-3×3", d.convBackwardDataDepthwise3, depthwise3, always},
		{"depthwise", d.convBackwardDataDepthwise, depthwise, always},
		{"product", d.convBackwardDataPointwise, pointwise, productRule},
		{"Winograd", d.convBackwardDataWinograd, canWinogradData, winogradDataRule},
		{"direct", d.convBackwardDataDirect, strideOne, directDataRule},
		{"columns", d.convBackwardDataColumns, always, always},
		{dnnName, d.convBackwardDataDNN, d.canDNN(dnnData), always},
	}
	c.weights = []denseWay[*gpu.ConvBackwardWeights]{
		{"depthwise-3×3", d.convBackwardWeightsDepthwise3, depthwise3, always},
		{"depthwise", d.convBackwardWeightsDepthwise, depthwise, always},
		{"product", d.convBackwardWeightsPointwise, pointwise, productRule},
		{"Winograd", d.convBackwardWeightsWinograd, canWinogradWeights, winogradRule},
		{"direct", d.convBackwardWeightsDirect, always, directWeightsRule},
		{"columns", d.convBackwardWeightsColumns, always, always},
		{dnnName, d.convBackwardWeightsDNN, d.canDNN(dnnWeights), always},
	}
	c.products = []denseWay[*gpu.Gemm]{
		{"tiles", d.gemmTiles, always, tilesRule},
		{"BLAS", d.gemmBLAS, always, always},
	}
	c.chosen = map[productKey]int{}
	if !tune {
		return
	}
	of := d.processor() + ", convolutions"
	if d.dnn != nil {
		of += ", " + d.dnn.title
	}
	file, err := measured.Open("crossovers.json", of)
	if err != nil {
		d.decideByRule(err)
		return
	}
	c.file, c.stored = file, measured.Read[string](file)
}

// processor names what times depend on.
func (d *back) processor() string {
	processor := cpuid.CPU.BrandName
	if processor == "" {
		processor = cpuid.CPU.VendorString
	}
	name := fmt.Sprintf("%s, %s, %s", processor, runtime.GOARCH, d.blas.name())
	if sets := processorSets(); usedSet != sets[len(sets)-1] {
		name += ", vectors " + usedSet.String()
	}
	return name
}

func strideOne(k *productKey) bool { return k.g.SH == 1 && k.g.SW == 1 }

// directRule reports whether a convolution without columns is the faster, as a rule: where columns would be several
// times the image, tiles of outputs are filled, and a sum is long enough for what is done before and after it not to
// count. Its tiles want a processor for which they are in assembler.
func directRule(k *productKey) bool {
	g := &k.g
	taps := g.KH * g.KW
	return has(vecDirect) && taps > 1 && g.O/g.Groups >= panel && g.C/g.Groups*taps >= 64
}

// directDataRule is directRule for the gradient of inputs, which are its outputs. Where they are many more than the
// outputs of the convolution, it multiplies zeros.
func directDataRule(k *productKey) bool {
	return directRule(&productKey{g: turned(&k.g)}) && 10*k.g.H*k.g.W <= 13*k.g.OutH*k.g.OutW
}

// directWeightsRule is directRule for the gradient of weights, each of which is read and written once for each strip of
// positions.
func directWeightsRule(k *productKey) bool { return directRule(k) && k.g.OutH*k.g.OutW >= 100 }

// productRule reports whether a convolution of 1×1 is the faster as one product, as a rule.
func productRule(*productKey) bool { return has(vecProduct) }

// winogradRule reports whether a convolution in the manner of Winograd is the faster, as a rule: where there are
// channels enough for its transforms not to count.
func winogradRule(k *productKey) bool {
	return min(k.g.C, k.g.O)/k.g.Groups >= panel && k.g.OutH*k.g.OutW >= 49
}

// winogradDataRule is that of the gradient of inputs.
func winogradDataRule(k *productKey) bool { return winogradRule(k) && directDataRule(k) }

// tilesRule reports whether a product of tiles is the faster, as a rule: where panels are filled, and a sum is long
// enough for what is done before and after it not to count.
func tilesRule(k *productKey) bool { return has(vecProduct) && k.n >= 64 && k.k >= 64 }

// choose does a convolution or a product in the way that was chosen for its key, or is chosen now. adds is what it adds
// to; nil: nothing.
func choose[O any](d *back, key productKey, ways []denseWay[O], o O, adds []float32) {
	c := &d.convolutions
	at, ok := c.chosen[key]
	if !ok {
		var known bool
		if at, known = chooseWay(d, key, ways, o, adds); known {
			c.chosen[key] = at
		}
	}
	ways[at].do(o)
}

// chooseWay is the number of a way. known is false where a rule says it only since there was no time to measure.
func chooseWay[O any](
	d *back, key productKey, ways []denseWay[O], o O, adds []float32,
) (at int, known bool) {
	c := &d.convolutions
	rule := -1
	var open []way[O]
	var places []int
	for i, w := range ways {
		if !w.can(&key) {
			continue
		}
		if w.name == c.only {
			return i, true
		}
		if rule < 0 && w.rule(&key) {
			rule = i
		}
		open, places = append(open, way[O]{w.name, w.do}), append(places, i)
	}
	if c.file != nil && !c.sure {
		if c.sure = true; len(open) > 1 {
			if err := c.file.Writable(); err != nil {
				d.decideByRule(err)
			}
		}
	}
	if c.file == nil || len(open) == 1 {
		return rule, true
	}
	named := func(name string) (int, bool) {
		for i, w := range open {
			if w.name == name {
				return places[i], true
			}
		}
		return 0, false
	}
	names := []string{key.String() + ":"} // and the ways that there were: a version with others measures anew
	for _, w := range open {
		names = append(names, w.name)
	}
	name := strings.Join(names, " ")
	if at, ok := named(c.stored[name]); ok {
		return at, true
	}
	best, known := rule, true
	err := measured.Update(c.file, func(all map[string]string) bool {
		if at, ok := named(all[name]); ok {
			best = at
			return false
		}
		took := measureWays(d, o, open, adds)
		if known = took != nil; !known {
			return false
		}
		least := 0
		for i := range took {
			if took[i] < took[least] {
				least = i
			}
		}
		best, all[name] = places[least], open[least].name
		return true
	})
	if err != nil {
		d.decideByRule(err)
		return rule, true
	}
	return best, known
}

// convDense does a convolution with all of its weights.
func (d *back) convDense(o *gpu.Conv) {
	choose(d, productKey{what: "convolution", g: *o.G}, d.convolutions.forward, o, nil)
}

// convBackwardDataDense makes the gradient of inputs of all weights.
func (d *back) convBackwardDataDense(o *gpu.ConvBackwardData) {
	choose(d, productKey{what: "convolution's inputs' gradient", g: *o.G}, d.convolutions.data, o, nil)
}

// convBackwardAll adds the gradients of all weights to dw.
func (d *back) convBackwardAll(o *gpu.ConvBackwardWeights) {
	key := productKey{what: "convolution's weights' gradient", g: *o.G}
	choose(d, key, d.convolutions.weights, o, slice(o.DW))
}
