package report

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/model"
	"dns-tui/model/autopilot"
	"dns-tui/model/ship"
	"dns-tui/model/solver"
)

// Shipped is what a user ships of a run: what its last snapshot comes to, and the commands that write it. Nothing is
// written for it.
type Shipped struct {
	File    string        `json:"file,omitempty"` // the weights of the snapshot
	Weights *ship.Weights `json:"weights,omitempty"`
	Net     *ship.Net     `json:"net,omitempty"`
	// Commands write the forms, in the folder in which they are typed.
	Commands []string `json:"commands,omitempty"`
	Notice   string   `json:"notice,omitempty"` // what is not known, and why
}

// shipped looks at the last snapshot of a run, and the net of its solver.
func (r *Report) shipped() *Shipped {
	s := &Shipped{}
	if r.Snapshot == "" {
		s.Notice = "The run has written no snapshot yet."
		return s
	}
	w, err := s.read(r.Journal, r.Snapshot)
	if err != nil {
		s.Notice = fmt.Sprintf("The last snapshot cannot be read: %v.", err)
		return s
	}
	to := strings.TrimSuffix(filepath.Base(r.Journal), ".journal")
	for _, form := range []string{".caffemodel", ".dnz", ".safetensors"} {
		s.Commands = append(s.Commands, "dns-tui export "+escape.Command(s.File, to+form))
	}
	run, err := config.LoadSolver(config.Resolve(r.Solver, r.Journal))
	if err == nil {
		err = s.on(run, w, to)
	}
	if err != nil {
		s.Notice = fmt.Sprintf("Multiply-accumulates, live outputs and the smaller net are not known: %v.", err)
	}
	return s
}

// read reads the weights of a snapshot, which is looked for beside the journal first.
func (s *Shipped) read(journal, snapshot string) (*caffepb.NetParameter, error) {
	path := filepath.Join(filepath.Dir(journal), filepath.Base(snapshot))
	if !caffe.Exists(path) {
		path = config.Resolve(snapshot, journal)
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		return nil, err
	}
	file, err := solver.WeightsOf(path, state)
	if err != nil {
		return nil, err
	}
	w, err := caffe.ReadNet(file)
	if err != nil {
		return nil, err
	}
	if _, _, err := model.ApplyMasks(w); err != nil {
		return nil, &caffe.FileError{Path: file, Msg: err.Error(), Err: err}
	}
	weights, err := ship.Of(w)
	if err != nil {
		return nil, &caffe.FileError{Path: file, Msg: err.Error(), Err: err}
	}
	s.File, s.Weights = file, weights
	return w, nil
}

// on looks at weights on the net that a run tests, or where it tests none on the one that it trains. Commands for which
// the net is wanted are there where it has a file of its own.
func (s *Shipped) on(run *config.Run, w *caffepb.NetParameter, to string) error {
	file, state := run.Train, run.TrainState()
	if len(run.Tests) > 0 {
		file, state = run.Tests[0], run.TestState(0)
	}
	if p := run.Solver; p.NetParam == nil && p.TrainNetParam == nil && p.TestNetParam == nil {
		of := append([]string{"--model", file.Path}, stateFlags(state)...)
		command := func(out string, flags ...string) {
			s.Commands = append(s.Commands, "dns-tui export "+escape.Command(append(flags, s.File, out)...))
		}
		command(to+"_small.caffemodel", append([]string{"--shrink"}, of...)...)
		command(to+".onnx", of...)
	}
	n, err := model.NewWithoutData(file, state)
	if err != nil {
		return err
	}
	defer n.Close()
	s.Net, err = ship.On(file, n, s.File, w)
	return err
}

// stateFlags say a net's state to export, whose phase is TEST where nothing is said.
func stateFlags(state *caffepb.NetState) []string {
	var out []string
	if state.GetPhase() != caffepb.Phase_TEST {
		out = append(out, "--phase", state.GetPhase().String())
	}
	if level := state.GetLevel(); level != 0 {
		out = append(out, "--level", strconv.Itoa(int(level)))
	}
	if len(state.GetStage()) > 0 {
		out = append(out, "--stage", strings.Join(state.GetStage(), ","))
	}
	return out
}

// facts are what is shipped, in pairs.
func (s *Shipped) facts() [][2]string {
	if s.Weights == nil {
		return nil
	}
	times := func(kept, of int) string {
		return fmt.Sprintf("%.4g times smaller", autopilot.TimesSmaller(kept, of))
	}
	w := s.Weights
	out := [][2]string{
		{"weights", s.File},
		{"parameters", human.Count(w.Parameters)},
		{"kept", human.Count(w.Kept) + ", " + times(w.Kept, w.Parameters)},
		{"caffemodel without masks", human.Count(int(w.Bytes.Caffemodel)) + " bytes"},
		{"compact file", human.Count(int(w.Bytes.Compact)) + " bytes"},
		{"safetensors", human.Count(int(w.Bytes.Safetensors)) + " bytes"},
	}
	if n := s.Net; n != nil {
		out = append(out,
			[2]string{"smaller dense net", human.Count(n.Smaller) + " parameters, " + times(n.Smaller, w.Parameters)},
			[2]string{"multiply-accumulates an image", human.Count(int(n.MACs.Dense)) + ", " +
				human.Count(int(n.MACs.Kept)) + " without those of zeros"})
	}
	return out
}

// shipHead is the head of the table of layers.
var shipHead = []string{"layer", "type", "entries", "kept", "outputs", "live"}

// rows are the layers' rows of the table.
func (s *Shipped) rows() [][]string {
	if s.Net == nil {
		return nil
	}
	var out [][]string
	for _, l := range s.Net.Layers {
		out = append(out, []string{
			l.Name, l.Type, human.Count(l.Entries), human.Count(l.Kept), human.Count(l.Outputs), human.Count(l.Live),
		})
	}
	return out
}

// markdown is the section of a report in Markdown.
func (s *Shipped) markdown() string {
	var b strings.Builder
	text := escape.Markdown
	b.WriteString("\n## What you ship\n\n")
	if s.Notice != "" {
		fmt.Fprintf(&b, "%s\n", text(s.Notice))
	}
	if facts := s.facts(); facts != nil {
		if s.Notice != "" {
			b.WriteString("\n")
		}
		for _, f := range facts {
			fmt.Fprintf(&b, "- %s: %s\n", f[0], text(f[1]))
		}
	}
	if rows := s.rows(); rows != nil {
		fmt.Fprintf(&b, "\n| %s |\n| --- | --- | ---: | ---: | ---: | ---: |\n", strings.Join(shipHead, " | "))
		for _, row := range rows {
			for _, cell := range row {
				fmt.Fprintf(&b, "| %s ", text(cell))
			}
			b.WriteString("|\n")
		}
	}
	if len(s.Commands) > 0 {
		fmt.Fprintf(&b, "\n    %s\n", strings.Join(s.Commands, "\n    "))
	}
	return b.String()
}
