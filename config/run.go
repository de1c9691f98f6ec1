package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/files"
)

// Program is how the program was called, for commands that people are told to type.
var Program = "dns-tui"

// Run is a training run as the user asked for it: a solver, and what the command line adds.
type Run struct {
	SolverPath     string
	Solver         *caffepb.SolverParameter
	Train          *caffe.NetFile
	Tests          []*caffe.NetFile // one a test net, with test_iter and test_state at the same place
	Weights        []string         // caffemodels to start from
	Snapshot       string           // solverstate to resume from
	MasksFromZeros bool             // exact zeros of loaded weights start pruned
	SkipMismatched bool             // layers of Weights that do not fit are left out
	Journal        string           // where changes are written; "" is beside the snapshots
	Replay         string           // a journal to repeat
	Inputs         *Inputs          // in place of the data layers, or nil
	Resume         Resume           // find Snapshot at the prefix
	Settings       Precedence       // whose settings hold where Snapshot and files differ
	Found          []string         // what was found elsewhere than the solver says, a line each
	Seed           *uint64          // of all random numbers; nil: random_seed, or one drawn
}

// Resume says whether a run looks for a snapshot at its prefix.
type Resume string

// What --resume may be.
const (
	ResumeNone   Resume = ""
	ResumeNewest Resume = "newest" // the whole one of the highest iteration
	ResumeAuto   Resume = "auto"   // the same, and where there is none the run begins
)

// LoadSolver reads a solver prototxt and its nets, and reports every fault of the solver at once.
func LoadSolver(path string) (*Run, error) {
	r, err := readSolver(path)
	if err != nil {
		return nil, err
	}
	if err := r.loadNets(); err != nil {
		return nil, err
	}
	r.findFolders()
	return r, r.Validate()
}

// ReadSolver reads a solver prototxt alone: what it says, and where its snapshots go. It finds no fault with what it
// says, and reads no net.
func ReadSolver(path string) (*Run, error) {
	r, err := readSolver(path)
	if err == nil {
		r.findFolders()
	}
	return r, err
}

func readSolver(path string) (*Run, error) {
	r := &Run{SolverPath: path, Solver: &caffepb.SolverParameter{}}
	if err := caffe.ReadPrototxt(path, r.Solver); err != nil {
		return nil, err
	}
	return r, nil
}

// NamesNet reports whether the solver says what it trains: a prototxt that does not is no solver.
func (r *Run) NamesNet() bool {
	s := r.Solver
	return s.Net != nil || s.TrainNet != nil || s.NetParam != nil || s.TrainNetParam != nil
}

// TrainNetPath is the file of the net that the solver trains, where that is; "" of one that is within the solver.
func (r *Run) TrainNetPath() string {
	path := r.Solver.GetTrainNet()
	if path == "" {
		path = r.Solver.GetNet()
	}
	return Resolve(path, r.SolverPath)
}

// loadNets finds the train net and the test nets among net, net_param, train_net, train_net_param, test_net and
// test_net_param, in the order of Caffe's Solver::InitTrainNet and InitTestNets.
func (r *Run) loadNets() error {
	s := r.Solver
	var inlineErr error
	read := r.findNet
	inline := func(n *caffepb.NetParameter) *caffe.NetFile {
		f := &caffe.NetFile{Path: r.SolverPath, Net: n}
		f.Upgraded, inlineErr = caffe.Upgrade(n)
		return f
	}
	var train []*caffe.NetFile
	var generic *caffe.NetFile
	var err error
	if s.TrainNetParam != nil {
		train = append(train, inline(s.TrainNetParam))
	}
	if s.TrainNet != nil {
		f, err := read(s.GetTrainNet())
		if err != nil {
			return err
		}
		train = append(train, f)
	}
	if s.NetParam != nil {
		generic = inline(s.NetParam)
		train = append(train, generic)
	}
	if s.Net != nil {
		if generic, err = read(s.GetNet()); err != nil {
			return err
		}
		train = append(train, generic)
	}
	if inlineErr != nil {
		return &caffe.FileError{Path: r.SolverPath, Msg: inlineErr.Error(), Err: inlineErr}
	}
	if len(train) != 1 {
		return &caffe.FileError{
			Path: r.SolverPath,
			Msg: fmt.Sprintf(
				"%d train nets; wanted exactly one of net, net_param, train_net, train_net_param",
				len(train),
			),
		}
	}
	r.Train = train[0]
	for _, n := range s.TestNetParam {
		r.Tests = append(r.Tests, inline(n))
	}
	for _, p := range s.TestNet {
		f, err := read(p)
		if err != nil {
			return err
		}
		r.Tests = append(r.Tests, f)
	}
	for generic != nil && len(r.Tests) < len(s.TestIter) {
		r.Tests = append(r.Tests, generic)
	}
	return nil
}

// TrainState is the state that the train net is filtered by.
func (r *Run) TrainState() *caffepb.NetState {
	return netState(caffepb.Phase_TRAIN, r.Train, r.Solver.GetTrainState())
}

// TestState is the state that test net i is filtered by.
func (r *Run) TestState(i int) *caffepb.NetState {
	var of *caffepb.NetState
	if i < len(r.Solver.TestState) {
		of = r.Solver.TestState[i]
	}
	return netState(caffepb.Phase_TEST, r.Tests[i], of)
}

// netState is what net and solver say of a state, in a phase (Caffe's Solver::InitTrainNet and InitTestNets).
func netState(phase caffepb.Phase, f *caffe.NetFile, of *caffepb.NetState) *caffepb.NetState {
	s := &caffepb.NetState{}
	proto.Merge(s, f.Net.GetState())
	proto.Merge(s, of)
	s.Phase = phase.Enum()
	return s
}

