package tui

import (
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// predictor follows what is typed with questions to the session, one at a time: the next waits for the answer.
type predictor struct {
	inFlight bool
	current  bool                // the question in flight is the last that was asked
	next     []autopilot.Setting // asked since
	waiting  bool
	answer   *session.Prediction // to the last question; nil: none yet
	problem  error               // why there is none
}

// predicted is the session's answer.
type predicted struct {
	prediction *session.Prediction
	err        error
}

// want asks what settings come to.
func (p *predictor) want(settings []autopilot.Setting) intent {
	if p.inFlight {
		p.current, p.waiting, p.next = false, true, settings
		return nil
	}
	p.inFlight, p.current, p.waiting, p.next = true, true, false, nil
	return predict{settings}
}

// answered takes in an answer, and asks what was wanted since.
func (p *predictor) answered(a predicted) intent {
	p.inFlight = false
	if p.current {
		p.answer, p.problem = a.prediction, a.err
	}
	if p.waiting {
		return p.want(p.next)
	}
	return nil
}

// forget drops question and answer.
func (p *predictor) forget() {
	*p = predictor{inFlight: p.inFlight}
}
