package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/term"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/gpu/cuda"
	"dns-tui/human"
	"dns-tui/model/autopilot"
)

// noneText is the answer that leaves something out.
const noneText = "none"

// question is one of what `new` asks: a flag, and where that is not given a line that is typed.
type question struct {
	flag, usage string
	text        string // of the question
	value       func() (value, why string)
	check       func(answer string) error
	answer      string
}

// newSolver is what `new` makes a solver of.
type newSolver struct {
	net     *netFacts
	weights string // a caffemodel, or none
	target  string // or none
	length  string
	rate    string
	out     string
	prefix  string
	iters   int
	gpu     bool

	force    bool   // a file of the solver's name is replaced
	replaces string // such a file, of which a person said so
}

// runNew asks five questions, and writes a solver that fine-tunes a net while it is pruned.
func runNew(_ context.Context, e *env, args []string) error {
	s := &newSolver{}
	fs := newFlags(e, "new")
	questions := s.questions()
	for _, q := range questions {
		fs.StringVar(&q.answer, q.flag, "", q.usage)
	}
	fs.StringVar(&s.prefix, "prefix", "", "snapshot_prefix (default: the solver's name without its ending)")
	var input inputFlag
	fs.Var(&input, "input", "the images' shape, such as 3x227x227, where the data is not there to tell")
	yes := fs.Bool("yes", false, "ask nothing: what no flag says is as the question would propose")
	fs.BoolVar(&s.force, "force", false, "replace a file of the solver's name")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("new: wanted the prototxt of a net, found %s", count(len(rest), "argument"))
	}
	set := given(fs)
	if s.net, _, err = lookAtNet(rest[0], input, nil); err != nil {
		return err
	}
	if len(s.net.layers) == 0 {
		return &caffe.FileError{Path: rest[0], Msg: errNothingToPrune.Error(), Err: errNothingToPrune}
	}
	asks := !*yes && slices.ContainsFunc(questions, func(q *question) bool { return !set[q.flag] })
	if asks && !term.IsTerminal(int(e.stdin.Fd())) {
		return usagef("new: standard input is not a terminal: --yes answers all questions as they propose")
	}
	in := bufio.NewReader(e.stdin)
	out := ""
	switch i := slices.IndexFunc(questions, func(q *question) bool { return q.flag == "out" }); {
	case set["out"]:
		out = questions[i].answer
	case *yes:
		out = s.usualOut()
	}
	if err := s.mayReplace(e, in, out, asks); err != nil {
		return err
	}
	s.net.describe(e)
	if err := s.ask(e, in, questions, set, *yes); err != nil {
		return err
	}
	return s.write(e)
}

// mayReplace asks whether a file of the solver's name may be replaced, where that name is known before any question,
// and there is such a file.
func (s *newSolver) mayReplace(e *env, in *bufio.Reader, out string, asks bool) error {
	if out == "" || s.force || !caffe.Exists(out) || sameFile(out, s.net.path) {
		return nil
	}
	if err := confirm(e, in, out, asks); err != nil {
		return err
	}
	s.replaces = out
	return nil
}

// ask takes the answers of flags, and asks for the others, or takes what is proposed.
func (s *newSolver) ask(
	e *env, in *bufio.Reader, questions []*question, given map[string]bool, yes bool,
) error {
	for i, q := range questions {
		if given[q.flag] {
			if err := q.check(q.answer); err != nil {
				return usagef("new: --%s: %w", q.flag, err)
			}
			continue
		}
		value, why := q.value()
		if yes {
			if err := q.check(value); err != nil {
				return fmt.Errorf("new: --%s: %w", q.flag, err)
			}
			escape.Fprintf(e.stdout, "--%s %s: %s\n", q.flag, escape.Shell(value), why)
			continue
		}
		escape.Fprintf(e.stdout, "\n%d of %d  %s\n        %s\n", i+1, len(questions), q.text, why)
		if err := q.askUntilGood(e, in, value); err != nil {
			return err
		}
	}
	return nil
}

