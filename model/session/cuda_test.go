//go:build cuda

package session_test

import (
	"errors"
	"fmt"
	"io"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/parity"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// Every layer of Caffe's vectors, and a run with surgery of the paper's program. `make check-cuda` has the other runs.
func TestCUDAOracle(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	results, err := parity.Dir(modeltest.Root("oracle", "layers"), d, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	if len(results) < 142 {
		t.Errorf("%d cases, wanted at least 142", len(results))
	}
	results = append(results, parity.Solver(modeltest.Root("oracle", "solvers"), "dns_official_mini", d))
	for _, r := range results {
		if r.Status != parity.Agrees {
			t.Error(r)
		}
	}
}

// trained is what a training left.
type trained struct {
	losses  []float64
	weights [][]float32
	kept    map[string]int
}

// lenet trains LeNet with surgery in every step, on random images.
// advance runs iterations, and waits for the last.
func advance(t *testing.T, s *solver.Solver, iters int) {
	t.Helper()
	for range iters {
		if err := s.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
}

func lenet(t *testing.T, d *gpu.Device, batch, iters int) trained {
	t.Helper()
	s := modeltest.Solver(t, d, "lenet_dns", batch, 10, func(r *config.Run) {
		// the fillers are uniform: beyond 1.7 standard deviations there is nothing
		for _, l := range r.Train.Net.Layer {
			if p := l.InnerProductParam; p != nil {
				p.Threshold = proto.Float32(1)
			}
			if p := l.ConvolutionParam; p != nil {
				p.Threshold = proto.Float32(0.7)
			}
		}
	})
	var out trained
	s.OnSettled = func(iter int, loss float64) {
		if iter != len(out.losses) {
			t.Errorf("settled iteration %d after %d", iter, len(out.losses)-1)
		}
		out.losses = append(out.losses, loss)
	}
	advance(t, s, iters)
	for _, p := range s.Net.Params() {
		for _, tensor := range []*gpu.Tensor{p.Data, p.Forward()} {
			v := make([]float32, tensor.N)
			d.Download(v, tensor)
			out.weights = append(out.weights, v)
		}
	}
	out.kept = s.Kept()
	return out
}

// Activations that are stored as bf16 with channels last lead the same way as the host's float32, within what rounding
// makes, and twice the same way, with graphs and without.
func TestCUDABF16(t *testing.T) {
	const batch, iters = 4, 6
	run := func(d *gpu.Device) (losses []float64, weights [][]float32) {
		s := modeltest.Solver(t, d, "cifar10_full", batch, 10)
		s.OnSettled = func(_ int, loss float64) { losses = append(losses, loss) }
		advance(t, s, iters)
		for _, p := range s.Net.Params() {
			v := make([]float32, p.Data.N)
			d.Download(v, p.Data)
			weights = append(weights, v)
		}
		return losses, weights
	}
	h := host.New(host.Options{})
	defer h.Close()
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16})
	want, _ := run(h)
	have, weights := run(d)
	again, same := run(d)
	single, bare := run(modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16, NoGraphs: true}))
	for i, v := range want {
		if e := math.Abs(have[i] - v); !(e < 0.03*math.Abs(v)) {
			t.Errorf("iteration %d: loss %g, the host's %g", i, have[i], v)
		}
	}
	if !slices.Equal(have, again) || !slices.Equal(have, single) {
		t.Errorf("losses %v, %v, and without graphs %v", have, again, single)
	}
	for i := range weights {
		if !slices.Equal(weights[i], same[i]) || !slices.Equal(weights[i], bare[i]) {
			t.Errorf("parameter %d differs from run to run", i)
		}
	}
}

// The losses of an iteration of several passes are those of all of them, from the first iteration on.
func TestCUDAPasses(t *testing.T) {
	h := host.New(host.Options{})
	defer h.Close()
	var losses [2][]float64
	for i, d := range []*gpu.Device{h, modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})} {
		s := modeltest.Solver(t, d, "lenet_dns", 2, 10, func(r *config.Run) { r.Solver.IterSize = proto.Int32(3) })
		s.OnSettled = func(_ int, loss float64) { losses[i] = append(losses[i], loss) }
		advance(t, s, 3)
	}
	for i, want := range losses[0] {
		if e := math.Abs(losses[1][i] - want); !(e < 1e-3*math.Abs(want)) {
			t.Errorf("iteration %d: loss %g, the host's %g", i, losses[1][i], want)
		}
	}
}

