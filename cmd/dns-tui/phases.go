package main

import (
	"strings"
	"time"
)

// phases tells a run without a UI why nothing happens for a while, when the device is about something else than the
// run's work: it measures ways of doing it, say.
type phases struct {
	looks int // one after the other in which there was a phase
}

// phasesEvery is the time between two looks.
const phasesEvery = time.Second

// look returns what is to be told of a phase, "" of none or of one that has just begun, or that was told of lately.
func (p *phases) look(phase string) string {
	const first, again = 2, 15
	if phase = strings.TrimSpace(phase); phase == "" {
		p.looks = 0
		return ""
	}
	if p.looks++; p.looks == first || p.looks > first && (p.looks-first)%again == 0 {
		return phase
	}
	return ""
}
