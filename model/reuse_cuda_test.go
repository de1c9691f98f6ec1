//go:build cuda

package model_test

import (
	"testing"

	"golang.org/x/tools/txtar"

	"dns-tui/caffe"
	"dns-tui/gpu/cuda"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// A GPU, which does some layers' operations with those of the layer before, and replays its queues as graphs, comes to
// the same bits with memory shared.
func TestReuseCUDA(t *testing.T) {
	d := modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.FP32})
	archive, err := txtar.ParseFile("layer/testdata/gradients.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range archive.Files {
		t.Run(c.Name, func(t *testing.T) {
			f, err := caffe.ParseNetPrototxt(c.Name, c.Data)
			if err != nil {
				t.Fatal(err)
			}
			f = f.Replace(between(f.Net))
			want := runs(t, d, f, model.NetOptions{Backward: true}, 4, plainly)
			o := model.NetOptions{Backward: true, Reuse: true}
			if err := want.differ(runs(t, d, f, o, 4, plainly)); err != nil {
				t.Error(err)
			}
		})
	}
	for _, name := range []string{"lenet_dns", "cifar10_full"} {
		t.Run(name, func(t *testing.T) {
			f, classes := modeltest.ReadNet(t, name, 2), modeltest.Find(t, name).Classes
			run := func(n *model.Net) error {
				modeltest.FillInputs(d, n, classes)
				return plainly(n)
			}
			want := runs(t, d, f, model.NetOptions{}, 3, run)
			if err := want.differ(runs(t, d, f, model.NetOptions{Reuse: true}, 3, run)); err != nil {
				t.Error(err)
			}
		})
	}
}
