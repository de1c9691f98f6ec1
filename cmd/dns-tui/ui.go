package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"syscall"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"
	"golang.org/x/term"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/model/remote"
	"dns-tui/model/session"
	"dns-tui/tui"
)

// uiFlags are the flags of ui alone.
type uiFlags struct {
	ascii   bool
	compare string
}

func (u *uiFlags) add(fs *flag.FlagSet) {
	fs.BoolVar(&u.ascii, "ascii", false, "draw with ASCII characters only (default: where the locale is not UTF-8)")
	fs.StringVar(
		&u.compare,
		"compare",
		"",
		"journals of other runs, separated by commas: their curves are drawn beside this one's",
	)
}

// parseUI reads the arguments of ui, for the UI and for the process of its run.
func parseUI(e *env, args []string) (f runFlags, u uiFlags, run *config.Run, err error) {
	fs := newFlags(e, "ui")
	f.add(fs)
	u.add(fs)
	rest, err := parse(fs, args)
	if err == nil {
		run, err = f.load("ui", rest)
		e.resumeFlags = f.resumeFlags()
	}
	return f, u, run, err
}

func runUI(ctx context.Context, e *env, args []string) error {
	f, u, run, err := parseUI(e, args)
	if err != nil {
		return err
	}
	if why := noTerminal(e); why != "" {
		escape.Fprintf(e.stderr, "dns-tui: no UI, progress lines: %s\n", why)
		return f.train(ctx, e, "ui", args, run, linesOptions{
			effects: effects{"stop", "snapshot"}, paused: f.paused, stopOnCollapse: f.stopOnCollapse,
			autopilot: f.autopilot,
		})
	}
	if err := f.device.check(); err != nil {
		return err
	}
	return driveHost(ctx, e, run, u, append([]string{runHostName}, args...), nil)
}

// driveHost runs the UI on a run that the program starts with args in a process of its own. stopped says what became of
// one that was stopped; nil is with its summary.
func driveHost(
	ctx context.Context,
	e *env,
	run *config.Run,
	u uiFlags,
	args []string,
	stopped func(*session.Snapshot) error,
) error {
	loading, stopLoading := context.WithCancel(ctx)
	defer stopLoading()
	v := &viewer{starts: true, opened: make(chan struct{}), stopLoading: stopLoading, stopped: stopped}
	opts, err := uiOptions(u.ascii, u.compare)
	if err != nil {
		return err
	}
	opts.Name, opts.Journals = filepath.Base(run.SolverPath), journals(v.folder)
	opts.Open = func() (session.Session, error) {
		// In the background: the first frame waits for none of it.
		defer close(v.opened)
		if err := run.CheckSnapshotFolder(); err != nil { // before its log is opened there
			return nil, err
		}
		c, process, err := startHost(loading, args, hostLog(run), opts.Preferences.RefreshTime())
		if err != nil {
			return nil, err
		}
		v.set(c, process)
		return c, nil
	}
	app, err := tui.New(opts)
	if err != nil {
		return err
	}
	return v.drive(ctx, e, app)
}

// noTerminal says why no UI can be drawn; "" where one can.
func noTerminal(e *env) string {
	out := fileOf(e.stdout)
	switch {
	case out == nil || !term.IsTerminal(int(out.Fd())):
		return "standard output is not a terminal"
	case !term.IsTerminal(int(e.stdin.Fd())):
		return "standard input is not a terminal"
	case os.Getenv("TERM") == "dumb":
		return "TERM is dumb: the terminal cannot place a cursor"
	}
	return ""
}

// viewer is a terminal that watches a run.
type viewer struct {
	starts      bool          // it started the run
	opened      chan struct{} // of a viewer that starts one: closed when that has begun, or failed to
	stopLoading func()
	stopped     func(*session.Snapshot) error // says what became of a run that was stopped; nil: its summary

	mu      sync.Mutex
	client  *remote.Client
	process *exec.Cmd // of the run; nil where another started it
	dir     string    // the run's working folder, where another started it
	stopErr error     // of a signal's snapshot
	signals int       // that were to end it
	hungUp  bool
}

func (v *viewer) set(c *remote.Client, process *exec.Cmd) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.client, v.process = c, process
	if process == nil {
		v.dir = folderOf(c.Pid())
	}
}

// folder is the working folder of a run that another process started, "" of one that was started here.
func (v *viewer) folder() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.dir
}

func (v *viewer) get() *remote.Client {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.client
}

// leaveTimeout is how long the UI may take to leave the terminal before it is made to, and answerTime how long a run
// may take to stop before it is left to itself: the command stays with it.
const (
	leaveTimeout = 2 * time.Second
	answerTime   = 10 * time.Second
)

// drive runs the UI until it quits. At the terminal that started the run a signal stops it with a snapshot; a hangup,
// or a terminal that is gone, leaves it to continue alone, as a signal does at a terminal that attached. A run that
// does not answer keeps nobody: a second signal, and SIGQUIT, leave at once.
func (v *viewer) drive(ctx context.Context, e *env, app *tui.App) error {
	// A viewer is small, and shares its machine with the training: it collects less often than Go would.
	debug.SetGCPercent(400)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(app, append(app.ProgramOptions(os.Stdout), tea.WithoutSignalHandler())...)
	leave := func() {
		// Quit waits for the program's loop, which a stalled terminal can hold up.
		time.AfterFunc(leaveTimeout, p.Kill)
		p.Quit()
	}
	signals(ctx, func(s os.Signal) { go v.signalled(ctx, leave) }, func() { go v.hangUp(ctx, p) })
	quit := make(chan os.Signal, 1)
	signal.Notify(quit, syscall.SIGQUIT)
	defer signal.Stop(quit)
	go func() {
		select {
		case <-quit:
			leave()
		case <-ctx.Done():
		}
	}()
	_, err := p.Run()
	// Where there is no alternate screen (GNU screen, by default), what follows would be written over the last line.
	_, _ = io.WriteString(os.Stdout, ansi.EraseLineRight)
	if v.starts && !app.Opened() && v.endLoading() {
		return app.Err()
	}
	c := v.get()
	if c == nil {
		if app.Err() != nil {
			return app.Err()
		}
		return err
	}
	return v.end(e, c, app)
}

