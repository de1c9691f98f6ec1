package session

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/files"
	"dns-tui/model/solver"
)

// History is a run as its journal tells it.
type History struct {
	Starts                                      []Change           // where it began and was resumed
	Changes                                     []Change           // of settings, and surgeries asked for
	Loss, Rate, Speed, Kept, Accuracy, TestLoss Series             // Kept is the fraction of all weights
	Utilization, DeviceMemory, Temperature      Series             // of the device, as in a Snapshot
	Layers                                      map[string]*Series // the fraction that each layer keeps
	Last                                        Measure            // the newest of everything
	LastIter                                    int
	Begun, Ended                                time.Time
}

// NewHistory sorts the lines of a journal.
func NewHistory(lines []Change) *History {
	h := &History{Layers: map[string]*Series{}}
	var start *Start
	for _, c := range lines {
		h.LastIter = max(h.LastIter, c.Iter)
		if c.Time != 0 {
			at := time.Unix(c.Time, 0)
			if h.Begun.IsZero() {
				h.Begun = at
			}
			h.Ended = at
		}
		switch {
		case c.Began != nil:
			h.Starts = append(h.Starts, c)
			if c.Began.Start != nil {
				start = c.Began.Start
			}
		case c.Measure != nil:
			h.measure(c.Iter, c.Measure, start)
		case c.IsSetting(), c.Moved != nil, c.Taken != nil:
			h.Changes = append(h.Changes, c)
		}
	}
	return h
}

// Start returns what the journal says of the run; nil in a journal of an older version.
func (h *History) Start() *Start {
	for i := len(h.Starts) - 1; i >= 0; i-- {
		if st := h.Starts[i].start(); st != nil {
			return st
		}
	}
	return nil
}

func (h *History) measure(iter int, m *Measure, start *Start) {
	for _, p := range []struct {
		to   *Series
		from *float64
		last **float64
	}{
		{&h.Loss, m.Loss, &h.Last.Loss},
		{&h.Rate, m.Rate, &h.Last.Rate},
		{&h.Speed, m.Speed, &h.Last.Speed},
		{&h.Accuracy, m.Accuracy, &h.Last.Accuracy},
		{&h.TestLoss, m.TestLoss, &h.Last.TestLoss},
	} {
		if p.from != nil {
			p.to.Add(iter, *p.from)
			*p.last = p.from
		}
	}
	if d := m.Device; d != nil {
		h.Utilization.Add(iter, d.Use)
		h.DeviceMemory.Add(iter, d.Memory)
		h.Temperature.Add(iter, d.Temperature)
		h.Last.Device = d
	}
	if m.State != "" {
		h.Last.State = m.State
	}
	if m.Saved != "" {
		h.Last.Saved = m.Saved
	}
	if start == nil || len(m.Kept) == 0 || len(m.Kept) != len(start.Layers) {
		return
	}
	h.Last.Kept = m.Kept
	kept, total := 0, 0
	for i, l := range start.Layers {
		s := h.Layers[l.Name]
		if s == nil {
			s = &Series{}
			h.Layers[l.Name] = s
		}
		s.Add(iter, solver.Fraction(m.Kept[i], l.Weights))
		kept, total = kept+m.Kept[i], total+l.Weights
	}
	h.Kept.Add(iter, solver.Fraction(kept, total))
}

// EditsAt are the settings that a change has led to by an iteration: of a ramp, where it is then.
func (c *Change) EditsAt(iter int) []config.Edited {
	if c.Ramp == nil || c.Ramp.Ended || c.Ramp.Plan.Over < 1 {
		return c.Edits
	}
	p := c.Ramp.Plan
	v, _ := p.valueAt(iter)
	return []config.Edited{{Edit: config.Edit{Field: p.Field, Value: v}, Old: p.Old, OldKnown: p.Begun}}
}

// beganWith returns the settings that the files of a journal's run had; nil in a journal of an older version.
func beganWith(lines []Change) *config.Hyper {
	for _, c := range lines {
		if st := c.start(); st != nil {
			return st.Settings
		}
	}
	return nil
}

// Course is what a journal tells of a run.
type Course struct {
	// Changes are the course that led to where the run stands: where the run went back, or was resumed from an earlier
	// iteration, the changes that this undid are left out.
	Changes []Change
	// Skipped are the lines that are no entries, by number; a last one that is cut short is among them.
	Skipped []int
	// Left are the solverstates, by base name, that going back left behind and that were not written anew since.
	Left map[string]bool
	// Saved are the snapshots that were written, the last of each file; of a run that was begun anew, those since.
	Saved []RestorePoint
	// Path is the journal's.
	Path string
}

