package session_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu/host"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// snapshots trains the small net to iteration 3 at a prefix and keeps a snapshot of each iteration.
func snapshots(t *testing.T, prefix string, change func(*config.Run)) *config.Run {
	t.Helper()
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.SnapshotPrefix, r.Solver.Snapshot = proto.String(prefix), proto.Int32(1)
		if change != nil {
			change(r)
		}
	})
	train(t, run, 1, 3)
	return run
}

func flip(t *testing.T, path string) {
	t.Helper()
	data := read(t, path)
	data[len(data)/2] ^= 4
	put(t, path, data)
}

func put(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
}

// --resume takes the highest iteration whose two files are whole and belong together, and says what it passed over.
func TestFindSnapshot(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		format       caffepb.SolverParameter_SnapshotFormat
		spoil        func(t *testing.T, prefix, ext string)
		want         string // the iteration
		notice       string
	}{
		{"all whole", "run", 1, func(*testing.T, string, string) {}, "3", ""},
		{"a prefix is no pattern", "lr=[0.01]*", 1, func(*testing.T, string, string) {}, "3", ""},
		{"the oldest file is the newest snapshot", "run", 1, func(t *testing.T, prefix, ext string) {
			put(t, prefix+"_iter_1.solverstate"+ext, read(t, prefix+"_iter_1.solverstate"+ext))
		}, "3", ""},
		{
			"a flipped bit in the weights",
			"run",
			1,
			func(t *testing.T, prefix, ext string) { flip(t, prefix+"_iter_3.caffemodel"+ext) },
			"2",
			"run_iter_3.caffemodel has SHA-256",
		},
		{
			"a flipped bit in the state",
			"run",
			1,
			func(t *testing.T, prefix, ext string) { flip(t, prefix+"_iter_3.solverstate"+ext) },
			"2",
			"run_iter_3.solverstate",
		},
		{
			"a flipped bit in HDF5",
			"run",
			0,
			func(t *testing.T, prefix, ext string) { flip(t, prefix+"_iter_3.caffemodel"+ext) },
			"2",
			"run_iter_3.caffemodel.h5 has SHA-256",
		},
		{"a state that was cut short", "run", 1, func(t *testing.T, prefix, ext string) {
			if err := os.Truncate(prefix+"_iter_3.solverstate"+ext, 40); err != nil {
				t.Fatal(err)
			}
		}, "2", "run_iter_3.solverstate is passed over"},
		{"weights that are gone", "run", 1, func(t *testing.T, prefix, ext string) {
			os.Remove(prefix + "_iter_3.caffemodel" + ext)
			os.Remove(prefix + "_iter_2.caffemodel" + ext)
		}, "1", "its weights are not there"},
		{"weights of another iteration", "run", 1, func(t *testing.T, prefix, ext string) {
			put(t, prefix+"_iter_3.caffemodel"+ext, read(t, prefix+"_iter_2.caffemodel"+ext))
		}, "2", "has SHA-256"},
		{"a state of another iteration than its name says", "run", 1, func(t *testing.T, prefix, ext string) {
			put(t, prefix+"_iter_9.solverstate"+ext, read(t, prefix+"_iter_1.solverstate"+ext))
			put(t, prefix+"_iter_9.caffemodel"+ext, read(t, prefix+"_iter_1.caffemodel"+ext))
		}, "3", "run_iter_9.solverstate is passed over: it is of iteration 1"},
		{"killed between the two renames", "run", 1, func(t *testing.T, prefix, ext string) {
			w := prefix + "_iter_3.caffemodel" + ext
			put(t, w+".previous", read(t, w))
			put(t, w, []byte("the weights of a run that came no further"))
		}, "3", ""},
		{"other names", "run", 1, func(t *testing.T, prefix, ext string) {
			data := read(t, prefix+"_iter_3.solverstate"+ext)
			for _, name := range []string{
				"_iter_x.solverstate", "_iter_9.solverstate.bak", "_guard_iter_9.solverstate", "_iter_-9.solverstate",
				"2_iter_9.solverstate",
			} {
				put(t, prefix+name, data)
			}
		}, "3", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			prefix := filepath.Join(t.TempDir(), c.prefix)
			run := snapshots(t, prefix, func(r *config.Run) { r.Solver.SnapshotFormat = c.format.Enum() })
			ext := map[caffepb.SolverParameter_SnapshotFormat]string{0: ".h5", 1: ""}[c.format]
			c.spoil(t, prefix, ext)
			path, notices, err := session.FindSnapshot(prefix, run.JournalPath())
			if err != nil {
				t.Fatal(err)
			}
			if want := prefix + "_iter_" + c.want + ".solverstate" + ext; path != want {
				t.Errorf("found %s, wanted %s", path, want)
			}
			if all := strings.Join(notices, "\n"); (c.notice == "") != (all == "") || !strings.Contains(all, c.notice) {
				t.Errorf("notices %q, wanted %q", notices, c.notice)
			}
			again := mini(t, "dns_seed_mini", func(r *config.Run) { r.Weights, r.Snapshot = nil, path })
			train(t, again, 1, 4)
		})
	}
	if _, _, err := session.FindSnapshot(filepath.Join(t.TempDir(), "run"), ""); !errors.Is(err, solver.ErrNoSnapshot) {
		t.Errorf("no snapshot: %v", err)
	}
	prefix := filepath.Join(t.TempDir(), "run")
	put(t, prefix+"_iter_1.solverstate", nil)
	put(t, prefix+"_iter_2.solverstate", nil)
	_, _, err := session.FindSnapshot(prefix, "")
	if err == nil || strings.Count(escape.Error(err), "\n") != 2 || strings.Contains(escape.Error(err), `\n`) {
		t.Errorf("none is whole: %q, wanted a line for each", err)
	}
}

