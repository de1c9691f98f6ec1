package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// Without arguments and without a terminal: what there is, with the command for each.
func TestStartWithoutTerminal(t *testing.T) {
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(t.TempDir(), "run"))
	dir := newFolder(t)
	if err := os.Remove("mini.prototxt"); err != nil {
		t.Fatal(err)
	}
	status, stdout, _ := run(t)
	for _, want := range []string{"no solver, no snapshot and no net", "dns-tui new NET.prototxt", "dns-tui help"} {
		if status != 0 || !strings.Contains(stdout, want) {
			t.Errorf("an empty folder: status %d, no %q in\n%s", status, want, stdout)
		}
	}
	net := readText(t, filepath.Join(modeltest.Root("oracle", "solvers"), "dns_seed_mini.net.prototxt"))
	write(t, dir, "mini.prototxt", net)
	write(t, dir, "other\u202e.prototxt", net)
	mustRun(t, "new", "mini.prototxt", "--yes", "--length", "30", "--out", "s.prototxt")
	mustRun(t, "train", "--solver", "s.prototxt")
	// Of a run whose solver writes elsewhere now, the journal knows the solver.
	for _, ext := range []string{".journal", "_iter_30.solverstate", "_iter_30.caffemodel"} {
		if err := os.Rename("s"+ext, "was"+ext); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "lost_iter_7.solverstate", "")
	status, stdout, _ = run(t)
	if status != 0 {
		t.Errorf("status %d", status)
	}
	golden(t, "start.txt", stdout)
}
