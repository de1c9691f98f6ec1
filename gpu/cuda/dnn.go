//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"fmt"

	"dns-tui/gpu"
)

// cuDNN's convolutions, by its legacy interface. plans.go does them by its graphs.

var dnnFunctions = []string{
	"cudnnGetVersion", "cudnnCreate", "cudnnDestroy", "cudnnSetStream",
	"cudnnCreateTensorDescriptor", "cudnnSetTensor4dDescriptor", "cudnnDestroyTensorDescriptor",
	"cudnnCreateFilterDescriptor", "cudnnSetFilter4dDescriptor", "cudnnDestroyFilterDescriptor",
	"cudnnCreateConvolutionDescriptor", "cudnnSetConvolution2dDescriptor", "cudnnSetConvolutionGroupCount",
	"cudnnSetConvolutionMathType", "cudnnDestroyConvolutionDescriptor",
	"cudnnGetConvolutionForwardWorkspaceSize", "cudnnGetConvolutionBackwardDataWorkspaceSize",
	"cudnnGetConvolutionBackwardFilterWorkspaceSize",
	"cudnnConvolutionForward", "cudnnConvolutionBackwardData", "cudnnConvolutionBackwardFilter",
}

// dnnConvolutions are the functions of forward, data and weights.
var dnnConvolutions = [...]string{
	"cudnnConvolutionForward", "cudnnConvolutionBackwardData", "cudnnConvolutionBackwardFilter",
}

var dnn = kind{
	names:     []string{"libcudnn.so.9", "libcudnn.so.8"},
	functions: dnnFunctions,
	optional:  append(algorithmFunctions[:], backendFunctions...),
	create:    createDNN,
	destroy:   "cudnnDestroy",
}

func createDNN(d *back, l *library) error {
	if err := l.call("cudnnCreate", l.result()); err != nil {
		return err
	}
	l.handle, l.descriptors, l.plans = l.out[0], map[described]*convDescriptors{}, map[planned]*planSet{}
	version := l.status("cudnnGetVersion")
	l.version = fmt.Sprintf("cuDNN %d.%d", version/1000, version/100%10)
	if version >= 90000 {
		l.version = fmt.Sprintf("cuDNN %d.%d", version/10000, version/100%100)
	}
	if err := l.call("cudnnSetStream", l.handle, d.streamWord()); err != nil {
		return err
	}
	_, err := d.space()
	return err
}

// convDescriptors are a convolution's shapes as cuDNN has them.
type convDescriptors struct {
	x, y, w, conv uint64
	work          [3]int64 // bytes of workspace of forward, data and weights; -1 where cuDNN has no such convolution
	algorithms    [3]algorithms
}

// The algorithms that are used where nothing is measured, the same in every run:
// CUDNN_CONVOLUTION_FWD_ALGO_IMPLICIT_PRECOMP_GEMM, BWD_DATA_ALGO_1 and BWD_FILTER_ALGO_1.
const dnnAlgorithm = 1

// Enumerators of cudnn.h.
const (
	dnnNCHW             = 0
	dnnNHWC             = 1
	dnnFloat            = 0
	dnnBFloat16         = 9
	dnnCrossCorrelation = 1
	dnnDefaultMath      = 0 // TF32 where the GPU has it
	dnnTensorMath       = 1
	dnnFMAMath          = 3
)

func (c *convDescriptors) destroy(l *library) {
	for _, d := range []struct {
		destroy    string
		descriptor uint64
	}{
		{"cudnnDestroyTensorDescriptor", c.x},
		{"cudnnDestroyTensorDescriptor", c.y},
		{"cudnnDestroyFilterDescriptor", c.w},
		{"cudnnDestroyConvolutionDescriptor", c.conv},
	} {
		_ = l.call(d.destroy, d.descriptor)
	}
}

// described is a convolution of float32 arrays in Caffe's order, or of such as are stored with channels last.
type described struct {
	g    gpu.ConvGeometry
	last bool
}

