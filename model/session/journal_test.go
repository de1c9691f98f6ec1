package session_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"dns-tui/model/session"
)

// What is whole in a journal is read, whatever stands between; what going back left behind is known.
func TestReadCourse(t *testing.T) {
	const (
		begin = `{"iter":0,"field":"run","new":"s","seed":5}`
		set3  = `{"iter":3,"field":"lr_mult","old":"1","new":"0.5"}`
		set7  = `{"iter":7,"field":"momentum","old":"0.9","new":"0.8"}`
		saved = `{"iter":7,"field":"measure","new":"","measure":{"saved":"d/run_iter_7.solverstate",` +
			`"snapshot":{"path":"d/run_iter_7.solverstate","iter":7}}}`
		back = `{"iter":5,"field":"run","new":"s","start":{"net":"n","device":"","max_iter":9,"layers":null,` +
			`"back":7,"left":["run_iter_7.solverstate"]}}`
		again = `{"iter":6,"field":"run","new":"s","start":{"net":"n","device":"","max_iter":9,"layers":null,` +
			`"snapshot":"d/run_iter_6.solverstate"}}`
	)
	for _, c := range []struct {
		name    string
		lines   []string
		end     string // of the file
		changes []string
		skipped []int
		left    map[string]bool
		err     string
	}{
		{
			"whole",
			[]string{begin, set3, set7},
			"\n",
			[]string{"0 run", "3 lr_mult", "7 momentum"},
			nil,
			map[string]bool{},
			"",
		},
		{"without its last end", []string{begin, set3}, "", []string{"0 run", "3 lr_mult"}, nil, map[string]bool{}, ""},
		{
			"torn at the end",
			[]string{begin, set3, set7[:20]},
			"",
			[]string{"0 run", "3 lr_mult"},
			[]int{3},
			map[string]bool{},
			"",
		},
		{
			"bad in the middle",
			[]string{begin, "garbage", set3, "{}", set7},
			"\n",
			[]string{"0 run", "3 lr_mult", "7 momentum"},
			[]int{2, 4},
			map[string]bool{},
			"",
		},
		{
			"torn, and the next glued to it",
			[]string{begin, set3[:17] + set7},
			"\n",
			[]string{"0 run", "7 momentum"},
			[]int{2},
			map[string]bool{},
			"",
		},
		{
			"bad at the beginning",
			[]string{"\x00\x00", begin, set3},
			"\n",
			[]string{"0 run", "3 lr_mult"},
			[]int{1},
			map[string]bool{},
			"",
		},
		{
			"empty lines",
			[]string{begin, "", set3, "  "},
			"\n",
			[]string{"0 run", "3 lr_mult"},
			nil,
			map[string]bool{},
			"",
		},
		{"empty", nil, "", nil, nil, map[string]bool{}, ""},
		{"no journal", []string{"name: \"LeNet\"", "layer {"}, "\n", nil, nil, nil, "j:1: is not a journal entry"},
		{
			"back",
			[]string{begin, set3, set7, saved, back},
			"\n",
			[]string{"0 run", "3 lr_mult", "5 run"},
			nil,
			map[string]bool{"run_iter_7.solverstate": true},
			"",
		},
		{
			"back, then resumed",
			[]string{begin, saved, back, again},
			"\n",
			[]string{"0 run", "5 run", "6 run"},
			nil,
			map[string]bool{"run_iter_7.solverstate": true},
			"",
		},
		{
			"back, then written anew",
			[]string{begin, saved, back, saved},
			"\n",
			[]string{"0 run", "5 run", "7 measure"},
			nil,
			map[string]bool{},
			"",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "j")
			if err := os.WriteFile(path, []byte(strings.Join(c.lines, "\n")+c.end), 0o644); err != nil {
				t.Fatal(err)
			}
			got, err := session.ReadCourse(path)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Fatalf("error %v, wanted %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			var changes []string
			for _, ch := range got.Changes {
				changes = append(changes, fmt.Sprint(ch.Iter, " ", fieldOf(ch)))
			}
			if d := cmp.Diff([]any{c.changes, c.skipped, c.left}, []any{changes, got.Skipped, got.Left}); d != "" {
				t.Error(d)
			}
			for _, n := range got.Skipped {
				if !strings.Contains(got.Notice(), fmt.Sprint(n)) {
					t.Errorf("notice %q does not name line %d", got.Notice(), n)
				}
			}
		})
	}
}

// A journal that was cut short is whole again once a run goes on with it, and the run says so.
func TestJournalIsMended(t *testing.T) {
	for _, c := range []struct{ name, tail, told string }{
		{"torn", `{"iter":9,"field":"mea`, "cut short"},
		{"long and torn", `{"iter":9,"field":"` + strings.Repeat("x", 1<<17), "cut short"},
		{"whole but for its end", `{"iter":0,"field":"lr_mult","old":"1","new":"0.5"}`, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := mini(t, "dns_seed_mini", nil)
			if err := os.WriteFile(
				run.JournalPath(), []byte(`{"iter":0,"field":"run","new":"s","seed":5}`+"\n"+c.tail), 0o644,
			); err != nil {
				t.Fatal(err)
			}
			tr := start(t, run, 1)
			got, err := session.ReadCourse(run.JournalPath())
			if err != nil || len(got.Skipped) > 0 || !strings.HasSuffix(string(read(t, run.JournalPath())), "}\n") {
				t.Errorf("%+v, %v", got, err)
			}
			told := ""
			for _, e := range tr.Snapshot().Events {
				if strings.Contains(e.What.String(), "cut short") {
					told = "cut short"
				}
			}
			if told != c.told {
				t.Errorf("told %q, wanted %q", told, c.told)
			}
		})
	}
}
