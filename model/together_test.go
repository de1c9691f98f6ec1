package model

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/model/layer"
)

// inPlaceNet has BatchNorm, Scale and ReLU in place, and all that keeps them from running as one: a reader between, a
// Scale of another axis, no ReLU, a BatchNorm of running statistics, a layer that overwrites what the ReLU made; and
// BatchNorms that are not in place.
const inPlaceNet = `
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 2 dim: 5 dim: 7 } } }
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 3 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1"
  scale_param { bias_term: true filler { type: "uniform" min: 0.5 max: 2 } bias_filler { type: "uniform" } } }
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "conv2" type: "Convolution" bottom: "conv1" top: "conv2"
  convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "xavier" } } }
layer { name: "bn2" type: "BatchNorm" bottom: "conv2" top: "bn2" }
layer { name: "scale2" type: "Scale" bottom: "bn2" top: "bn2" }
layer { name: "relu2" type: "ReLU" bottom: "bn2" top: "bn2" relu_param { negative_slope: 0.2 } }
layer { name: "bn3" type: "BatchNorm" bottom: "bn2" top: "bn3" }
layer { name: "relu3" type: "ReLU" bottom: "bn3" top: "bn3" }
layer { name: "bn4" type: "BatchNorm" bottom: "bn3" top: "bn4" }
layer { name: "scale4" type: "Scale" bottom: "bn4" top: "bn4" scale_param { axis: 2 } }
layer { name: "relu4" type: "ReLU" bottom: "bn4" top: "bn4" }
layer { name: "bn5" type: "BatchNorm" bottom: "bn4" top: "bn5" batch_norm_param { use_global_stats: true } }
layer { name: "scale5" type: "Scale" bottom: "bn5" top: "bn5" }
layer { name: "bn6" type: "BatchNorm" bottom: "bn5" top: "bn6" }
layer { name: "scale6" type: "Scale" bottom: "bn6" top: "scale6" }
layer { name: "sum" type: "Eltwise" bottom: "bn6" bottom: "scale6" top: "sum" }
layer { name: "bn7" type: "BatchNorm" bottom: "sum" top: "bn7" }
layer { name: "scale7" type: "Scale" bottom: "bn7" top: "bn7" }
layer { name: "relu7" type: "ReLU" bottom: "bn7" top: "bn7" }
layer { name: "power7" type: "Power" bottom: "bn7" top: "bn7" power_param { scale: 0.7 shift: 0.4 } }
layer { name: "ip" type: "InnerProduct" bottom: "bn7" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`

// Layers that run as one make what they make one after the other: all blobs, their gradients and those of parameters.
func TestLayersTogether(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("net.prototxt", []byte(inPlaceNet))
	if err != nil {
		t.Fatal(err)
	}
	run := func(debug bool, apart bool) map[string][]float32 {
		d := host.New(host.Options{Threads: 2})
		defer d.Close()
		n, err := NewNet(f, NetOptions{
			Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: 3,
		})
		if err != nil {
			t.Fatal(err)
		}
		defer n.Close()
		n.FillInputLayers()
		var joined []string
		for _, nd := range n.nodes {
			if nd.first != nil {
				joined = append(joined, nd.name)
			}
		}
		if want := []string{"scale1", "relu1", "scale2", "relu2", "relu3", "scale7"}; !slices.Equal(joined, want) {
			t.Fatalf("%q are done by the layer before them, wanted %q", joined, want)
		}
		if debug {
			n.SetDebug(func(string) {})
		}
		if apart {
			if err := n.MakeApart(); err != nil {
				t.Fatal(err)
			}
			n.Apart(true)
		}
		out := map[string][]float32{}
		for range 2 {
			if _, err := n.Forward(); err != nil {
				t.Fatal(err)
			}
			n.Backward()
		}
		for _, name := range n.BlobNames() {
			b := n.Blob(name)
			out[name] = make([]float32, b.Data.N)
			d.Download(out[name], b.Data)
			if b.Diff != nil {
				out[name+" gradient"] = make([]float32, b.Diff.N)
				d.Download(out[name+" gradient"], b.Diff)
			}
		}
		n.EachParam(func(of string, index int, p *layer.Param) {
			name := fmt.Sprint(of, " ", index)
			out[name] = make([]float32, p.Data.N)
			d.Download(out[name], p.Data)
			if p.Diff != nil {
				out[name+" gradient"] = make([]float32, p.Diff.N)
				d.Download(out[name+" gradient"], p.Diff)
			}
		})
		return out
	}
	want := run(true, false)
	if len(want) < 40 {
		t.Fatalf("%d arrays are compared", len(want))
	}
	for _, apart := range []bool{false, true} {
		for name, have := range run(false, apart) {
			for i, v := range have {
				w := want[name][i]
				if math.Abs(float64(v-w)) > 2e-5*(1+math.Abs(float64(w))) {
					t.Errorf("apart %t: %s[%d] is %g together, and %g one after the other", apart, name, i, v, w)
					break
				}
			}
		}
	}
}
