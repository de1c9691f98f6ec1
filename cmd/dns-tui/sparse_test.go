package main

import (
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// With zeros left out a net has the accuracy that it has with them, and each layer's way is told.
func TestSparse(t *testing.T) {
	net := modeltest.Root("nets", "lenet.prototxt")
	for _, weights := range []string{lenet5x310(), lenet5Sparse()} {
		args := []string{"test", "--input", "1x28x28:10", "--iterations", "3", "--model", net, "--weights", weights}
		plain, sparse := mustRun(t, args...), mustRun(t, append(args, "--sparse")...)
		for _, name := range []string{"accuracy", "loss"} {
			want, have := valueOf(t, plain, name), valueOf(t, sparse, name)
			if math.Abs(want-have) > 1e-5 {
				t.Errorf("%s is %g, with --sparse %g", name, want, have)
			}
		}
		for _, layer := range []string{"conv1", "conv2", "ip1", "ip2"} {
			row := `(?m)^` + layer + ` +\d+\.\d\d% +[0-9.]+ ms +[0-9.]+ ms +[0-9.]+x  (dense|sparse, .*)$`
			if !regexp.MustCompile(row).MatchString(sparse) {
				t.Errorf("%s is not told of in\n%s", layer, sparse)
			}
		}
		if strings.Contains(plain, "ms") {
			t.Errorf("without --sparse:\n%s", plain)
		}
	}
}

// valueOf is a number in what test prints.
func valueOf(t *testing.T, out, name string) float64 {
	t.Helper()
	m := regexp.MustCompile(`(?m)^` + name + ` = (\S+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no %s in\n%s", name, out)
	}
	v, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// A net without data is timed on random numbers, forward alone.
func TestTimeSparse(t *testing.T) {
	dir := t.TempDir()
	net := write(t, dir, "net.prototxt", deployNet)
	args := []string{"time", "--sparse", "--iterations", "3", "--model", net, "--weights", lenet5x310()}
	status, stdout, stderr := run(t, args...)
	if status != 0 || !strings.Contains(stderr, "random numbers in place of what Input layers would be given") {
		t.Fatalf("status %d: %s", status, stderr)
	}
	for _, want := range []string{
		"a pass ", " times faster\n", "\nconv2  ", "medians of 3 passes forward, batch 2, on the host",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if status, stdout, stderr = run(t, append(args, "--log", "caffe")...); status != 0 ||
		!strings.Contains(stderr, "Average Forward pass") && !strings.Contains(stdout, "Average Forward pass") {
		t.Errorf("status %d:\n%s%s", status, stdout, stderr)
	}
}

// What is asked for is there, of blobs too that are otherwise not written.
func TestFeaturesSparse(t *testing.T) {
	dir := t.TempDir()
	extract := func(to string, more ...string) string {
		return mustRun(
			t,
			append(append([]string{"features"}, more...), "--input", "1x28x28:10", "--iterations", "1", "--weights",
				lenet5x310(), "--model", modeltest.Root("nets", "lenet.prototxt"), "conv1,ip1",
				filepath.Join(dir, to+"1"), filepath.Join(dir, to+"2"))...)
	}
	extract("plain")
	if out := extract("sparse", "--sparse"); !strings.Contains(out, "\nip1 ") {
		t.Errorf("nothing of the ways in\n%s", out)
	}
	for _, blob := range []string{"1", "2"} {
		_, want := readAll(t, filepath.Join(dir, "plain"+blob))
		_, have := readAll(t, filepath.Join(dir, "sparse"+blob))
		for i, record := range want {
			for j, v := range record.Float {
				if math.Abs(float64(v-have[i].Float[j])) > 1e-5 {
					t.Fatalf("blob %s, record %d: [%d] is %g, wanted %g", blob, i, j, have[i].Float[j], v)
				}
			}
		}
	}
}

func TestSparseErrors(t *testing.T) {
	net := modeltest.Root("nets", "lenet.prototxt")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"time", "--sparse", "--model", net},
			"time: --sparse wants weights of which some are zero: --weights is not given"},
		{[]string{"test", "--sparse", "--device", "cuda", "--model", net, "--weights", lenet5x310()},
			"test: --sparse and --device cuda are mutually exclusive"},
	} {
		status, _, stderr := run(t, c.args...)
		if status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q; wanted %q", c.args, status, stderr, c.want)
		}
	}
}