// askUntilGood asks until the answer is one.
func (q *question) askUntilGood(e *env, in *bufio.Reader, value string) error {
	for {
		escape.Fprintf(e.stdout, "        [%s] ", value)
		line, err := in.ReadString('\n')
		if err != nil {
			escape.Fprintln(e.stdout)
			return fmt.Errorf("new: no answer: nothing is written")
		}
		answer := strings.TrimSpace(line)
		if answer == "" {
			answer = value
		}
		if err := q.check(answer); err == nil {
			return nil
		} else {
			escape.Fprintf(e.stdout, "        %s\n", err.Error())
		}
	}
}

// questions are those that somebody has to decide, in the order in which the proposals follow from one another.
func (s *newSolver) questions() []*question {
	return []*question{
		{
			flag: "weights", usage: "the caffemodel to start from, or none (default: the one beside the net that fits)",
			text:  "Start from which weights? A caffemodel, or none: from random ones",
			value: s.proposeWeights, check: s.takeWeights,
		},
		{
			flag: "target", usage: "what to prune to, or none (default: by where the net's weights are)",
			text:  "Prune to what? 20x smaller, 5% kept, 20KB, 50MMAC, or none",
			value: s.proposeTarget, check: s.takeTarget,
		},
		{
			flag: "length", usage: `how long to train: 6000 iterations, or "10 epochs" (default: by the data)`,
			text:  `Train for how long? Iterations, or epochs: "10 epochs"`,
			value: s.proposeLength, check: s.takeLength,
		},
		{
			flag: "lr", usage: "the learning rate (default: by the weights and the data)",
			text:  "With which learning rate?",
			value: s.proposeRate, check: s.takeRate,
		},
		{
			flag: "out", usage: "the solver to write (default: NET_pruned.prototxt)",
			text:  "Write the solver where? Its snapshots go beside it",
			value: s.proposeOut, check: s.takeOut,
		},
	}
}

func (s *newSolver) proposeWeights() (value, why string) {
	if found := s.net.fitting(); found != "" {
		return found, "it is beside the net, and fits it"
	}
	return noneText, "not exactly one caffemodel beside the net fits it; a trained one prunes much further"
}

func (s *newSolver) takeWeights(answer string) error {
	s.weights = answer
	if answer == noneText {
		return nil
	}
	_, notices, err := lookAtNet(s.net.path, s.net.input, strings.Split(answer, ","))
	if err == nil && len(notices) > 0 {
		s.net.notices = notices
	}
	return err
}

// mostInProducts is from where on a net is one of inner products, which prune furthest.
const mostInProducts = 0.5

func (s *newSolver) proposeTarget() (value, why string) {
	if s.net.inInnerProduct >= mostInProducts {
		return "20x", "most weights are in inner products, which lose little by that"
	}
	return "5x", "most weights are in convolutions, which prune less far than inner products"
}

func (s *newSolver) takeTarget(answer string) error {
	if answer != noneText {
		t, err := autopilot.ParseTarget(answer)
		if err != nil {
			return err
		}
		if _, err := t.Budget(s.net.entries()); err != nil {
			return err
		}
		answer = t.String()
	}
	s.target = answer
	return nil
}

// leastIters is how many iterations leave a descent the ten that it needs, after what random weights learn first.
const leastIters = 25

// Lengths that are proposed: epochs of fine-tuning and of training from random weights, no less than a descent wants,
// and what is proposed where the data is not there to be counted.
const (
	tuneEpochs    = 10
	scratchEpochs = 30
	shortIters    = 2000
	someIters     = 10000
)

