package main

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/dataset"
	"dns-tui/model/modeltest"
)

func mustRun(t *testing.T, args ...string) string {
	t.Helper()
	status, stdout, stderr := run(t, args...)
	if status != 0 {
		t.Fatalf("%q: status %d: %s", args, status, stderr)
	}
	return stdout
}

// readAll returns the records of a database.
func readAll(t *testing.T, path string) (keys []string, data []dataset.Datum) {
	t.Helper()
	db, err := dataset.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	err = dataset.ReadAll(db, func(_ int, key []byte, d *dataset.Datum) error {
		c := *d
		c.Data, c.Float = append([]byte(nil), d.Data...), append([]float32(nil), d.Float...)
		keys, data = append(keys, string(key)), append(data, c)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return keys, data
}

func TestDatasetImages(t *testing.T) {
	dir := t.TempDir()
	list := ""
	for i := range 12 {
		img := image.NewNRGBA(image.Rect(0, 0, 6, 4))
		for k := range 24 {
			img.SetNRGBA(k%6, k/6, color.NRGBA{uint8(20 * i), 100, 50, 255})
		}
		f, err := os.Create(filepath.Join(dir, fmt.Sprintf("p%d.png", i)))
		if err != nil {
			t.Fatal(err)
		}
		if err := png.Encode(f, img); err != nil {
			t.Fatal(err)
		}
		f.Close()
		list += fmt.Sprintf("p%d.png %d\n", i, i%3)
	}
	listPath := write(t, dir, "list.txt", list)
	at := func(name string) string { return filepath.Join(dir, name) }
	if out := mustRun(t, "dataset", "images", dir, listPath, at("plain")); !strings.Contains(out, "12 images") {
		t.Error(out)
	}
	keys, data := readAll(t, at("plain"))
	if len(keys) != 12 || keys[3] != "00000003_p3.png" || data[3].Label != 0 || data[4].Label != 1 ||
		data[3].Channels != 3 ||
		data[3].Height != 4 ||
		data[3].Width != 6 ||
		data[3].Data[0] != 50 ||
		data[3].Data[24] != 100 ||
		data[3].Data[48] != 60 {
		t.Errorf("keys %q, record 3 is %+v", keys, data[3])
	}
	mustRun(t, "dataset", "images", "--gray", "--resize_height", "3", "--resize_width", "5", dir, listPath, at("small"))
	if _, data := readAll(t, at("small")); data[0].Channels != 1 || data[0].Height != 3 || data[0].Width != 5 {
		t.Errorf("scaled in grey: %+v", data[0])
	}
	mustRun(t, "dataset", "images", "--encoded", dir, listPath, at("encoded"))
	_, data = readAll(t, at("encoded"))
	original, err := os.ReadFile(at("p5.png"))
	if err != nil || !data[5].Encoded || string(data[5].Data) != string(original) {
		t.Error("an encoded picture that does not change is not the file's bytes")
	}
	mustRun(
		t,
		"dataset",
		"images",
		"--encode_type",
		"jpg",
		"--resize_height",
		"8",
		"--resize_width",
		"8",
		dir,
		listPath,
		at("jpg"),
	)
	_, data = readAll(t, at("jpg"))
	if err := data[0].Decode(true, false); err != nil || data[0].Height != 8 {
		t.Errorf("as JPEG: %+v, %v", data[0], err)
	}
	mustRun(t, "dataset", "images", "--shuffle", dir, listPath, at("shuffled"))
	if keys, _ := readAll(t, at("shuffled")); strings.Join(keys, " ") == strings.Join(readKeys(t, at("plain")), " ") ||
		len(keys) != 12 {
		t.Errorf("shuffled: %q", keys)
	}
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"dataset", "images", dir, listPath, at("plain")}, "plain: exists already"},
		{[]string{"dataset", "images", dir, at("none.txt"), at("x")}, "none.txt: no such file"},
		{[]string{"dataset", "images", at("plain"), listPath, at("x")}, "list.txt:1: "},
		{[]string{"dataset", "images", "--resize_width", "3", dir, listPath, at("x")}, "wanted both or none"},
		{[]string{"dataset", "images", "--encode_type", "gif", dir, listPath, at("x")}, `encoding is "gif"`},
		{[]string{"mean", at("encoded"), at("none/m")}, "cannot be written"},
		{[]string{"mean", at("list.txt"), at("m")}, "list.txt: is a file; wanted"},
		{[]string{"features", "ip1", at("f")}, "--model is not given"},
		{[]string{"draw", modeltest.Root("nets", "alexnet.prototxt"), at("x.png")}, "ends in .svg or .dot"},
		{
			[]string{"draw", "--input", "3xA", modeltest.Root("nets", "lenet.prototxt"), at("x.svg")},
			`"3xA": wanted channels, height and width`,
		},
	} {
		if status, _, stderr := run(t, c.args...); status == 0 || !strings.Contains(stderr, c.want) {
			t.Errorf("%q: status %d, said %s; wanted %q", c.args, status, stderr, c.want)
		}
	}
	if left, _ := filepath.Glob(at("*.partial")); len(left) != 0 {
		t.Errorf("left behind: %q", left)
	}
}

