package session

import (
	"fmt"
	"path/filepath"
	"strings"

	"dns-tui/config"
	"dns-tui/model/solver"
)

// otherThanReplayed says where a run that begins differs from the one that it replays, so that its weights will be
// others: layers, and what it starts from. A seed that the files say too gives way to the replayed one, which is
// said.
func otherThanReplayed(
	changes []Change, run *config.Run, ranks int, now []StartLayer, computedBy []string,
) []string {
	var began *Change
	for i := range changes {
		if changes[i].start() != nil {
			began = &changes[i]
			break
		}
	}
	if began == nil {
		return nil
	}
	var out []string
	if s := run.Solver.RandomSeed; s != nil && *s >= 0 && uint64(*s) != began.Began.Seed && run.Snapshot == "" {
		out = append(
			out,
			fmt.Sprintf(
				"the random numbers are those of the replayed run, of seed %d; random_seed of the files is %d",
				began.Began.Seed,
				*s,
			),
		)
	}
	if then, now := max(1, began.Began.Ranks), max(1, ranks); then != now {
		out = append(
			out,
			fmt.Sprintf("%s is of a run of %d ranks, and this one has %d: it is repeated only where iter_size "+
				"makes up for it", run.Replay, then, now),
		)
	}
	if other := solver.OtherComputedBy(began.Began.ComputedBy, computedBy); other != "" {
		out = append(out, fmt.Sprintf("what computes, since %s: %s", run.Replay, other))
	}
	then := map[string]int{}
	for _, l := range began.Began.Layers {
		then[l.Name] = l.Weights
	}
	var others []string
	for _, l := range now {
		was, ok := then[l.Name]
		delete(then, l.Name)
		switch {
		case !ok:
			others = append(others, l.Name+" is new")
		case was != l.Weights:
			others = append(others, fmt.Sprintf("%s has %d weights, and had %d", l.Name, l.Weights, was))
		}
	}
	for _, l := range began.Began.Layers {
		if _, ok := then[l.Name]; ok {
			others = append(others, l.Name+" is not there")
		}
	}
	if others != nil {
		out = append(
			out,
			fmt.Sprintf(
				"%s is of another net, and its run is not repeated: %s",
				run.Replay,
				strings.Join(others, ", "),
			),
		)
	}
	if a, b := startedFrom(began.Began.Weights, began.Began.From), startedFrom(run.Weights, run.Snapshot); a != b &&
		run.Snapshot == "" {
		out = append(out, fmt.Sprintf("%s began from %s, this run from %s: it is not repeated", run.Replay, a, b))
	}
	return out
}

// startedFrom names what a run starts from, by file names alone: the same file may be reached by another path.
func startedFrom(weights []string, snapshot string) string {
	if snapshot != "" {
		return filepath.Base(snapshot)
	}
	if len(weights) == 0 {
		return "its fillers"
	}
	names := make([]string, len(weights))
	for i, w := range weights {
		names[i] = filepath.Base(w)
	}
	return strings.Join(names, ", ")
}

// replay is a journal that is repeated: the changes that are still to come.
type replay struct {
	changes  []Change
	rejected int // that could not be made again
}

// read reads the journal that a run repeats, where it does, and takes its seed. notices say what was passed over.
func (r *replay) read(run *config.Run) (notices []string, err error) {
	if run.Replay == "" {
		return nil, nil
	}
	course, err := ReadCourse(run.Replay)
	if err != nil {
		return nil, err
	}
	if n := course.Notice(); n != "" {
		notices = append(notices, n)
	}
	r.changes = course.Changes
	if seed, ok := JournalSeed(r.changes); ok {
		run.Seed = &seed
	}
	return notices, nil
}

// settings are those that the journal's run began with; nil where none is repeated, or its journal does not say.
func (r *replay) settings() *config.Hyper { return beganWith(r.changes) }

// differs says where the run that begins differs from the one that is repeated.
func (r *replay) differs(run *config.Run, ranks int, now []StartLayer, computedBy []string) []string {
	return otherThanReplayed(r.changes, run, ranks, now, computedBy)
}

// lastPlan is the highest id of the plans that are to be repeated.
func (r *replay) lastPlan() int {
	last := 0
	for _, c := range r.changes {
		if c.Ramp != nil {
			last = max(last, c.Ramp.Plan.ID)
		}
	}
	return last
}

// reject counts a change that could not be made again.
func (r *replay) reject() { r.rejected++ }

// verdict says that the run was not repeated; "" where it was, or none was.
func (r *replay) verdict() string {
	if r.rejected == 0 {
		return ""
	}
	return fmt.Sprintf("the replay is not the journal's run: %d of its changes were rejected", r.rejected)
}

// skip drops the changes that the snapshot holds from which the run continues: those before its iteration, and of it
// those that were made before the snapshot.
func (r *replay) skip(iter int, iterChanges []Change) {
	n := 0
	for len(r.changes) > 0 && (r.changes[0].Iter < iter || !r.changes[0].IsSetting()) {
		r.changes = r.changes[1:]
	}
	for _, c := range iterChanges {
		for n < len(r.changes) && !r.changes[n].IsSetting() {
			n++
		}
		if n == len(r.changes) || !sameLine(r.changes[n], c) {
			return
		}
		n++
	}
	r.changes = r.changes[n:]
}

// due takes the changes off that took effect at an iteration.
func (r *replay) due(iter int) []Change {
	var out []Change
	for len(r.changes) > 0 && r.changes[0].Iter <= iter {
		if c := r.changes[0]; c.Iter == iter && c.IsSetting() {
			out = append(out, c)
		}
		r.changes = r.changes[1:]
	}
	return out
}
