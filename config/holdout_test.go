package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// holdOutRun is a run of nets in files of the test's own.
func holdOutRun(t *testing.T, solver string, nets map[string]string) *Run {
	t.Helper()
	dir := t.TempDir()
	db, err := filepath.Abs("../testdata/oracle/solvers/mnist1280_lmdb")
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, text string) {
		text = strings.ReplaceAll(text, "SOURCE", db)
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range nets {
		put(name, text)
	}
	put("list.txt", strings.Repeat("a.png 0\n", 50))
	put("solver.prototxt", solver+` base_lr: 0.1 lr_policy: "fixed" max_iter: 5`)
	run, err := LoadSolver(filepath.Join(dir, "solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// dataLayers are the layers of a net that read images, in a line each.
func dataLayers(n *caffepb.NetParameter) string {
	var out []string
	for _, l := range n.Layer {
		if readsImages(l) {
			l = proto.CloneOf(l)
			shorten(l)
			text, _ := prototext.MarshalOptions{}.Marshal(l)
			out = append(out, strings.Join(strings.Fields(string(text)), " "))
		}
	}
	return strings.Join(out, "\n")
}

// shorten shortens a source, and leaves the records.
func shorten(l *caffepb.LayerParameter) {
	if l.DataParam != nil {
		l.DataParam.Source = proto.String(filepath.Base(l.DataParam.GetSource()))
	}
	if l.ImageDataParam != nil {
		l.ImageDataParam.Source = proto.String(filepath.Base(l.ImageDataParam.GetSource()))
	}
}

const (
	trainData = `layer { name: "d" type: "Data" top: "x" include { phase: TRAIN }
		transform_param { mirror: true } data_param { source: "SOURCE" batch_size: 64 backend: LMDB } }`
	testData = `layer { name: "d" type: "Data" top: "x" include { phase: TEST }
		transform_param { scale: 0.5 } data_param { source: "elsewhere" batch_size: 100 } }`
	rest = `layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }`
)

func TestHoldOut(t *testing.T) {
	for _, c := range []struct {
		name, solver string
		nets         map[string]string
		part         float64
		source       string
		train, test  []string // what their data layers say
		iters        int32
		fault        string
	}{
		{
			name: "one file", solver: `net: "n" test_iter: 7 test_interval: 2`,
			nets: map[string]string{"n": trainData + testData + rest}, part: 0.1,
			train: []string{"records:{to:0.9}", "phase:TRAIN", "phase:TEST"},
			test:  []string{"records:{from:0.9 to:1}", "scale:0.5", "batch_size:100", "mnist1280_lmdb"},
			iters: 1,
		},
		{
			name: "two files", solver: `train_net: "n" test_net: "m" test_iter: 7 test_interval: 2`,
			nets: map[string]string{"n": trainData + rest, "m": testData + rest}, part: 0.25,
			train: []string{"records:{to:0.75}"}, test: []string{"records:{from:0.75 to:1}", "batch_size:100"},
			iters: 3,
		},
		{
			name: "no test net, and a part of its own", solver: `net: "n"`,
			nets: map[string]string{
				"n": strings.Replace(trainData, "backend", "records { from: 0.5 } backend", 1) + rest,
			},
			part: 0.5, train: []string{"records:{from:0.5 to:0.75}"},
			test: []string{"records:{from:0.75 to:1}", "batch_size:64"}, iters: 5,
		},
		{
			name: "images that are named", solver: `net: "n"`, nets: map[string]string{"n": trainData + rest},
			source: "SOURCE", train: []string{"batch_size:64"}, test: []string{"batch_size:64"}, iters: 20,
		},
		{
			name: "a list of pictures", solver: `net: "n"`, part: 0.1,
			nets: map[string]string{"n": `layer { name: "d" type: "ImageData" top: "x" top: "l"
				image_data_param { source: "list.txt" batch_size: 20 } }` + rest},
			train: []string{"records:{to:0.9}"}, test: []string{"records:{from:0.9 to:1}", "batch_size:5"}, iters: 1,
		},
		{
			name: "nothing to hold out", solver: `net: "n"`, part: 0.1, nets: map[string]string{
				"n": `layer { name: "d" type: "Input" top: "x" input_param { shape { dim: 1 dim: 4 } } }` + rest},
			fault: "0 Data and ImageData layers of the train net; wanted one",
		},
		{
			name: "all of them", solver: `net: "n"`, part: 1, nets: map[string]string{"n": trainData + rest},
			fault: "1 of the training images held out; wanted a part between 0 and 1",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			run := holdOutRun(t, c.solver, c.nets)
			source := c.source
			if source != "" {
				source = run.Train.Net.Layer[0].GetDataParam().GetSource()
			}
			before := dataLayers(run.Train.Net)
			was := run.Train.Net
			h, err := run.HoldOut(c.part, source)
			if c.fault != "" {
				if err == nil || !strings.Contains(err.Error(), c.fault) {
					t.Errorf("the error is %v; wanted %q", err, c.fault)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if dataLayers(was) != before {
				t.Error("the net that was read has changed")
			}
			for _, w := range []struct {
				net  string
				has  string
				want []string
			}{{"train", dataLayers(run.Train.Net), c.train}, {"test", dataLayers(run.Tests[0].Net), c.test}} {
				flat := strings.ReplaceAll(w.has, ": ", ":")
				for _, part := range w.want {
					if !strings.Contains(flat, part) {
						t.Errorf("the %s net reads %s; wanted %s", w.net, flat, part)
					}
				}
			}
			if got := dataLayers(run.Tests[0].Net); strings.Contains(got, "elsewhere") ||
				strings.Contains(got, "mirror") &&
					strings.Contains(fmt.Sprint(c.test), "scale") {
				t.Errorf("the test net reads %s", got)
			}
			if got := run.Solver.TestIter; len(got) != 1 || got[0] != c.iters {
				t.Errorf("test_iter is %v; wanted %d", got, c.iters)
			}
			if h.Images < 1 || !strings.Contains(h.String(), "held out") {
				t.Errorf("it says %q", h)
			}
		})
	}
}
