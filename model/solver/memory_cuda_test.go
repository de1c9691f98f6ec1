//go:build cuda

package solver_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

const spacious = `layer { name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: %[1]d dim: 3 dim: 17 dim: 17 } shape { dim: %[1]d } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a" convolution_param { num_output: 56 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "bn" type: "BatchNorm" bottom: "a" top: "a" }
layer { name: "relu" type: "ReLU" bottom: "a" top: "a" }
layer { name: "pool" type: "Pooling" bottom: "a" top: "pool" pooling_param { kernel_size: 3 stride: 2 } }
layer { name: "sig" type: "Sigmoid" bottom: "pool" top: "sig" }
layer { name: "b" type: "Convolution" bottom: "sig" top: "b" convolution_param { num_output: 64 kernel_size: 3
  weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "b" top: "fc" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "drop" type: "Dropout" bottom: "fc" top: "drop" }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "drop" bottom: "label" top: "loss" }
`

// On a GPU, too, what MemoryOf says is what is allocated, to the byte: what the device has taken for its own work, and
// what it takes as it trains.
func TestMemoryOfCUDA(t *testing.T) {
	for _, c := range []struct {
		precision cuda.Precision
		batch     int
		test      bool
	}{
		{cuda.FP32, 2, false}, {cuda.FP32, 9, true}, {cuda.TF32, 9, false}, {cuda.BF16, 9, false}, {cuda.BF16, 3, true},
		{cuda.TF32, 36, false}, {cuda.BF16, 36, false}, // products that are large enough for a library
	} {
		t.Run(fmt.Sprint(c), func(t *testing.T) {
			d := modeltest.OpenCUDA(t, cuda.Options{Precision: c.precision})
			net := func(batch int) *caffe.NetFile {
				f, err := caffe.ParseNetPrototxt("spacious", []byte(fmt.Sprintf(spacious, batch)))
				if err != nil {
					t.Fatal(err)
				}
				return f
			}
			run := &config.Run{SolverPath: "solver.prototxt", Train: net(c.batch), Solver: &caffepb.SolverParameter{
				BaseLr: proto.Float32(0.001), LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(9)}}
			if c.test {
				run.Tests, run.Solver.TestIter = []*caffe.NetFile{net(7)}, []int32{1}
			}
			opened := d.Allocated()
			m, err := solver.MemoryOf(run, d, 0)
			if err != nil {
				t.Fatal(err)
			}
			if m.Opened != opened || d.Allocated() != opened {
				t.Errorf("%d bytes are held by the open device, by MemoryOf %d", opened, m.Opened)
			}
			s, err := solver.New(run, d)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if have := d.Allocated() - opened; have != m.Total() {
				t.Errorf("%d bytes of nets and solver, by MemoryOf %d", have, m.Total())
			}
			for range 3 {
				if _, err := s.Step(); err != nil {
					t.Fatal(err)
				}
				if c.test {
					if _, err := s.Test(0, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			if have := d.Allocated() - opened - m.Total(); have != m.Work || c.batch > 2 && m.Work == 0 {
				t.Errorf("%d bytes of the device's own work, by MemoryOf %d", have, m.Work)
			}
		})
	}
}

// A run for whose own work a GPU has too little memory is refused at the start; one that is begun has it.
func TestCUDAMemoryAtTheStart(t *testing.T) {
	first := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16})
	if first.Name() != "emulated GPU" {
		t.Skip("wants the emulator")
	}
	first.Close() // the emulator's memory is of the size that it has when a device is opened, and none is open
	refused, ran := 0, 0
	for megabytes := 11.5; megabytes < 13; megabytes += 0.25 {
		t.Setenv("EMULATOR_MEMORY", fmt.Sprint(int(megabytes*1e6)))
		d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16, NoLibraries: true})
		f, err := caffe.ParseNetPrototxt("spacious", fmt.Appendf(nil, spacious, 12))
		if err != nil {
			t.Fatal(err)
		}
		param := &caffepb.SolverParameter{BaseLr: proto.Float32(0.001), LrPolicy: proto.String("fixed")}
		s, err := solver.New(&config.Run{SolverPath: "solver.prototxt", Train: f, Solver: param}, d)
		if err != nil {
			if refused++; ran > 0 || !strings.Contains(err.Error(), "is out of memory: wanted ") {
				t.Errorf("%.1f MB: %v", megabytes, err)
			}
			if strings.HasPrefix(err.Error(), "scratch memory for the run: ") {
				refused += 100
			}
			d.Close()
			continue
		}
		ran++
		if _, err := s.Step(); err != nil {
			t.Errorf("%.1f MB: %v", megabytes, err)
		}
		s.Close()
		d.Close()
	}
	if refused < 100 || ran == 0 {
		t.Errorf("%d refused (100 for each that lacked scratch memory), %d ran", refused, ran)
	}
}

