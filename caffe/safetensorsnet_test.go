package caffe

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/x448/float16"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// readSafetensors reads a file by what its format says.
func readSafetensors(
	t *testing.T,
	path string,
) (meta map[string]string, shapes map[string][]int, values map[string][]float32) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	n := binary.LittleEndian.Uint64(data)
	header := map[string]json.RawMessage{}
	if err := json.Unmarshal(data[8:8+n], &header); err != nil || n%8 != 0 {
		t.Fatalf("a header of %d bytes: %v", n, err)
	}
	data = data[8+n:]
	shapes, values = map[string][]int{}, map[string][]float32{}
	end := 0
	for name, raw := range header {
		if name == "__metadata__" {
			if err := json.Unmarshal(raw, &meta); err != nil {
				t.Fatal(err)
			}
			continue
		}
		var e struct {
			DType   string `json:"dtype"`
			Shape   []int  `json:"shape"`
			Offsets [2]int `json:"data_offsets"`
		}
		if err := json.Unmarshal(raw, &e); err != nil {
			t.Fatal(err)
		}
		v := []float32{}
		for b := data[e.Offsets[0]:e.Offsets[1]]; len(b) > 0; {
			switch e.DType {
			case "F32":
				v, b = append(v, math.Float32frombits(binary.LittleEndian.Uint32(b))), b[4:]
			case "F16":
				v, b = append(v, float16.Frombits(binary.LittleEndian.Uint16(b)).Float32()), b[2:]
			case "BOOL":
				v, b = append(v, float32(b[0])), b[1:]
			default:
				t.Fatalf("%s is of type %s", name, e.DType)
			}
		}
		shapes[name], values[name] = e.Shape, v
		end = max(end, e.Offsets[1])
	}
	if end != len(data) {
		t.Errorf("the values take %d bytes, the file has %d", end, len(data))
	}
	return meta, shapes, values
}

func blobsOf(typ, name string, blobs ...*caffepb.BlobProto) *caffepb.LayerParameter {
	return &caffepb.LayerParameter{Name: proto.String(name), Type: proto.String(typ), Blobs: blobs}
}

func TestSafetensors(t *testing.T) {
	four := []float32{1, 0, -2, 0.1}
	n := &caffepb.NetParameter{Name: proto.String("a \"net\""), Layer: []*caffepb.LayerParameter{
		blobsOf("Convolution", "c/1", NewBlob([]int{2, 1, 1, 2}, four), NewBlob([]int{2}, []float32{3, 4})),
		blobsOf("ReLU", "r"),
		blobsOf("BatchNorm", "bn", NewBlob([]int{2}, []float32{2, 4}), NewBlob([]int{2}, []float32{6, 8}),
			NewBlob([]int{1}, []float32{2})),
		blobsOf("Bias", "b", NewBlob([]int{2}, []float32{5, 6})),
		blobsOf(
			"LSTM",
			"l",
			NewBlob([]int{1, 1}, []float32{7}),
			NewBlob([]int{1}, []float32{8}),
			NewBlob([]int{1, 1}, []float32{9}),
		),
		blobsOf("PReLU", "c/1", NewBlob(nil, []float32{0.25})),
	}}
	path := filepath.Join(t.TempDir(), "w.safetensors")
	want := map[string][]float32{
		"c/1.weight": four, "c/1.bias": {3, 4}, "bn.running_mean": {1, 2}, "bn.running_var": {3, 4}, "b.bias": {5, 6},
		"l.blob0": {7}, "l.blob1": {8}, "l.blob2": {9}, "c/1#2.weight": {0.25},
	}
	masks := Masks{n.Layer[0]: {{true, false, true, false}, {false, true}}}
	want["c/1.weight.mask"], want["c/1.bias.mask"] = []float32{1, 0, 1, 0}, []float32{0, 1}
	for _, half := range []bool{false, true} {
		if err := WriteSafetensors(path, n, half, masks); err != nil {
			t.Fatal(err)
		}
		meta, shapes, values := readSafetensors(t, path)
		if half {
			want["c/1.weight"] = []float32{1, 0, -2, 0.099975586}
		}
		if !reflect.DeepEqual(values, want) {
			t.Errorf("half %v: %v is read, wanted %v", half, values, want)
		}
		if meta["net"] != "a \"net\"" || !reflect.DeepEqual(shapes["c/1.weight"], []int{2, 1, 1, 2}) ||
			len(shapes["c/1#2.weight"]) != 0 {
			t.Errorf("half %v: %v, %v", half, meta, shapes)
		}
	}
	n.Layer = append(n.Layer, blobsOf("ReLU", "c/1.weight", NewBlob(nil, []float32{1})),
		blobsOf("Bias", "x", NewBlob([]int{3}, []float32{1})))
	if err := WriteNet(path, n); err == nil || !strings.Contains(err.Error(), `layer "x"`) {
		t.Errorf("a blob that has too few values: %v", err)
	}
}
