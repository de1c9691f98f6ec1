package model

import (
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
)

// State is what a session is doing.
type State int

// The states of a session.
const (
	Running  State = iota
	Paused         // by a person, or by a Problem
	Testing        // evaluating a test net
	Finished       // max_iter is reached
	Failed         // cannot go on: see Problem
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
	Vitals              gpu.Vitals
	Hyper               *config.Hyper
	Layers              []LayerStats
	Pending             []Change
	Losses              Series
	Accuracy            Series
	TestLoss            Series
	Tests               []TestResult // the last of each test net
	Tested, ToTest      int          // batches, while Testing
	Events              []Event      // oldest first
	Saved               string       // the last solverstate written
	SavedIter           int
	Published           time.Time
}

// ImagesPerSecond is the throughput in images; 0 where the batch size is not known.
func (s *Snapshot) ImagesPerSecond() float64 { return s.PerSecond * float64(s.BatchSize) }

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

// PendingValue returns the value that a field will get, if a change of it waits.
func (s *Snapshot) PendingValue(field string) (string, bool) {
	for i := len(s.Pending) - 1; i >= 0; i-- {
		if s.Pending[i].Field == field {
			return s.Pending[i].New, true
		}
	}
	return "", false
}

// Status is what became of a change.
type Status string

// The fates of a change.
const (
	Waiting  Status = "pending"
	Applied  Status = "applied"
	Rejected Status = "rejected"
	Noted    Status = "" // an event that is no change: a test, a snapshot
)

// Event is one line of the journal pane.
type Event struct {
	Iter   int
	Status Status
	Text   string
	// Progress is set in the events of display, which snapshots do not keep.
	Progress *Progress
	// Tests and Saved are set where the event is a test, or a snapshot.
	Tests []TestResult
	Saved string
}

// Series is a curve of bounded length: when it is full, neighbours are averaged in pairs.
type Series struct {
	Iters  []int
	Values []float64
	per    int // samples a point stands for
	n      int // samples in the point being made
	sum    float64
}

// seriesCap is the most points that a Series keeps.
const seriesCap = 1024

// Add appends a sample.
func (s *Series) Add(iter int, v float64) {
	if s.per == 0 {
		s.per = 1
		s.Iters, s.Values = make([]int, 0, seriesCap), make([]float64, 0, seriesCap)
	}
	s.sum += v
	if s.n++; s.n < s.per {
		return
	}
	if len(s.Values) == seriesCap {
		for i := range seriesCap / 2 {
			s.Iters[i], s.Values[i] = s.Iters[2*i+1], (s.Values[2*i]+s.Values[2*i+1])/2
		}
		s.Iters, s.Values = s.Iters[:seriesCap/2], s.Values[:seriesCap/2]
		s.per *= 2
		return // the sample in hand is half of the next point
	}
	s.Iters, s.Values = append(s.Iters, iter), append(s.Values, s.sum/float64(s.n))
	s.n, s.sum = 0, 0
}

// copy returns a copy that later samples do not change.
func (s *Series) copy() Series {
	return Series{Iters: append([]int(nil), s.Iters...), Values: append([]float64(nil), s.Values...)}
}

// Last returns the newest point.
func (s *Series) Last() (iter int, v float64, ok bool) {
	if len(s.Values) == 0 {
		return 0, 0, false
	}
	return s.Iters[len(s.Iters)-1], s.Values[len(s.Values)-1], true
}
