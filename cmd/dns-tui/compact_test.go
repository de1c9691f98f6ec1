package main

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/human"
	"dns-tui/model/modeltest"
)

// LeNet-5, by the authors 108 times smaller, and 310 times: W∘T, as its compact file has it.
func lenet5Sparse() string { return modeltest.Root("models", "lenet5_sparse.caffemodel") }
func lenet5x310() string   { return modeltest.Root("models", "lenet5_310x.dnz") }

// lenet5x310Sum is the SHA-256 of the float32 values of the caffemodel of which that file was made.
const lenet5x310Sum = "d62672e2dbff0684c59c5eb0795ff14e1142048fc1b5d12101017a1043948e94"

// sumOf is the SHA-256 of the values of all blobs of a file.
func sumOf(t *testing.T, path string) string {
	t.Helper()
	n, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	h := sha256.New()
	for _, l := range n.Layer {
		for _, b := range l.Blobs {
			for _, v := range caffe.Values(b) {
				h.Write(binary.LittleEndian.AppendUint32(nil, math.Float32bits(v)))
			}
		}
	}
	return fmt.Sprintf("%x", h.Sum(nil))
}

// The sizes that docs/results.md says, of the files that export writes; each is read as what was written.
func TestCompactSizes(t *testing.T) {
	dir := t.TempDir()
	if sum := sumOf(t, lenet5x310()); sum != lenet5x310Sum {
		t.Errorf("%s has other values than the caffemodel had: %s", lenet5x310(), sum)
	}
	for _, c := range []struct {
		name, in string
		args     []string
		most     int64
	}{
		{"310", lenet5x310(), nil, 6900},
		{"310.16", lenet5x310(), []string{"--float16"}, 4127},
		{"310.5", lenet5x310(), []string{"--bits", "5"}, 3500},
		{"108", lenet5Sparse(), nil, 18500},
		{"108.16", lenet5Sparse(), []string{"--float16"}, 10470},
		{"108.5", lenet5Sparse(), []string{"--bits", "5"}, 5800},
	} {
		out, caffemodel := filepath.Join(dir, c.name+".dnz"), filepath.Join(dir, c.name+".caffemodel")
		stdout := mustRun(t, append([]string{"export", c.in, out}, c.args...)...)
		size := fileSize(t, out)
		t.Logf("%s %v: %d bytes", c.in, c.args, size)
		if size > c.most {
			t.Errorf("%s %v: %d bytes, wanted at most %d", c.in, c.args, size, c.most)
		}
		if !strings.Contains(stdout, " in "+human.Count(int(size))+" bytes") {
			t.Errorf("%s: %d bytes; export says\n%s", out, size, stdout)
		}
		// The same from Caffe's form, and back.
		mustRun(t, append([]string{"export", c.in, caffemodel}, c.args...)...)
		if a, b := sumOf(t, out), sumOf(t, caffemodel); a != b {
			t.Errorf("%s and %s differ", out, caffemodel)
		}
		again := filepath.Join(dir, "again.dnz")
		mustRun(t, "export", caffemodel, again)
		if !bytes.Equal(contentOf(t, out), contentOf(t, again)) {
			t.Errorf("%s by way of a caffemodel is another file", out)
		}
		// What inspect predicts of the caffemodel is what export writes.
		said := regexp.MustCompile(`compact file \(\.dnz\) of ([0-9,]+) bytes`).FindStringSubmatch(
			mustRun(t, "inspect", caffemodel))
		if said == nil || strings.ReplaceAll(said[1], ",", "") != strconv.FormatInt(size, 10) {
			t.Errorf("%s: inspect says %q, the file has %d", caffemodel, said, size)
		}
	}
}

