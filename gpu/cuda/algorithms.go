//go:build cuda

package cuda

// #include "calls.h"
// #include <stdlib.h>
import "C"

import (
	"slices"
	"unsafe"
)

// cuDNN's algorithms for a convolution: products of matrices, transforms of Fourier and of Winograd. Those that are
// deterministic compete where kernels are measured (choose.go).

// algorithmFunctions list what cuDNN has for forward, data and weights.
var algorithmFunctions = [...]string{
	"cudnnGetConvolutionForwardAlgorithm_v7", "cudnnGetConvolutionBackwardDataAlgorithm_v7",
	"cudnnGetConvolutionBackwardFilterAlgorithm_v7",
}

// algorithm is one of cuDNN's, and its bytes of workspace; -1 where it cannot be used.
type algorithm struct {
	number int
	bytes  int64
}

// algorithms are those of a convolution, once they were asked for.
type algorithms struct {
	asked bool
	list  []algorithm
}

// performance is cuDNN's cudnnConvolutionFwdAlgoPerf_t, and that of the other two.
type performance struct {
	algorithm, status int32
	ms                float32
	memory            uint64
	deterministic     int32 // CUDNN_DETERMINISTIC is 1
	math              int32
	_                 [3]int32
}

// mostAlgorithms is how many algorithms cuDNN has of each, twice over: it lists one for each kind of multiplication.
const mostAlgorithms = 16

// algorithmsOf lists the algorithms for forward (0), data (1) or weights (2) that give the same bits in every run, fit
// in the workspace and round no more than the precision does.
func (d *back) algorithmsOf(c *convDescriptors, i int) []algorithm {
	a, l := &c.algorithms[i], d.libs.dnn
	if a.asked || l.functions[algorithmFunctions[i]] == 0 {
		return a.list
	}
	a.asked = true
	first, second, third := c.x, c.w, c.y
	switch i {
	case 1:
		first, second, third = c.w, c.y, c.x
	case 2:
		first, second, third = c.x, c.y, c.w
	}
	found := (*[mostAlgorithms]performance)(C.calloc(mostAlgorithms, C.size_t(unsafe.Sizeof(performance{}))))
	defer C.free(unsafe.Pointer(found))
	s := l.status(algorithmFunctions[i], l.handle, first, second, c.conv, third, mostAlgorithms, l.result(),
		uint64(uintptr(unsafe.Pointer(found))))
	if s != 0 {
		return nil
	}
	for _, p := range found[:min(mostAlgorithms, int(int32(l.out[0])))] {
		known := slices.ContainsFunc(a.list, func(o algorithm) bool { return o.number == int(p.algorithm) })
		if p.status == 0 && p.deterministic == 1 && p.memory <= workspaceBytes && d.allows(p.math) && !known {
			a.list = append(a.list, algorithm{int(p.algorithm), int64(p.memory)})
		}
	}
	return a.list
}

// allows reports whether the precision allows a kind of multiplication: none that rounds float32 to float16, and with
// float32 none by tensor cores.
func (d *back) allows(math int32) bool {
	const conversion = 2 // CUDNN_TENSOR_OP_MATH_ALLOW_CONVERSION
	return math != conversion && (d.precision != FP32 || math != dnnTensorMath)
}

// algorithm returns the algorithm of a number.
func (d *back) algorithm(c *convDescriptors, i, number int) algorithm {
	for _, a := range d.algorithmsOf(c, i) {
		if a.number == number {
			return a
		}
	}
	return algorithm{number, -1}
}

// alternatives are the ways in which cuDNN may do a product, beside its default.
func (d *back) alternatives(w *work, own choice) (list []choice) {
	if w.g == nil {
		return nil
	}
	c, what, _ := d.dnnOf(w)
	if c == nil {
		return nil
	}
	for _, a := range d.algorithmsOf(c, int(what-convForward)) {
		if a.number != dnnAlgorithm {
			list = append(list, choice{Library: true, Tile: own.Tile, Slices: own.Slices, Algorithm: a.number + 1})
		}
	}
	p, ok := d.plannedOf(w, false)
	if !ok {
		return list
	}
	for _, one := range d.plansOf(p) {
		list = append(list, choice{Library: true, Tile: own.Tile, Slices: own.Slices, Engine: one.name})
	}
	return list
}
