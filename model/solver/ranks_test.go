package solver_test

import (
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/solver"
)

// ranksNet reads records in batches, and has what ranks might do differently: random crops, running statistics,
// dropout, masks by each of the rules.
const ranksNet = `
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TRAIN }
  transform_param { crop_size: 10 mirror: true scale: 0.0039 }
  data_param { source: "%[1]s" batch_size: 5 backend: LMDB } }
layer { name: "data" type: "Data" top: "data" top: "label" include { phase: TEST }
  transform_param { crop_size: 10 scale: 0.0039 }
  data_param { source: "%[1]s" batch_size: 3 backend: LMDB } }
layer { name: "conv1" type: "Convolution" bottom: "data" top: "conv1"
  convolution_param { threshold: 0.6 num_output: 6 kernel_size: 3 weight_filler { type: "xavier" } } }
%[2]s
layer { name: "relu1" type: "ReLU" bottom: "conv1" top: "conv1" }
layer { name: "pool1" type: "Pooling" bottom: "conv1" top: "pool1"
  pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "ip1" type: "CInnerProduct" bottom: "pool1" top: "ip1"
  inner_product_param { num_output: 20 weight_filler { type: "xavier" } }
  cinner_product_param { gamma: 0.0001 power: 1 c_rate: 0.5 iter_stop: 100 } }
layer { name: "drop" type: "Dropout" bottom: "ip1" top: "ip1" }
layer { name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2" surgery_rule: SOFT
  inner_product_param { threshold: 0.4 num_output: 4 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip2" bottom: "label" top: "accuracy" include { phase: TEST } }`

const ranksNorm = `
layer { name: "bn1" type: "BatchNorm" bottom: "conv1" top: "conv1" }
layer { name: "scale1" type: "Scale" bottom: "conv1" top: "conv1" scale_param { bias_term: true } }`

// test is a test, or a draw of a property.
type test interface {
	Helper()
	Errorf(format string, args ...any)
	Fatal(args ...any)
}

