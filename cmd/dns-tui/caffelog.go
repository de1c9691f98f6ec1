package main

import (
	"os"
	"slices"
	"strings"
	"time"

	"dns-tui/caffe"
	"dns-tui/escape"
	"dns-tui/model"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// caffeLine prints a line as Caffe's logger does: severity, date, time, process, the place in Caffe's source that says
// the same, and the text.
func caffeLine(e *env, place, format string, args ...any) {
	escape.Fprintf(
		e.stdout,
		"I%s %5d %s] "+format+"\n",
		append([]any{time.Now().Format("0102 15:04:05.000000"), os.Getpid(), place}, args...)...)
}

// caffeLog is the form of Caffe's log, in the words of its solver, for tools that read it (parse_log.py and its kin).
type caffeLog struct {
	*env
	testLoss     bool // tests tell the objective (test_compute_loss)
	display      int  // the solver's: a line tells of so many iterations
	name, policy string
}

func (c *caffeLog) begin(*session.Snapshot, string) {
	caffeLine(c.env, "solver.cpp:293", "Solving %s", c.name)
	caffeLine(c.env, "solver.cpp:294", "Learning Rate Policy: %s", c.policy)
}

func (c *caffeLog) debug(_ int, line string) { caffeLine(c.env, "net.cpp:593", "%s", line) }

func (c *caffeLog) end(s *session.Snapshot, err error, lost int) {
	if lost > 0 {
		escape.Fprintf(c.stdout, "%d lines were lost: the output was too slow\n", lost)
	}
	if err != nil {
		return
	}
	if s.State == session.Stopped {
		caffeLine(c.env, "solver.cpp:325", "Optimization stopped early.")
	}
	caffeLine(c.env, "caffe.cpp:254", "Optimization Done.")
}

func (c *caffeLog) event(ev session.Event) {
	e := c.env
	switch what := ev.What.(type) {
	case session.Progress:
		p := what
		if p.Last {
			caffeLine(e, "solver.cpp:331", "Iteration %d, loss = %.6g", p.Iter, p.Loss)
			return
		}
		perSecond := 0.0
		if p.Seconds > 0 {
			perSecond = float64(p.Iters) / p.Seconds
		}
		caffeLine(
			e,
			"solver.cpp:239",
			"Iteration %d (%.6g iter/s, %.6gs/%d iters), loss = %.6g",
			p.Iter,
			perSecond,
			p.Seconds,
			c.display,
			p.Loss,
		)
		for i, o := range caffeOutputs(p.Outputs) {
			caffeLine(e, "solver.cpp:258", "    Train net output #%d: %s", i, formatOutput(o))
		}
		caffeLine(e, "sgd_solver.cpp:106", "Iteration %d, lr = %.6g", p.Iter, p.Rate)
	case session.TestDone:
		for _, t := range what.Results {
			caffeLine(e, "solver.cpp:337", "Iteration %d, Testing net (#%d)", t.Iter, t.Net)
			if c.testLoss {
				caffeLine(e, "solver.cpp:389", "Test loss: %.6g", t.Loss)
			}
			for i, o := range caffeOutputs(t.Outputs) {
				caffeLine(e, "solver.cpp:404", "    Test net output #%d: %s", i, formatOutput(o))
			}
		}
	case session.SnapshotWritten:
		form := "binary proto"
		if caffe.IsHDF5Name(what.Path) {
			form = "HDF5"
		}
		caffeLine(e, "solver.cpp:454", "Snapshotting to %s file %s", form, solver.WeightsName(what.Path))
		caffeLine(e, "sgd_solver.cpp:273", "Snapshotting solver state to %s file %s", form, what.Path)
	default:
		// "iteration", since what reads Caffe's log looks for Iteration.
		caffeLine(e, "dns_tui.go:1", "iteration %d: %s", ev.Iter, ev)
	}
}

// caffeOutputs are outputs in Caffe's order, that of their blobs' names, under those names. The top that Caffe gives
// a loss without one is no output there.
func caffeOutputs(outs []model.Output) []model.Output {
	var sorted []model.Output
	for _, o := range outs {
		if o.Blob != model.AutomaticTop {
			o.Name = o.Blob
			sorted = append(sorted, o)
		}
	}
	slices.SortStableFunc(sorted, func(a, b model.Output) int { return strings.Compare(a.Name, b.Name) })
	return sorted
}
