package main

import (
	"regexp"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// Each layer is held against its floor; data and splits have none.
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
		`(?m)^relu1 +ReLU( +\d+\.\d{3} +\d+\.\d +\d+\.\d{3} +\d+ %){2}$`,
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