func readKeys(t *testing.T, path string) []string {
	keys, _ := readAll(t, path)
	return keys
}

// The mean image is the one that Caffe computed.
func TestMean(t *testing.T) {
	out := filepath.Join(t.TempDir(), "mean.binaryproto")
	if said := mustRun(t, "mean", modeltest.Root("oracle", "solvers", "mnist1280_lmdb"), out); !strings.Contains(
		said,
		"mean_value channel [0]:",
	) {
		t.Error(said)
	}
	have, err := caffe.ReadMean(out)
	if err != nil {
		t.Fatal(err)
	}
	want, err := caffe.ReadMean(modeltest.Root("oracle", "old", "mnist1280_mean.binaryproto"))
	if err != nil {
		t.Fatal(err)
	}
	if !caffe.IsLegacy(have) || caffe.FormatShape(caffe.Shape(have)) != caffe.FormatShape(caffe.Shape(want)) {
		t.Errorf("shape %v, Caffe's %v", caffe.Shape(have), caffe.Shape(want))
	}
	for i, w := range want.Data {
		if math.Abs(float64(have.Data[i]-w)) > 1e-4*math.Max(1, float64(w)) {
			t.Fatalf("pixel %d is %g, Caffe's %g", i, have.Data[i], w)
		}
	}
}

// The features of a batch are what the net computes, an example a record.
func TestFeatures(t *testing.T) {
	dir := t.TempDir()
	net := modeltest.Root("oracle", "solvers", "sgd_inv.net.prototxt")
	weights := modeltest.Root("oracle", "solvers", "sgd_inv_final.caffemodel")
	a, b := filepath.Join(dir, "a"), filepath.Join(dir, "b")
	out := mustRun(
		t,
		"features",
		"--model",
		net,
		"--phase",
		"TRAIN",
		"--weights",
		weights,
		"--iterations",
		"2",
		"i1,p2",
		a,
		b,
	)
	if !strings.Contains(out, "records of blob i1") {
		t.Error(out)
	}
	keys, data := readAll(t, a)
	if keys[1] != "0000000001" || data[0].Channels != 32 || data[0].Height != 1 || len(data[0].Float) != 32 {
		t.Errorf("key %q, record %+v", keys[1], data[0])
	}
	_, pools := readAll(t, b)
	if len(pools) != len(data) || pools[0].Channels != 16 || pools[0].Height != 4 || pools[0].Width != 4 {
		t.Errorf(
			"%d and %d records, of pool2 %dx%dx%d",
			len(data),
			len(pools),
			pools[0].Channels,
			pools[0].Height,
			pools[0].Width,
		)
	}
	if status, _, stderr := run(
		t, "features", "--model", net, "--phase", "TRAIN", "--weights", weights, "fc9", filepath.Join(dir, "c"),
	); status != 1 ||
		!strings.Contains(stderr, `has no blob "fc9"; it has `) {
		t.Errorf("an unknown blob: %s", stderr)
	}
}

