//go:build exports

package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// TestForms writes every net of testdata in every form, and reads back what can be read: sizes and differences go to
// ../../build/exports.md as a table. Nets without trained weights get random ones, of which a tenth is kept in each
// layer that can be pruned.
func TestForms(t *testing.T) {
	table, err := os.Create(filepath.Join("..", "..", "build", "exports.md"))
	if err != nil {
		t.Fatal(err)
	}
	defer table.Close()
	fmt.Fprintln(
		table,
		"| net | parameters | not zero | caffemodel | HDF5 | .dnz | float16 | 5 bits | safetensors | ONNX | "+
			"shrunk | read back |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
	)
	for _, e := range modeltest.Examples {
		net := modeltest.Root("nets", e.Name+".prototxt")
		input := inputOf(e)
		t.Run(e.Name, func(t *testing.T) {
			weights := filepath.Join(t.TempDir(), "w.caffemodel")
			if err := caffe.WriteNet(weights, randomWeights(t, net, e)); err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(table, forms(t, e.Name, net, weights, input))
		})
	}
	for _, c := range []struct{ net, weights string }{
		{"lenet", "lenet5_sparse.caffemodel"}, {"lenet", "lenet5_310x.dnz"}, {"lenet_300_100", "lenet300_114x.dnz"},
	} {
		t.Run(c.weights, func(t *testing.T) {
			fmt.Fprintln(table, forms(t, c.weights, modeltest.Root("nets", c.net+".prototxt"),
				modeltest.Root("models", c.weights), "1x28x28:10"))
		})
	}
}

// inputOf is what stands in for the data of a net, as --input has it.
func inputOf(e modeltest.Example) string {
	switch {
	case e.Name == "lstm":
		return "5x2,5x2,5x2"
	case e.Image == nil:
		return ""
	}
	return caffe.FormatShape(e.Image) + ":1000"
}

// randomWeights are weights for a net. Of those that can be pruned a tenth is kept.
func randomWeights(t *testing.T, path string, e modeltest.Example) *caffepb.NetParameter {
	t.Helper()
	file, err := caffe.ReadNetPrototxt(path)
	if err != nil {
		t.Fatal(err)
	}
	var shapes [][]int
	switch {
	case e.Name == "lstm":
		shapes = [][]int{{5, 2}, {5, 2}, {5, 2}}
	case e.Image != nil:
		shapes = [][]int{e.Image}
	}
	without, err := model.WithInputs(file, 2, shapes...)
	if err != nil {
		t.Fatal(err)
	}
	n, err := model.NewNet(without, model.NetOptions{Device: gpu.NewDry(nil),
		State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}})
	if err != nil {
		t.Fatal(err)
	}
	random := rand.New(rand.NewPCG(3, 4))
	out := &caffepb.NetParameter{Name: proto.String(n.Name)}
	for _, l := range n.Layers() {
		w := &caffepb.LayerParameter{Name: file.Net.Layer[l.Index()].Name, Type: proto.String(l.Type)}
		for i, shape := range l.Params {
			v := make([]float32, gpu.Elements(shape))
			prune := i == 0 &&
				(l.Type == "Convolution" || l.Type == "InnerProduct" || l.Type[0] == 'C' && l.Type[1] == 'C')
			for k := range v {
				switch {
				case l.Type == "BatchNorm" || l.Type == "Scale" && i == 0:
					v[k] = float32(0.5 + random.Float64())
				case prune && random.Float64() > 0.1:
				default:
					v[k] = float32(random.NormFloat64() * math.Sqrt(2/float64(max(1, len(v)/shape[0]))))
				}
			}
			w.Blobs = append(w.Blobs, caffe.NewBlob(shape, v))
		}
		out.Layer = append(out.Layer, w)
	}
	return out
}

// forms exports weights in every form, and returns the row of the table.
func forms(t *testing.T, name, net, weights, input string) string {
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	size := func(out string, args ...string) string {
		args = append([]string{"export"}, args...)
		status, _, stderr := run(t, append(args, weights, at(out))...)
		if status != 0 {
			t.Errorf("%v: %s", args, stderr)
			return "failed"
		}
		info, err := os.Stat(at(out))
		if err != nil {
			t.Fatal(err)
		}
		return human.Count(int(info.Size()))
	}
	row := []string{size("w.caffemodel"), size("w.h5"), size("w.dnz"), size("half.dnz", "--float16"),
		size("five.dnz", "--bits", "5"), size("w.safetensors")}
	same := "exact"
	want := valuesOf(t, at("w.caffemodel"))
	for _, form := range []string{"w.h5", "w.dnz"} {
		if have := valuesOf(t, at(form)); !slices.Equal(want, have) {
			same = "differs: " + form
			t.Errorf("%s reads back as something else", form)
		}
	}
	half, five := largest(want, valuesOf(t, at("half.dnz"))), largest(want, valuesOf(t, at("five.dnz")))
	row = append(
		row,
		graph(t, net, weights, at("w.onnx"), input),
		shrunk(t, net, weights, at("small.caffemodel"), input),
	)
	kept := 0
	for _, v := range want {
		if v != 0 {
			kept++
		}
	}
	return fmt.Sprintf("| %s | %s | %s | %s | %s; float16 %.1g, 5 bits %.1g |", name, human.Count(len(want)),
		human.Count(kept), strings.Join(row, " | "), same, half, five)
}

// graph is the size of the ONNX graph.
func graph(t *testing.T, net, weights, out, input string) string {
	args := []string{"export", "--model", net}
	if input != "" {
		args = append(args, "--input", input)
	}
	status, _, stderr := run(t, append(args, weights, out)...)
	if status != 0 {
		t.Errorf("%v: %s", args, stderr)
		return "failed"
	}
	info, err := os.Stat(out)
	if err != nil {
		t.Fatal(err)
	}
	return human.Count(int(info.Size()))
}

// shrunk is how many parameters are left.
func shrunk(t *testing.T, net, weights, out, input string) string {
	args := []string{"export", "--shrink", "--model", net}
	if input != "" {
		args = append(args, "--input", input)
	}
	status, stdout, stderr := run(t, append(args, weights, out)...)
	if status != 0 {
		t.Errorf("%v: %s", args, stderr)
		return "failed"
	}
	m := regexp.MustCompile(`: ([0-9,]+) of [0-9,]+ parameters`).FindStringSubmatch(stdout)
	if m == nil {
		t.Fatalf("export --shrink says\n%s", stdout)
	}
	return m[1] + " parameters"
}

func valuesOf(t *testing.T, path string) []float32 {
	t.Helper()
	n, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	slices.SortStableFunc(
		n.Layer,
		func(a, b *caffepb.LayerParameter) int { return strings.Compare(a.GetName(), b.GetName()) },
	)
	var out []float32
	for _, l := range n.Layer {
		for _, b := range l.Blobs {
			out = append(out, caffe.Values(b)...)
		}
	}
	return out
}

// largest is the largest difference of two values, as a part of the largest value.
func largest(want, have []float32) float64 {
	most, size := 0.0, 0.0
	for i, v := range want {
		most, size = max(most, math.Abs(float64(v-have[i]))), max(size, math.Abs(float64(v)))
	}
	return most / max(size, math.SmallestNonzeroFloat32)
}
