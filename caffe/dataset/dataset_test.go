package dataset

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

const testdata = "../../testdata"

// Datum's own parser must read what protobuf writes, and protobuf what it writes.
func TestDatumAgainstProtobuf(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := &Datum{Channels: rapid.IntRange(1, 4).Draw(t, "channels"), Height: rapid.IntRange(1, 5).Draw(t, "height"),
			Width: rapid.IntRange(1, 5).Draw(t, "width"), Label: rapid.IntRange(0, 1000).Draw(t, "label")}
		n := d.Channels * d.Height * d.Width
		if rapid.Bool().Draw(t, "floats") {
			d.Float = rapid.SliceOfN(rapid.Float32Range(-10, 10), n, n).Draw(t, "data")
		} else {
			d.Data = rapid.SliceOfN(rapid.Byte(), n, n).Draw(t, "data")
		}
		m := &caffepb.Datum{}
		if err := proto.Unmarshal(d.Append(nil), m); err != nil {
			t.Fatal(err)
		}
		b, err := proto.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		again := &Datum{}
		if err := again.Parse(b); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(d, again, cmp.Transformer("nil", func(b []byte) string { return string(b) }),
			cmp.Transformer("nilf", func(f []float32) []float32 { return append([]float32{}, f...) })); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What `dataset mnist` writes has the keys and the bytes of Caffe's own converter.
func TestSameBytesAsCaffe(t *testing.T) {
	theirs, err := OpenLMDB(filepath.Join(testdata, "oracle/solvers/mnist1280_lmdb"))
	if err != nil {
		t.Fatal(err)
	}
	defer theirs.Close()
	out := filepath.Join(t.TempDir(), "ours")
	if err := WriteLMDB(out, count(t, theirs), func(int) (*Datum, error) {
		_, v, err := theirs.Next()
		d := &Datum{}
		if err == nil {
			err = d.Parse(v)
		}
		return d, err
	}); err != nil {
		t.Fatal(err)
	}
	ours, err := OpenLMDB(out)
	if err != nil {
		t.Fatal(err)
	}
	defer ours.Close()
	if count(t, ours) != count(t, theirs) {
		t.Fatalf("%d records, wanted %d", count(t, ours), count(t, theirs))
	}
	for range count(t, theirs) {
		k1, v1, err1 := theirs.Next()
		k2, v2, err2 := ours.Next()
		if err1 != nil || err2 != nil || !bytes.Equal(k1, k2) || !bytes.Equal(v1, v2) {
			t.Fatalf("record %q differs from %q (%v, %v)", k2, k1, err1, err2)
		}
	}
}

func TestOpenLMDBErrors(t *testing.T) {
	dir := t.TempDir()
	whole, err := os.ReadFile(filepath.Join(testdata, "oracle/solvers/mnist1280_lmdb/data.mdb"))
	if err != nil {
		t.Fatal(err)
	}
	file := func(name string, data []byte) string {
		p := filepath.Join(dir, name)
		if err := os.Mkdir(p, 0o755); err != nil {
			t.Fatal(err)
		}
		if data != nil {
			if err := os.WriteFile(filepath.Join(p, "data.mdb"), data, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		return p
	}
	empty := filepath.Join(dir, "norecords")
	if err := WriteLMDB(empty, 0, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "none"), "no such LMDB folder"},
		{"file", filepath.Join(testdata, "oracle/solvers/mnist1280_lmdb/data.mdb"), "is a file"},
		{"no data.mdb", file("nodata", nil), "not an LMDB"},
		{"empty data.mdb", file("emptyfile", []byte{}), "fewer than its two head pages"},
		{"random", file("random", bytes.Repeat([]byte("random!!"), 2000)), "does not start as one"},
		{"cut short", file("cut", whole[:len(whole)/2]), "is cut short"},
		{"no records", empty, "no records"},
	} {
		t.Run(c.name, func(t *testing.T) {
			db, err := OpenLMDB(c.path)
			if err == nil {
				db.Close()
			}
			if err == nil || !strings.Contains(err.Error(), c.want) ||
				!strings.Contains(err.Error(), filepath.Base(c.path)) {
				t.Errorf("got %v, wanted %q", err, c.want)
			}
		})
	}
}

func recordsOf(t *testing.T, db Database, tr *Transformer) Source {
	t.Helper()
	s, err := FromDatabase(db, tr, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLoader(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	const n = 5
	if err := WriteLMDB(dir, n, func(i int) (*Datum, error) {
		return &Datum{Channels: 1, Height: 1, Width: 2, Label: i, Data: []byte{byte(10 * i), byte(10*i + 1)}}, nil
	}); err != nil {
		t.Fatal(err)
	}
	for _, start := range []uint64{0, 3, 5, 12} {
		db, err := OpenLMDB(dir)
		if err != nil {
			t.Fatal(err)
		}
		tr, _ := NewTransformer(nil, true)
		l, err := NewLoader(recordsOf(t, db, tr), 2, 3)
		if err != nil {
			t.Fatal(err)
		}
		l.Seek(start)
		for i := range 8 {
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			first := (int(start) + 2*i) % n
			second := (first + 1) % n
			if d := cmp.Diff([]float32{float32(first), float32(second)}, b.Labels); d != "" {
				t.Errorf("start %d, batch %d: %s", start, i, d)
			}
			if d := cmp.Diff(
				[]float32{float32(10 * first), float32(10*first + 1), float32(10 * second), float32(10*second + 1)},
				b.Data,
			); d != "" {
				t.Errorf("start %d, batch %d: %s", start, i, d)
			}
			l.Release(b)
		}
		if l.Records() != start+16 {
			t.Errorf("%d records read, wanted %d", l.Records(), start+16)
		}
		for _, back := range []uint64{start + 16, 1, start, 1} { // batches were read ahead
			l.Seek(back)
			b, err := l.Next()
			if err != nil {
				t.Fatal(err)
			}
			if want := float32(back % n); b.Labels[0] != want || b.Labels[1] != float32((back+1)%n) {
				t.Errorf("after Seek(%d): %v, wanted %g first", back, b.Labels, want)
			}
			l.Release(b)
		}
		l.Close()
	}
}

func TestLoaderUnequalSizes(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "db")
	if err := WriteLMDB(dir, 4, func(i int) (*Datum, error) {
		return &Datum{Channels: 1, Height: 1, Width: 1 + i/3, Data: make([]byte, 1+i/3)}, nil
	}); err != nil {
		t.Fatal(err)
	}
	db, err := OpenLMDB(dir)
	if err != nil {
		t.Fatal(err)
	}
	tr, _ := NewTransformer(nil, true)
	l, err := NewLoader(recordsOf(t, db, tr), 4, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := l.Next(); err == nil ||
		!strings.Contains(err.Error(), `record "00000003" has the shape 1x1x2, the first record 1x1x1`) {
		t.Errorf("got %v", err)
	}
}

func TestTransform(t *testing.T) {
	mean := filepath.Join(t.TempDir(), "mean.binaryproto")
	if err := caffe.WriteBinary(mean, caffe.NewBlob([]int{1, 2, 3}, []float32{1, 2, 3, 4, 5, 6})); err != nil {
		t.Fatal(err)
	}
	in := &Datum{Channels: 1, Height: 2, Width: 3, Data: []byte{10, 20, 30, 40, 50, 60}}
	const high = 1 << 31
	for _, c := range []struct {
		name   string
		param  string
		train  bool
		random Randoms
		want   []float32
	}{
		{"plain", "", true, Randoms{}, []float32{10, 20, 30, 40, 50, 60}},
		{"scale", "scale: 0.5", true, Randoms{}, []float32{5, 10, 15, 20, 25, 30}},
		{"mean value, then scale", "mean_value: 10 scale: 2", true, Randoms{}, []float32{0, 20, 40, 60, 80, 100}},
		{"mean file", "mean_file: \"" + mean + "\"", true, Randoms{}, []float32{9, 18, 27, 36, 45, 54}},
		{"mirror", "mirror: true", true, Randoms{2: high}, []float32{30, 20, 10, 60, 50, 40}},
		{"mirror, not drawn", "mirror: true", true, Randoms{2: high - 1}, []float32{10, 20, 30, 40, 50, 60}},
		{"centre crop", "crop_size: 1", false, Randoms{1<<32 - 1, 1<<32 - 1}, []float32{20}},
		{"random crop", "crop_size: 1", true, Randoms{1<<32 - 1, 1<<32 - 1}, []float32{60}},
		{
			"crop, mean and mirror",
			"crop_size: 2 mirror: true mean_file: \"" + mean + "\"",
			true,
			Randoms{0, 1<<32 - 1, high},
			[]float32{27, 18, 54, 45},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := &caffepb.TransformationParameter{}
			if err := caffe.ParsePrototxt("p", []byte(c.param), p); err != nil {
				t.Fatal(err)
			}
			tr, err := NewTransformer(p, c.train)
			if err != nil {
				t.Fatal(err)
			}
			shape, err := tr.Infer(in)
			if err != nil {
				t.Fatal(err)
			}
			out := make([]float32, shape[0]*shape[1]*shape[2])
			if err := tr.Apply(in, c.random, out); err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(c.want, out); d != "" {
				t.Error(d)
			}
		})
	}
}

func TestTransformErrors(t *testing.T) {
	in := &Datum{Channels: 3, Height: 4, Width: 4, Data: make([]byte, 48)}
	for _, c := range []struct{ param, want string }{
		{"crop_size: 5", "larger than the image, 4x4"},
		{"mean_value: 1 mean_value: 2", "2 mean_value for 3 channels"},
		{"force_color: true force_gray: true", "are mutually exclusive"},
		{"mean_file: \"none\"", "no such file"},
		{
			"mean_file: \"" + testdata + "/oracle/old/mnist1280_mean.binaryproto\"",
			"has the shape 1x28x28, the images 3x4x4",
		},
	} {
		p := &caffepb.TransformationParameter{}
		if err := caffe.ParsePrototxt("p", []byte(c.param), p); err != nil {
			t.Fatal(err)
		}
		tr, err := NewTransformer(p, true)
		if err == nil {
			_, err = tr.Infer(in)
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, wanted %q", c.param, err, c.want)
		}
	}
}

func TestEncoded(t *testing.T) {
	img := image.NewNRGBA(image.Rect(0, 0, 2, 1))
	img.Set(0, 0, color.NRGBA{R: 1, G: 2, B: 3, A: 255})
	img.Set(1, 0, color.NRGBA{R: 200, G: 100, B: 50, A: 255})
	var buf bytes.Buffer
	if err := png.Encode(&buf, img); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		color, gray bool
		channels    int
		want        []byte
	}{
		{false, false, 3, []byte{3, 50, 2, 100, 1, 200}}, // blue, green, red
		{true, false, 3, []byte{3, 50, 2, 100, 1, 200}},
		{false, true, 1, []byte{1, 124}}, // libpng rounds down
	} {
		d := &Datum{Encoded: true, Data: buf.Bytes(), Label: 7}
		again := &Datum{}
		if err := again.Parse(d.Append(nil)); err != nil {
			t.Fatal(err)
		}
		if err := again.Decode(c.color, c.gray); err != nil {
			t.Fatal(err)
		}
		if again.Channels != c.channels || again.Width != 2 || again.Height != 1 || again.Label != 7 ||
			!bytes.Equal(again.Data, c.want) {
			t.Errorf("color %t gray %t: %+v, wanted %v", c.color, c.gray, again, c.want)
		}
	}
	d := &Datum{Encoded: true, Data: []byte("no picture")}
	if err := d.Decode(false, false); err == nil || !strings.Contains(err.Error(), "cannot be decoded") {
		t.Errorf("got %v", err)
	}
}

func TestMNIST(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, data []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("train-images-idx3-ubyte", []byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6})
	write("train-labels-idx1-ubyte", []byte{0, 0, 8, 1, 0, 0, 0, 2, 3, 5})
	out := filepath.Join(dir, "out")
	if n, err := WriteMNIST(dir, MNISTTrain, out, nil); err != nil || n != 2 {
		t.Fatalf("%d images, %v", n, err)
	}
	if _, err := WriteMNIST(dir, MNISTTrain, out, nil); err == nil || !strings.Contains(err.Error(), "exists already") {
		t.Errorf("writing over a database: %v", err)
	}
	db, err := OpenLMDB(out)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	key, v, _ := db.Next()
	var d Datum
	if err := d.Parse(v); err != nil || string(key) != "00000000" || d.Label != 3 ||
		!bytes.Equal(d.Data, []byte{9, 8}) {
		t.Errorf("first record %q: %+v, %v", key, d, err)
	}
	if _, err := WriteMNIST(dir, MNISTTest, filepath.Join(dir, "o2"), nil); err == nil ||
		!strings.Contains(err.Error(), "t10k-images") {
		t.Errorf("missing files: %v", err)
	}
	write("t10k-images-idx3-ubyte", []byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9})
	if _, err := WriteMNIST(dir, MNISTTest, filepath.Join(dir, "o2"), nil); err == nil ||
		!strings.Contains(err.Error(), "is cut short: 1 bytes of pixels, wanted 4") {
		t.Errorf("cut file: %v", err)
	}
}

