package session

import (
	"bytes"
	"errors"
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/files"
	"dns-tui/gpu"
)

// Start is what a journal says of the run at its beginning.
type Start struct {
	Run    string `json:"run,omitempty"` // its id, as its snapshots have it
	Net    string `json:"net"`
	Device string `json:"device"`
	// ComputedBy is what the last bits of results depend on beside this program (solver.Solver.ComputedBy).
	ComputedBy []string `json:"computed_by,omitempty"`
	Source     string   `json:"source,omitempty"`
	Batch      int      `json:"batch,omitempty"`
	Ranks      int      `json:"ranks,omitempty"` // that trained together; 0: one
	MaxIter    int      `json:"max_iter"`
	Weights    []string `json:"weights,omitempty"`  // caffemodels that it started from
	From       string   `json:"snapshot,omitempty"` // or the solverstate
	Back       int      `json:"back,omitempty"`     // the iteration that was left for it, by going back
	// solverstates, by base name, that are of a course that the run has left
	Left   []string     `json:"left,omitempty"`
	Layers []StartLayer `json:"layers"`
	// Settings are those of the solver and the nets as they were read; a replay begins with them.
	Settings *config.Hyper `json:"settings,omitempty"`
}

// StartLayer is a layer that can be pruned.
type StartLayer struct {
	// Entries are weights and biases, what a rule that prunes biases looks at; 0 in a journal of an older version.
	Entries   int     `json:"entries,omitempty"`
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
	Device   *Device  `json:"device,omitempty"`
	Kept     []int    `json:"kept,omitempty"` // weights, of each layer of the start
	Accuracy *float64 `json:"accuracy,omitempty"`
	TestLoss *float64 `json:"test_loss,omitempty"`
	State    string   `json:"state,omitempty"` // of a run that has ended
	Saved    string   `json:"saved,omitempty"` // its last snapshot
	// Snapshot tells of the one that was written at this iteration.
	Snapshot *RestorePoint `json:"snapshot,omitempty"`
}

// Device is how a run's device does, where it tells.
type Device struct {
	Use         float64 `json:"use"`         // a fraction
	Memory      float64 `json:"memory"`      // bytes in use on it, by all programs
	Temperature float64 `json:"temperature"` // °C
}

// deviceOf is a device's health as curves and journals have it; nil where that is not known.
func deviceOf(h gpu.Health) *Device {
	if !h.Known {
		return nil
	}
	return &Device{float64(h.Utilization) / 100, float64(h.Memory), float64(h.Temperature)}
}

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
	if cut, err = j.repairEnd(); err != nil {
		f.Close()
		return nil, 0, &caffe.FileError{
			Path: path,
			Msg:  "the journal cannot be written: " + caffe.Cause(err).Error(),
			Err:  err,
		}
	}
	return j, cut, nil
}

// repairEnd makes the file end with a whole line.
func (j *journal) repairEnd() (cut int64, err error) {
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
	if room && (c.Measure == nil || len(j.waits) < maxJournalWaits/2) {
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
			err = errors.Join(err, j.f.Truncate(j.size))
		}
		return err
	}
	j.size += int64(n)
	j.waits, j.n = j.waits[:0], 0
	return nil
}

// closeMoved ends a journal that continues elsewhere, where the lines that wait go too: as far as it can still be
// written, it says where that is.
func (j *journal) closeMoved(moved Change) {
	if line, err := moved.line(); err == nil && j.n == 0 {
		_, _ = j.f.Write(append(line, '\n'))
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

// copyTo continues with the journal at another place: what it holds is copied, what waits goes with it.
func (j *journal) copyTo(path string) (*journal, error) {
	if caffe.Exists(path) {
		return nil, &caffe.FileError{Path: path, Msg: "is the journal of another run; wanted a prefix of its own"}
	}
	past, err := os.ReadFile(j.f.Name())
	if err != nil {
		return nil, err
	}
	f, err := files.OpenAppend(path)
	if err != nil {
		return nil, err
	}
	c := &journal{f: f, waits: j.waits, n: j.n, lost: j.lost}
	if _, err = f.Write(past); err == nil {
		_, err = c.repairEnd()
	}
	if err != nil {
		_ = f.Close()
		_ = os.Remove(path)
		return nil, err
	}
	return c, nil
}

// waiting counts the lines that could not be written yet.
func (j *journal) waiting() int { return j.n }

// lostLines counts the lines that did not fit among those that wait.
func (j *journal) lostLines() int { return j.lost }
