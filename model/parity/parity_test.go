package parity

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
)

const oracle = "../../testdata/oracle"

// Every vector of a real Caffe whose layer or solver is built agrees, on any number of threads and with either BLAS.
func TestOracle(t *testing.T) {
	for _, o := range []host.Options{{Threads: 1}, {Threads: 3}, {Threads: 2, GoBLAS: true}} {
		d := host.New(o)
		defer d.Close()
		for _, dir := range []string{"layers", "solvers"} {
			results, err := Dir(filepath.Join(oracle, dir), d, io.Discard)
			if err != nil {
				t.Fatal(err)
			}
			agree := 0
			for _, r := range results {
				switch r.Status {
				case Agrees:
					agree++
				case Disagrees:
					t.Errorf("%s: %v", d.Name(), r)
				}
			}
			if want := map[string]int{"layers": 142, "solvers": 18}[dir]; agree < want {
				t.Errorf("%s: %d cases of %s agree, wanted at least %d", d.Name(), agree, dir, want)
			}
		}
	}
}

// A case that is wrong must be found wrong: each part of a vector file is changed in turn.
func TestDisagreementIsSeen(t *testing.T) {
	d := host.New(host.Options{Threads: 1})
	defer d.Close()
	for _, part := range []string{"top/top", "bottom/data", "param/convolution/0"} {
		dir := t.TempDir()
		text, err := os.ReadFile(filepath.Join(oracle, "layers/conv_3x3.prototxt"))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "c.prototxt"), text, 0o644); err != nil {
			t.Fatal(err)
		}
		m := &caffepb.NetParameter{}
		if err := caffe.ReadBinary(filepath.Join(oracle, "layers/conv_3x3.caffemodel"), "vectors", m); err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Layer {
			if l.GetName() == part {
				if part == "top/top" {
					l.Blobs[0].Data[5] += 1e-2
				} else {
					l.Blobs[0].Diff[5] += 1e-2
				}
			}
		}
		if err := caffe.WriteBinary(filepath.Join(dir, "c.caffemodel"), m); err != nil {
			t.Fatal(err)
		}
		if r := Layer(dir, "c", d); r.Status != Disagrees || !strings.Contains(r.Where, part) {
			t.Errorf("%s changed by 1e-2: %v", part, r)
		}
	}
}