// Notice says which lines were skipped; "" where none was.
func (c *Course) Notice() string {
	const named = 10
	var numbers []string
	for _, n := range c.Skipped[:min(named, len(c.Skipped))] {
		numbers = append(numbers, fmt.Sprint(n))
	}
	if more := len(c.Skipped) - named; more > 0 {
		numbers = append(numbers, fmt.Sprintf("and %d more", more))
	}
	switch len(c.Skipped) {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("%s:%d: is not a journal entry, and is skipped", c.Path, c.Skipped[0])
	}
	return fmt.Sprintf("%s: lines %s are not journal entries, and are skipped", c.Path, strings.Join(numbers, ", "))
}

// run is the name of the run that the course is of; "" where no start tells it.
func (c *Course) run() string {
	for _, l := range slices.Backward(c.Changes) {
		if st := l.start(); st != nil && st.Run != "" {
			return st.Run
		}
	}
	return ""
}

// ReadJournal reads the changes of a run: Course.Changes.
func ReadJournal(path string) ([]Change, error) {
	c, err := ReadCourse(path)
	if err != nil {
		return nil, err
	}
	return c.Changes, nil
}

// ReadCourse reads a journal. Lines that are no entries are skipped; a file without any entry is an error.
func ReadCourse(path string) (*Course, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseCourse(path, f, nil)
}

// courseOf returns the course that led to a snapshot, as its journal had it when that was written last; nil where it
// is not known.
func courseOf(journalPath, state string) *Course {
	f, err := os.Open(journalPath)
	if err != nil {
		return nil
	}
	defer f.Close()
	var found *Course
	_, err = parseCourse(journalPath, f, func(o *Course, c Change) {
		if m := c.Measure; m != nil && m.Snapshot != nil && filepath.Base(m.Snapshot.Path) == filepath.Base(state) {
			found = &Course{Path: journalPath, Changes: slices.Clone(o.Changes), Saved: slices.Clone(o.Saved)}
		}
	})
	if err != nil {
		return nil
	}
	return found
}

// maxJournalLine bounds a line: a start has two entries for each layer, some 300 bytes.
const maxJournalLine = 256 << 20

func parseCourse(path string, r io.Reader, visit func(*Course, Change)) (*Course, error) {
	out := &Course{Path: path, Left: map[string]bool{}}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 4096), maxJournalLine)
	lines := 0
	for line := 1; sc.Scan(); line++ {
		if len(bytes.TrimSpace(sc.Bytes())) == 0 {
			continue
		}
		lines++
		c, err := parseChange(sc.Bytes())
		if err != nil {
			out.Skipped = append(out.Skipped, line)
			// A line that was cut short may have had the next one written behind it.
			at := bytes.LastIndex(sc.Bytes(), []byte(`{"iter":`))
			if at <= 0 {
				continue
			}
			if c, err = parseChange(sc.Bytes()[at:]); err != nil {
				continue
			}
		}
		out.add(c)
		if visit != nil {
			visit(out, c)
		}
	}
	if lines > 0 && len(out.Skipped) == lines && len(out.Changes) == 0 {
		return nil, &caffe.FileError{
			Path: path,
			Line: out.Skipped[0],
			Msg:  "is not a journal entry: wanted {\"iter\":N,\"field\":\"…\",\"new\":\"…\"}",
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// add adds an entry.
func (o *Course) add(c Change) {
	if c.Began != nil {
		n := len(o.Changes)
		for n > 0 && o.Changes[n-1].Iter >= c.Iter {
			n--
		}
		o.Changes = o.Changes[:n]
	}
	if st := c.start(); st != nil {
		if st.Back > 0 { // all that are left behind now
			clear(o.Left)
			for _, name := range st.Left {
				o.Left[name] = true
			}
		}
		if c.Iter == 0 && st.From == "" {
			o.Saved = nil
		}
	}
	if m := c.Measure; m != nil && m.Snapshot != nil {
		delete(o.Left, filepath.Base(m.Snapshot.Path))
		o.Saved = slices.DeleteFunc(o.Saved, func(s RestorePoint) bool { return s.Path == m.Snapshot.Path })
		o.Saved = append(o.Saved, *m.Snapshot)
	}
	o.Changes = append(o.Changes, c)
}

// JournalSeed returns the seed of the run that a journal tells of.
func JournalSeed(changes []Change) (uint64, bool) {
	for _, c := range changes {
		if c.Began != nil {
			return c.Began.Seed, true
		}
	}
	return 0, false
}
