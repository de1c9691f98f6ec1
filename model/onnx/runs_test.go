//go:build onnx

package onnx

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/gpu"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/layer"
	"dns-tui/model/modeltest"
	"dns-tui/model/onnx/onnxpb"
	"dns-tui/model/shrink"
)

// A run is what went into a graph and what this program makes of it, for scripts/check_onnx.py.
type run struct {
	Inputs map[string]array `json:"inputs"`
	Blobs  map[string]array `json:"blobs"`
}

// array stands in the file of values.
type array struct {
	Shape  []int `json:"shape"`
	Offset int64 `json:"offset"`
}

// report is of a net.
type report struct {
	Name    string   `json:"name"`
	Nodes   int      `json:"nodes"`
	Outputs []string `json:"outputs"`
	Runs    []run    `json:"runs"`
}

// writer puts arrays into a file.
type writer struct {
	w  *bufio.Writer
	at int64
}

func (w *writer) put(shape []int, v []float32) (array, error) {
	a := array{append([]int{}, shape...), w.at}
	w.at += int64(4 * len(v))
	return a, binary.Write(w.w, binary.LittleEndian, v)
}

// TestRuns writes, for each net of the corpus that becomes a graph, the graph, random inputs and the blobs that this
// program makes of them, to ../../build/onnx: for the net's batch, and where that may be any for another. With -short
// it leaves the largest out.
func TestRuns(t *testing.T) {
	dir := filepath.Join("..", "..", "build", "onnx")
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, e := range corpus(t) {
		random := rand.New(rand.NewPCG(7, uint64(i)))
		n, err := e.build()
		if err != nil {
			continue // TestCorpus has them
		}
		if testing.Short() && n.Count() > 20e6 {
			continue
		}
		w := weightsOf(e.file, n, random)
		c := check{t, dir, e.name, e.file, n, w, random, Options{State: testState}, nil}
		c.write()
		if strings.Contains(e.name, "bn") || strings.Contains(e.name, "resnet") || strings.Contains(e.name, "fold") {
			c.name, c.options.Fold = e.name+", folded", true
			c.write()
		}
	}
	given(t, dir)
	preprocessed(t, dir)
}

// preprocessed are graphs that begin with a transform_param: raw images go into them, and what the transformer of the
// data layers makes of these into this program's net.
func preprocessed(t *testing.T, dir string) {
	const mean = `mean_file: "mnist1280_mean.binaryproto"`
	for _, c := range []struct {
		name, param string
		stored      []int // an image
		shape       []int // what is made of it
	}{
		{"crop, mean_value, scale", "crop_size: 8 mean_value: 104 mean_value: 117 mean_value: 123 scale: 0.017",
			[]int{3, 13, 10}, []int{3, 8, 8}},
		{"one mean_value", "mean_value: 128 mirror: false", []int{3, 8, 8}, []int{3, 8, 8}},
		{"crop, mean_file", "crop_size: 21 " + mean, []int{1, 28, 28}, []int{1, 21, 21}},
		{"mean_file, scale", "scale: 0.004 " + mean, []int{1, 28, 28}, []int{1, 28, 28}},
	} {
		f, err := caffe.ParseNetPrototxt(modeltest.Root("oracle", "old", "n.prototxt"), []byte(`
layer { name: "d" type: "Data" top: "data" data_param { source: "none" batch_size: 2 } transform_param { `+c.param+` } }
layer { name: "c" type: "Convolution" bottom: "data" top: "c" convolution_param { num_output: 4 kernel_size: 3 } }`))
		if err != nil {
			t.Fatal(err)
		}
		e := example{"preprocess/" + c.name, f, [][]int{c.shape}, 2}
		n, err := e.build()
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(7, 8))
		p := f.Net.Layer[0].TransformParam
		if p.MeanFile != nil {
			p.MeanFile = proto.String(modeltest.Root("oracle", "old", p.GetMeanFile()))
		}
		check{t, dir, e.name, f, n, weightsOf(f, n, random), random, Options{State: testState, Preprocess: true},
			&images{c.stored, p}}.write()
	}
}

// images are raw images.
type images struct {
	shape []int
	param *caffepb.TransformationParameter
}