// Snapshots in HDF5: written, looked at, resumed, and exported to the other form.
func TestHDF5Files(t *testing.T) {
	dir := t.TempDir()
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: \"fixed\" max_iter: 2 snapshot_format: HDF5 snapshot_prefix: %q "+
				"random_seed: 1 surgery_iter_gamma: 0",
			modeltest.Root("oracle", "solvers", "dns_seed_mini.net.prototxt"),
			filepath.Join(dir, "run"),
		),
	)
	mustRun(t, "train", "--solver", solver)
	weights := filepath.Join(dir, "run_iter_2.caffemodel.h5")
	if out := mustRun(t, "inspect", weights); !strings.Contains(out, "conv1") || !strings.Contains(out, "Convolution") {
		t.Error(out)
	}
	if out := mustRun(t, "inspect", filepath.Join(dir, "run_iter_2.solverstate.h5")); !strings.Contains(
		out,
		"solverstate at iteration 2",
	) {
		t.Error(out)
	}
	if out := mustRun(t, "export", weights, filepath.Join(dir, "out.caffemodel")); !strings.Contains(
		out,
		"masks applied and dropped",
	) ||
		strings.Contains(out, " 0 masks") {
		t.Error(out)
	}
	more := write(t, dir, "more.prototxt", strings.Replace(readText(t, solver), "max_iter: 2", "max_iter: 3", 1))
	if out := mustRun(t, "train", "--solver", more, "--resume"); !strings.Contains(out, "iteration 2 of 3") {
		t.Error(out)
	}
	if out := mustRun(
		t, "inspect", modeltest.Root("oracle", "hdf5", "sgd_inv_iter_3.caffemodel.h5"),
	); !strings.Contains(
		out,
		"16x8x5x5 16",
	) {
		t.Error(out)
	}
	if status, _, stderr := run(
		t, "train", "--solver", solver, "--weights", modeltest.Root("oracle", "hdf5", "sample_data.h5"),
	); status != 1 ||
		!strings.Contains(
			stderr, "is not a caffemodel: it has no group /data",
		) && !strings.Contains(stderr, "is not a group") {
		t.Errorf("data for weights: %s", stderr)
	}
}

func readText(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// debug_info prints what Caffe prints.
func TestDebugInfo(t *testing.T) {
	dir := t.TempDir()
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: \"fixed\" max_iter: 1 debug_info: true layer_wise_reduce: false "+
				"snapshot_prefix: %q random_seed: 1",
			modeltest.Root("oracle", "solvers", "sgd_inv.net.prototxt"),
			filepath.Join(dir, "run"),
		),
	)
	out := mustRun(t, "train", "--solver", solver, "--log", "caffe")
	for _, want := range []string{
		`\[Forward\] Layer conv1, top blob c1 data: 0\.\d+`, `\[Forward\] Layer conv1, param blob 0 data: 0\.\d+`,
		`\[Backward\] Layer ip2, bottom blob i1 diff: \S+`, `\[Backward\] Layer conv1, param blob 1 diff: \S+`,
		`\[Backward\] All net params \(data, diff\): L1 norm = \(\S+, \S+\); L2 norm = \(\S+, \S+\)`,
	} {
		if !regexp.MustCompile(`(?m)^I\d{4} .*\] +` + want + `$`).MatchString(out) {
			t.Errorf("no line %s in\n%s", want, out)
		}
	}
}

// inspect prints a net's shapes and parameters, and draw writes what a browser and graphviz read.
func TestInspectAndDrawNets(t *testing.T) {
	if out := mustRun(t, "inspect", modeltest.Root("nets", "resnet50.prototxt")); !strings.Contains(
		out,
		"1x2048x7x7",
	) ||
		!strings.Contains(out, "25,557,032 parameters") {
		t.Error(out)
	}
	if out := mustRun(
		t, "inspect", "--input", "1x28x28", "--phase", "TEST", modeltest.Root("nets", "lenet.prototxt"),
	); !strings.Contains(
		out,
		"431,080 parameters",
	) ||
		!strings.Contains(out, "Accuracy") {
		t.Error(out)
	}
	if out := mustRun(t, "inspect", modeltest.Root("nets", "lenet.prototxt")); !strings.Contains(out, "no shapes: ") ||
		!strings.Contains(out, "--input CxHxW says it") {
		t.Error(out)
	}
	dir := t.TempDir()
	svg, dot := filepath.Join(dir, "n.svg"), filepath.Join(dir, "n.dot")
	mustRun(
		t,
		"draw",
		"--input",
		"1x28x28",
		"--weights",
		modeltest.Root("models", "lenet5_sparse.caffemodel"),
		modeltest.Root("nets", "lenet.prototxt"),
		svg,
	)
	if text := readText(t, svg); !strings.HasPrefix(text, "<svg ") || !strings.Contains(text, "99.27 % pruned") {
		t.Error(text)
	}
	mustRun(t, "draw", modeltest.Root("nets", "googlenet.prototxt"), dot)
	if text := readText(t, dot); !strings.HasPrefix(text, "digraph \"GoogLeNet\" {") ||
		!strings.Contains(text, `label="inception_3a/output\nConcat"`) {
		t.Error(text)
	}
}

