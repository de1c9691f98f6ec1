package main

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/layer"
)

// section returns the text of a document under a heading.
func section(t *testing.T, document, heading string) string {
	t.Helper()
	_, rest, ok := strings.Cut(readText(t, filepath.Join("..", "..", "docs", document)), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/%s has no section %q", document, heading)
	}
	text, _, _ := strings.Cut(rest, "\n## ")
	return text
}

// names are the words in backquotes in the first column of a section's tables.
func names(text string) []string {
	var out []string
	for _, row := range regexp.MustCompile(`(?m)^\| (\x60[^|]*) \|`).FindAllStringSubmatch(text, -1) {
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(row[1], -1) {
			out = append(out, name[1])
		}
	}
	return out
}

// The tables of layers in docs/caffe.md and docs/onnx.md are the registry, and Python.
func TestTablesOfLayers(t *testing.T) {
	want := append(layer.Types(), "Python")
	slices.Sort(want)
	for _, document := range []string{"caffe.md", "onnx.md"} {
		table := names(section(t, document, "Layers"))
		slices.Sort(table)
		if slices.Equal(table, want) {
			continue
		}
		for _, n := range table {
			if !slices.Contains(want, n) {
				t.Errorf("docs/%s has %s, the registry has not", document, n)
			}
		}
		for _, n := range want {
			if !slices.Contains(table, n) {
				t.Errorf("the registry has %s, docs/%s has not", n, document)
			}
		}
	}
}

// Its solvers are those that are built, and every field of Caffe's SolverParameter is spoken of.
func TestCaffeTableOfSolvers(t *testing.T) {
	text := section(t, "caffe.md", "Solvers")
	table := names(text)
	for _, s := range config.SolverTypes {
		if !slices.Contains(table, s) {
			t.Errorf("docs/caffe.md has no solver %s", s)
		}
	}
	fields := (&caffepb.SolverParameter{}).ProtoReflect().Descriptor().Fields()
	for i := range fields.Len() {
		if name := string(fields.Get(i).Name()); !slices.Contains(table, name) {
			t.Errorf("docs/caffe.md does not speak of the solver's %s", name)
		}
	}
	for _, p := range config.Policies {
		if !strings.Contains(text, "`"+p+"`") {
			t.Errorf("docs/caffe.md has no learning-rate policy %s", p)
		}
	}
}

// Every flag of Caffe's is one of a command here.
func TestCaffeFlags(t *testing.T) {
	text := section(t, "caffe.md", "Command line")
	for name, commands := range map[string][]string{
		"solver": {"train"}, "model": {"test", "time"}, "weights": {"train", "test"}, "snapshot": {"train"},
		"iterations": {"test", "time"}, "gpu": {"train", "test", "time"},
		"phase": {"time"}, "level": {"train", "test", "time"}, "stage": {"train", "test", "time"},
		"sigint_effect": {"train"}, "sighup_effect": {"train"},
	} {
		if !strings.Contains(text, "`-"+name+"`") {
			t.Errorf("docs/caffe.md does not speak of -%s", name)
		}
		for _, c := range commands {
			if _, help, _ := run(t, c, "-h"); !strings.Contains(help, "  -"+name) {
				t.Errorf("%s has no flag -%s", c, name)
			}
		}
	}
}

// Every command of `dns-tui help` is in the README.
func TestReadmeHasEveryCommand(t *testing.T) {
	data, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range subcommands() {
		if !regexp.MustCompile(`dns-tui [^\n]*\b` + c.name + `\b`).Match(data) {
			t.Errorf("README.md does not speak of dns-tui %s", c.name)
		}
	}
}
