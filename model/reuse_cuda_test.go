//go:build cuda

package model_test

import (
	"cmp"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/gpu/cuda"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// A GPU, which does some layers' operations with those of the layer before, and replays its queues as graphs, comes to
// the same bits with memory shared.
func TestReuseCUDA(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	archive, err := txtar.ParseFile("layer/testdata/gradients.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range archive.Files {
		t.Run(c.Name, func(t *testing.T) {
			f, err := caffe.ParseNetPrototxt(c.Name, c.Data)
			if err != nil {
				t.Fatal(err)
			}
			f = f.Replace(between(f.Net))
			want := runs(t, d, f, model.NetOptions{Backward: true}, 4, plainly)
			o := model.NetOptions{Backward: true, Reuse: true}
			if err := want.differ(runs(t, d, f, o, 4, plainly)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{"lenet_dns", "cifar10_full"} {
		t.Run(name, func(t *testing.T) {
			f, classes := modeltest.ReadNet(t, name, 2), modeltest.Find(t, name).Classes
			run := func(n *model.Net) error {
				modeltest.FillInputs(d, n, classes)
				return plainly(n)
			}
			want := runs(t, d, f, model.NetOptions{}, 3, run)
			if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 3, run)); err != nil {
				t.Error(err)
			}
		})
	}
}

// With activations as bf16 with channels last, too: what lies in shared memory in that layout is forgotten with the
// blob that it was of.
func TestReuseCUDAChannelsLast(t *testing.T) {
	for _, p := range []cuda.Precision{cuda.TF32, cuda.BF16} {
		t.Run(p.String(), func(t *testing.T) {
			d := modeltest.OpenCUDA(t, cuda.Options{Precision: p})
			rapid.Check(t, func(t *rapid.T) {
				f := anyGraph(t, 16)
				want := runs(t, d, f, model.NetOptions{}, 2, plainly)
				if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 2, plainly)); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// turns is a net whose blobs in the one layout are given the memory of those in the other: a branch of kernels for
// channels last, and one of Sigmoid, which has none for them.
const turns = `force_backward: true
layer { name: "in" type: "Input" top: "x" top: "label5" input_param { shape { dim: 2 dim: 16 dim: 8 dim: 8 }
  shape { dim: 2 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 32 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "bn" }
layer { name: "sc" type: "Scale" bottom: "bn" top: "sc" scale_param { bias_term: true } }
layer { name: "relu" type: "ReLU" bottom: "sc" top: "sc" }
layer { name: "pool" type: "Pooling" bottom: "sc" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "one" type: "Convolution" bottom: "pool" top: "one" convolution_param { num_output: 16 kernel_size: 1
  weight_filler { type: "xavier" } } }
layer { name: "two" type: "Convolution" bottom: "pool" top: "two" convolution_param { num_output: 24 kernel_size: 3
  pad: 1 weight_filler { type: "xavier" } } }
layer { name: "both" type: "Concat" bottom: "one" bottom: "two" top: "both" }
layer { name: "b" type: "Convolution" bottom: "both" top: "b" convolution_param { num_output: 16 kernel_size: 3
  weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "b" top: "b" }
layer { name: "sig" type: "Sigmoid" bottom: "b" top: "sig" }
layer { name: "fc" type: "InnerProduct" bottom: "sig" top: "fc" inner_product_param { num_output: 20
  weight_filler { type: "xavier" } } }
layer { name: "relu2" type: "ReLU" bottom: "fc" top: "fc" }
layer { name: "last" type: "InnerProduct" bottom: "fc" top: "last" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "last" bottom: "label5" top: "loss" }
`

// No activation is brought back to Caffe's order that nobody reads: one that Sigmoid reads is, once a pass, and with
// memory shared no other.
func TestReuseCUDAConversions(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("turns", []byte(turns))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name      string
		options   model.NetOptions
		precision cuda.Precision
		wanted    int
	}{
		{"own, bf16", model.NetOptions{}, cuda.BF16, 1},
		{"shared, bf16", model.NetOptions{Reuse: true}, cuda.BF16, 1},
		// TF32 keeps the layout through Sigmoid: what the product reads is brought back, and its gradient is another's.
		{"own, tf32", model.NetOptions{}, cuda.TF32, 2},
		{"shared, tf32", model.NetOptions{Reuse: true}, cuda.TF32, 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			var conversions []string
			d := modeltest.OpenCUDA(t, cuda.Options{Precision: c.precision, Timeline: func(k cuda.Timed) {
				if strings.Contains(k.Kernel, "_to_planes_") {
					conversions = append(conversions, k.Kernel+" for "+k.For)
				}
			}})
			runs(t, d, f, c.options, 3, func(n *model.Net) error {
				conversions = conversions[:0] // but for what was read of the pass before
				if err := cmp.Or(plainly(n), d.Sync()); err != nil {
					return err
				}
				if len(conversions) != c.wanted {
					t.Errorf("%d conversions in a pass, wanted %d: %q", len(conversions), c.wanted, conversions)
				}
				return nil
			})
		})
	}
}

// To look for what is not finite takes little memory, though most blobs have two bytes an element.
func TestReuseCUDAFirstBad(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("turns", []byte(turns))
	if err != nil {
		t.Fatal(err)
	}
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16})
	const largest = 4 * 2 * 32 * 8 * 8 // of the blobs, as float32
	runs(t, d, f, model.NetOptions{Reuse: true}, 2, func(n *model.Net) error {
		if err := plainly(n); err != nil {
			return err
		}
		before := d.Allocated()
		if err := n.FirstBad(); err != nil {
			return err
		}
		if more := d.Allocated() - before; more > largest {
			t.Errorf("%d bytes more, wanted at most %d", more, largest)
		}
		return nil
	})
}
