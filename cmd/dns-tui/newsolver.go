package main

import (
	"fmt"
	"strconv"
	"strings"

	"dns-tui/escape"
)

// text is the solver, with comments that say what each line is for. place says how a file is named in it.
func (s *newSolver) text(place func(path string) string) string {
	var b strings.Builder
	put := func(comment, format string, args ...any) {
		if comment != "" {
			for line := range strings.SplitSeq(comment, "\n") {
				b.WriteString("# " + line + "\n")
			}
		}
		escape.Fprintf(&b, format+"\n", args...)
	}
	head := "Fine-tunes a net"
	if s.weights == noneText {
		head = "Trains a net from random weights"
	}
	if s.target != noneText {
		head += ", and prunes it meanwhile"
	}
	put(head+". Written by `dns-tui new`, and yours to change.", "net: %s", protoText(place(s.net.path)))
	if s.weights != noneText {
		paths := strings.Split(s.weights, ",")
		for i := range paths {
			paths[i] = place(paths[i])
		}
		put("Where the weights start; --weights names others.", "weights: %s", protoText(strings.Join(paths, ",")))
	}
	b.WriteString("\n")
	if s.target != noneText {
		put(
			"The autopilot finds each layer's threshold, again and again, until this is met; then the masks freeze,\n"+
				"and the learning rate falls to 0. Its settings are derived from the run: docs/autopilot.md, "+
				"`a` in the UI.",
			"autopilot_param { target: %s }",
			protoText(s.target),
		)
	} else {
		put("Nothing is pruned: add autopilot_param { target: \"20x\" }, or press `a` in the UI.", "")
	}
	b.WriteString("\n")
	comment := "How long."
	if s.length != strconv.Itoa(s.iters) {
		comment = "How long: " + s.length + "."
	}
	put(comment, "max_iter: %d", s.iters)
	fall, policy := "after the descent it falls to 0, by the autopilot", "fixed"
	if s.target == noneText {
		fall, policy = "it falls to 0 by the end", "poly"
	}
	put("The learning rate; "+fall+".", "base_lr: %s\nlr_policy: %s", s.rate, protoText(policy))
	if policy == "poly" {
		put("", "power: 1")
	}
	put("", "momentum: 0.9\nweight_decay: 0.0005\n")
	if s.net.tested {
		iters, why := s.testIters()
		put("Batches of a test"+why+", and how often one comes.", "test_iter: %d\ntest_interval: %d\n",
			iters, s.every(12))
	}
	put("How often the run tells how it does, and saves itself; it does so at its end, too.",
		"display: %d\nsnapshot: %d", s.every(60), s.every(4))
	put("What the names of its files begin with, as seen from the folder that it is started in.",
		"snapshot_prefix: %s\n", protoText(s.prefix))
	mode := "CPU"
	if s.gpu {
		mode = "GPU"
	}
	put("CPU, or GPU: the first that is found, and the CPU where none is.", "solver_mode: %s", mode)
	put("The same numbers at each start; without it each run has others.", "random_seed: 1")
	return b.String()
}

// testIters is how many batches a test has, and where that comes from.
func (s *newSolver) testIters() (n int, why string) {
	const some = 100
	r := s.net.test
	if r == nil || r.Images < 1 {
		return some, " (the images could not be counted)"
	}
	return max(1, r.Images/r.Batch), fmt.Sprintf(": all %d images, %d at a time", r.Images, r.Batch)
}

// every is a part of the run in iterations, as a round number.
func (s *newSolver) every(part int) int {
	n, unit := max(1, s.iters/part), 1
	for n/unit >= 10 {
		unit *= 10
	}
	return n / unit * unit
}

// protoText is a text as a prototxt has it.
func protoText(s string) string { return strconv.Quote(s) }
