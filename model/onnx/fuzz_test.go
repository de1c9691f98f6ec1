package onnx

import (
	"testing"

	"dns-tui/caffe"
	"dns-tui/gpu"
	"dns-tui/model"
)

// No net that builds makes New panic.
func FuzzGraph(f *testing.F) {
	for _, e := range corpus(f) {
		if text := caffe.FormatPrototxt(e.file.Net); len(text) < 2000 {
			f.Add(text)
		}
	}
	f.Fuzz(func(t *testing.T, text string) {
		file, err := caffe.ParseNetPrototxt("n.prototxt", []byte(text))
		if err != nil {
			return
		}
		var held int64
		n, err := model.NewNet(file, model.NetOptions{Device: gpu.NewDry(&held), State: testState})
		if err != nil || held > 1<<24 {
			return
		}
		defer n.Close()
		w := weightsOf(file, n, nil)
		for _, o := range []Options{{State: testState}, {State: testState, Fold: true, Preprocess: true}} {
			if m, err := New(file, n, "w", w, o); err == nil && len(m.Outputs) == 0 {
				t.Error("a graph without outputs")
			}
		}
	})
}
