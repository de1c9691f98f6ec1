package e2e

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
)

var sparsity = regexp.MustCompile(`conv2 .*? ([0-9.]+) % `)

// A person's way: move to a layer, change its threshold, see it pending, applied and the bar move, undo, quit, resume.
func TestSteer(t *testing.T) {
	dir := folder(t, "max_iter: 1000")
	e := start(t, dir, 120, 36, "solver.prototxt", "--paused")
	e.wait("PAUSED", "conv1", "0/1,000", "0.0 %")
	e.keys("n") // one iteration, with surgery
	e.wait("1/1,000", "0.674")
	e.until(
		"the sparsity of the first surgery",
		func(string) bool { return strings.Contains(e.line("conv2 "), "38.5 %") },
	)
	bar := strings.Count(e.line("conv2 "), "█")

	e.keys("j4") // conv2, 90 %
	e.wait("▸ conv2", "?", "⏎ applies", "t 1.644")
	if strings.Contains(e.screen(), "pending") {
		t.Error("a threshold that was only chosen is pending")
	}
	e.keys("\r")
	e.wait("pending conv2.threshold 0.674 → 1.644")
	e.until(
		"the threshold in force unchanged",
		func(string) bool { return strings.Contains(e.line("▸ conv2"), "0.674") },
	)

	e.keys("n")
	e.wait("2/1,000", "applied conv2.threshold 0.674 → 1.644")
	e.until("the new threshold in force", func(string) bool { return strings.Contains(e.line("▸ conv2"), "1.644") })
	if now := strings.Count(e.line("▸ conv2"), "█"); now <= bar {
		t.Errorf("the sparsity bar has %d full cells, before the change %d:\n%s", now, bar, e.screen())
	}

	e.keys("u")
	e.wait("pending conv2.threshold 1.644 → 0.674")
	e.keys("n")
	e.wait("3/1,000", "applied conv2.threshold 1.644 → 0.674")

	e.keys("q")
	e.wait("Leave?", "stop and write a snapshot")
	e.keys("s")
	if code := e.end(); code != 0 {
		t.Errorf("exit status %d: %s", code, lastLines(e.sent()))
	}
	if !strings.HasSuffix(strings.TrimRight(e.sent(), "\r\n"), "l") && !strings.Contains(e.sent(), "\x1b[?1049l") {
		t.Error("the alternate screen was not left")
	}
	if _, err := os.Stat(filepath.Join(dir, "run_iter_3.solverstate")); err != nil {
		t.Error(err)
	}

	e = start(t, dir, 120, 36, "solver.prototxt", "--resume", "--paused")
	e.wait("PAUSED", "3/1,000", "0.674")
	if m := sparsity.FindStringSubmatch(e.screen()); m == nil || m[1] == "0.0" {
		t.Errorf("the masks did not come back:\n%s", e.screen())
	}
	e.endRun("")
}

// SIGTERM and SIGINT write a snapshot, restore the terminal and end with 0.
func TestSignals(t *testing.T) {
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		dir := folder(t, "max_iter: 1000000")
		e := start(t, dir, 80, 24, "solver.prototxt")
		e.wait("/1,000,000", "it/s")
		if err := e.cmd.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		if code := e.end(); code != 0 {
			t.Errorf("%v: exit status %d", sig, code)
		}
		if !strings.Contains(e.sent(), "\x1b[?1049l") {
			t.Errorf("%v: the alternate screen was not left", sig)
		}
		if files, _ := filepath.Glob(filepath.Join(dir, "run_iter_*.solverstate")); len(files) != 1 {
			t.Errorf("%v: %d snapshots, wanted 1", sig, len(files))
		}
	}
}

// A hangup writes a snapshot and the run goes on without a terminal, to its end.
func TestHangup(t *testing.T) {
	for _, how := range []string{"signal", "closed"} {
		dir := folder(t, "max_iter: 400")
		e := start(t, dir, 80, 24, "solver.prototxt")
		e.wait("/400", "conv1")
		if how == "signal" {
			e.cmd.Process.Signal(syscall.SIGHUP)
		} else {
			e.pty.Close()
		}
		e.end()
		untilFile(t, filepath.Join(dir, "run_iter_400.solverstate"))
		untilNoRun(t)
	}
}

// A terminal that stops reading does not stop training; when it reads again the screen is right.
func TestStalledTerminal(t *testing.T) {
	dir := folder(t, "max_iter: 600 snapshot: 600")
	e := start(t, dir, 200, 60, "solver.prototxt")
	e.wait("/600", "conv1")
	stall := make(chan struct{})
	go func() {
		e.gate.Lock() // once the read in hand returns, nothing is read
		close(stall)
	}()
	<-stall
	untilFile(t, filepath.Join(dir, "run_iter_600.solverstate"))
	e.gate.Unlock()
	e.wait("600/600", "finished")
	e.endRun("")
}