// A solverstate of Caffe has no checksum: its weights are those that were put aside, where a kill left them.
func TestWeightsOfCaffesState(t *testing.T) {
	dir := t.TempDir()
	state, weights := filepath.Join(dir, "run_iter_3.solverstate"), filepath.Join(dir, "run_iter_3.caffemodel")
	st := &caffepb.SolverState{LearnedNet: proto.String("run_iter_3.caffemodel")}
	for _, name := range []string{weights, weights + ".previous"} { // the second is looked at before the first
		put(t, name, []byte("weights"))
		if at, err := solver.WeightsOf(state, st); err != nil || at != name {
			t.Errorf("the weights are %s (%v), wanted %s", at, err, name)
		}
	}
}

// Every byte of a solverstate is under its checksum.
func TestStateChecksum(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	snapshots(t, prefix, nil)
	path := prefix + "_iter_3.solverstate"
	data := read(t, path)
	for i := range 64 {
		at := i * len(data) / 64
		bad := append([]byte(nil), data...)
		bad[at] ^= 1
		put(t, path, bad)
		if _, err := caffe.ReadSolverState(path); err == nil {
			t.Errorf("byte %d of %d was changed, and nothing noticed", at, len(data))
		}
	}
}

// Weights of another run are an error that says whose they are; those beside the solverstate go before those of the
// same relative name.
func TestMovedSnapshot(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	for _, d := range []string{"run", "backup"} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	snapshots(t, "run/t", nil)
	state, weights := read(t, "run/t_iter_3.solverstate"), read(t, "run/t_iter_3.caffemodel")
	snapshots(t, "run/t", func(r *config.Run) { r.Solver.BaseLr = proto.Float32(0.001) })
	put(t, "backup/t_iter_3.solverstate", state)
	resumed := func() error {
		run := mini(
			t,
			"dns_seed_mini",
			func(r *config.Run) { r.Weights, r.Snapshot = nil, "backup/t_iter_3.solverstate" },
		)
		d := host.New(host.Options{Threads: 1})
		defer d.Close()
		s, err := solver.New(run, d)
		if err == nil {
			s.Close()
		}
		return err
	}
	if err := resumed(); err == nil || !strings.Contains(err.Error(), "run/t_iter_3.caffemodel is of run ") ||
		!strings.Contains(err.Error(), "belongs to run/t_iter_3.solverstate") {
		t.Errorf("weights of another run: %v", err)
	}
	put(t, "backup/t_iter_3.caffemodel", weights)
	if err := resumed(); err != nil {
		t.Error(err)
	}
	// A pair that was renamed as a whole.
	put(t, "backup/best.solverstate", state)
	put(t, "backup/best.caffemodel", weights)
	os.Remove("backup/t_iter_3.caffemodel")
	run := mini(t, "dns_seed_mini", func(r *config.Run) { r.Weights, r.Snapshot = nil, "backup/best.solverstate" })
	train(t, run, 1, 4)
}

