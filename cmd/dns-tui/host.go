package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model/remote"
	"dns-tui/model/session"
)

// A run with a UI trains in a process of its own, in a session of its own, so that the terminal may leave and come
// back, and nothing that happens to the UI happens to the run. The UI's end of a socket is its terminal's connection
// to it.

// hostFD is the descriptor at which a host finds the connection of the UI that started it.
const hostFD = 3

// Names of the commands that are processes of runs; nobody types them.
const (
	runHostName = "host"
	searchHost  = "host-search"
)

// guards is how many snapshots before risky changes a run keeps.
const guards = 3

// startHost starts the process of a run with the arguments of host, and attaches to it: the answer comes when net and
// weights are loaded. log gets what libraries and crashes print; interval is the time between two states.
func startHost(
	ctx context.Context,
	args []string,
	log string,
	interval time.Duration,
) (*remote.Client, *exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, nil, err
	}
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("the run's process cannot be started: %w", err)
	}
	mine, theirs := os.NewFile(uintptr(fds[0]), "run"), os.NewFile(uintptr(fds[1]), "ui")
	defer mine.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		theirs.Close()
		return nil, nil, err
	}
	c := exec.Command(self, args...)
	c.Args[0] = config.Program // what it tells people to type
	c.ExtraFiles = []*os.File{theirs}
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	f, err := openLog(log)
	if err != nil {
		theirs.Close()
		conn.Close()
		return nil, nil, err
	}
	defer f.Close()
	c.Stdout, c.Stderr = f, f
	err = c.Start()
	theirs.Close()
	if err != nil {
		conn.Close()
		return nil, nil, fmt.Errorf("the run's process cannot be started: %w", err)
	}
	client, err := remote.NewClient(ctx, conn, remote.ClientOptions{Name: viewerName(), Interval: interval})
	if err != nil {
		var refused *remote.RefusedError
		if !errors.As(err, &refused) && ctx.Err() == nil {
			err = fmt.Errorf("the run's process ended before it began%s", logTail(log))
		}
		c.Process.Kill()
		_ = c.Wait() // killed
		return nil, nil, err
	}
	return client, c, nil
}

// logStart begins the line of a log that says where a start begins.
const logStart = "--- dns-tui "

// openLog opens a run's log behind what earlier starts wrote, and writes a line that says where this one begins.
func openLog(path string) (*os.File, error) {
	f, err := files.OpenAppend(path)
	if err != nil {
		return nil, caffe.NotWritten(path, err)
	}
	fmt.Fprintf(f, "%s%s started at %s\n", logStart, version, time.Now().Format(time.RFC3339))
	return f, nil
}

// logTail is the last line of a log since the last start, for a process that can no longer say itself what happened.
func logTail(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	end, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	data, err := io.ReadAll(io.NewSectionReader(f, max(0, end-1<<16), 1<<16))
	text := strings.TrimSpace(string(data))
	line := text[strings.LastIndexByte(text, '\n')+1:]
	if err != nil || line == "" || strings.HasPrefix(line, logStart) {
		return ""
	}
	return ": " + line + " (" + path + ")"
}

// viewerName says who watches: "anna on pts/3".
func viewerName() string {
	name := os.Getenv("USER")
	if name == "" {
		name = fmt.Sprint("user ", os.Getuid())
	}
	if tty, err := os.Readlink("/proc/self/fd/0"); err == nil {
		name += " on " + strings.TrimPrefix(tty, "/dev/")
	}
	return name
}

// hostLog is where the process of a run writes what is no part of the run.
func hostLog(run *config.Run) string { return run.SnapshotPrefix() + ".log" }

// hosted is a run in the process of a host.
type hosted struct {
	*session.Trainer
	// search steers it, where it is of a search.
	search   func(ctx context.Context) error
	closeAll func()
}

// runHost is the process of a run that a UI started. It has no terminal.
func runHost(ctx context.Context, e *env, args []string) error {
	return serveHost(ctx, e, func() (*hosted, error) { return openHost(e, args) })
}

// runSearchHost is that of a search.
func runSearchHost(ctx context.Context, e *env, args []string) error {
	return serveHost(ctx, e, func() (*hosted, error) { return openSearchHost(e, args) })
}

// serveHost opens a run, and shows it to the UI that started it and to others until it ends.
func serveHost(ctx context.Context, e *env, open func() (*hosted, error)) error {
	conn, err := net.FileConn(os.NewFile(hostFD, "ui"))
	if err != nil {
		return usagef("host: is started by the UI alone")
	}
	syscall.CloseOnExec(hostFD)
	signal.Ignore(syscall.SIGHUP, syscall.SIGPIPE)
	t, err := open()
	if err != nil {
		return errors.Join(err, remote.Refuse(conn, escape.Error(err)))
	}
	defer t.closeAll()
	server := remote.NewServer(t, remote.RunName(t.Snapshot().Path), version) // the name that its lock has
	if err := server.Listen(); err != nil {
		t.Notice("nobody can attach to this run: " + err.Error())
		escape.Fprintln(e.stderr, "dns-tui:", err)
	}
	server.ServeConn(conn)
	exitIfRepeated := exitOnRepeatedSIGTERM(e)
	signals(ctx, func(s os.Signal) {
		exitIfRepeated(s)
		go func() { _ = stopSaved(ctx, t) }() // t.Err says how the run ended
	}, func() {})
	t.Start()
	over := finished
	if t.search != nil {
		over = searched
		if err := t.search(ctx); err != nil { // how the run does is on the screen
			escape.Fprintln(e.stderr, "dns-tui:", err)
		}
	}
	endUnattended(ctx, t.Trainer, server, over)
	server.Close()
	return t.Err()
}

