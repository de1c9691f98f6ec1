package session

// StopAsked reports whether an iteration under way would be given up for a stop.
func (t *Trainer) StopAsked() bool { return t.stopping.asked.Load() != 0 }

// OnPass calls f between the passes of an iteration. The run must be paused.
func (t *Trainer) OnPass(f func()) {
	asked := t.solver.Interrupted
	t.solver.Interrupted = func() bool {
		f()
		return asked()
	}
}

// OnSave calls f where a snapshot is about to be written, with what is published of it. It is for before Start.
func (t *Trainer) OnSave(f func(saving bool)) {
	publish := t.saver.Publish
	t.saver.Publish = func() { publish(); f(t.Snapshot().Saving) }
}
