package main

import (
	"context"
	"errors"
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
	"dns-tui/human"
	"dns-tui/model/remote"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// Bounds of the work in a folder: names that are read, prototxt files that are parsed, and how large one may be.
const (
	mostNames    = 4096
	mostParsed   = 64
	mostPrototxt = 1 << 20
)

// around is what a folder has to begin with.
type around struct {
	solvers   []solverHere
	snapshots []snapshotHere // the last of each prefix
	nets      []string       // that no solver here trains
	cut       bool           // the folder has more than was looked at
}

// solverHere is a solver in a folder.
type solverHere struct{ run *config.Run }

func (s *solverHere) path() string { return s.run.SolverPath }

// snapshotHere is the last snapshot of a prefix.
type snapshotHere struct {
	path, prefix string
	iter         int
}

// lookAround looks for solvers, by what they hold, and snapshots, by their names, in a folder, and for the solvers'
// snapshots where those are elsewhere.
func lookAround(dir string) *around {
	a := &around{}
	names, cut := namesIn(dir)
	a.cut = cut
	var nets []string
	parsed := 0
	for _, name := range names {
		path := inFolder(dir, name)
		if !files.HasExt(name, ".prototxt") {
			continue
		}
		if st, err := os.Stat(path); err != nil || !st.Mode().IsRegular() || st.Size() > mostPrototxt {
			continue
		}
		if parsed++; parsed > mostParsed {
			a.cut = true
			break
		}
		if run, err := config.ReadSolver(path); err == nil && run.NamesNet() {
			a.solvers = append(a.solvers, solverHere{run})
		} else if n, err := caffe.ReadNetPrototxt(path); err == nil && len(n.Net.Layer) > 0 {
			nets = append(nets, path)
		}
	}
	a.addSnapshots(dir, names, "")
	for _, s := range a.solvers {
		prefix := s.run.SnapshotPrefix()
		if to := filepath.Dir(prefix); absolute(to) != absolute(dir) {
			names, cut := namesIn(to)
			a.cut = a.cut || cut
			a.addSnapshots(to, names, prefix)
		}
	}
	for _, n := range nets {
		if !slices.ContainsFunc(a.solvers, func(s solverHere) bool { return sameFile(s.run.TrainNetPath(), n) }) {
			a.nets = append(a.nets, n)
		}
	}
	return a
}

// namesIn returns the names in a folder, sorted; cut reports that there are more.
func namesIn(dir string) (names []string, cut bool) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, false
	}
	defer f.Close()
	names, err = f.Readdirnames(mostNames)
	if err == nil && len(names) == mostNames {
		_, err := f.Readdirnames(1)
		cut = !errors.Is(err, io.EOF)
	}
	slices.Sort(names)
	return names, cut
}

// inFolder is the path of a name in a folder; in the working folder it is the name itself.
func inFolder(dir, name string) string {
	if dir == "." {
		return fromHere("", name)
	}
	return filepath.Join(dir, name)
}

func absolute(path string) string {
	if abs, err := filepath.Abs(path); err == nil {
		return abs
	}
	return path
}

// statePrefix is the prefix that a snapshot is of: that of its run, also where it was written before a risky change, or
// by a search.
func statePrefix(path string) string {
	dir, name := filepath.Split(path)
	prefix, _, ok := solver.ParseStateName(name)
	if !ok {
		return ""
	}
	return filepath.Join(dir, session.RunPrefix(prefix))
}

// addSnapshots takes in the last snapshot of each prefix among names; of one alone where only is not "".
func (a *around) addSnapshots(dir string, names []string, only string) {
	last := map[string]snapshotHere{}
	for _, name := range names {
		prefix, iter, ok := solver.ParseStateName(name)
		if !ok || only != "" && prefix != filepath.Base(only) || session.RunPrefix(prefix) != prefix {
			continue
		}
		if was, ok := last[prefix]; !ok || iter > was.iter {
			last[prefix] = snapshotHere{inFolder(dir, name), filepath.Join(dir, prefix), iter}
		}
	}
	for _, s := range last {
		known := func(b snapshotHere) bool { return absolute(b.path) == absolute(s.path) }
		if !slices.ContainsFunc(a.snapshots, known) {
			a.snapshots = append(a.snapshots, s)
		}
	}
	slices.SortFunc(a.snapshots, func(x, y snapshotHere) int { return strings.Compare(x.path, y.path) })
}

