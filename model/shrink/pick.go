package shrink

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// An inner product that reads the net's input has columns without a weight for what nobody looks at: the dark corners
// of digits. The input itself cannot be made smaller, so layers before the inner product pick what it reads: a Flatten,
// a Slice at the ends of each run of values, and a Concat of the runs that are read.

// worthPicking is which part of the values must be unread.
const worthPicking = 0.125

// picks are the values of its bottom that an inner product reads with the outputs that are left; nil where all stay.
func picks(nd *node) []int {
	l, ok := nd.op.(product1)
	if !ok || nd.param.GetInnerProductParam().GetAxis() != 1 || nd.shared {
		return nil
	}
	for _, c := range nd.in[0].channels {
		if !c.unit.root().source {
			return nil
		}
	}
	size, outputs := l.within(nd), keptOutputs(nd)
	n := len(leftOf(nd.in[0])) * size
	var used []int
	for i := range n {
		if slices.ContainsFunc(outputs, func(o int) bool { return l.weight(nd, o, i/size, i%size) != 0 }) {
			used = append(used, i)
		}
	}
	if len(used) == 0 || float64(n-len(used)) < worthPicking*float64(n) {
		return nil
	}
	return used
}

// runs are the ends of runs of values that are all used, or all not; the first is of unused ones, of none perhaps.
func runs(used []int, n int) (ends []int, usedFirst bool) {
	is := make([]bool, n)
	for _, i := range used {
		is[i] = true
	}
	for i := 1; i < n; i++ {
		if is[i] != is[i-1] {
			ends = append(ends, i)
		}
	}
	return append(ends, n), is[0]
}

// pickBefore returns the layers that pick what an inner product reads of n values, and has it read them.
// Their names, and those of what they make, begin with name.
func pickBefore(p *caffepb.LayerParameter, name string, used []int, n int) []*caffepb.LayerParameter {
	layer := func(suffix, typ string, bottom, top []string) *caffepb.LayerParameter {
		return &caffepb.LayerParameter{
			Name:    proto.String(name + suffix),
			Type:    proto.String(typ),
			Bottom:  bottom,
			Top:     top,
			Include: p.Include,
			Exclude: p.Exclude,
		}
	}
	ends, isUsed := runs(used, n)
	flat := layer("_flat", "Flatten", []string{p.Bottom[0]}, []string{name + "_flat"})
	cut := layer("_cut", "Slice", flat.Top, nil)
	cut.SliceParam = &caffepb.SliceParameter{}
	var read, unread []string
	for i, end := range ends {
		top := fmt.Sprintf("%s_%d", name, i)
		cut.Top = append(cut.Top, top)
		if i < len(ends)-1 {
			cut.SliceParam.SlicePoint = append(cut.SliceParam.SlicePoint, uint32(end))
		}
		if isUsed {
			read = append(read, top)
		} else {
			unread = append(unread, top)
		}
		isUsed = !isUsed
	}
	join := layer("", "Concat", read, []string{name})
	p.Bottom = []string{name}
	return []*caffepb.LayerParameter{flat, cut, layer("_unread", "Silence", unread, nil), join}
}

// freeName is a beginning of names that no layer and no blob of a net has: BASE, or BASE2, BASE3, ….
func freeName(n *caffepb.NetParameter, base string) string {
	taken := func(name string) bool {
		has := func(s string) bool { return s == name || strings.HasPrefix(s, name+"_") }
		return slices.ContainsFunc(n.Layer, func(l *caffepb.LayerParameter) bool {
			return has(l.GetName()) || slices.ContainsFunc(l.Bottom, has) || slices.ContainsFunc(l.Top, has)
		})
	}
	name := base
	for i := 2; taken(name); i++ {
		name = fmt.Sprint(base, i)
	}
	return name
}

// pickColumns are an inner product's weights for some of its inputs.
func pickColumns(w array, used []int, transposed bool) array {
	if transposed {
		outputs := w.shape[1]
		out := array{shape: []int{len(used), outputs}}
		for _, i := range used {
			out.values = append(out.values, w.values[i*outputs:(i+1)*outputs]...)
		}
		return out
	}
	inputs := w.shape[1]
	out := array{shape: []int{w.shape[0], len(used)}}
	for o := range w.shape[0] {
		for _, i := range used {
			out.values = append(out.values, w.values[o*inputs+i])
		}
	}
	return out
}