func FuzzDatum(f *testing.F) {
	f.Add((&Datum{Channels: 1, Height: 2, Width: 2, Label: 3, Data: []byte{1, 2, 3, 4}}).Append(nil))
	f.Add((&Datum{Channels: 1, Height: 1, Width: 2, Float: []float32{1, 2}}).Append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		var d Datum
		if d.Parse(b) != nil {
			return
		}
		sameAgain(t, &d)
		if d.Decode(false, false) != nil {
			return
		}
		if n := d.Channels * d.Height * d.Width; len(d.Data) != n && len(d.Float) != n {
			t.Errorf("a Datum of %d values passes with %d bytes and %d floats", n, len(d.Data), len(d.Float))
		}
	})
}

// sameAgain writes a Datum that was read, and reads it again.
func sameAgain(t *testing.T, d *Datum) {
	t.Helper()
	var again Datum
	if err := again.Parse(d.Append(nil)); err != nil {
		t.Fatalf("what was read is not written as a Datum: %v", err)
	}
	if diff := cmp.Diff(*d, again, cmpopts.EquateEmpty(), cmpopts.EquateNaNs()); diff != "" {
		t.Errorf("read, written and read again (-first +again):\n%s", diff)
	}
}

func FuzzIdx(f *testing.F) {
	f.Add([]byte{0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 9, 8, 7, 6})
	f.Fuzz(func(t *testing.T, b []byte) {
		data, dims, err := parseIdx(bytes.NewReader(b), idxImages)
		if err != nil {
			return
		}
		if len(data) != dims[0]*dims[1]*dims[2] {
			t.Errorf("%d bytes for %v", len(data), dims)
		}
		file := binary.BigEndian.AppendUint32(nil, idxImages)
		for _, n := range dims {
			file = binary.BigEndian.AppendUint32(file, uint32(n))
		}
		if file = append(file, data...); !bytes.HasPrefix(b, file) {
			t.Errorf("%x was read of %x", file, b)
		}
	})
}

