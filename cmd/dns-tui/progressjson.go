package main

import (
	"bytes"
	"encoding/json"
	"io"
	"math"
	"strings"
	"time"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/model"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// progressVersion is that of what --progress json prints. Fields and events are added without another one; what is
// there keeps its name and its meaning. docs/formats.md describes it.
const progressVersion = 1

// jsonLines tell of a run for programs: an object a line, begin first and end last.
type jsonLines struct {
	w   io.Writer
	now func() time.Time
}

// number is a float64 in JSON, which has no NaN and no infinity: they are texts, as protobuf's JSON has them.
type number float64

// MarshalJSON implements json.Marshaler.
func (n number) MarshalJSON() ([]byte, error) {
	switch v := float64(n); {
	case math.IsNaN(v):
		return []byte(`"NaN"`), nil
	case math.IsInf(v, 1):
		return []byte(`"Infinity"`), nil
	case math.IsInf(v, -1):
		return []byte(`"-Infinity"`), nil
	}
	return json.Marshal(float64(n))
}

// jsonHead is what each object begins with.
type jsonHead struct {
	Event string `json:"event"`
	Time  string `json:"time"` // RFC 3339, UTC
	Iter  int    `json:"iter"`
}

type (
	jsonLayer struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		Rule      string `json:"rule"`
		Threshold number `json:"threshold"`
		Kept      int    `json:"kept"`
		Total     int    `json:"total"`
	}
	jsonOutput struct {
		Name       string `json:"name"`
		Type       string `json:"type"`
		Value      number `json:"value"`
		LossWeight number `json:"loss_weight"`
	}
	jsonBegin struct {
		jsonHead
		Version   int         `json:"version"`
		Program   string      `json:"program"`
		Net       string      `json:"net"`
		Solver    string      `json:"solver"`
		Source    string      `json:"source"`
		Device    string      `json:"device"`
		Prefix    string      `json:"snapshot_prefix"`
		Journal   string      `json:"journal"`
		Attach    string      `json:"attach,omitempty"`
		MaxIter   int         `json:"max_iter"`
		BatchSize int         `json:"batch_size"`
		Layers    []jsonLayer `json:"layers"`
	}
	jsonProgress struct {
		jsonHead
		MaxIter   int          `json:"max_iter"`
		Loss      number       `json:"loss"`
		Rate      number       `json:"lr"`
		Kept      int          `json:"kept"`
		Total     int          `json:"total"`
		PerSecond *number      `json:"iter_per_second"` // null: not known yet
		Remaining *number      `json:"eta_seconds"`
		Surgeries int          `json:"surgeries"`
		Descent   string       `json:"descent,omitempty"`
		Outputs   []jsonOutput `json:"outputs"`
	}
	jsonTest struct {
		jsonHead
		Net      int          `json:"net"`
		Loss     number       `json:"loss"`
		Accuracy *number      `json:"accuracy,omitempty"`
		Outputs  []jsonOutput `json:"outputs"`
	}
	jsonEdit struct {
		Field string `json:"field"`
		Old   string `json:"old,omitempty"`
		New   string `json:"new"`
	}
	jsonChange struct {
		jsonHead
		Status string     `json:"status"` // pending, applied or rejected
		By     string     `json:"by,omitempty"`
		Edits  []jsonEdit `json:"edits,omitempty"`
		Text   string     `json:"text"`
	}
	jsonPruning struct {
		jsonHead
		State     string  `json:"state"`
		Rule      string  `json:"rule,omitempty"`
		Layers    int     `json:"layers"`
		Prunable  int     `json:"prunable"`
		Chance    *number `json:"chance,omitempty"`
		StopIter  *int    `json:"stop_iter,omitempty"`
		Target    string  `json:"target,omitempty"`
		Interval  int     `json:"interval,omitempty"`
		EndIter   int     `json:"end_iter,omitempty"`
		Retreated *int    `json:"back_to,omitempty"`
		Kept      int     `json:"kept,omitempty"`
		Total     int     `json:"total,omitempty"`
		Text      string  `json:"text"`
	}
	jsonSnapshot struct {
		jsonHead
		State   string `json:"solverstate"`
		Weights string `json:"caffemodel"`
		Why     string `json:"why"`
		Guard   bool   `json:"guard"`
	}
	jsonMessage struct {
		jsonHead
		Text string `json:"text"`
	}
	jsonEnd struct {
		jsonHead
		State  string      `json:"state"` // finished, stopped or failed
		Reason string      `json:"reason,omitempty"`
		Saved  string      `json:"solverstate,omitempty"`
		Kept   int         `json:"kept"`
		Total  int         `json:"total"`
		Lost   int         `json:"lost_events"`
		Layers []jsonLayer `json:"layers"`
	}
)

func (j *jsonLines) head(event string, iter int) jsonHead {
	return jsonHead{event, j.now().UTC().Format("2006-01-02T15:04:05.000Z07:00"), iter}
}

// print writes an object as a line.
func (j *jsonLines) print(v any) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil { // of strings and numbers: it does not fail
		panic(err)
	}
	_, _ = j.w.Write(escape.JSON(b.Bytes())) // nobody is left to be told
}

func (j *jsonLines) begin(s *session.Snapshot, attach string) {
	j.print(jsonBegin{
		jsonHead: j.head("begin", s.Iter), Version: progressVersion, Program: "dns-tui " + programVersion(),
		Net: s.Net, Solver: s.Path, Source: s.Source, Device: s.Device, Prefix: s.Prefix, Journal: s.Journal,
		Attach: attach, MaxIter: s.MaxIter, BatchSize: s.BatchSize, Layers: layersJSON(s),
	})
}

