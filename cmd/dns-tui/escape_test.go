package main

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"gonum.org/v1/gonum/graph/formats/dot"

	"dns-tui/caffe/dataset"
	"dns-tui/config"
	"dns-tui/model/remote"
	"dns-tui/model/session"
)

// evil is a name that would colour, name the window, fill the clipboard, break the line, turn it round, load a
// picture, end a cell and close an element.
const evil = "=a\x1b[31m\x1b]0;title\a\x1b]52;c;eA==\a\nINJECTED\u202e\u009b5m`|![x](http:\\x)<b>\"'&\x7f"

// protoString is a string of a prototxt.
func protoString(s string) string {
	var b strings.Builder
	for _, c := range []byte(s) {
		if c < ' ' || c == '"' || c == '\\' || c == 0x7f {
			fmt.Fprintf(&b, "\\%03o", c)
		} else {
			b.WriteByte(c)
		}
	}
	return `"` + b.String() + `"`
}

// harmless reports what a terminal would obey, and a line that a name began.
func harmless(t *testing.T, what, text string) {
	t.Helper()
	for line := range strings.SplitSeq(text, "\n") {
		if strings.HasPrefix(line, "INJECTED") {
			t.Errorf("%s: a name broke the line: %q", what, text)
			return
		}
		for _, r := range line {
			if !strconv.IsGraphic(r) && r != '\t' { // tabs are the formats' own
				t.Errorf("%s: %q in the line %q", what, r, line)
				return
			}
		}
	}
}

// still is a session that stands still.
type still struct{ snap *session.Snapshot }

func (s still) Snapshot() *session.Snapshot { return s.snap }

func (s still) Do(context.Context, session.Command) (session.Ack, error) {
	return session.Ack{}, errors.New(evil)
}

