//go:build cuda

package cuda

import (
	"bytes"
	"compress/gzip"
	"embed"
	"fmt"
	"io"
	"slices"
	"strings"
)

// The kernels as PTX, made by `make ptx`; the driver compiles them for the GPU at hand, which takes it tens of seconds
// the first time.
//
//go:embed kernels/kernels.ptx.gz
var compressedKernels []byte

//go:embed kernels/tensor.ptx.gz
var compressedTensor []byte

//go:embed kernels/nhwc.ptx.gz
var compressedNhwc []byte

// The kernels as the GPUs of a generation run them, which nobody need compile: kernels/cubins/kernels.sm_80.gz.
// source.txt says of which source they were made. There may be none.
//
//go:embed all:kernels/cubins
var cubins embed.FS

// generations are the compute capabilities that cubins are made for, times ten. A chip runs those of its major number
// whose minor number is not above its own.
var generations = []int{70, 80, 90, 100, 120}

// cubinOf returns the compressed cubin of a module for a compute capability; nil where there is none, or it is of
// another source than the PTX.
func cubinOf(module string, major, minor int) []byte {
	of, err := cubins.ReadFile("kernels/cubins/source.txt")
	if err != nil || "// "+strings.TrimSpace(string(of)) != sourceOf(compressedKernels) {
		return nil
	}
	for _, g := range slices.Backward(generations) {
		if g/10 == major && g%10 <= minor {
			b, err := cubins.ReadFile(fmt.Sprintf("kernels/cubins/%s.sm_%d.gz", module, g))
			if err != nil {
				return nil
			}
			return b
		}
	}
	return nil
}

// image returns the text of a module.
func image(compressed []byte) (string, error) {
	r, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return "", fmt.Errorf("the kernels in this program are damaged: %w", err)
	}
	b, err := io.ReadAll(r)
	if err != nil {
		return "", fmt.Errorf("the kernels in this program are damaged: %w", err)
	}
	return string(b), nil
}

// sourceOf returns the first line of a module: of which source it was made.
func sourceOf(compressed []byte) string {
	text, err := image(compressed)
	if err != nil {
		return ""
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}
