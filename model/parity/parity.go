// Package parity compares this program with vectors that a real Caffe wrote: layers forward and backward, and whole
// solver runs.
package parity

import (
	"fmt"
	"io"
	"io/fs"
	"math"
	"path/filepath"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/layer"
)

// The agreement that a correct float32 implementation shows: relative to the reference, or to Floor where that is
// small.
const (
	Tolerance = 1e-4
	Floor     = 0.1
	// A solver run's losses are held to Tolerance over EarlyIters, and its last to LateTolerance. Rounding drifts apart
	// exponentially, so single iterations between stray further than the last.
	EarlyIters = 20
	// of methods that divide a gradient by its own size: rounding of a zero gradient makes a whole step
	EarlyAdaptive  = 10
	DriftTolerance = 3e-2
	LateTolerance  = 1e-2
	// AdaDelta's runs become chaotic: it divides by running means of squares that are near 0 after some 50
	// iterations. Caffe itself gives the loss of the 54th as 0.378, 0.402 or 0.410, by the kernels that its BLAS
	// picks for the machine.
	ChaosIters     = 50
	ChaosTolerance = 0.15
	TestIterations = 60
)

// Status is what became of a case.
type Status string

// The two outcomes.
const (
	Agrees    Status = "ok"
	Disagrees Status = "DISAGREES"
)

// Result is one case's outcome: its largest error and where it is.
type Result struct {
	Name   string
	Status Status
	Error  float64
	Where  string // of the largest error, or what is wrong
}

// Case is a comparison: of a layer, or of a solver's run.
type Case struct {
	dir, name string
	solver    bool
}

// Cases finds every case in a folder and the folders below.
func Cases(dir string) ([]Case, error) {
	var cases []Case
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, prototxt := strings.CutSuffix(e.Name(), ".prototxt")
		if e.IsDir() || !prototxt {
			return nil
		}
		at := filepath.Dir(path)
		if solver, ok := strings.CutSuffix(name, ".solver"); ok {
			cases = append(cases, Case{at, solver, true})
		} else if caffe.Exists(filepath.Join(at, name+".caffemodel")) { // else a solver's net, or one without vectors
			cases = append(cases, Case{at, name, false})
		}
		return nil
	})
	if err == nil && len(cases) == 0 {
		err = fmt.Errorf("%s: no case here: wanted NAME.prototxt with NAME.caffemodel, or NAME.solver.prototxt", dir)
	}
	return cases, err
}

// Run does the comparison.
func (c Case) Run(d *gpu.Device) Result {
	if c.solver {
		return Solver(c.dir, c.name, d)
	}
	return Layer(c.dir, c.name, d)
}

// Dir runs every case in a folder and the folders below, and writes a line for each as it ends.
func Dir(dir string, d *gpu.Device, w io.Writer) ([]Result, error) {
	cases, err := Cases(dir)
	var results []Result
	for _, c := range cases {
		r := c.Run(d)
		results = append(results, r)
		escape.Fprintln(w, r)
	}
	return results, err
}

func (r Result) String() string {
	return fmt.Sprintf("%-32s %-13s %8.2g  %s", r.Name, r.Status, r.Error, r.Where)
}

// failed turns an error into a result.
func failed(name string, err error) Result {
	return Result{Name: name, Status: Disagrees, Error: math.Inf(1), Where: err.Error()}
}

// vectors are the arrays of a case by name.
type vectors map[string]*caffepb.BlobProto

// Layer runs one layer case: NAME.prototxt and NAME.caffemodel.
func Layer(dir, name string, d *gpu.Device) Result {
	f, err := caffe.ReadNetPrototxt(filepath.Join(dir, name+".prototxt"))
	if err != nil {
		return failed(name, err)
	}
	m := &caffepb.NetParameter{}
	if err := caffe.ReadBinary(filepath.Join(dir, name+".caffemodel"), "vector file", m); err != nil {
		return failed(name, err)
	}
	v := vectors{}
	for _, l := range m.Layer {
		v[l.GetName()] = l.Blobs[0]
	}
	net, err := model.NewNet(f, model.NetOptions{Device: d, State: f.Net.GetState(), Seed: 1, AllGradients: true})
	if err != nil {
		return failed(name, err)
	}
	defer net.Close()
	c := comparison{device: d, result: Result{Name: name, Status: Agrees}}
	if err := c.runLayer(net, v, !strings.HasSuffix(name, "nograd")); err != nil {
		return failed(name, err)
	}
	return c.result
}

