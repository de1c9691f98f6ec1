package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"dns-tui/caffe/dataset"
	"dns-tui/model/modeltest"
)

// run carries out a command line and returns its exit status and output.
func run(t *testing.T, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	return runTB(t, args...)
}

func runTB(t testing.TB, args ...string) (status int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer null.Close()
	status = guard(&env{stdin: null, stdout: &out, stderr: &errs}, args)
	return status, out.String(), errs.String()
}

func write(t *testing.T, dir, name, text string) string {
	t.Helper()
	p := filepath.Join(dir, name)
	if err := os.WriteFile(p, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return p
}

// Every mistake of a user gives one clear message and a status, never a panic.
func TestMistakes(t *testing.T) {
	dir := t.TempDir()
	solvers := modeltest.Root("oracle", "solvers")
	net := filepath.Join(solvers, "dns_seed_mini.net.prototxt")
	weights := filepath.Join(solvers, "dns_seed_mini_init.caffemodel")
	solver := func(name, text string) string { return write(t, dir, name, text) }
	good := fmt.Sprintf(
		"net: %q base_lr: 0.01 lr_policy: \"fixed\" max_iter: 3 snapshot_prefix: %q ",
		net,
		filepath.Join(dir, "run"),
	)
	empty := write(t, dir, "empty.prototxt", "")
	random := write(t, dir, "random.caffemodel", "\x01\x02\xff\xferandom bytes that are no message")
	whole, err := os.ReadFile(weights)
	if err != nil {
		t.Fatal(err)
	}
	cut := write(t, dir, "cut.caffemodel", string(whole[:len(whole)/2]))
	unequal := filepath.Join(dir, "unequal_lmdb")
	if err := dataset.WriteLMDB(unequal, 4, func(i int) (*dataset.Datum, error) {
		return &dataset.Datum{Channels: 1, Height: 28, Width: 28 + i/2, Data: make([]byte, 28*(28+i/2))}, nil
	}); err != nil {
		t.Fatal(err)
	}
	labels := filepath.Join(dir, "labels_lmdb")
	if err := dataset.WriteLMDB(labels, 64, func(i int) (*dataset.Datum, error) {
		return &dataset.Datum{Channels: 1, Height: 28, Width: 28, Label: i, Data: make([]byte, 28*28)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(net)
	if err != nil {
		t.Fatal(err)
	}
	withData := func(name, db string) string {
		n := write(t, dir, name+".net", strings.ReplaceAll(string(text), `"mnist1280_lmdb"`, fmt.Sprintf("%q", db)))
		return solver(name+".prototxt", strings.ReplaceAll(good, net, n))
	}
	for _, c := range []struct {
		name   string
		args   []string
		status int
		want   string
	}{
		{"unknown command", []string{"tarin"}, 2, `did you mean "train"?`},
		{"unknown flag", []string{"train", "--slover", "x"}, 2, "-slover"},
		{"no solver", []string{"train"}, 2, "no solver given"},
		{"missing solver", []string{"train", "--solver", filepath.Join(dir, "none.prototxt")}, 1, "no such file"},
		{"missing solver for the UI", []string{filepath.Join(dir, "none.prototxt")}, 1, "no such file"},
		{"empty solver", []string{"train", "--solver", empty}, 1, "is empty"},
		{"folder for a solver", []string{"train", "--solver", dir}, 1, "is a directory"},
		{"binary for a solver", []string{"train", "--solver", weights}, 1, "this is a binary file"},
		{
			"misspelt field",
			[]string{"train", "--solver", solver("typo.prototxt", good+"\nmomentun: 0.9")},
			1,
			`typo.prototxt:2: unknown field "momentun" in SolverParameter; did you mean "momentum"?`,
		},
		{
			"no net",
			[]string{"train", "--solver", solver("nonet.prototxt", "base_lr: 1 lr_policy: \"fixed\" max_iter: 5")},
			1,
			"0 train nets",
		},
		{
			"several faults",
			[]string{
				"train", "--solver",
				solver("faults.prototxt", fmt.Sprintf("net: %q lr_policy: \"fixd\" iter_size: 0", net)),
			},
			1,
			"max_iter is 0",
		},
		{
			"several faults, the last",
			[]string{"train", "--solver", filepath.Join(dir, "faults.prototxt")},
			1,
			`lr_policy is "fixd"`,
		},
		{
			"unknown solver type",
			[]string{"train", "--solver", solver("adam.prototxt", good+`type: "Adaam"`)},
			1,
			`unknown solver type "Adaam"; did you mean "Adam"?`,
		},
		{
			"random weights",
			[]string{"train", "--solver", solver("good.prototxt", good), "--weights", random},
			1,
			"is not a caffemodel",
		},
		{
			"cut weights",
			[]string{"train", "--solver", filepath.Join(dir, "good.prototxt"), "--weights", cut},
			1,
			"is cut short",
		},
		{
			"weights of another net",
			[]string{
				"train", "--solver", filepath.Join(dir, "good.prototxt"), "--weights",
				modeltest.Root("models", "lenet5_dense.caffemodel"),
			},
			1,
			`layer "conv1": blob 0 has the shape 20x1x5x5 in the file, the net wants 8x1x5x5`,
		},
		{
			"weights and snapshot",
			[]string{"train", "--solver", filepath.Join(dir, "good.prototxt"), "--weights", "a", "--snapshot", "b"},
			2,
			"are mutually exclusive",
		},
		{
			"nothing to resume",
			[]string{"train", "--solver", filepath.Join(dir, "good.prototxt"), "--resume"},
			1,
			"no snapshot to resume",
		},
		{
			"caffemodel for a snapshot",
			[]string{"train", "--solver", filepath.Join(dir, "good.prototxt"), "--snapshot", weights},
			1,
			"is not a solverstate",
		},
		{
			"snapshot folder",
			[]string{
				"train", "--solver",
				solver("folder.prototxt", strings.ReplaceAll(good, filepath.Join(dir, "run"), "/proc/nowhere/run")),
			},
			1,
			"snapshots cannot be written to /proc/nowhere",
		},
		{
			"unequal images",
			[]string{"train", "--solver", withData("unequal", unequal)},
			1,
			`record "00000002" has the shape 1x28x29, the first record 1x28x28`,
		},
		{
			"label outside the classes",
			[]string{"train", "--solver", withData("labels", labels)},
			1,
			`label 10 (number 10 of blob "label") is not a valid class; must be 0 to 9`,
		},
		{
			"database missing",
			[]string{"train", "--solver", withData("nodb", "nowhere_lmdb")},
			1,
			"nowhere_lmdb: no such LMDB folder",
		},
		{
			"where it was looked for",
			[]string{"train", "--solver", filepath.Join(dir, "nodb.prototxt")},
			1,
			"; looked for it in the working folder, beside ",
		},
		{
			"a database of the name beside",
			[]string{"train", "--solver", withData("beside", "examples/mnist/labels_lmdb")},
			1,
			`did you mean "labels_lmdb"?`,
		},
		{"cuda", []string{"parity", "--device", "cuda", dir}, 1, "has no CUDA device"},
		{"device", []string{"devices", "--device", "tpu"}, 2, "wanted host or cuda"},
		{"GPU number", []string{"parity", "--gpu", "x", dir}, 2, `--gpu is "x"; wanted numbers from 0`},
		{"GPU twice", []string{"parity", "--gpu", "1,1", dir}, 2, `--gpu is "1,1": GPU 1 is named twice`},
		{"ranks below none", []string{"train", "--ranks", "-1"}, 2, "wanted a number, 1 to 1024"},
		{"no ranks", []string{"train", "--ranks", "0"}, 2, "wanted a number, 1 to 1024"},
		{"too many ranks", []string{"train", "--ranks", "1000000"}, 2, "wanted a number, 1 to 1024"},
		{"ranks by a word", []string{"train", "--ranks", "two"}, 2, "wanted a number, 1 to 1024"},
		{
			"ranks and GPUs",
			[]string{"train", "--ranks", "3", "--gpu", "0,1", filepath.Join(dir, "good.prototxt")},
			2,
			"--ranks 3 and --gpu 0,1, which is 2 GPUs: each GPU is a rank",
		},
		{
			"no time for ranks",
			[]string{"train", "--rank-timeout", "0s", filepath.Join(dir, "good.prototxt")},
			2,
			"wanted more than 0",
		},
		{"wire", []string{"train", "--reduce", "fp16"}, 2, "wanted float32 or bf16"},
		{"rank by hand", []string{"rank"}, 2, "is started by a run of several ranks alone"},
		{"GPU on the host", []string{"parity", "--gpu", "0", "--device", "host", dir}, 2, "are mutually exclusive"},
		{
			"precision",
			[]string{"parity", "--precision", "fp8", dir},
			2,
			`precision is "fp8"; wanted fp32, tf32 or bf16`,
		},
		{"unknown device", []string{"parity", "--device", "tpu", dir}, 2, `wanted host or cuda`},
		{"parity of nothing", []string{"parity", filepath.Join(dir, "none")}, 1, "none: no such file"},
		{"parity of an empty folder", []string{"parity", t.TempDir()}, 1, "no case here"},
		{"test without a model", []string{"test", "--weights", weights}, 2, "--model is not given"},
		{
			"effect of a signal",
			[]string{"train", "--solver", "x", "--sigint_effect", "explode"},
			2,
			"wanted stop, snapshot or none",
		},
		{"time of nothing", []string{"time"}, 2, "--model is not given"},
		{"time of a phase", []string{"time", "--model", net, "--phase", "TRIAN"}, 2, "wanted TRAIN or TEST"},
		{
			"a flag's value",
			[]string{"train", "--resume=often"},
			2,
			"wanted --resume or --resume=auto; see dns-tui train -h",
		},
		{"inspect nothing", []string{"inspect", filepath.Join(dir, "none")}, 1, "no such file"},
		{
			"inspect a net of nothing",
			[]string{"inspect", write(t, dir, "layerless.prototxt", `name: "x" input: "a"`)},
			1,
			"is a net without a layer",
		},
		{"inspect random bytes", []string{"inspect", random}, 1, "is not a caffemodel, solverstate"},
		{"inspect an empty file", []string{"inspect", empty}, 1, "is empty"},
		{
			"dataset of nothing",
			[]string{"dataset", "mnist", dir, filepath.Join(dir, "out")},
			1,
			"no train-images-idx3-ubyte",
		},
		{"dataset of another kind", []string{"dataset", "cifar", dir, "x"}, 2, "wanted `dataset mnist"},
		{
			"replay of nothing",
			[]string{
				"train", "--solver", filepath.Join(dir, "good.prototxt"), "--replay",
				filepath.Join(dir, "none.journal"),
			},
			1,
			"none.journal",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			status, stdout, stderr := run(t, c.args...)
			if strings.Contains(stdout, "  -") {
				t.Errorf("an error with the whole help: %s", stdout)
			}
			if status != c.status || !strings.Contains(stderr, c.want) || strings.Contains(stderr, "internal error") {
				t.Errorf("status %d, wanted %d; said\n%s\nwanted %q", status, c.status, stderr, c.want)
			}
		})
	}
}

func TestCommands(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(dir, "run")) // a person's runs are left alone
	for _, c := range []struct {
		args []string
		want []string
	}{
		{[]string{}, []string{"dns-tui solver.prototxt", "inspect FILE"}},
		{[]string{"help"}, []string{"dataset mnist|images"}},
		{[]string{"help", "train"}, []string{"-masks-from-zeros", "-gpu"}},
		{[]string{"train", "-h"}, []string{"-resume"}},
		{[]string{"version"}, []string{"dns-tui ", "devices: host"}},
		{
			[]string{"devices"},
			[]string{
				"host (", "matrix products:", "convolutions: this program's kernels", "vectors: ", "JPEGs: ", "cuda",
			},
		},
		{
			[]string{"inspect", modeltest.Root("models", "lenet5_sparse.caffemodel")},
			[]string{"3,993 of 431,080 (107.96 times smaller)", "99.27 %"},
		},
		{
			[]string{"inspect", modeltest.Root("oracle", "solvers", "sgd_inv_iter_60.solverstate")},
			[]string{"solverstate at iteration 60", "written by Caffe"},
		},
		{
			[]string{"inspect", modeltest.Root("oracle", "solvers", "mnist1280_lmdb")},
			[]string{"LMDB of 1,280 records", "1x28x28", "10 labels, 0 to 9"},
		},
		{
			[]string{"inspect", modeltest.Root("oracle", "old", "mnist1280_mean.binaryproto")},
			[]string{"shape 1x1x28x28"},
		},
		{[]string{"inspect", modeltest.Root("nets", "lenet.prototxt")}, []string{`net "LeNet"`, "conv2"}},
		{[]string{"inspect", modeltest.Root("solvers", "lenet.prototxt")}, []string{"solver", `lr_policy: "inv"`}},
		{
			[]string{"parity", "-gpu", "0", modeltest.Root("oracle", "solvers")},
			[]string{"dns_seed_mini                    ok", "0 disagree"},
		},
		{
			[]string{"parity", "--gpu", "0", modeltest.Root("oracle", "layers")},
			[]string{"elu                              ok", "0 disagree"},
		},
		{
			[]string{
				"export", modeltest.Root("oracle", "solvers", "dns_seed_mini_final.caffemodel"),
				filepath.Join(dir, "x.caffemodel"),
			},
			[]string{"4 masks applied and dropped"},
		},
		{[]string{"inspect", filepath.Join(dir, "x.caffemodel")}, []string{"conv1"}},
		{
			[]string{"time", "--model", modeltest.Root("oracle", "layers", "net_lenet.prototxt"), "--iterations", "2"},
			[]string{"conv1", "SoftmaxWithLoss", "all", "average of 2 passes"},
		},
		{
			[]string{
				"time", "--model", modeltest.Root("oracle", "layers", "net_lenet.prototxt"), "--iterations", "2",
				"--log", "caffe",
			},
			[]string{
				"*** Benchmark begins ***", "conv1\tforward: ", "conv1\tbackward: ", "] Average Forward pass: ",
				"] Average Backward pass: ", "] Total Time: ",
			},
		},
		{[]string{
			"test", "--model", modeltest.Root("oracle", "solvers", "sgd_inv.net.prototxt"), "--weights",
			modeltest.Root("oracle", "solvers", "sgd_inv_final.caffemodel"), "--phase", "TRAIN", "--iterations", "2",
			"--log", "caffe",
		},
			[]string{"] Batch 0, loss = ", "] Batch 1, loss = ", "] Loss: ", "] loss = "}},
		{
			[]string{"inspect", modeltest.Root("oracle", "hdf5", "sample_data.h5")},
			[]string{
				"HDF5 file", "/data                    10x8x6x5         floats",
				"/label                   10x1             floats",
			},
		},
		{[]string{"device_query"}, []string{"host ("}},
		{
			[]string{"upgrade", modeltest.Root("oracle", "old", "v1.prototxt"), filepath.Join(dir, "v2.prototxt")},
			[]string{"4 layers in the V1 form of 2014; input fields of the net"},
		},
		{[]string{"inspect", filepath.Join(dir, "v2.prototxt")}, []string{"InnerProduct"}},
		{
			[]string{"upgrade", filepath.Join(dir, "v2.prototxt"), filepath.Join(dir, "v3.prototxt")},
			[]string{"nothing to upgrade"},
		},
		{
			[]string{"inspect", modeltest.Root("oracle", "solvers", "mnist1280_leveldb_tables")},
			[]string{"LevelDB of 1,280 records", "10 labels, 0 to 9"},
		},
	} {
		t.Run(strings.Join(c.args, " "), func(t *testing.T) {
			if testing.Short() && len(c.args) > 0 && c.args[0] == "parity" &&
				strings.HasSuffix(c.args[len(c.args)-1], "solvers") {
				t.Skip("60 iterations of each solver")
			}
			status, stdout, stderr := run(t, c.args...)
			if status != 0 {
				t.Fatalf("status %d: %s", status, stderr)
			}
			for _, w := range c.want {
				if !strings.Contains(stdout, w) {
					t.Errorf("no %q in\n%s", w, stdout)
				}
			}
		})
	}
}

// The released nets give the accuracy that Caffe gives them, on all of MNIST's test images.
func TestReleasedAccuracy(t *testing.T) {
	idx := modeltest.MNISTFiles(t) // before leaving the module's folder
	t.Chdir(t.TempDir())
	if status, _, stderr := run(t, "dataset", "mnist", "--split", "test", idx, "mnist_test_lmdb"); status != 0 {
		t.Fatal(stderr)
	}
	for _, name := range []string{"lenet5_dense", "lenet5_sparse"} {
		status, stdout, stderr := run(
			t,
			"test",
			"--model",
			modeltest.Root("nets", "lenet.prototxt"),
			"--weights",
			modeltest.Root("models", name+".caffemodel"),
			"--iterations",
			"100",
		)
		if status != 0 || !strings.Contains(stdout, "accuracy = 0.9909\n") {
			t.Errorf("%s: status %d, %s%s; wanted accuracy 0.9909", name, status, stdout, stderr)
		}
	}
}

// A pruned snapshot that is exported holds W∘T, and gives what the snapshot gives.
func TestExportGivesTheSame(t *testing.T) {
	dir := t.TempDir()
	in := modeltest.Root("oracle", "solvers", "dns_official_mini_final.caffemodel")
	out := filepath.Join(dir, "out.caffemodel")
	if status, _, stderr := run(t, "export", in, out); status != 0 {
		t.Fatal(stderr)
	}
	a, b := fileSize(t, in), fileSize(t, out)
	if b >= a {
		t.Errorf("the export has %d bytes, the snapshot %d", b, a)
	}
	_, before, _ := run(t, "inspect", in)
	_, after, _ := run(t, "inspect", out)
	last := func(s string) string { l := strings.Split(strings.TrimSpace(s), "\n"); return l[len(l)-1] }
	if last(before) != last(after) {
		t.Errorf("kept before: %s\nand after: %s", last(before), last(after))
	}
}

func fileSize(t *testing.T, path string) int64 {
	t.Helper()
	st, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return st.Size()
}

// A mistake of the program leaves a message and a file with its trace, wherever it happened.
func TestInternalErrors(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	var errs bytes.Buffer
	reportInternal(&env{stderr: &errs}, "index out of range", []byte("the trace"))
	files, _ := filepath.Glob(filepath.Join(os.Getenv("TMPDIR"), "dns-tui-crash-*.txt"))
	if len(files) != 1 || !strings.Contains(errs.String(), files[0]) ||
		!strings.Contains(errs.String(), "internal error: index out of range") {
		t.Fatalf("files %v, said %s", files, errs.String())
	}
	if data, err := os.ReadFile(files[0]); err != nil || !strings.Contains(string(data), "the trace") {
		t.Errorf("the file holds %q, %v", data, err)
	}
}

// With --log caffe, what tools that read Caffe's log look for is there.
func TestCaffeLog(t *testing.T) {
	dir := t.TempDir()
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			`net: %q base_lr: 0.01 momentum: 0.9 lr_policy: "step" gamma: 0.1 stepsize: 5 max_iter: 6 display: 2
test_iter: 2 test_interval: 3 test_compute_loss: true
snapshot_prefix: %q random_seed: 1`,
			modeltest.Root("oracle", "solvers", "sgd_inv.net.prototxt"),
			filepath.Join(dir, "run"),
		),
	)
	status, stdout, stderr := run(t, "train", "--solver", solver, "--log", "caffe")
	if status != 0 {
		t.Fatal(stderr)
	}
	for _, want := range []string{
		`Solving `, `Learning Rate Policy: step`, `Iteration 0 \(0 iter/s, [\d.e+-]+s/2 iters\), loss = \d\.\d+`,
		`Iteration 4 \([\d.e+-]+ iter/s, [\d.e+-]+s/2 iters\), loss = \d`,
		`    Train net output #0: loss = \S+ \(\* 1 = \S+ loss\)`, `Iteration 4, lr = 0\.01`,
		`Iteration 3, Testing net \(#0\)`, `Test loss: \d\.\d+`,
		`    Test net output #0: loss = \S+ \(\* 1 = \S+ loss\)`,
		`Snapshotting to binary proto file .*run_iter_6\.caffemodel`,
		`Snapshotting solver state to binary proto file .*run_iter_6\.solverstate`, `Optimization Done\.`,
	} {
		if !regexp.MustCompile(`(?m)^I\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \w+\.cpp:\d+\] ` + want).MatchString(stdout) {
			t.Errorf("no line %s in\n%s", want, stdout)
		}
	}
	// A run that goes on counts from where it goes on, as Caffe does.
	longer, err := os.ReadFile(solver)
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "s.prototxt", strings.Replace(string(longer), "max_iter: 6", "max_iter: 8", 1))
	if out := mustRun(t, "train", "--solver", solver, "--log", "caffe", "--resume"); !strings.Contains(
		out,
		"] Iteration 6 (0 iter/s, ",
	) {
		t.Errorf("the first line after a resume: %s", out)
	}
	if status, _, stderr := run(t, "train", "--solver", solver, "--log", "json"); status != 2 ||
		!strings.Contains(stderr, "wanted plain or caffe") {
		t.Errorf("status %d: %s", status, stderr)
	}
}