// describeConv returns the descriptors of a convolution, made at its first use.
func (d *back) describeConv(of described) (*convDescriptors, error) {
	l, g := d.libs.dnn, &of.g
	if c := l.descriptors[of]; c != nil {
		return c, nil
	}
	c := &convDescriptors{}
	math, format, kind, channels := dnnDefaultMath, dnnNCHW, dnnFloat, g.C
	if d.precision == FP32 {
		math = dnnFMAMath
	}
	if of.last {
		format, channels = dnnNHWC, d.widthOf(g)
		if d.precision == BF16 {
			math, kind = dnnTensorMath, dnnBFloat16
		}
	}
	create := func(name string, to *uint64) func() error {
		return func() error {
			err := l.call(name, l.result())
			*to = l.out[0]
			return err
		}
	}
	for _, step := range []func() error{
		create("cudnnCreateTensorDescriptor", &c.x),
		create("cudnnCreateTensorDescriptor", &c.y),
		create("cudnnCreateFilterDescriptor", &c.w),
		create("cudnnCreateConvolutionDescriptor", &c.conv),
		func() error { return l.ints("cudnnSetTensor4dDescriptor", c.x, format, kind, g.N, channels, g.H, g.W) },
		func() error {
			return l.ints("cudnnSetTensor4dDescriptor", c.y, format, kind, g.N, g.O, g.OutH, g.OutW)
		},
		func() error {
			return l.ints("cudnnSetFilter4dDescriptor", c.w, kind, format, g.O, channels/g.Groups, g.KH, g.KW)
		},
		func() error {
			return l.ints("cudnnSetConvolution2dDescriptor", c.conv,
				g.PH, g.PW, g.SH, g.SW, g.DH, g.DW, dnnCrossCorrelation, dnnFloat)
		},
		func() error { return l.ints("cudnnSetConvolutionGroupCount", c.conv, g.Groups) },
		func() error { return l.ints("cudnnSetConvolutionMathType", c.conv, math) },
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	for i, q := range []struct {
		name string
		args [4]uint64
	}{
		{"cudnnGetConvolutionForwardWorkspaceSize", [4]uint64{c.x, c.w, c.conv, c.y}},
		{"cudnnGetConvolutionBackwardDataWorkspaceSize", [4]uint64{c.w, c.y, c.conv, c.x}},
		{"cudnnGetConvolutionBackwardFilterWorkspaceSize", [4]uint64{c.x, c.y, c.conv, c.w}},
	} {
		s := l.status(q.name, l.handle, q.args[0], q.args[1], q.args[2], q.args[3], dnnAlgorithm, l.result())
		bytes := l.out[0]
		if s != 0 || bytes > workspaceBytes {
			c.work[i] = -1
			continue
		}
		c.work[i] = int64(bytes)
	}
	l.descriptors[of] = c
	return c, nil
}

// dnnOf returns the descriptors of a convolution, which of the three products it is, and whether it is one with
// channels last; nil where cuDNN is not to do it.
func (d *back) dnnOf(p *work) (c *convDescriptors, what product, last bool) {
	if d.libs.dnn == nil {
		return nil, what, last
	}
	if what, last = p.what, p.what.lastly(); last {
		what += convForward - nhwcForward
	}
	c, err := d.describeConv(described{*p.g, last})
	if err != nil {
		return nil, what, last
	}
	return c, what, last
}

// dnnConv queues a convolution by cuDNN: of the first operand and the second into the third. It reports false where
// cuDNN has no such convolution. With channels last gradients of weights are brought back to Caffe's order; those of
// bf16 this interface would round.
func (d *back) dnnConv(p *work, how choice) bool {
	g, x, w, y := p.g, p.x, p.w, p.y
	c, what, last := d.dnnOf(p)
	if c == nil {
		return false
	}
	i := int(what - convForward)
	use := algorithm{dnnAlgorithm, c.work[i]}
	if how.Algorithm > 0 {
		use = d.algorithm(c, i, how.Algorithm-1)
	}
	weights := what == convBackwardWeights
	if use.bytes < 0 || last && weights && d.precision == BF16 {
		return false
	}
	var d1, d2, d3 uint64
	beta := float32(0)
	switch what {
	case convForward:
		d1, d2, d3 = c.x, c.w, c.y
	case convBackwardData: // of w and dy; x is dy here
		d1, d2, d3 = c.w, c.y, c.x
		x, w = w, x
	case convBackwardWeights: // of x and dy, which is w here
		d1, d2, d3, beta = c.x, c.y, c.w, 1
		if last {
			if y, beta = d.gradientsRoom(g), 0; y == 0 {
				return false
			}
		}
	}
	callLibrary(d, C.record_conv, C.dns_conv_args{
		call: C.uint64_t(d.libs.dnn.functions[dnnConvolutions[i]]), handle: C.uint64_t(d.libs.dnn.handle),
		d1: C.uint64_t(d1), p1: C.uint64_t(x), d2: C.uint64_t(d2), p2: C.uint64_t(w), conv: C.uint64_t(c.conv),
		work: C.uint64_t(d.libs.workspace), bytes: C.uint64_t(use.bytes), d3: C.uint64_t(d3), p3: C.uint64_t(y),
		algo: C.int32_t(use.number), beta: C.float(beta),
	})
	if last && weights {
		d.addGradients(g, y, p.y)
	}
	return true
}