func (s *newSolver) proposeLength() (value, why string) {
	epochs, what := tuneEpochs, "fine-tuning"
	if s.weights == noneText {
		epochs, what = scratchEpochs, "random weights"
	}
	each, err := s.perEpoch()
	switch {
	case err != nil:
		return strconv.Itoa(someIters), "the data is not there to be counted, so an epoch is not known"
	case each*epochs < shortIters:
		return strconv.Itoa(shortIters), "less is short for a descent; an epoch is " + count(each, "iteration")
	}
	return fmt.Sprintf("%d epochs", epochs),
		fmt.Sprintf("usual for %s; an epoch is %s iterations", what, human.Count(each))
}

// perEpoch is how many iterations show each image of the training once.
func (s *newSolver) perEpoch() (int, error) {
	r := s.net.train
	if r == nil || r.Images < 1 {
		return 0, fmt.Errorf("the images of the training cannot be counted; wanted a number of iterations")
	}
	return max(1, int(math.Ceil(float64(r.Images)/float64(r.Batch)))), nil
}

// A length is a number, perhaps with its thousands set off, and perhaps of epochs; a rate is a decimal number.
var (
	reLength = regexp.MustCompile(`^((?:\d+|\d{1,3}(?:,\d{3})+)(?:\.\d+)?(?:[eE]\+?\d+)?) *(epochs?)?$`)
	reRate   = regexp.MustCompile(`^(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$`)
)

func (s *newSolver) takeLength(answer string) error {
	wrong := fmt.Errorf("%q; wanted a number of iterations, such as 6000, or of epochs: 10 epochs", answer)
	m := reLength.FindStringSubmatch(strings.TrimSpace(answer))
	if m == nil {
		return wrong
	}
	v, err := strconv.ParseFloat(strings.ReplaceAll(m[1], ",", ""), 64)
	if err != nil || !(v > 0) {
		return wrong
	}
	if m[2] != "" {
		each, err := s.perEpoch()
		if err != nil {
			return err
		}
		v *= float64(each)
	}
	if v = math.Ceil(v); v > math.MaxInt32 {
		return fmt.Errorf("%q is %.3g iterations; at most %d are possible", answer, v, math.MaxInt32)
	}
	if s.target != noneText && v < leastIters {
		return fmt.Errorf("%q is %.0f iterations; a descent wants at least %d, and thousands to keep accuracy",
			answer, v, leastIters)
	}
	s.iters, s.length = int(v), answer
	return nil
}

// scaledPixels is the scale up to which pixels are small numbers: gradients of those of 0 to 255 are larger by it.
const scaledPixels = 0.1

func (s *newSolver) proposeRate() (value, why string) {
	if r := s.net.train; r != nil && r.Scale <= scaledPixels {
		return "0.01", fmt.Sprintf("pixels are scaled by %.3g; batches of %d", r.Scale, r.Batch)
	}
	if s.weights == noneText {
		return "0.01", "usual for random weights"
	}
	return "0.001", "usual for fine-tuning, a tenth of what trains from random weights"
}

func (s *newSolver) takeRate(answer string) error {
	v, err := strconv.ParseFloat(answer, 32)
	if err != nil || !(v > 0) || math.IsInf(v, 0) || !reRate.MatchString(answer) {
		return fmt.Errorf("%q; wanted a number above 0, such as 0.001", answer)
	}
	s.rate = answer
	return nil
}

// outEnding is that of the solvers that are written.
const outEnding = ".prototxt"

// usualOut is the name of a solver for the net.
func (s *newSolver) usualOut() string {
	return files.TrimExt(filepath.Base(s.net.path)) + "_pruned" + outEnding
}

// proposeOut proposes a name that no file has.
func (s *newSolver) proposeOut() (value, why string) {
	usual := s.usualOut()
	value, why = usual, "in the working folder"
	for n := 2; caffe.Exists(value) && !s.force; n++ {
		value = fmt.Sprintf("%s_%d%s", strings.TrimSuffix(usual, outEnding), n, outEnding)
		why = "in the working folder, which has " + usual + " already"
	}
	return value, why
}

