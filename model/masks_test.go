package model_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu/host"
	"dns-tui/model"
	"dns-tui/model/modeltest"
)

// Whatever its layer is called and whatever its masks hold, counting, export and a net agree on what a file computes:
// W∘T.
func TestMasksAgree(t *testing.T) {
	w, bias := []float32{1, 2, 3, 4, 5, 6}, []float32{7, 8}
	for _, c := range []struct {
		typ       string
		mask      []float32
		bias      []float32 // its mask, or nil
		kept, odd int
	}{
		{"InnerProduct", []float32{1, 0, 1, 0, 0, 1}, nil, 3, 0},
		{"InnerProduct", []float32{0.97, 1e-4, 0.97, 2e-4, 0, 0.97}, nil, 3, 1},
		{"InnerProduct", []float32{0.3, 1e-4, 0.2, 2e-4, 0, 0.3}, nil, 3, 1},
		{"CInnerProduct", []float32{1, 0, 1, 0, 0, 1}, []float32{0, 1}, 3, 0},
		{"DNSInnerProduct", []float32{1, 0, 1, 0, 0, 1}, []float32{0, 1}, 3, 0},
		{"MaskedInnerProduct", []float32{1, 0, 1, 0, 0, 1}, nil, 3, 0},
		{"MaskedInnerProduct", []float32{0.97, 1e-4, 0.97, 2e-4, 0, 0.97}, []float32{0, 1}, 3, 1},
		{"", []float32{0.97, 1e-4, 0.97, 2e-4, 0, 0.97}, []float32{0, 1}, 3, 1},
	} {
		name := fmt.Sprint(c.typ, c.mask)
		file := func() *caffepb.NetParameter {
			l := &caffepb.LayerParameter{
				Name: proto.String("l"),
				Type: proto.String(c.typ),
				Blobs: []*caffepb.BlobProto{
					caffe.NewBlob(
						[]int{2, 3},
						slices.Clone(w),
					), caffe.NewBlob([]int{2}, slices.Clone(bias)), caffe.NewBlob([]int{2, 3}, slices.Clone(c.mask))},
			}
			if c.bias != nil {
				l.Blobs = append(l.Blobs, caffe.NewBlob([]int{2}, slices.Clone(c.bias)))
			}
			return &caffepb.NetParameter{Layer: []*caffepb.LayerParameter{l}}
		}
		counts, err := model.CountWeights(file())
		if err != nil || counts[0].WeightsKept != c.kept || counts[0].Weights != 6 || counts[0].OddMasks != c.odd {
			t.Errorf("%s: counted %+v (%v), wanted %d of 6 kept", name, counts, err, c.kept)
		}
		exported := file()
		masks, odd, err := model.ApplyMasks(exported)
		if want := 1 + len(c.bias)/2; err != nil || masks != want || len(odd) != c.odd ||
			len(exported.Layer[0].Blobs) != 2 {
			t.Errorf("%s: export applies %d masks, %q odd (%v), wanted %d", name, masks, odd, err, want)
		}
		output := func(f *caffepb.NetParameter) ([]float32, *model.Loaded) {
			n, err := build(t, `layer { name: "in" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "l" type: "InnerProduct" bottom: "x" top: "y" inner_product_param { num_output: 2 } }`,
				caffepb.Phase_TEST)
			if err != nil {
				t.Fatal(err)
			}
			l, err := n.LoadWeights("f", f, model.LoadOptions{})
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			d := host.New(host.Options{Threads: 1})
			defer d.Close()
			d.Upload(n.Blob("x").Data, []float32{1, 10, 100})
			if _, err := n.Forward(); err != nil {
				t.Fatal(err)
			}
			return modeltest.Values(d, n.Blob("y").Data), l
		}
		a, l := output(file())
		b, _ := output(exported)
		if !slices.Equal(a, b) {
			t.Errorf("%s: the file gives %v, what is exported %v", name, a, b)
		}
		if len(l.Notices) != c.odd {
			t.Errorf("%s: notices %q", name, l.Notices)
		}
		for o := range 2 { // what the reference program computes, to a thousandth
			want := float64(bias[o])
			if c.bias != nil {
				want *= float64(c.bias[o])
			}
			for i, x := range []float64{1, 10, 100} {
				want += float64(w[3*o+i]*c.mask[3*o+i]) * x
			}
			if e := float64(a[o]) - want; e*e > 0.02*0.02 {
				t.Errorf("%s: output %d is %g, W∘T gives %g", name, o, a[o], want)
			}
		}
	}
}

// Running statistics are no parameters.
func TestStatisticsAreNotCounted(t *testing.T) {
	for _, typ := range []string{"BatchNorm", ""} {
		counts, err := model.CountWeights(
			&caffepb.NetParameter{
				Layer: []*caffepb.LayerParameter{
					{Name: proto.String("bn"), Type: proto.String(typ), Blobs: []*caffepb.BlobProto{
						caffe.NewBlob(
							[]int{3},
							[]float32{1, 2, 3},
						), caffe.NewBlob([]int{3}, []float32{1, 2, 3}), caffe.NewBlob([]int{1}, []float32{1})}},
				},
			},
		)
		if err != nil || counts[0].Total != 0 || !counts[0].Statistics || len(counts[0].Shapes) != 3 {
			t.Errorf("type %q: %+v, %v", typ, counts, err)
		}
	}
}

// ExportBytes is the size of the file that export writes.
func TestExportBytes(t *testing.T) {
	for _, name := range []string{"lenet", "lenet_dns", "autoencoder"} {
		d := host.New(host.Options{Threads: 1})
		defer d.Close()
		s := modeltest.Solver(t, d, name, 2, 10)
		path := filepath.Join(t.TempDir(), "w.caffemodel")
		if err := caffe.WriteNet(path, s.Net.Weights()); err != nil {
			t.Fatal(err)
		}
		n, err := caffe.ReadNet(path)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := model.ApplyMasks(n); err != nil {
			t.Fatal(err)
		}
		if err := caffe.WriteNet(path, n); err != nil {
			t.Fatal(err)
		}
		st, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if have := s.Net.ExportBytes(); have != st.Size() {
			t.Errorf("%s: %d bytes, the file has %d", name, have, st.Size())
		}
	}
}