// Where memory runs out all the same the error says for which layer and in which iteration, and the weights are those
// before it: they can be saved, and with memory the run goes on to the bits of one that had it.
func TestCUDAShortage(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.TF32, NoLibraries: true})
	if d.Name() != "emulated GPU" {
		t.Skip("wants the emulator")
	}
	whole := turningSolver(t, d, 0.01)
	step(t, whole)
	step(t, whole)
	wanted, _ := forwardBits(whole)
	whole.Close()
	d.Close()
	t.Setenv("EMULATOR_MEMORY", fmt.Sprint(12<<20))
	small := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.TF32, NoLibraries: true})
	s := turningSolver(t, small, 0.01)
	before := make([]float32, s.Net.Params()[0].Data.N)
	small.Download(before, s.Net.Params()[0].Data)
	after := slices.Clone(before)
	taken := takeAll(small)
	_, err := s.Step()
	if err == nil ||
		!regexp.MustCompile(`^iteration 0: .* out of memory: wanted .*, for layer "`).MatchString(err.Error()) {
		t.Fatalf("got %v", err)
	}
	if small.Download(after, s.Net.Params()[0].Data); !slices.Equal(before, after) || s.Iter != 0 {
		t.Errorf("other weights, in iteration %d", s.Iter)
	}
	if _, err := s.Save(filepath.Join(t.TempDir(), "x"), solver.SessionData{}); err != nil {
		t.Error(err)
	}
	for _, x := range taken {
		x.Mem.Free()
	}
	step(t, s)
	step(t, s)
	if have, _ := forwardBits(s); !slices.Equal(have, wanted) {
		t.Error("it went on to other weights")
	}
}

// takeAll takes all the memory that a device has left.
func takeAll(d *gpu.Device) (taken []*gpu.Tensor) {
	for n := 1 << 20; n > 0; {
		x, err := gpu.NewTensor(d, n)
		if err != nil {
			n /= 2
			continue
		}
		taken = append(taken, x)
	}
	return taken
}

// normal has running statistics before the first convolution, whose copies of weights memory is wanted for.
const normal = `layer { name: "in" type: "Input" top: "x" top: "label"
  input_param { shape { dim: 4 dim: 8 dim: 16 dim: 16 } shape { dim: 4 } } }
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "bn" }
layer { name: "a" type: "Convolution" bottom: "bn" top: "a" convolution_param { num_output: 32 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "b" type: "Convolution" bottom: "a" top: "b" convolution_param { num_output: 32 kernel_size: 3 pad: 1
  weight_filler { type: "xavier" } } }
layer { name: "fc" type: "InnerProduct" bottom: "b" top: "fc" inner_product_param { num_output: 5
  weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }
`

// normalSolver returns a solver of it on the emulator with so much memory.
func normalSolver(t *testing.T, p cuda.Precision, bytes int) *solver.Solver {
	t.Helper()
	t.Setenv("EMULATOR_MEMORY", fmt.Sprint(bytes))
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: p, NoLibraries: true})
	if d.Name() != "emulated GPU" {
		t.Skip("wants the emulator")
	}
	f, err := caffe.ParseNetPrototxt("normal", []byte(normal))
	if err != nil {
		t.Fatal(err)
	}
	param := &caffepb.SolverParameter{BaseLr: proto.Float32(0.01), LrPolicy: proto.String("fixed"),
		Momentum: proto.Float32(0.9), MaxIter: proto.Int32(99), RandomSeed: proto.Int64(1)}
	s, err := solver.New(&config.Run{SolverPath: "solver.prototxt", Train: f, Solver: param}, d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	modeltest.FillInputs(d, s.Net, 5)
	return s
}

