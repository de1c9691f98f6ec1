package compact

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// decoder returns the program in docs/formats.md, and python3.
func pythonDecoder(t *testing.T) (python, program string) {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("there is no python3, in which the decoder of docs/formats.md is written")
	}
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "formats.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(text), "```python\n")
	code, _, closed := strings.Cut(code, "```\n")
	if !ok || !closed {
		t.Fatal("docs/formats.md has no decoder")
	}
	program = filepath.Join(t.TempDir(), "dnz.py")
	if err := os.WriteFile(program, []byte(code), 0o644); err != nil {
		t.Fatal(err)
	}
	return python, program
}

// The decoder of docs/formats.md reads what is written, in every form.
func TestPythonDecoder(t *testing.T) {
	python, program := pythonDecoder(t)
	halves := pruned(900, 0.3)
	if err := RoundHalf(halves); err != nil {
		t.Fatal(err)
	}
	for i, bits := range []uint32{0x7f800000, 0xffc02000, 0x80000000, 0x33800000, 0x387fc000, 0x477fe000} {
		halves[100*i] = math.Float32frombits(bits) // infinity, NaN, -0, the least, a subnormal, the greatest
	}
	few := pruned(2000, 0.2)
	if _, err := Cluster(few, 8); err != nil {
		t.Fatal(err)
	}
	f := sample()
	f.Labels = append(f.Labels, strings.Repeat("é", 100))
	for name, values := range map[string][]float32{
		"halves": halves, "few": few, "normal": pruned(3000, 1), "bitmap": pruned(3000, 0.5),
		"none":      make([]float32, 9),
		"long gaps": append(make([]float32, 70000), pruned(50, 0.5)...), "nothing": nil,
	} {
		f.Layers = append(f.Layers, Layer{Name: name, Blobs: []Blob{
			{Shape: []int{1, 1, 1, len(values)}, Legacy: true, Values: values}}})
	}
	path := filepath.Join(t.TempDir(), "w.dnz")
	data := written(t, f)
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(python, program, path).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	var want strings.Builder
	for _, l := range f.Layers {
		for i, b := range l.Blobs {
			bytes, shape := make([]byte, 0, 4*len(b.Values)), make([]string, len(b.Shape))
			for _, v := range b.Values {
				bytes = binary.LittleEndian.AppendUint32(bytes, math.Float32bits(v))
			}
			for k, d := range b.Shape {
				shape[k] = fmt.Sprint(d)
			}
			if b.Absent {
				shape = []string{"0"}
			}
			fmt.Fprintf(&want, "%s %d %s %x\n", l.Name, i, strings.Join(shape, "x"), sha256.Sum256(bytes))
		}
	}
	if string(out) != want.String() {
		t.Errorf("Python reads\n%s\nwanted\n%s", out, want.String())
	}
	data[len(data)-10] ^= 1
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(python, program, path).CombinedOutput(); err == nil {
		t.Errorf("a damaged file is read: %s", out)
	}
}