// digits makes a database of n records at a path, where it is not there, and returns the path.
func digits(t test, path string, n int) string {
	t.Helper()
	if caffe.Exists(path) {
		return path
	}
	err := dataset.WriteLMDB(path, n, func(i int) (*dataset.Datum, error) {
		pixels := make([]byte, 12*12)
		for k := range pixels {
			pixels[k] = byte(40*(i%4) + int(80*gpu.Key{Seed: 3, Iter: uint64(i)}.Uniform(k)))
		}
		return &dataset.Datum{Channels: 1, Height: 12, Width: 12, Data: pixels, Label: i % 4}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// ranksRun is a run over that net; iterSize is of each rank.
func ranksRun(t test, dir string, iterSize int, norm bool) *config.Run {
	t.Helper()
	path := digits(t, filepath.Join(dir, "lmdb"), 37)
	var between string
	if norm {
		between = ranksNorm
	}
	f, err := caffe.ParseNetPrototxt("net.prototxt", []byte(fmt.Sprintf(ranksNet, path, between)))
	if err != nil {
		t.Fatal(err)
	}
	return &config.Run{
		SolverPath: "solver.prototxt", Train: f, Tests: []*caffe.NetFile{f},
		Solver: &caffepb.SolverParameter{
			BaseLr: proto.Float32(0.05), Momentum: proto.Float32(0.9), WeightDecay: proto.Float32(0.0005),
			LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(1 << 30), RandomSeed: proto.Int64(1),
			IterSize: proto.Int32(int32(iterSize)), SurgeryIterGamma: proto.Float32(0.5),
			SurgeryIterPower: proto.Float32(0.5), TestIter: []int32{7}, TestInterval: proto.Int32(1000),
		},
	}
}

// together runs the ranks of a group in this process: rank 0's solver is steered by lead, the others follow. It returns
// how each ended.
func together(t test, n int, run func(rank int) *config.Run, lead func(s *solver.Solver)) []trace {
	t.Helper()
	ends := make([]trace, n)
	groups := collective.InProcess(n)
	var wg sync.WaitGroup
	for rank, g := range groups {
		wg.Go(func() {
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			s, err := solver.NewRank(run(rank), d, g)
			if err != nil {
				g.Fail(err.Error())
				t.Errorf("rank %d: %v", rank, err)
				return
			}
			defer s.Close()
			if rank > 0 {
				if err := s.Follow(); err != nil {
					s.End(err)
					t.Errorf("rank %d: %v", rank, err)
				}
			} else {
				lead(s)
				s.End(nil)
			}
			ends[rank] = trace{weights: weightsOf(s), settings: s.Hyper()}
		})
	}
	wg.Wait()
	return ends
}

// weightsOf are all numbers of a net: parameters and forward weights.
func weightsOf(s *solver.Solver) []float32 {
	var all []float32
	for _, p := range s.Net.Params() {
		if p.Statistics {
			continue
		}
		all = append(all, modeltest.Values(s.Device(), p.Data)...)
		all = append(all, modeltest.Values(s.Device(), p.Forward())...)
	}
	return all
}

// trace trains and tests, and says what came of it.
type trace struct {
	losses, tests []float64
	kept          []int
	weights       []float32
	settings      *config.Hyper
}

func traceOf(t *testing.T, s *solver.Solver, iters int) trace {
	t.Helper()
	var r trace
	for range iters {
		loss, err := s.Step()
		if err != nil {
			t.Error(err)
			return r
		}
		r.losses = append(r.losses, loss)
		for _, l := range s.Layers() {
			r.kept = append(r.kept, l.Kept())
		}
		if s.Iter%5 == 0 {
			test, err := s.Test(0, nil)
			if err != nil {
				t.Error(err)
				return r
			}
			accuracy, _ := test.Accuracy()
			r.tests = append(r.tests, test.Loss, accuracy)
		}
	}
	r.weights = weightsOf(s)
	return r
}

// n ranks are one rank with n times the iter_size: to the bit, but for running statistics, which then are those of each
// rank's passes, averaged.
func TestRanksAreIterSize(t *testing.T) {
	for _, c := range []struct {
		ranks, iterSize int
		norm, exact     bool
	}{
		{2, 1, false, true}, {3, 1, false, true}, {4, 1, false, true}, {2, 2, false, false}, {2, 1, true, true},
		{3, 1, true, true},
	} {
		t.Run(fmt.Sprintf("%d ranks, iter_size %d, norm %t", c.ranks, c.iterSize, c.norm), func(t *testing.T) {
			dir := t.TempDir()
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			ranksRun(t, dir, 1, c.norm)
			alone, err := solver.New(ranksRun(t, dir, c.ranks*c.iterSize, c.norm), d)
			if err != nil {
				t.Fatal(err)
			}
			defer alone.Close()
			want := traceOf(t, alone, 20)
			var got trace
			together(t, c.ranks, func(int) *config.Run { return ranksRun(t, dir, c.iterSize, c.norm) },
				func(s *solver.Solver) { got = traceOf(t, s, 20) })
			if d := difference(got.losses, want.losses); d > 1e-6 || c.exact && d > 0 {
				t.Errorf("losses differ by %g: %v, alone %v", d, got.losses, want.losses)
			}
			if fmt.Sprint(got.kept) != fmt.Sprint(want.kept) {
				t.Errorf("masks differ: kept %v, alone %v", got.kept, want.kept)
			}
			if d := difference(got.tests, want.tests); !c.norm && (d > 1e-6 || c.exact && d > 0) {
				t.Errorf("tests differ by %g: %v, alone %v", d, got.tests, want.tests)
			}
			if d := difference(got.weights, want.weights); d > 1e-5 || c.exact && d > 0 {
				t.Errorf("weights differ by %g", d)
			}
		})
	}
}

func difference[T float32 | float64](a, b []T) float64 {
	if len(a) != len(b) || len(a) == 0 {
		return math.Inf(1)
	}
	var most float64
	for i, v := range a {
		most = max(most, math.Abs(float64(v-b[i])))
	}
	return most
}

// Whatever rank 0's session asks of its solver, the others do too.
func TestFollow(t *testing.T) {
	layers := []string{"conv1", "ip1", "ip2"}
	edit := func(s *solver.Solver, layer string, p config.Param, v float64) error {
		h, _, err := s.Hyper().Apply(config.Edit{Field: config.Field{Layer: layer, Param: p}, Value: v})
		if err == nil {
			err = s.SetHyper(h)
		}
		return err
	}
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "ranks")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		ranksRun(t, dir, 1, true)
		var saved string
		ends := together(t, 2, func(int) *config.Run { return ranksRun(t, dir, 1, true) }, func(s *solver.Solver) {
			name := func() string { return rapid.SampledFrom(layers).Draw(t, "layer") }
			do := map[string]func() error{
				"step": func() error { _, err := s.Step(); return err },
				"threshold": func() error {
					return edit(s, name(), config.AnyThreshold, float64(rapid.IntRange(0, 20).Draw(t, "tenths"))/10)
				},
				"rule": func() error {
					return edit(s, name(), config.Rule, float64(rapid.IntRange(0, 2).Draw(t, "rule")))
				},
				"prune": func() error {
					return edit(s, name(), config.Prune, float64(rapid.IntRange(0, 1).Draw(t, "on")))
				},
				"freeze": func() error {
					return edit(s, name(), config.WeightsFrozen, float64(rapid.IntRange(0, 1).Draw(t, "on")))
				},
				"rate": func() error {
					return edit(s, "", config.BaseLR, float64(rapid.IntRange(1, 9).Draw(t, "rate"))/100)
				},
				"factor": func() error {
					s.SetRateFactor(rapid.SampledFrom([]float64{1, 0.5}).Draw(t, "factor"))
					return nil
				},
				"operate": func() error {
					s.OperateAll(rapid.SampledFrom([][]string{nil, {"ip1"}}).Draw(t, "which"))
					return nil
				},
				"drive": func() error {
					s.Drive(rapid.SampledFrom([][]string{nil, layers, {"conv1"}}).Draw(t, "driven"))
					if _, err := s.Magnitudes(nil); err != nil {
						return err
					}
					s.KeepStatistics(layers)
					s.OperateNext()
					return nil
				},
				"harden": func() error { return s.Harden([]string{name()}) },
				"test":   func() error { _, err := s.Test(0, nil); return err },
				"norms":  func() error { s.MeasureNorms(); _, err := s.Histograms(); return err },
				"save": func() (err error) {
					saved, err = s.Save(filepath.Join(dir, "run"), solver.SessionData{})
					return err
				},
				"back": func() error {
					if saved == "" {
						return nil
					}
					state, err := caffe.ReadSolverState(saved)
					if err != nil {
						return err
					}
					return s.Rewind(saved, state)
				},
			}
			for range rapid.IntRange(1, 12).Draw(t, "steps") {
				what := rapid.SampledFrom(slices.Sorted(maps.Keys(do))).Draw(t, "what")
				if err := do[what](); err != nil {
					t.Errorf("%s: %v", what, err)
					return
				}
			}
			if _, err := s.Step(); err != nil {
				t.Error(err)
			}
		})
		if d := difference(ends[0].weights, ends[1].weights); d != 0 {
			t.Errorf("weights differ by %g", d)
		}
		if !ends[0].settings.Equal(ends[1].settings) {
			t.Errorf("settings differ: %+v and %+v", ends[0].settings, ends[1].settings)
		}
	})
}