// signalled stops the run of the terminal that started it, with a snapshot, and leaves.
func (v *viewer) signalled(ctx context.Context, leave func()) {
	v.mu.Lock()
	v.signals++
	c, again := v.client, v.signals > 1
	v.mu.Unlock()
	if c == nil || !v.starts || again {
		leave()
		return
	}
	ctx, cancel := context.WithTimeout(ctx, answerTime)
	defer cancel()
	err := stopSaved(ctx, c)
	if err == nil {
		select {
		case <-c.Gone():
		case <-ctx.Done():
		}
	} else if ctx.Err() != nil {
		err = fmt.Errorf(
			"the run does not answer: it was asked to stop with a snapshot, and does when it can (process %d)", c.Pid(),
		)
	}
	v.mu.Lock()
	v.stopErr = err
	v.mu.Unlock()
	leave()
}

// endLoading ends the process of a run that has not begun, for a viewer that does not wait for it, and reports
// whether it did: a terminal that is gone leaves it to begin.
func (v *viewer) endLoading() bool {
	v.mu.Lock()
	hungUp := v.hungUp
	v.mu.Unlock()
	if hungUp {
		return false
	}
	v.stopLoading() // kills it
	select {
	case <-v.opened:
	case <-time.After(leaveTimeout):
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.process != nil { // it began in this moment
		v.process.Process.Kill()
		_ = v.process.Wait() // killed
		v.client.Close()
	}
	return true
}

// hangUp leaves a terminal that is gone. The run continues, after a snapshot.
func (v *viewer) hangUp(ctx context.Context, p *tea.Program) {
	v.mu.Lock()
	v.hungUp = true
	v.mu.Unlock()
	if c := v.get(); c != nil {
		ctx, cancel := context.WithTimeout(ctx, leaveTimeout)
		defer cancel()
		_, _ = c.Do(ctx, session.Command{Kind: session.SnapshotNow}) // nobody is there to be told
	}
	p.Kill()
}

// end says what became of the run after the UI.
func (v *viewer) end(e *env, c *remote.Client, app *tui.App) error {
	v.mu.Lock()
	stopErr, signals := v.stopErr, v.signals
	v.mu.Unlock()
	if app.Stopped() || signals == 1 && v.starts {
		select {
		case <-c.Gone():
		case <-time.After(leaveTimeout):
		}
	}
	s := c.Snapshot()
	select {
	case <-c.Gone():
	default:
		c.Close()
		what := "goes on without this terminal"
		if app.StopSent() {
			what = "was told to stop and has not answered yet"
		}
		escape.Fprintf(e.stdout, "%s %s, at iteration %d of %d", s.Net, what, s.Iter, s.MaxIter)
		if s.State == session.Paused {
			escape.Fprintf(e.stdout, ": it is paused")
		}
		escape.Fprintf(e.stdout, "\ncome back with: %s\n", commandLine("attach", c.Run()))
		return stopErr
	}
	status := v.wait()
	if s.State != session.Stopped {
		v.sayGoOn(e, c.Pid(), c.Run(), s)
	}
	switch {
	case s.State == session.Failed:
		return problem(s.Problem)
	case s.State == session.Stopped && v.stopped != nil:
		return errors.Join(v.stopped(s), stopErr)
	case s.State == session.Stopped:
		printSummary(e, v.dir, s)
		return stopErr
	case status != nil:
		return fmt.Errorf("the run's process ended at iteration %d (%v)%s", s.Iter, status, logTail(s.Prefix+".log"))
	}
	return fmt.Errorf("the connection to the run is lost at iteration %d: %v", s.Iter, c.Err())
}

// sayGoOn says how to go on with a run whose connection ended before it was stopped.
func (v *viewer) sayGoOn(e *env, pid int, run string, s *session.Snapshot) {
	switch alive := folderOf(pid) != ""; { // one that is killed and not yet buried has none
	case v.process == nil && alive && s.State != session.Failed:
		escape.Fprintf(e.stdout, "its process is there; come back with: %s\n", commandLine("attach", run))
	case v.stopped != nil: // a search, which has a command of its own
		escape.Fprintf(e.stdout, "the same command goes on with it\n")
	default:
		printResume(e, v.dir, s)
	}
}

// wait waits for the process of a run whose connection has ended.
func (v *viewer) wait() error {
	if v.process == nil {
		return nil
	}
	status := make(chan error, 1)
	go func() { status <- v.process.Wait() }()
	select {
	case err := <-status:
		return err
	case <-time.After(answerTime):
		return fmt.Errorf("process %d does not end", v.process.Process.Pid)
	}
}

// problem is why a run ended, in its own words.
type problem string

func (p problem) Error() string { return string(p) }

// MultiLine says that the line ends in it are the run's: see escape.Error.
func (problem) MultiLine() {}

// utf8Locale reports whether the terminal's locale is UTF-8, by the order in which the C library looks.
func utf8Locale() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v := os.Getenv(name); v != "" {
			v = strings.ToLower(v)
			return strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
		}
	}
	return false
}
