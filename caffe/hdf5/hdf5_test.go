package hdf5

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/memory"
)

const oracle = "../../testdata/oracle/hdf5"

func open(t *testing.T, path string) *Group {
	t.Helper()
	f, err := Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	root, err := f.Root()
	if err != nil {
		t.Fatal(err)
	}
	return root
}

func floats(t *testing.T, g *Group, name string) ([]int, []float32) {
	t.Helper()
	ds, err := g.Dataset(name)
	if err != nil {
		t.Fatal(err)
	}
	v, err := ds.Floats()
	if err != nil {
		t.Fatal(err)
	}
	return ds.Shape, v
}

// The files that Caffe and its tests wrote with libhdf5: contiguous and gzip-compressed.
func TestReadsCaffesFiles(t *testing.T) {
	// Caffe's generate_sample_data.py: data counts up over 10×8×6×5, label = 1 + row, label2 = 1 + (rows turned by 5).
	for _, name := range []string{"sample_data.h5", "sample_data_2_gzip.h5"} {
		root := open(t, filepath.Join(oracle, name))
		if got := fmt.Sprint(root.Names()); got != "[data label label2]" {
			t.Errorf("%s holds %s", name, got)
		}
		shape, data := floats(t, root, "data")
		_, label := floats(t, root, "label")
		if fmt.Sprint(shape) != "[10 8 6 5]" || len(label) != 10 {
			t.Fatalf("%s: data %v, %d labels", name, shape, len(label))
		}
		first := data[0]
		for i, v := range data {
			if v != first+float32(i) {
				t.Fatalf("%s: data[%d] is %g after %g", name, i, v, first)
			}
		}
		for i, v := range label {
			if v != float32(i+1) && v != float32(i) {
				t.Errorf("%s: label[%d] is %g", name, i, v)
			}
		}
	}
	root := open(t, filepath.Join(oracle, "sgd_inv_iter_3.solverstate.h5"))
	iter, err := root.Dataset("iter")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := iter.Int(); err != nil || v != 3 {
		t.Errorf("iter is %d, %v", v, err)
	}
	net, err := root.Dataset("learned_net")
	if err != nil {
		t.Fatal(err)
	}
	if v, err := net.Text(); err != nil || v != "h5_iter_3.caffemodel.h5" {
		t.Errorf("learned_net is %q, %v", v, err)
	}
}

// Caffe's caffemodel is the same array by array as what this package writes and reads again.
func TestRoundTripOfACaffemodel(t *testing.T) {
	root := open(t, filepath.Join(oracle, "sgd_inv_iter_3.caffemodel.h5"))
	out := NewGroup()
	copyGroup(t, root, out)
	path := filepath.Join(t.TempDir(), "again.h5")
	writeFile(t, path, out)
	var have, want strings.Builder
	dump(t, root, &want)
	dump(t, open(t, path), &have)
	if have.String() != want.String() || !strings.Contains(want.String(), "conv2/0 [16 8 5 5]") {
		t.Errorf("read again:\n%s\nwanted\n%s", have.String(), want.String())
	}
}

func copyGroup(t *testing.T, from *Group, to *Node) {
	for _, name := range from.Names() {
		if g, err := from.Group(name); err == nil {
			copyGroup(t, g, to.Group(name))
			continue
		}
		shape, v := floats(t, from, name)
		to.Floats(name, shape, v, nil)
	}
}

func dump(t *testing.T, g *Group, w io.Writer) {
	for _, name := range g.Names() {
		if sub, err := g.Group(name); err == nil {
			fmt.Fprintf(w, "%s/%s/\n", g.name, name)
			dump(t, sub, w)
			continue
		}
		shape, v := floats(t, g, name)
		fmt.Fprintf(w, "%s/%s %v %v\n", g.name, name, shape, v)
	}
}

