package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/human"
	"dns-tui/model/modeltest"
)

// The sparse LeNet-5 of the paper's authors comes out smaller and dense, is compared before it is written, and is what
// `test` runs.
func TestExportShrink(t *testing.T) {
	dir := t.TempDir()
	net, weights := modeltest.Root("nets", "lenet.prototxt"), modeltest.Root("models", "lenet5_sparse.caffemodel")
	small := filepath.Join(dir, "small.caffemodel")
	out := mustRun(t, "export", "--shrink", "--input", "1x28x28:10", "--model", net, weights, small)
	for _, want := range []string{"largest difference on 3 batches of random inputs", "parameters",
		"times smaller, dense"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	a, err := os.Stat(weights)
	b, err2 := os.Stat(small)
	if err != nil || err2 != nil || b.Size() > a.Size()/2 {
		t.Errorf("%v, %v: %d bytes of %d", err, err2, b.Size(), a.Size())
	}
	of := func(net, weights string) string {
		out := mustRun(t, "test", "--input", "1x28x28:10", "--iterations", "2", "--model", net, "--weights", weights)
		return strings.SplitN(out, "\n", 2)[0] // accuracy; the loss is rounded otherwise
	}
	if before, after := of(net, weights), of(filepath.Join(dir, "small.prototxt"), small); before != after {
		t.Errorf("%s became %s", before, after)
	}
}

const deployNet = `layer { name: "data" type: "Input" top: "data"
	input_param { shape { dim: 2 dim: 1 dim: 28 dim: 28 } } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
	convolution_param { num_output: 20 kernel_size: 5 } }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "conv2" type: "Convolution" bottom: "pool1" top: "conv2"
	convolution_param { num_output: 50 kernel_size: 5 } }
layer { name: "pool2" type: "Pooling" bottom: "conv2" top: "pool2" pooling_param { kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "InnerProduct" bottom: "pool2" top: "ip1" inner_product_param { num_output: 500 } }
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" inner_product_param { num_output: 10 } }
layer { name: "prob" type: "Softmax" bottom: "ip2" top: "prob" }
`

// A net without data layers is compared, too: its Input layers get random numbers; what DummyData layers make is what
// it is.
func TestExportShrinkDeployNet(t *testing.T) {
	dir := t.TempDir()
	weights := modeltest.Root("models", "lenet5_sparse.caffemodel")
	for _, c := range []struct{ name, net, on string }{
		{"input", deployNet, "random inputs"},
		{"old", strings.Replace(deployNet, deployNet[:strings.Index(deployNet, `layer { name: "conv1"`)],
			"input: \"data\" input_dim: 2 input_dim: 1 input_dim: 28 input_dim: 28\n", 1), "random inputs"},
		{"dummy", strings.NewReplacer(`"Input"`, `"DummyData"`, "input_param {",
			`dummy_data_param { data_filler { type: "gaussian" std: 1 }`).Replace(deployNet), "random inputs"},
	} {
		net := write(t, dir, c.name+".prototxt", c.net)
		small := filepath.Join(dir, c.name+"_small.caffemodel")
		out := mustRun(t, "export", "--shrink", "--model", net, weights, small)
		for _, want := range []string{"largest difference on 3 batches of " + c.on, " of 431,080 parameters"} {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q in\n%s", c.name, want, out)
			}
		}
		if strings.Contains(out, "largest difference on 3 batches of random inputs: 0 ") {
			t.Errorf("%s: nothing was compared\n%s", c.name, out)
		}
	}
}

// Neither file of the result replaces another net, unless that is wanted; the same net is no other one.
func TestExportShrinkReplaces(t *testing.T) {
	dir := t.TempDir()
	net, weights := write(t, dir, "net.prototxt", deployNet), modeltest.Root("models", "lenet5_sparse.caffemodel")
	small, mine := filepath.Join(dir, "small.caffemodel"), write(t, dir, "small.prototxt", "name: \"mine\"")
	status, _, errs := run(t, "export", "--shrink", "--model", net, weights, small)
	if status == 0 || !strings.Contains(errs, mine+" exists already, and is another net; --force replaces it") {
		t.Errorf("status %d: %s", status, errs)
	}
	if _, err := os.Stat(small); err == nil || readText(t, mine) != "name: \"mine\"" {
		t.Error("something was written")
	}
	mustRun(t, "export", "--shrink", "--force", "--model", net, weights, small)
	mustRun(t, "export", "--shrink", "--model", net, weights, small)
}

// The smaller net is one that trains, too: a slice of TRAIN alone still finds its channels, and the weights of an
// auxiliary output are there.
func TestExportShrinkOtherPhase(t *testing.T) {
	dir := t.TempDir()
	net := write(t, dir, "net.prototxt", deployNet+`layer { name: "cut" type: "Slice" bottom: "ip1" top: "p" top: "q"
	include { phase: TRAIN } slice_param { slice_point: 499 } }
layer { name: "aux" type: "InnerProduct" bottom: "ip1" top: "aux" include { phase: TRAIN }
	inner_product_param { num_output: 4 } }
`)
	n, err := caffe.ReadNet(modeltest.Root("models", "lenet5_sparse.caffemodel"))
	if err != nil {
		t.Fatal(err)
	}
	aux, bias := make([]float32, 2000), []float32{1, 2, 3, 4}
	n.Layer = append(n.Layer, &caffepb.LayerParameter{Name: proto.String("aux"), Type: proto.String("InnerProduct"),
		Blobs: []*caffepb.BlobProto{caffe.NewBlob([]int{4, 500}, aux), caffe.NewBlob([]int{4}, bias)}})
	weights, small := filepath.Join(dir, "w.caffemodel"), filepath.Join(dir, "small.caffemodel")
	if err := caffe.WriteNet(weights, n); err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, "export", "--shrink", "--model", net, weights, small)
	if want := "stay: read by aux in the other phase"; !strings.Contains(out, want) {
		t.Errorf("no %q in\n%s", want, out)
	}
	mustRun(t, "time", "--phase", "TRAIN", "--iterations", "1", "--model", filepath.Join(dir, "small.prototxt"),
		"--weights", small)
	n, err = caffe.ReadNet(small)
	if err != nil {
		t.Fatal(err)
	}
	if l := n.Layer[len(n.Layer)-1]; l.GetName() != "aux" || !slices.Equal(caffe.Values(l.Blobs[1]), bias) {
		t.Errorf("the last layer is %s with a bias of %v", l.GetName(), caffe.Values(l.Blobs[1]))
	}
}

