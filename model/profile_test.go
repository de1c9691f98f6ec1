package model_test

import (
	"testing"
	"time"

	"dns-tui/caffe/caffepb"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// What layers have to do, counted by hand: products are 2 operations for each multiply-accumulate, and what is read and
// written is so once.
func TestProfile(t *testing.T) {
	n, err := modeltest.Build(t, `
		layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 3 dim: 2 dim: 6 dim: 6 } } }
		layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
			convolution_param { num_output: 4 kernel_size: 3 } }
		layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
		layer { name: "group" type: "Convolution" bottom: "conv" top: "group"
			convolution_param { num_output: 4 kernel_size: 2 group: 2 bias_term: false } }
		layer { name: "flat" type: "Flatten" bottom: "group" top: "flat" }
		layer { name: "ip" type: "InnerProduct" bottom: "flat" top: "ip" inner_product_param { num_output: 5 } }
		layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "ip" top: "loss" }`, caffepb.Phase_TRAIN)
	if err != nil {
		t.Fatal(err)
	}
	layers, err := n.Profile(1, func() bool { return false })
	if err != nil {
		t.Fatal(err)
	}
	const data, conv, group, ip = 3 * 2 * 36, 3 * 4 * 16, 3 * 4 * 9, 3 * 5
	const convOps, groupOps, ipOps = 2 * conv * 18, 2 * group * 8, 2 * ip * 36
	for _, want := range []struct {
		name                                                       string
		forwardOps, forwardElements, backwardOps, backwardElements float64
	}{
		{"data", 0, 0, 0, 0},
		{"conv", convOps, data + 76 + conv, convOps, conv + data + 3*76}, // data wants no gradient
		{"relu", 0, 0, 0, 0}, // the convolution does it
		{"group", groupOps, conv + 32 + group, 2 * groupOps, group + 2*conv + 3*32},
		{"flat", 0, 0, 0, 0},
		{"ip", ipOps, group + 185 + ip, 2 * ipOps, ip + 2*group + 3*185},
	} {
		for _, l := range layers {
			if l.Name != want.name {
				continue
			}
			have := [4]float64{l.Forward.Operations, l.Forward.Bytes / 4, l.Backward.Operations, l.Backward.Bytes / 4}
			if have != [4]float64{want.forwardOps, want.forwardElements, want.backwardOps, want.backwardElements} {
				t.Errorf("%s: %v, wanted %v", l.Name, have, want)
			}
		}
	}
	p := model.PassProfile{Operations: 4e9, Bytes: 3e9}
	for peak, want := range map[model.Peak]time.Duration{
		{Operations: 4e9, Bytes: 6e9}: time.Second,
		{Operations: 8e9, Bytes: 2e9}: 1500 * time.Millisecond,
	} {
		if have := p.Floor(peak); have != want {
			t.Errorf("the floor of %+v is %s, wanted %s", peak, have, want)
		}
	}
}
