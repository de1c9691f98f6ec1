package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The journals beside a run's are listed without its own and without what is no journal; one that is broken, or gone,
// is an error that names it, and a good one has its curves.
func TestJournalsBeside(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"own.journal": "", "b.journal": `{"iter":5,"field":"measure","new":"","measure":{"loss":0.5}}` + "\n",
		"a.journal":    "no journal\n",
		"b.caffemodel": "", "notes.txt": "",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "folder.journal"), 0o755); err != nil {
		t.Fatal(err)
	}
	j := journals(func() string { return dir }) // the run names its journal from its working folder
	paths, err := j.Beside("own.journal")
	want := []string{filepath.Join(dir, "a.journal"), filepath.Join(dir, "b.journal")}
	if err != nil || !slices.Equal(paths, want) {
		t.Fatalf("%v, %v; wanted %v", paths, err, want)
	}
	if h, err := j.Read(want[1]); err != nil || len(h.Loss.Values) != 1 || h.Loss.Values[0] != 0.5 {
		t.Errorf("%+v, %v", h, err)
	}
	for _, bad := range []string{want[0], filepath.Join(dir, "gone.journal")} {
		if _, err := j.Read(bad); err == nil || !strings.Contains(err.Error(), bad) {
			t.Errorf("%s: %v", bad, err)
		}
	}
	if _, err := j.Beside("nowhere/own.journal"); err == nil {
		t.Error("a folder that does not exist is listed")
	}
	if got, err := compared(want[1]); err != nil || len(got) != 1 || got[0].Name != "b" || got[0].Path != want[1] {
		t.Errorf("%+v, %v", got, err)
	}
}
