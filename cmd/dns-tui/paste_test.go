package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

// What is printed to go on with can be pasted, from where the person stands, whatever the files are called.
func TestPrintedCommands(t *testing.T) {
	old := config.Program
	defer func() { config.Program = old }()
	root := t.TempDir()
	run, here := filepath.Join(root, "a run"), filepath.Join(root, "here")
	for _, dir := range []string{run, here} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ program, from, dir, solver, saved, want string }{
		{
			"dns-tui",
			run,
			"",
			"s.prototxt",
			"t_iter_5.solverstate",
			"dns-tui s.prototxt --snapshot t_iter_5.solverstate",
		},
		{
			"./bin/dns-tui",
			run,
			run,
			"s.prototxt",
			"t_iter_5.solverstate",
			"./bin/dns-tui s.prototxt --snapshot t_iter_5.solverstate",
		},
		{
			"/opt/my tools/dns-tui",
			run,
			"",
			"it's.prototxt",
			"lr=[0.01]_iter_5.solverstate",
			`'/opt/my tools/dns-tui' 'it'\''s.prototxt' --snapshot 'lr=[0.01]_iter_5.solverstate'`,
		},
		{"dns-tui", run, "", "-s.prototxt", "$t", "dns-tui ./-s.prototxt --snapshot '$t'"},
		{"dns-tui", here, run, "s.prototxt", "/abs/t", "dns-tui '" + run + "/s.prototxt' --snapshot /abs/t"},
		{"dns-tui", root, run, "s.prototxt", "t", "dns-tui 'a run/s.prototxt' --snapshot 'a run/t'"},
	} {
		config.Program = c.program
		t.Chdir(c.from)
		var out bytes.Buffer
		printSummary(&env{stdout: &out}, c.dir, &session.Snapshot{Path: c.solver, Saved: c.saved})
		if want := "go on with: " + c.want + "\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("%s; wanted %s", out.String(), want)
		}
	}
}