// The reader finds what the library wrote: records of any size, in any number, in key order, round and round.
func TestReaderAgainstLibrary(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp("", "lmdb")
		if err != nil {
			rt.Fatal(err)
		}
		defer os.RemoveAll(dir)
		sizes := rapid.SliceOfN(rapid.SampledFrom([]int{1, 10, 784, 1990, 2030, 2100, 5000, 40000}), 1, 300).
			Draw(rt, "sizes")
		out := filepath.Join(dir, "db")
		datum := func(i int) *Datum {
			d := &Datum{Channels: 1, Height: 1, Width: sizes[i], Label: i, Data: make([]byte, sizes[i])}
			for k := range d.Data {
				d.Data[k] = byte(i + k)
			}
			return d
		}
		if err := WriteLMDB(out, len(sizes), func(i int) (*Datum, error) { return datum(i), nil }); err != nil {
			rt.Fatal(err)
		}
		db, err := OpenLMDB(out)
		if err != nil {
			rt.Fatal(err)
		}
		defer db.Close()
		if db.n != len(sizes) {
			rt.Fatalf("%d records, wanted %d", db.n, len(sizes))
		}
		for round := range 2 {
			for i := range sizes {
				key, value, err := db.Next()
				if err != nil {
					rt.Fatal(err)
				}
				if want := fmt.Sprintf("%08d", i); string(key) != want || !bytes.Equal(value, datum(i).Append(nil)) {
					rt.Fatalf("round %d: record %q differs from %q", round, key, want)
				}
			}
		}
	})
}

