package parity

import (
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/files"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// minSquare is the mean square under which a parameter counts as zero: the bias before a batch norm has no gradient
// but rounding.
const minSquare = 1e-6

// trace is a reference run: a loss and kept counts for each iteration.
type trace struct {
	columns []string
	rows    [][]float64
}

func readTrace(path string) (*trace, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(records) < 2 {
		return nil, fmt.Errorf("%s: no iterations", path)
	}
	t := &trace{columns: records[0]}
	for i, rec := range records[1:] {
		row := make([]float64, len(rec))
		for j, s := range rec {
			if row[j], err = strconv.ParseFloat(s, 64); err != nil {
				return nil, fmt.Errorf("%s:%d: %w", path, i+2, err)
			}
		}
		t.rows = append(t.rows, row)
	}
	return t, nil
}

// Solver runs one solver case: trains from NAME_init.caffemodel and follows NAME_loss.csv; compares the weights with
// NAME_final.caffemodel; then resumes from Caffe's own NAME_iter_60.solverstate, where there is one, and checks that it
// holds the same weights.
func Solver(dir, name string, d *gpu.Device) Result {
	run, err := config.LoadSolver(filepath.Join(dir, name+".solver.prototxt"))
	if err != nil {
		return failed(name, err)
	}
	t, err := readTrace(filepath.Join(dir, name+"_loss.csv"))
	if err != nil {
		return failed(name, err)
	}
	c := comparison{device: d, result: Result{Name: name, Status: Agrees}}
	run.Weights = []string{filepath.Join(dir, name+"_init.caffemodel")}
	if err := c.follow(run, t, filepath.Join(dir, name+"_final.caffemodel")); err != nil {
		return failed(name, err)
	}
	if state := filepath.Join(dir, name+"_iter_60.solverstate"); c.result.Status == Agrees {
		if err := c.resume(run, state); err != nil {
			return failed(name, err)
		}
	}
	return c.result
}

// follow trains as many iterations as the trace has.
func (c *comparison) follow(run *config.Run, t *trace, final string) error {
	s, err := solver.New(run, c.device)
	if err != nil {
		return err
	}
	defer s.Close()
	for i, row := range t.rows {
		if _, err := s.Step(); err != nil {
			return err
		}
		loss := s.LastPassLoss()
		tolerance := lossTolerance(caffe.SolverName(run.Solver), i, len(t.rows))
		kept := keptWeights(s.Net)
		for j, col := range t.columns {
			switch {
			case col == "loss":
				c.note(math.Abs(loss-row[j])/math.Max(math.Abs(row[j]), Floor), tolerance, func() string {
					return fmt.Sprintf("iteration %d: loss %.6f, Caffe's %.6f", i, loss, row[j])
				})
			case strings.HasPrefix(col, "kept_"):
				have, ok := kept[strings.TrimPrefix(col, "kept_")]
				if !ok {
					return fmt.Errorf("no pruned layer for column %q", col)
				}
				// A weight within rounding of the threshold may fall on either side: 1 in 100, or 2.
				if diff := math.Abs(float64(have) - row[j]); diff > math.Max(2, row[j]/100) {
					c.note(math.Inf(1), tolerance, func() string {
						return fmt.Sprintf("iteration %d: %s is %d, Caffe's %.0f", i, col, have, row[j])
					})
				}
			}
		}
	}
	return c.compareFinal(s, final)
}

// lossTolerance is what the loss of an iteration of a run may differ from Caffe's.
func lossTolerance(method string, iter, iters int) float64 {
	early := EarlyIters
	if method != "SGD" && method != "Nesterov" {
		early = EarlyAdaptive
	}
	switch {
	case iter < early:
		return Tolerance
	case iter == iters-1:
		return LateTolerance
	case method == "AdaDelta" && iter >= ChaosIters:
		return ChaosTolerance
	}
	return DriftTolerance
}

// keptWeights counts what each layer that can be pruned keeps of its weights. A trace counts the masks of the weights
// alone, where surgery under the paper rule prunes biases too.
func keptWeights(n *model.Net) map[string]int {
	kept := map[string]int{}
	for _, l := range n.Prunable() {
		for _, m := range l.Weights.Mask(n.Device()) {
			kept[l.Name] += int(m)
		}
	}
	return kept
}

// compareFinal holds the weights after the last iteration to LateTolerance.
func (c *comparison) compareFinal(s *solver.Solver, path string) error {
	want, err := caffe.ReadNet(path)
	if err != nil {
		return err
	}
	have := s.Net.Weights()
	for _, w := range want.Layer {
		for _, h := range have.Layer {
			if h.GetName() != w.GetName() {
				continue
			}
			if len(h.Blobs) != len(w.Blobs) {
				return fmt.Errorf("layer %q has %d blobs, Caffe's %d", h.GetName(), len(h.Blobs), len(w.Blobs))
			}
			for i := range h.Blobs {
				a, b := caffe.Values(h.Blobs[i]), caffe.Values(w.Blobs[i])
				var diff, size float64
				for k := range b {
					diff += math.Pow(float64(a[k])-float64(b[k]), 2)
					size += math.Pow(float64(b[k]), 2)
				}
				c.note(math.Sqrt(diff/math.Max(size, float64(len(b))*minSquare)), 5*LateTolerance, func() string {
					return fmt.Sprintf("final %s/%d differs by this fraction of its norm", h.GetName(), i)
				})
			}
		}
	}
	return nil
}

// resume loads a state that Caffe wrote and takes a step from it.
func (c *comparison) resume(run *config.Run, state string) error {
	if _, err := os.Stat(state); errors.Is(err, os.ErrNotExist) {
		return nil
	}
	again := *run
	again.Weights, again.Snapshot = nil, state
	s, err := solver.New(&again, c.device)
	if err != nil {
		return err
	}
	defer s.Close()
	if s.Iter != TestIterations {
		return fmt.Errorf("%s resumes at iteration %d, wanted %d", state, s.Iter, TestIterations)
	}
	_, err = s.Step()
	return err
}
