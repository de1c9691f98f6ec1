//go:build cuda

package cuda

import (
	"bytes"
	"compress/gzip"
	_ "embed"
	"fmt"
	"io"
	"strings"
)

// The kernels as PTX, made by `make ptx`; the driver compiles them for the GPU at hand.
//
//go:embed kernels/kernels.ptx.gz
var compressedKernels []byte

//go:embed kernels/tensor.ptx.gz
var compressedTensor []byte

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