// A damaged database gives an error or other bytes, never a crash.
func FuzzLMDB(f *testing.F) {
	dir := f.TempDir()
	if err := WriteLMDB(filepath.Join(dir, "db"), 30, func(i int) (*Datum, error) {
		return &Datum{Channels: 1, Height: 1, Width: 700 * (1 + i%4), Label: i, Data: make([]byte, 700*(1+i%4))}, nil
	}); err != nil {
		f.Fatal(err)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "db", "data.mdb"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(uint32(8192), []byte{1, 2, 3, 4, 5, 6, 7, 8}, uint32(0))
	f.Add(uint32(12288+10), []byte{0xff, 0xff, 0xff, 0xff}, uint32(20))
	f.Add(uint32(4096+16+88), []byte{0xff, 0xff}, uint32(5000))
	f.Fuzz(func(t *testing.T, at uint32, patch []byte, cut uint32) {
		data := append([]byte(nil), whole...)
		copy(data[int(at)%len(data):], patch)
		data = data[:len(data)-int(cut)%len(data)]
		d := t.TempDir()
		if err := os.WriteFile(filepath.Join(d, "data.mdb"), data, 0o644); err != nil {
			t.Fatal(err)
		}
		db, err := OpenLMDB(d)
		if err != nil {
			return
		}
		defer db.Close()
		var records []*Datum
		for range 100 {
			_, v, err := db.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return
			}
			d := &Datum{}
			if d.Parse(bytes.Clone(v)) == nil {
				records = append(records, d)
			}
		}
		// Whatever was read can be written, and reads as it was.
		again := filepath.Join(t.TempDir(), "again")
		if err := WriteLMDB(again, len(records), func(i int) (*Datum, error) { return records[i], nil }); err != nil {
			t.Fatal(err)
		}
		copied, err := OpenLMDB(again)
		if err != nil {
			t.Fatal(err)
		}
		defer copied.Close()
		for i, want := range records {
			_, v, err := copied.Next()
			if err != nil {
				t.Fatalf("record %d: %v", i, err)
			}
			if !bytes.Equal(v, want.Append(nil)) {
				t.Errorf("record %d is %x, wanted %x", i, v, want.Append(nil))
			}
		}
	})
}

