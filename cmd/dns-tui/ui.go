package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	tea "charm.land/bubbletea/v2"
	"golang.org/x/term"

	"dns-tui/config"
	"dns-tui/model"
	"dns-tui/tui"
)

func runUI(ctx context.Context, e *env, args []string) error {
	var f runFlags
	fs := newFlags(e, "ui")
	f.add(fs)
	ascii := fs.Bool("ascii", false, "draw with ASCII characters only (default: where the locale is not UTF-8)")
	paused := fs.Bool("paused", false, "wait for a key before the first iteration")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	run, err := f.load("ui", rest)
	if err != nil {
		return err
	}
	out, ok := e.stdout.(*os.File)
	if !ok || !term.IsTerminal(int(out.Fd())) || !term.IsTerminal(int(e.stdin.Fd())) {
		d, err := f.device.open(e)
		if err != nil {
			return err
		}
		defer d.Close()
		return trainLines(ctx, e, run, d, effects{"stop", "snapshot"})
	}
	if err := f.device.check(); err != nil {
		return err
	}
	u := &uiRun{}
	app := tui.New(tui.Options{
		Name: filepath.Base(run.SolverPath), ASCII: *ascii || !utf8Locale(),
		Open: func() (model.Session, error) {
			// In the background, like the nets and their weights: the first frame waits for none of it.
			d, notices, err := f.device.make()
			if err != nil {
				return nil, err
			}
			debug, err := openDebug(run)
			if debug != nil {
				notices = append(notices, "debug_info goes to "+debug.Name())
			}
			var t *model.Trainer
			if err == nil {
				t, err = model.NewTrainer(run, d, model.SessionOptions{Interactive: true, Histograms: true, Paused: *paused, Notices: notices,
					Debug: func(line string) { fmt.Fprintln(debug, line) }})
			}
			if err != nil {
				debug.Close()
				d.Close()
				return nil, err
			}
			go func() {
				<-t.Done()
				debug.Close()
				d.Close()
			}()
			u.set(t)
			t.Start()
			return t, nil
		},
	})
	return u.drive(ctx, e, run, app)
}

// openDebug opens a file beside the snapshots for the lines of debug_info, which have no room on the screen; nil where the
// solver does not ask for them.
func openDebug(run *config.Run) (*os.File, error) {
	if !run.Solver.GetDebugInfo() {
		return nil, nil
	}
	return os.Create(run.SnapshotPrefix() + ".debug_info")
}

// uiRun is a run with a terminal on it, which may go away.
type uiRun struct {
	mu      sync.Mutex
	trainer *model.Trainer
	stopErr error // of a signal's snapshot; read after the trainer is done
}

func (u *uiRun) set(t *model.Trainer) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.trainer = t
}

func (u *uiRun) get() *model.Trainer {
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.trainer
}

// patience is how long the UI may take to leave the terminal before it is made to.
const patience = 2 * time.Second

// drive runs the UI until it quits. A signal stops the run with a snapshot; a hangup, or a terminal that is gone,
// leaves it to go on alone.
func (u *uiRun) drive(ctx context.Context, e *env, run *config.Run, app *tui.App) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	p := tea.NewProgram(app, tea.WithoutSignalHandler(), tea.WithFPS(30))
	leave := func() {
		// Quit waits for the program's loop, which a stalled terminal can hold up.
		time.AfterFunc(patience, p.Kill)
		p.Quit()
	}
	hungUp := make(chan struct{})
	var once sync.Once
	signals(ctx, func(os.Signal) {
		go func() {
			if t := u.get(); t != nil {
				u.stopErr = stopSaved(ctx, t)
				<-t.Done()
			}
			leave()
		}()
	}, func() {
		once.Do(func() { close(hungUp) })
		go func() {
			if t := u.get(); t != nil {
				go t.Do(ctx, model.Command{Kind: model.SnapshotNow})
			}
			p.Kill()
		}()
	})
	_, err := p.Run()
	t := u.get()
	if t == nil {
		if app.Err() != nil {
			return app.Err()
		}
		return err
	}
	select {
	case <-hungUp:
		return goOnAlone(t)
	default:
	}
	if err != nil && !t.Snapshot().State.Ended() {
		// The terminal went away without a signal, or the UI failed: neither is a reason to lose the run.
		fmt.Fprintf(e.stderr, "dns-tui: the UI ended (%v); training goes on without it\n", err)
		return goOnAlone(t)
	}
	if t.Snapshot().State == model.Failed {
		return t.Err()
	}
	if !t.Snapshot().State.Ended() || t.Snapshot().State == model.Finished {
		t.Do(ctx, model.Command{Kind: model.Stop})
	}
	<-t.Done()
	printSummary(e, run, t.Snapshot())
	return u.stopErr
}

// stopSaved ends a run with a snapshot; where that cannot be written it ends without.
func stopSaved(ctx context.Context, t *model.Trainer) error {
	_, err := t.Do(ctx, model.Command{Kind: model.Stop, Save: true})
	if err != nil && !errors.Is(err, model.ErrEnded) {
		t.Do(ctx, model.Command{Kind: model.Stop})
		return err
	}
	return nil
}

// goOnAlone trains to the end without a terminal: after the last iteration nobody is there to give commands.
func goOnAlone(t *model.Trainer) error {
	for !t.Snapshot().State.Ended() {
		if t.Snapshot().State == model.Paused {
			if t.Snapshot().Problem != "" {
				// A run that paused itself over a bad loss would wait for ever.
				stopSaved(context.Background(), t)
				break
			}
			t.Do(context.Background(), model.Command{Kind: model.Resume})
		}
		select {
		case <-t.Done():
		case <-time.After(time.Second):
		}
	}
	if t.Snapshot().State == model.Finished {
		t.Do(context.Background(), model.Command{Kind: model.Stop})
	}
	<-t.Done()
	return t.Err()
}

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
