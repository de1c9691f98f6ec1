package model_test

import (
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
)

// The nets that people bring build, have the published number of parameters, and train a step, with batches as small as
// batch normalisation allows.
func TestNetsTrain(t *testing.T) {
	for _, e := range modeltest.Examples {
		t.Run(e.Name, func(t *testing.T) {
			if testing.Short() && e.Params > 20e6 {
				t.Skip("large")
			}
			d := host.New(host.Options{})
			defer d.Close()
			s := modeltest.Solver(t, d, e.Name, 2, e.Classes)
			if n := s.Net.Count(); n != e.Params {
				t.Errorf("%d parameters, wanted %d", n, e.Params)
			}
			for step := range 2 {
				if e.Name == "vgg16" && step > 0 {
					break // its weights are half of all that this test moves
				}
				loss, err := s.Step()
				if err != nil {
					t.Fatal(err)
				}
				if !(loss > 0.01 && loss < 1000) {
					t.Errorf("the loss of step %d is %g", step, loss)
				}
			}
		})
	}
}

// Every net of testdata/nets is one of the examples.
func TestExamplesAreAll(t *testing.T) {
	files, err := filepath.Glob(modeltest.Root("nets", "*.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		modeltest.Find(t, strings.TrimSuffix(filepath.Base(f), ".prototxt"))
	}
	if len(files) != len(modeltest.Examples) {
		t.Errorf("%d files for %d examples", len(files), len(modeltest.Examples))
	}
}
