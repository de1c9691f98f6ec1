package session

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
)

// Edit is one field of config.Hyper and its new value.
type Edit struct {
	Field string `json:"field"`
	Old   string `json:"old,omitempty"`
	New   string `json:"new"`
}

func (e Edit) String() string {
	if e.Old == "" {
		return e.Field + " " + e.New // asked for
	}
	return fmt.Sprintf("%s %s → %s", e.Field, e.Old, e.New)
}

// Change is one change of a run: a line of the journal. Lines of the fields run and measure tell where the run began,
// or went on, and how it went.
type Change struct {
	Iter  int    `json:"iter"`           // at which it took effect
	Field string `json:"field"`          // of config.Hyper; or one of those below
	Old   string `json:"old,omitempty"`  // what it was
	New   string `json:"new"`            // what it is
	Seed  uint64 `json:"seed,omitempty"` // of a start
	By    string `json:"by,omitempty"`   // who asked for it, where several may
	Time  int64  `json:"time,omitempty"` // of a start and a measure: seconds since 1970

	Edits []Edit `json:"edits,omitempty"` // of a change of several fields, whose Field is "edits"
	// of a ramp that begins, or, where New is "off", ends before its time; Field is "plan"
	Plan    *Plan    `json:"plan,omitempty"`
	Layers  []string `json:"layers,omitempty"` // of a surgery that was not on all
	Seq     int      `json:"seq,omitempty"`    // in a snapshot: the command that a waiting change is of
	Start   *Start   `json:"start,omitempty"`
	Measure *Measure `json:"measure,omitempty"`
}

// changeOf is the change that edits make together.
func changeOf(iter int, edits []Edit, by string) Change {
	if len(edits) == 1 {
		return Change{Iter: iter, Field: edits[0].Field, Old: edits[0].Old, New: edits[0].New, By: by}
	}
	return Change{Iter: iter, Field: fieldEdits, New: EditsText(edits), Edits: edits, By: by}
}

// All returns the change's edits: of one that is no setting, none.
func (c Change) All() []Edit {
	switch c.Field {
	case fieldEdits:
		return c.Edits
	case fieldRun, fieldMeasure, fieldSurgery, fieldPlan, fieldPrefix:
		return nil
	}
	return []Edit{{c.Field, c.Old, c.New}}
}

// Text is the change as a person reads it.
func (c Change) Text() string {
	switch {
	case c.Field == fieldEdits:
		return EditsText(c.Edits)
	case c.Field == fieldSurgery && len(c.Layers) > 0:
		return "surgery on " + strings.Join(c.Layers, ", ")
	case c.Field == fieldSurgery:
		return "surgery now"
	case c.Field == fieldPlan && c.New == planOff:
		return c.Old + ", ended"
	case c.Field == fieldPlan:
		return c.New
	}
	return Edit{c.Field, c.Old, c.New}.String()
}

// EditsText is what edits do together: "prune → on in conv1, conv2, conv3 and 50 more".
func EditsText(edits []Edit) string {
	const named = 3
	if len(edits) == 1 {
		return edits[0].String()
	}
	var names []string
	same := true
	for i, e := range edits {
		layer, field := config.SplitField(e.Field)
		_, first := config.SplitField(edits[0].Field)
		same = same && layer != "" && field == first && e.New == edits[0].New
		if i < named {
			names = append(names, layer)
		}
	}
	more := ""
	if n := len(edits) - named; n > 0 {
		more = fmt.Sprintf(" and %d more", n)
	}
	if same {
		_, field := config.SplitField(edits[0].Field)
		return fmt.Sprintf("%s → %s in %s%s", field, edits[0].New, strings.Join(names, ", "), more)
	}
	names = names[:0]
	for _, e := range edits[:min(named, len(edits))] {
		names = append(names, e.String())
	}
	return strings.Join(names, ", ") + more
}

// Start is what a journal says of the run at its beginning.
type Start struct {
	Run     string   `json:"run,omitempty"` // its id, as its snapshots have it
	Net     string   `json:"net"`
	Device  string   `json:"device"`
	Source  string   `json:"source,omitempty"`
	Batch   int      `json:"batch,omitempty"`
	MaxIter int      `json:"max_iter"`
	Weights []string `json:"weights,omitempty"`  // caffemodels that it started from
	From    string   `json:"snapshot,omitempty"` // or the solverstate
	Back    int      `json:"back,omitempty"`     // the iteration that was left for it, by going back
	// solverstates, by base name, that are of a course that the run has left
	Left   []string     `json:"left,omitempty"`
	Layers []StartLayer `json:"layers"`
	// Settings are those of the solver and the nets as they were read; a replay begins with them.
	Settings *config.Hyper `json:"settings,omitempty"`
}