// LeNet with surgery in every step goes the same way as on the host, and twice the same way.
func TestCUDALeNet(t *testing.T) {
	const batch, iters = 8, 12
	h := host.New(host.Options{})
	defer h.Close()
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	want, have := lenet(t, h, batch, iters), lenet(t, d, batch, iters)
	again, single := lenet(
		t,
		d,
		batch,
		iters,
	), lenet(
		t,
		modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32, NoGraphs: true}),
		batch,
		iters,
	)
	if len(have.losses) != iters {
		t.Fatalf("%d losses, wanted %d", len(have.losses), iters)
	}
	for i := range want.losses {
		if e := math.Abs(have.losses[i] - want.losses[i]); !(e < 1e-3*math.Abs(want.losses[i])) {
			t.Errorf("iteration %d: loss %g, the host's %g", i, have.losses[i], want.losses[i])
		}
		if have.losses[i] != again.losses[i] || have.losses[i] != single.losses[i] {
			t.Errorf(
				"iteration %d: losses %v, %v, and without graphs %v",
				i,
				have.losses[i],
				again.losses[i],
				single.losses[i],
			)
		}
	}
	for i := range want.weights {
		differ, far := 0, 0.0
		for k, w := range want.weights[i] {
			v := have.weights[i][k]
			if gpu.IsPruned(w) != gpu.IsPruned(v) {
				differ++
			} else {
				far = max(far, math.Abs(float64(w-v)))
			}
			if math.Float32bits(v) != math.Float32bits(again.weights[i][k]) ||
				math.Float32bits(v) != math.Float32bits(single.weights[i][k]) {
				t.Fatalf(
					"array %d [%d]: %v, %v, and without graphs %v",
					i,
					k,
					v,
					again.weights[i][k],
					single.weights[i][k],
				)
			}
		}
		if n := len(want.weights[i]); far > 1e-4 || differ > n/1000+1 {
			t.Errorf("array %d of %d: weights differ by up to %g, masks in %d places", i, n, far, differ)
		}
	}
	for name, n := range want.kept {
		if m := have.kept[name]; n == 0 || math.Abs(float64(n-m)) > float64(n)/100 {
			t.Errorf("%s keeps %d, on the host %d", name, m, n)
		}
	}
}

// The masks of a surgery are the host's, bit for bit, where the statistics are.
func TestCUDASurgeryIsTheHosts(t *testing.T) {
	h := host.New(host.Options{})
	defer h.Close()
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	masks := func(d *gpu.Device, t0 float32) []float32 {
		const n = 50000
		w := make([]float32, n)
		key := gpu.Key{Seed: 5}
		for i := range w {
			w[i] = key.Uniform(i) - 0.5
		}
		a, _ := gpu.NewTensor(d, n)
		m, _ := gpu.NewTensor(d, n)
		d.Upload(a, w)
		d.Upload(m, w)
		var r gpu.SurgeryResult
		d.Surgery(
			&gpu.SurgeryParams{Rule: gpu.PaperRule, Threshold: t0, Measured: true, Mu: 0.1, Sigma: 0.07, Redraw: true},
			a,
			m,
			nil,
			nil,
			&r,
		)
		if err := d.Sync(); err != nil {
			t.Fatal(err)
		}
		d.Download(w, m)
		return w
	}
	for _, t0 := range []float32{0.1, 0.7, 1.3, 3} {
		a, b := masks(h, t0), masks(d, t0)
		for i := range a {
			if math.Float32bits(a[i]) != math.Float32bits(b[i]) {
				t.Fatalf("t %g: entry %d is %g, on the host %g", t0, i, b[i], a[i])
			}
		}
	}
}

// A loss that is not finite is seen two iterations late; the run is then where the host's is: at that iteration, with
// the weights before it, and it goes on.
func TestCUDAUnstable(t *testing.T) {
	h := host.New(host.Options{})
	defer h.Close()
	type end struct {
		iter    int
		loss    float64
		weights []float32
		message string
	}
	run := func(d *gpu.Device) end {
		s := modeltest.Solver(t, d, "lenet_300_100", 4, 10)
		label := s.Net.Blob("label").Data
		good, bad := make([]float32, label.N), make([]float32, label.N)
		d.Download(good, label)
		copy(bad, good)
		bad[2] = 77
		var e end
		var unstable *solver.UnstableError
		for i := 0; i < 8 && unstable == nil; i++ {
			if i == 4 {
				d.Upload(label, bad)
			}
			if err := s.Advance(); err != nil && !errors.As(err, &unstable) {
				t.Fatal(err)
			}
		}
		if unstable == nil {
			t.Fatal("no error for a label that is not a valid class")
		}
		e.iter, e.message = s.Iter, unstable.Error()
		w := s.Net.Params()[0].Data
		e.weights = make([]float32, w.N)
		d.Download(e.weights, w)
		d.Upload(label, good)
		loss, err := s.Step()
		if err != nil {
			t.Fatal(err)
		}
		e.loss = loss
		return e
	}
	want, have := run(h), run(modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32}))
	if have.iter != want.iter || have.message != want.message || !strings.Contains(have.message, "label 77") {
		t.Errorf("stopped at %d: %s; the host at %d: %s", have.iter, have.message, want.iter, want.message)
	}
	for i, v := range want.weights {
		if math.Abs(float64(v-have.weights[i])) > 1e-5 {
			t.Fatalf("weight %d is %g, on the host %g", i, have.weights[i], v)
		}
	}
	if math.Abs(have.loss-want.loss) > 1e-4 {
		t.Errorf("goes on with loss %g, the host with %g", have.loss, want.loss)
	}
}

