package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/hdf5"
	"dns-tui/model/modeltest"
)

// The extension says what is written, in capitals too.
func TestExtensionsInCapitals(t *testing.T) {
	dir := t.TempDir()
	net := write(t, dir, "NET.PROTOTXT", readText(t, modeltest.Root("nets", "lenet.prototxt")))
	at := func(name string) string { return filepath.Join(dir, name) }
	begins := func(head string) func(string) bool {
		return func(path string) bool { return strings.HasPrefix(readText(t, path), head) }
	}
	tensors := func(path string) bool { return strings.Contains(readText(t, path)[:64], `{"__metadata__"`) }
	shape := []string{"--model", net, "--input", "1x28x28:10"}
	for _, c := range []struct {
		args []string
		out  string
		is   func(string) bool
	}{
		{[]string{"export", lenet5x310()}, "OUT.DNZ", compact.Is},
		{[]string{"export", lenet5x310()}, "Out.Dnz", compact.Is},
		{[]string{"export", lenet5x310()}, "OUT.CAFFEMODEL.H5", hdf5.Is},
		{[]string{"export", lenet5x310()}, "OUT.SAFETENSORS", tensors},
		{[]string{"export", lenet5x310()}, "OUT.CAFFEMODEL", func(path string) bool {
			_, err := caffe.ReadNet(path)
			return err == nil && !compact.Is(path) && !hdf5.Is(path)
		}},
		{append([]string{"export", lenet5x310()}, shape...), "OUT.ONNX", begins("\x08\x07")},
		{append([]string{"export", "--shrink", lenet5x310()}, shape...), "SMALL.DNZ", compact.Is},
		{[]string{"draw", net}, "NET.SVG", begins("<svg")},
		{[]string{"draw", net}, "NET.Dot", begins("digraph")},
		{[]string{"new", "--yes", "--input", "1x28x28:10", net, "--out"}, "SOLVER.PROTOTXT", begins("# ")},
	} {
		mustRun(t, append(c.args, at(c.out))...)
		if !c.is(at(c.out)) {
			t.Errorf("%q: %s has something else: %.64q", c.args, c.out, readText(t, at(c.out)))
		}
	}
	args := append([]string{"export", "--shrink", lenet5x310(), at("S.PROTOTXT")}, shape...)
	status, _, stderr := run(t, args...)
	if status != 2 || !strings.Contains(stderr, "such as "+at("S.caffemodel")) {
		t.Errorf("status %d, %s", status, stderr)
	}
}

// Nothing else decides by an ending: files.HasExt does.
func TestExtensionsHaveOnePlace(t *testing.T) {
	decides := regexp.MustCompile(`HasSuffix\([^"]*"\.[a-z0-9]+"\)|filepath\.Ext\(.*[!=]=|switch filepath\.Ext`)
	root := filepath.Join("..", "..")
	files := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		files++
		text, err := os.ReadFile(path)
		if found := decides.Find(text); found != nil {
			t.Errorf("%s: %s; wanted files.HasExt, which takes capitals too", path, found)
		}
		return err
	})
	if err != nil || files < 100 {
		t.Errorf("%d files looked at: %v", files, err)
	}
}
