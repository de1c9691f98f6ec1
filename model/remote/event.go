package remote

import (
	"fmt"

	"dns-tui/model"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// encodeEvent is an event as a message.
func encodeEvent(e *session.Event) *remotepb.Event {
	m := &remotepb.Event{Seq: int64(e.Seq), Iter: int64(e.Iter), By: e.By}
	switch w := e.What.(type) {
	case session.Notice:
		m.What = &remotepb.Event_Notice{Notice: w.Text}
	case session.Warning:
		m.What = &remotepb.Event_Warning{Warning: w.Text}
	case session.ChangeApplied:
		m.What = &remotepb.Event_ChangeApplied{ChangeApplied: encodeChange(&w.Change)}
	case session.CommandRejected:
		m.What = &remotepb.Event_CommandRejected{
			CommandRejected: &remotepb.CommandRejected{Command: w.Command, Reason: w.Reason}}
	case session.SurgeryDone:
		m.What = &remotepb.Event_SurgeryDone{SurgeryDone: int64(w.Layers)}
	case session.PlanMade:
		m.What = &remotepb.Event_PlanMade{PlanMade: encodePlan(&w.Plan)}
	case session.PlanCanceled:
		m.What = &remotepb.Event_PlanCanceled{PlanCanceled: encodePlan(&w.Plan)}
	case session.PlanRejected:
		m.What = &remotepb.Event_PlanRejected{
			PlanRejected: &remotepb.PlanRejected{Plan: encodePlan(&w.Plan), Reason: w.Reason}}
	case session.RampBegun:
		m.What = &remotepb.Event_RampBegun{RampBegun: encodePlan(&w.Plan)}
	case session.RampResumed:
		m.What = &remotepb.Event_RampResumed{RampResumed: encodePlan(&w.Plan)}
	case session.RampDone:
		m.What = &remotepb.Event_RampDone{RampDone: encodePlan(&w.Plan)}
	case session.SnapshotWritten:
		m.What = &remotepb.Event_SnapshotWritten{SnapshotWritten: &remotepb.SnapshotWritten{
			Path: w.Path, Why: w.Why, Guard: w.Guard, Retried: w.Retried}}
	case session.SnapshotFailed:
		m.What = &remotepb.Event_SnapshotFailed{
			SnapshotFailed: &remotepb.SnapshotFailed{Reason: w.Reason, Note: w.Note},
		}
	case session.JournalFailed:
		m.What = &remotepb.Event_JournalFailed{JournalFailed: &remotepb.JournalFailed{
			Reason: w.Reason, Waiting: int64(w.Waiting), Lost: int64(w.Lost)}}
	case session.JournalWritten:
		m.What = &remotepb.Event_JournalWritten{JournalWritten: int64(w.Lost)}
	case session.AutopilotChanged:
		m.What = &remotepb.Event_AutopilotChanged{AutopilotChanged: encodeAutopilotChange(&w.Change)}
	case session.AutopilotDone:
		m.What = &remotepb.Event_AutopilotDone{AutopilotDone: &remotepb.AutopilotDone{
			Kept: int64(w.Kept), Total: int64(w.Total), Anneal: int64(w.Anneal)}}
	case session.AutopilotRetreated:
		m.What = &remotepb.Event_AutopilotRetreated{AutopilotRetreated: &remotepb.AutopilotRetreated{
			From: int64(w.From), To: int64(w.To), Why: w.Why, Left: int64(w.Left)}}
	default:
		encodeRunEvent(m, e)
	}
	return m
}

// encodeRunEvent encodes what happens to the run itself.
func encodeRunEvent(m *remotepb.Event, e *session.Event) {
	switch w := e.What.(type) {
	case session.TestDone:
		m.What = &remotepb.Event_TestDone{TestDone: encodeTests(w.Results)}
	case session.TestInterrupted:
		m.What = &remotepb.Event_TestInterrupted{TestInterrupted: true}
	case session.SensitivityMeasured:
		m.What = &remotepb.Event_SensitivityMeasured{SensitivityMeasured: int64(w.Layers)}
	case session.SensitivityFailed:
		m.What = &remotepb.Event_SensitivityFailed{SensitivityFailed: w.Reason}
	case session.NetMeasured:
		m.What = &remotepb.Event_NetMeasured{NetMeasured: encodeMeasured(&w.Measured)}
	case session.MeasuringFailed:
		m.What = &remotepb.Event_MeasuringFailed{MeasuringFailed: w.Reason}
	case session.GateClosed:
		m.What = &remotepb.Event_GateClosed{GateClosed: w.Reason}
	case session.Collapsed:
		m.What = &remotepb.Event_Collapsed{Collapsed: &remotepb.Collapsed{What: w.What, Paused: w.Paused}}
	case session.SignalRestored:
		m.What = &remotepb.Event_SignalRestored{SignalRestored: true}
	case session.LayerEmptied:
		m.What = &remotepb.Event_LayerEmptied{
			LayerEmptied: &remotepb.LayerEmptied{Layer: w.Layer, Param: w.Param, Threshold: w.Threshold}}
	case session.WentBack:
		m.What = &remotepb.Event_WentBack{WentBack: &remotepb.WentBack{
			From: int64(w.From), To: int64(w.To), Path: w.Path, Returns: w.Returns}}
	case session.RunBegun:
		m.What = &remotepb.Event_RunBegun{RunBegun: &remotepb.RunBegun{
			Resumed: w.Resumed, Pruning: int32(w.Pruning), Layers: int64(w.Layers), Prunable: int64(w.Prunable),
			Rule: w.Rule, Chance: w.Chance, Stop: int64(w.Stop), Target: w.Target, Interval: int64(w.Interval),
			End: int64(w.End),
		}}
	case session.RunFinished:
		m.What = &remotepb.Event_RunFinished{RunFinished: w.Unsaved}
	case session.RunFailed:
		m.What = &remotepb.Event_RunFailed{RunFailed: w.Reason}
	case session.Progress:
		m.What = &remotepb.Event_Progress{Progress: &remotepb.Progress{
			Iter: int64(w.Iter), Loss: w.Loss, Rate: w.Rate, PerSecond: w.PerSecond, Kept: int64(w.Kept),
			Total: int64(w.Total), Outputs: encodeOutputs(w.Outputs), Seconds: w.Seconds, Iters: int64(w.Iters),
			Last: w.Last, MaxIter: int64(w.MaxIter), Surgeries: int64(w.Surgeries), Descent: w.Descent,
		}}
	case session.TextEvent:
		m.What = &remotepb.Event_Told{Told: &remotepb.Told{Status: string(w.Status), Text: w.Text}}
	default:
		m.What = &remotepb.Event_Told{Told: &remotepb.Told{Status: string(e.Status()), Text: e.What.String()}}
	}
}

// decodeEvent is the event of a message. One of a kind that this version does not know has no text.
func decodeEvent(m *remotepb.Event) (session.Event, error) {
	e := session.Event{Seq: int(m.Seq), Iter: int(m.Iter), By: m.By}
	var err error
	switch w := m.What.(type) {
	case nil:
		e.What = decodeEvent2(m)
	case *remotepb.Event_Notice:
		e.What = session.Notice{Text: w.Notice}
	case *remotepb.Event_Warning:
		e.What = session.Warning{Text: w.Warning}
	case *remotepb.Event_ChangeApplied:
		var c session.Change
		c, err = decodeChange(w.ChangeApplied)
		e.What = session.ChangeApplied{Change: c}
	case *remotepb.Event_CommandRejected:
		e.What = session.CommandRejected{Command: w.CommandRejected.GetCommand(), Reason: w.CommandRejected.GetReason()}
	case *remotepb.Event_SurgeryDone:
		e.What = session.SurgeryDone{Layers: int(w.SurgeryDone)}
	case *remotepb.Event_PlanMade:
		e.What = session.PlanMade{Plan: decodePlan(w.PlanMade)}
	case *remotepb.Event_PlanCanceled:
		e.What = session.PlanCanceled{Plan: decodePlan(w.PlanCanceled)}
	case *remotepb.Event_PlanRejected:
		p := w.PlanRejected
		if p.GetPlan() == nil {
			return e, fmt.Errorf("event %d: a plan without its numbers", m.Seq)
		}
		e.What = session.PlanRejected{Plan: decodePlan(p.Plan), Reason: p.Reason}
	case *remotepb.Event_RampBegun:
		e.What = session.RampBegun{Plan: decodePlan(w.RampBegun)}
	case *remotepb.Event_RampResumed:
		e.What = session.RampResumed{Plan: decodePlan(w.RampResumed)}
	case *remotepb.Event_RampDone:
		e.What = session.RampDone{Plan: decodePlan(w.RampDone)}
	case *remotepb.Event_SnapshotWritten:
		s := w.SnapshotWritten
		e.What = session.SnapshotWritten{
			Path: s.GetPath(), Why: s.GetWhy(), Guard: s.GetGuard(), Retried: s.GetRetried()}
	case *remotepb.Event_SnapshotFailed:
		e.What = session.SnapshotFailed{Reason: w.SnapshotFailed.GetReason(), Note: w.SnapshotFailed.GetNote()}
	case *remotepb.Event_JournalFailed:
		j := w.JournalFailed
		e.What = session.JournalFailed{Reason: j.GetReason(), Waiting: int(j.GetWaiting()), Lost: int(j.GetLost())}
	case *remotepb.Event_JournalWritten:
		e.What = session.JournalWritten{Lost: int(w.JournalWritten)}
	case *remotepb.Event_AutopilotChanged:
		var c *session.AutopilotChange
		if c, err = decodeAutopilotChange(w.AutopilotChanged); err == nil {
			e.What = session.AutopilotChanged{Change: *c}
		}
	case *remotepb.Event_AutopilotDone:
		d := w.AutopilotDone
		e.What = session.AutopilotDone{Kept: int(d.GetKept()), Total: int(d.GetTotal()), Anneal: int(d.GetAnneal())}
	case *remotepb.Event_AutopilotRetreated:
		r := w.AutopilotRetreated
		e.What = session.AutopilotRetreated{
			From: int(r.GetFrom()), To: int(r.GetTo()), Why: r.GetWhy(), Left: int(r.GetLeft())}
	default:
		e.What = decodeRunEvent(m)
	}
	return e, err
}

// decodeRunEvent decodes what happens to the run itself.
func decodeRunEvent(m *remotepb.Event) session.Payload {
	switch w := m.What.(type) {
	case *remotepb.Event_TestDone:
		return session.TestDone{Results: decodeTests(w.TestDone)}
	case *remotepb.Event_TestInterrupted:
		return session.TestInterrupted{}
	case *remotepb.Event_SensitivityMeasured:
		return session.SensitivityMeasured{Layers: int(w.SensitivityMeasured)}
	case *remotepb.Event_SensitivityFailed:
		return session.SensitivityFailed{Reason: w.SensitivityFailed}
	case *remotepb.Event_NetMeasured:
		m := session.NetMeasured{}
		if measured := decodeMeasured(w.NetMeasured); measured != nil {
			m.Measured = *measured
		}
		return m
	case *remotepb.Event_MeasuringFailed:
		return session.MeasuringFailed{Reason: w.MeasuringFailed}
	case *remotepb.Event_GateClosed:
		return session.GateClosed{Reason: w.GateClosed}
	case *remotepb.Event_Collapsed:
		return session.Collapsed{What: w.Collapsed.GetWhat(), Paused: w.Collapsed.GetPaused()}
	case *remotepb.Event_SignalRestored:
		return session.SignalRestored{}
	case *remotepb.Event_LayerEmptied:
		l := w.LayerEmptied
		return session.LayerEmptied{Layer: l.GetLayer(), Param: l.GetParam(), Threshold: l.GetThreshold()}
	case *remotepb.Event_WentBack:
		b := w.WentBack
		return session.WentBack{From: int(b.GetFrom()), To: int(b.GetTo()), Path: b.GetPath(), Returns: b.GetReturns()}
	case *remotepb.Event_RunBegun:
		b := w.RunBegun
		return session.RunBegun{
			Resumed: b.GetResumed(), Pruning: session.Pruning(b.GetPruning()), Layers: int(b.GetLayers()),
			Prunable: int(b.GetPrunable()), Rule: b.GetRule(), Chance: b.GetChance(), Stop: int(b.GetStop()),
			Target: b.GetTarget(), Interval: int(b.GetInterval()), End: int(b.GetEnd()),
		}
	case *remotepb.Event_RunFinished:
		return session.RunFinished{Unsaved: w.RunFinished}
	case *remotepb.Event_RunFailed:
		return session.RunFailed{Reason: w.RunFailed}
	case *remotepb.Event_Progress:
		p := w.Progress
		return session.Progress{
			Iter: int(p.GetIter()), Loss: p.GetLoss(), Rate: p.GetRate(), PerSecond: p.GetPerSecond(),
			Kept: int(p.GetKept()), Total: int(p.GetTotal()), Outputs: decodeOutputs(p.GetOutputs()),
			Seconds: p.GetSeconds(), Iters: int(p.GetIters()), Last: p.GetLast(), MaxIter: int(p.GetMaxIter()),
			Surgeries: int(p.GetSurgeries()), Descent: p.GetDescent(),
		}
	case *remotepb.Event_Told:
		return session.TextEvent{Status: session.Status(w.Told.GetStatus()), Text: w.Told.GetText()}
	}
	return session.TextEvent{}
}

func encodeChange(c *session.Change) *remotepb.Change {
	m := &remotepb.Change{Iter: int64(c.Iter), By: c.By, Seq: int64(c.Seq), Time: c.Time}
	switch {
	case c.Surgery != nil:
		m.What = &remotepb.Change_Surgery{
			Surgery: &remotepb.Surgery{All: c.Surgery.Layers == nil, Layers: c.Surgery.Layers}}
	case c.Ramp != nil:
		m.What = &remotepb.Change_Ramp{Ramp: &remotepb.Ramp{Plan: encodePlan(&c.Ramp.Plan), Ended: c.Ramp.Ended}}
	case c.Moved != nil:
		m.What = &remotepb.Change_Moved{Moved: &remotepb.Moved{From: c.Moved.From, To: c.Moved.To}}
	case c.Taken != nil:
		m.What = &remotepb.Change_Taken{Taken: &remotepb.Taken{Snapshot: c.Taken.Snapshot}}
	case c.Unknown != nil:
		u := c.Unknown
		m.What = &remotepb.Change_Unknown{
			Unknown: &remotepb.UnknownChange{Field: u.Field, Value: u.Value, Reason: u.Reason}}
	case c.Autopilot != nil:
		m.What = &remotepb.Change_Autopilot{Autopilot: encodeAutopilotChange(c.Autopilot)}
	default:
		m.What = &remotepb.Change_Edits{Edits: &remotepb.Edits{Edits: encodeEdits(c.Edits)}}
	}
	return m
}

func decodeChange(m *remotepb.Change) (session.Change, error) {
	c := session.Change{Iter: int(m.GetIter()), By: m.GetBy(), Seq: int(m.GetSeq()), Time: m.GetTime()}
	switch w := m.GetWhat().(type) {
	case *remotepb.Change_Surgery:
		c.Surgery = &session.Surgery{}
		if !w.Surgery.GetAll() {
			c.Surgery.Layers = append([]string{}, w.Surgery.GetLayers()...)
		}
	case *remotepb.Change_Ramp:
		c.Ramp = &session.Ramp{Ended: w.Ramp.GetEnded()}
		if w.Ramp.GetPlan() != nil {
			c.Ramp.Plan = decodePlan(w.Ramp.Plan)
		}
	case *remotepb.Change_Moved:
		c.Moved = &session.Moved{From: w.Moved.GetFrom(), To: w.Moved.GetTo()}
	case *remotepb.Change_Taken:
		c.Taken = &session.Taken{Snapshot: w.Taken.GetSnapshot()}
	case *remotepb.Change_Unknown:
		u := w.Unknown
		c.Unknown = &session.Unknown{Field: u.GetField(), Value: u.GetValue(), Reason: u.GetReason()}
	case *remotepb.Change_Autopilot:
		var err error
		if c.Autopilot, err = decodeAutopilotChange(w.Autopilot); err != nil {
			return c, err
		}
	case *remotepb.Change_Edits:
		c.Edits = decodeEdits(w.Edits.GetEdits())
	default:
		return c, fmt.Errorf("a change at iteration %d of nothing", c.Iter)
	}
	return c, nil
}

func encodeTests(results []solver.TestResult) *remotepb.TestResults {
	m := &remotepb.TestResults{}
	for _, r := range results {
		m.List = append(m.List, &remotepb.TestResult{
			Net: int64(r.Net), Iter: int64(r.Iter), Loss: r.Loss, Outputs: encodeOutputs(r.Outputs)})
	}
	return m
}

func decodeTests(m *remotepb.TestResults) []solver.TestResult {
	var out []solver.TestResult
	for _, r := range m.GetList() {
		out = append(out, solver.TestResult{
			Net: int(r.GetNet()), Iter: int(r.GetIter()), Loss: r.GetLoss(), Outputs: decodeOutputs(r.GetOutputs())})
	}
	return out
}

func encodeOutputs(outputs []model.Output) []*remotepb.Output {
	var out []*remotepb.Output
	for _, o := range outputs {
		out = append(out, &remotepb.Output{
			Type: o.Type, Name: o.Name, Blob: o.Blob, Value: o.Value, LossWeight: o.LossWeight})
	}
	return out
}

func decodeOutputs(outputs []*remotepb.Output) []model.Output {
	var out []model.Output
	for _, o := range outputs {
		out = append(out, model.Output{
			Type: o.GetType(), Name: o.GetName(), Blob: o.GetBlob(), Value: o.GetValue(),
			LossWeight: o.GetLossWeight(),
		})
	}
	return out
}