func contentOf(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A compact file is taken wherever a caffemodel is, and gives the same.
func TestCompactIsTaken(t *testing.T) {
	idx := modeltest.MNISTFiles(t) // before leaving the module's folder
	weights := map[string]string{"caffemodel": lenet5Sparse()}
	net := modeltest.Root("nets", "lenet.prototxt")
	t.Chdir(t.TempDir())
	mustRun(t, "dataset", "mnist", "--split", "test", idx, "mnist_test_lmdb")
	labels := write(t, ".", "labels.txt", "zero\none\ntwo\r\n")
	mustRun(t, "export", "--labels", labels, weights["caffemodel"], "w.dnz")
	weights["dnz"] = "w.dnz"
	for _, args := range [][]string{
		{"test", "--model", net, "--iterations", "3", "--weights"},
		{"draw", net, "n.svg", "--weights"},
		{"features", "--model", net, "--iterations", "1", "ip2", "features_lmdb", "--weights"},
	} {
		said := map[string]string{}
		for kind, w := range weights {
			os.RemoveAll("features_lmdb")
			said[kind] = mustRun(t, append(args, w)...)
			if args[0] == "draw" {
				said[kind] += string(contentOf(t, "n.svg"))
			}
		}
		if said["dnz"] != said["caffemodel"] {
			t.Errorf("%s gives %s of w.dnz, %s of the caffemodel", args[0], said["dnz"], said["caffemodel"])
		}
	}
	stdout := mustRun(t, "inspect", "w.dnz")
	for _, want := range []string{`compact file "LeNet", 4 layers`, "3 labels: zero to two", "gaps, float32"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("no %q in\n%s", want, stdout)
		}
	}
	if is := identify("w.dnz"); is.kind != weightsFile || !strings.Contains(is.text, "compact file") {
		t.Errorf("w.dnz is %+v", is)
	}
	// Accuracy before and after.
	stdout = mustRun(t, "export", "--bits", "5", "--model", net, "--iterations", "2", "w.dnz", "b.dnz")
	before := strings.Fields(regexp.MustCompile(`(?m)^accuracy +.*`).FindString(stdout))
	want := mustRun(t, "test", "--model", net, "--iterations", "2", "--weights", "w.dnz")
	after := mustRun(t, "test", "--model", net, "--iterations", "2", "--weights", "b.dnz")
	if len(before) != 3 || !strings.Contains(want, "accuracy = "+before[1]+"\n") ||
		!strings.Contains(after, "accuracy = "+before[2]+"\n") {
		t.Errorf("export says\n%stest of the net before\n%sand after\n%s", stdout, want, after)
	}
}

