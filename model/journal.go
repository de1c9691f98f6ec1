package model

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"dns-tui/caffe"
	"dns-tui/files"
)

// Change is one change of a run: a line of the journal. Lines of the fields run and measure tell where the run began, or went
// on, and how it went.
type Change struct {
	Iter  int    `json:"iter"`           // at which it took effect
	Field string `json:"field"`          // of config.Hyper; "surgery" for a surgery asked for; "run" for a start
	Old   string `json:"old,omitempty"`  // what it was
	New   string `json:"new"`            // what it is
	Seed  uint64 `json:"seed,omitempty"` // of a start
	By    string `json:"by,omitempty"`   // who asked for it, where several may
	Time  int64  `json:"time,omitempty"` // of a start and a measure: seconds since 1970

	Start   *Start   `json:"start,omitempty"`
	Measure *Measure `json:"measure,omitempty"`
}

// Start is what a journal says of the run at its beginning.
type Start struct {
	Net     string       `json:"net"`
	Device  string       `json:"device"`
	Source  string       `json:"source,omitempty"`
	Batch   int          `json:"batch,omitempty"`
	MaxIter int          `json:"max_iter"`
	Weights []string     `json:"weights,omitempty"`  // caffemodels that it started from
	From    string       `json:"snapshot,omitempty"` // or the solverstate
	Layers  []StartLayer `json:"layers"`
}

// StartLayer is a layer that can be pruned.
type StartLayer struct {
	Name      string  `json:"name"`
	Type      string  `json:"type"`
	Rule      string  `json:"rule"`
	Weights   int     `json:"weights"`
	Threshold float64 `json:"threshold"`
}

// Measure is how a run does at an iteration. What was not measured is left out.
type Measure struct {
	Loss     *float64 `json:"loss,omitempty"` // smoothed over the iterations since the last measure
	Rate     *float64 `json:"rate,omitempty"`
	Speed    *float64 `json:"speed,omitempty"` // iterations a second
	Kept     []int    `json:"kept,omitempty"`  // weights, of each layer of the start
	Accuracy *float64 `json:"accuracy,omitempty"`
	TestLoss *float64 `json:"test_loss,omitempty"`
	State    string   `json:"state,omitempty"` // of a run that has ended
	Saved    string   `json:"saved,omitempty"` // its last snapshot
}

// The fields of a journal that are no hyperparameters.
const (
	fieldRun     = "run"
	fieldSurgery = "surgery"
	fieldMeasure = "measure"
)

// journal appends changes to a file, one JSON line each, at once.
type journal struct {
	f *os.File
}

func openJournal(path string) (*journal, error) {
	f, err := files.OpenAppend(path)
	if err != nil {
		return nil, &caffe.FileError{Path: path, Msg: "the journal cannot be written: " + caffe.Cause(err).Error(), Err: err}
	}
	return &journal{f}, nil
}

func (j *journal) write(c Change) error {
	if j == nil {
		return nil
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	_, err = j.f.Write(append(line, '\n'))
	return err
}

// line is the change as the journal has it.
func (c Change) line() ([]byte, error) { return json.Marshal(c) }

func parseChange(line []byte) (Change, error) {
	var c Change
	if err := json.Unmarshal(line, &c); err != nil {
		return c, err
	}
	if c.Field == "" || c.Iter < 0 {
		return c, errors.New("no field, or no iteration")
	}
	return c, nil
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	return j.f.Close()
}

// ReadJournal reads the changes of a run. Where the run was resumed from an earlier iteration, the changes that the
// resumed run undid by going back are dropped: what remains is the course that led to the last state. A last line that
// is cut short, by a crash, is dropped too.
func ReadJournal(path string) ([]Change, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseJournal(path, f)
}

func parseJournal(path string, r io.Reader) ([]Change, error) {
	var out []Change
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), 1<<20)
	bad := 0
	for line := 1; sc.Scan(); line++ {
		if len(sc.Bytes()) == 0 {
			continue
		}
		if bad > 0 {
			return nil, &caffe.FileError{Path: path, Line: bad, Msg: "is no journal entry: wanted {\"iter\":N,\"field\":\"…\",\"new\":\"…\"}"}
		}
		c, err := parseChange(sc.Bytes())
		if err != nil {
			bad = line
			continue
		}
		if c.Field == fieldRun {
			for len(out) > 0 && out[len(out)-1].Iter >= c.Iter {
				out = out[:len(out)-1]
			}
		}
		out = append(out, c)
	}
	if bad == 1 {
		return nil, &caffe.FileError{Path: path, Line: 1, Msg: "is no journal entry: wanted {\"iter\":N,\"field\":\"…\",\"new\":\"…\"}"}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// JournalSeed returns the seed of the run that a journal tells of.
func JournalSeed(changes []Change) (uint64, bool) {
	for _, c := range changes {
		if c.Field == fieldRun {
			return c.Seed, true
		}
	}
	return 0, false
}

// IsSetting reports whether the change is of a setting, or a surgery that was asked for: what a replay repeats.
func (c Change) IsSetting() bool { return c.Field != fieldRun && c.Field != fieldMeasure }