func layersJSON(s *session.Snapshot) []jsonLayer {
	out := []jsonLayer{}
	for i := range s.Layers {
		l := &s.Layers[i]
		line := jsonLayer{
			Name: l.Name, Type: l.Type, Rule: config.RuleName(l.Rule), Kept: l.Kept, Total: l.Weights,
		}
		if h := s.Hyper.Layer(l.Name); h != nil {
			line.Threshold = number(h.Threshold)
		}
		out = append(out, line)
	}
	return out
}

func outputsJSON(outputs []model.Output) []jsonOutput {
	out := []jsonOutput{}
	for _, o := range outputs {
		out = append(out, jsonOutput{o.Name, o.Type, number(o.Value), number(o.LossWeight)})
	}
	return out
}

func (j *jsonLines) event(ev session.Event) {
	switch w := ev.What.(type) {
	case session.Progress:
		j.progress(w)
	case session.TestDone:
		for i := range w.Results {
			j.test(ev, &w.Results[i])
		}
	case session.SnapshotWritten:
		j.print(jsonSnapshot{j.head("snapshot", ev.Iter), w.Path, solver.WeightsName(w.Path), w.Why, w.Guard})
	case session.RunBegun, session.AutopilotDone, session.AutopilotRetreated, session.SurgeryDone:
		j.pruning(ev)
	case session.ChangeApplied, session.PlanMade, session.CommandRejected, session.PlanRejected, session.RampBegun,
		session.RampDone, session.RampResumed, session.WentBack, session.AutopilotChanged, session.PlanCanceled:
		j.change(ev)
	default:
		text := strings.TrimPrefix(ev.String(), "WARNING: ") // the event says so
		j.print(jsonMessage{j.head(messageKind(ev.What), ev.Iter), text})
	}
}

// messageKind is the event of what is told in a text alone.
func messageKind(w session.Payload) string {
	switch w.(type) {
	case session.Warning, session.GateClosed, session.Collapsed, session.LayerEmptied, session.SnapshotFailed,
		session.JournalFailed, session.RunFailed, session.SensitivityFailed, session.MeasuringFailed:
		return "warning"
	}
	return "notice"
}

func (j *jsonLines) progress(w session.Progress) {
	p := jsonProgress{
		jsonHead: j.head("progress", w.Iter), MaxIter: w.MaxIter, Loss: number(w.Loss), Rate: number(w.Rate),
		Kept: w.Kept, Total: w.Total, Surgeries: w.Surgeries, Descent: w.Descent, Outputs: outputsJSON(w.Outputs),
	}
	if w.PerSecond > 0 {
		speed, eta := number(w.PerSecond), number(w.Remaining().Seconds())
		p.PerSecond, p.Remaining = &speed, &eta
	}
	j.print(p)
}

func (j *jsonLines) test(ev session.Event, r *solver.TestResult) {
	t := jsonTest{
		jsonHead: j.head("test", ev.Iter), Net: r.Net, Loss: number(r.Loss), Outputs: outputsJSON(r.Outputs),
	}
	if a, ok := r.Accuracy(); ok {
		accuracy := number(a)
		t.Accuracy = &accuracy
	}
	j.print(t)
}

// pruning tells what prunes the run, or what became of a descent.
func (j *jsonLines) pruning(ev session.Event) {
	p := jsonPruning{jsonHead: j.head("pruning", ev.Iter), Text: ev.What.String()}
	switch w := ev.What.(type) {
	case session.RunBegun:
		p.State, p.Rule, p.Layers, p.Prunable = w.Pruning.String(), w.Rule, w.Layers, w.Prunable
		p.Target, p.Interval, p.EndIter = w.Target, w.Interval, w.End
		if w.Pruning == session.SchedulePrunes {
			chance := number(w.Chance)
			p.Chance = &chance
		}
		if w.Stop < config.Never && (w.Pruning == session.SchedulePrunes || w.Pruning == session.SurgeryIsStopped) {
			p.StopIter = &w.Stop
		}
	case session.AutopilotDone:
		p.State, p.Kept, p.Total = session.DescentDone.String(), w.Kept, w.Total
	case session.AutopilotRetreated:
		p.State, p.Retreated = "descent_retreated", &w.To
	case session.SurgeryDone:
		p.State, p.Layers = "surgery", w.Layers
	}
	j.print(p)
}

// change tells what became of something that was asked for.
func (j *jsonLines) change(ev session.Event) {
	c := jsonChange{jsonHead: j.head("change", ev.Iter), Status: string(ev.Status()), By: ev.By, Text: ev.What.String()}
	if _, ok := ev.What.(session.PlanCanceled); ok {
		c.Status = "canceled"
	}
	if w, ok := ev.What.(session.ChangeApplied); ok {
		for _, e := range w.Change.Edits {
			edit := jsonEdit{Field: e.Field.String(), New: e.Format(e.Value)}
			if e.OldKnown {
				edit.Old = e.Format(e.Old)
			}
			c.Edits = append(c.Edits, edit)
		}
	}
	j.print(c)
}

func (j *jsonLines) debug(iter int, line string) { j.print(jsonMessage{j.head("debug", iter), line}) }

func (j *jsonLines) end(s *session.Snapshot, err error, lost int) {
	e := jsonEnd{
		jsonHead: j.head("end", s.Iter), State: s.State.String(), Reason: s.Problem, Saved: s.Saved, Lost: lost,
		Layers: layersJSON(s),
	}
	e.Kept, e.Total = s.Kept()
	if err != nil {
		e.State, e.Reason = session.Failed.String(), err.Error()
	}
	j.print(e)
}