// --input puts random data in place of data layers that are not there, and where it is missing the error names it;
// draw draws
// without shapes.
func TestInputInPlaceOfData(t *testing.T) {
	dir := t.TempDir()
	net := write(
		t,
		dir,
		"n.prototxt",
		`layer {
  name: "photos" type: "Data" top: "data" top: "label" data_param { source: "nowhere_lmdb" batch_size: 4 }
}
layer {
  name: "c" type: "Convolution" bottom: "data" top: "c"
  convolution_param { num_output: 8 kernel_size: 3 weight_filler { type: "xavier" } }
}
layer {
  name: "fc" type: "InnerProduct" bottom: "c" top: "fc"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "fc" bottom: "label" top: "loss" }`,
	)
	prefix := filepath.Join(dir, "run")
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: 'fixed' max_iter: 5 display: 1 test_iter: 2 test_interval: 2 "+
				"snapshot_prefix: %q random_seed: 1",
			net,
			prefix,
		),
	)
	weights := prefix + "_iter_5.caffemodel"
	for _, args := range [][]string{
		{"train", "--solver", solver}, {"time", "--model", net, "--iterations", "1"},
		{"test", "--model", net, "--weights", weights, "--iterations", "2"},
	} {
		status, _, stderr := run(t, args...)
		if status != 1 || !strings.Contains(stderr, "nowhere_lmdb") ||
			!strings.Contains(stderr, "--input CxHxW[:classes] puts random data in its place") {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
		out := mustRun(t, append(args, "--input", "3x20x20:5")...)
		if !strings.Contains(out, "loss") {
			t.Errorf("%q: %s", args, out)
		}
		for _, bad := range []string{"3x20x", "3x0x2", "3x20:0", "3x20:x", "9999999x9999999"} {
			if status, _, stderr := run(t, append(args, "--input", bad)...); status != 2 ||
				!strings.Contains(stderr, "wanted") {
				t.Errorf("%q --input %s: status %d: %s", args, bad, status, stderr)
			}
		}
	}
	// The batch is the layer's own, and labels are below the classes.
	if out := mustRun(t, "train", "--solver", solver, "--input", "3x20x20:5"); strings.Contains(out, " on , ") ||
		!strings.Contains(out, "random data stands in place of the data layers") ||
		!strings.Contains(out, "_iter_5.solverstate --input 3x20x20:5\n") {
		t.Error(out)
	}
	if status, _, stderr := run(t, "test", "--model", net, "--weights", weights, "--input", "3x20x20:9"); status != 0 {
		t.Errorf("labels of a batch of 4 reach 3: status %d, %s", status, stderr)
	}
	without := write(
		t,
		dir,
		"w.prototxt",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "r" type: "ReLU" bottom: "x" top: "y" }`,
	)
	if status, _, stderr := run(t, "time", "--model", without, "--input", "3x20x20"); status != 1 ||
		!strings.Contains(stderr, "has no data layer that --input could stand in for") {
		t.Errorf("status %d: %s", status, stderr)
	}
	fork := write(
		t,
		dir,
		"f.prototxt",
		`layer { name: "in" type: "AnnotatedData" top: "x" } layer { name: "p" type: "PriorBox" bottom: "x" top: "y" }`,
	)
	if status, _, stderr := run(t, "time", "--model", fork, "--input", "3x20x20"); status != 1 ||
		!strings.Contains(stderr, `"AnnotatedData"`) ||
		!strings.Contains(stderr, `"PriorBox"`) {
		t.Errorf("a fork's data layer: status %d: %s", status, stderr)
	}
	if status, _, stderr := run(t, "train", "--solver", net); status != 1 ||
		!strings.Contains(stderr, "this is a net, not a solver") ||
		strings.Count(stderr, "\n") != 1 {
		t.Errorf("a net for a solver: status %d: %s", status, stderr)
	}
	svg := filepath.Join(dir, "n.svg")
	status, _, stderr := run(t, "draw", net, svg)
	if status != 0 || !strings.Contains(stderr, "drawn without shapes: ") ||
		!strings.Contains(readText(t, svg), "photos") ||
		!strings.Contains(readText(t, svg), "SoftmaxWithLoss") {
		t.Errorf("draw: status %d: %s", status, stderr)
	}
}

// time measures backward of a net without a loss, and in every phase, as Caffe does.
func TestTimeWithoutLoss(t *testing.T) {
	net := write(
		t,
		t.TempDir(),
		"deploy.prototxt",
		`layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 8 dim: 16 dim: 24 dim: 24 } } }
