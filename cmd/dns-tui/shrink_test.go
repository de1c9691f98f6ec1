package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// The sparse LeNet-5 of the paper's authors comes out smaller and dense, is compared before it is written, and is what
// `test` runs.
func TestExportShrink(t *testing.T) {
	dir := t.TempDir()
	net, weights := modeltest.Root("nets", "lenet.prototxt"), modeltest.Root("models", "lenet5_sparse.caffemodel")
	small := filepath.Join(dir, "small.caffemodel")
	out := mustRun(t, "export", "--shrink", "--phase", "TEST", "--input", "1x28x28:10", "--model", net, weights, small)
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
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{weights, "x.caffemodel"}, "--shrink wants the net's prototxt"},
		{[]string{"--model", own, "--input", "1x28x28:10", weights, filepath.Join(dir, "net.caffemodel")},
			"would write its net over"},
		{[]string{"--model", modeltest.Root("nets", "cifar10_quick.prototxt"), "--input", "3x32x32:10", weights,
			filepath.Join(dir, "x.caffemodel")}, "the net wants"},
	} {
		status, _, errs := run(t, append([]string{"export", "--shrink", "--phase", "TEST"}, c.args...)...)
		if status == 0 || !strings.Contains(errs, c.want) {
			t.Errorf("%v: status %d, %s, wanted %q", c.args, status, errs, c.want)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "x.*")); len(files) > 0 {
			t.Errorf("%v wrote %v", c.args, files)
		}
	}
}
