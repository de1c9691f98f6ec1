package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unicode/utf8"

	"dns-tui/caffe"
	"dns-tui/caffe/compact"
	"dns-tui/caffe/dataset"
	"dns-tui/config"
	"dns-tui/files"
	"dns-tui/model/session"
)

// fileKind is what a path leads to, by its content.
type fileKind int

const (
	unknownFile fileKind = iota
	solverFile
	netFile
	weightsFile // a caffemodel
	stateFile   // a solverstate
	journalFile
	meanFile // a binaryproto
	databaseFolder
	folder
)

// identified is what a path leads to.
type identified struct {
	kind fileKind
	text string // in words: "a net of 9 layers"
}

// headBytes is how much of a file says whether it is text.
const headBytes = 4096

// identify says what a path leads to. It reads the whole file.
func identify(path string) identified {
	st, err := os.Stat(path)
	switch {
	case err != nil:
		return identified{}
	case st.IsDir():
		if db, err := dataset.Open(path); err == nil {
			defer db.Close()
			return identified{databaseFolder, fmt.Sprintf("a database (%s)", db.Kind())}
		}
		return identified{folder, "a folder"}
	case !st.Mode().IsRegular() || st.Size() == 0:
		return identified{}
	}
	head, err := readHead(path)
	switch {
	case err != nil:
		return identified{}
	case !isText(head):
		return identifyBinary(path)
	case bytes.HasPrefix(bytes.TrimSpace(head), []byte("{")):
		if lines, err := session.ReadJournal(path); err == nil && len(lines) > 0 {
			return identified{journalFile, "the journal of a run"}
		}
	}
	return identifyPrototxt(path)
}

// readHead returns the beginning of a file.
func readHead(path string) ([]byte, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, headBytes)
	n, _ := f.Read(head) // an empty file, or one that fails, has no head
	return head[:n], nil
}

// identifyPrototxt tells a net from a solver.
func identifyPrototxt(path string) identified {
	solver, solverErr := config.ReadSolver(path)
	if solverErr == nil && solver.NamesNet() {
		return identified{solverFile, "a solver"}
	}
	if net, err := caffe.ReadNetPrototxt(path); err == nil && len(net.Net.Layer) > 0 {
		return identified{netFile, "a net of " + count(len(net.Net.Layer), "layer")}
	}
	if errors.Is(solverErr, caffe.ErrIsNet) {
		return identified{netFile, "a net, with faults of its own"}
	}
	return identified{}
}

// identifyBinary tries the binary kinds, the most telling first.
func identifyBinary(path string) identified {
	if compact.Is(path) {
		if f, _, err := caffe.ReadCompact(path); err == nil {
			return identified{weightsFile, "a compact file, the weights of " + count(len(f.Layers), "layer")}
		}
		return identified{}
	}
	if s, err := caffe.ReadSolverState(path); err == nil && len(s.ProtoReflect().GetUnknown()) == 0 {
		return identified{stateFile, fmt.Sprintf("a solverstate, of iteration %d", s.GetIter())}
	}
	if n, err := caffe.ReadNet(path); err == nil {
		return identified{weightsFile, "a caffemodel, the weights of " + count(len(n.Layer), "layer")}
	}
	if _, err := caffe.ReadMean(path); err == nil {
		return identified{meanFile, "a binaryproto"}
	}
	return identified{}
}

// solverCommands are the commands that want a solver, with the words that go before it.
var solverCommands = map[string][]string{
	"ui":     nil,
	"train":  {"train", "--solver"},
	"memory": {"memory"},
	"search": {"search", "--budget", "0.2%"},
}

// loadSolver reads the solver that a command wants. Where the path leads to something else, the error says to what,
// and what to type instead; command is the words that go before a solver.
func loadSolver(path string, command ...string) (*config.Run, error) {
	run, err := config.LoadSolver(path)
	if err == nil {
		return run, nil
	}
	return nil, adviseSolver(path, err, command...)
}

// adviseSolver adds to an error about a file what that is, where it is no solver, and what to type instead.
func adviseSolver(path string, err error, command ...string) error {
	is := identify(path)
	if is.kind == unknownFile || is.kind == solverFile {
		return err
	}
	parts := []string{wrongKind(is)}
	for _, a := range instead(path, is.kind, command) {
		parts = append(parts, a.String())
	}
	return &caffe.FileError{Path: path, Msg: strings.Join(parts, "; "), Err: err}
}

