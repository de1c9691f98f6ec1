//go:build cuda

package cuda_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// source returns the kernels' source, and its sum as scripts/ptx.sh makes it.
func source(t *testing.T) (text, sum string) {
	t.Helper()
	files, err := filepath.Glob("kernels/*.cu*")
	if err != nil || len(files) == 0 {
		t.Fatalf("no kernels: %v", err)
	}
	slices.SortFunc(files, func(a, b string) int { // as the script lists them: *.cu, then *.cuh
		if x, y := filepath.Ext(a), filepath.Ext(b); x != y {
			return strings.Compare(x, y)
		}
		return strings.Compare(a, b)
	})
	var all bytes.Buffer
	for _, f := range files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String(), fmt.Sprintf("%x", sha256.Sum256(all.Bytes()))
}

func ptx(t *testing.T, name string) string {
	t.Helper()
	f, err := os.Open(filepath.Join("kernels", name+".ptx.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// The committed PTX is that of the source: by the sum that it carries, and, where nvcc 11.8 is there, by compiling
// again.
func TestPTX(t *testing.T) {
	if _, err := os.Stat("kernels/common.cuh"); err != nil {
		t.Skip("the source is not here")
	}
	_, sum := source(t)
	for name, c := range map[string][2]string{
		"kernels": {"all.cu", "compute_70"}, "tensor": {"tensor.cu", "compute_80"}, "nhwc": {"nhwc.cu", "compute_80"},
	} {
		text := ptx(t, name)
		first, rest, _ := strings.Cut(text, "\n")
		if first != "// source "+sum {
			t.Errorf("%s.ptx.gz is of another source than this; `make ptx` compiles it", name)
			continue
		}
		version, err := exec.Command("nvcc", "--version").Output()
		if err != nil || !strings.Contains(string(version), "V11.8.89") {
			t.Logf("no nvcc 11.8.89: %s.ptx.gz is not compiled again", name)
			continue
		}
		out := filepath.Join(t.TempDir(), "x.ptx")
		args := []string{"-ptx", "-O3", "-std=c++14", "-arch=" + c[1], "kernels/" + c[0], "-o", out}
		if _, err := exec.LookPath("g++-11"); err == nil {
			args = append([]string{"-ccbin", "g++-11"}, args...)
		}
		if b, err := exec.Command("nvcc", args...).CombinedOutput(); err != nil {
			t.Fatalf("nvcc: %v\n%s", err, b)
		}
		fresh, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		if string(fresh) != rest {
			t.Errorf("%s.ptx.gz is not what nvcc makes of the source", name)
		}
	}
}

// Every kernel says that it has begun, so that a failure names it.
func TestEveryKernelMarks(t *testing.T) {
	if _, err := os.Stat("kernels/common.cuh"); err != nil {
		t.Skip("the source is not here")
	}
	text, _ := source(t)
	kernels := 0
	for i := strings.Index(text, "KERNEL(256,"); i >= 0; {
		body := text[i:]
		open := strings.IndexByte(body, '{')
		kernels++
		if start := strings.TrimLeft(body[open+1:], " \t\n\\"); !strings.HasPrefix(start, "START;") {
			t.Errorf("%s does not begin with START", body[:strings.IndexByte(body, ',')+20])
		}
		next := strings.Index(body[open:], "KERNEL(256,")
		if next < 0 {
			break
		}
		i += open + next
	}
	if kernels < 60 {
		t.Errorf("%d kernels found", kernels)
	}
}
