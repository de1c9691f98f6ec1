package e2e

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	runName    = regexp.MustCompile(`attach (\S+)`)
	lineErased = regexp.MustCompile(`\x1b\[K[^\x1b]* goes on without`)
)

// detach leaves a run and returns its name.
func detach(t *testing.T, e *terminal) string {
	t.Helper()
	e.keys("d")
	if code := e.end(); code != 0 {
		t.Fatalf("detach: exit status %d: %s", code, lastLines(e.sent()))
	}
	m := runName.FindStringSubmatch(e.sent())
	if m == nil || !strings.Contains(e.sent(), "goes on without this terminal") {
		t.Fatalf("it is not said how to come back: %q", lastLines(e.sent()))
	}
	// In a terminal without an alternate screen, as GNU screen is by default, the UI's last line is still there.
	if !lineErased.MatchString(e.sent()) {
		t.Errorf("what is said at the end is written over the UI's last line: %q", lastLines(e.sent()))
	}
	return m[1]
}

// Where no socket can be made, the run says why while there is still somebody to read it, and does not let itself be
// left behind.
func TestNoWayBack(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DNS_TUI_RUNTIME_DIR", open)
	e := start(t, dir, 200, 30, "solver.prototxt")
	e.wait("it/s", "nobody can attach to this run")
	e.keys("J")
	e.wait("can be read by others (mode 755); wanted 700")
	e.keys("\x1b")
	e.wait("last surgery")
	e.keys("d")
	e.wait("could not be attached to")
	e.endRun("stopped at iteration")
}

// A person leaves, the run goes on and is listed; they come back, steer it, and end it.
func TestDetachAndAttach(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	e := start(t, dir, 100, 30, "solver.prototxt")
	e.wait("/1,000,000", "it/s")
	name := detach(t, e)
	if out := dns(t, "runs"); !strings.Contains(out, name) || !strings.Contains(out, "running") {
		t.Fatalf("the run is not listed:\n%s", out)
	}
	e = start(t, dir, 80, 24, "attach")
	e.wait("mini-lenet", "conv1", "it/s")
	e.keys(" ")
	e.wait("PAUSED")
	e.endRun("stopped at iteration")
	untilNoRun(t)
}

// A viewer who only watches changes nothing; two who steer see each other's changes.
func TestViewers(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	a := start(t, dir, 120, 36, "solver.prototxt", "--paused")
	a.wait("PAUSED")
	b := start(t, dir, 120, 36, "attach")
	b.wait("PAUSED", "2 viewers")
	r := start(t, dir, 120, 36, "attach", "--read-only")
	r.wait("PAUSED", "read-only")
	b.keys(":momentum 0.8\r")
	a.wait("momentum 0.9 → 0.8")
	a.keys(":momentum 0.7\r")
	b.wait("momentum 0.8 → 0.7")
	r.wait("momentum 0.8 → 0.7")
	r.keys("n")
	r.wait("this session is read-only")
	r.keys("q")
	r.wait("leave; the run goes on")
	r.keys("d")
	if code := r.end(); code != 0 {
		t.Errorf("read-only: exit status %d", code)
	}
	a.wait("2 viewers", "0/1,000,000")
	b.keys("qaa") // one ends the run; the other is told
	for _, e := range []*terminal{b, a} {
		if code := e.end(); code != 0 || !strings.Contains(e.sent(), "stopped at iteration 0") {
			t.Errorf("exit status %d: %s", code, lastLines(e.sent()))
		}
	}
}

// A terminal that is closed leaves its run, which can be attached to.
func TestClosedTerminal(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	e := start(t, dir, 80, 24, "solver.prototxt")
	e.wait("/1,000,000", "it/s")
	e.pty.Close()
	e.end()
	e = start(t, dir, 80, 24, "attach", "solver")
	e.wait("mini-lenet", "it/s")
	e.endRun("")
	untilNoRun(t)
}

// A UI that is killed takes nothing with it, and a run whose process is killed is said to be lost.
func TestKilledProcesses(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	e := start(t, dir, 80, 24, "solver.prototxt")
	e.wait("/1,000,000", "it/s")
	e.cmd.Process.Kill()
	e.end()
	e = start(t, dir, 80, 24, "attach")
	e.wait("it/s")
	if err := exec.Command("pkill", "-9", "-f", binary+" host").Run(); err != nil {
		t.Fatal(err)
	}
	if code := e.end(); code != 1 || !strings.Contains(e.sent(), "the connection to the run is lost at iteration") {
		t.Errorf("exit status %d: %s", code, lastLines(e.sent()))
	}
	if !strings.Contains(e.sent(), "to begin anew:") || !strings.Contains(e.sent(), " solver.prototxt") {
		t.Errorf("a run without a snapshot: %s", lastLines(e.sent()))
	}
	e = start(t, dir, 80, 24, "solver.prototxt")
	e.wait("it/s")
	e.keys("s")
	e.wait("_iter_")
	if err := exec.Command("pkill", "-9", "-f", binary+" host").Run(); err != nil {
		t.Fatal(err)
	}
	if code := e.end(); code != 1 || !strings.Contains(e.sent(), "the run's process ended at iteration") ||
		!strings.Contains(e.sent(), "go on with:") || !strings.Contains(e.sent(), "--resume") {
		t.Errorf("exit status %d: %s", code, lastLines(e.sent()))
	}
	if out := dns(t, "runs"); !strings.Contains(out, "no active runs") {
		t.Errorf("the dead run is still listed:\n%s", out)
	}
}