// --log caffe ends as Caffe's log does: the loss after the last update where the last iteration is displayed, a test
// where one is due, no line twice; outputs are numbered in the order of their names, and a split has the name that
// Caffe gives it.
func TestCaffeLogEnds(t *testing.T) {
	const net = `layer {
  name: "in" type: "DummyData" top: "x" top: "label"
  dummy_data_param {
    shape { dim: 2 dim: 6 } shape { dim: 2 } data_filler { type: "constant" value: 1 }
    data_filler { type: "constant" }
  }
}
layer {
  name: "head" type: "InnerProduct" bottom: "x" top: "head"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } }
}
layer { name: "z" type: "SoftmaxWithLoss" bottom: "head" bottom: "label" top: "zloss" loss_weight: 2 }
layer { name: "p" type: "Power" bottom: "zloss" top: "half" power_param { scale: 0.5 } }
layer { name: "a" type: "Accuracy" bottom: "head" bottom: "label" top: "accuracy" }
layer { name: "e" type: "EuclideanLoss" bottom: "head" bottom: "head" }
`
	for _, c := range []struct {
		fields string
		rows   []string // of iterations and tests
	}{
		{
			"max_iter: 3 display: 1 test_interval: 2",
			[]string{
				"Iteration 0, Testing", "Iteration 0 (", "Iteration 1 (", "Iteration 2, Testing", "Iteration 2 (",
				"Iteration 3, loss",
			},
		},
		{
			"max_iter: 4 display: 3 test_interval: 2",
			[]string{
				"Iteration 0, Testing", "Iteration 0 (", "Iteration 2, Testing", "Iteration 3 (",
				"Iteration 4, Testing",
			},
		},
		{
			"max_iter: 2 display: 2 test_interval: 2 test_initialization: false",
			[]string{"Iteration 0 (", "Iteration 2, loss", "Iteration 2, Testing"},
		},
		{"max_iter: 2 display: 0 test_interval: 3 test_initialization: false", nil},
	} {
		dir := t.TempDir()
		solver := write(
			t,
			dir,
			"s.prototxt",
			fmt.Sprintf("net: %q base_lr: 0.01 lr_policy: 'fixed' test_iter: 1 snapshot_prefix: %q random_seed: 1 %s",
				write(t, dir, "n.prototxt", net), filepath.Join(dir, "run"), c.fields),
		)
		out := mustRun(t, "train", "--solver", solver, "--log", "caffe")
		rows := regexp.MustCompile(`Iteration \d+(, Testing| \(|, loss)`).FindAllString(out, -1)
		if !slices.Equal(rows, c.rows) {
			t.Errorf("%s: the rows are %q, wanted %q", c.fields, rows, c.rows)
		}
		if n := strings.Count(out, "Optimization Done."); n != 1 || !strings.HasSuffix(out, "] Optimization Done.\n") {
			t.Errorf("%s: %d times done in\n%s", c.fields, n, out)
		}
		if strings.Contains(c.fields, "test_initialization") {
			continue
		}
		for i, name := range []string{"accuracy", "half", "zloss_z_0_split_0"} {
			if !strings.Contains(out, fmt.Sprintf("Train net output #%d: %s = ", i, name)) ||
				!strings.Contains(out, fmt.Sprintf("Test net output #%d: %s = ", i, name)) {
				t.Errorf("%s: no output #%d %s in\n%s", c.fields, i, name, out)
			}
		}
		if strings.Contains(out, "output #3") || !strings.Contains(out, "split_0 = ") ||
			!strings.Contains(out, "(* 2 = ") {
			t.Errorf("%s: outputs in\n%s", c.fields, out)
		}
	}
	// Without the flag, the last line is not told twice.
	dir := t.TempDir()
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: 'fixed' snapshot_prefix: %q random_seed: 1 max_iter: 3 display: 2",
			write(t, dir, "n.prototxt", net),
			filepath.Join(dir, "run"),
		),
	)
	if out := mustRun(t, "train", "--solver", solver); strings.Count(out, "iteration 2  loss") != 1 {
		t.Errorf("the last line is there %d times in\n%s", strings.Count(out, "iteration 2  loss"), out)
	}
}