// What cannot be shrunk is said, and nothing is written.
func TestExportShrinkRejects(t *testing.T) {
	dir := t.TempDir()
	net, weights := modeltest.Root("nets", "lenet.prototxt"), modeltest.Root("models", "lenet5_sparse.caffemodel")
	own := filepath.Join(dir, "net.prototxt")
	data, err := os.ReadFile(net)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(own, data, 0o600); err != nil {
		t.Fatal(err)
	}
	deploy := write(t, dir, "deploy.prototxt", deployNet)
	noData := write(t, dir, "nodata.prototxt", strings.Replace(deployNet, `type: "Input" top: "data"`,
		`type: "Data" top: "data" data_param { source: "nowhere" batch_size: 2 }`, 1))
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{weights, "x.caffemodel"}, "--shrink wants the net's prototxt"},
		{[]string{"--model", own, "--input", "1x28x28:10", weights, filepath.Join(dir, "net.caffemodel")},
			"would write its net over"},
		{[]string{"--model", modeltest.Root("nets", "cifar10_quick.prototxt"), "--input", "3x32x32:10", weights,
			filepath.Join(dir, "x.caffemodel")}, "the net wants"},
		{[]string{"--model", net, weights, filepath.Join(dir, "x.prototxt")}, "wanted a name for the weights, such as"},
		{[]string{"--model", deploy, "--input", "1x28x28", weights, filepath.Join(dir, "x.caffemodel")},
			"no data layer for phase TEST"},
		{[]string{"--model", noData, weights, filepath.Join(dir, "x.caffemodel")}, "--input CxHxW"},
	} {
		status, _, errs := run(t, append([]string{"export", "--shrink"}, c.args...)...)
		if status == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %s, wanted %q", c.args, status, errs, c.want)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "x.*")); len(files) > 0 {
			t.Errorf("%v wrote %v", c.args, files)
		}
	}
}

// The nets of docs/results.md come out as small as README says, compute the same, and stay pruned while they train on.
func TestExportShrinkOwnNets(t *testing.T) {
	const input = "1x28x28:10"
	for _, c := range []struct{ net, weights, want string }{
		{"lenet.prototxt", "lenet5_310x.dnz", ": 27,390 of 431,080 parameters"},
		{"lenet_300_100.prototxt", "lenet300_114x.dnz", ": 33,487 of 266,610 parameters"},
	} {
		dir := t.TempDir()
		net, weights := modeltest.Root("nets", c.net), modeltest.Root("models", c.weights)
		small, smallNet := filepath.Join(dir, "small.caffemodel"), filepath.Join(dir, "small.prototxt")
		out := mustRun(t, "export", "--shrink", "--input", input, "--model", net, weights, small)
		if !strings.Contains(out, c.want) {
			t.Errorf("no %q in\n%s", c.want, out)
		}
		accuracy := func(net, weights string) string {
			out := mustRun(t, "test", "--input", input, "--iterations", "3", "--model", net, "--weights", weights)
			return strings.SplitN(out, "\n", 2)[0]
		}
		if before, after := accuracy(net, weights), accuracy(smallNet, small); before != after {
			t.Errorf("%s: %s became %s", c.net, before, after)
		}
		said := regexp.MustCompile(`(?m)^([0-9,]+) of its weights are zero: train on with --masks-from-zeros$`)
		m := said.FindStringSubmatch(out)
		if m == nil {
			t.Fatalf("no zeros in\n%s", out)
		}
		solver := write(t, dir, "solver.prototxt",
			fmt.Sprintf("net: %q base_lr: 0.01 lr_policy: \"fixed\" max_iter: 3 "+
				"display: 1 snapshot_prefix: %q solver_mode: CPU", smallNet, filepath.Join(dir, "on")))
		mustRun(t, "train", "--solver", solver, "--weights", small, "--masks-from-zeros", "--input", input)
		trained := filepath.Join(dir, "trained.caffemodel")
		mustRun(t, "export", filepath.Join(dir, "on_iter_3.caffemodel"), trained)
		zeros, moved := 0, false
		before, after := weightsOf(t, small), weightsOf(t, trained)
		for layer, v := range before {
			for i, w := range v {
				if w == 0 {
					zeros++
					if after[layer][i] != 0 {
						t.Fatalf("%s: %s has the weight %g where it had 0", c.net, layer, after[layer][i])
					}
				}
				moved = moved || after[layer][i] != w
			}
		}
		if human.Count(zeros) != m[1] || !moved {
			t.Errorf("%d zeros, wanted %s; trained: %t", zeros, m[1], moved)
		}
	}
}

// weightsOf are the weights of a file's layers, without biases.
func weightsOf(t *testing.T, path string) map[string][]float32 {
	t.Helper()
	n, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]float32{}
	for _, l := range n.Layer {
		if len(l.Blobs) > 0 {
			out[l.GetName()] = caffe.Values(l.Blobs[0])
		}
	}
	return out
}