// solverOf is the solver whose snapshots have a prefix; nil where none here has, or several have.
func (a *around) solverOf(prefix string) *solverHere {
	var found *solverHere
	for i := range a.solvers {
		if prefix == "" || absolute(a.solvers[i].run.SnapshotPrefix()) != absolute(prefix) {
			continue
		}
		if found != nil {
			return nil
		}
		found = &a.solvers[i]
	}
	return found
}

// mostJournal is how large a journal may be that is read to find a run's solver.
const mostJournal = 8 << 20

// writerOf is the solver that a prefix's snapshots are of: the one here that writes there, or else the one that the
// run's journal names; nil where neither is known.
func (a *around) writerOf(prefix string) *solverHere {
	if of := a.solverOf(prefix); of != nil {
		return of
	}
	journal := prefix + ".journal"
	if st, err := os.Stat(journal); err != nil || !st.Mode().IsRegular() || st.Size() > mostJournal {
		return nil
	}
	lines, err := session.ReadJournal(journal)
	if err != nil {
		return nil
	}
	for _, c := range slices.Backward(lines) {
		if c.Began == nil {
			continue
		}
		if run, err := config.ReadSolver(c.Began.Solver); err == nil && run.NamesNet() {
			return &solverHere{run}
		}
		return nil
	}
	return nil
}

// beginning is something that a person may begin with: what it is, what choosing it does, and the command for it.
type beginning struct {
	kind, name, what, does string
	words                  []string
}

// runsPatience is how long active runs may take to answer, all together: what else there is waits for them.
const runsPatience = time.Second

// beginnings lists what there is in the working folder, and the runs that are active: runs first, then what goes on,
// then what begins.
func beginnings(ctx context.Context, a *around) ([]beginning, error) {
	ctx, cancel := context.WithTimeout(ctx, runsPatience)
	defer cancel()
	runs, err := remote.Runs(ctx)
	var out []beginning
	busy := map[string]bool{} // prefixes
	for _, r := range runs {
		if r.Err != nil {
			does, words := "tries to attach", []string{"attach", r.Name}
			out = append(out, beginning{"run", r.Name, "does not answer", does, words})
			continue
		}
		s := r.Snapshot
		busy[absolute(fromHere(folderOf(r.Pid), s.Prefix))] = true
		out = append(out, beginning{"run", r.Name, runWhat(s), "attaches to it", []string{"attach", r.Name}})
	}
	for _, s := range a.snapshots {
		if busy[absolute(s.prefix)] {
			continue
		}
		b := beginning{
			"snapshot", s.path, "iteration " + human.Count(s.iter), "goes on from it",
			[]string{someSolver, "--snapshot", s.path},
		}
		if of := a.writerOf(s.prefix); of != nil {
			b.what += fmt.Sprintf(" of %s, %s", human.Count(int(of.run.Solver.GetMaxIter())), filepath.Base(of.path()))
			b.words[0] = of.path()
		} else {
			b.does = "goes on from it, with a solver"
		}
		out = append(out, b)
	}
	for i := range a.solvers {
		s := &a.solvers[i]
		if busy[absolute(s.run.SnapshotPrefix())] {
			continue
		}
		out = append(out, beginning{"solver", s.path(), s.what(), "starts a run", []string{s.path()}})
	}
	for _, n := range a.nets {
		out = append(out, beginning{
			"net", n, "a net that no solver here trains", "asks five questions, writes a solver", []string{"new", n},
		})
	}
	return out, err
}

// runWhat says how an active run is.
func runWhat(s *session.Snapshot) string {
	text := fmt.Sprintf("%s, %s at iteration %s of %s", s.Net, s.State, human.Count(s.Iter), human.Count(s.MaxIter))
	if kept, total := s.Kept(); total > 0 && kept < total {
		text += fmt.Sprintf(", %.2f %% kept", 100*float64(kept)/float64(total))
	}
	return text
}

// what says what a solver trains, and for how long.
func (s *solverHere) what() string {
	p := s.run.Solver
	text := human.Count(int(p.GetMaxIter())) + " iterations"
	if net := s.run.TrainNetPath(); net != "" {
		text = filepath.Base(net) + ", " + text
	}
	if t := p.GetAutopilotParam().GetTarget(); t != "" {
		text += ", pruned to " + t
	}
	return text
}
