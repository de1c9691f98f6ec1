package model_test

import (
	"errors"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/memory"
	"dns-tui/model"
)

// A layer that asks for more memory than the machine has is named, with the bytes; Go's own end of the program is not
// reached.
func TestTooMuchMemory(t *testing.T) {
	d := host.New(host.Options{})
	defer d.Close()
	for _, c := range []struct{ name, text, want string }{
		{"weights", `layer {
  name: "fc" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2000000000 }
}`, `layer "fc": (InnerProduct)`},
		{
			"output",
			`layer { name: "t" type: "Tile" bottom: "x" top: "y" tile_param { tiles: 2000000000 } }`,
			`layer "t": (Tile)`,
		},
		{"little", `layer { name: "NAME" type: "Tile" bottom: "x" top: "NAME" tile_param { tiles: 10 } }`, ""},
		{"padding", `layer {
  name: "p" type: "Pooling" bottom: "x" top: "y"
  pooling_param { kernel_size: 1000000 pad_l: 999999 pad_t: 999999 }
}`, `layer "p": (Pooling)`},
		{"interp", `layer {
  name: "i" type: "Interp" bottom: "x" top: "y" interp_param { height: 1600000 width: 500000 }
}`, `layer "i": (Interp)`},
		{"dummy data", `layer {
  name: "d" type: "DummyData" top: "y" dummy_data_param { shape { dim: 4000000 dim: 4000000 } }
}`, `layer "d": (DummyData)`},
		{"a product beyond 64 bits", `layer {
  name: "d" type: "Input" top: "y" input_param { shape { dim: 4294967296 dim: 4294967296 dim: 2 } }
}`, `layer "d": (Input)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := caffe.ParseNetPrototxt(
				"n",
				[]byte(
					`layer {
  name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 10 dim: 30 dim: 30 } }
} `+c.text,
				),
			)
			if err != nil {
				t.Fatal(err)
			}
			n, err := model.NewNet(
				f,
				model.NetOptions{Device: d, State: &caffepb.NetState{Phase: caffepb.Phase_TRAIN.Enum()}},
			)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				n.Close()
				return
			}
			if err == nil {
				n.Close()
				t.Fatal("the net was built")
			}
			var m *memory.Error
			if !strings.Contains(err.Error(), c.want) ||
				!errors.As(err, &m) && !strings.Contains(err.Error(), "no machine has so much memory") {
				t.Errorf("%v; wanted %s and an error of memory", err, c.want)
			}
		})
	}
}
