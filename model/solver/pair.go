package solver

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
)

// A snapshot is a pair of files, weights and a solverstate that names them and knows their checksum. This file writes
// pairs so that a whole one is there at any moment, and finds the whole ones again.

// ErrNoSnapshot is returned when there is no snapshot of a prefix.
var ErrNoSnapshot = errors.New("no snapshot to resume")

// previousSuffix is added to the name of weights while both files of their pair are replaced.
const previousSuffix = ".previous"

// replacePair gives two prepared files their names. Where they replace a pair of the same names, its weights stay under
// another name until both are there: the older solverstate finds them by their checksum.
func replacePair(weights string, w *caffe.Prepared, state string, s *caffe.Prepared) error {
	previous := weights + previousSuffix
	if err := keepPrevious(weights, previous, state); err != nil {
		return err
	}
	if err := w.Commit(); err != nil {
		return err
	}
	if err := s.Commit(); err != nil {
		return err
	}
	os.Remove(previous)
	return nil
}

// keepPrevious gives the weights of a pair that is about to be replaced a second name.
func keepPrevious(weights, previous, state string) error {
	if !caffe.Exists(state) {
		return nil
	}
	st, err := caffe.ReadSolverState(state)
	if err != nil {
		return nil // damaged: there is nothing to keep
	}
	at, err := WeightsOf(state, st)
	if err != nil || at != weights { // no pair, or one whose weights have their second name already
		return nil
	}
	os.Remove(previous)
	if err := os.Link(weights, previous); err != nil { // a file system without hard links
		if err := os.Rename(weights, previous); err != nil {
			return caffe.NotWritten(weights, err)
		}
	}
	return nil
}

// WeightsName is the name that a run gives to the weights of a solverstate of this name.
func WeightsName(state string) string {
	dir, base := filepath.Split(state)
	return dir + strings.Replace(base, ".solverstate", ".caffemodel", 1)
}

// SnapshotFile is a solverstate at a prefix.
type SnapshotFile struct {
	Path string
	Iter int
}

// ParseStateName takes the name of a solverstate apart, PREFIX_iter_N.solverstate with or without .h5; ok is false of
// other names.
func ParseStateName(name string) (prefix string, iter int, ok bool) {
	name, ok = strings.CutSuffix(strings.TrimSuffix(name, ".h5"), ".solverstate")
	const before = "_iter_"
	i := strings.LastIndex(name, before)
	if !ok || i <= 0 {
		return "", 0, false
	}
	iter, err := strconv.Atoi(name[i+len(before):])
	return name[:i], iter, err == nil && iter >= 0
}

// Snapshots lists the solverstates of a prefix, PREFIX_iter_N.solverstate with or without .h5, the highest N first. The
// prefix is a name, not a pattern.
func Snapshots(prefix string) ([]SnapshotFile, error) {
	entries, err := os.ReadDir(filepath.Dir(prefix))
	if err != nil {
		return nil, &caffe.FileError{Path: filepath.Dir(prefix), Msg: caffe.Cause(err).Error(), Err: err}
	}
	var out []SnapshotFile
	for _, e := range entries {
		if of, n, ok := ParseStateName(e.Name()); ok && of == filepath.Base(prefix) {
			out = append(out, SnapshotFile{filepath.Join(filepath.Dir(prefix), e.Name()), n})
		}
	}
	sort.SliceStable(out, func(i, j int) bool { return out[i].Iter > out[j].Iter })
	return out, nil
}

// WeightsOf finds the weights of a solverstate: beside it first, then where learned_net says, as Caffe opens it.
// Where the solverstate knows their checksum, a file of the name with other content is passed over, and an error says
// whose it is. It returns "" where the solverstate names no weights.
func WeightsOf(path string, st *caffepb.SolverState) (string, error) {
	name := st.GetLearnedNet()
	if name == "" {
		return "", nil
	}
	dir := filepath.Dir(path)
	beside := filepath.Join(dir, filepath.Base(name))
	own := filepath.Clean(WeightsName(path)) // of a snapshot that was renamed
	want := st.GetRunState().GetWeightsSha256()
	var wrong []string
	tried := map[string]bool{}
	candidates := []string{beside, beside + previousSuffix, own, own + previousSuffix, name, config.Resolve(name, path)}
	if want == nil { // of Caffe: where its weights were put aside, those at its name may be another snapshot's already
		candidates = []string{beside + previousSuffix, beside, own + previousSuffix, own, name, candidates[5]}
	}
	for _, c := range candidates {
		if tried[c] || !caffe.Exists(c) {
			continue
		}
		tried[c] = true
		if want == nil {
			return c, nil
		}
		sum, err := caffe.FileSHA256(c)
		if err != nil {
			return "", err
		}
		if bytes.Equal(sum, want) {
			return c, nil
		}
		wrong = append(wrong, c+" "+describeMismatch(c, sum))
	}
	if wrong == nil {
		return "", &caffe.FileError{
			Path: path,
			Msg:  fmt.Sprintf("its weights are not there: no %s, beside it or from the working folder", name),
		}
	}
	return "", &caffe.FileError{
		Path: path,
		Msg: fmt.Sprintf("its weights, of run %s with SHA-256 %s…, are not there: %s",
			RunName(st), hex.EncodeToString(want[:min(4, len(want))]), strings.Join(wrong, "; ")),
	}
}

// describeMismatch says what a file of weights is that has not the wanted checksum.
func describeMismatch(weights string, sum []byte) string {
	state := strings.Replace(weights, ".caffemodel", ".solverstate", 1)
	if st, err := caffe.ReadSolverState(state); err == nil && bytes.Equal(st.GetRunState().GetWeightsSha256(), sum) {
		return fmt.Sprintf("is of run %s and belongs to %s", RunName(st), state)
	}
	return fmt.Sprintf("has SHA-256 %s…: damaged, or of another run", hex.EncodeToString(sum[:4]))
}

// RunName is the id of the run that a solverstate is of.
func RunName(st *caffepb.SolverState) string {
	if id := st.GetRunState().GetRunId(); id != "" {
		return id
	}
	return "without a name"
}

// DropPrevious removes weights that a killed process kept aside while it replaced a pair, where the pair is whole
// without them.
func DropPrevious(prefix string) {
	all, err := Snapshots(prefix)
	if err != nil {
		return
	}
	for _, s := range all {
		weights := WeightsName(s.Path)
		if !caffe.Exists(weights + previousSuffix) {
			continue
		}
		st, err := caffe.ReadSolverState(s.Path)
		if err != nil {
			continue
		}
		if found, err := WeightsOf(s.Path, st); err == nil && found == weights &&
			st.GetRunState().GetWeightsSha256() != nil {
			os.Remove(weights + previousSuffix)
		}
	}
}