// Two runs never write to one prefix; a run that ended lets go of it.
func TestPrefixInUse(t *testing.T) {
	run := mini(t, "dns_seed_mini", nil)
	tr := startWith(t, run, 1, session.Options{Name: "mini-1"})
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	_, err := session.NewTrainer(run, d, session.Options{})
	var used *session.InUseError
	if !errors.As(err, &used) || !strings.Contains(err.Error(), "run mini-1 (pid ") ||
		!strings.Contains(err.Error(), "dns-tui attach mini-1") {
		t.Fatalf("a second run at the prefix: %v", err)
	}
	other := mini(t, "dns_seed_mini", func(r *config.Run) { r.Journal = run.JournalPath() })
	if _, err := session.NewTrainer(other, d, session.Options{}); err == nil ||
		!strings.Contains(err.Error(), "another run writes to this journal") {
		t.Errorf("a second run with the journal: %v", err)
	}
	must(t, tr, session.Command{Kind: session.Stop})
	<-tr.Done()
	if _, err := os.Stat(run.SnapshotPrefix() + ".lock"); !os.IsNotExist(err) {
		t.Errorf("the lock of a run that ended: %v", err)
	}
	put(t, run.SnapshotPrefix()+".lock", []byte("what a killed run left"))
	train(t, run, 1, 1)
}

// A run that begins where snapshots are says so, and how to go on from them; --resume=auto begins where there are none.
func TestBeginsBesideSnapshots(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	told := func(change func(*config.Run)) string {
		run := mini(t, "dns_seed_mini", func(r *config.Run) {
			r.Solver.SnapshotPrefix = proto.String(prefix)
			change(r)
		})
		tr := startWith(t, run, 1, session.Options{})
		var all []string
		for _, e := range tr.Snapshot().Events {
			all = append(all, e.What.String())
		}
		must(t, tr, session.Command{Kind: session.Stop})
		<-tr.Done()
		return strings.Join(all, "\n")
	}
	auto := func(r *config.Run) { r.Resume = config.ResumeAuto }
	if got := told(auto); !strings.Contains(got, "no snapshot to resume") || strings.Contains(got, "already") {
		t.Errorf("a first start: %q", got)
	}
	snapshots(t, prefix, nil)
	if got := told(func(*config.Run) {}); !strings.Contains(got, "3 snapshots are at ") ||
		!strings.Contains(got, "--resume") {
		t.Errorf("a second start: %q", got)
	}
	if got := told(
		func(r *config.Run) { r.Weights, r.Snapshot = nil, prefix+"_iter_2.solverstate" },
	); !strings.Contains(
		got,
		"a snapshot is at ",
	) {
		t.Errorf("a start from iteration 2: %q", got)
	}
	train(t, mini(t, "dns_seed_mini", func(r *config.Run) { r.Solver.SnapshotPrefix = proto.String(prefix) }), 1, 2)
	if got := told(auto); !strings.Contains(got, "run_iter_3.solverstate is of run ") ||
		!strings.Contains(got, "has not come as far") {
		t.Errorf("a resume of another run's snapshot: %q", got)
	}
	if got := told(
		func(r *config.Run) { r.Resume, r.Solver.MaxIter = config.ResumeNewest, proto.Int32(3) },
	); !strings.Contains(
		got,
		"nothing is left to train",
	) {
		t.Errorf("a resume at max_iter: %q", got)
	}
	if got := told(auto); strings.Contains(got, "already") || strings.Contains(got, "no snapshot") {
		t.Errorf("a resume of the last: %q", got)
	}
}