// Validate reports every fault of the solver at once.
func (r *Run) Validate() error {
	s := r.Solver
	var errs []error
	bad := func(format string, args ...any) { errs = append(errs, r.fault(format, args...)) }
	if s.Type != nil && s.SolverType != nil {
		bad("type %q and solver_type %s are mutually exclusive", s.GetType(), s.GetSolverType())
	}
	switch t := caffe.SolverName(s); t {
	case "SGD", "Nesterov", "AdaDelta", "Adam":
	case "AdaGrad", "RMSProp":
		if s.GetMomentum() != 0 {
			bad("momentum is %g; solver type %s has none, so wanted 0", s.GetMomentum(), t)
		}
	default:
		bad("unknown solver type %q%s", t, hint(t, SolverTypes))
	}
	if s.MaxIter == nil || s.GetMaxIter() < 0 {
		bad("max_iter is %d; wanted a number of iterations", s.GetMaxIter())
	}
	if s.GetIterSize() < 1 {
		bad("iter_size is %d; wanted at least 1", s.GetIterSize())
	}
	if s.GetAverageLoss() < 1 {
		bad("average_loss is %d; wanted at least 1", s.GetAverageLoss())
	}
	if s.BaseLr == nil {
		bad("base_lr is not set")
	}
	if reg := s.GetRegularizationType(); reg != "L1" && reg != "L2" {
		bad("regularization_type is %q; wanted L1 or L2", reg)
	}
	if len(s.TestIter) != len(r.Tests) {
		bad("%d test_iter for %d test nets", len(s.TestIter), len(r.Tests))
	}
	if len(s.TestState) != 0 && len(s.TestState) != len(r.Tests) {
		bad("%d test_state for %d test nets", len(s.TestState), len(r.Tests))
	}
	if len(r.Tests) > 0 && s.TestInterval != nil && s.GetTestInterval() < 0 {
		bad("test_interval is %d; wanted at least 0", s.GetTestInterval())
	}
	for _, f := range FromSolver(s).Faults() {
		name := f.Field.InFiles()
		errs = append(
			errs,
			&caffe.FileError{Path: r.SolverPath, Line: caffe.FieldLine(r.SolverPath, 0, name), Msg: name + " " + f.Msg},
		)
	}
	errs = append(errs, r.validatePolicy()...)
	return errors.Join(errs...)
}

// fault is a fault of the solver, at the line of the first field that its text names.
func (r *Run) fault(format string, args ...any) error {
	msg, line := fmt.Sprintf(format, args...), 0
	fields := r.Solver.ProtoReflect().Descriptor().Fields()
	for word := range strings.FieldsSeq(msg) {
		if fields.ByName(protoreflect.Name(word)) != nil {
			line = caffe.FieldLine(r.SolverPath, 0, word)
			break
		}
	}
	return &caffe.FileError{Path: r.SolverPath, Line: line, Msg: msg}
}

// SolverTypes are Caffe's solver types.
var SolverTypes = []string{"SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"}

// Policies are Caffe's learning-rate policies.
var Policies = []string{"fixed", "step", "exp", "inv", "multistep", "poly", "sigmoid"}

func (r *Run) validatePolicy() []error {
	s := r.Solver
	known := false
	for _, p := range Policies {
		known = known || p == s.GetLrPolicy()
	}
	bad := func(format string, args ...any) []error { return []error{r.fault(format, args...)} }
	switch {
	case !known:
		return bad("lr_policy is %q; wanted one of %s", s.GetLrPolicy(), strings.Join(Policies, ", "))
	case (s.GetLrPolicy() == "step" || s.GetLrPolicy() == "sigmoid") && s.GetStepsize() <= 0:
		return bad("lr_policy %q wants a stepsize above 0", s.GetLrPolicy())
	case s.GetGamma() < 0 && s.GetLrPolicy() != "fixed" && s.GetLrPolicy() != "poly":
		return bad("gamma is %g; lr_policy %q wants at least 0", s.GetGamma(), s.GetLrPolicy())
	}
	for i := 1; i < len(s.Stepvalue); i++ {
		if s.Stepvalue[i] < s.Stepvalue[i-1] {
			return bad("stepvalue %d comes after %d; wanted rising values", s.Stepvalue[i], s.Stepvalue[i-1])
		}
	}
	return nil
}

// SnapshotPrefix returns where snapshots go: snapshot_prefix, or the solver's own name, as Caffe has it. A prefix that
// is a folder gets the solver's name inside it.
func (r *Run) SnapshotPrefix() string {
	base := files.TrimExt(filepath.Base(r.SolverPath))
	p := r.Solver.GetSnapshotPrefix()
	if p == "" {
		return filepath.Join(filepath.Dir(r.SolverPath), base)
	}
	if st, err := os.Stat(p); err == nil && st.IsDir() {
		return filepath.Join(p, base)
	}
	return p
}

// CheckSnapshotFolder makes sure, before any training, that snapshots can be written, and removes what killed runs of
// this prefix left there under temporary names.
func (r *Run) CheckSnapshotFolder() error {
	dir := filepath.Dir(r.SnapshotPrefix())
	f, err := files.CreateTemp(r.SnapshotPrefix())
	if err != nil {
		return &caffe.FileError{
			Path: r.SolverPath,
			Msg:  fmt.Sprintf("snapshots cannot be written to %s: %v (snapshot_prefix)", dir, caffe.Cause(err)),
		}
	}
	os.Remove(f.Name())
	f.Close()
	files.Sweep(r.SnapshotPrefix())
	return nil
}

// JournalPath returns where changes are recorded.
func (r *Run) JournalPath() string {
	if r.Journal != "" {
		return r.Journal
	}
	return r.SnapshotPrefix() + ".journal"
}