// comparison keeps the largest error met.
type comparison struct {
	device *gpu.Device
	result Result
}

func (c *comparison) runLayer(net *model.Net, v vectors, gradients bool) error {
	params := map[string]*layer.Param{}
	net.EachParam(func(name string, i int, p *layer.Param) { params[fmt.Sprintf("%s/%d", name, i)] = p })
	set := func(key string, t *gpu.Tensor, data []float32) error {
		if t == nil || len(data) != t.N {
			return fmt.Errorf("%s: the vector has %d elements, and the net a different number", key, len(data))
		}
		c.device.Upload(t, data)
		return nil
	}
	for key, b := range v {
		if name, ok := strings.CutPrefix(key, "bottom/"); ok {
			if blob := net.Blob(name); blob == nil {
				return fmt.Errorf("no blob %q in the net", name)
			} else if err := set(key, blob.Data, caffe.Values(b)); err != nil {
				return err
			}
		}
		if name, ok := strings.CutPrefix(key, "param0/"); ok {
			if p := params[name]; p == nil {
				return fmt.Errorf("no parameter %q in the net", name)
			} else if err := set(key, p.Data, caffe.Values(b)); err != nil {
				return err
			}
		}
	}
	if _, err := net.Forward(); err != nil {
		return err
	}
	for key, b := range v {
		if name, ok := strings.CutPrefix(key, "top/"); ok {
			blob := net.Blob(name)
			if blob == nil {
				return fmt.Errorf("no blob %q in the net", name)
			}
			c.compare(key, blob.Data, caffe.Values(b))
			if diff := caffe.Diff(b); gradients && diff != nil && blob.Diff != nil {
				if err := set(key+" gradient", blob.Diff, diff); err != nil {
					return err
				}
			}
		}
	}
	if gradients {
		net.Backward()
	}
	for key, b := range v {
		if name, ok := strings.CutPrefix(key, "bottom/"); ok {
			if blob := net.Blob(name); gradients && blob.Diff != nil && caffe.Diff(b) != nil {
				c.compare(key+" gradient", blob.Diff, caffe.Diff(b))
			}
		}
		if name, ok := strings.CutPrefix(key, "param/"); ok {
			p := params[name]
			if p == nil {
				return fmt.Errorf("no parameter %q in the net", name)
			}
			c.compare(key, p.Data, caffe.Values(b))
			if gradients && p.Diff != nil && caffe.Diff(b) != nil {
				c.compare(key+" gradient", p.Diff, caffe.Diff(b))
			}
		}
	}
	return nil
}

// compare adds one array to the result.
func (c *comparison) compare(where string, t *gpu.Tensor, want []float32) {
	if t == nil || t.N != len(want) {
		c.result.Status, c.result.Error, c.result.Where = Disagrees, math.Inf(
			1,
		), fmt.Sprintf(
			"%s: wanted %d elements",
			where,
			len(want),
		)
		return
	}
	have := make([]float32, t.N)
	c.device.Download(have, t)
	for i, w := range want {
		c.note(relative(float64(have[i]), float64(w)), Tolerance, func() string {
			return fmt.Sprintf("%s[%d] is %g, Caffe's %g", where, i, have[i], w)
		})
	}
}

func relative(have, want float64) float64 {
	e := math.Abs(have-want) / math.Max(math.Abs(want), Floor)
	if math.IsNaN(e) {
		return math.Inf(1)
	}
	return e
}

// note keeps an error if it is the largest, and the disagreement if it is one.
func (c *comparison) note(e, tolerance float64, where func() string) {
	if e > tolerance && c.result.Status == Agrees {
		c.result.Status, c.result.Error = Disagrees, -1
	}
	if c.result.Status == Disagrees && e <= tolerance {
		return
	}
	if e > c.result.Error || c.result.Where == "" {
		c.result.Error, c.result.Where = e, where()
	}
}
