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
		s := &session.Snapshot{Path: c.solver, Saved: c.saved}
		printSummary(&env{stdout: &out}, c.dir, s)
		if want := "go on with: " + c.want + "\n"; !strings.HasSuffix(out.String(), want) {
			t.Errorf("%s; wanted %s", out.String(), want)
		}
	}
}

// What a run that has ended without a word is told to go on with: its newest snapshot, where it has left one.
func TestResumeAfterDeath(t *testing.T) {
	old := config.Program
	defer func() { config.Program = old }()
	config.Program = "dns-tui"
	point := func(guard bool) []session.RestorePoint { return []session.RestorePoint{{Path: "p", Guard: guard}} }
	for _, c := range []struct {
		s    session.Snapshot
		want string
	}{
		{session.Snapshot{Saved: "x_iter_5.solverstate"}, "go on with: dns-tui s.prototxt --resume --input 1x28x28\n"},
		{session.Snapshot{RestorePoints: point(false)}, "go on with: dns-tui s.prototxt --resume --input 1x28x28\n"},
		{session.Snapshot{RestorePoints: point(true)},
			"it has left no snapshot; to begin anew: dns-tui s.prototxt --input 1x28x28\n"},
	} {
		var out bytes.Buffer
		c.s.Path = "s.prototxt"
		printResume(&env{stdout: &out, resumeFlags: []string{"--input", "1x28x28"}}, "", &c.s)
		if out.String() != c.want {
			t.Errorf("%s; wanted %s", out.String(), c.want)
		}
	}
}