// Any size, and a storm of sizes, is survived.
func TestResizeStorm(t *testing.T) {
	dir := folder(t, "max_iter: 100000")
	e := start(t, dir, 1, 1, "solver.prototxt")
	for i := range 200 {
		w, h := 1+(i*37)%180, 1+(i*23)%60
		if i == 199 {
			w, h = 100, 30
		}
		e.emu.Resize(w, h)
		if err := pty.Setsize(e.pty, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)}); err != nil {
			t.Fatal(err)
		}
	}
	e.wait("dns-tui", "Layers", "conv1", "q quit")
	e.endRun("")
}

// NO_COLOR and a terminal without colours get none.
func TestNoColor(t *testing.T) {
	t.Setenv("NO_COLOR", "1")
	e := start(t, folder(t, "max_iter: 100000"), 80, 24, "solver.prototxt", "--ascii")
	e.wait("conv1", "it/s")
	if m := regexp.MustCompile(`\x1b\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])[0-9;:]*m`).FindString(e.sent()); m != "" {
		t.Errorf("colour %q was sent under NO_COLOR", m)
	}
	e.keys("qaa")
	e.end()
}

// Mistakes end with a message on the screen that is left, and a status.
func TestMistakesInTheTerminal(t *testing.T) {
	dir := folder(t, "max_iter: 10")
	write(t, filepath.Join(dir, "bad.prototxt"), "net: \"none.prototxt\" base_lr: 1 lr_policy: \"fixed\" max_iter: 5")
	e := start(t, dir, 80, 24, "bad.prototxt")
	if code := e.end(); code != 1 || !strings.Contains(e.sent(), "none.prototxt: no such file") {
		t.Errorf("status %d: %q", code, e.sent())
	}
	write(
		t,
		filepath.Join(dir, "bad2.prototxt"),
		strings.ReplaceAll(read(t, filepath.Join(dir, "solver.prototxt")), `"run"`, `"no/such/folder/run"`),
	)
	e = start(t, dir, 80, 24, "bad2.prototxt")
	if code := e.end(); code != 1 || !strings.Contains(e.sent(), "snapshots cannot be written to no/such/folder") {
		t.Errorf("status %d: %q", code, e.sent())
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Without a terminal the same command prints progress lines.
func TestNoTerminal(t *testing.T) {
	dir := folder(t, "max_iter: 20 display: 10")
	c := exec.Command(binary, "solver.prototxt")
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, want := range []string{
		"iteration 0 of 20", "iteration 10  loss", "finished at iteration 20", "conv2            kept",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
}

// A run that is killed resumes from its last snapshot to exactly the weights of the undisturbed run.
func TestKilled(t *testing.T) {
	const extra = "max_iter: 300 snapshot: 20 average_loss: 10"
	whole := folder(t, extra)
	train := func(dir string, args ...string) *exec.Cmd {
		c := exec.Command(binary, append([]string{"train", "--solver", "solver.prototxt"}, args...)...)
		c.Dir = dir
		return c
	}
	if out, err := train(whole).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	killed := folder(t, extra)
	var args []string
	for kills := 0; ; kills++ {
		c := train(killed, args...)
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- c.Wait() }()
		// Kill it after its next snapshot has begun to appear: at another moment of the run each time.
		if kills < 4 {
			next := filepath.Join(killed, "run_iter_"+[]string{"20", "60", "100", "140"}[kills]+".caffemodel")
			poll(t, next, func() bool {
				select {
				case err := <-ended:
					t.Fatal("the run ended before it was killed:", err)
				default:
				}
				_, err := os.Stat(next)
				return err == nil
			})
			c.Process.Kill()
			if err := <-ended; err == nil {
				t.Fatal("the run ended before it was killed")
			}
			args = []string{"--resume"}
			if files, _ := filepath.Glob(filepath.Join(killed, "*.solverstate")); len(files) == 0 {
				args = nil
			}
			continue
		}
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
		break
	}
	const last = "run_iter_300.caffemodel"
	if read(t, filepath.Join(whole, last)) != read(t, filepath.Join(killed, last)) {
		t.Error("the weights differ from those of the undisturbed run")
	}
}

// Without a UI the signals do what Caffe's flags say.
func TestSignalEffects(t *testing.T) {
	dir := folder(t, "max_iter: 1000000 display: 1")
	c := exec.Command(
		binary,
		"train",
		"--solver",
		"solver.prototxt",
		"--sigint_effect",
		"snapshot",
		"--sighup_effect",
		"none",
	)
	c.Dir = dir
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer c.Process.Kill()
	lines := bufio.NewScanner(out)
	until := func(text string) {
		t.Helper()
		for lines.Scan() {
			if strings.Contains(lines.Text(), text) {
				return
			}
		}
		t.Fatalf("the output ended before %q", text)
	}
	until("iteration 3  loss")
	c.Process.Signal(syscall.SIGHUP)
	until("loss")
	c.Process.Signal(syscall.SIGINT)
	until("snapshot run_iter_")
	until("loss") // it goes on
	c.Process.Signal(syscall.SIGTERM)
	until("stopped at iteration")
	if err := c.Wait(); err != nil {
		t.Error(err)
	}
}

// lastLines is the end of what the program wrote.
func lastLines(s string) string { return s[max(0, len(s)-300):] }