// beganWith returns the settings that the files of a journal's run had; nil in a journal of an older version.
func beganWith(lines []Change) *config.Hyper {
	for _, c := range lines {
		if c.Start != nil {
			return c.Start.Settings
		}
	}
	return nil
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
	// Snapshot tells of the one that was written at this iteration.
	Snapshot *SavedState `json:"snapshot,omitempty"`
}

// The fields of a journal that are no hyperparameters.
const (
	fieldRun     = "run"
	fieldSurgery = "surgery"
	fieldMeasure = "measure"
	fieldEdits   = "edits" // several fields at once
	fieldPlan    = "plan"  // a ramp begins, or ends before its time
	fieldPrefix  = "snapshot_prefix"
)

// planOff is what the journal says of a ramp that ended before its time.
const planOff = "off"

// journal appends changes to a file, one JSON line each, at once. Lines that cannot be written wait in memory for the
// next try: without them a replay would do something else.
type journal struct {
	f     *os.File
	size  int64 // of whole lines
	waits []byte
	n     int // lines that wait
	lost  int // lines that did not fit among them
}

// maxJournalWaits bounds the bytes that wait: what follows is lost.
const maxJournalWaits = 16 << 20

// openJournal opens a journal to write behind what it holds. A last line that a crash or a full disk cut short is cut
// off: cut is how many bytes that was.
func openJournal(path string) (j *journal, cut int64, err error) {
	f, err := files.OpenAppend(path)
	if err != nil {
		return nil, 0, &caffe.FileError{
			Path: path,
			Msg:  "the journal cannot be written: " + caffe.Cause(err).Error(),
			Err:  err,
		}
	}
	// Two runs that write to one journal, at prefixes of their own, would mix their changes.
	if st, err := f.Stat(); err == nil && st.Mode().IsRegular() &&
		errors.Is(unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB), unix.EWOULDBLOCK) {
		f.Close()
		return nil, 0, &caffe.FileError{
			Path: path,
			Msg:  "another run writes to this journal; wanted a --journal of its own",
		}
	}
	j = &journal{f: f}
	if cut, err = j.mend(); err != nil {
		f.Close()
		return nil, 0, &caffe.FileError{
			Path: path,
			Msg:  "the journal cannot be written: " + caffe.Cause(err).Error(),
			Err:  err,
		}
	}
	return j, cut, nil
}

// mend makes the file end with a whole line.
func (j *journal) mend() (cut int64, err error) {
	st, err := j.f.Stat()
	if err != nil || !st.Mode().IsRegular() {
		return 0, err
	}
	j.size = st.Size()
	r, err := os.Open(j.f.Name())
	if err != nil {
		return 0, err
	}
	defer r.Close()
	const block = 1 << 16
	var tail []byte // from the last end of a line on
	for at := j.size; at > 0; {
		n := min(block, at)
		b := make([]byte, n)
		if _, err := r.ReadAt(b, at-n); err != nil {
			return 0, err
		}
		at -= n
		i := bytes.LastIndexByte(b, '\n')
		tail = append(b[i+1:], tail...)
		if i >= 0 {
			break
		}
	}
	if len(tail) == 0 {
		return 0, nil
	}
	if _, err := parseChange(tail); err == nil { // whole, but for its end
		_, err = j.f.Write([]byte{'\n'})
		j.size++
		return 0, err
	}
	j.size -= int64(len(tail))
	return int64(len(tail)), j.f.Truncate(j.size)
}

func (j *journal) write(c Change) error {
	if j == nil {
		return nil
	}
	line, err := c.line()
	if err != nil {
		return err
	}
	// Of measures, which a replay does without, few wait.
	room := j.n == 0 || len(j.waits)+len(line) < maxJournalWaits // the start of a large net is long
	if room && (c.Field != fieldMeasure || len(j.waits) < maxJournalWaits/2) {
		j.waits, j.n = append(append(j.waits, line...), '\n'), j.n+1
	} else {
		j.lost++
	}
	return j.flush()
}

