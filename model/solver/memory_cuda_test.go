//go:build cuda

package solver_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/cuda"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

const spacious = `layer { name: "in" type: "Input" top: "x" top: "label" input_param { shape { dim: %[1]d dim: 3 dim: 17 dim: 17 }
  shape { dim: %[1]d } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 56 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "pool" type: "Pooling" bottom: "a" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "sig" type: "Sigmoid" bottom: "pool" top: "sig" }
layer { name: "b" type: "Convolution" bottom: "sig" top: "b" convolution_param { num_output: 64 kernel_size: 3
  weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "b" top: "fc" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "drop" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "drop" bottom: "label" top: "loss" }
`

// On a GPU, too, what MemoryOf says is what is allocated, to the byte: what the device has taken for its own work, and
// what it takes as it trains.
func TestMemoryOfCUDA(t *testing.T) {
	for _, c := range []struct {
		precision cuda.Precision
		batch     int
		test      bool
	}{
		{cuda.FP32, 2, false}, {cuda.FP32, 9, true}, {cuda.TF32, 9, false}, {cuda.BF16, 9, false}, {cuda.BF16, 3, true},
		{cuda.TF32, 36, false}, {cuda.BF16, 36, false}, // products that are large enough for a library
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			d := modeltest.OpenCUDA(t, cuda.Options{Precision: c.precision})
			net := func(batch int) *caffe.NetFile {
				f, err := caffe.ParseNetPrototxt("spacious", []byte(fmt.Sprintf(spacious, batch)))
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			run := &config.Run{SolverPath: "solver.prototxt", Train: net(c.batch), Solver: &caffepb.SolverParameter{
				BaseLr: proto.Float32(0.001), LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(9)}}
			if c.test {
				run.Tests, run.Solver.TestIter = []*caffe.NetFile{net(7)}, []int32{1}
			}
			opened := d.Allocated()
			m, err := solver.MemoryOf(run, d, 0)
			if err != nil {
				t.Fatal(err)
			}
			if m.Opened != opened || d.Allocated() != opened {
				t.Errorf("%d bytes are held by the open device, by MemoryOf %d", opened, m.Opened)
			}
			s, err := solver.New(run, d)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if have := d.Allocated() - opened; have != m.Total() {
				t.Errorf("%d bytes of nets and solver, by MemoryOf %d", have, m.Total())
			}
			for range 3 {
				if _, err := s.Step(); err != nil {
					t.Fatal(err)
				}
				if c.test {
					if _, err := s.Test(0, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			if have := d.Allocated() - opened - m.Total(); have != m.Work || c.batch > 2 && m.Work == 0 {
				t.Errorf("%d bytes of the device's own work, by MemoryOf %d", have, m.Work)
			}
		})
	}
}
