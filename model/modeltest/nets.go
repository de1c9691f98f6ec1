// Package modeltest loads the nets of testdata for tests and benchmarks, with random data in place of databases.
package modeltest

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
	"dns-tui/model/solver"
)

// Root returns a path under the repository's testdata folder, or under DNS_TUI_TESTDATA: a test that was built on one
// machine finds its data on another by it.
func Root(elem ...string) string {
	if dir := os.Getenv("DNS_TUI_TESTDATA"); dir != "" {
		return filepath.Join(append([]string{dir}, elem...)...)
	}
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", "..", "testdata"}, elem...)...)
}

// Example is a net of testdata/nets.
type Example struct {
	Name    string
	Image   []int // of an image; nil: as the net crops
	Classes int
	Params  int // published, or where nobody did, by its layers' formulas; masks and statistics are not counted
}

// Examples are all nets of testdata/nets.
var Examples = []Example{
	{"lenet", []int{1, 28, 28}, 10, 431080},
	{"lenet_dns", []int{1, 28, 28}, 10, 431080},
	{"lenet_300_100", []int{1, 28, 28}, 10, 266610},
	{"cifar10_quick", []int{3, 32, 32}, 10, 145578},
	{"cifar10_full", []int{3, 32, 32}, 10, 89578},
	{"alexnet", nil, 1000, 60965224},
	{"caffenet", nil, 1000, 60965224},
	{"alexnet_bn", nil, 1000, 62378344 + 2*9568}, // AlexNet without groups, and seven Scale layers
	{"googlenet", nil, 1000, 13378280},           // with the auxiliary classifiers; 6,998,552 without
	{"vgg16", nil, 1000, 138357544},
	{"squeezenet_1.1", nil, 1000, 1235496},
	{"resnet50", nil, 1000, 25557032},
	{"mobilenet", nil, 1000, 4231976},
	{"lstm", nil, 1000, 1000*64 + 4*128*(64+128+1) + 129*1000},
	{"autoencoder", []int{1, 28, 28}, 0, 2837314},
	{"siamese", []int{2, 28, 28}, 2, 431080 + 2*10 + 2}, // one LeNet and its two features
}

// Find returns an example by its name.
func Find(tb testing.TB, name string) Example {
	tb.Helper()
	for _, e := range Examples {
		if e.Name == name {
			return e
		}
	}
	tb.Fatalf("no example net %q", name)
	return Example{}
}

// ReadNet reads a net of testdata/nets with Input layers of the given batch for its data layers.
func ReadNet(tb testing.TB, name string, batch int) *caffe.NetFile {
	tb.Helper()
	f, err := caffe.ReadNetPrototxt(Root("nets", name+".prototxt"))
	if err != nil {
		tb.Fatal(err)
	}
	var shapes [][]int
	if e := Find(tb, name); e.Image != nil {
		shapes = [][]int{e.Image}
	}
	if name == "lstm" {
		shapes = [][]int{{5, batch}, {5, batch}, {5, batch}}
	}
	if f, err = model.WithInputs(f, batch, shapes...); err != nil {
		tb.Fatal(err)
	}
	return f
}

// FillInputs sets the images of a net to random numbers in [-0.5, 0.5), and labels and words to 0, 1, 2, … below
// classes.
func FillInputs(d *gpu.Device, n *model.Net, classes int) {
	for stream, name := range []string{"data", "pair_data", "label", "sim", "words", "cont"} {
		if !isInput(n, name) {
			continue
		}
		b := n.Blob(name)
		v := make([]float32, b.Data.N)
		key := gpu.Key{Seed: 42, Stream: uint32(stream)}
		for i := range v {
			switch name {
			case "data", "pair_data":
				v[i] = key.Uniform(i) - 0.5
			case "cont":
				v[i] = float32(min(1, i/b.Shape[1]))
			default:
				v[i] = float32(i % max(1, classes))
			}
		}
		d.Upload(b.Data, v)
	}
}

// isInput reports whether a layer without bottoms makes a blob: the two of a siamese net are cut from its data.
func isInput(n *model.Net, blob string) bool {
	return slices.ContainsFunc(n.File().Net.Layer, func(l *caffepb.LayerParameter) bool {
		return len(l.Bottom) == 0 && slices.Contains(l.Top, blob)
	})
}

// Solver returns a solver over a net of testdata/nets on random data, with surgery where the net asks for it. edit may
// change the run before.
func Solver(tb testing.TB, d *gpu.Device, name string, batch, classes int, edit ...func(*config.Run)) *solver.Solver {
	tb.Helper()
	run := &config.Run{SolverPath: "solver.prototxt", Train: ReadNet(tb, name, batch), Solver: &caffepb.SolverParameter{
		BaseLr: proto.Float32(0.001), Momentum: proto.Float32(0.9), WeightDecay: proto.Float32(0.0005),
		LrPolicy: proto.String("fixed"), MaxIter: proto.Int32(1 << 30), RandomSeed: proto.Int64(1)}}
	for _, f := range edit {
		f(run)
	}
	s, err := solver.New(run, d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	FillInputs(d, s.Net, classes)
	return s
}