// flush writes the lines that wait, all or none.
func (j *journal) flush() error {
	if j == nil || j.n == 0 {
		return nil
	}
	n, err := j.f.Write(j.waits)
	if err != nil {
		if n > 0 {
			j.f.Truncate(j.size)
		}
		return err
	}
	j.size += int64(n)
	j.waits, j.n = j.waits[:0], 0
	return nil
}

// line is the change as the journal has it.
func (c Change) line() ([]byte, error) {
	b, err := json.Marshal(c)
	return escape.JSON(b), err
}

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

// leave ends a journal that goes on elsewhere, where the lines that wait go too: as far as it can still be written,
// it says where that is.
func (j *journal) leave(moved Change) {
	if line, err := moved.line(); err == nil && j.n == 0 {
		j.f.Write(append(line, '\n'))
	}
	j.f.Close()
}

// sync brings the lines that are written to the disk.
func (j *journal) sync() error {
	if err := j.flush(); err != nil || j == nil {
		return err
	}
	err := j.f.Sync()
	// a FIFO, or a device
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.EROFS) {
		return nil
	}
	return err
}

func (j *journal) close() error {
	if j == nil {
		return nil
	}
	j.flush()
	return j.f.Close()
}

// Course is what a journal tells of a run.
type Course struct {
	// Changes are the course that led to the last state: where the run went back, or was resumed from an earlier
	// iteration, the changes that this undid are dropped.
	Changes []Change
	// Skipped are the lines that are no entries, by number; a last one that is cut short is among them.
	Skipped []int
	// Left are the solverstates, by base name, that going back left behind and that were not written anew since.
	Left map[string]bool
	// Saved are the snapshots that were written, the last of each file; of a run that was begun anew, those since.
	Saved []SavedState
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
		return fmt.Sprintf("%s:%d: is no journal entry, and is skipped", c.Path, c.Skipped[0])
	}
	return fmt.Sprintf("%s: lines %s are no journal entries, and are skipped", c.Path, strings.Join(numbers, ", "))
}

// run is the name of the run that the course is of; "" where no start tells it.
func (c *Course) run() string {
	for _, l := range slices.Backward(c.Changes) {
		if l.Start != nil && l.Start.Run != "" {
			return l.Start.Run
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

// Abandoned returns the solverstates, by base name, that going back left behind and that were not written anew since:
// a run does not go on from them by itself. Without a journal there are none.
func Abandoned(journalPath string) (map[string]bool, error) {
	c, err := ReadCourse(journalPath)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	return c.Left, nil
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

func parseCourse(path string, r io.Reader, see func(*Course, Change)) (*Course, error) {
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
		out.take(c)
		if see != nil {
			see(out, c)
		}
	}
	if lines > 0 && len(out.Skipped) == lines && len(out.Changes) == 0 {
		return nil, &caffe.FileError{
			Path: path,
			Line: out.Skipped[0],
			Msg:  "is no journal entry: wanted {\"iter\":N,\"field\":\"…\",\"new\":\"…\"}",
		}
	}
	if err := sc.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return out, nil
}

// take adds an entry.
func (o *Course) take(c Change) {
	if c.Field == fieldRun {
		n := len(o.Changes)
		for n > 0 && o.Changes[n-1].Iter >= c.Iter {
			n--
		}
		o.Changes = o.Changes[:n]
		if c.Start != nil && c.Start.Back > 0 { // all that are left behind now
			clear(o.Left)
			for _, name := range c.Start.Left {
				o.Left[name] = true
			}
		}
	}
	if c.Field == fieldRun && c.Start != nil && c.Iter == 0 && c.Start.From == "" {
		o.Saved = nil
	}
	if m := c.Measure; m != nil && m.Snapshot != nil {
		delete(o.Left, filepath.Base(m.Snapshot.Path))
		o.Saved = slices.DeleteFunc(o.Saved, func(s SavedState) bool { return s.Path == m.Snapshot.Path })
		o.Saved = append(o.Saved, *m.Snapshot)
	}
	o.Changes = append(o.Changes, c)
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
func (c Change) IsSetting() bool {
	return c.Field != fieldRun && c.Field != fieldMeasure && c.Field != fieldPrefix
}
