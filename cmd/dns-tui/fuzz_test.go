package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/model/modeltest"

	"google.golang.org/protobuf/proto"
)

// small files of each kind that inspect tells apart.
func smallFiles(t testing.TB) [][]byte {
	dir := t.TempDir()
	net := &caffepb.NetParameter{
		Name: proto.String("n"),
		Layer: []*caffepb.LayerParameter{{Name: proto.String("ip"), Type: proto.String("InnerProduct"),
			Blobs: []*caffepb.BlobProto{
				caffe.NewBlob([]int{2, 2}, []float32{1, 0, 2, 3}),
				caffe.NewBlob([]int{2}, []float32{1, 2}),
				caffe.NewBlob([]int{2, 2}, []float32{1, 0, 0.97, 0}),
			}}},
	}
	for _, name := range []string{"w.caffemodel", "w.caffemodel.h5", "w.dnz"} {
		if err := caffe.WriteNet(filepath.Join(dir, name), net); err != nil {
			t.Fatal(err)
		}
	}
	state := &caffepb.SolverState{
		Iter:       proto.Int32(3),
		LearnedNet: proto.String("w"),
		History:    []*caffepb.BlobProto{caffe.NewBlob([]int{2}, []float32{1, 2})},
	}
	if err := caffe.WriteSolverState(filepath.Join(dir, "w.solverstate"), state); err != nil {
		t.Fatal(err)
	}
	if err := caffe.WriteBinary(
		filepath.Join(dir, "mean"), caffe.NewBlob([]int{1, 1, 2, 2}, []float32{1, 2, 3, 4}),
	); err != nil {
		t.Fatal(err)
	}
	all := [][]byte{
		{0x08, 0x40},
		{},
		[]byte("layer { name: 'a' type: 'Input' top: 'x' input_param { shape { dim: 2 } } }"),
		[]byte("base_lr: 1 net: 'x'"),
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, data)
	}
	return all
}

// readers are the commands that read a file of any kind; OUT is where they may write.
var readers = [][]string{
	{"inspect", "IN"},
	{"export", "IN", "OUT.caffemodel"},
	{"export", "--bits", "1", "IN", "OUT.dnz"},
	{"export", "IN", "OUT.safetensors"},
	{"export", "--model", "IN", "IN", "OUT.onnx"},
	{"upgrade", "IN", "OUT.prototxt"},
	{"new", "IN", "--yes", "--out", "OUT.new.prototxt", "--force"},
	{"draw", "IN", "OUT.svg"},
}

func readAny(t testing.TB, data []byte) {
	dir := t.TempDir()
	in := filepath.Join(dir, "in")
	if err := os.WriteFile(in, data, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, args := range readers {
		var line []string
		for _, a := range args {
			line = append(line, strings.Replace(strings.Replace(a, "IN", in, 1), "OUT", filepath.Join(dir, "out"), 1))
		}
		status, _, stderr := runTB(t, line...)
		if strings.Contains(stderr, "internal error") {
			t.Errorf("%s: %s\n%q", args[0], stderr, data)
		}
		if status != 0 && stderr == "" {
			t.Errorf("%s: status %d without a word: %q", args[0], status, data)
		}
	}
}

// No file makes a command that reads it panic: what is cut short, has a bit flipped, or is another kind.
func TestReadersNeverPanic(t *testing.T) {
	for _, data := range smallFiles(t) {
		readAny(t, data)
		for cut := 0; cut < len(data); cut += 1 + len(data)/40 {
			readAny(t, data[:cut])
		}
		for at := 0; at < len(data); at += 1 + len(data)/60 {
			flipped := append([]byte(nil), data...)
			flipped[at] ^= 1 << (at % 8)
			readAny(t, flipped)
		}
	}
	status, _, stderr := run(t, "inspect", write(t, t.TempDir(), "f", "\x08\x40"))
	if status != 1 ||
		!strings.Contains(
			stderr, "is not a caffemodel, solverstate, binaryproto, prototxt or database, or is cut short",
		) {
		t.Errorf("status %d: %s", status, stderr)
	}
}

func FuzzReaders(f *testing.F) {
	for _, data := range smallFiles(f) {
		f.Add(data)
	}
	data, err := os.ReadFile(modeltest.Root("nets", "lenet.prototxt"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) { readAny(t, data) })
}