layer {
  name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 16 kernel_size: 5 weight_filler { type: "xavier" } }
}
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
layer {
  name: "fc" type: "InnerProduct" bottom: "c" top: "fc"
  inner_product_param { num_output: 9 weight_filler { type: "xavier" } }
}
layer { name: "prob" type: "Softmax" bottom: "fc" top: "prob" }`,
	)
	for _, phase := range []string{"TRAIN", "TEST"} {
		out := mustRun(t, "time", "--model", net, "--iterations", "2", "--phase", phase)
		for _, layer := range []string{"c ", "fc ", "r ", "prob "} {
			m := regexp.MustCompile(`(?m)^` + layer + ` *\w+ +\S+ ms +(\S+) ms`).FindStringSubmatch(out)
			if m == nil || m[1] == "0.000" && (layer == "c " || layer == "fc ") {
				t.Errorf("phase %s: backward of %sis not measured:\n%s", phase, layer, out)
			}
		}
	}
}

// test, features and export --model name the layers that weights do not fit, and a run too.
func TestPartialWeightsAreTold(t *testing.T) {
	dir := t.TempDir()
	solvers := modeltest.Root("oracle", "solvers")
	text, err := os.ReadFile(filepath.Join(solvers, "dns_seed_mini.net.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	net := write(
		t,
		dir,
		"net.prototxt",
		strings.ReplaceAll(strings.Replace(string(text), `name: "ip2"`, `name: "ip2_new"`, 1),
			`"mnist1280_lmdb"`, fmt.Sprintf("%q", filepath.Join(solvers, "mnist1280_lmdb"))),
	)
	weights := filepath.Join(solvers, "dns_seed_mini_init.caffemodel")
	solver := write(
		t,
		dir,
		"s.prototxt",
		fmt.Sprintf(
			"net: %q base_lr: 0.01 lr_policy: \"fixed\" max_iter: 1 snapshot_prefix: %q",
			net,
			filepath.Join(dir, "run"),
		),
	)
	for _, args := range [][]string{
		{"test", "--model", net, "--weights", weights, "--iterations", "1"},
		{"features", "--model", net, "--weights", weights, "--iterations", "1", "i1", filepath.Join(dir, "features")},
		{"train", "--solver", solver, "--weights", weights},
		{"export", "--model", net, weights, filepath.Join(dir, "out.caffemodel")},
	} {
		status, stdout, stderr := run(t, args...)
		said := stdout + stderr
		if status != 0 || !strings.Contains(said, "not used, for the net has no such layer: layer ip2") ||
			!strings.Contains(said, "no weights for layer ip2_new") {
			t.Errorf("%v: status %d, %s", args[0], status, said)
		}
		if args[0] == "test" && !strings.Contains(said, "untrained weights") {
			t.Errorf("test does not say that its figures are of untrained weights: %s", said)
		}
	}
	if status, _, stderr := run(
		t, "export", "--model", net, weights, filepath.Join(dir, "again.caffemodel"), "--nonsense",
	); status != 2 {
		t.Errorf("status %d, %s", status, stderr)
	}
}
