package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Without arguments the program shows what a folder has: a solver starts a run, an active run is attached to, a
// snapshot goes on.
func TestStart(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	e := start(t, dir, 80, 24)
	e.wait("In this folder", "solver.prototxt", "net.prototxt, 1,000,000 iterations", "starts a run")
	e.keys("\r")
	e.wait("/1,000,000", "it/s")
	name := detach(t, e)

	e = start(t, dir, 80, 24)
	e.wait("▸ run", name, "attaches to it")
	e.keys("\r")
	e.wait("mini-lenet", "it/s")
	e.keys("qs")
	if code := e.end(); code != 0 {
		t.Fatalf("exit status %d: %s", code, lastLines(e.sent()))
	}
	untilNoRun(t)

	e = start(t, dir, 80, 24)
	e.wait("▸ snapshot", "run_iter_", "of 1,000,000, solver.prototxt", "goes on from it", "  solver")
	e.keys("\r")
	e.wait("/1,000,000", "it/s")
	e.endRun("")
	untilNoRun(t)

	e = start(t, dir, 80, 24)
	e.wait("In this folder")
	e.keys("q")
	if code := e.end(); code != 0 {
		t.Errorf("q: exit status %d", code)
	}
}

// A net without a solver is offered one; enter takes each proposal, and what is written starts.
func TestStartNew(t *testing.T) {
	dir := folder(t, "max_iter: 10")
	if err := os.Remove(filepath.Join(dir, "solver.prototxt")); err != nil {
		t.Fatal(err)
	}
	e := start(t, dir, 100, 30)
	e.wait("net.prototxt", "asks five questions")
	e.keys("\r")
	e.wait("1 of 5", "[none]")
	e.keys("\r")
	e.wait("2 of 5")
	e.keys("much\r")
	e.wait("is no target")
	e.keys("5x\r")
	e.wait("3 of 5")
	e.keys("30\r")
	e.wait("4 of 5")
	e.keys("\r")
	e.wait("5 of 5", "[net_pruned.prototxt]")
	e.keys("\r")
	e.wait("net_pruned.prototxt is written")
	if code := e.end(); code != 0 {
		t.Fatalf("exit status %d: %s", code, lastLines(e.sent()))
	}
	text := read(t, filepath.Join(dir, "net_pruned.prototxt"))
	if !strings.Contains(text, `target: "5x"`) || !strings.Contains(text, "max_iter: 30") {
		t.Errorf("it wrote\n%s", text)
	}
	c, out, ended := background(t, dir, "train", "--solver", "net_pruned.prototxt")
	if err := <-ended; err != nil || !strings.Contains(out.String(), "finished at iteration 30") {
		t.Errorf("%q: %v\n%s", c.Args, err, out)
	}
}
