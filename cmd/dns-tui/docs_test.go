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

// section returns the text of docs/caffe.md under a heading.
func section(t *testing.T, heading string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("..", "..", "docs", "caffe.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(data), "\n## "+heading+"\n")
	if !ok {
		t.Fatalf("docs/caffe.md has no section %q", heading)
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

// The table of layers in docs/caffe.md is the registry, and Python.
func TestCaffeTableOfLayers(t *testing.T) {
	table := names(section(t, "Layers"))
	want := append(layer.Types(), "Python")
	slices.Sort(table)
	slices.Sort(want)
	if !slices.Equal(table, want) {
		for _, n := range table {
			if !slices.Contains(want, n) {
				t.Errorf("docs/caffe.md has %s, the registry has not", n)
			}
		}
		for _, n := range want {
			if !slices.Contains(table, n) {
				t.Errorf("the registry has %s, docs/caffe.md has not", n)
			}
		}
	}
}

// Its solvers are those that are built, and every field of Caffe's SolverParameter is spoken of.
func TestCaffeTableOfSolvers(t *testing.T) {
	text := section(t, "Solvers")
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
	text := section(t, "Command line")
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
