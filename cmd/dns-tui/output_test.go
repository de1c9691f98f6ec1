package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"dns-tui/model/modeltest"
)

// brokenWriter fails with an error after some bytes.
type brokenWriter struct {
	left int
	err  error
}

func (w *brokenWriter) Write(b []byte) (int, error) {
	if len(b) > w.left {
		n := w.left
		w.left = 0
		return n, &os.PathError{Op: "write", Path: "/dev/stdout", Err: w.err}
	}
	w.left -= len(b)
	return len(b), nil
}

// What could not be printed is told in a line, and is a failure; that nobody reads on is neither.
func TestOutputThatFails(t *testing.T) {
	net, weights := modeltest.Root("nets", "lenet.prototxt"), lenet5x310()
	dir := t.TempDir()
	tiny := write(t, dir, "tiny.prototxt", `name: "tiny" layer { name: "a" type: "Input" top: "a"
		input_param { shape { dim: 1 dim: 2 } } } layer { name: "b" type: "InnerProduct" bottom: "a" top: "b"
		inner_product_param { num_output: 1 } }`)
	solver := write(t, dir, "solver.prototxt", `net: "`+net+`" base_lr: 0.01 lr_policy: "fixed" max_iter: 2 display: 1
		test_iter: 1 test_interval: 9 test_initialization: false snapshot_prefix: "`+filepath.Join(dir, "run")+
		`" solver_mode: CPU`)
	input := []string{"--device", "host", "--input", "1x28x28:10", "--iterations", "1"}
	mustRun(t, "train", "--device", "host", "--input", "1x28x28:10", "--solver", solver)
	for _, args := range [][]string{
		{"version"},
		{"help"},
		{"help", "test"},
		{"test", "-h"},
		{"man"},
		{"completion", "bash"},
		{"config"},
		{"devices"},
		{"runs"},
		{"inspect", weights},
		{"inspect", net},
		{"inspect", "--model", net, "--input", "1x28x28:10", "--passes", "0", weights},
		append([]string{"test", "--model", net, "--weights", weights}, input...),
		append([]string{"time", "--model", net}, input...),
		append([]string{"compare", "--model", net, weights, weights}, input...),
		append([]string{"compare", "--format", "json", "--model", net, weights, weights}, input...),
		{"report", "--format", "json", solver},
		{"report", "--format", "csv", solver},
		{"export", weights, filepath.Join(dir, "out.dnz")},
		{"upgrade", tiny, filepath.Join(dir, "out.prototxt")},
		{"train", "--device", "host", "--input", "1x28x28:10", "--solver", solver},
		{"train", "--progress", "json", "--device", "host", "--input", "1x28x28:10", "--solver", solver},
	} {
		for _, c := range []struct {
			left   int
			err    error
			status int
			want   string
		}{
			{0, syscall.ENOSPC, 1, "dns-tui: standard output: cannot be written: no space left on device"},
			{10, syscall.EDQUOT, 1, "dns-tui: standard output: cannot be written: disk quota exceeded"},
			{0, syscall.EPIPE, 0, ""},
		} {
			w := &brokenWriter{c.left, c.err}
			var errs bytes.Buffer
			status := guard(&env{stdin: os.Stdin, stdout: w, stderr: &errs}, args)
			said := 0
			for line := range strings.Lines(errs.String()) {
				if strings.Contains(line, c.err.Error()) {
					said++
					if strings.TrimSuffix(line, "\n") != c.want {
						t.Errorf("%q says %q, wanted %q", args, line, c.want)
					}
				}
			}
			if wanted := min(1, len(c.want)); status != c.status || said != wanted {
				t.Errorf("%q, %v: status %d, wanted %d; on standard error\n%s", args, c.err, status, c.status, &errs)
			}
		}
	}
}

// Where something else went wrong, too, that comes first.
func TestOutputThatFailsBesideAnError(t *testing.T) {
	dir := t.TempDir()
	good, bad := write(t, dir, "good.prototxt", `name: "n"`), write(t, dir, "bad.prototxt", "layer {")
	var errs bytes.Buffer
	status := guard(&env{stdin: os.Stdin, stdout: &brokenWriter{0, syscall.ENOSPC}, stderr: &errs},
		[]string{"upgrade", good, bad, t.TempDir()})
	lines := strings.Split(strings.TrimSpace(errs.String()), "\n")
	if status != 1 || len(lines) != 2 || !strings.Contains(lines[0], "bad.prototxt:1") ||
		!strings.Contains(lines[1], "standard output") {
		t.Errorf("status %d, %q", status, lines)
	}
}
