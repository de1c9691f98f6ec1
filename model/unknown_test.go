package model_test

import (
	"errors"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
)

// All layers of unknown type are told in one error, with line, name, type and what is known of them.
func TestUnknownLayersAreAllTold(t *testing.T) {
	text := `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 16 dim: 16 } } }
layer {
  name: "c1" type: "Convolution" bottom: "x" top: "c1" convolution_param { num_output: 4 kernel_size: 3 }
}
layer {
  name: "prior" type: "PriorBox" bottom: "c1" bottom: "x" top: "p1"
  prior_box_param { min_size: 30 variance: 0.1 }
}
layer { name: "bn" type: "BN" bottom: "c1" top: "n1" bn_param { slope_filler { type: "constant" } } }
layer { name: "odd" type: "Convolutoin" bottom: "c1" top: "o1" }
layer {
  name: "test" type: "DetectionOutput" bottom: "p1" top: "d1" include { phase: TEST }
  detection_output_param { num_classes: 21 }
}
`
	f, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	_, err = model.NewNet(
		f,
		model.NetOptions{Device: gpu.NewDry(nil), State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}},
	)
	want := []string{
		`n.prototxt:5: layer "prior": (PriorBox) unknown layer type "PriorBox": of SSD's fork (weiliu89/caffe)`,
		`n.prototxt:9: layer "bn": (BN) unknown layer type "BN": another BatchNorm (PSPNet, SegNet and others); ` +
			`BatchNorm and Scale do the same, with other blobs`,
		`n.prototxt:10: layer "odd": (Convolutoin) unknown layer type "Convolutoin"; did you mean "Convolution"?`,
	}
	if err == nil || err.Error() != strings.Join(want, "\n") {
		t.Errorf("got:\n%v\nwanted:\n%s", err, strings.Join(want, "\n"))
	}
	// With a fault of the text beside them they are told too.
	_, err = caffe.ParseNetPrototxt(
		"n.prototxt",
		[]byte(text+`layer { name: "r" type: "ReLU" botom: "c1" top: "c1" relu_param { negative_slope: x } }`),
	)
	var faults caffe.Faults
	if !errors.As(err, &faults) || len(faults) != 6 {
		t.Fatalf("%d faults, wanted 6:\n%v", len(faults), err)
	}
	for i, want := range append(
		want, `n.prototxt:11: layer "test": (DetectionOutput) unknown`,
		`n.prototxt:15: relu_param: negative_slope: x is not a float`,
		`n.prototxt:15: unknown field "botom" in LayerParameter; did you mean "bottom"?`,
	) {
		if !strings.HasPrefix(faults[i].Error(), want) {
			t.Errorf("fault %d is %v, wanted %s", i, faults[i], want)
		}
	}
	if strings.Contains(err.Error(), "loss_param") {
		t.Errorf("another field is advised for one of an unknown layer:\n%v", err)
	}
}
