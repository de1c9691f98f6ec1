package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/model/modeltest"
)

// A graph of the authors' LeNet-5, and of what is left of it when it is shrunk; what is cut is said.
func TestExportONNX(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	net := modeltest.Root("nets", "lenet.prototxt")
	status, out, errs := run(t, "export", "--input", "1x28x28", "--model", net, lenet5Sparse(), at("lenet.onnx"))
	if status != 0 {
		t.Fatal(errs)
	}
	for _, want := range []string{
		"lenet.onnx: ONNX, operator set 13, 9 nodes\n", "inputs: data N×1×28×28\noutputs: prob N×10\n",
		"N, the batch, may be any\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	for _, want := range []string{
		"accuracy (Accuracy) is cut: it wants labels", "loss (SoftmaxWithLoss): the loss is cut, the softmax stays",
		"label of mnist (Data) is cut: nothing that is left reads it",
	} {
		if !strings.Contains(errs, want) {
			t.Errorf("no %q in\n%s", want, errs)
		}
	}
	mustRun(t, "export", "--shrink", "--input", "1x28x28:10", "--model", net, lenet5Sparse(), at("small.caffemodel"))
	mustRun(
		t,
		"export",
		"--input",
		"1x28x28",
		"--model",
		at("small.prototxt"),
		at("small.caffemodel"),
		at("small.onnx"),
	)
	whole, err := os.Stat(at("lenet.onnx"))
	small, err2 := os.Stat(at("small.onnx"))
	if err != nil || err2 != nil || 2*small.Size() > whole.Size() {
		t.Errorf("%v, %v: %d bytes of %d", err, err2, small.Size(), whole.Size())
	}
}

// What has no counterpart is told at once, with lines; after an error there is no file.
func TestExportONNXRejects(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	net, weights := modeltest.Root("nets", "lenet.prototxt"), lenet5Sparse()
	filters := write(t, dir, "filters.prototxt", `layer { name: "in" type: "Input" top: "x" top: "s"
	input_param { shape { dim: 4 dim: 3 } shape { dim: 4 } } }
layer { name: "one" type: "Filter" bottom: "x" bottom: "s" top: "y" }
layer { name: "drop" type: "Dropout" bottom: "y" top: "d" }
layer { name: "two" type: "Filter" bottom: "x" bottom: "s" top: "z" }
`)
	draws := write(t, dir, "draws.prototxt", `layer { name: "in" type: "Input" top: "x"
	input_param { shape { dim: 4 dim: 3 dim: 4 dim: 4 } } }
layer { name: "pool" type: "Pooling" bottom: "x" top: "y" pooling_param { pool: STOCHASTIC kernel_size: 2 } }
`)
	more := write(
		t,
		dir,
		"more.prototxt",
		deployNet+`layer { name: "extra" type: "InnerProduct" bottom: "prob" top: "extra"
	inner_product_param { num_output: 2 } }
`,
	)
	other := write(t, dir, "other.prototxt", strings.Replace(deployNet, "num_output: 20", "num_output: 21", 1))
	losses := write(t, dir, "losses.prototxt", `layer { name: "in" type: "Input" top: "x" top: "y"
	input_param { shape { dim: 4 dim: 3 } } }
layer { name: "l" type: "EuclideanLoss" bottom: "x" bottom: "y" top: "l" }
`)
	for _, c := range []struct {
		args   []string
		status int
		want   []string
	}{
		{[]string{weights}, 2, []string{"wants the net's prototxt: --model net.prototxt"}},
		{[]string{"--shrink", "--model", net, weights}, 2, []string{"shrink first, then export these to"}},
		{[]string{"--float16", "--model", net, weights}, 2, []string{"values of an ONNX graph are float32"}},
		{[]string{"--phase", "TRAIN", "--preprocess", "--model", net, weights}, 2, []string{"cut at random"}},
		{[]string{"--phase", "TRAIN", "--model", filters, weights}, 1, []string{
			`filters.prototxt:3: layer "one": (Filter) has no counterpart in ONNX: how many`,
			`filters.prototxt:4: layer "drop": (Dropout) has no counterpart in ONNX: it draws at random in phase TRAIN`,
			`filters.prototxt:5: layer "two": (Filter) has no counterpart`,
		}},
		{[]string{"--phase", "TRAIN", "--model", draws, weights}, 1, []string{
			`draws.prototxt:3: layer "pool": (Pooling) has no counterpart in ONNX: it draws at random in phase TRAIN`,
		}},
		{[]string{"--model", more, weights}, 1, []string{"has no weights for these layers of " + more + ": extra"}},
		{[]string{"--model", other, weights}, 1, []string{
			`layer "conv1": blob 0 has the shape 20x1x5x5 in the file, the net wants 21x1x5x5`,
		}},
		{[]string{"--model", losses, weights}, 1, []string{"has no output but losses and what wants labels"}},
		{[]string{"--model", net, at("none")}, 1, []string{"no such file"}},
	} {
		status, _, stderr := run(t, append(append([]string{"export"}, c.args...), at("x.onnx"))...)
		if status != c.status {
			t.Errorf("%q: status %d: %s", c.args, status, stderr)
		}
		for _, want := range c.want {
			if !strings.Contains(stderr, want) {
				t.Errorf("%q: no %q in\n%s", c.args, want, stderr)
			}
		}
		if files, _ := filepath.Glob(at("*x.onnx*")); len(files) > 0 {
			t.Errorf("%q wrote %v", c.args, files)
		}
	}
	status, _, stderr := run(t, "export", "--fold", "--model", net, weights, at("x.caffemodel"))
	if status != 2 || !strings.Contains(stderr, "--fold and --preprocess are for an ONNX graph") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if err := os.Symlink("/dev/full", at("full.onnx")); err != nil {
		t.Fatal(err)
	}
	status, _, stderr = run(t, "export", "--input", "1x28x28", "--model", net, weights, at("full.onnx"))
	if status != 1 || !strings.Contains(stderr, "cannot be written: no space left on device") {
		t.Errorf("a full disk: status %d: %s", status, stderr)
	}
}

// Masks go into safetensors where they are asked for; a file without masks has none to give.
func TestExportMasks(t *testing.T) {
	out := filepath.Join(t.TempDir(), "w.safetensors")
	mustRun(t, "export", "--masks", modeltest.Root("oracle", "solvers", "dns_seed_mini_iter_60.caffemodel"), out)
	if text := readText(t, out); !strings.Contains(text, `"ip2.weight.mask":{"dtype":"BOOL","shape":[10,32]`) {
		t.Errorf("no mask in %.2000q", text)
	}
	for args, want := range map[string]string{
		out:              "holds no masks for --masks",
		out + ".compact": "--masks is for safetensors",
	} {
		status, _, stderr := run(t, "export", "--masks", lenet5x310(), args)
		if status == 0 || !strings.Contains(stderr, want) {
			t.Errorf("%s: status %d: %s", args, status, stderr)
		}
	}
	if caffe.Exists(out + ".compact") {
		t.Error("something is written")
	}
}
