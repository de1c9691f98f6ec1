package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// hosts are the processes of runs in a folder.
func hosts(dir string) []int {
	var out []int
	entries, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, e := range entries {
		line, err := os.ReadFile(e)
		args := bytes.Split(line, []byte{0})
		if err != nil || len(args) < 2 || string(args[0]) != binary && string(args[1]) != "host" {
			continue
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(e)))
		if cwd, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid)); err == nil && cwd == dir &&
			string(args[1]) == "host" {
			out = append(out, pid)
		}
	}
	return out
}

// slow makes the net of a folder slow to load: weights that are drawn one after the other.
func slow(t *testing.T, dir string) {
	t.Helper()
	path := filepath.Join(dir, "net.prototxt")
	net, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write(
		t,
		path,
		string(net)+`layer {
  name: "big" type: "InnerProduct" bottom: "data" top: "big"
  inner_product_param { num_output: 40000 weight_filler { type: "gaussian" std: 0.01 } }
}
layer { name: "silence" type: "Silence" bottom: "big" }
`,
	)
}

// Who leaves while the net loads ends the run: nobody knows of it yet.
func TestLeaveWhileLoading(t *testing.T) {
	for name, leave := range map[string]func(*terminal){
		"q":       func(e *terminal) { e.keys("q") },
		"ctrl+c":  func(e *terminal) { e.keys("\x03") },
		"SIGTERM": func(e *terminal) { e.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGINT":  func(e *terminal) { e.cmd.Process.Signal(syscall.SIGINT) },
		"SIGQUIT": func(e *terminal) { e.cmd.Process.Signal(syscall.SIGQUIT) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, "max_iter: 1000000")
			slow(t, dir)
			e := start(t, dir, 80, 24, "solver.prototxt")
			e.wait("loading the net")
			poll(t, "the run's process", func() bool { return len(hosts(dir)) == 1 })
			if err := syscall.Kill(hosts(dir)[0], syscall.SIGSTOP); err != nil { // it loads for ever
				t.Fatal(err)
			}
			if !strings.Contains(e.screen(), "loading the net") {
				t.Fatalf("it has loaded already:\n%s", e.screen())
			}
			leave(e)
			e.end()
			poll(t, "the run has ended", func() bool { return len(hosts(dir)) == 0 })
			if !strings.Contains(e.sent(), "\x1b[?1049l") {
				t.Error("the alternate screen was not left")
			}
		})
	}
}

// A run that does not answer keeps no terminal.
func TestLeaveHungRun(t *testing.T) {
	for name, leave := range map[string]func(*terminal){
		"d":      func(e *terminal) { e.keys("d") },
		"q d":    func(e *terminal) { e.keys("qd") },
		"ctrl+c": func(e *terminal) { e.keys("\x03\x03"); e.wait("ctrl+c once more"); e.keys("\x03") },
		"two SIGTERM": func(e *terminal) {
			e.cmd.Process.Signal(syscall.SIGTERM)
			time.Sleep(100 * time.Millisecond)
			e.cmd.Process.Signal(syscall.SIGTERM)
		},
		"SIGTERM": func(e *terminal) { e.cmd.Process.Signal(syscall.SIGTERM) },
		"SIGQUIT": func(e *terminal) { e.cmd.Process.Signal(syscall.SIGQUIT) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, "max_iter: 1000000")
			e := start(t, dir, 80, 24, "solver.prototxt")
			e.wait("/1,000,000", "it/s")
			pids := hosts(dir)
			if len(pids) != 1 {
				t.Fatalf("%d processes of the run", len(pids))
			}
			if err := syscall.Kill(pids[0], syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = syscall.Kill(pids[0], syscall.SIGKILL) }() // it may have ended
			leave(e)
			e.end()
			want := "goes on without this terminal"
			if name == "ctrl+c" { // which stops, the second time
				want = "was told to stop and has not answered yet"
			}
			if !strings.Contains(e.sent(), "\x1b[?1049l") || !strings.Contains(e.sent(), want) {
				t.Errorf("it said %s", lastLines(e.sent()))
			}
		})
	}
}

// train --serve that a viewer stops ends, and so does the viewer.
func TestServedRunIsStopped(t *testing.T) {
	for _, keys := range []string{"qs", "qaa", "\x03\x03"} {
		dir := folder(t, "max_iter: 1000000 display: 100")
		c, out, ended := background(t, dir, "train", "--solver", "solver.prototxt", "--serve")
		poll(t, "the run is listed", func() bool { return strings.Contains(dns(t, "runs"), "running") })
		e := start(t, dir, 80, 24, "attach")
		e.wait("/1,000,000", "it/s")
		e.keys(keys)
		if code := e.end(); code != 0 {
			t.Errorf("%q: the viewer's exit status %d: %s", keys, code, lastLines(e.sent()))
		}
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("%q: %v\n%s", keys, err, out.String())
			}
		case <-time.After(patience):
			c.Process.Kill()
			t.Fatalf("%q: the run does not end", keys)
		}
		untilNoRun(t)
	}
}

// --paused holds wherever a run is started, and can be let go on.
func TestPausedEverywhere(t *testing.T) {
	for _, args := range [][]string{{"train", "--solver", "solver.prototxt", "--paused"}, {
		"train", "--solver", "solver.prototxt", "--serve", "--paused",
	},
		{"solver.prototxt", "--paused"}} {
		dir := folder(t, "max_iter: 30")
		c := exec.Command(binary, args...)
		c.Dir = dir
		var out, said bytes.Buffer
		c.Stdout, c.Stderr = &out, &said
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		defer c.Process.Kill()
		poll(t, "the run waits", func() bool { return strings.Contains(dns(t, "runs"), "paused") })
		e := start(t, dir, 80, 24, "attach")
		e.wait("PAUSED", "0/30")
		e.keys(" ")
		if err := c.Wait(); err != nil {
			t.Errorf("%v: %v\n%s", args, err, out.String())
		}
		if !strings.Contains(said.String(), "paused before the first iteration") ||
			!strings.Contains(out.String(), "finished at iteration 30") {
			t.Errorf("%v said %s%s", args, said.String(), out.String())
		}
		if args[0] == "solver.prototxt" &&
			!strings.Contains(said.String(), "no UI, progress lines: standard output is not a terminal") {
			t.Errorf("it does not say why there is no UI: %s", said.String())
		}
		untilNoRun(t)
	}
}
