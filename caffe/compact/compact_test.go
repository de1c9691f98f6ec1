package compact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// written returns a file's bytes, of which there are as many as were planned.
func written(t testing.TB, f *File) []byte {
	t.Helper()
	p, err := NewPlan(f)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != p.Bytes {
		t.Errorf("%d bytes were written, %d planned", b.Len(), p.Bytes)
	}
	return b.Bytes()
}

// same reports whether two files are equal, values by their bits.
func same(a, b *File) bool {
	bits := func(f *File) *File {
		out := &File{Net: f.Net, Labels: append([]string{}, f.Labels...)}
		for _, l := range f.Layers {
			n := Layer{Name: l.Name, Type: l.Type}
			for _, b := range l.Blobs {
				c := Blob{
					Shape:      append([]int{}, b.Shape...),
					Legacy:     b.Legacy,
					Absent:     b.Absent,
					SharedWith: b.SharedWith,
				}
				for _, v := range b.Values {
					c.Values = append(c.Values, math.Float32frombits(math.Float32bits(v)))
				}
				n.Blobs = append(n.Blobs, c)
			}
			out.Layers = append(out.Layers, n)
		}
		return out
	}
	x, y := bits(a), bits(b)
	for i := range x.Layers {
		for k := range x.Layers[i].Blobs {
			if len(y.Layers) != len(x.Layers) || len(y.Layers[i].Blobs) != len(x.Layers[i].Blobs) {
				return false
			}
			v, w := x.Layers[i].Blobs[k].Values, y.Layers[i].Blobs[k].Values
			if len(v) != len(w) {
				return false
			}
			for j := range v {
				if math.Float32bits(v[j]) != math.Float32bits(w[j]) {
					return false
				}
			}
			x.Layers[i].Blobs[k].Values, y.Layers[i].Blobs[k].Values = nil, nil
		}
	}
	return reflect.DeepEqual(x, y)
}

// netWith is a file of one blob.
func netWith(values ...float32) *File {
	return &File{Net: "n", Layers: []Layer{
		{Name: "a", Type: "InnerProduct", Blobs: []Blob{{Shape: []int{1, len(values)}, Values: values}}},
	}}
}

// pruned returns n random values, of which about the fraction kept is not 0.
func pruned(n int, kept float64) []float32 {
	r := rand.New(rand.NewPCG(1, uint64(n)))
	v := make([]float32, n)
	for i := range v {
		if r.Float64() < kept {
			v[i] = float32(r.NormFloat64()) * 0.05
		}
	}
	return v
}