// A solver that is edited between two parts of a run holds from then on, and a replay of the whole repeats both
// parts: it begins as the run began, whatever the file says now.
func TestEditedSolver(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	part := func(rate float32, iter int, change func(*config.Run)) {
		train(t, mini(t, "dns_seed_mini", func(r *config.Run) {
			r.Solver.SnapshotPrefix, r.Solver.BaseLr = proto.String(prefix), proto.Float32(rate)
			change(r)
		}), 1, iter)
	}
	part(0.01, 3, func(*config.Run) {})
	part(0.02, 6, func(r *config.Run) { r.Weights, r.Snapshot = nil, prefix+"_iter_3.solverstate" })
	want := read(t, prefix+"_iter_6.caffemodel")
	for _, rate := range []float32{0.01, 0.02} {
		again := mini(t, "dns_seed_mini", func(r *config.Run) {
			r.Solver.BaseLr, r.Replay = proto.Float32(rate), prefix+".journal"
		})
		got, _ := weightsAt(t, again, 1, 6)
		if !bytes.Equal(want, got) {
			t.Errorf("the replay with base_lr %g in its file has other weights", rate)
		}
	}
	again := mini(t, "dns_seed_mini", func(r *config.Run) { r.Weights, r.Snapshot = nil, prefix+"_iter_3.solverstate" })
	other, _ := weightsAt(t, again, 1, 6)
	if bytes.Equal(want, other) {
		t.Error("the edit made no difference")
	}
}

// Fields of the solver that cannot be set live are the files' after a resume too; each one that was edited is told.
func TestEditedUpdateRules(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	snapshots(t, prefix, nil)
	for _, c := range []struct {
		name   string
		change func(*caffepb.SolverParameter)
		want   []string
	}{
		{"nothing", func(*caffepb.SolverParameter) {}, nil},
		{"the policy", func(s *caffepb.SolverParameter) {
			s.LrPolicy, s.Gamma, s.Stepvalue = proto.String("multistep"), proto.Float32(0.5), []int32{2, 30}
			s.Stepsize, s.Power = nil, nil
		}, []string{"lr_policy ", " → multistep: the files were edited", "stepvalue none → 2 30", "gamma "}},
		{
			"the type",
			func(s *caffepb.SolverParameter) { s.Type = proto.String("Nesterov") },
			[]string{"type SGD → Nesterov: the files were edited"},
		},
		{
			"clipping",
			func(s *caffepb.SolverParameter) { s.ClipGradients = proto.Float32(7) },
			[]string{" → 7: the files were edited"},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := mini(t, "dns_seed_mini", func(r *config.Run) {
				r.Weights, r.Snapshot = nil, prefix+"_iter_3.solverstate"
				c.change(r.Solver)
			})
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			s, err := solver.New(run, d)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			all := strings.Join(s.Notices, "\n")
			for _, w := range c.want {
				if !strings.Contains(all, w) {
					t.Errorf("told %q, wanted %q", all, w)
				}
			}
			if c.want == nil && strings.Contains(all, "edited") {
				t.Errorf("told %q of files that nobody edited", all)
			}
		})
	}
}