// What cannot be: flags, damaged files, files that end.
func TestCompactErrors(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	data := contentOf(t, lenet5x310())
	cut := write(t, dir, "cut.dnz", string(data[:len(data)-100]))
	data[1000] ^= 4
	edited := write(t, dir, "edited.dnz", string(data))
	nan := at("nan.caffemodel")
	n, err := caffe.ReadNet(lenet5x310())
	if err != nil {
		t.Fatal(err)
	}
	n.Layer[0].Blobs[0].Data[3] = float32(math.NaN())
	n.Layer[1].Blobs[0].Data[3] = 1e6
	if err := caffe.WriteNet(nan, n); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--bits", "0", lenet5x310(), at("x.dnz")}, 2, "--bits is 0; wanted 1 to 8"},
		{[]string{"--bits", "9", lenet5x310(), at("x.dnz")}, 2, "--bits is 9; wanted 1 to 8"},
		{[]string{"--bits", "5", "--float16", lenet5x310(), at("x.dnz")}, 2, "mutually exclusive"},
		{[]string{"--shrink", "--model", "n", "--labels", "l", lenet5x310(), at("x.dnz")}, 2, "writes no labels"},
		{[]string{"--shrink", "--model", "n", "--masks", lenet5x310(), at("x.safetensors")}, 2, "net has none"},
		{[]string{"--bits", "5", lenet5x310(), at("x.safetensors")}, 2, "no codebooks"},
		{[]string{"--labels", "l", lenet5x310(), at("x.caffemodel")}, 2, ".dnz"},
		{[]string{"--labels", at("none"), lenet5x310(), at("x.dnz")}, 1, "no such file"},
		{[]string{"--bits", "5", nan, at("x.dnz")}, 1, `layer "conv1", blob 0: it holds NaN`},
		{[]string{"--float16", nan, at("x.dnz")}, 1, `layer "conv2", blob 0: it holds 1e+06`},
		{[]string{cut, at("x.caffemodel")}, 1, `is cut short: layer "ip2" goes to byte 5944, the file has 5844`},
		{[]string{edited, at("x.caffemodel")}, 1, `edited.dnz: is damaged: the checksum of layer "conv2", bytes`},
	} {
		status, _, stderr := run(t, append([]string{"export"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %s; wanted %q", c.args, status, stderr, c.want)
		}
		if caffe.Exists(at("x.dnz")) || caffe.Exists(at("x.caffemodel")) {
			t.Errorf("%q: something is written", c.args)
		}
	}
	if status, _, stderr := run(t, "inspect", edited); status != 1 || !strings.Contains(stderr, "is damaged") {
		t.Errorf("inspect: status %d: %s", status, stderr)
	}
	if err := os.Symlink("/dev/full", at("full.dnz")); err != nil {
		t.Fatal(err)
	}
	if status, _, stderr := run(t, "export", lenet5x310(), at("full.dnz")); status != 1 ||
		!strings.Contains(stderr, "cannot be written: no space left on device") {
		t.Errorf("a full disk: status %d: %s", status, stderr)
	}
}

// What export reads it does not replace, and without a name it writes nothing.
func TestExportReplacesNoInput(t *testing.T) {
	dir := t.TempDir()
	net, labels := filepath.Join(dir, "net.onnx"), filepath.Join(dir, "labels.dnz")
	text, err := os.ReadFile(modeltest.Root("nets", "lenet.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{net, labels} {
		if err := os.WriteFile(path, text, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--model", net, "--input", "1x28x28", lenet5x310(), net}, 2, "is read, and would be replaced"},
		{[]string{"--labels", labels, lenet5x310(), labels}, 2, "is read, and would be replaced"},
		{[]string{lenet5x310(), ""}, 1, "cannot be written"},
	} {
		status, _, stderr := run(t, append([]string{"export"}, c.args...)...)
		if status != c.status || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q; wanted %d, %q", c.args, status, stderr, c.status, c.want)
		}
	}
	for _, path := range []string{net, labels} {
		if have, err := os.ReadFile(path); err != nil || string(have) != string(text) {
			t.Errorf("%s is another: %v", path, err)
		}
	}
}

// The names of classes go on into another compact file; where there is no room for them, it is said.
func TestLabelsGoOn(t *testing.T) {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	labels := write(t, dir, "labels.txt", "zero\none\n")
	mustRun(t, "export", "--labels", labels, lenet5x310(), at("a.dnz"))
	mustRun(t, "export", "--bits", "4", at("a.dnz"), at("b.dnz"))
	shrink := []string{"--shrink", "--model", modeltest.Root("nets", "lenet.prototxt"), "--input", "1x28x28:10"}
	mustRun(t, append([]string{"export", at("b.dnz"), at("small.dnz")}, shrink...)...)
	for _, name := range []string{"b.dnz", "small.dnz"} {
		if out := mustRun(t, "inspect", at(name)); !strings.Contains(out, "2 labels: zero to one") {
			t.Errorf("no labels in %s:\n%s", name, out)
		}
	}
	for _, more := range [][]string{nil, shrink} {
		status, _, stderr := run(t, append([]string{"export", at("b.dnz"), at("c.caffemodel")}, more...)...)
		if want := "2 labels of " + at("b.dnz") + " are left out"; status != 0 || !strings.Contains(stderr, want) {
			t.Errorf("%q: status %d, %q; wanted %q", more, status, stderr, want)
		}
	}
}

// Flags that would have no effect are refused.
func TestExportIdleFlags(t *testing.T) {
	out := filepath.Join(t.TempDir(), "x.dnz")
	net := modeltest.Root("nets", "lenet.prototxt")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"--force"}, "--force goes with --shrink"},
		{[]string{"--iterations", "3"}, "--iterations goes with --bits or --float16"},
		{[]string{"--input", "1x28x28"}, "--input is of a net: wanted --model"},
		{[]string{"--phase", "TEST"}, "--phase is of a net: wanted --model"},
		{[]string{"--level", "1"}, "--level is of a net: wanted --model"},
		{[]string{"--model", net, "--phase", "FOO"}, `export: --phase is "FOO"; wanted TRAIN or TEST`},
	} {
		status, _, stderr := run(t, append(append([]string{"export"}, c.args...), lenet5x310(), out)...)
		if status != 2 || !strings.Contains(stderr, c.want) {
			t.Errorf("%v: status %d, %q; wanted %q", c.args, status, stderr, c.want)
		}
	}
}
