package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dns-tui/model"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// compareText runs compare, and puts words in place of what differs from machine to machine: folders, times, the
// device.
func compareText(t *testing.T, args ...string) string {
	t.Helper()
	out := strings.ReplaceAll(mustRun(t, append([]string{"compare", "--device", "host"}, args...)...),
		modeltest.Root()+string(filepath.Separator), "")
	out = regexp.MustCompile(`(?m)^(ms a pass, .*?) +[0-9.]+ +[0-9.]+ +[0-9.]+$`).ReplaceAllString(out, "$1  TIMES")
	return regexp.MustCompile(` on the host .*`).ReplaceAllString(out, " on the DEVICE")
}

// Two LeNet-5: the authors', and one that keeps less; with random data, which nothing but a net's outputs depends on.
func TestCompareText(t *testing.T) {
	net := modeltest.Root("nets", "lenet.prototxt")
	golden(t, "compare.txt", compareText(t, "--model", net, "--input", "1x28x28:10", "--iterations", "1",
		lenet5Sparse(), lenet5x310()))
	small := filepath.Join(t.TempDir(), "small.caffemodel")
	mustRun(t, "export", "--shrink", "--input", "1x28x28:10", "--model", net, lenet5x310(), small)
	golden(t, "compare_small.txt", strings.ReplaceAll(compareText(t, "--model", net, "--model-b",
		strings.TrimSuffix(small, "caffemodel")+"prototxt", "--input", "1x28x28:10", "--iterations", "1",
		lenet5x310(), small), filepath.Dir(small)+string(filepath.Separator), ""))
}

// comparison is what programs read.
func comparisonOf(t *testing.T, args ...string) jsonComparison {
	t.Helper()
	var c jsonComparison
	out := mustRun(t, append([]string{"compare", "--format", "json"}, args...)...)
	if err := json.Unmarshal([]byte(out), &c); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	return c
}

// The outputs are those that test has of each file on the same batches, with zeros left out too; sizes are those of
// the files, and of what export writes.
func TestCompareIsWhatOthersSay(t *testing.T) {
	idx := modeltest.MNISTFiles(t)
	net := modeltest.Root("nets", "lenet.prototxt")
	t.Chdir(t.TempDir())
	mustRun(t, "dataset", "mnist", "--split", "test", idx, "mnist_test_lmdb")
	flags := []string{"--device", "host", "--model", net, "--iterations", "3"}
	for _, more := range [][]string{nil, {"--sparse"}} {
		flags := append(append([]string(nil), flags...), more...)
		c := comparisonOf(t, append(flags, lenet5Sparse(), lenet5x310())...)
		for i, s := range []*jsonCompared{&c.A, &c.B} {
			path := []string{lenet5Sparse(), lenet5x310()}[i]
			tested := mustRun(t, append(append([]string{"test"}, flags...), "--weights", path)...)
			for _, o := range c.Outputs {
				v := float64(*[]*number{o.A, o.B}[i])
				if more != nil && o.Name == "loss" {
					continue // another way to leave zeros out may be the fastest: it adds in another order
				}
				if want := fmt.Sprintf("%s = %.6g", o.Name, v); !strings.Contains(tested, want) {
					t.Errorf("%v: %s: compare has %s, test\n%s", more, path, want, tested)
				}
			}
			for form, size := range map[string]int64{
				"x.caffemodel": s.Export.Caffemodel, "x.dnz": s.Export.Compact, "x.safetensors": s.Export.Safetensors,
			} {
				mustRun(t, "export", path, form)
				if have := fileSize(t, form); have != size {
					t.Errorf("%s as %s has %d bytes, compare says %d", path, form, have, size)
				}
			}
			if s.File != path || s.Model != net || s.Bytes != fileSize(t, path) || s.DenseMS <= 0 ||
				s.SparseMS == nil ||
				len(s.Products) != 4 ||
				s.Parameters != 431080 {
				t.Errorf("%+v", s)
			}
		}
		if len(c.Outputs) != 2 || c.Random || c.Sparse != (more != nil) || c.BatchSize != 100 || c.Batches != 3 {
			t.Errorf("%+v", c)
		}
	}
}

// A file against itself differs in nothing, on random draws too: both nets draw the same.
func TestCompareWithItself(t *testing.T) {
	solvers := modeltest.Root("oracle", "solvers")
	weights := filepath.Join(solvers, "dns_seed_mini_init.caffemodel")
	text := readText(t, filepath.Join(solvers, "dns_seed_mini.net.prototxt"))
	text = strings.ReplaceAll(text, "mnist1280_lmdb", filepath.Join(solvers, "mnist1280_lmdb"))
	text = strings.Replace(text, `layer { name: "loss"`, `layer { name: "drop" type: "Dropout" bottom: "i2" top: "i2" }
layer { name: "loss"`, 1)
	if strings.Count(text, "transform_param { ") == 0 {
		t.Fatalf("no transform_param in\n%s", text)
	}
	text = strings.ReplaceAll(text, "transform_param { ", "transform_param { mirror: true crop_size: 28 ")
	net := write(t, t.TempDir(), "net.prototxt", text)
	c := comparisonOf(t, "--model", net, "--phase", "TRAIN", "--iterations", "4", "--threads", "1", "--device", "host",
		weights, weights)
	if len(c.Outputs) == 0 || len(c.Layers) == 0 {
		t.Fatalf("%+v", c)
	}
	for _, o := range c.Outputs {
		if *o.Difference != 0 {
			t.Errorf("%s: %g and %g", o.Name, *o.A, *o.B)
		}
	}
	for _, l := range c.Layers {
		if b := l.Both; b == nil || b.Largest != 0 || b.RMS != 0 || b.OnlyA+b.OnlyB != 0 || b.InBoth != l.A.Kept {
			t.Errorf("%s: %+v", l.Name, b)
		}
	}
}