func writeFile(t *testing.T, path string, root *Node) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, root); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Whatever is written is read again: any number of names (the B-tree has one node, of as many leaves as it takes), any
// shapes, values bit for bit.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		root, want := NewGroup(), map[string][]float32{}
		groups := rapid.IntRange(0, 3).Draw(t, "groups")
		for g := range groups {
			node := root.Group(fmt.Sprintf("g%d", g))
			for range rapid.SampledFrom([]int{0, 1, 8, 9, 70, 300}).Draw(t, "datasets") {
				name := rapid.StringMatching(`[a-z0-9_.]{1,20}`).Draw(t, "name")
				shape := rapid.SliceOfN(rapid.IntRange(0, 3), 0, 4).Draw(t, "shape")
				n := 1
				for _, d := range shape {
					n *= d
				}
				v := make([]float32, n)
				for i := range v {
					v[i] = math.Float32frombits(rapid.Uint32().Draw(t, "bits"))
				}
				node.Floats(name, shape, v, nil)
				want[fmt.Sprintf("g%d/%s", g, name)] = v
			}
		}
		root.Int("n", -7)
		root.Text("s", "text")
		root.Bytes("b", []byte{1, 2, 255})
		var b bytes.Buffer
		if err := Write(&b, root); err != nil {
			t.Fatal(err)
		}
		f, err := NewFile("f", bytes.NewReader(b.Bytes()), int64(b.Len()))
		if err != nil {
			t.Fatal(err)
		}
		r, err := f.Root()
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		for g := range groups {
			sub, err := r.Group(fmt.Sprintf("g%d", g))
			if err != nil {
				t.Fatal(err)
			}
			for _, name := range sub.Names() {
				ds, err := sub.Dataset(name)
				if err != nil {
					t.Fatal(err)
				}
				v, err := ds.Floats()
				if err != nil {
					t.Fatal(err)
				}
				w := want[fmt.Sprintf("g%d/%s", g, name)]
				for i := range w {
					if math.Float32bits(v[i]) != math.Float32bits(w[i]) {
						t.Fatalf("%s[%d] is %g, wanted %g", name, i, v[i], w[i])
					}
				}
				seen++
			}
		}
		if seen != len(want) {
			t.Fatalf("%d datasets, wanted %d", seen, len(want))
		}
		n, _ := r.Dataset("n")
		s, _ := r.Dataset("s")
		by, _ := r.Dataset("b")
		if v, err := n.Int(); err != nil || v != -7 {
			t.Errorf("n is %d, %v", v, err)
		}
		if v, err := s.Text(); err != nil || v != "text" {
			t.Errorf("s is %q, %v", v, err)
		}
		if v, err := by.Bytes(); err != nil || !bytes.Equal(v, []byte{1, 2, 255}) {
			t.Errorf("b is %v, %v", v, err)
		}
	})
}

// The variants that libhdf5 writes (testdata/variants.py says how): chunks with every filter, types of every width and
// order, superblock and headers of version 2 and 3.
func TestReadsVariants(t *testing.T) {
	for _, name := range []string{"variants_earliest.h5", "variants_v108.h5"} {
		root := open(t, filepath.Join("testdata", name))
		for _, path := range []string{
			"a/chunked", "a/gzip", "a/gzip_shuffle", "a/fletcher", "a/gzip_shuffle_fletcher", "b/contiguous",
			"b/compact", "c/f16", "c/f64", "c/f32be", "c/i16", "c/i16be", "c/u8", "c/i64",
		} {
			group, ds, _ := strings.Cut(path, "/")
			g, err := root.Group(group)
			if err != nil {
				t.Fatal(err)
			}
			shape, v := floats(t, g, ds)
			if fmt.Sprint(shape) != "[5 7]" {
				t.Errorf("%s: %s has the shape %v", name, ds, shape)
			}
			for i := range v {
				want := float32(i)
				if ds[0] == 'i' {
					want -= 17
				}
				if v[i] != want {
					t.Errorf("%s: %s[%d] is %g, wanted %g", name, ds, i, v[i], want)
					break
				}
			}
		}
	}
}

