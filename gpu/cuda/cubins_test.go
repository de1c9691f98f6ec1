//go:build cuda

package cuda

import (
	"bytes"
	"fmt"
	"io/fs"
	"testing"
)

// The cubins are of the same source as the PTX, there is one of every module that a GPU's generation runs, and each is
// for that generation.
func TestCubins(t *testing.T) {
	files, err := fs.Glob(cubins, "kernels/cubins/*.gz")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("there are none: PTX is what every GPU takes")
	}
	seen := map[string]bool{}
	for _, c := range []struct{ major, minor, want int }{
		{7, 0, 70}, {7, 5, 70}, {8, 0, 80}, {8, 6, 80}, {8, 9, 80}, {9, 0, 90}, {10, 0, 100}, {10, 3, 100},
		{12, 0, 120}, {6, 1, 0}, {11, 0, 0}, {13, 0, 0},
	} {
		for _, module := range []string{"kernels", "tensor", "nhwc"} {
			compressed := cubinOf(module, c.major, c.minor)
			if c.want == 0 || c.want < 80 && module != "kernels" {
				if compressed != nil {
					t.Errorf("%s for %d.%d: there is one", module, c.major, c.minor)
				}
				continue
			}
			if compressed == nil {
				t.Errorf("no %s for %d.%d of this source; `make ptx` makes them", module, c.major, c.minor)
				continue
			}
			seen[fmt.Sprintf("kernels/cubins/%s.sm_%d.gz", module, c.want)] = true
			checkCubin(t, module, compressed, c.want)
		}
	}
	for _, f := range files {
		if !seen[f] {
			t.Errorf("%s is never used", f)
		}
	}
}

// checkCubin looks whether a module's cubin is for an architecture, and has every kernel.
func checkCubin(t *testing.T, module string, compressed []byte, want int) {
	t.Helper()
	text, err := image(compressed)
	if err != nil {
		t.Fatal(err)
	}
	elf := []byte(text)
	if !bytes.HasPrefix(elf, []byte("\x7fELF")) || elf[18] != 190 { // EM_CUDA
		t.Fatalf("%s for sm_%d is no cubin", module, want)
	}
	arch := elf[48] // of the flags; their second byte in the later layout
	if elf[7] != 0x33 {
		arch = elf[49]
	}
	if int(arch) != want {
		t.Errorf("%s is of sm_%d, wanted sm_%d", module, arch, want)
	}
	of := map[string][2]kernelID{
		"kernels": {0, firstTensor}, "tensor": {firstTensor, firstNhwc}, "nhwc": {firstNhwc, kernelCount},
	}[module]
	for k := of[0]; k < of[1]; k++ {
		if !bytes.Contains(elf, []byte(".text."+kernelNames[k]+"\x00")) {
			t.Errorf("%s of sm_%d has no kernel %s", module, want, kernelNames[k])
		}
	}
}