func TestForms(t *testing.T) {
	few := pruned(3000, 0.5)
	for i, v := range few {
		few[i] = float32(math.Round(float64(v)*40)) / 3
	}
	halves := pruned(3000, 1)
	if err := RoundHalf(halves); err != nil {
		t.Fatal(err)
	}
	nan := math.Float32frombits(0xffc12345)
	for _, c := range []struct {
		name   string
		values []float32
		p      Positions
		n      Numbers
		bytes  int64 // 0: any
	}{
		{"nothing", nil, Gaps, Float32, 0},
		{"zeros", make([]float32, 100000), Gaps, Float32, 0},
		{"one", []float32{1.5}, Dense, Float16, 4},
		{"ones", slicesOf(1, 5000), Dense, Codebook, 7},
		{"normal", pruned(3000, 1), Dense, Float32, 0},
		{"half of them", pruned(3000, 0.5), Bitmap, Float32, 0},
		{"few", pruned(30000, 0.01), Gaps, Float32, 0},
		{"few colors", few, Bitmap, Codebook, 0},
		{"float16", halves, Dense, Float16, 0},
		{"what is no number", []float32{nan, float32(math.Inf(1)), 0, float32(math.Copysign(0, -1)), 1e-45, -1e-45},
			Bitmap, Codebook, 0},
		{"the last", append(make([]float32, 99999), 0.1), Gaps, Float32, 0},
	} {
		f := netWith(c.values...)
		data := written(t, f)
		got, info, err := Read(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if !same(f, got) {
			t.Errorf("%s: %v was written, %v is read", c.name, c.values, got.Layers[0].Blobs[0].Values)
		}
		form := info.Layers[0].Forms[0]
		if len(c.values) > 0 && (form.Positions != c.p || form.Numbers != c.n) || info.Bytes != int64(len(data)) {
			t.Errorf("%s: %+v of %d bytes; wanted %v, %v", c.name, form, len(data), c.p, c.n)
		}
		if c.bytes > 0 && form.Bytes != c.bytes {
			t.Errorf("%s: %d bytes, wanted %d", c.name, form.Bytes, c.bytes)
		}
	}
}

func slicesOf(v float32, n int) []float32 {
	out := make([]float32, n)
	for i := range out {
		out[i] = v
	}
	return out
}

// drawBlob draws a blob of any bits: few values or many, of float16 or not, pruned or not.
func drawBlob(t *rapid.T) Blob {
	n := rapid.IntRange(0, 400).Draw(t, "n")
	kept := rapid.SampledFrom([]int{0, 1, 10, 50, 90, 100}).Draw(t, "kept")
	kind := rapid.IntRange(0, 3).Draw(t, "kind")
	b := Blob{Shape: []int{n}, Values: make([]float32, n)}
	for i := range b.Values {
		if rapid.IntRange(0, 99).Draw(t, "drawn") >= kept {
			continue
		}
		v := rapid.Uint32().Draw(t, "bits")
		switch kind {
		case 0:
			v = math.Float32bits(float32(int32(v)) * 1e-10)
		case 1:
			v &= 0xc0700000
		case 2:
			h := []float32{math.Float32frombits(v)}
			if RoundHalf(h) == nil {
				v = math.Float32bits(h[0])
			}
		}
		b.Values[i] = math.Float32frombits(v)
	}
	return b
}

// shared is a blob, by its number, as another layer has it.
func shared(layers []Layer, number int) Blob {
	var all []Blob
	for _, l := range layers {
		all = append(all, l.Blobs...)
	}
	b := all[number-1]
	b.SharedWith = number
	return b
}

// What is written is what is read, bit for bit, for any values, and the size is the planned one.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		f := &File{Net: rapid.String().Draw(rt, "net"), Labels: rapid.SliceOf(rapid.String()).Draw(rt, "labels")}
		blobs, own := 0, []int(nil) // numbers of those that are not another's
		for range rapid.IntRange(0, 3).Draw(rt, "layers") {
			l := Layer{Name: rapid.String().Draw(rt, "name"), Type: rapid.String().Draw(rt, "type")}
			for range rapid.IntRange(0, 3).Draw(rt, "blobs") {
				b := drawBlob(rt)
				switch rapid.IntRange(0, 3).Draw(rt, "shape") {
				case 0:
					b.Shape, b.Legacy = []int{1, 1, 1, len(b.Values)}, true
				case 1:
					b = Blob{Absent: true}
				case 2:
					if len(own) > 0 {
						b = shared(append(slices.Clip(f.Layers), l), rapid.SampledFrom(own).Draw(rt, "shared with"))
					}
				}
				if blobs++; !b.Absent && b.SharedWith == 0 {
					own = append(own, blobs)
				}
				l.Blobs = append(l.Blobs, b)
			}
			f.Layers = append(f.Layers, l)
		}
		data := written(t, f)
		got, _, err := Read(bytes.NewReader(data))
		if err != nil {
			rt.Fatal(err)
		}
		if !same(f, got) {
			rt.Fatalf("written %+v, read %+v", f, got)
		}
		if again := written(t, f); !bytes.Equal(data, again) {
			rt.Fatal("other bytes the second time")
		}
	})
}

// An encoding is never larger than any other that the format has, and by a table at most larger than what is told.
func TestSmallest(t *testing.T) {
	for _, kept := range []float64{0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 0.5, 0.9, 0.99, 1} {
		const n = 50000
		values := pruned(n, kept)
		p := newPlan(values)
		k := float64(p.Kept)
		entropy := 0.0
		if p.Kept < n {
			entropy = k*math.Log2(n/k) + (n-k)*math.Log2(n/(n-k))
		}
		// 24 bits of sign and mantissa; the exponents of normal values have 2.5 bits.
		least := (entropy + 26.5*k) / 8
		if b := float64(p.Bytes); b < 0.98*least || b > 1.03*least+40 {
			t.Errorf("%g kept: %v takes %d bytes; the entropy is %.0f", kept, p.Form, p.Bytes, least)
		}
	}
}

