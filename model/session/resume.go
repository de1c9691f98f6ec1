package session

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model/solver"
)

// FindSnapshot returns the snapshot of a prefix with the highest iteration that is whole: a solverstate that reads,
// and the weights that it was written with. What a going back left behind, by the journal, is passed over, and so are
// damaged ones; notices say so. It returns ErrNoSnapshot where there is none at all.
func FindSnapshot(prefix, journal string) (path string, notices []string, err error) {
	all, err := solver.Snapshots(prefix)
	if err != nil {
		return "", nil, err
	}
	if len(all) == 0 {
		return "", nil, fmt.Errorf("%w: no %s_iter_*.solverstate", solver.ErrNoSnapshot, prefix)
	}
	course, err := ReadCourse(journal)
	if err != nil {
		if course = (&Course{}); !errors.Is(err, os.ErrNotExist) {
			notices = append(notices, fmt.Sprintf("what was left behind by going back is not known: %v", err))
		}
	}
	for _, s := range all {
		if course.Left[filepath.Base(s.Path)] {
			notices = append(notices, s.Path+" is passed over: the run went back before it")
			continue
		}
		st, err := caffe.ReadSolverState(s.Path)
		if err == nil && int(st.GetIter()) != s.Iter {
			err = fmt.Errorf("it is of iteration %d", st.GetIter())
		}
		if err == nil {
			_, err = solver.WeightsOf(s.Path, st)
		}
		if err == nil {
			return s.Path, append(notices, ofOtherRun(s, st, course)...), nil
		}
		notices = append(notices, fmt.Sprintf("%s is passed over: %v", s.Path, err))
	}
	// joined, for each to be a line where it is shown
	lines := []error{errors.New("none of the snapshots to resume is whole")}
	for _, n := range notices {
		lines = append(lines, errors.New("  "+n))
	}
	return "", nil, errors.Join(lines...)
}

// olderSnapshots says which snapshots are at a prefix that a run which starts at an iteration may replace; "" where
// there are none.
func olderSnapshots(prefix string, iter int, resumed bool) string {
	all, err := solver.Snapshots(prefix)
	if err != nil {
		return ""
	}
	var later []solver.SnapshotFile
	for _, s := range all {
		if s.Iter > iter || !resumed {
			later = append(later, s)
		}
	}
	if len(later) == 0 {
		return ""
	}
	n := "a snapshot is"
	if len(later) > 1 {
		n = fmt.Sprintf("%d snapshots are", len(later))
	}
	text := fmt.Sprintf(
		"%s at %s already, up to iteration %d: this run starts at iteration %d and replaces those of the same "+
			"iterations",
		n,
		prefix,
		later[0].Iter,
		iter,
	)
	if !resumed {
		text += "; --resume continues from them"
	}
	return text
}

// ofOtherRun says that the snapshot of the highest iteration is not the last of the run that a journal tells of last:
// that was begun anew and has not come as far, or was moved to another prefix.
func ofOtherRun(s solver.SnapshotFile, st *caffepb.SolverState, course *Course) []string {
	last, elsewhere := course.run(), ""
	for _, c := range course.Changes {
		switch {
		case c.Began != nil:
			elsewhere = ""
		case c.Moved != nil:
			elsewhere = c.Moved.To
		}
	}
	if elsewhere != "" && !strings.HasPrefix(filepath.Clean(s.Path), filepath.Clean(elsewhere)+"_iter_") {
		return []string{
			fmt.Sprintf(
				"the run went on at %s: its later snapshots are there, and --snapshot resumes from one",
				elsewhere,
			),
		}
	}
	if id := st.GetRunState().GetRunId(); last == "" || id == "" || id == last {
		return nil
	}
	return []string{
		fmt.Sprintf(
			"%s is of run %s; the last run at this prefix, %s, has not come as far: --snapshot resumes from one of "+
				"its snapshots",
			s.Path,
			solver.RunName(st),
			last,
		),
	}
}

// resume finds the snapshot of a run that looks for one at its prefix. notices say what was passed over.
func resume(run *config.Run) (notices []string, err error) {
	if run.Resume == config.ResumeNone || run.Snapshot != "" {
		return nil, nil
	}
	path, notices, err := FindSnapshot(run.SnapshotPrefix(), run.JournalPath())
	if run.Resume == config.ResumeAuto && errors.Is(err, solver.ErrNoSnapshot) {
		return []string{err.Error() + ": the run begins"}, nil
	}
	if err != nil {
		return nil, err
	}
	run.Snapshot, run.Weights = path, nil
	return notices, nil
}
