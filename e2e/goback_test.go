package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// After B and new training a run that is killed does not go on from what B left behind.
func TestBackThenCrash(t *testing.T) {
	dir := folder(t, "max_iter: 1000 snapshot: 5")
	e := start(t, dir, 120, 36, "solver.prototxt", "--paused")
	e.wait("PAUSED", "0/1,000")
	e.keys(":step 12\r") // snapshots at 5 and 10
	e.wait("12/1,000", "snapshot run_iter_10")
	e.keys("b")
	e.wait("Restore points", "run_iter_5.solverstate")
	e.keys("j\r") // the older one
	e.wait("Go back?", "from iteration 12 to 5", "7 iterations are given up")
	e.keys("y")
	e.wait("5/1,000", "left behind")
	e.keys("q:step 2\r")
	e.wait("7/1,000")
	for _, pid := range hosts(dir) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
	}
	e.end()
	e = start(t, dir, 120, 36, "solver.prototxt", "--resume", "--paused")
	e.wait("PAUSED", "5/1,000", "run_iter_10.solverstate is passed over", "from 12 back to 5")
	e.keys("b")
	e.wait("run_guard_iter_12.solverstate", "left behind")
	e.keys("qB")
	e.wait("no snapshot of this run to go back to")
	e.keys("qa")
	e.end()
}

// SIGTERM ends a run whose iteration would never end, with the weights before it; that it comes twice in a moment, as
// from timeout(1), is no second one.
func TestEndlessIteration(t *testing.T) {
	dir := folder(t, "max_iter: 1000 iter_size: 2147483647")
	c, out, ended := background(t, dir, "train", "--solver", "solver.prototxt")
	untilFile(t, filepath.Join(dir, "run.journal"))
	time.Sleep(100 * time.Millisecond)
	c.Process.Signal(syscall.SIGTERM)
	time.Sleep(20 * time.Millisecond)
	c.Process.Signal(syscall.SIGTERM)
	select {
	case err := <-ended:
		// Where the signal came before the first pass, nothing was given up.
		if err != nil || !strings.Contains(out.String(), "stopped at iteration 0") {
			t.Errorf("%v\n%s", err, out.String())
		}
	case <-time.After(patience):
		c.Process.Kill()
		t.Fatal("SIGTERM does not end it")
	}
	untilFile(t, filepath.Join(dir, "run_iter_0.solverstate"))
}
