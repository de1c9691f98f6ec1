// Package e2e drives the real binary in a pseudo-terminal.
package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"
	"github.com/creack/pty"
)

var binary string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dns-tui-e2e")
	if err != nil {
		panic(err)
	}
	binary = filepath.Join(dir, "dns-tui")
	out, err := exec.Command("go", "build", "-o", binary, "../cmd/dns-tui").CombinedOutput()
	if err != nil {
		fmt.Fprintf(os.Stderr, "%s", out)
		os.Exit(1)
	}
	// Sockets of its own: a person's runs are left alone.
	os.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(dir, "run"))
	os.Setenv("XDG_CONFIG_HOME", filepath.Join(dir, "config"))
	os.Setenv("XDG_STATE_HOME", filepath.Join(dir, "state"))
	os.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}

// background starts the program without a terminal. What it prints may be read when it has ended, which ended tells.
func background(t testing.TB, dir string, args ...string) (c *exec.Cmd, out *bytes.Buffer, ended <-chan error) {
	t.Helper()
	c, out = exec.Command(binary, args...), &bytes.Buffer{}
	c.Dir, c.Stdout, c.Stderr = dir, out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- c.Wait() }()
	return c, out, done
}

// patience bounds every wait. Nothing is timed: a wait ends as soon as what it waits for is there.
const patience = 60 * time.Second

// terminal is the program with a screen and a keyboard.
type terminal struct {
	t       testing.TB
	cmd     *exec.Cmd
	pty     *os.File
	emu     *vt.SafeEmulator
	changed chan struct{}
	exited  chan error
	bytes   atomic.Int64
	deaf    atomic.Bool  // reads, and draws nothing
	gate    sync.RWMutex // held while the terminal does not read
	tail    bytes.Buffer
	tailMu  sync.Mutex
}

// start runs the binary in a terminal of w by h cells.
func start(t testing.TB, dir string, w, h int, args ...string) *terminal {
	t.Helper()
	c := exec.Command(binary, args...)
	c.Dir = dir
	c.Env = append(os.Environ(), "TERM=xterm-256color", "LC_ALL=C.UTF-8", "COLORTERM=truecolor")
	f, err := pty.StartWithSize(c, &pty.Winsize{Rows: uint16(h), Cols: uint16(w)})
	if err != nil {
		t.Fatal(err)
	}
	term := &terminal{
		t:       t,
		cmd:     c,
		pty:     f,
		emu:     vt.NewSafeEmulator(w, h),
		changed: make(chan struct{}, 1),
		exited:  make(chan error, 1),
	}
	go func() { _, _ = io.Copy(f, term.emu) }() // the terminal's answers to queries, until it is closed
	go term.read()
	t.Cleanup(func() {
		c.Process.Kill()
		f.Close()
		_ = exec.Command("pkill", "-9", "-f", binary+" host").Run() // the run of a test that failed
	})
	return term
}

func (e *terminal) read() {
	buf := make([]byte, 1<<16)
	for {
		e.gate.RLock()
		n, err := e.pty.Read(buf)
		e.gate.RUnlock()
		e.bytes.Add(int64(n))
		if !e.deaf.Load() {
			_, _ = e.emu.Write(buf[:n]) // never fails
			e.tailMu.Lock()
			e.tail.Write(buf[:n])
			e.tailMu.Unlock()
		}
		select {
		case e.changed <- struct{}{}:
		default:
		}
		if err != nil {
			e.exited <- e.cmd.Wait()
			return
		}
	}
}

// sent is everything that the program wrote.
func (e *terminal) sent() string {
	e.tailMu.Lock()
	defer e.tailMu.Unlock()
	return e.tail.String()
}

func (e *terminal) screen() string { return ansi.Strip(e.emu.Render()) }

// keys types.
func (e *terminal) keys(s string) {
	e.t.Helper()
	if _, err := e.pty.WriteString(s); err != nil {
		e.t.Fatal(err)
	}
}

// wait waits until the screen shows every text.
func (e *terminal) wait(texts ...string) {
	e.t.Helper()
	e.until(fmt.Sprintf("%q", texts), func(s string) bool {
		for _, w := range texts {
			if !strings.Contains(s, w) {
				return false
			}
		}
		return true
	})
}

func (e *terminal) until(what string, ok func(screen string) bool) {
	e.t.Helper()
	deadline := time.After(patience)
	for {
		if ok(e.screen()) {
			return
		}
		select {
		case <-e.changed:
		case <-deadline:
			e.t.Fatalf("the screen never showed %s:\n%s", what, e.screen())
		case err := <-e.exited:
			e.t.Fatalf("the program ended (%v) before the screen showed %s:\n%s", err, what, e.sent())
		}
	}
}

// line returns the first line of the screen with a text.
func (e *terminal) line(text string) string {
	for l := range strings.SplitSeq(e.screen(), "\n") {
		if strings.Contains(l, text) {
			return l
		}
	}
	return ""
}

// endRun ends the run from its UI. The program is to succeed, and to have said something; "" is anything.
func (e *terminal) endRun(said string) {
	e.t.Helper()
	e.keys("qaa")
	if code := e.end(); code != 0 || !strings.Contains(e.sent(), said) {
		e.t.Errorf("exit status %d: %s; wanted %q", code, lastLines(e.sent()), said)
	}
}

// end waits for the program and returns its exit status.
func (e *terminal) end() int {
	e.t.Helper()
	select {
	case err := <-e.exited:
		if x, ok := errors.AsType[*exec.ExitError](err); ok {
			return x.ExitCode()
		}
		if err != nil {
			e.t.Fatal(err)
		}
		return 0
	case <-time.After(patience):
		e.t.Fatalf("the program does not end:\n%s", e.screen())
		return -1
	}
}

// oracle is the folder of the reference runs.
func oracle(t testing.TB) string {
	t.Helper()
	p, err := filepath.Abs("../testdata/oracle/solvers")
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// folder makes a run of the small reference net in a folder of its own, with extra lines in its solver.
func folder(t testing.TB, extra string) string {
	t.Helper()
	dir := t.TempDir()
	net, err := os.ReadFile(filepath.Join(oracle(t), "dns_seed_mini.net.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	text := strings.ReplaceAll(string(net), `"mnist1280_lmdb"`, `"`+filepath.Join(oracle(t), "mnist1280_lmdb")+`"`)
	write(t, filepath.Join(dir, "net.prototxt"), text)
	write(
		t,
		filepath.Join(dir, "solver.prototxt"),
		`net: "net.prototxt" base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: "fixed" random_seed: 7
surgery_iter_gamma: 0 snapshot_prefix: "run" `+extra,
	)
	return dir
}

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// dns runs a command of the program without a terminal.
func dns(t testing.TB, args ...string) string {
	t.Helper()
	out, err := exec.Command(binary, args...).CombinedOutput()
	if err != nil {
		t.Fatalf("dns-tui %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// poll looks again until something is so: what happens in another process has nothing to wait on.
func poll(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

func untilFile(t testing.TB, path string) {
	t.Helper()
	poll(t, path, func() bool { _, err := os.Stat(path); return err == nil })
}

// untilNoRun waits until no run goes on.
func untilNoRun(t testing.TB) {
	t.Helper()
	poll(t, "no run goes on", func() bool { return strings.Contains(dns(t, "runs"), "no active runs") })
}
