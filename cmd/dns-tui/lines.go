package main

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// form is how a run without a UI tells of itself on standard output. It is called by one goroutine, but for debug,
// which the training loop calls.
type form interface {
	// begin comes first; attach is what a viewer types, or "".
	begin(s *session.Snapshot, attach string)
	event(ev session.Event)
	// end comes last; err is why the run failed, or nil, and lost how many events found no room.
	end(s *session.Snapshot, err error, lost int)
	// debug is a line of the solver's debug_info, of an iteration.
	debug(iter int, line string)
}

// plainLines are lines for people and logs: those of iterations have columns.
type plainLines struct {
	*env
	testLoss bool // tests tell the objective (test_compute_loss)
	width    int  // of "iteration N", so that what follows stands in a column
}

func iteration(n int) string { return fmt.Sprintf("iteration %d", n) }

func (p *plainLines) begin(s *session.Snapshot, attach string) {
	if attach != "" {
		escape.Fprintf(p.stdout, "to watch and steer: %s\n", attach)
	}
	p.width = len(iteration(s.MaxIter))
	announce(p.env, s)
}

// line prints what is told of an iteration.
func (p *plainLines) line(iter int, text string) {
	escape.Fprintf(p.stdout, "%*s  %s\n", p.width, iteration(iter), text)
}

func (p *plainLines) event(ev session.Event) {
	switch what := ev.What.(type) {
	case session.Progress:
		p.line(what.Iter, progressColumns(what))
	case session.TestDone:
		p.line(ev.Iter, ev.String())
		for _, t := range what.Results {
			if p.testLoss {
				p.line(ev.Iter, fmt.Sprintf("test loss %.6g", t.Loss))
			}
		}
	default:
		p.line(ev.Iter, ev.String())
	}
}

func (p *plainLines) debug(_ int, line string) { escape.Fprintln(p.stdout, line) }

func (p *plainLines) end(s *session.Snapshot, err error, lost int) {
	if lost > 0 {
		escape.Fprintf(p.stdout, "%d lines were lost: the output was too slow\n", lost)
	}
	if err == nil { // else the error says it
		printSummary(p.env, "", s)
	}
}

// progressColumns is what a display line says, in columns of one width throughout a run. What is not known is a dash.
func progressColumns(p session.Progress) string {
	text := fmt.Sprintf("loss %-11s  lr %-9s", fmt.Sprintf("%.6g", p.Loss), fmt.Sprintf("%.4g", p.Rate))
	if p.Last {
		return strings.TrimRight(fmt.Sprintf("loss %.6g", p.Loss), " ")
	}
	if p.Total > 0 {
		text += fmt.Sprintf("  kept %*d of %d (%6.2f %%)", len(fmt.Sprint(p.Total)), p.Kept, p.Total,
			100*float64(p.Kept)/float64(p.Total))
	}
	return text + fmt.Sprintf("  %8s it/s  ETA %8s", perSecond(p.PerSecond), shortTime(p.Remaining()))
}

// perSecond is a speed with three digits or more.
func perSecond(v float64) string {
	switch {
	case v <= 0 || math.IsNaN(v):
		return "-"
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

// shortTime is how long something takes: 1:23:45 or 2:05; a dash where that is not known, or none.
func shortTime(d time.Duration) string {
	switch hours := int(d.Round(time.Second) / time.Hour); {
	case d <= 0:
		return "-"
	case hours >= 100:
		return human.Count(hours) + " h"
	}
	return human.Clock(d)
}

// announce says what will be trained, on what, and from where.
func announce(e *env, s *session.Snapshot) {
	on := s.Device
	if s.Source != "" { // a net may have no data but random numbers
		on = s.Source + ", " + on
	}
	escape.Fprintf(e.stdout, "%s on %s: iteration %d of %d\n", s.Net, on, s.Iter, s.MaxIter)
}

// printSummary ends the output with a table of the layers, and how to resume. dir is the working folder of the run, or
// "".
func printSummary(e *env, dir string, s *session.Snapshot) {
	escape.Fprintf(e.stdout, "%s at iteration %d\n", s.State, s.Iter)
	for _, l := range s.Layers {
		escape.Fprintf(
			e.stdout,
			"  %-16s kept %9d of %9d  %6.2f %%\n",
			l.Name,
			l.Kept,
			l.Weights,
			100*float64(l.Kept)/float64(max(1, l.Weights)),
		)
	}
	if kept, total := s.Kept(); total > 0 {
		escape.Fprintf(
			e.stdout,
			"  %-16s kept %9d of %9d  %6.2f %%  %.1f times smaller\n",
			"all",
			kept,
			total,
			100*float64(kept)/float64(total),
			autopilot.TimesSmaller(kept, total),
		)
	}
	if s.Saved != "" {
		e.printGoOn(fromHere(dir, s.Path), "--snapshot", fromHere(dir, s.Saved))
	}
}

// printGoOn says what to type to go on with a run.
func (e *env) printGoOn(words ...string) {
	escape.Fprintf(e.stdout, "go on with: %s\n", commandLine(append(words, e.resumeFlags...)...))
}

// printResume says what to type to go on with a run that has ended without a word: from the newest snapshot that there
// is, which may be newer than its terminal knows.
func printResume(e *env, dir string, s *session.Snapshot) {
	written := func(p session.RestorePoint) bool { return !p.Guard }
	if s.Saved != "" || slices.ContainsFunc(s.RestorePoints, written) {
		e.printGoOn(fromHere(dir, s.Path), "--resume")
		return
	}
	escape.Fprintf(e.stdout, "it has left no snapshot; to begin anew: %s\n",
		commandLine(append([]string{fromHere(dir, s.Path)}, e.resumeFlags...)...))
}