// wrongKind is what a person is told of a file that is no solver.
func wrongKind(is identified) string {
	switch is.kind {
	case netFile:
		return "this is a net, not a solver"
	case weightsFile, stateFile, meanFile:
		return "this is a binary file, " + is.text + ", not a solver"
	case databaseFolder:
		return "is a directory, " + is.text + ", not a solver"
	case folder:
		return "is a directory, not a solver"
	}
	return "this is " + is.text + ", not a solver"
}

// advice is a command to type, and what it does.
type advice struct {
	does  string
	words []string
}

func (a advice) String() string { return a.does + ": " + commandLine(a.words...) }

// Stand-ins for what only the person knows.
const (
	someSolver = "SOLVER"
	someNet    = "NET.prototxt"
)

// instead is what to type for a file of a kind that is no solver.
func instead(path string, kind fileKind, command []string) []advice {
	inspect := advice{"to see what it holds", []string{"inspect", path}}
	begin := func(solver string, more ...string) []string {
		return append(append(append([]string(nil), command...), solver), more...)
	}
	near := lookAround(filepath.Dir(path))
	one := someSolver
	if len(near.solvers) == 1 {
		one = near.solvers[0].path()
	}
	var out []advice
	switch kind {
	case netFile:
		for _, s := range near.solvers {
			if sameFile(s.run.TrainNetPath(), path) {
				out = append(out, advice{"a solver that trains it", begin(s.path())})
			}
		}
		out = append(out, advice{"to write a solver for it", []string{"new", path}}, inspect)
	case weightsFile:
		out = append(out, advice{"to start from it", begin(one, "--weights", path)})
		if one == someSolver {
			out = append(out, advice{"to write a solver that does", []string{"new", someNet, "--weights", path}})
		}
		out = append(out, inspect)
	case stateFile:
		solver := someSolver
		if s := near.writerOf(statePrefix(path)); s != nil {
			solver = s.path()
		}
		out = append(out, advice{"to go on from it", begin(solver, "--snapshot", path)}, inspect)
	case journalFile:
		out = append(out,
			advice{"to see how the run went", []string{"report", path}},
			advice{"to repeat it", begin(one, "--replay", path)})
	case folder:
		for _, s := range lookAround(path).solvers {
			if len(out) < mostAdvised {
				out = append(out, advice{"a solver in it", begin(s.path())})
			}
		}
		if len(out) == 0 {
			net := someNet
			if nets := lookAround(path).nets; len(nets) > 0 {
				net = nets[0]
			}
			out = append(out, advice{"no solver is in it; to write one", []string{"new", net}})
		}
	default:
		out = append(out, inspect)
	}
	return out
}

// isText reports whether the beginning of a file is that of a prototxt or a journal. Comments may be in any encoding; a
// message has a control character among its tags soon.
func isText(b []byte) bool {
	if len(b) > 0 && !utf8.RuneStart(b[0]) { // the middle of a character: HDF5, PNG and compact files begin so
		return false
	}
	return !bytes.ContainsFunc(b, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' })
}

// adviseReport adds to an error about what is neither journal nor solver what it is, which solvers train it, and which
// journals are beside it.
func adviseReport(path string, err error) error {
	is := identify(path)
	if is.kind == unknownFile || is.kind == journalFile || is.kind == solverFile {
		return err
	}
	dir := filepath.Dir(path)
	if is.kind == folder {
		dir = path
	}
	parts := []string{"is " + is.text + "; wanted a journal, a solver, or the name of an active run"}
	for _, s := range lookAround(dir).solvers {
		if is.kind == netFile && sameFile(s.run.TrainNetPath(), path) && caffe.Exists(s.run.JournalPath()) {
			parts = append(parts, advice{"a solver that trained it", []string{"report", s.path()}}.String())
		}
	}
	names, _ := namesIn(dir)
	for _, name := range names {
		if files.HasExt(name, ".journal") && len(parts) <= mostAdvised {
			parts = append(parts, advice{"a journal there", []string{"report", inFolder(dir, name)}}.String())
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "no journal is beside it: a run writes one, named by its snapshot_prefix")
	}
	return &caffe.FileError{Path: path, Msg: strings.Join(parts, "; "), Err: err}
}

// mostAdvised is how many files of a folder an error names.
const mostAdvised = 5
