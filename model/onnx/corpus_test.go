package onnx

import (
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/tools/txtar"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// example is a net to make a graph of.
type example struct {
	name   string
	file   *caffe.NetFile
	shapes [][]int // of its data, where that is not there
	batch  int
}

var testState = &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}

// corpus are all nets of the repository: those of testdata, and those that test layers.
func corpus(t testing.TB) []example {
	t.Helper()
	var out []example
	for _, e := range modeltest.Examples {
		var shapes [][]int
		switch {
		case e.Name == "lstm":
			shapes = [][]int{{5, 2}, {5, 2}, {5, 2}}
		case e.Image != nil:
			shapes = [][]int{e.Image}
		}
		out = append(out, example{"nets/" + e.Name, readNet(t, modeltest.Root("nets", e.Name+".prototxt")), shapes, 2})
	}
	for _, dir := range []string{"results", "oracle/solvers", "oracle/layers", "oracle/old", "cases/*"} {
		paths, err := filepath.Glob(modeltest.Root(dir, "*.prototxt"))
		if err != nil || len(paths) == 0 {
			t.Fatalf("%s: %v: no nets", dir, err)
		}
		for _, path := range paths {
			name := strings.TrimSuffix(filepath.Base(path), ".prototxt")
			if strings.HasSuffix(name, "solver") {
				continue
			}
			rel, err := filepath.Rel(modeltest.Root(), path)
			if err != nil {
				t.Fatal(err)
			}
			shape, batch := []int{1, 28, 28}, 2
			switch name {
			case "lstm.net":
				batch = 28 // it has the batch in a shape
			case "v0", "v0_upgraded_by_caffe":
				shape = []int{4, 227, 227}
			}
			e := example{strings.TrimSuffix(rel, ".prototxt"), readNet(t, path), [][]int{shape}, batch}
			out = append(out, e)
		}
	}
	for _, path := range []string{"../layer/testdata/gradients.txtar", "testdata/odd.txtar"} {
		archive, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		kind := strings.TrimSuffix(filepath.Base(path), ".txtar")
		for _, c := range archive.Files {
			f, err := caffe.ParseNetPrototxt(c.Name, c.Data)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, example{kind + "/" + c.Name, f, nil, 2})
		}
	}
	return out
}

func readNet(t testing.TB, path string) *caffe.NetFile {
	t.Helper()
	f, err := caffe.ReadNetPrototxt(path)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// build builds an example's net without its data.
func (e *example) build() (*model.Net, error) {
	f, err := model.WithInputs(e.file, e.batch, e.shapes...)
	if err != nil {
		return nil, err
	}
	return model.NewNet(f, model.NetOptions{Device: gpu.NewDry(nil), State: testState})
}

// weightsOf are weights for a net: zeros, or random numbers that keep what passes through at about its size.
func weightsOf(f *caffe.NetFile, n *model.Net, random *rand.Rand) *caffepb.NetParameter {
	out := &caffepb.NetParameter{}
	for _, l := range n.Layers() {
		w := &caffepb.LayerParameter{Name: f.Net.Layer[l.Index()].Name, Type: proto.String(l.Type)}
		for i, shape := range l.Params {
			v := make([]float32, gpu.Elements(shape))
			if random != nil {
				fill(l.Type, i, shape, v, random)
			}
			w.Blobs = append(w.Blobs, caffe.NewBlob(shape, v))
		}
		out.Layer = append(out.Layer, w)
	}
	return out
}

func fill(typ string, i int, shape []int, v []float32, random *rand.Rand) {
	scale := 0.3
	switch {
	case typ == "BatchNorm" && i == 1, typ == "Scale" && i == 0:
		for k := range v {
			v[k] = float32(0.5 + random.Float64())
		}
		return
	case typ == "BatchNorm" && i == 2:
		v[0] = 2
		return
	case typ == "Embed" && i == 0 || typ == "Parameter":
		scale = 1
	case len(shape) > 1:
		scale = math.Sqrt(2 / float64(len(v)/shape[0]))
	}
	const drawn = 1<<16 + 1 // of more the first are taken again: a hundred million take long
	for k := range v {
		if k < drawn {
			v[k] = float32(scale * random.NormFloat64())
		} else {
			v[k] = v[k-drawn]
		}
	}
}
