package onnx

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"dns-tui/model/layer"
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
		return "does not build: " + short(err)
	}
	defer n.Close()
	m, err := New(e.file, n, "w", weightsOf(e.file, n, nil), Options{State: testState})
	if err != nil {
		return short(err)
	}
	text := fmt.Sprintf("%d nodes, %s -> %s", m.Nodes, strings.Join(m.Inputs, ", "), strings.Join(m.Outputs, ", "))
	if m.Fixed != "" {
		text += "; fixed: " + short(fmt.Errorf("%s", m.Fixed))
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
