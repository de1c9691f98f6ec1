package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// Each layer is held against its floor; data and splits have none, and one that another does says which.
func TestProfile(t *testing.T) {
	args := []string{
		"time",
		"--input",
		"1x28x28:10",
		"--iterations",
		"2",
		"--model",
		modeltest.Root("nets", "lenet.prototxt"),
	}
	out := mustRun(t, append(args, "--profile")...)
	for _, row := range []string{
		`(?m)^layer +type +forward ms +GFLOP/s +GB/s +floor ms +of floor ` +
			`+backward ms +GFLOP/s +GB/s +floor ms +of floor$`,
		`(?m)^mnist +Input +\d+\.\d{3}$`,
		`(?m)^conv2 +Convolution( +\d+\.\d{3} +\d+\.\d +\d+\.\d +\d+\.\d{3} +\d+ %){2}$`,
		`(?m)^relu1 +ReLU +in ip1$`,
		`(?m)^all .* %$`,
		`(?m)^mean of 2 passes, batch 64, on the host .*, which does \d+ GFLOP/s in a product and moves \d+\.\d GB/s$`,
	} {
		if !regexp.MustCompile(row).MatchString(out) {
			t.Errorf("no %s in\n%s", row, out)
		}
	}
	for _, other := range [][]string{{"--sparse", "--weights", lenet5x310()}, {"--log", "caffe"}} {
		status, _, stderr := run(t, append(append(args, "--profile"), other...)...)
		if status == 0 || !strings.Contains(stderr, "time: --profile and "+other[0]) {
			t.Errorf("%q: status %d, %q", other, status, stderr)
		}
	}
}

// Of BatchNorm, Scale and ReLU in place, the first does the work of all: their rows say so, and have no numbers.
func TestProfileOfJoinedLayers(t *testing.T) {
	net := filepath.Join(t.TempDir(), "net.prototxt")
	err := os.WriteFile(net, []byte(`name: "joined"
		layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } } }
		layer { name: "conv" type: "Convolution" bottom: "data" top: "conv"
			convolution_param { num_output: 16 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
		layer { name: "norm" type: "BatchNorm" bottom: "conv" top: "conv" }
		layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
		layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
		layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
			inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
		layer { name: "sigmoid" type: "Sigmoid" bottom: "ip" top: "ip" }`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	out := mustRun(t, "time", "--iterations", "1", "--model", net, "--profile", "--device", "host")
	numbers := `( +\d+\.\d{3}( +\d+\.\d)? +\d+\.\d +\d+\.\d{3} +\d+ %)`
	for _, row := range []string{
		`(?m)^norm +BatchNorm` + numbers, `(?m)^scale +Scale +in norm$`, `(?m)^relu +ReLU +in norm$`,
		`(?m)^conv +Convolution` + numbers, `(?m)^sigmoid +Sigmoid` + numbers,
	} {
		if !regexp.MustCompile(row).MatchString(out) {
			t.Errorf("no %s in\n%s", row, out)
		}
	}
}