// A run that goes on from its snapshot after another was begun at its prefix has its own past, not the other's: in
// the curves, the states, the report and a replay.
func TestResumePastAnotherRun(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	seeded := func(seed int64, snapshot string, iter int) {
		train(t, mini(t, "dns_seed_mini", func(r *config.Run) {
			r.Solver.SnapshotPrefix, r.Solver.Snapshot = proto.String(prefix), proto.Int32(2)
			r.Solver.RandomSeed = proto.Int64(seed)
			if snapshot != "" {
				r.Weights, r.Snapshot = nil, snapshot
			}
		}), 1, iter)
	}
	seeded(1, "", 6)
	first, err := session.ReadCourse(prefix + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	seeded(2, "", 3)
	run := mini(t, "dns_seed_mini", func(r *config.Run) {
		r.Solver.SnapshotPrefix, r.Solver.RandomSeed = proto.String(prefix), proto.Int64(1)
		r.Weights, r.Snapshot = nil, prefix+"_iter_6.solverstate"
		r.Solver.MaxIter = proto.Int32(9)
	})
	tr := startWith(t, run, 1, session.Options{})
	states := map[string]session.RestorePoint{}
	for _, s := range tr.Snapshot().RestorePoints {
		states[filepath.Base(s.Path)] = s
	}
	if s := states["run_iter_4.solverstate"]; s.Total == 0 || s.Why == "found beside the run" {
		t.Errorf("a state of the run's own: %+v", s)
	}
	if s := states["run_iter_2.solverstate"]; s.Why != "found beside the run" {
		t.Errorf("a state that the other run wrote over: %+v", s)
	}
	if got := filepath.Base(stepTo(t, tr, 7).Back); got != "run_iter_6.solverstate" {
		t.Errorf("going back leads to %q", got)
	}
	must(t, tr, session.Command{Kind: session.Stop})
	<-tr.Done()
	again, err := session.ReadCourse(prefix + ".journal")
	if err != nil {
		t.Fatal(err)
	}
	want, got := session.NewHistory(first.Changes), session.NewHistory(again.Changes)
	early := func(s session.Series) map[int]float64 {
		out := map[int]float64{}
		for i, iter := range s.Iters {
			if iter < 6 {
				out[iter] = s.Values[i]
			}
		}
		return out
	}
	if w, g := early(want.Loss), early(got.Loss); len(w) < 3 || !cmp.Equal(w, g) {
		t.Errorf("the journal's loss: %v, want %v", g, w)
	}
	if a, b := want.Starts[0].Began, got.Starts[0].Began; a.Seed != b.Seed || a.Run != b.Run ||
		!cmp.Equal(a.Weights, b.Weights) {
		t.Errorf("the journal begins with %+v, want %+v", b, a)
	}
}

// A solverstate given for weights is called one, and names them.
func TestStateForWeights(t *testing.T) {
	prefix := filepath.Join(t.TempDir(), "run")
	snapshots(t, prefix, nil)
	if _, err := caffe.ReadNet(prefix + "_iter_3.solverstate"); err == nil ||
		!strings.Contains(err.Error(), "is a solverstate; its weights are in "+prefix+"_iter_3.caffemodel") {
		t.Error(err)
	}
}

// A net that was edited since the snapshot is told of, a line a layer; one that was not is not.
func TestEditedNet(t *testing.T) {
	for _, format := range []caffepb.SolverParameter_SnapshotFormat{
		caffepb.SolverParameter_BINARYPROTO, caffepb.SolverParameter_HDF5,
	} {
		prefix := filepath.Join(t.TempDir(), "run")
		snapshots(t, prefix, func(r *config.Run) { r.Solver.SnapshotFormat = format.Enum() })
		found, err := solver.Snapshots(prefix)
		if err != nil || len(found) != 3 {
			t.Fatalf("%v, %v", found, err)
		}
		for _, c := range []struct {
			name string
			edit func(l *caffepb.LayerParameter)
			want []string
		}{
			{"nothing", func(*caffepb.LayerParameter) {}, nil},
			{"a type", func(l *caffepb.LayerParameter) {
				if l.GetType() == "ReLU" {
					l.Type = proto.String("TanH")
				}
			}, []string{"was edited since the snapshot: type ReLU → TanH"}},
			{"a rate and a filler", func(l *caffepb.LayerParameter) {
				if l.GetName() == "ip2" {
					l.Param = []*caffepb.ParamSpec{{LrMult: proto.Float32(0)}}
				}
			}, []string{"layer ip2 was edited since the snapshot: param"}},
			{"a threshold, which is told as a setting", func(l *caffepb.LayerParameter) {
				if l.GetName() == "ip2" {
					l.InnerProductParam.Threshold = proto.Float32(2)
				}
			}, nil},
			{"a batch", func(l *caffepb.LayerParameter) {
				if l.DataParam != nil {
					l.DataParam.BatchSize = proto.Uint32(5)
				}
			}, []string{"was edited since the snapshot: data_param.batch_size 64 → 5"}},
		} {
			run := mini(t, "dns_seed_mini", func(r *config.Run) {
				r.Weights, r.Snapshot = nil, found[0].Path
				for _, l := range r.Train.Net.Layer {
					c.edit(l)
				}
			})
			d := host.New(host.Options{Threads: 1})
			s, err := solver.New(run, d)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var said []string
			for _, n := range s.Notices {
				if strings.Contains(n, "was edited since the snapshot") || strings.Contains(n, "snapshot's net") {
					said = append(said, n)
				}
			}
			if all := strings.Join(said, "\n"); len(said) != len(c.want) ||
				c.want != nil && !strings.Contains(all, c.want[0]) {
				t.Errorf("%v, %s: said %q, wanted %q", format, c.name, said, c.want)
			}
			s.Close()
			d.Close()
		}
	}
}
