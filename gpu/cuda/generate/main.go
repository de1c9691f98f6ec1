// Command generate writes what Go and C must know of the kernels to launch them: a struct of arguments for each, and
// where each argument lies in it. It reads the kernels' signatures in CUDA C. `go generate ./gpu/cuda` runs it.
package main

import (
	"fmt"
	"os"
	"path/filepath"
)

func main() {
	if err := write("kernels", "."); err != nil {
		fmt.Fprintln(os.Stderr, "generate:", err)
		os.Exit(1)
	}
}

// The files that are written.
const (
	goFile = "kernels_gen.go"
	cFile  = "kernels_gen.h"
)

// write reads the kernels in one folder and writes the files into another.
func write(kernels, to string) error {
	files, err := generated(kernels)
	if err != nil {
		return err
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(to, name), text, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// generated returns the files, by their names.
func generated(kernels string) (map[string][]byte, error) {
	src, err := load(kernels)
	if err != nil {
		return nil, err
	}
	text, err := printGo(src)
	if err != nil {
		return nil, err
	}
	header, err := printC(src)
	return map[string][]byte{goFile: text, cFile: header}, err
}
