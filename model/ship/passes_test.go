package ship

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/config"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// Passes of a net with two weights are timed, for about as long as is asked, and end where that is asked.
func TestPasses(t *testing.T) {
	f, err := caffe.ReadNetPrototxt(modeltest.Root("nets", "lenet.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	path := modeltest.Root("models", "lenet5_310x.dnz")
	w, err := caffe.ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	o := model.NetOptions{
		State: &caffepb.NetState{Phase: caffepb.Phase_TEST.Enum()}, Seed: 1,
		Inputs: &config.Inputs{Shapes: [][]int{{1, 28, 28}}, Classes: 1},
	}
	p, err := NewPasses(f, o, path, w, w)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, c := range []struct {
		d           time.Duration
		least, most int
	}{{0, leastPasses, leastPasses}, {time.Hour, mostPasses, mostPasses}} {
		times, n, err := p.TimeFor(c.d, func() bool { return false })
		if err != nil || n < c.least || n > c.most || len(times) != 2 || p.Batch() != 1 {
			t.Fatalf("%d passes of %d images, %d times, %v", n, p.Batch(), len(times), err)
		}
		for _, x := range times {
			if x.Dense <= 0 || x.Pass <= 0 {
				t.Errorf("%+v", x)
			}
		}
	}
	if _, _, err := p.TimeFor(time.Hour, func() bool { return true }); !errors.Is(err, model.ErrStopped) {
		t.Errorf("%v; wanted that it stopped", err)
	}
	if _, err := NewPasses(f, o, path, &caffepb.NetParameter{}); err == nil {
		t.Error("weights of no layer are taken")
	}
}

// A net that writes a file is not run.
func TestPassesWriteNothing(t *testing.T) {
	const net = `layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 } } }
layer { name: "y" type: "Input" top: "y" input_param { shape { dim: 2 } } }
layer { name: "o" type: "HDF5Output" bottom: "x" bottom: "y" hdf5_output_param { file_name: "OUT" } }`
	out := filepath.Join(t.TempDir(), "out.h5")
	f, err := caffe.ParseNetPrototxt("net.prototxt", []byte(strings.Replace(net, "OUT", out, 1)))
	if err != nil {
		t.Fatal(err)
	}
	_, err = NewPasses(f, model.NetOptions{State: &caffepb.NetState{}}, "w", &caffepb.NetParameter{})
	if err == nil || !strings.Contains(err.Error(), "net.prototxt:3") || caffe.Exists(out) {
		t.Errorf("%v", err)
	}
}
