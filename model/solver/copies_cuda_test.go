//go:build cuda

package solver_test

import (
	"math"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// turning has convolutions that are pruned and one that is not, in groups, depthwise, and twice with the same weights.
const turning = `layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 6 dim: 5 } shape { dim: 2 } } }
layer { name: "a" type: "Convolution" bottom: "data" top: "a" param { } param { } param { } convolution_param {
  num_output: 16 kernel_size: 3 pad: 1 sparsity_term: true threshold: 0.8 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" param { name: "shared" } convolution_param { num_output: 16
  kernel_size: 3 pad: 1 group: 2 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "c" type: "Convolution" bottom: "b" top: "c" param { name: "shared" } convolution_param { num_output: 16
  kernel_size: 3 pad: 1 group: 2 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "d" type: "Convolution" bottom: "c" top: "d" convolution_param { num_output: 16 kernel_size: 3 group: 16
  weight_filler { type: "xavier" } } }
layer { name: "e" type: "Convolution" bottom: "d" top: "e" param { } param { } param { } convolution_param {
  num_output: 24 kernel_size: 1 sparsity_term: true threshold: 0.5 weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "e" top: "fc" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
`

// turningSolver returns a solver of it, of two passes an iteration and with a test net.
func turningSolver(t *testing.T, d *gpu.Device, rate float32) *solver.Solver {
	t.Helper()
	f, err := caffe.ParseNetPrototxt("turning", []byte(turning))
	if err != nil {
		t.Fatal(err)
	}
	param := &caffepb.SolverParameter{
		BaseLr: &rate, Momentum: proto.Float32(0.9), LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(99),
		IterSize: proto.Int32(2), TestIter: []int32{1}, RandomSeed: proto.Int64(1),
	}
	run := &config.Run{SolverPath: "solver.prototxt", Train: f, Tests: []*caffe.NetFile{f}, Solver: param}
	s, err := solver.New(run, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	modeltest.FillInputs(d, s.Net, 5)
	modeltest.FillInputs(d, s.Tests[0], 5)
	return s
}

// Weights are converted for convolutions once: then an iteration with surgery and several passes converts none, nor
// does a test. What update and surgery leave in the copies is what a conversion makes: the bits of a run whose weights
// are written anew before each iteration, and so converted, are the same.
func TestCUDACopiesOfWeights(t *testing.T) {
	for _, p := range []cuda.Precision{cuda.TF32, cuda.BF16} {
		t.Run(p.String(), func(t *testing.T) {
			conversions, kernels := 0, 0 // of a run that is measured as it goes, so that its gradients are wrong
			count := func(k cuda.Timed) {
				kernels++
				if k.Kernel == "copy_filters" {
					conversions++
				}
			}
			options := cuda.Options{Precision: p, NoLibraries: true, Timeline: count}
			timed := turningSolver(t, modeltest.OpenCUDA(t, options), 0)
			options.Timeline = nil
			for i := range 2 {
				conversions, kernels = 0, 0
				step(t, timed)
				if _, err := timed.Test(0, nil); err != nil {
					t.Fatal(err)
				}
				if (conversions > 0) != (i == 0) || kernels == 0 {
					t.Errorf("%d conversions among %d kernels in iteration %d", conversions, kernels, i)
				}
			}
			kept := turningSolver(t, modeltest.OpenCUDA(t, options), 0.01)
			d := modeltest.OpenCUDA(t, options)
			fresh := turningSolver(t, d, 0.01)
			for range 4 {
				step(t, kept)
				for _, param := range fresh.Net.Params() {
					w := make([]float32, param.Data.N)
					d.Download(w, param.Forward())
					d.Upload(param.Forward(), w)
				}
				step(t, fresh)
			}
			have, pruned := forwardBits(kept)
			wanted, _ := forwardBits(fresh)
			if !slices.Equal(have, wanted) || pruned == 0 {
				t.Errorf(
					"weights by copies that were kept are others than by fresh ones, or none of %d is pruned",
					len(have),
				)
			}
		})
	}
}

// forwardBits are the forward weights of all layers, and how many are pruned of those of convolutions.
func forwardBits(s *solver.Solver) (bits []uint32, pruned int) {
	for _, p := range s.Net.Params() {
		v := make([]float32, p.Data.N)
		s.Device().Download(v, p.Forward())
		for _, x := range v {
			bits = append(bits, math.Float32bits(x))
			if gpu.IsPruned(x) && len(p.Shape) == 4 {
				pruned++
			}
		}
	}
	return bits, pruned
}
