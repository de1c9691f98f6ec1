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

// inPlaceNet has BatchNorm, Scale and ReLU in place, ReLUs behind convolutions, products and sums, and all that keeps
// them from running as one: a reader between, a Scale of another axis, no ReLU, a BatchNorm of running statistics, a
// layer that overwrites what the ReLU made, a slope below 0, a ReLU that is not in place, a sum of three, a maximum;
// and BatchNorms that are not in place.
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
layer { name: "relu3" type: "ReLU" bottom: "bn3" top: "bn3" relu_param { negative_slope: -0.3 } }
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
layer { name: "conv8" type: "Convolution" bottom: "bn7" top: "conv8"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu8" type: "ReLU" bottom: "conv8" top: "conv8" }
layer { name: "drop8" type: "Dropout" bottom: "conv8" top: "conv8" }
layer { name: "conv9" type: "Convolution" bottom: "bn7" top: "conv9" param { lr_mult: 0 }
  convolution_param { num_output: 4 kernel_size: 1 bias_term: false weight_filler { type: "xavier" } } }
layer { name: "relu9" type: "ReLU" bottom: "conv9" top: "conv9" relu_param { negative_slope: 0.2 } }
layer { name: "sum9" type: "Eltwise" bottom: "conv8" bottom: "conv9" top: "sum9"
  eltwise_param { coeff: 1 coeff: -0.5 } }
layer { name: "relus9" type: "ReLU" bottom: "sum9" top: "sum9" }
layer { name: "conv10" type: "Convolution" bottom: "sum9" top: "conv10"
  convolution_param { num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu10" type: "ReLU" bottom: "conv10" top: "conv10" }
layer { name: "power10" type: "Power" bottom: "conv10" top: "conv10" power_param { scale: 0.7 shift: 0.4 } }
layer { name: "sum11" type: "Eltwise" bottom: "conv10" bottom: "sum9" bottom: "conv8" top: "sum11" }
layer { name: "relu11" type: "ReLU" bottom: "sum11" top: "sum11" }
layer { name: "max12" type: "Eltwise" bottom: "sum11" bottom: "sum9" top: "max12" eltwise_param { operation: MAX } }
layer { name: "relu12" type: "ReLU" bottom: "max12" top: "max12" }
layer { name: "ip13" type: "InnerProduct" bottom: "max12" top: "ip13"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } bias_filler { type: "uniform" min: -1 } } }
layer { name: "relu13" type: "ReLU" bottom: "ip13" top: "ip13" }
layer { name: "ip14" type: "InnerProduct" bottom: "ip13" top: "ip14"
  inner_product_param { num_output: 9 bias_term: false transpose: true weight_filler { type: "xavier" } } }
layer { name: "relu14" type: "ReLU" bottom: "ip14" top: "ip14" relu_param { negative_slope: 0.1 } loss_weight: 0.1 }
layer { name: "ip15" type: "InnerProduct" bottom: "ip14" top: "ip15"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } } }
layer { name: "relu15" type: "ReLU" bottom: "ip15" top: "relu15" }
layer { name: "ip" type: "InnerProduct" bottom: "relu15" top: "ip"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }`

// Layers that run as one make what they make one after the other: all blobs, their gradients and those of parameters.
func TestLayersTogether(t *testing.T) {
	f, err := caffe.ParseNetPrototxt("net.prototxt", []byte(inPlaceNet))
	if err != nil {
		t.Fatal(err)
	}
	run := func(phase caffepb.Phase, debug, apart bool, wantJoined []string) map[string][]float32 {
		d := host.New(host.Options{Threads: 2})
		defer d.Close()
		n, err := NewNet(f, NetOptions{
			Device: d, State: &caffepb.NetState{Phase: phase.Enum()}, Seed: 3,
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
		if !slices.Equal(joined, wantJoined) {
			t.Fatalf("%s: %q are done by the layer before them, wanted %q", phase, joined, wantJoined)
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
			if phase == caffepb.Phase_TRAIN {
				n.Backward()
			}
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
	for phase, joined := range map[caffepb.Phase][]string{
		caffepb.Phase_TRAIN: {
			"scale1", "relu1", "scale2", "relu2", "scale7", "relu8", "relu9", "relus9", "relu13", "relu14",
		},
		caffepb.Phase_TEST: { // by global statistics; what overwrites is no matter without gradients
			"scale1", "relu1", "scale2", "relu2", "relu3", "scale5", "scale7", "relu7", "relu8", "relu9", "relus9",
			"relu10", "relu13", "relu14",
		},
	} {
		want := run(phase, true, false, joined)
		if len(want) < 50 {
			t.Fatalf("%d arrays are compared", len(want))
		}
		for _, apart := range []bool{false, true} {
			if apart && phase == caffepb.Phase_TEST {
				continue
			}
			for name, have := range run(phase, false, apart, joined) {
				if name == "sum9 gradient" {
					continue // no layer before reads what the gradient of the ReLU's input would be
				}
				for i, v := range have {
					w := want[name][i]
					if math.Abs(float64(v-w)) > 2e-5*(1+math.Abs(float64(w))) {
						t.Errorf(
							"%s, apart %t: %s[%d] is %g together, and %g one after the other",
							phase,
							apart,
							name,
							i,
							v,
							w,
						)
						break
					}
				}
			}
		}
	}
}