// A net without data, accuracy and loss has the means of all its outputs, on random numbers; the weights that a file
// lacks are told.
func TestCompareDeployNet(t *testing.T) {
	net := write(t, t.TempDir(), "net.prototxt", deployNet)
	args := []string{"--model", net, "--iterations", "2", lenet5Sparse(), lenet5x310()}
	c := comparisonOf(t, args...)
	if len(c.Outputs) != 20 || c.Outputs[0].Name != "prob" || !c.Random || len(c.A.Notices) != 1 {
		t.Errorf("%d outputs, random %v, %q", len(c.Outputs), c.Random, c.A.Notices)
	}
	sum := 0.0
	for _, o := range c.Outputs {
		sum += float64(*o.A)
	}
	if sum < 1.999 || sum > 2.001 {
		t.Errorf("two times prob adds up to %g", sum)
	}
	status, stdout, stderr := run(t, append([]string{"compare"}, args...)...)
	if status != 0 || !strings.Contains(stdout, "\nprob[0] ") || strings.Count(stderr, "random numbers in place") != 1 {
		t.Errorf("status %d, %s\n%s", status, stdout, stderr)
	}
	short := write(t, t.TempDir(), "short.prototxt", deployNet+`layer { name: "more" type: "InnerProduct" bottom: "prob"
	top: "more" inner_product_param { num_output: 2 } }`)
	c = comparisonOf(t, append([]string{"--model", short}, args[2:]...)...)
	if text := strings.Join(c.B.Notices, "\n"); !strings.Contains(text, "no weights for layer more") ||
		!strings.Contains(text, "untrained weights in part") {
		t.Errorf("%q", c.B.Notices)
	}
}

// Of a blob of many numbers the first are listed, each with its place; programs, and what reads Caffe's log, get all.
func TestManyOutputs(t *testing.T) {
	net := write(t, t.TempDir(), "net.prototxt", deployNet)
	flags := []string{"--model", net, "--iterations", "1"}
	test := slices.Clip(append([]string{"test", "--weights", lenet5Sparse()}, flags...))
	compare := slices.Clip(append([]string{"compare", lenet5Sparse(), lenet5x310()}, flags...))
	for _, c := range []struct {
		args          []string
		line          string // of a number
		lines, others int    // of these, and of those that say what is left out
	}{
		{test, `(?m)^prob\[[0-9]\] = `, 10, 1},
		{append(test, "--all"), `(?m)^prob\[1?[0-9]\] = `, 20, 0},
		{append(test, "--log", "caffe"), `(?m)\] prob = `, 20, 0},
		{compare, `(?m)^prob\[[0-9]\]  `, 10, 1},
		{append(compare, "--all"), `(?m)^prob\[1?[0-9]\]  `, 20, 0},
		{append(compare, "--format", "json"), `"name": "prob",`, 20, 0},
	} {
		out := mustRun(t, c.args...)
		lines := len(regexp.MustCompile(c.line).FindAllString(out, -1))
		others := strings.Count(out, "\n10 more of prob; --all prints them\n")
		if lines != c.lines || others != c.others || strings.Count(out, "more of") != c.others {
			t.Errorf(
				"%q: %d lines of prob, %d of what is left out, wanted %d and %d:\n%s",
				c.args,
				lines,
				others,
				c.lines,
				c.others,
				out,
			)
		}
	}
	one := mustRun(t, "test", "--weights", lenet5Sparse(), "--model", modeltest.Root("nets", "lenet.prototxt"),
		"--input", "1x28x28:10", "--iterations", "1")
	if !strings.HasPrefix(one, "accuracy = ") || !strings.Contains(one, "\nloss = ") {
		t.Errorf("blobs of one number are not as Caffe prints them:\n%s", one)
	}
}

