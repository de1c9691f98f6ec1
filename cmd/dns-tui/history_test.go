package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// Commands are kept from one run of the UI to the next, the newest of them, and a file that cannot be written is told.
func TestCommandHistoryFile(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_STATE_HOME", dir)
	h := historyFile()
	if got := h.read(); got != nil {
		t.Errorf("a history that is not there: %q", got)
	}
	for _, l := range []string{"lr 0.1", "conv2.t 1.5\nquit"} {
		if err := h.add(l); err != nil {
			t.Fatal(err)
		}
	}
	if got := historyFile().read(); !slices.Equal(got, []string{"lr 0.1", "conv2.t 1.5 quit"}) {
		t.Errorf("read %q", got)
	}
	for i := range 8000 {
		if err := h.add(fmt.Sprint("lr 0.00001 at ", i)); err != nil {
			t.Fatal(err)
		}
	}
	got := h.read()
	if len(got) != historyLines || got[historyLines-1] != "lr 0.00001 at 7999" {
		t.Errorf("read %d lines, the last %q", len(got), got[len(got)-1])
	}
	if s, err := os.Stat(h.path); err != nil || s.Size() > historyBytes+100 {
		t.Errorf("the file has %d bytes, %v", s.Size(), err)
	}
	t.Setenv("XDG_STATE_HOME", filepath.Join(h.path, "below a file"))
	if err := historyFile().add("lr 1"); err == nil {
		t.Error("a folder below a file was made")
	}
}

// While one UI shortens the file, what others add is not lost.
func TestCommandHistoryOfSeveral(t *testing.T) {
	t.Setenv("XDG_STATE_HOME", t.TempDir())
	long := strings.Repeat(strings.Repeat("x", 99)+"\n", historyBytes/100+1)
	if err := os.MkdirAll(filepath.Dir(historyFile().path), 0o700); err != nil {
		t.Fatal(err)
	}
	for round := range 10 {
		if err := os.WriteFile(historyFile().path, []byte(long), 0o600); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				if err := historyFile().add(fmt.Sprint("lr ", i)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := historyFile().read()
		for i := range 8 {
			if !slices.Contains(got, fmt.Sprint("lr ", i)) {
				t.Fatalf("round %d: lr %d is lost", round, i)
			}
		}
	}
}