// put puts random images into a net, as the transformer gives them, and returns them as they were.
func (i *images) put(n *model.Net, b *layer.Blob, random *rand.Rand) ([]int, []float32, error) {
	tr, err := dataset.NewTransformer(i.param, false)
	if err != nil {
		return nil, nil, err
	}
	var raw, made []float32
	for range b.Shape[0] {
		d := &dataset.Datum{Channels: i.shape[0], Height: i.shape[1], Width: i.shape[2]}
		for range gpu.Elements(i.shape) {
			d.Data = append(d.Data, byte(random.IntN(256)))
			raw = append(raw, float32(d.Data[len(d.Data)-1]))
		}
		shape, err := tr.Infer(d)
		if err != nil {
			return nil, nil, err
		}
		one := make([]float32, gpu.Elements(shape))
		if err := tr.Apply(d, dataset.Randoms{}, one); err != nil {
			return nil, nil, err
		}
		made = append(made, one...)
	}
	n.Device().Upload(b.Data, made)
	return append([]int{b.Shape[0]}, i.shape...), raw, nil
}

// given are nets with weights that somebody trained, and what is left of them when they are shrunk.
func given(t *testing.T, dir string) {
	for _, c := range []struct {
		net, weights string
		shrunk       bool
	}{
		{"nets/lenet", "models/lenet5_310x.dnz", true},
		{"nets/lenet", "models/lenet5_sparse.caffemodel", true},
		{"nets/lenet", "models/lenet5_dense.caffemodel", false},
		{"nets/lenet_300_100", "models/lenet300_114x.dnz", true},
		{"results/fashion.net", "models/fashion_quick_dense.caffemodel", false},
		{"oracle/solvers/sgd_itersize_bn.net", "oracle/solvers/sgd_itersize_bn_final.caffemodel", false},
	} {
		e := example{c.weights, readNet(t, modeltest.Root(c.net+".prototxt")), [][]int{{1, 28, 28}}, 2}
		n, err := e.build()
		if err != nil {
			t.Fatal(err)
		}
		w, err := caffe.ReadNet(modeltest.Root(c.weights))
		if err == nil {
			_, _, err = model.ApplyMasks(w)
		}
		if err != nil {
			t.Fatal(err)
		}
		random := rand.New(rand.NewPCG(7, 7))
		check{t, dir, c.weights, e.file, n, w, random, Options{State: testState}, nil}.write()
		if !c.shrunk {
			continue
		}
		small, err := shrink.Shrink(e.file, n, w)
		if err != nil {
			t.Fatal(err)
		}
		e.file = e.file.Replace(small.Net)
		if n, err = e.build(); err != nil {
			t.Fatal(err)
		}
		check{t, dir, c.weights + ", shrunk", e.file, n, small.Weights, random, Options{State: testState}, nil}.write()
	}
}

// check is of one net.
type check struct {
	t       *testing.T
	dir     string
	name    string
	file    *caffe.NetFile
	net     *model.Net
	weights *caffepb.NetParameter
	random  *rand.Rand
	options Options
	images  *images // that go into the graph
}