// A file with a fault is an error that names it.
func TestFaults(t *testing.T) {
	good, err := os.ReadFile(filepath.Join(oracle, "sample_data_2_gzip.h5"))
	if err != nil {
		t.Fatal(err)
	}
	edit := func(at int, b ...byte) []byte {
		c := bytes.Clone(good)
		copy(c[at:], b)
		return c
	}
	for _, c := range []struct {
		name, want string
		data       []byte
	}{
		{"empty", "is not an HDF5 file", nil},
		{"text", "is not an HDF5 file", []byte(strings.Repeat("name: \"net\"\n", 20))},
		{"cut short", "is damaged or cut short", good[:1000]},
		{"version of the superblock", "superblock of version 9", edit(8, 9)},
		{"sizes", "addresses of 3 bytes", edit(13, 3)},
		{"root beyond the end", "is damaged or cut short: an object header", edit(64, 0xff, 0xff, 0xff)},
	} {
		f, err := NewFile("f.h5", bytes.NewReader(c.data), int64(len(c.data)))
		if err == nil {
			var root *Group
			if root, err = f.Root(); err == nil {
				var ds *Dataset
				if ds, err = root.Dataset("data"); err == nil {
					_, err = ds.Floats()
				}
			}
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, wanted %q", c.name, err, c.want)
		}
	}
	root := open(t, filepath.Join(oracle, "sample_data.h5"))
	if _, err := root.Dataset("lable"); err == nil ||
		!strings.Contains(err.Error(), `has no dataset /lable; / holds ["data" "label" "label2"]`) {
		t.Errorf("a missing dataset: %v", err)
	}
}

// A file that is cut anywhere is an error when it is opened, whatever is asked of it, and whoever wrote it: the
// superblock says where it ends.
func TestCutShort(t *testing.T) {
	for _, path := range []string{
		filepath.Join(oracle, "sample_data_2_gzip.h5"), filepath.Join("testdata", "variants_earliest.h5"),
		filepath.Join("testdata", "variants_v108.h5"),
	} {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for cut := range data {
			if _, err := NewFile("f.h5", bytes.NewReader(data[:cut]), int64(cut)); err == nil {
				t.Errorf("%s: %d of %d bytes are a file", path, cut, len(data))
			}
		}
		cut := len(data) - 1
		_, err = NewFile("f.h5", bytes.NewReader(data[:cut]), int64(cut))
		want := fmt.Sprintf("is damaged or cut short: it goes to byte %d, the file has %d", len(data), cut)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, wanted %q", path, err, want)
		}
	}
}

// No byte of a file, changed or missing, leads to a panic or to an endless read.
func FuzzFile(f *testing.F) {
	for _, pattern := range []string{filepath.Join(oracle, "*.h5"), "testdata/*.h5"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			if b, err := os.ReadFile(name); err == nil && len(b) < 1<<15 {
				f.Add(b)
			}
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		file, err := NewFile("f", bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		if root, err := file.Root(); err == nil {
			exercise(root, 3)
			copied := NewGroup()
			rebuild(copied, root, 3)
			sameTree(t, copied, root)
		}
	})
}

// rebuild adds what can be read of a group to one that is written.
func rebuild(to *Node, from *Group, depth int) {
	for _, name := range from.Names() {
		if name == "" || strings.ContainsAny(name, "/\x00") {
			continue // nothing that Caffe has
		}
		if sub, err := from.Group(name); err == nil {
			if depth > 0 {
				rebuild(to.Group(name), sub, depth-1)
			}
			continue
		}
		ds, err := from.Dataset(name)
		if err != nil || ds.Len() > 1<<16 {
			continue
		}
		if v, err := ds.Floats(); err == nil {
			to.Floats(name, ds.Shape, v, nil)
		} else if text, err := ds.Text(); err == nil && !strings.Contains(text, "\x00") {
			to.Text(name, text)
		}
	}
}

