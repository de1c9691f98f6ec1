package onnx

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"

	"dns-tui/caffe"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
	"dns-tui/model/onnx/onnxpb"
)

var update = flag.Bool("update", false, "write the golden files anew")

// golden compares a text with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := "testdata/" + name
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b := strings.Split(string(want), "\n"), strings.Split(got, "\n")
	for i := range max(len(a), len(b)) {
		x, y := "", ""
		if i < len(a) {
			x = a[i]
		}
		if i < len(b) {
			y = b[i]
		}
		if x != y {
			t.Errorf("%s:%d (-update writes it anew):\n%s\nwanted\n%s", path, i+1, y, x)
			return
		}
	}
}

// What becomes of every net of the repository: a graph, with its nodes, inputs and outputs, or an error with the layers
// that have no counterpart.
func TestCorpus(t *testing.T) {
	var b strings.Builder
	for _, e := range corpus(t) {
		fmt.Fprintf(&b, "%s: %s\n", e.name, summary(e))
	}
	golden(t, "corpus.txt", b.String())
}

func summary(e example) string {
	n, err := e.build()
	if err != nil {
		return "does not build"
	}
	defer n.Close()
	m, err := New(e.file, n, "w", weightsOf(e.file, n, nil), Options{State: testState})
	if err != nil {
		return short(err)
	}
	text := fmt.Sprintf("%d nodes, %s -> %s", m.Nodes, strings.Join(m.Inputs, ", "), strings.Join(m.Outputs, ", "))
	if m.Fixed != "" {
		why, _, _ := strings.Cut(m.Fixed, ":")
		text += "; fixed: " + why
	}
	return text
}

// short is an error without the folder of the repository, in a line.
func short(err error) string {
	dir, _ := os.Getwd()
	root := strings.TrimSuffix(dir, "/model/onnx")
	return strings.ReplaceAll(strings.ReplaceAll(err.Error(), root+"/", ""), "\n", " | ")
}

// Every type of layer has been thought of.
func TestEveryType(t *testing.T) {
	for _, typ := range layer.Types() {
		o, ok := ops[typ]
		if !ok && !isInput(typ, nil) {
			t.Errorf("nothing is said of %s", typ)
		}
		if ok && o.emit == nil && o.fate == made && o.why == "" {
			t.Errorf("%s becomes nothing, for no reason", typ)
		}
	}
}

// The nodes of a few graphs: names of layers and blobs, in place and not; what is folded; what is in front.
func TestGraphs(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/graphs.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(archive.Files); i += 2 {
		c := archive.Files[i]
		f, err := caffe.ParseNetPrototxt(modeltest.Root("oracle", "old", c.Name), c.Data)
		if err != nil {
			t.Fatal(err)
		}
		e := example{c.Name, f, nil, 2}
		if strings.Contains(c.Name, "mean_file") {
			e.shapes = [][]int{{1, 20, 20}}
		}
		n, err := e.build()
		if err != nil {
			t.Fatal(err)
		}
		o := Options{State: testState, Fold: strings.Contains(c.Name, "fold"),
			Preprocess: strings.Contains(c.Name, "preprocess")}
		m, err := New(f, n, "w", weightsOf(f, n, rand.New(rand.NewPCG(1, 1))), o)
		if err != nil {
			t.Fatal(err)
		}
		archive.Files[i+1].Data = []byte(dump(m))
	}
	golden(t, "graphs.txtar", string(txtar.Format(archive)))
}

// dump is a graph as text: a line for each input, constant, node, output and note.
func dump(m *Model) string {
	var b strings.Builder
	for _, in := range m.Inputs {
		fmt.Fprintf(&b, "in %s\n", in)
	}
	for _, c := range m.tensors {
		fmt.Fprintf(&b, "%s %s", c.name, caffe.FormatShape(c.shape))
		if n := len(c.floats); n > 0 && n <= 4 {
			fmt.Fprintf(&b, " %.3g", c.floats)
		}
		b.WriteString("\n")
	}
	for _, n := range m.proto.Graph.Node {
		fmt.Fprintf(&b, "%s: %s = %s(%s)", n.GetName(), strings.Join(n.Output, ", "), n.GetOpType(),
			strings.Join(n.Input, ", "))
		for _, a := range n.Attribute {
			switch a.GetType() {
			case onnxpb.AttributeProto_FLOAT:
				fmt.Fprintf(&b, " %s %g", a.GetName(), a.GetF())
			case onnxpb.AttributeProto_STRING:
				fmt.Fprintf(&b, " %s %s", a.GetName(), a.GetS())
			case onnxpb.AttributeProto_INT:
				fmt.Fprintf(&b, " %s %d", a.GetName(), a.GetI())
			default:
				fmt.Fprintf(&b, " %s %d", a.GetName(), a.GetInts())
			}
		}
		b.WriteString("\n")
	}
	for _, out := range m.Outputs {
		fmt.Fprintf(&b, "out %s\n", out)
	}
	for _, n := range m.Notes {
		fmt.Fprintf(&b, "note %s\n", n)
	}
	if m.Fixed != "" {
		why, _, _ := strings.Cut(m.Fixed, ":")
		fmt.Fprintf(&b, "batch %d: %s\n", m.Batch, why)
	}
	return b.String()
}

// A graph that is too large for a message has its values in a file beside it, at places that may be mapped; neither
// file is there where one cannot be written.
func TestExternalData(t *testing.T) {
	e := example{"", readNet(t, modeltest.Root("nets", "lenet.prototxt")), [][]int{{1, 28, 28}}, 1}
	n, err := e.build()
	if err != nil {
		t.Fatal(err)
	}
	w := weightsOf(e.file, n, rand.New(rand.NewPCG(1, 1)))
	m, err := New(e.file, n, "w", w, Options{State: testState})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "g.onnx")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := m.write(path, 1e6); err == nil || caffe.Exists(path+".data") {
		t.Errorf("a folder is in the way: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	data, err := m.write(path, 1e6)
	if err != nil || data != path+".data" {
		t.Fatal(data, err)
	}
	var g onnxpb.ModelProto
	if err := caffe.ReadBinary(path, "graph", &g); err != nil {
		t.Fatal(err)
	}
	values, err := os.ReadFile(data)
	if err != nil {
		t.Fatal(err)
	}
	outside := 0
	for i, c := range g.Graph.Initializer {
		raw := c.GetRawData()
		if c.GetDataLocation() == onnxpb.TensorProto_EXTERNAL {
			var at, size int
			for _, x := range c.ExternalData {
				switch x.GetKey() {
				case "location":
					if x.GetValue() != "g.onnx.data" {
						t.Errorf("location %q", x.GetValue())
					}
				case "offset":
					_, err = fmt.Sscan(x.GetValue(), &at)
				case "length":
					_, err = fmt.Sscan(x.GetValue(), &size)
				}
				if err != nil {
					t.Fatal(err)
				}
			}
			if at%alignment != 0 {
				t.Errorf("%s begins at %d", c.GetName(), at)
			}
			raw = values[at : at+size]
			outside++
		}
		want := m.tensors[i]
		got, _ := binary.Append(nil, binary.LittleEndian, want.floats)
		if want.ints == nil && !bytes.Equal(raw, got) {
			t.Errorf("%s has other values", c.GetName())
		}
	}
	if outside != 5 { // the weights of four layers, and a bias; the others are small
		t.Errorf("%d constants are outside", outside)
	}
	if data, err := m.Write(path); err != nil || data != "" {
		t.Errorf("%q, %v: a graph that fits has a file beside it", data, err)
	}
}
