package model

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"dns-tui/caffe"
)

// Change is one change of a run: a line of the journal.
type Change struct {
	Iter  int    `json:"iter"`           // at which it took effect
	Field string `json:"field"`          // of config.Hyper; "surgery" for a surgery asked for; "run" for a start
	Old   string `json:"old,omitempty"`  // what it was
	New   string `json:"new"`            // what it is
	Seed  uint64 `json:"seed,omitempty"` // of a start
}

// The fields of a journal that are no hyperparameters.
const (
	fieldRun     = "run"
	fieldSurgery = "surgery"
)

// journal appends changes to a file, one JSON line each, at once.
type journal struct {
	f *os.File
}

func openJournal(path string) (*journal, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, &caffe.FileError{Path: path, Msg: "the journal cannot be written: " + caffe.Cause(err).Error(), Err: err}
	}
	return &journal{f}, nil
}

func (j *journal) write(c Change) error {
	if j == nil {
		return nil
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = j.f.Write(append(line, '\n'))
	return err
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
		var c Change
		if err := json.Unmarshal(sc.Bytes(), &c); err != nil || c.Field == "" || c.Iter < 0 {
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