func (s *newSolver) takeOut(answer string) error {
	if !files.HasExt(answer, outEnding) {
		return fmt.Errorf("%q; wanted a name that ends in .prototxt", answer)
	}
	if sameFile(answer, s.net.path) {
		return fmt.Errorf("%s is the net itself", answer)
	}
	if st, err := os.Stat(filepath.Dir(answer)); err != nil || !st.IsDir() {
		return fmt.Errorf("%s: no such folder", filepath.Dir(answer))
	}
	if caffe.Exists(answer) && !s.force && s.replaces != answer {
		s.replaces = answer
		return fmt.Errorf("%s exists already; typed once more it is replaced", answer)
	}
	s.out = answer
	return nil
}

// write writes the solver, and looks that it reads.
func (s *newSolver) write(e *env) error {
	if s.prefix == "" {
		s.prefix = files.TrimExt(s.out)
	}
	if infos, err := cuda.Devices(); err == nil && len(infos) > 0 {
		s.gpu = true
	}
	e.notice(s.net.notices)
	text, err := s.checked()
	if err != nil {
		return err
	}
	err = caffe.WriteFile(s.out, func(w io.Writer) error {
		_, err := io.WriteString(w, text)
		return err
	})
	if err != nil {
		return err
	}
	escape.Fprintf(
		e.noticeWriter(s.out),
		"%s is written; to train by it: %s\n",
		s.out,
		commandLine(fromHere("", s.out)),
	)
	return nil
}

// confirm asks whether a file may be replaced, where somebody is asked.
func confirm(e *env, in *bufio.Reader, path string, asks bool) error {
	if !asks {
		return fmt.Errorf("new: %s exists already; --force replaces it, --out names another", path)
	}
	escape.Fprintf(e.stdout, "\n%s exists already: replace it? [no] ", path)
	line, err := in.ReadString('\n')
	if answer := strings.ToLower(strings.TrimSpace(line)); err == nil && (answer == "y" || answer == "yes") {
		return nil
	}
	return fmt.Errorf("new: %s is left as it is: nothing is written", path)
}

// checked is the solver's text, read as a run would read it from its place. Files are named as seen from there, or
// where that leads elsewhere by their whole paths.
func (s *newSolver) checked() (string, error) {
	fromOut := func(path string) string { return relativeTo(filepath.Dir(s.out), path) }
	last := fmt.Errorf("new: %s would not be found from %s", s.net.path, s.out)
	for _, place := range []func(string) string{fromOut, absolute} {
		text := s.text(place)
		tmp, err := files.CreateTemp(s.out)
		if err != nil {
			return "", caffe.NotWritten(s.out, err)
		}
		_, err = io.WriteString(tmp, text)
		tmp.Close()
		var run *config.Run
		if err == nil {
			run, err = config.LoadSolver(tmp.Name())
		}
		if err == nil {
			_, err = autopilot.FromSolver(run)
		}
		os.Remove(tmp.Name())
		if err == nil && s.leadsTo(run) {
			return text, nil
		}
		if err != nil {
			last = fmt.Errorf("new: the solver that was made does not read: %w", err)
		}
	}
	return "", last
}

// leadsTo reports whether a solver names the net and the weights that are meant.
func (s *newSolver) leadsTo(run *config.Run) bool {
	same := sameFile(run.Train.Path, s.net.path)
	if s.weights == noneText {
		return same
	}
	found := strings.Split(strings.Join(run.Solver.Weights, ","), ",")
	for i, w := range strings.Split(s.weights, ",") {
		same = same && i < len(found) && sameFile(found[i], w)
	}
	return same
}

// relativeTo is a path as seen from a folder.
func relativeTo(dir, path string) string {
	if filepath.IsAbs(path) {
		return path
	}
	if rel, err := filepath.Rel(absolute(dir), absolute(path)); err == nil {
		return rel
	}
	return absolute(path)
}