// The training loop allocates nothing an iteration once its graphs are captured.
func TestCUDAStepAllocatesNothing(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	s := modeltest.Solver(t, d, "lenet_300_100", 2, 10)
	step := func() {
		if err := s.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		step()
	}
	if n := modeltest.Allocations(10, step); n > 0 {
		t.Errorf("%g allocations an iteration", n)
	}
}

// A run that was saved on the GPU goes on from its files, there and on the host.
func TestCUDAResume(t *testing.T) {
	for _, c := range []struct {
		net    string
		change func(*config.Run)
	}{
		{"dns_official_mini", func(*config.Run) {}},
		{"dns_seed_mini", small(soft(3, 0.5, 2))},
	} {
		t.Run(c.net, func(t *testing.T) {
			const end = 8
			run := func(change func(*config.Run)) *config.Run {
				r := mini(t, c.net, c.change)
				r.Solver.MaxIter = proto.Int32(end)
				change(r)
				return r
			}
			whole := run(func(r *config.Run) { r.Solver.Snapshot = proto.Int32(end / 2) })
			from := func(r *config.Run) {
				r.Weights = nil
				r.Snapshot = fmt.Sprintf("%s_iter_%d.solverstate", whole.SnapshotPrefix(), end/2)
			}
			finish := func(run *config.Run, d *gpu.Device) string {
				tr, err := session.NewTrainer(run, d, session.Options{})
				if err != nil {
					t.Fatal(err)
				}
				tr.Start()
				if err := tr.Err(); err != nil {
					t.Fatal(err)
				}
				return string(read(t, fmt.Sprintf("%s_iter_%d.caffemodel", run.SnapshotPrefix(), end)))
			}
			want := finish(whole, modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32}))
			if finish(run(from), modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})) != want {
				t.Error("the resumed run has other weights")
			}
			h := host.New(host.Options{})
			defer h.Close()
			finish(run(from), h)
		})
	}
}

// small is a change of a run, with batches that an emulated GPU has soon done.
func small(change func(*config.Run)) func(*config.Run) {
	return func(r *config.Run) {
		change(r)
		for _, l := range r.Train.Net.Layer {
			if l.DataParam != nil {
				l.DataParam.BatchSize = proto.Uint32(8)
			}
		}
	}
}

// Under the soft rule a run goes the same way as on the host: losses, weights and masks. Its forward weights are what
// gpu.Soft makes of its weights.
func TestCUDASoftRule(t *testing.T) {
	h := host.New(host.Options{})
	defer h.Close()
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	for _, exponent := range []float32{1, 3} {
		t.Run(fmt.Sprint(exponent), func(t *testing.T) {
			want, have := softRun(t, h, exponent), softRun(t, d, exponent)
			for i, l := range want.losses {
				if e := math.Abs(have.losses[i] - l); !(e < 1e-4*math.Abs(l)) {
					t.Errorf("iteration %d: loss %g, the host's %g", i, have.losses[i], l)
				}
			}
			differ, pruned := 0, 0
			for at, array := range want.weights {
				for i, v := range array {
					other := have.weights[at][i]
					if forward := at%2 == 1; !forward && !(math.Abs(float64(v-other)) <= 1e-5) {
						t.Fatalf("array %d: weight %d is %g, on the host %g", at/2, i, other, v)
					}
					if gpu.IsPruned(v) != gpu.IsPruned(other) {
						differ++
					}
					if gpu.IsPruned(v) {
						pruned++
					}
				}
			}
			// Rounding may put a weight on the other side of the cut.
			if differ > 2 || pruned == 0 {
				t.Errorf("masks differ in %d places; %d are pruned", differ, pruned)
			}
			t.Logf("%d pruned, masks differ in %d places", pruned, differ)
		})
	}
}

