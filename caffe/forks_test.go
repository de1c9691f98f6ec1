package caffe

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// A binary net of a fork has its settings under the numbers that the fork gave them.
func TestForksNumbers(t *testing.T) {
	dir := t.TempDir()
	dns := &caffepb.DNSConvolutionParameter{CRate: proto.Float32(-0.7), IterStop: proto.Float32(450000)}
	raw, err := proto.Marshal(dns)
	if err != nil {
		t.Fatal(err)
	}
	swish := &caffepb.SwishParameter{}
	if err := proto.Unmarshal(raw, swish); err != nil {
		t.Fatal(err)
	}
	clip := &caffepb.ClipParameter{}
	ip := &caffepb.DNSInnerProductParameter{CRate: proto.Float32(2)}
	if raw, err = proto.Marshal(ip); err != nil {
		t.Fatal(err)
	}
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(raw, clip); err != nil {
		t.Fatal(err)
	}
	in := &caffepb.InputParameter{}
	if raw, err = proto.Marshal(&caffepb.InterpParameter{Height: proto.Int32(33), Width: proto.Int32(65)}); err != nil {
		t.Fatal(err)
	}
	if err := proto.Unmarshal(raw, in); err != nil {
		t.Fatal(err)
	}
	half := &caffepb.BlobProto{
		Shape:       &caffepb.BlobShape{Dim: []int64{2}},
		RawDataType: caffepb.RawType_FLOAT16.Enum(),
		RawData:     []byte{0x00, 0x3c, 0x00, 0xc0},
	}
	n := &caffepb.NetParameter{Layer: []*caffepb.LayerParameter{
		{
			Name:       proto.String("a"),
			Type:       proto.String("DNSConvolution"),
			SwishParam: swish,
			Blobs:      []*caffepb.BlobProto{half},
		},
		{Name: proto.String("b"), Type: proto.String("DNSInnerProduct"), ClipParam: clip},
		{Name: proto.String("c"), Type: proto.String("Interp"), InputParam: in},
	}}
	raw, err = proto.MarshalOptions{AllowPartial: true}.Marshal(n)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	path := write("m.caffemodel", raw)
	got, err := ReadNet(path)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := got.Layer[0], got.Layer[1], got.Layer[2]
	if a.GetType() != "CConvolution" || a.CconvolutionParam.GetCRate() != -0.7 ||
		a.CconvolutionParam.GetIterStop() != 450000 ||
		a.CconvolutionParam.GetGamma() != 0.001 ||
		a.SwishParam != nil {
		t.Errorf("DNSConvolution: %v", a)
	}
	if b.GetType() != "CInnerProduct" || b.CinnerProductParam.GetCRate() != 2 ||
		b.CinnerProductParam.GetIterStop() != 1000000 ||
		b.ClipParam != nil {
		t.Errorf("DNSInnerProduct: %v", b)
	}
	if c.InterpParam.GetHeight() != 33 || c.InterpParam.GetWidth() != 65 || c.InputParam != nil {
		t.Errorf("Interp: %v", c)
	}
	if v := Values(a.Blobs[0]); !slices.Equal(v, []float32{1, -2}) {
		t.Errorf("raw_data: %v", v)
	}
	for _, bad := range []*caffepb.BlobProto{
		{RawData: []byte{1, 2, 3}, RawDataType: caffepb.RawType_FLOAT16.Enum()},
		{RawData: []byte{1, 2, 3, 4}, RawDataType: caffepb.RawType_INT.Enum()},
	} {
		n.Layer = []*caffepb.LayerParameter{
			{Name: proto.String("a"), Type: proto.String("ReLU"), Blobs: []*caffepb.BlobProto{bad}},
		}
		raw, _ = proto.Marshal(n)
		if _, err := ReadNet(write("bad.caffemodel", raw)); err == nil ||
			!strings.Contains(err.Error(), "raw_data") {
			t.Errorf("%v: %v", bad, err)
		}
	}
}