// Names of layers, blobs, nets, files and runs are text in what every command prints and writes.
func TestHostileNamesInEveryCommand(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(t.TempDir(), "rt"))
	home := filepath.Join(dir, "home"+strings.ReplaceAll(evil, "/", ""))
	t.Setenv("XDG_CONFIG_HOME", home)
	name := strings.NewReplacer("/", "", ",", "").Replace(evil)
	at := func(s string) string { return filepath.Join(dir, name+s) }
	q := protoString(evil)
	layers := fmt.Sprintf(`name: %[1]s
layer {
  name: "in" type: "DummyData" top: %[1]s top: "label"
  dummy_data_param {
    shape { dim: 4 dim: 6 } shape { dim: 4 } data_filler { type: "gaussian" }
    data_filler { type: "constant" value: 1 }
  }
}
layer {
  name: %[2]s type: "InnerProduct" bottom: %[1]s top: %[2]s param { name: %[2]s }
  inner_product_param { threshold: 1 num_output: 5 weight_filler { type: "xavier" } }
}
layer { name: %[3]s type: "SoftmaxWithLoss" bottom: %[2]s bottom: "label" top: %[3]s }
layer { name: "acc" type: "Accuracy" bottom: %[2]s bottom: "label" top: %[4]s include { phase: TEST } }
`, q, protoString("ip"+evil), protoString("loss"+evil), protoString("acc"+evil))
	net := write(t, dir, name+"n.prototxt", layers)
	solver := write(
		t,
		dir,
		name+"s.prototxt",
		fmt.Sprintf(
			"net: %s base_lr: 0.01 lr_policy: \"fixed\" max_iter: 4 display: 1 test_iter: 1 test_interval: 2 "+
				"surgery_iter_gamma: 0.0001 debug_info: true snapshot: 2 snapshot_prefix: %s",
			protoString(net),
			protoString(at("t")),
		),
	)
	weights, state := at("t_iter_4.caffemodel"), at("t_iter_4.solverstate")
	bad := write(t, dir, name+"bad.prototxt", strings.Replace(layers, `"InnerProduct"`, q, 1))
	cut := write(t, dir, name+"cut.prototxt", layers+"layer {")
	list := write(t, dir, name+"list.txt", "none"+evil+".png 0\n")
	lmdb := at("lmdb")
	if err := dataset.WriteLMDB(lmdb, 2, func(int) (*dataset.Datum, error) {
		return &dataset.Datum{Channels: 1, Height: 2, Width: 2, Data: make([]byte, 4)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	snap := &session.Snapshot{
		Net:     evil,
		Source:  evil,
		Device:  evil,
		Path:    solver,
		Problem: evil,
		State:   session.Paused,
		MaxIter: 4,
		Hyper:   &config.Hyper{BaseLR: 1},
	}
	server := remote.NewServer(still{snap}, "run-1", version)
	if err := server.Listen(); err != nil {
		t.Fatal(err)
	}
	defer server.Close()

	commands := map[string][][]string{
		"ui": {{"ui", "--solver", solver}, {solver}, {at("none.prototxt")}, {bad}},
		"train": {
			{"train", "--solver", solver, "--weights", weights},
			{"train", "--solver", solver, "--log", "caffe"},
			{"train", "--solver", solver, "--snapshot", state},
			{
				"train",
				"--solver",
				bad,
			},
			{"train", "--solver", cut},
			{"train", "--solver", solver, "--weights", at("none")},
			{"train", "--solver", solver, "--device", evil},
			{"train", "-" + evil},
		},
		"runs":   {{"runs"}, {"runs", evil}},
		"attach": {{"attach", evil}},
		"report": {
			{"report", solver},
			{"report", "--format", "md", solver},
			{"report", "--format", "csv", solver},
			{"report", "--format", "json", solver},
			{
				"report",
				"--format",
				evil,
				solver,
			},
			{"report", "--format", "md", "--out", at("r.md"), solver},
			{"report", at("none.journal")},
		},
		"config": {{"config"}, {"config", evil}},
		"test": {
			{"test", "--model", net, "--weights", weights, "--iterations", "1"},
			{"test", "--model", net, "--weights", weights, "--iterations", "2", "--log", "caffe"},
			{"test", "--model", net, "--weights", net},
		},
		"compare": {
			{"compare", "--sparse", "--device", "host", "--model", net, "--iterations", "1", weights, weights},
			{"compare", "--format", "json", "--model", net, "--iterations", "1", weights, weights},
			{"compare", "--model", net, "--iterations", "1", "--format", evil, weights, weights},
			{"compare", "--model", net, weights, net}, {"compare", "--model", net, weights, at("none")},
		},
		"time": {
			{"time", "--model", net, "--iterations", "1"},
			{"time", "--model", net, "--iterations", "1", "--log", "caffe"},
			{"time", "--model", at("none")},
		},
		"memory": {{"memory", solver}, {"memory", net}, {"memory", bad}, {"memory", "--device", evil, solver}},
		"inspect": {
			{"inspect", net},
			{"inspect", weights},
			{"inspect", state},
			{"inspect", solver},
			{"inspect", lmdb},
			{"inspect", bad},
			{"inspect", at("none")},
			{"inspect", at("x.h5")},
			{"inspect", at("x.dnz")},
			{"inspect", at("y.dnz")},
		},
		"draw": {
			{"draw", "--weights", weights, net, at("d.svg")},
			{"draw", "--weights", weights, net, at("d.dot")},
			{"draw", net, at("none/d.svg")},
		},
		"export": {
			{"export", weights, at("x.caffemodel")},
			{"export", weights, at("x.h5")},
			{"export", weights, at("x.dnz")},
			{"export", at("x.dnz"), at("x.safetensors")},
			{"export", "--model", net, weights, at("x.onnx")},
			{"export", "--bits", "2", "--labels", list, at("x.dnz"), at("y.dnz")},
			{"export", at("x.caffemodel"), at("y.caffemodel")},
			{"export", at("none"), at("y")},
		},
		"new": {
			{"new", net, "--yes", "--out", at("n.prototxt")},
			{"new", net, "--yes", "--out", at("n2.prototxt"), "--weights", weights},
			{"new", net, "--yes", "--out", at("none/n.prototxt")},
			{"new", bad, "--yes"}, {"new", evil}, {"new", net, "--yes", "--target", evil},
		},
		"upgrade": {
			{"upgrade", net, at("u.prototxt")},
			{"upgrade", bad, at("u2.prototxt")},
			{"upgrade", cut, at("u3.prototxt")},
		},
		"dataset": {{"dataset", "mnist", dir, at("m")}, {"dataset", "images", dir, list, at("i")}, {"dataset", evil}},
		"mean":    {{"mean", lmdb, at("mean.binaryproto")}, {"mean", at("none"), at("m2")}},
		"features": {
			{"features", "--model", net, "--weights", weights, "--iterations", "1", "ip" + evil, at("f")},
			{"features", "--model", net, "--weights", weights, "nothing" + evil, at("g")},
		},
		"search": {
			{"search", "--budget", evil, solver}, {"search", "--budget", "1%", "--weights", at("none"), solver},
			{"search", "--budget", "1%", "--weights", weights, "--held-out", at("none"), solver},
		},
		"parity":     {{"parity", at("none")}},
		"devices":    {{"devices"}, {"devices", "--device", evil}, {"devices", "--gpu", evil}},
		"completion": {{"completion", "bash"}, {"completion", evil}},
		"man":        {{"man"}, {"man", evil}},
		"version":    {{"version"}, {"version", "-" + evil}},
		"help":       {{"help"}, {"help", evil}, {evil}},
	}
	// export reads what train wrote, inspect what export wrote.
	order := []string{"train", "export"}
	for _, c := range subcommands() {
		if c.name != "train" && c.name != "export" {
			order = append(order, c.name)
		}
	}
	for _, c := range order {
		if len(commands[c]) == 0 {
			t.Errorf("no hostile case of the command %s", c)
		}
		if c == "train" { // what the others need
			if status, _, stderr := run(t, "train", "--solver", solver); status != 0 {
				t.Fatal(stderr)
			}
		}
		for _, args := range commands[c] {
			_, stdout, stderr := run(t, args...)
			harmless(t, fmt.Sprintf("stdout of %q", args), stdout)
			harmless(t, fmt.Sprintf("stderr of %q", args), stderr)
		}
	}
	checkWritten(t, dir)
}

// checkWritten looks at every file of text that the commands wrote.
func checkWritten(t *testing.T, dir string) {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		ext := filepath.Ext(path)
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		seen[ext] = true
		switch ext {
		case ".svg":
			dec := xml.NewDecoder(strings.NewReader(string(data)))
			for {
				_, err := dec.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Errorf("%s is not well-formed: %v", ext, err)
					break
				}
			}
			harmless(t, ext, string(data))
		case ".dot":
			if _, err := dot.ParseString(string(data)); err != nil {
				t.Errorf("%s: %v", ext, err)
			}
			harmless(t, ext, string(data))
		case ".md", ".html":
			harmless(t, ext, string(data))
		case ".journal":
			harmless(t, ext, string(data))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, ext := range []string{".svg", ".dot", ".md", ".html", ".journal"} {
		if !seen[ext] {
			t.Errorf("no file %s was written", ext)
		}
	}
}

// The curves of hostile layers are columns of a table and keys of JSON.
func TestHostileNamesInReports(t *testing.T) {
	dir := t.TempDir()
	line := func(c any) string {
		b, err := json.Marshal(c)
		if err != nil {
			t.Fatal(err)
		}
		return string(b) + "\n"
	}
	text := line(
		session.Change{Began: &session.Began{Solver: evil, Seed: 1, Start: &session.Start{
			Net: evil, Device: evil, Source: evil, From: evil, MaxIter: 5,
			Layers: []session.StartLayer{{Name: evil, Type: evil, Rule: evil, Weights: 5}},
		}}},
	) +
		line(map[string]any{"iter": 1, "field": evil + ".threshold", "old": "0.6", "new": "0.7", "by": evil}) +
		line(map[string]any{"iter": 1, "field": evil + ".threshold", "old": evil, "new": evil, "by": evil}) +
		line(map[string]any{"iter": 1, "field": evil, "old": evil, "new": evil, "by": evil}) +
		line(session.Change{Iter: 2, Measure: &session.Measure{Kept: []int{3}}})
	journal := write(t, dir, "t.journal", text)
	for _, format := range []string{"md", "csv", "json"} {
		out := mustRun(t, "report", "--format", format, journal)
		harmless(t, format, out)
		switch format {
		case "csv":
			rows, err := csv.NewReader(strings.NewReader(out)).ReadAll()
			if err != nil || len(rows) < 2 {
				t.Errorf("%v: %q", err, out)
			}
			for _, cell := range rows[0] {
				if strings.ContainsAny(cell[:1], "=+-@") {
					t.Errorf("a formula: %q", cell)
				}
			}
		case "json":
			var v map[string]any
			if err := json.Unmarshal([]byte(out), &v); err != nil || v["net"] != evil {
				t.Errorf("%v, net %q", err, v["net"])
			}
		case "md":
			for _, bad := range []string{"![x]", "<b>"} {
				for l := range strings.SplitSeq(out, "\n") {
					if strings.Contains(l, bad) && !strings.HasPrefix(l, "    ") { // code is text
						t.Errorf("%s in %q", bad, l)
					}
				}
			}
		}
	}
	mustRun(t, "report", journal)
	page, err := os.ReadFile(filepath.Join(dir, "t.html"))
	if err != nil {
		t.Fatal(err)
	}
	harmless(t, "html", string(page))
}

// What a command prints goes through package escape: nothing here writes to its outputs by fmt.
func TestEveryLineIsEscaped(t *testing.T) {
	set := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			fn, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || !strings.HasPrefix(fn.Sel.Name, "Fprint") && !strings.HasPrefix(fn.Sel.Name, "Print") {
				return true
			}
			calls++
			if x, ok := fn.X.(*ast.Ident); ok && x.Name == "fmt" {
				if to, ok := call.Args[0].(*ast.Ident); ok && (to.Name == "f" || to.Name == "b") { // a file, a builder
					return true
				}
				t.Errorf("%s: fmt.%s; package escape has one", set.Position(call.Pos()), fn.Sel.Name)
			}
			return true
		})
	}
	if calls < 50 {
		t.Errorf("%d calls were looked at", calls)
	}
}
