package session

import (
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/solver"
)

// State is what a session is doing.
type State int

// The states of a session.
const (
	Running  State = iota
	Paused         // by a person, or by a Problem
	Testing        // evaluating a test net
	Finished       // max_iter is reached
	Failed         // over an error: see Problem
	Stopped        // by a person
)

func (s State) String() string {
	return [...]string{"running", "paused", "testing", "finished", "failed", "stopped"}[s]
}

// Ended reports whether no iteration will follow.
func (s State) Ended() bool { return s == Finished || s == Failed || s == Stopped }

// Snapshot is what a session publishes: immutable, whole, the latest wins.
type Snapshot struct {
	Net, Source, Device string
	State               State
	Problem             string // why it is paused or failed
	Iter, MaxIter       int
	Rate                float64 // learning rate
	Loss, Smoothed      float64
	PerSecond           float64 // iterations
	BatchSize           int     // images an iteration
	Remaining           time.Duration
	Memory              int64 // bytes on the device
	Health              gpu.Health
	Hyper               *config.Hyper
	Layers              []LayerStats
	Pending             []Change
	Surgeries           int // operations so far: iterations in which some layer was operated on
	Losses              Series
	Smooth              Series // the loss, averaged
	Rates               Series // learning rate
	KeptFraction        Series // of the weights kept
	Speed               Series // iterations a second
	Accuracy            Series
	TestLoss            Series
	Utilization         Series              // of the device, a fraction, where its health is known
	DeviceMemory        Series              // bytes in use on it, by all programs
	Temperature         Series              // °C
	Tests               []solver.TestResult // the last of each test net
	Tested, ToTest      int                 // batches, while Testing
	Events              []Event             // oldest first
	Changes             []Change            // applied, oldest first: marks for plots
	Plans               []Plan
	RestorePoints       []RestorePoint  // that the run can go back to, oldest first
	Back                string          // the file of the restore point that GoBack without a name goes to; "": none
	WriteProblem        string          // what cannot be written, and why; "": nothing
	Undo, Redo          string          // what Undo and Redo would do; "": nothing
	Autopilot           *AutopilotState // nil: off
	Search              *Search         // nil: none was begun. Never changed
	Sensitivity         *Sensitivity    // nil until it was asked for; never changed
	Shipped             *Shipped        // nil: of a program that does not tell
	Path                string          // the solver's file
	Prefix              string          // of snapshots
	Journal             string          // where changes are recorded
	Viewers             []string        // who watches, where the run is served
	Ranks               []RankStats     // those that train together, by number; nil where the run is one process
	Engine              string          // what carries the sums of several ranks
	Saving              bool            // a snapshot is being written
	Saved               string          // the last solverstate written
	SavedIter           int
	Exported            int64 // bytes of the caffemodel that export makes of the net
	Unsaved             int   // iterations since the last snapshot, or since the start
	Published           time.Time
}

// ImagesPerSecond is the throughput in images; 0 where the batch size is not known.
func (s *Snapshot) ImagesPerSecond() float64 { return s.PerSecond * float64(s.BatchSize) }

// EventsDropped counts the run's events that are not in Events: the list is bounded, and a slow viewer misses some.
func (s *Snapshot) EventsDropped() int {
	if len(s.Events) == 0 {
		return 0
	}
	return max(0, s.Events[len(s.Events)-1].Seq-len(s.Events))
}

// Kept sums the entries kept and their total over the layers that can be pruned.
func (s *Snapshot) Kept() (kept, total int) {
	for i := range s.Layers {
		kept += s.Layers[i].Kept
		total += s.Layers[i].Weights
	}
	return kept, total
}

// Layer returns a layer's statistics by name, or nil.
func (s *Snapshot) Layer(name string) *LayerStats {
	for i := range s.Layers {
		if s.Layers[i].Name == name {
			return &s.Layers[i]
		}
	}
	return nil
}

// PendingValue returns the value that a field will get, if a change of it is pending.
func (s *Snapshot) PendingValue(f config.Field) (float64, bool) {
	for i := len(s.Pending) - 1; i >= 0; i-- {
		if e := s.Pending[i].Edit(f); e != nil {
			return e.Value, true
		}
	}
	return 0, false
}