// Ranks that were given different things to train say which, and where, all with the same words.
func TestRanksDiffer(t *testing.T) {
	layerOf := func(r *config.Run, name string) *caffepb.LayerParameter {
		for _, l := range r.Train.Net.Layer {
			if l.GetName() == name {
				return l
			}
		}
		t.Fatalf("no layer %q", name)
		return nil
	}
	for _, c := range []struct {
		name  string
		ranks int
		edit  func(rank int, r *config.Run)
		says  string
	}{
		{"a field of the solver", 3, func(rank int, r *config.Run) {
			if rank == 2 {
				r.Solver.BaseLr = proto.Float32(0.07)
			}
		}, "rank 2 was given another run than rank 0: base_lr is 0.07 (solver.prototxt), on rank 0 0.05 ("},
		{"a field that rank 0 lacks", 2, func(rank int, r *config.Run) {
			if rank == 1 {
				r.Solver.ClipGradients = proto.Float32(3)
			}
		}, "rank 1 was given another run than rank 0: it has clip_gradients (solver.prototxt), which rank 0 lacks"},
		{"the seed", 2, func(rank int, r *config.Run) { r.Solver.RandomSeed = proto.Int64(int64(rank)) },
			"random_seed is 1 (solver.prototxt), on rank 0 0 (solver.prototxt)"},
		{"a layer", 2, func(rank int, r *config.Run) {
			if rank == 1 {
				layerOf(r, "ip1").InnerProductParam.NumOutput = proto.Uint32(21)
			}
		}, `layer "ip1" (number 6) of the train net is another in net.prototxt than in rank 0's net.prototxt`},
		{"where the data is, is no difference", 2, func(rank int, r *config.Run) {
			if p := layerOf(r, "data").DataParam; rank == 1 {
				p.Source = proto.String(filepath.Join(p.GetSource(), "..", "lmdb"))
			}
		}, ""},
		{"the data", 2, func(rank int, r *config.Run) {
			if p := layerOf(r, "data").DataParam; rank == 1 {
				p.Source = proto.String(digits(t, filepath.Join(filepath.Dir(p.GetSource()), "other"), 36))
			}
		}, `what layer "data" reads (train net) is 36 records`},
		{"more ranks than records", 3, func(_ int, r *config.Run) {
			for _, l := range r.Train.Net.Layer {
				if p := l.DataParam; p != nil {
					p.Source = proto.String(digits(t, filepath.Join(filepath.Dir(p.GetSource()), "few"), 2))
				}
			}
		}, "holds 2 records, fewer than the 3 ranks"},
		{"a layer that writes a file", 2, func(_ int, r *config.Run) {
			r.Train.Net.Layer = append(r.Train.Net.Layer, &caffepb.LayerParameter{
				Name: proto.String("out"), Type: proto.String("HDF5Output"), Bottom: []string{"ip2", "label"},
				Hdf5OutputParam: &caffepb.HDF5OutputParameter{
					FileName: proto.String(filepath.Join(t.TempDir(), "x.h5")),
				},
			})
		}, "several ranks would each write it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := t.TempDir()
			ranksRun(t, dir, 1, false)
			runs := make([]*config.Run, c.ranks)
			for rank := range runs {
				runs[rank] = ranksRun(t, dir, 1, false)
				c.edit(rank, runs[rank])
			}
			var wg sync.WaitGroup
			for rank, g := range collective.InProcess(c.ranks) {
				wg.Go(func() {
					d := host.New(host.Options{Threads: 1})
					defer d.Close()
					s, err := solver.NewRank(runs[rank], d, g)
					if err != nil {
						g.Fail(err.Error())
					}
					switch {
					case err == nil:
						s.Close()
						if c.says != "" {
							t.Errorf("rank %d starts; wanted %q", rank, c.says)
						}
					case c.says == "" || !strings.Contains(err.Error(), c.says):
						t.Errorf("rank %d: %v; wanted %q", rank, err, c.says)
					}
				})
			}
			wg.Wait()
		})
	}
}