func sample() *File {
	f := &File{Net: "net", Labels: []string{"zero", "one"}, Layers: []Layer{
		{Name: "conv", Type: "Convolution", Blobs: []Blob{
			{Shape: []int{2, 1, 5, 5}, Values: pruned(50, 0.4)}, {Shape: []int{2}, Values: []float32{0, 1}}}},
		{Name: "ip", Type: "InnerProduct", Blobs: []Blob{
			{Shape: []int{10, 50}, Values: pruned(500, 0.05)}, {Absent: true}}},
		{Name: "few", Type: "InnerProduct", Blobs: []Blob{{Shape: []int{40, 40}, Values: slicesOf(2, 1600)}}},
	}}
	f.Layers = append(f.Layers, Layer{Name: "twin", Type: "InnerProduct", Blobs: []Blob{shared(f.Layers, 3)}})
	return f
}

// A blob that layers share is there once, and the file of a version that says so; all other files are those of before.
func TestShared(t *testing.T) {
	f := sample()
	data := written(t, f)
	twin := f.Layers[3].Blobs[0]
	f.Layers[3].Blobs[0].SharedWith = 0
	twice := written(t, f)
	_, info, err := Read(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	ip, of := info.Layers[1].Forms[0], info.Layers[3].Forms[0]
	if data[4] != 2 || twice[4] != 1 || int64(len(twice)-len(data)) < ip.Bytes || of.Kept != ip.Kept || of.Bytes != 0 {
		t.Errorf("versions %d and %d, %d and %d bytes, %+v and %+v", data[4], twice[4], len(data), len(twice), ip, of)
	}
	for _, c := range []struct {
		number int
		shape  []int
		want   string
	}{
		{6, []int{10, 50}, `layer "twin", blob 0 is shared with blob 6 of the file, which is none of its own`},
		{4, []int{10, 50}, `which is none of its own before it`}, // an absent one
		{3, []int{50, 10}, `has the shape [50 10], and not that of the blob`},
	} {
		b := twin
		b.SharedWith, b.Shape = c.number, c.shape
		f.Layers[3].Blobs[0] = b
		if _, err := NewPlan(f); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v; wanted %s", err, c.want)
		}
	}
	// What no writer writes.
	for _, c := range []struct {
		version, number byte
		want            string
	}{
		{2, 0, "is shared with blob 0"}, {2, 1, "is shared with blob 1"}, {1, 1, "65 axes, wanted at most 32"},
	} {
		directory := []byte{0, 0, 1, 1, 'a', 0, 1, shareBlob, c.number}
		forged := append([]byte(magic), c.version, byte(len(directory)))
		forged = append(forged, directory...)
		forged = binary.LittleEndian.AppendUint32(forged, crc32.ChecksumIEEE(forged))
		if _, _, err := Read(bytes.NewReader(forged)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// A file that is cut anywhere, or has any bit flipped, is an error that says where.
func TestDamage(t *testing.T) {
	f := sample()
	data := written(t, f)
	for cut := range data {
		_, _, err := Read(bytes.NewReader(data[:cut]))
		if err == nil || !strings.Contains(err.Error(), "is cut short") {
			t.Errorf("cut after %d bytes of %d: %v", cut, len(data), err)
		}
	}
	for bit := range 8 * len(data) {
		flipped := bytes.Clone(data)
		flipped[bit/8] ^= 1 << (bit % 8)
		got, _, err := Read(bytes.NewReader(flipped))
		if err == nil {
			t.Errorf("bit %d of byte %d flipped: %+v is read", bit%8, bit/8, got)
		}
	}
	_, info, _ := Read(bytes.NewReader(data))
	ip := info.Layers[1]
	flipped := bytes.Clone(data)
	flipped[ip.Offset+3] ^= 8
	want := fmt.Sprintf(`is damaged: the checksum of layer "ip", bytes %d to %d`, ip.Offset, ip.Offset+ip.Bytes-4)
	if _, _, err := Read(bytes.NewReader(flipped)); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v; wanted %s", err, want)
	}
	if _, _, err := Read(bytes.NewReader(append(data, 0))); err == nil ||
		!strings.Contains(err.Error(), fmt.Sprintf("goes on behind its end, at byte %d", len(data))) {
		t.Errorf("a byte more: %v", err)
	}
}

// forged is a file of one blob whose directory and bytes are what a test says, with checksums that are right.
func forged(form Form, shape []int, payload []byte) []byte {
	form.Bytes = int64(len(payload))
	p := &Plan{Info: Info{Layers: []LayerInfo{{Name: "a", Shapes: [][]int{shape}, Forms: []Form{form},
		absent: []bool{false}, legacy: []bool{false}}}}}
	var b bytes.Buffer
	w := newBitWriter(&b)
	directory := p.appendDirectory(nil)
	w.bytes(append([]byte(magic), version, byte(len(directory))))
	w.bytes(directory)
	w.checksum()
	w.bytes(payload)
	w.checksum()
	return b.Bytes()
}

// What no writer writes, under right checksums.
func TestForged(t *testing.T) {
	one := []byte{127, 0} // a code of one symbol
	for _, c := range []struct {
		name    string
		form    Form
		shape   []int
		payload []byte
		want    string
	}{
		{"more kept than entries", Form{Kept: 3}, []int{2}, nil, "3, wanted at most 2"},
		{"a form", Form{Positions: 3}, []int{2}, nil, "the form 0x30"},
		{"numbers", Form{Numbers: 3}, []int{2}, nil, "the form 0x03"},
		{"an extent", Form{}, []int{1 << 40, 1 << 40}, nil, "more entries than any net has"},
		{"memory", Form{Kept: 1}, []int{1 << 39}, nil, "of memory wanted"},
		{"an extent beside a zero", Form{}, []int{1 << 62, 0}, nil, "more entries than any net has"},
		{"axes", Form{}, make([]int, 33), nil, "33 axes, wanted at most 32"},
		{"no entries", Form{Kept: 2}, []int{2}, one, "go on behind its 2 bytes"},
		{"bytes without entries", Form{}, []int{2}, one, "end before its 2 bytes"},
		{"bits behind the end", Form{Kept: 1}, []int{1}, append(one, 0, 0, 0, 1, 0), "end before its 7 bytes"},
		{"a code", Form{Kept: 2}, []int{2}, []byte{0, 1, 0x12, 0}, "the lengths of a code"},
		{"a code too full", Form{Kept: 2}, []int{2}, []byte{0, 2, 0x11, 0x10}, "the lengths of a code"},
		{"a code too long", Form{Kept: 2}, []int{2}, []byte{0, 1, 0x1d, 0}, "a code of 13 bits"},
		{"symbols", Form{Kept: 2}, []int{2}, []byte{255, 1, 0x11}, "a code of the symbols 255 to 256; there are 256"},
		{"an exponent of float16", Form{Kept: 2, Numbers: Float16}, []int{2}, []byte{31, 1, 0x11}, "there are 32"},
		{"a codebook", Form{Kept: 2, Numbers: Codebook}, []int{2}, []byte{2}, "a codebook of 3 values for 2 entries"},
		{"colors", Form{Kept: 2, Numbers: Codebook}, []int{2}, []byte{0, 0, 0, 0, 1, 1, 0}, "symbols 1 to 1; there"},
		{"a gap", Form{Kept: 1, Positions: Gaps}, []int{2}, []byte{127, 0, 2, 0, 0, 0, 0}, "behind the last of 2"},
		{"gaps' symbols", Form{Kept: 1, Positions: Gaps}, []int{2}, []byte{127, 0, 42, 0}, "there are 42"},
		{"a bitmap", Form{Kept: 1, Positions: Bitmap}, []int{2}, []byte{127, 0, 0xc0}, "a bitmap of 2 kept entries"},
	} {
		_, _, err := Read(bytes.NewReader(forged(c.form, c.shape, c.payload)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v; wanted %q", c.name, err, c.want)
		}
	}
	for _, c := range []struct{ data, want string }{
		{"", "is cut short"},
		{"\x89HDF\r\n", "is not a compact file"},
		{magic + "\x03\x00", "version 3; this program reads 1 and 2"},
		{magic + "\x01" + strings.Repeat("\xff", 20), "has no end"},
		{magic + "\x01" + strings.Repeat("\xff", 7) + "\x01abc", "is cut short: its directory goes to byte"},
	} {
		if _, _, err := Read(strings.NewReader(c.data)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v; wanted %q", c.data, err, c.want)
		}
	}
}

// Errors of reading and writing are passed on, and what no file can be is not begun.
func TestErrors(t *testing.T) {
	full := errors.New("no space left on device")
	p, err := NewPlan(sample())
	if err != nil {
		t.Fatal(err)
	}
	for n := range p.Bytes {
		if err := p.Write(&limited{left: int(n), err: full}); !errors.Is(err, full) {
			t.Errorf("full after %d bytes: %v", n, err)
		}
	}
	data := written(t, sample())
	for n := range data {
		r := io.MultiReader(bytes.NewReader(data[:n]), &limited{err: full})
		if _, _, err := Read(r); !errors.Is(err, full) {
			t.Errorf("a fault after %d bytes: %v", n, err)
		}
	}
	if _, _, err := Read(io.MultiReader(bytes.NewReader(data), &limited{err: full})); !errors.Is(err, full) {
		t.Errorf("a fault behind the end: %v", err)
	}
	for _, b := range []Blob{
		{Shape: []int{3}, Values: []float32{1, 2}}, {Shape: make([]int, 33)},
		{Shape: []int{-1, -2}, Values: []float32{1, 2}},
	} {
		if _, err := NewPlan(&File{Layers: []Layer{{Name: "a", Blobs: []Blob{b}}}}); err == nil ||
			!strings.Contains(err.Error(), `layer "a", blob 0 has`) {
			t.Errorf("%+v: %v", b, err)
		}
	}
}

// limited takes so many bytes, and has none.
type limited struct {
	left int
	err  error
}

func (l *limited) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, l.err
	}
	return len(p), nil
}

func (l *limited) Read([]byte) (int, error) { return 0, l.err }

// What a codebook does to values: at most so many, each near what it stands for, and 0 stays.
func TestCluster(t *testing.T) {
	for _, bits := range []int{1, 2, 5, 8} {
		before := pruned(20000, 0.1)
		after := append([]float32{}, before...)
		n, err := Cluster(after, 1<<bits)
		if err != nil || n != 1<<bits {
			t.Errorf("%d bits: %d values, %v", bits, n, err)
		}
		seen := map[float32]bool{}
		var loss, all float64
		for i, v := range after {
			if (v == 0) != (before[i] == 0) {
				t.Fatalf("%d bits: %g became %g", bits, before[i], v)
			}
			if v != 0 {
				seen[v] = true
			}
			loss += math.Pow(float64(v-before[i]), 2)
			all += math.Pow(float64(before[i]), 2)
		}
		// The best quantiser of a normal distribution (Max 1960): 0.3634, 0.1175, 0.00349 of the variance; of 256
		// levels about 2.72/256^2.
		most := map[int]float64{1: 0.39, 2: 0.13, 5: 0.0042, 8: 0.00008}[bits]
		if len(seen) != n || loss/all > most {
			t.Errorf(
				"%d bits: %d values, an error of %.5f of the variance; wanted at most %g",
				bits,
				len(seen),
				loss/all,
				most,
			)
		}
	}
	few := []float32{0, 3, 3, -1, 2, 0}
	if n, err := Cluster(few, 4); n != 3 || err != nil || !reflect.DeepEqual(few, []float32{0, 3, 3, -1, 2, 0}) {
		t.Errorf("%v: %d, %v", few, n, err)
	}
	for _, v := range []float32{float32(math.NaN()), float32(math.Inf(-1))} {
		if _, err := Cluster([]float32{1, v}, 2); err == nil {
			t.Errorf("%g has a centroid", v)
		}
	}
}

func TestRoundHalf(t *testing.T) {
	v := []float32{0, 1.00049, -65504, 1e-9, float32(math.Inf(1))}
	if err := RoundHalf(v); err != nil || v[1] != 1.0009766 && v[1] != 1 || v[2] != -65504 || v[3] != 0 {
		t.Errorf("%v, %v", v, err)
	}
	if err := RoundHalf([]float32{70000}); err == nil || !strings.Contains(err.Error(), "70000") {
		t.Error(err)
	}
}

// sealed gives a file the checksums that its bytes want, so that what is fuzzed is what comes behind them.
func sealed(data []byte) []byte {
	data = bytes.Clone(data)
	seal := func(from, to int64) bool {
		if from < 0 || to < from || to > int64(len(data))-checksumBytes {
			return false
		}
		binary.LittleEndian.PutUint32(data[to:], crc32.ChecksumIEEE(data[from:to]))
		return true
	}
	head := len(magic) + 1
	if len(data) < head {
		return data
	}
	size, n := binary.Uvarint(data[head:])
	if n <= 0 || size > uint64(len(data)) || !seal(0, int64(head+n)+int64(size)) {
		return data
	}
	info, err := ReadInfo(bytes.NewReader(data))
	if err != nil {
		return data
	}
	for _, l := range info.Layers {
		if !seal(l.Offset, l.Offset+l.Bytes-checksumBytes) {
			break
		}
	}
	return data
}

// FuzzDNZ reads anything; what it takes for a file is written again, and read as the same.
func FuzzDNZ(f *testing.F) {
	for _, file := range []*File{{}, sample(), netWith(pruned(300, 0.5)...), netWith(pruned(300, 1)...)} {
		f.Add(written(f, file))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		data = sealed(data)
		info, err := ReadInfo(bytes.NewReader(data))
		if err != nil {
			return
		}
		entries := 0
		for _, l := range info.Layers {
			for _, form := range l.Forms {
				entries += form.Entries
			}
		}
		if entries > 1<<20 { // which takes time, and finds nothing more
			return
		}
		file, _, err := Read(bytes.NewReader(data))
		if err != nil {
			return
		}
		again, _, err := Read(bytes.NewReader(written(t, file)))
		if err != nil || !same(file, again) {
			t.Errorf("%+v is written and read as %+v: %v", file, again, err)
		}
	})
}