// softRun trains under the soft rule, with half a gradient for pruned weights in every second iteration and none in
// the others. The weights it returns are each parameter's, and behind them its forward weights.
func softRun(t *testing.T, d *gpu.Device, exponent float32) (out trained) {
	t.Helper()
	s, err := solver.New(mini(t, "dns_seed_mini", small(soft(exponent, 0.5, 2))), d)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	s.OnSettled = func(_ int, loss float64) { out.losses = append(out.losses, loss) }
	for range 9 {
		if err := s.Advance(); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Drain(); err != nil {
		t.Fatal(err)
	}
	for _, p := range s.Net.Params() {
		weights, forward := modeltest.Values(d, p.Data), modeltest.Values(d, p.Forward())
		for i, m := range forward {
			if w := p.Soft.Forward(weights[i]); !gpu.IsPruned(m) && math.Float32bits(m) != math.Float32bits(w) {
				t.Fatalf("the forward weight of %g under %+v is %g, wanted %g", weights[i], p.Soft, m, w)
			}
		}
		out.weights = append(out.weights, weights, forward)
	}
	return out
}

// A run that does not fit says how much it needs and which batch would fit; with that batch it trains.
func TestCUDAMemoryAdvice(t *testing.T) {
	if err := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32}).Close(); err != nil {
		t.Fatal(err)
	}
	t.Setenv("EMULATOR_MEMORY", fmt.Sprint(20<<20))
	run := func(batch int) error {
		d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32, NoLibraries: true})
		if d.Name() != "emulated GPU" {
			t.Skip("wants the emulator")
		}
		defer d.Close()
		r := mini(t, "dns_seed_mini", func(r *config.Run) {
			for _, l := range r.Train.Net.Layer {
				if l.DataParam != nil {
					l.DataParam.BatchSize = proto.Uint32(uint32(batch))
				}
			}
			r.Solver.MaxIter = proto.Int32(3)
		})
		tr, err := session.NewTrainer(r, d, session.Options{})
		if err != nil {
			return err
		}
		tr.Start()
		return tr.Err()
	}
	err := run(1000)
	if err == nil {
		t.Fatal("a batch of 1000 fits")
	}
	m := regexp.MustCompile(`out of memory: .* needs about .* with a batch of 1000, and a batch of (\d+) would fit$`).
		FindStringSubmatch(err.Error())
	if m == nil {
		t.Fatalf("got %v", err)
	}
	fits, _ := strconv.Atoi(m[1])
	if err := run(fits); err != nil {
		t.Errorf("with a batch of %d: %v", fits, err)
	}
}

// A steady step is one graph, of no more kernels than docs/performance.md says.
func TestCUDALaunchesAStep(t *testing.T) {
	for _, c := range []struct {
		net     string
		kernels int64
	}{{"lenet_dns", 27}, {"lenet_300_100", 18}} {
		d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
		if d.Name() != "emulated GPU" {
			t.Skip("wants the emulator, which counts")
		}
		lib, err := purego.Dlopen("libcuda.so.1", purego.RTLD_NOW|purego.RTLD_LOCAL)
		if err != nil {
			t.Fatal(err)
		}
		var count func(what int32) int64 // of direct launches, graphs, kernels run
		purego.RegisterLibFunc(&count, lib, "emulator_count")
		s := modeltest.Solver(t, d, c.net, 1, 10)
		for range 4 {
			if _, err := s.Step(); err != nil {
				t.Fatal(err)
			}
		}
		direct, graphs, kernels := count(0), count(1), count(2)
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
		if direct, graphs, kernels = count(0)-direct, count(1)-graphs, count(2)-kernels; direct != 0 || graphs != 1 ||
			kernels != c.kernels {
			t.Errorf(
				"%s: %d direct launches, %d graphs, %d kernels; wanted 0, 1 and %d",
				c.net,
				direct,
				graphs,
				kernels,
				c.kernels,
			)
		}
	}
}

// A library that is turned off in mid-run is told of.
func TestCUDANoticesAreTold(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	if d.Name() != "emulated GPU" || !strings.Contains(d.Capabilities().BLAS, "cuBLAS 12.2") {
		t.Skip("wants the emulator's libraries")
	}
	t.Setenv("EMULATOR_BLAS", "fail")
	t.Setenv("EMULATOR_DNN", "fail")
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.MaxIter = proto.Int32(3) })
	tr, err := session.NewTrainer(run, d, session.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	if err := tr.Err(); err != nil {
		t.Fatal(err)
	}
	told := ""
	for _, e := range tr.Snapshot().Events {
		told += e.What.String() + "\n"
	}
	if !strings.Contains(told, "is not used: it failed in layer") {
		t.Errorf("told:\n%s", told)
	}
}