// Outputs are paired by blob, and by place in it; one that a net alone has stands alone. On random data what labels
// decide is left out.
func TestCompareOutputs(t *testing.T) {
	out := func(name, typ string, value, weight float64) model.Output {
		return model.Output{Name: name, Type: typ, Value: value, LossWeight: weight}
	}
	a := []model.Output{out("acc", "Accuracy", 0.5, 0), out("prob", "Softmax", 1, 0), out("prob", "Softmax", 2, 0),
		out("loss", "SoftmaxWithLoss", 3, 1)}
	b := []model.Output{out("prob", "Softmax", 4, 0), out("prob", "Softmax", 5, 0), out("more", "Power", 6, 0),
		out("sum", "Reduction", 7, 0.5), out("acc", "Accuracy", 0.75, 0)}
	for _, c := range []struct {
		random  bool
		want    string
		leftOut int
	}{
		{false, "acc 0.5 0.75, prob 1 4, prob 2 5, loss 3 -, more - 6, sum - 7", 0},
		{true, "prob 1 4, prob 2 5, more - 6", 4},
	} {
		var w comparedWeights
		w.random = c.random
		w.sides[0].result, w.sides[1].result = &solver.TestResult{Outputs: a}, &solver.TestResult{Outputs: b}
		outputs, leftOut := w.outputs()
		var got []string
		for _, o := range outputs {
			text := o.Name
			for _, v := range o.values {
				if v == nil {
					text += " -"
				} else {
					text += fmt.Sprintf(" %g", *v)
				}
			}
			got = append(got, text)
		}
		if text := strings.Join(got, ", "); text != c.want || leftOut != c.leftOut {
			t.Errorf("random %v: %s, %d left out; wanted %s, %d", c.random, text, leftOut, c.want, c.leftOut)
		}
	}
}

// Every field of the JSON form is in docs/formats.md.
func TestCompareFieldsAreDocumented(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(data), "\n## Comparison of two weights files\n")
	if !ok {
		t.Fatal("docs/formats.md has no section on it")
	}
	text, _, _ = strings.Cut(text, "\n## ")
	net := modeltest.Root("nets", "lenet.prototxt")
	small := filepath.Join(t.TempDir(), "small.caffemodel")
	mustRun(t, "export", "--shrink", "--input", "1x28x28:10", "--model", net, lenet5x310(), small)
	fields := map[string]bool{}
	for _, args := range [][]string{
		{lenet5Sparse(), lenet5x310()},
		{"--model-b", strings.TrimSuffix(small, "caffemodel") + "prototxt", lenet5x310(), small},
	} {
		var v any
		out := mustRun(
			t,
			append([]string{"compare", "--format", "json", "--device", "host", "--model", net, "--iterations",
				"1", "--input", "1x28x28:10"}, args...)...)
		if err := json.Unmarshal([]byte(out), &v); err != nil {
			t.Fatal(err)
		}
		fieldsIn(v, fields)
	}
	if len(fields) < 40 {
		t.Errorf("%d fields: %v", len(fields), fields)
	}
	for name := range fields {
		if !strings.Contains(text, "`"+name+"`") {
			t.Errorf("docs/formats.md does not speak of %s", name)
		}
	}
}

// fieldsIn collects the names of fields.
func fieldsIn(v any, into map[string]bool) {
	switch v := v.(type) {
	case map[string]any:
		for name, of := range v {
			into[name] = true
			fieldsIn(of, into)
		}
	case []any:
		for _, of := range v {
			fieldsIn(of, into)
		}
	}
}

// What cannot be compared is told before anything is measured.
func TestCompareErrors(t *testing.T) {
	dir := t.TempDir()
	net, a := modeltest.Root("nets", "lenet.prototxt"), lenet5Sparse()
	other := modeltest.Root("models", "lenet300_114x.dnz")
	cut := write(t, dir, "cut.dnz", string(contentOf(t, lenet5x310())[:5000]))
	state := modeltest.Root("oracle", "solvers", "dns_seed_mini_init.solverstate")
	input := []string{"--model", net, "--input", "1x28x28:10"}
	for _, c := range []struct {
		args   []string
		status int
		want   string
	}{
		{[]string{"--model", net, a}, 2, "wanted two weights files, found 1 argument"},
		{[]string{a, a}, 2, "--model is not given"},
		{append(input, "--format", "csv", a, a), 2, `--format is "csv"; wanted text or json`},
		{append(input, "--iterations", "0", a, a), 2, "--iterations is 0; wanted at least 1"},
		{append(input, "--phase", "BOTH", a, a), 2, `--phase is "BOTH"`},
		{append(input, a+","+a, a), 2, "wanted one file each"},
		{append(input, "--sparse", "--device", "cuda", a, a), 2, "mutually exclusive"},
		{append(input, a, filepath.Join(dir, "none")), 1, "none: no such file"},
		{append(input, a, cut), 1, "cut.dnz: is cut short"},
		{append(input, a, other), 1, `layer "ip1": blob 0 has the shape 300x784 in the file`},
		{append(input, a, other), 1, "where B is of another net, --model-b names that"},
		{append(input, other, a), 1, "lenet300_114x.dnz"},
		{append(input, "--model-b", filepath.Join(dir, "none.prototxt"), a, a), 1, "none.prototxt: no such file"},
		{[]string{"--model", net, a, a}, 1, "--input"},
		{append(input, a, state), 1, state},
	} {
		status, stdout, stderr := run(t, append([]string{"compare"}, c.args...)...)
		if status != c.status || stdout != "" || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, %s%s; wanted %d and %q", c.args, status, stdout, stderr, c.status, c.want)
		}
	}
}
