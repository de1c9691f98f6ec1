package solver_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/solver"
)

// Layers that share weights go by the rule of the first of them: a snapshot in the middle of the soft rule is taken as
// it is for all, whether the others name the rule or not.
func TestSharedWeightsResumeInTheSoftRule(t *testing.T) {
	const soft = `surgery_rule: SOFT soft_surgery_param { exponent: 3 }`
	for name, second := range map[string]string{"both name the rule": soft, "the first names the rule": ""} {
		t.Run(name, func(t *testing.T) {
			f, err := caffe.ParseNetPrototxt("net", []byte(`
layer { name: "data" type: "DummyData" top: "x" top: "label" dummy_data_param { data_filler { type: "gaussian" std: 1 }
  data_filler { type: "constant" value: 1 } shape { dim: 2 dim: 8 } shape { dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a" param { name: "w" } param { name: "b" } `+soft+`
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } threshold: 0.6 } }
layer { name: "b" type: "InnerProduct" bottom: "a" top: "b" param { name: "w" } param { name: "b" } `+second+`
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } threshold: 0.6 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "b" bottom: "label" top: "loss" }`))
			if err != nil {
				t.Fatal(err)
			}
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			open := func(snapshot string) *solver.Solver {
				run := &config.Run{
					SolverPath: "solver.prototxt", Train: f, Snapshot: snapshot, Solver: &caffepb.SolverParameter{
						BaseLr: proto.Float32(0.02), LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(9),
						RandomSeed: proto.Int64(5), SurgeryIterGamma: proto.Float32(0),
						SurgeryIterPower: proto.Float32(1),
						SurgeryStopIter:  proto.Int32(100),
					},
				}
				s, err := solver.New(run, d)
				if err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() { s.Close() })
				return s
			}
			step := func(s *solver.Solver) {
				for range 2 {
					if _, err := s.Step(); err != nil {
						t.Fatal(err)
					}
				}
			}
			s := open("")
			step(s)
			path, err := s.Save(filepath.Join(t.TempDir(), "x"), solver.SessionData{})
			if err != nil {
				t.Fatal(err)
			}
			step(s)
			resumed := open(path)
			step(resumed)
			if resumed.Iter != 4 || !slices.Equal(dataOf(s, false), dataOf(resumed, false)) {
				t.Errorf("resumed at 2 it has other weights at iteration %d", resumed.Iter)
			}
		})
	}
}

// The first test after going on has the random data, and so the result, that it has in a run without a break.
func TestResumedTestHasItsData(t *testing.T) {
	net := func(phase string) *caffe.NetFile {
		f, err := caffe.ParseNetPrototxt(phase, []byte(`
layer { name: "data" type: "DummyData" top: "x" top: "label" dummy_data_param { data_filler { type: "gaussian" std: 1 }
  data_filler { type: "constant" value: 1 } shape { dim: 2 dim: 8 } shape { dim: 2 } } }
layer { name: "a" type: "InnerProduct" bottom: "x" top: "a"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "a" bottom: "label" top: "loss" }`))
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	open := func(snapshot string) *solver.Solver {
		s, err := solver.New(&config.Run{
			SolverPath: "solver.prototxt", Snapshot: snapshot,
			Train: net("train"), Tests: []*caffe.NetFile{net("test")},
			Solver: &caffepb.SolverParameter{
				BaseLr: proto.Float32(0.02), LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(9),
				IterSize: proto.Int32(2), RandomSeed: proto.Int64(5), TestIter: []int32{2},
			},
		}, d)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	test := func(s *solver.Solver) string {
		scores, err := s.Test(0, nil)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(*scores)
	}
	s := open("")
	at0 := test(s)
	for range 2 {
		if _, err := s.Step(); err != nil {
			t.Fatal(err)
		}
	}
	path, err := s.Save(filepath.Join(t.TempDir(), "x"), solver.SessionData{})
	if err != nil {
		t.Fatal(err)
	}
	want := test(s)
	if got := test(open(path)); got != want || want == at0 {
		t.Errorf("the test gives %s, without a break %s, at iteration 0 %s", got, want, at0)
	}
}