func count(t *testing.T, db Database) int {
	t.Helper()
	n, err := db.Count()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A LevelDB, in its log or in snappy-compressed tables, holds what the LMDB of the same images holds.
func TestLevelDB(t *testing.T) {
	for _, name := range []string{"mnist1280_leveldb", "mnist1280_leveldb_tables"} {
		path := filepath.Join(testdata, "oracle/solvers", name)
		before, _ := os.ReadDir(path)
		l, err := Open(path)
		if err != nil {
			t.Fatal(err)
		}
		m, err := OpenLMDB(filepath.Join(testdata, "oracle/solvers/mnist1280_lmdb"))
		if err != nil {
			t.Fatal(err)
		}
		if count(t, l) != 1280 || l.Kind() != "LevelDB" {
			t.Errorf("%s: %s of %d records", name, l.Kind(), count(t, l))
		}
		for _, seek := range []uint64{0, 1277, 5000} {
			if err := errors.Join(l.Seek(seek), m.Seek(seek)); err != nil {
				t.Fatal(err)
			}
			for i := range 20 {
				_, v1, err1 := l.Next()
				_, v2, err2 := m.Next()
				if err1 != nil || err2 != nil || !bytes.Equal(v1, v2) {
					t.Fatalf("%s: record %d differs (%v, %v)", name, int(seek)+i, err1, err2)
				}
			}
		}
		l.Close()
		m.Close()
		if after, _ := os.ReadDir(path); len(after) != len(before) {
			t.Errorf("%s: reading left %d files, there were %d", name, len(after), len(before))
		}
	}
}

// Damage to a LevelDB is an error, wherever it is.
func TestDamagedLevelDB(t *testing.T) {
	for _, name := range []string{"mnist1280_leveldb", "mnist1280_leveldb_tables"} {
		files, err := os.ReadDir(filepath.Join(testdata, "oracle/solvers", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, victim := range files {
			for _, how := range []string{"missing", "cut", "random"} {
				dir := t.TempDir()
				size := 0
				for _, f := range files {
					data, err := os.ReadFile(filepath.Join(testdata, "oracle/solvers", name, f.Name()))
					if err != nil {
						t.Fatal(err)
					}
					if f.Name() == victim.Name() {
						size = len(data)
						switch how {
						case "missing":
							continue
						case "cut":
							data = data[:len(data)/2]
						case "random":
							for i := range data {
								if i%97 == 13 {
									data[i] ^= 0x5a
								}
							}
						}
					}
					if err := os.WriteFile(filepath.Join(dir, f.Name()), data, 0o644); err != nil {
						t.Fatal(err)
					}
				}
				if size == 0 {
					continue // an empty log has nothing to damage
				}
				err := func() error {
					db, err := Open(dir)
					if err != nil {
						return err
					}
					defer db.Close()
					return ReadAll(db, func(int, []byte, *Datum) error { return nil })
				}()
				if err == nil {
					t.Errorf("%s: %s %s is no error", name, victim.Name(), how)
				}
			}
		}
	}
}

// A list that an editor saved with a mark in front has no such picture as the mark and the name.
func TestListBehindAMark(t *testing.T) {
	path := filepath.Join(t.TempDir(), "list.txt")
	if err := os.WriteFile(path, []byte("\ufeffa.png 3\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	l, err := ReadImageList(path)
	if err != nil || len(l.Entries) != 1 || l.Entries[0].Path != "a.png" || l.Entries[0].Label != 3 {
		t.Errorf("%v, %v", l, err)
	}
}