// lackMemory takes all memory and has the device want more, outside an iteration.
func lackMemory(t *testing.T, s *solver.Solver) (taken []*gpu.Tensor) {
	t.Helper()
	d := s.Device()
	for _, p := range s.Net.Params() { // in other memory, so that copies have to be made anew
		if len(p.Shape) == 4 {
			old := p.Data
			x, err := gpu.NewTensor(d, old.Shape...)
			if err != nil {
				t.Fatal(err)
			}
			d.Copy(x, old)
			p.Data = x
			old.Mem.Free()
		}
	}
	taken = takeAll(d)
	if _, err := s.Net.Forward(); err == nil || !strings.Contains(err.Error(), "out of memory") {
		t.Fatalf("got %v, wanted a want of memory", err)
	}
	return taken
}

// An iteration that is given up for want of memory keeps the weights; running statistics have moved as far as its pass
// came, as ShortError says: they are numbers, and weights and statistics can be saved.
func TestCUDAShortageStatistics(t *testing.T) {
	s := normalSolver(t, cuda.TF32, 14<<20)
	values := func() (all [][]float32) {
		for _, p := range s.Net.Params() {
			v := make([]float32, p.Data.N)
			s.Device().Download(v, p.Data)
			all = append(all, v)
		}
		return all
	}
	before := values()
	takeAll(s.Device())
	_, err := s.Step()
	if err == nil || !strings.Contains(err.Error(), "for layer") || strings.Contains(err.Error(), `"bn"`) {
		t.Fatalf("got %v, wanted a want of memory in a layer behind the first", err)
	}
	moved := 0
	for i, v := range values() {
		switch p := s.Net.Params()[i]; {
		case !p.Statistics && !slices.Equal(before[i], v):
			t.Errorf("parameter %d of layer %q has changed", p.Index, p.Layer)
		case p.Statistics && !slices.Equal(before[i], v):
			moved++
		}
		for _, x := range v {
			if x != x {
				t.Fatalf("parameter %d of layer %q is NaN", s.Net.Params()[i].Index, s.Net.Params()[i].Layer)
			}
		}
	}
	if moved == 0 {
		t.Error("no running statistics have moved: ShortError says that they do")
	}
	if _, err := s.Save(filepath.Join(t.TempDir(), "x"), solver.SessionData{}); err != nil {
		t.Error(err)
	}
}

// What memory lacked for outside an iteration is charged to none, and does not keep a run from going back.
func TestCUDAShortageOutside(t *testing.T) {
	s := normalSolver(t, cuda.TF32, 14<<20)
	step(t, s)
	path, err := s.Save(filepath.Join(t.TempDir(), "x"), solver.SessionData{})
	if err != nil {
		t.Fatal(err)
	}
	state, err := caffe.ReadSolverState(path)
	if err != nil {
		t.Fatal(err)
	}
	saved, _ := forwardBits(s)
	step(t, s)
	for _, x := range lackMemory(t, s) {
		x.Mem.Free()
	}
	_, err = s.Step()
	if err == nil || !strings.HasPrefix(err.Error(), "before iteration 2: ") || s.Iter != 2 {
		t.Errorf("an iteration after a want of memory: %v, now at %d", err, s.Iter)
	}
	for _, x := range lackMemory(t, s) {
		x.Mem.Free()
	}
	if err := s.Rewind(path, state); err != nil {
		t.Fatal(err)
	}
	if have, _ := forwardBits(s); !slices.Equal(have, saved) || s.Iter != 1 {
		t.Errorf("after going back the weights are not those of the snapshot, or it stands at iteration %d", s.Iter)
	}
	if !strings.Contains(strings.Join(s.Notices, " "), "before going back: ") {
		t.Errorf("notices: %q", s.Notices)
	}
	step(t, s)
}
