package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// The generated files are what the generator makes of the kernels.
func TestFresh(t *testing.T) {
	files, err := generated("../kernels")
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range files {
		have, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != string(want) {
			t.Errorf("%s is not what the kernels' sources give; `go generate ./gpu/cuda` makes it anew", name)
		}
	}
}

// What is read of CUDA C, on a source with all that the kernels' sources use.
func TestParse(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{
		"all.cu": `#include "part.cu"
`,
		"part.cu": `#include "common.cuh"
#define KERNEL(threads, name, ...) extern "C" __global__ void name(__VA_ARGS__)
#define EACH(i, n) for (int i = 0; i < n; i++)
struct Pair { // with a function
	int a;
	const float *x, *y;
	__device__ int of(int i) const { if (i) { return a; } return i; }
	unsigned rest[3];
};
#define ONE(name, T) \
	KERNEL(256, name, Pair p) { \
		T; \
	}
#define SOME(size, T) ONE(first_##size, T) \
	ONE(second_##size, T)
SOME(32, int)
// KERNEL(256, not_this, int n) {
KERNEL(256, add, int n, const Pair *p, double d,
	Pair by_value) {
	EACH(i, n) {}
}
`,
		"common.cuh": "#pragma once\n",
		"tensor.cu":  "#include \"common.cuh\"\nBLOCK_KERNEL(256, last, float f, unsigned *u) {\n",
		"nhwc.cu": `#define NUMBER unsigned short
#define LAST(name) name##_bf16
#include "twice.cu"
#undef NUMBER
#undef LAST
#define NUMBER float
#define LAST(name) name##_f32
#include "twice.cu"
`,
		"twice.cu": `#include "common.cuh"
KERNEL(256, LAST(wide), const NUMBER *h, uint4 *v) {
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	src, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	text, err := printGo(src)
	if err != nil {
		t.Fatal(err)
	}
	have := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		"kFirst32 = kernel[cPair]{0} kSecond32 = kernel[cPair]{1}",
		"kWideBf16 = kernel[wideArgs]{4} kWideF32 = kernel[wideArgs]{5}",
		"kAdd = kernel[addArgs]{2} kLast = kernel[lastArgs]{3}",
		"firstTensor kernelID = 3 firstNhwc kernelID = 4 kernelCount kernelID = 6",
		`{ "first_32", "second_32", "add", "last", "wide_bf16", "wide_f32", }`,
		"type cPair struct { a int32 gap0 [4]byte x address y address rest [3]uint32 gap1 [4]byte }",
		"type addArgs struct { n int32 gap0 [4]byte p address d float64 byValue cPair }",
		"type wideArgs struct { h address v address }",
		"type lastArgs struct { f float32 gap0 [4]byte u address }",
	} {
		if !strings.Contains(have, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
	header, err := printC(src)
	if err != nil {
		t.Fatal(err)
	}
	if want := "{4, {0, 8, 16, 24}}, // add"; !strings.Contains(string(header), want) {
		t.Errorf("no %q in\n%s", want, header)
	}
}
