package report

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/session"
)

// A run that a search steered shows its branches, the largest first, in every form that people read.
func TestSearchIsShown(t *testing.T) {
	dir := t.TempDir()
	journal, err := os.ReadFile(filepath.Join("testdata", "run.journal"))
	if err != nil {
		t.Fatal(err)
	}
	search := session.Search{
		Phase: "done", Budget: 0.002, Dense: 0.991, Images: 6000,
		Branches: []session.SearchBranch{
			{Kept: 500, Total: 2000, Accuracy: 0.991, Inside: true, Path: "a<b>.solverstate"},
			{Kept: 100, Total: 2000, Accuracy: 0.98, Path: "b.solverstate"},
			{Kept: 200, Total: 2000, Accuracy: 0.99, Inside: true, Path: "c|d.solverstate"},
		},
	}
	state, err := json.Marshal(search)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"run.journal": journal, "run.search": state} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Read(filepath.Join(dir, "run.journal"))
	if err != nil {
		t.Fatal(err)
	}
	for _, format := range []string{"md", "html"} {
		text := written(t, r, format)
		at := 0
		wanted := []string{"loses at most 0.002", "500", "4x", "0.0012", "200", "10x", "100", "20x", "outside"}
		for _, want := range wanted {
			i := strings.Index(text[at:], want)
			if i < 0 {
				t.Fatalf("%s: no %q after %d:\n%s", format, want, at, text)
			}
			at += i
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "run.search"), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(filepath.Join(dir, "run.journal")); err == nil || !strings.Contains(err.Error(), "run.search") {
		t.Errorf("a search that cannot be read is %v", err)
	}
}
