package main

import (
	"regexp"
	"strings"
	"testing"

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
		"at 310x: pruned at once, by the scale ", "ms a pass, zeros left out  ", "batch 1\n",
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