// AlexNet's inner products, dense and pruned: bytes of float32 a second.
func BenchmarkCompact(b *testing.B) {
	for _, c := range []struct {
		name string
		kept float64
		half bool
		bits int
	}{{"dense", 1, false, 0}, {"half kept", 0.5, false, 0}, {"10 kept", 0.1, false, 0}, {"1 kept", 0.01, false, 0},
		{"float16", 1, true, 0}, {"5 bits, 10 kept", 0.1, false, 5}, {"5 bits, dense", 1, false, 5}} {
		f := &File{Layers: []Layer{{Name: "fc7", Blobs: []Blob{
			{Shape: []int{4096, 4096}, Values: pruned(4096*4096, c.kept)}}}}}
		values := f.Layers[0].Blobs[0].Values
		if c.half {
			if err := RoundHalf(values); err != nil {
				b.Fatal(err)
			}
		}
		if c.bits > 0 {
			if _, err := Cluster(values, 1<<c.bits); err != nil {
				b.Fatal(err)
			}
		}
		data := written(b, f)
		// Of a processor's second: other work on the machine does not change it.
		perProcessorSecond := func(b *testing.B, begin time.Duration) {
			b.ReportMetric(4e-6*float64(len(values))*float64(b.N)/(processor(b)-begin).Seconds(), "MB/cpu-s")
		}
		b.Run("write/"+c.name, func(b *testing.B) {
			b.SetBytes(4 * int64(len(values)))
			begin := processor(b)
			for b.Loop() {
				if err := Write(io.Discard, f); err != nil {
					b.Fatal(err)
				}
			}
			perProcessorSecond(b, begin)
		})
		b.Run("read/"+c.name, func(b *testing.B) {
			b.SetBytes(4 * int64(len(values)))
			begin := processor(b)
			for b.Loop() {
				if _, _, err := Read(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
			perProcessorSecond(b, begin)
		})
	}
}

// processor is the time of this process on its processors.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