// A run without a UI can be attached to with --serve; what hostile clients send it changes nothing of what it computes.
func TestServeAndHostileClients(t *testing.T) {
	const extra = "max_iter: 600"
	plain := folder(t, extra)
	c := exec.Command(binary, "train", "--solver", "solver.prototxt")
	c.Dir = plain
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	served := folder(t, extra)
	c = exec.Command(binary, "train", "--solver", "solver.prototxt", "--serve")
	c.Dir = served
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	var sockets []string
	poll(t, "the socket", func() bool {
		sockets, _ = filepath.Glob(filepath.Join(os.Getenv("DNS_TUI_RUNTIME_DIR"), "*.sock"))
		return len(sockets) == 1
	})
	var open []net.Conn
	for i := range 40 { // more than it takes: garbage, silence, half a frame, far too much
		conn, err := net.Dial("unix", sockets[0])
		if err != nil {
			break // it has ended
		}
		open = append(open, conn)
		garbage := [][]byte{
			bytes.Repeat([]byte{0xfe}, 4096), nil, {200, 0, 0, 0, 1}, bytes.Repeat([]byte{0, 1, 0, 0}, 1<<14),
		}
		_, _ = conn.Write(garbage[i%len(garbage)]) // it may have hung up
	}
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	for _, conn := range open {
		conn.Close()
	}
	if !strings.Contains(out.String(), "to watch and steer: "+binary+" attach solver-") {
		t.Errorf("it is not said how to attach:\n%s", out.String())
	}
	if read(
		t,
		filepath.Join(plain, "run_iter_600.caffemodel"),
	) != read(
		t,
		filepath.Join(served, "run_iter_600.caffemodel"),
	) {
		t.Error("the weights are not those of a run that was left alone")
	}
}

// Preferences are taken in, wrong ones are told of with their line, and NO_COLOR counts whatever its value.
func TestPreferences(t *testing.T) {
	config := filepath.Join(os.Getenv("XDG_CONFIG_HOME"), "dns-tui", "preferences.prototxt")
	if err := os.MkdirAll(filepath.Dir(config), 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(config)
	write(t, config, "glyphs: ASCII\nbind { action: \"pause\" key: \"z\" }\n")
	if out := dns(t, "config"); !strings.Contains(out, "glyphs: ASCII") ||
		!regexp.MustCompile(`pause +z +pause, or go on`).MatchString(out) {
		t.Errorf("config prints\n%s", out)
	}
	t.Setenv("NO_COLOR", "please")
	e := start(t, folder(t, "max_iter: 1000000"), 80, 24, "solver.prototxt")
	e.wait("+ Layers ---", "it/s")
	e.keys("z")
	e.wait("PAUSED")
	e.keys("\x1b") // the footer again
	e.wait("? help")
	if m := regexp.MustCompile(`\x1b\[[0-9;]*(3[0-8]|4[0-8]|9[0-7])[0-9;:]*m`).FindString(e.sent()); m != "" {
		t.Errorf("colour %q was sent under NO_COLOR", m)
	}
	e.keys("qaa")
	e.end()
	for _, c := range []struct{ text, want string }{
		{"glyphs: ASCI\n", "preferences.prototxt:1: glyphs: "},
		{"theme: DARK\nrefresh: 5\n", "refresh is 5, wanted 100 to 60000"},
		{"bind { action: \"pase\" key: \"z\" }", `there is no action "pase"`},
		{"bind { action: \"pause\" key: \"q\" }", `key "q" is of both`}, {"colour: 1", "unknown field \"colour\""},
	} {
		write(t, config, c.text)
		out, err := exec.Command(binary, "config").CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.want) {
			t.Errorf("%q: %v, %s", c.text, err, out)
		}
	}
}

// A report of a run that ended, and of one that goes on.
func TestReport(t *testing.T) {
	dir := folder(t, "max_iter: 60")
	e := start(t, dir, 100, 30, "solver.prototxt", "--paused")
	e.wait("PAUSED")
	e.keys(":conv2.t 1.2\r")
	e.wait("pending conv2.threshold")
	e.keys(" ")
	e.wait("60/60", "finished")
	e.keys("qs")
	if code := e.end(); code != 0 {
		t.Fatalf("exit status %d: %s", code, lastLines(e.sent()))
	}
	c := exec.Command(binary, "report", "run.journal")
	c.Dir = dir
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	page := read(t, filepath.Join(dir, "run.html"))
	for _, want := range []string{"mini-lenet", "conv2.threshold", "<svg", "--replay", "1.2"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page has no %q", want)
		}
	}
	if regexp.MustCompile(`(src|href)=`).MatchString(page) {
		t.Error("the page loads something")
	}
	for _, line := range []string{"cp run.journal run.repeat.journal"} {
		if !strings.Contains(page, line) {
			t.Errorf("no recipe line %q", line)
		}
	}
	// The recipe repeats the run, bit for bit.
	repeat := folder(t, "max_iter: 60")
	write(t, filepath.Join(repeat, "run.repeat.journal"), read(t, filepath.Join(dir, "run.journal")))
	c = exec.Command(binary, "train", "--solver", "solver.prototxt", "--replay", "run.repeat.journal")
	c.Dir = repeat
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if read(
		t,
		filepath.Join(dir, "run_iter_60.caffemodel"),
	) != read(
		t,
		filepath.Join(repeat, "run_iter_60.caffemodel"),
	) {
		t.Error("the repeated run has other weights")
	}
}
