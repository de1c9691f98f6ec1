package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model/modeltest"
)

// cells are a table's line with one space between its words.
func cells(out, name string) string {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + `  .*$`).FindString(out)
	return strings.Join(strings.Fields(strings.TrimPrefix(m, name)), " ")
}

// What weights come to on a net, as they are and pruned to a target.
func TestInspectOnNet(t *testing.T) {
	net := modeltest.Root("nets", "lenet.prototxt")
	out := mustRun(t, "inspect", "--model", net, "--passes", "0", "--input", "1x28x28:10", lenet5x310())
	for name, want := range map[string]string{
		"parameters":                          "431,080",
		"parameters that are not zero":        "1,389",
		"bytes of export's compact file":      "5,944",
		"parameters of export --shrink's net": "27,390",
		"without those of zeros":              "102,270",
		"conv2":                               "Convolution 25,050 50 287 18",
	} {
		if have := cells(out, name); have != want {
			t.Errorf("%s is %q, wanted %q", name, have, want)
		}
	}
	if strings.Contains(out, "ms a pass") {
		t.Error("passes are timed that nobody wanted")
	}
	dense := modeltest.Root("models", "lenet5_dense.caffemodel")
	out = mustRun(t, "inspect", "--model", net, "--passes", "1", "--target", "310x", "--input", "1x28x28:10", dense)
	for name, want := range map[string]string{
		"parameters":                    "431,080 431,080",
		"parameters that are not zero":  "431,080 1,390",
		"multiply-accumulates an image": "2,308,230 2,308,230",
	} {
		if have := cells(out, name); have != want {
			t.Errorf("%s is %q, wanted %q", name, have, want)
		}
	}
	for _, want := range []string{
		"at 310x: pruned at once, by the scale lamp; ", "ms a pass, zeros left out  ", "batch 1\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	out = mustRun(
		t,
		"inspect",
		"--model",
		net,
		"--passes",
		"0",
		"--target",
		"100x",
		"--input",
		"1x28x28:10",
		lenet5x310(),
	)
	if want := "at 100x: the weights keep no more than that already"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

func TestInspectOnNetErrors(t *testing.T) {
	net, other := modeltest.Root("nets", "lenet.prototxt"), modeltest.Root("nets", "lenet_300_100.prototxt")
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--target", "310x", lenet5x310()}, 2, "want the weights' net: --model net.prototxt"},
		{[]string{"--model", net, "--target", "310z", lenet5x310()}, 2, `--target "310z"`},
		{[]string{"--model", net, "--passes", "-1", lenet5x310()}, 2, "--passes is -1; wanted at least 0"},
		{[]string{"--model", net, "--target", "0.1", "--input", "1x28x28:10", lenet5x310()}, 2, "--target"},
		{[]string{"--model", other, "--input", "1x28x28:10", lenet5x310()}, 1, "ip1"},
		{[]string{"--model", net, "--input", "1x28x28:10", net}, 1, "lenet.prototxt"},
	} {
		status, _, stderr := run(t, append([]string{"inspect"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q; wanted %d, %q", c.args, status, stderr, c.status, c.want)
		}
	}
}

// unusualNet has groups, a depthwise convolution, and two layers with the same weights.
const unusualNet = `name: "unusual"
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 2 dim: 4 dim: 3 dim: 3 } } }
layer {
  name: "g" type: "Convolution" bottom: "data" top: "g"
  convolution_param { num_output: 6 kernel_size: 1 group: 2 bias_term: false }
}
layer {
  name: "pw" type: "Convolution" bottom: "g" top: "pw"
  convolution_param { num_output: 4 kernel_size: 1 bias_term: false }
}
layer {
  name: "dw" type: "Convolution" bottom: "pw" top: "dw"
  convolution_param { num_output: 4 kernel_size: 3 group: 4 bias_term: false }
}
layer {
  name: "ip" type: "InnerProduct" bottom: "dw" top: "ip"
  inner_product_param { num_output: 4 bias_term: false }
}
layer {
  name: "a" type: "InnerProduct" bottom: "ip" top: "a" param { name: "w" }
  inner_product_param { num_output: 4 bias_term: false }
}
layer {
  name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" }
  inner_product_param { num_output: 4 bias_term: false }
}
`

// writeUnusual writes unusualNet and weights of it: the first `filters` of pw are not 0. The file has those that a and
// b share twice, as Caffe writes them.
func writeUnusual(t *testing.T, scale float32, filters int) (net, weights string) {
	t.Helper()
	dir := t.TempDir()
	net, weights = filepath.Join(dir, "net.prototxt"), filepath.Join(dir, "w.caffemodel")
	if err := os.WriteFile(net, []byte(unusualNet), 0o666); err != nil {
		t.Fatal(err)
	}
	w := &caffepb.NetParameter{Name: proto.String("unusual")}
	for _, l := range []struct {
		name, typ string
		shape     []int
		kept      int
	}{
		{"g", "Convolution", []int{6, 2, 1, 1}, 12}, {"pw", "Convolution", []int{4, 6, 1, 1}, 6 * filters},
		{"dw", "Convolution", []int{4, 1, 3, 3}, 36}, {"ip", "InnerProduct", []int{4, 4}, 16},
		{"a", "InnerProduct", []int{4, 4}, 16}, {"b", "InnerProduct", []int{4, 4}, 16},
	} {
		v := make([]float32, gpu.Elements(l.shape))
		for i := range l.kept {
			v[i] = scale * float32(i+1)
		}
		w.Layer = append(w.Layer, &caffepb.LayerParameter{
			Name:  proto.String(l.name),
			Type:  proto.String(l.typ),
			Blobs: []*caffepb.BlobProto{caffe.NewBlob(l.shape, v)},
		})
	}
	if err := caffe.WriteNet(weights, w); err != nil {
		t.Fatal(err)
	}
	return net, weights
}

// Outputs of groups go by as many of each, those of a depthwise convolution with its inputs, and weights that layers
// share are pruned in all of them.
func TestInspectOnUnusualNet(t *testing.T) {
	net, weights := writeUnusual(t, 1, 1)
	out := mustRun(t, "inspect", "--model", net, "--passes", "0", "--target", "9", weights)
	for name, want := range map[string]string{
		"g":  "Convolution 12 6 12 6 1 2",
		"pw": "Convolution 24 4 6 1 1 1",
		"dw": "Convolution 36 4 36 1 5 1",
		"a":  "InnerProduct 16 4 16 4 1 4",
		// Those that a and b share count once, though the file has them twice.
		"parameters":                   "104 104",
		"parameters that are not zero": "86 9",
	} {
		if have := cells(out, name); have != want {
			t.Errorf("%s is %q, wanted %q in\n%s", name, have, want, out)
		}
	}
}

// Zeros alone are within any target.
func TestInspectZeros(t *testing.T) {
	net, weights := writeUnusual(t, 0, 0)
	out := mustRun(t, "inspect", "--model", net, "--passes", "0", "--target", "5x", weights)
	if want := "at 5x: the weights keep no more than that already\n"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
}

// Weights that do not fit are told of with the file's name, once.
func TestInspectNamesFileOnce(t *testing.T) {
	_, _, stderr := run(t, "inspect", "--model", modeltest.Root("nets", "lenet_300_100.prototxt"),
		"--input", "1x28x28:10", lenet5x310())
	if first, _, _ := strings.Cut(stderr, "\n"); strings.Count(first, lenet5x310()) != 1 {
		t.Errorf("%q", first)
	}
}

// What test prints of a net whose inputs nobody fills is what compare prints: zeros would hide the first layer.
func TestInputLayersAreFilled(t *testing.T) {
	net, weights := writeUnusual(t, 1, 4)
	status, out, stderr := run(t, "test", "--model", net, "--weights", weights, "--iterations", "1")
	if status != 0 || !strings.Contains(stderr, randomInputs) {
		t.Fatalf("status %d: %s", status, stderr)
	}
	first, _, _ := strings.Cut(out, "\n")
	value := strings.TrimPrefix(first, "b[0] = ")
	compared := mustRun(t, "compare", "--model", net, "--iterations", "1", weights, weights)
	if have := cells(compared, "b[0]"); value == "0" || !strings.HasPrefix(have, value+" "+value+" ") {
		t.Errorf("compare prints %q, test %q", have, first)
	}
	status, out, stderr = run(t, "export", "--bits", "1", "--model", net, weights, filepath.Join(t.TempDir(), "o.dnz"))
	if status != 0 || !strings.Contains(stderr, randomInputs) || !strings.HasPrefix(cells(out, "b[0]"), value+" ") {
		t.Errorf("status %d, %s%s", status, stderr, out)
	}
}
