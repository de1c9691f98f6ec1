package model_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model"
)

// twins has two layers of one name with parameters, two without a name, and two losses of one name.
const twins = `layer { name: "in" type: "Input" top: "x" top: "goal" input_param { shape { dim: 2 dim: 3 } } }
layer {
  name: "fc" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer {
  name: "fc" type: "InnerProduct" bottom: "a" top: "b"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer {
  type: "InnerProduct" bottom: "b" top: "c"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer {
  type: "InnerProduct" bottom: "c" top: "d"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer { name: "cost" type: "SigmoidCrossEntropyLoss" bottom: "d" bottom: "goal" top: "xent" }
layer { name: "cost" type: "EuclideanLoss" bottom: "d" bottom: "goal" top: "l2" loss_weight: 0 }`

func twinNet(t *testing.T, seed uint64, share *model.Net) *model.Net {
	t.Helper()
	n, _ := buildOn(
		t,
		twins,
		model.NetOptions{State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}, Seed: seed, Share: share},
	)
	return n
}

func valuesOf(n *model.Net) string {
	var b strings.Builder
	for _, l := range n.Weights().Layer {
		for _, p := range l.Blobs {
			fmt.Fprintln(&b, l.GetName(), caffe.Values(p))
		}
	}
	return b.String()
}

// Layers of one name, or without one, are layers of their own: names to show, first values, weights in files of both
// kinds.
func TestLayersOfOneName(t *testing.T) {
	n := twinNet(t, 1, nil)
	var names []string
	for _, l := range n.Layers() {
		names = append(names, l.Name)
	}
	want := []string{"in", "fc", "fc#2", "InnerProduct#1", "InnerProduct#2", "cost", "cost#2"}
	if !slices.Equal(names, want) {
		t.Errorf("names %q, wanted %q", names, want)
	}
	seen := map[string]bool{}
	for _, l := range n.Weights().Layer {
		if len(l.Blobs) > 0 {
			seen[fmt.Sprint(caffe.Values(l.Blobs[0]))] = true
		}
	}
	if len(seen) != 4 {
		t.Errorf("%d of 4 layers have first values of their own", len(seen))
	}
	if w := n.Weights(); w.Layer[2].GetName() != "fc" || w.Layer[3].GetName() != "" {
		t.Errorf(
			"the file has the names %q and %q, wanted those of the net's file",
			w.Layer[2].GetName(),
			w.Layer[3].GetName(),
		)
	}
	if shared := twinNet(t, 2, n); valuesOf(shared) != valuesOf(n) {
		t.Error("a test net does not share all parameters")
	}
	for _, name := range []string{"w.caffemodel", "w.caffemodel.h5"} {
		path := filepath.Join(t.TempDir(), name)
		if err := caffe.WriteNet(path, n.Weights()); err != nil {
			t.Fatal(err)
		}
		other := twinNet(t, 2, nil)
		l, err := other.LoadFiles([]string{path}, model.LoadOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if len(l.Notices) > 0 || valuesOf(other) != valuesOf(n) {
			t.Errorf("%s: what is written is not what is read (%q)", name, l.Notices)
		}
	}
}

// Where file and net have different numbers of layers of one name, the last takes the last, and that is told.
func TestWeightsOfOneName(t *testing.T) {
	n, other := twinNet(t, 1, nil), twinNet(t, 2, nil)
	file, before := n.Weights(), other.Weights()
	file.Layer = file.Layer[:2] // in, and the first fc
	l, err := other.LoadWeights("w", file, model.LoadOptions{})
	if err != nil {
		t.Fatal(err)
	}
	after := other.Weights()
	same := func(a, b *caffepb.LayerParameter) bool {
		return slices.Equal(caffe.Values(a.Blobs[0]), caffe.Values(b.Blobs[0]))
	}
	if !same(after.Layer[2], file.Layer[1]) || !same(after.Layer[1], before.Layer[1]) {
		t.Error("the last layer of the name did not take the weights, or the first did")
	}
	if len(l.Notices) != 1 || !strings.Contains(l.Notices[0], `layers "fc": 1 in the file, 2 in the net`) {
		t.Errorf("notices %q", l.Notices)
	}
}

func TestLayerNames(t *testing.T) {
	var names caffe.LayerNames
	var have []string
	for _, n := range []string{"a", "a#2", "a", "a", "", "", "ReLU#1"} {
		have = append(have, names.Next(n, "ReLU"))
	}
	if want := []string{"a", "a#2", "a#3", "a#4", "ReLU#1", "ReLU#2", "ReLU#1#2"}; !slices.Equal(have, want) {
		t.Errorf("%q, wanted %q", have, want)
	}
}
