// Package modeltest loads the nets of testdata for tests and benchmarks, with random data in place of databases.
package modeltest

import (
	"path/filepath"
	"runtime"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model"
)

// Root returns a path under the repository's testdata folder.
func Root(elem ...string) string {
	_, file, _, _ := runtime.Caller(0)
	return filepath.Join(append([]string{filepath.Dir(file), "..", "..", "testdata"}, elem...)...)
}

// InputShapes are the image shapes of the nets in testdata/nets, by file name.
var InputShapes = map[string][]int64{
	"lenet": {1, 28, 28}, "lenet_dns": {1, 28, 28}, "lenet_300_100": {1, 28, 28}, "cifar10_quick": {3, 32, 32}, "cifar10_full": {3, 32, 32},
	"alexnet": {3, 227, 227}, "caffenet": {3, 227, 227}, "alexnet_bn": {3, 224, 224},
}

// ReadNet reads a net of testdata/nets with its Data layers replaced by one Input layer of the given batch.
func ReadNet(tb testing.TB, name string, batch int64) *caffe.NetFile {
	tb.Helper()
	f, err := caffe.ReadNetPrototxt(Root("nets", name+".prototxt"))
	if err != nil {
		tb.Fatal(err)
	}
	in := &caffepb.LayerParameter{Name: proto.String("data"), Type: proto.String("Input"), Top: []string{"data", "label"},
		InputParam: &caffepb.InputParameter{Shape: []*caffepb.BlobShape{{Dim: append([]int64{batch}, InputShapes[name]...)}, {Dim: []int64{batch}}}}}
	layers := []*caffepb.LayerParameter{in}
	for _, l := range f.Net.Layer {
		if l.GetType() != "Data" {
			layers = append(layers, l)
		}
	}
	text := caffe.FormatPrototxt(&caffepb.NetParameter{Name: f.Net.Name, Layer: layers})
	if f, err = caffe.ParseNetPrototxt(name+".prototxt", []byte(text)); err != nil {
		tb.Fatal(err)
	}
	return f
}

// FillInputs sets the images of a net to random numbers in [-0.5, 0.5) and the labels to 0, 1, 2, … below classes.
func FillInputs(d gpu.Device, n *model.Net, classes int) {
	data, label := n.Blob("data").Data, n.Blob("label").Data
	v := make([]float32, data.N)
	key := gpu.Key{Seed: 42}
	for i := range v {
		v[i] = key.Uniform(i) - 0.5
	}
	d.Upload(data, v)
	v = v[:label.N]
	for i := range v {
		v[i] = float32(i % classes)
	}
	d.Upload(label, v)
}

// Solver returns a solver over a net of testdata/nets on random data, with surgery where the net asks for it.
func Solver(tb testing.TB, d gpu.Device, name string, batch int64, classes int) *model.Solver {
	tb.Helper()
	run := &config.Run{SolverPath: "solver.prototxt", Train: ReadNet(tb, name, batch), Solver: &caffepb.SolverParameter{
		BaseLr: proto.Float32(0.001), Momentum: proto.Float32(0.9), WeightDecay: proto.Float32(0.0005), LrPolicy: proto.String("fixed"),
		MaxIter: proto.Int32(1 << 30), RandomSeed: proto.Int64(1)}}
	s, err := model.NewSolver(run, d)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { s.Close() })
	FillInputs(d, s.Net, classes)
	return s
}