// openHost makes the run of a host.
func openHost(e *env, args []string) (*hosted, error) {
	f, _, run, err := parseUI(e, args)
	if err != nil {
		return nil, err
	}
	return newHosted(e, &f, "ui", args, run, func(d *gpu.Device, o session.Options) (*session.Trainer, error) {
		o.Interactive, o.Paused, o.StopOnCollapse = true, f.paused, f.stopOnCollapse
		o.Autopilot, o.Guard = f.autopilot, guards
		t, err := session.NewTrainer(run, d, o)
		return t, adviseInput(err)
	})
}

// openSearchHost makes the run of a search's host.
func openSearchHost(e *env, args []string) (*hosted, error) {
	s, err := parseSearch(e, args)
	if err != nil {
		return nil, err
	}
	t, err := newHosted(e, &s.runFlags, "search", args, s.run, s.open)
	if err != nil {
		return nil, err
	}
	t.Notice(s.held.String())
	t.search = func(ctx context.Context) error {
		_, err := s.search(ctx, e, t.Trainer)
		return err
	}
	return t, nil
}

// newHosted opens a device and what debug_info goes to, and makes a run on them.
func newHosted(
	e *env,
	f *runFlags,
	command string,
	args []string,
	run *config.Run,
	open func(*gpu.Device, session.Options) (*session.Trainer, error),
) (*hosted, error) {
	c, err := f.joinRanks(command, args, e.stderr)
	if err != nil {
		return nil, err
	}
	if c.group != nil && c.local == nil {
		c.group.Fail("has no terminal")
		c.close()
		return nil, usagef(
			"%s has started %d ranks, and the UI is for one terminal: dns-tui train --serve trains, and "+
				"dns-tui attach shows it",
			c.place.Launcher,
			c.place.Size,
		)
	}
	d, notices, err := c.open(&f.device)
	if err != nil {
		c.close()
		return nil, err
	}
	h := &hosted{}
	debug, err := openDebug(run)
	if debug != nil {
		notices = append(notices, "debug_info goes to "+debug.Name())
	}
	if err == nil {
		h.Trainer, err = open(d, session.Options{
			Name: remote.RunName(run.SolverPath), Histograms: true, Notices: notices, Group: c.group,
			Debug: func(_ int, line string) { escape.Fprintln(debug, line) },
		})
	}
	h.closeAll = func() {
		debug.Close()
		c.close()
		d.Close()
	}
	if err != nil {
		if c.group != nil {
			c.group.Fail(collective.CannotGoOn + err.Error())
		}
		h.closeAll()
		return nil, err
	}
	return h, nil
}

// openDebug opens a file beside the snapshots for the lines of debug_info, which have no room on the screen; nil
// where the solver does not ask for them.
func openDebug(run *config.Run) (*os.File, error) {
	if !run.Solver.GetDebugInfo() {
		return nil, nil
	}
	path := run.SnapshotPrefix() + ".debug_info"
	f, err := files.OpenAppend(path)
	if err != nil {
		return nil, caffe.NotWritten(path, err)
	}
	return f, nil
}

// unattendedGrace is how long a run that has reached its last iteration waits for somebody to come back.
const unattendedGrace = 3 * time.Second

// finished reports a run that has reached its last iteration.
func finished(sn *session.Snapshot) bool { return sn.State == session.Finished }

// endUnattended waits for the run to end. One that is over stays for commands while somebody watches; then it ends, and
// the device is free.
func endUnattended(ctx context.Context, t *session.Trainer, server *remote.Server, over func(*session.Snapshot) bool) {
	var unattended time.Time
	for {
		select {
		case <-t.Done():
			return
		case <-time.After(500 * time.Millisecond):
		}
		sn := t.Snapshot()
		switch {
		// not saved yet
		case len(server.Viewers()) > 0 || !over(sn) || sn.WriteProblem != "":
			unattended = time.Time{}
		case unattended.IsZero():
			unattended = time.Now()
		case time.Since(unattended) > unattendedGrace:
			_, _ = t.Do(ctx, session.Command{Kind: session.Stop}) // fails only where it has ended
		}
	}
}

// stopSaved ends a run with a snapshot; where that cannot be written it ends without.
func stopSaved(ctx context.Context, s session.Session) error {
	_, err := s.Do(ctx, session.Command{Kind: session.Stop, Save: true})
	if err != nil && !errors.Is(err, session.ErrEnded) {
		_, _ = s.Do(ctx, session.Command{Kind: session.Stop}) // err says more
		return err
	}
	return nil
}
