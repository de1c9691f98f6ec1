package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// memory says what a run takes, part by part, of a solver whose data is not there either, and with another batch.
func TestMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s.prototxt")
	text := "net: \"" + modeltest.Root("nets", "lenet_dns.prototxt") + "\"\nbase_lr: 0.01 momentum: 0.9\n" +
		"lr_policy: \"fixed\" max_iter: 1\n"
	if err := os.WriteFile(path, []byte(text), 0o666); err != nil {
		t.Fatal(err)
	}
	in := []string{"memory", "--device", "host", "--input", "1x28x28:10"}
	out := mustRun(t, append(in, path)...)
	for _, want := range []string{
		"weights                   1.6 MiB", "gradients of weights      1.6 MiB", "history                   1.6 MiB",
		"forward weights           1.6 MiB", "blobs", "in all", "as in Caffe",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	if other := mustRun(t, append(in, "--batch", "1", path)...); other == out {
		t.Errorf("--batch 1 changes nothing:\n%s", other)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"memory"}, "wanted a solver's prototxt"},
		{[]string{"memory", "a", "b"}, `unexpected argument "b"; wanted one solver's prototxt`},
		{[]string{"memory", "--batch", "-1", path}, "--batch is -1"},
		{[]string{"memory", modeltest.Root("nets", "lenet.prototxt")}, "a net"},
		{[]string{"memory", "--device", "host", path}, "--input"},
	} {
		if status, _, stderr := run(t, c.args...); status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: %d, %s; wanted %q", c.args, status, stderr, c.want)
		}
	}
}