// sameTree writes a tree, reads it, and compares it with the group that it was made of.
func sameTree(t *testing.T, written *Node, of *Group) {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, written); err != nil {
		t.Fatal(err)
	}
	file, err := NewFile("again", bytes.NewReader(b.Bytes()), int64(b.Len()))
	if err != nil {
		t.Fatal(err)
	}
	root, err := file.Root()
	if err != nil {
		t.Fatal(err)
	}
	var compare func(n *Node, again, of *Group)
	compare = func(n *Node, again, of *Group) {
		for name, child := range n.children {
			if child.IsGroup() {
				a, err := again.Group(name)
				b, err2 := of.Group(name)
				if err := errors.Join(err, err2); err != nil {
					t.Fatalf("group %q: %v", name, err)
				}
				compare(child, a, b)
				continue
			}
			a, err := again.Dataset(name)
			b, err2 := of.Dataset(name)
			if err := errors.Join(err, err2); err != nil {
				t.Fatalf("dataset %q: %v", name, err)
			}
			if x, err := b.Floats(); err == nil {
				y, err := a.Floats()
				if err != nil || !slices.Equal(a.Shape, b.Shape) ||
					!slices.EqualFunc(
						x, y, func(p, q float32) bool { return math.Float32bits(p) == math.Float32bits(q) },
					) {
					t.Errorf("%q: %v of shape %v, wanted %v of %v (%v)", name, y, a.Shape, x, b.Shape, err)
				}
				continue
			}
			x, err := b.Text()
			y, err2 := a.Text()
			if err := errors.Join(err, err2); err != nil || x != y {
				t.Errorf("%q: %q, wanted %q (%v)", name, y, x, err)
			}
		}
	}
	compare(written, root, of)
}

func exercise(g *Group, depth int) {
	for _, name := range g.Names() {
		if ds, err := g.Dataset(name); err == nil && ds.Len() < 1<<22 {
			_, _ = ds.Floats() // an error is an answer; a panic is not
			_, _ = ds.Int()
			_, _ = ds.Text()
		}
		if sub, err := g.Group(name); err == nil && depth > 0 {
			exercise(sub, depth-1)
		}
	}
}

func TestFletcher32(t *testing.T) {
	// The published vectors are of little-endian words; these are theirs with the bytes of each word turned.
	for text, want := range map[string]uint32{"abcde": 0xF04FC729, "abcdef": 0x56502D2A, "abcdefgh": 0xEBE19591} {
		b := []byte(text)
		if len(b)%2 == 1 {
			b = append(b, 0)
		}
		for i := 0; i < len(b); i += 2 {
			binary.BigEndian.PutUint16(b[i:], binary.LittleEndian.Uint16(b[i:]))
		}
		if have := fletcher32(b); have != want {
			t.Errorf("%q: %08X, wanted %08X", text, have, want)
		}
	}
}

func TestFromHalf(t *testing.T) {
	for bits, want := range map[uint16]float32{
		0: 0, 0x3c00: 1, 0xc000: -2, 0x7bff: 65504, 0x0001: 1.0 / (1 << 24), 0x0400: 1.0 / (1 << 14),
		0x3555: 0.33325195, 0x7c00: float32(math.Inf(1)),
	} {
		if have := fromHalf(bits); have != want {
			t.Errorf("%04x is %g, wanted %g", bits, have, want)
		}
	}
	if v := fromHalf(0x7e00); v == v {
		t.Errorf("7e00 is %g, wanted NaN", v)
	}
}

// A dataset that asks for more memory than there is, as one of many chunks of zeros does, is an error that names it.
func TestTooMuchMemory(t *testing.T) {
	ds := &Dataset{
		f:      &File{path: "zeros.h5", size: 1 << 20},
		path:   "/data",
		Shape:  []int{1 << 20, 1 << 22},
		size:   4,
		Class:  Float,
		layout: layoutChunked,
	}
	var m *memory.Error
	if _, err := ds.Floats(); !errors.As(err, &m) ||
		!strings.Contains(err.Error(), "zeros.h5: /data: 32.0 TiB of memory wanted") {
		t.Error(err)
	}
}