func (c check) write() {
	m, err := New(c.file, c.net, "weights", c.weights, c.options)
	if err != nil {
		return // TestCorpus has them
	}
	base := filepath.Join(c.dir, strings.NewReplacer("/", "_", " ", "_").Replace(c.name))
	most := int64(caffe.MaxMessageBytes)
	if c.name == "nets/lenet" {
		most = 1e6 // its values are in a file beside it
	}
	if _, err := m.write(base+".onnx", most); err != nil {
		c.t.Fatal(err)
	}
	f, err := os.Create(base + ".bin")
	if err != nil {
		c.t.Fatal(err)
	}
	w := &writer{w: bufio.NewWriter(f)}
	r := report{Name: c.name, Nodes: m.Nodes}
	for _, o := range m.proto.Graph.Output {
		r.Outputs = append(r.Outputs, o.GetName())
	}
	batches := 2
	if m.Fixed != "" {
		batches = 1
	}
	for larger := range batches {
		one, err := c.run(m, larger, w)
		if err != nil {
			c.t.Fatalf("%s: %v", c.name, err)
		}
		r.Runs = append(r.Runs, *one)
	}
	text, err := json.Marshal(r)
	if err == nil {
		err = os.WriteFile(base+".json", text, 0o644)
	}
	for _, end := range []func() error{w.w.Flush, f.Close} {
		if e := end(); err == nil {
			err = e
		}
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// run runs this program's net.
func (c check) run(m *Model, larger int, w *writer) (*run, error) {
	file, _ := withBatch(c.file, c.net, larger)
	if len(m.proto.Graph.Input) == 0 {
		file = c.file
	}
	d := host.New(host.Options{Threads: 2})
	defer d.Close()
	n, err := model.NewNet(withoutLosses(file, c.net, m), model.NetOptions{Device: d, State: testState})
	if err != nil {
		return nil, err
	}
	defer n.Close()
	if len(n.Params()) > 0 {
		if _, err := n.LoadWeights("weights", c.weights, model.LoadOptions{}); err != nil {
			return nil, err
		}
	}
	r := &run{Inputs: map[string]array{}, Blobs: map[string]array{}}
	for _, in := range m.proto.Graph.Input {
		if c.images != nil {
			shape, raw, err := c.images.put(n, n.Blob(in.GetName()), c.random)
			if err != nil {
				return nil, err
			}
			if r.Inputs[in.GetName()], err = w.put(shape, raw); err != nil {
				return nil, err
			}
			continue
		}
		data, shape := tensorOf(n, in.GetName())
		v := make([]float32, data.N)
		most := c.whole(in.GetName())
		for i := range v {
			if v[i] = float32(c.random.NormFloat64()); most > 0 {
				v[i] = float32(c.random.IntN(most))
			}
		}
		d.Upload(data, v)
		if r.Inputs[in.GetName()], err = w.put(shape, v); err != nil {
			return nil, err
		}
	}
	if err := n.Run(); err != nil {
		return nil, err
	}
	var made []string
	for _, nd := range m.proto.Graph.Node {
		made = append(made, nd.Output...)
	}
	for _, name := range made {
		blob := name
		if slices.ContainsFunc(
			m.proto.Graph.Output,
			func(o *onnxpb.ValueInfoProto) bool { return o.GetName() == name },
		) {
			blob, _, _ = strings.Cut(name, "@") // an input has the name that its blob had at first
		}
		if data, shape := tensorOf(n, blob); data != nil {
			v := make([]float32, data.N)
			d.Download(v, data)
			if r.Blobs[name], err = w.put(shape, v); err != nil {
				return nil, err
			}
		}
	}
	return r, nil
}

// tensorOf finds what a value of the graph is in this program's net: a blob, or a hidden state of a layer: LAYER.h0
// before a run and LAYER.h after it are the same memory, and c is the second.
func tensorOf(n *model.Net, name string) (*gpu.Tensor, []int) {
	if b := n.Blob(name); b != nil && b.Data != nil {
		return b.Data, b.Shape
	}
	for _, s := range n.States() {
		for i, t := range s.Tensors {
			if state := s.Layer + [...]string{".h", ".c"}[i]; name == state || name == state+"0" {
				shape := n.Blob(n.LayerParam(s.Layer).Bottom[0]).Shape
				return t, []int{shape[1], t.N / shape[1]}
			}
		}
	}
	return nil, nil
}

// whole is below what number the whole numbers of an input are, or 0 where it holds any.
func (c check) whole(name string) int {
	for _, l := range c.file.Net.Layer {
		for i, b := range l.Bottom {
			switch {
			case b != name:
			case l.GetType() == "Embed":
				return int(l.GetEmbedParam().GetInputDim())
			case l.GetType() == "BatchReindex" && i == 1:
				return c.net.Blob(l.Bottom[0]).Shape[0]
			case l.GetType() == "LSTMUnit" && i == 2, slices.Contains([]string{"LSTM", "RNN"}, l.GetType()) && i == 1:
				return 2
			}
		}
	}
	return 0
}

// withoutLosses puts in place of each loss over a softmax or a sigmoid that layer itself: its top has the name that
// it has in the graph.
func withoutLosses(f *caffe.NetFile, n *model.Net, m *Model) *caffe.NetFile {
	net := proto.CloneOf(f.Net)
	for _, l := range n.Layers() {
		p := net.Layer[l.Index()]
		typ := map[string]string{
			"SoftmaxWithLoss": "Softmax", "InfogainLoss": "Softmax", "SigmoidCrossEntropyLoss": "Sigmoid",
		}[l.Type]
		for _, nd := range m.proto.Graph.Node {
			if typ == "" || nd.GetName() != l.Name {
				continue
			}
			p.Type, p.Bottom, p.Top = proto.String(typ), p.Bottom[:1], nd.Output[:1]
			p.LossWeight, p.PropagateDown = nil, nil
			if l.Type == "InfogainLoss" {
				p.SoftmaxParam = &caffepb.SoftmaxParameter{Axis: proto.Int32(p.GetInfogainLossParam().GetAxis())}
			}
		}
	}
	there := map[string]bool{}
	for _, l := range n.Layers() { // what reads a loss goes with it
		p := net.Layer[l.Index()]
		if slices.ContainsFunc(p.Bottom, func(b string) bool { return !there[b] }) {
			p.Exclude = []*caffepb.NetStateRule{{Phase: caffepb.Phase_TEST.Enum()}}
			p.Include = nil
			continue
		}
		for _, t := range p.Top {
			there[t] = true
		}
	}
	return f.Replace(net)
}