// A rank whose weights have become others ends the run, by name.
func TestRankDiverges(t *testing.T) {
	dir := t.TempDir()
	ranksRun(t, dir, 1, false)
	groups := collective.InProcess(2)
	var wg sync.WaitGroup
	for rank, g := range groups {
		wg.Go(func() {
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			s, err := solver.NewRank(ranksRun(t, dir, 1, false), d, g)
			if err != nil {
				t.Error(err)
				g.Fail(err.Error())
				return
			}
			defer s.Close()
			if rank == 1 { // one weight of many, by very little
				w := s.Net.Params()[0]
				v := modeltest.Values(d, w.Data)
				v[3] *= 1 + 1e-6
				d.Upload(w.Data, v)
				err = s.Follow()
			} else {
				_, err = s.Step()
				s.End(nil)
			}
			const want = `rank 1 does not have the weights of rank 0 any more: `
			if err == nil || !strings.HasPrefix(err.Error(), want) || !strings.Contains(err.Error(), `layer "conv1"`) {
				t.Errorf("rank %d: %v; wanted %s", rank, err, want)
			}
		})
	}
	wg.Wait()
}

// Ranks that do not compute by the same say so at the start, once.
func TestRanksThatComputeByOthers(t *testing.T) {
	dir := t.TempDir()
	digits(t, filepath.Join(dir, "lmdb"), 37)
	for _, goBLAS := range []bool{false, true} {
		var wg sync.WaitGroup
		var notices [2][]string
		var by [2][]string
		for rank, g := range collective.InProcess(2) {
			wg.Go(func() {
				d := host.New(host.Options{Threads: 1, GoBLAS: goBLAS && rank == 1})
				defer d.Close()
				s, err := solver.NewRank(ranksRun(t, dir, 1, false), d, g)
				if err != nil {
					g.Fail(err.Error())
					t.Errorf("rank %d: %v", rank, err)
					return
				}
				defer s.Close()
				notices[rank], by[rank] = s.Notices, d.Capabilities().ComputedBy
				if rank == 0 {
					s.End(nil)
				} else if err := s.Follow(); err != nil {
					t.Errorf("rank %d: %v", rank, err)
				}
			})
		}
		wg.Wait()
		told := 0
		for _, n := range notices[0] {
			if strings.HasPrefix(n, "the ranks do not compute by the same: rank 0 by ") {
				told++
			}
		}
		want := 0
		if !slices.Equal(by[0], by[1]) {
			want = 1
		}
		if told != want || !goBLAS && want > 0 {
			t.Errorf("ranks by %q: told %d times, in %q", by, told, notices[0])
		}
	}
}
