//go:build cuda

package cuda

// #include "calls.h"
// #include <stdlib.h>
import "C"

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// library is cuBLAS or cuDNN, whatever version the machine has, with the handle that a device has of it.
type library struct {
	*loaded
	handle      uint64
	version     string
	out         *[64]uint64                    // where its functions write: memory of C's, which does not move
	descriptors map[described]*convDescriptors // cuDNN's
	plans       map[planned]*planSet           // cuDNN's
}

// loaded is a library as the process has it, once for all devices. It stays: what unloading it would take along is not
// known.
type loaded struct {
	path      string
	functions map[string]uintptr // 0: one that it lacks
}

// process has what was loaded, by path.
var process struct {
	mu     sync.Mutex
	loaded map[string]*loaded
}

// kind is what the device knows of a library before it has one.
type kind struct {
	names     []string // newest first
	functions []string
	optional  []string                    // functions that a library may lack
	create    func(*back, *library) error // makes the device's handle, and finds the version out
	destroy   string                      // the function that lets a handle go
}

// result is the address that a function writes its result to; out[0] is the result.
func (l *library) result() uint64 {
	l.out[0] = 0
	return uint64(uintptr(unsafe.Pointer(l.out)))
}

// libraryFolders are where NVIDIA's libraries lie besides the loader's own path: toolkits, and Python packages.
func libraryFolders() []string {
	dirs := []string{""}
	if home := os.Getenv("CUDA_HOME"); home != "" {
		dirs = append(dirs, filepath.Join(home, "lib64"), filepath.Join(home, "lib"))
	}
	globs := []string{"/usr/local/cuda/lib64", "/usr/local/cuda-*/lib64", "/opt/cuda/lib64", "/usr/lib/*-linux-gnu"}
	roots := []string{"/usr", "/usr/local", "/opt/conda", os.Getenv("VIRTUAL_ENV"), os.Getenv("CONDA_PREFIX")}
	if home, err := os.UserHomeDir(); err == nil {
		roots = append(roots, filepath.Join(home, ".local"))
	}
	for _, root := range roots {
		if root != "" {
			globs = append(
				globs,
				filepath.Join(root, "lib", "python3*", "*-packages", "nvidia", "*", "lib"),
				filepath.Join(root, "lib"),
			)
		}
	}
	for _, g := range globs {
		found, _ := filepath.Glob(g)
		dirs = append(dirs, found...)
	}
	return dirs
}

// load loads the library of a path with its functions, and the optional ones that it has.
func load(path string, functions, optional []string) (*loaded, error) {
	process.mu.Lock()
	defer process.mu.Unlock()
	if l := process.loaded[path]; l != nil {
		return l, nil
	}
	h, err := purego.Dlopen(path, purego.RTLD_NOW|purego.RTLD_LOCAL)
	if err != nil {
		return nil, fmt.Errorf("%s does not load: %w", path, err)
	}
	l := &loaded{path: path, functions: map[string]uintptr{}}
	for _, f := range functions {
		if l.functions[f], err = purego.Dlsym(h, f); err != nil {
			return nil, fmt.Errorf("%s lacks %s", path, f)
		}
	}
	for _, f := range optional {
		l.functions[f], _ = purego.Dlsym(h, f)
	}
	if process.loaded == nil {
		process.loaded = map[string]*loaded{}
	}
	process.loaded[path] = l
	return l, nil
}

// openLibrary opens the first library of a kind that works: it loads, has all functions, and makes a handle. Those
// before it are in the notice; nil where there is none.
func (d *back) openLibrary(k kind) (found *library, notice string) {
	var failures []string
	for _, dir := range libraryFolders() {
		for _, name := range k.names {
			path := filepath.Join(dir, name)
			if dir != "" {
				if _, err := os.Stat(path); err != nil {
					continue
				}
			}
			l, err := load(path, k.functions, k.optional)
			if err != nil {
				if dir != "" { // the loader's own path need not have it
					failures = append(failures, err.Error())
				}
				continue
			}
			u, err := d.use(k, l)
			if err == nil {
				return u, instead(failures, path)
			}
			failures = append(failures, fmt.Sprintf("%s cannot be used: %v", path, err))
		}
	}
	return nil, instead(failures, "the kernels of this program")
}

// instead says what serves where something failed; nothing where nothing did.
func instead(failures []string, by string) string {
	if len(failures) == 0 {
		return ""
	}
	verb := "serve"
	if filepath.IsAbs(by) || strings.HasPrefix(by, "lib") {
		verb = "serves"
	}
	return fmt.Sprintf("%s; %s %s instead", strings.Join(failures, "; "), by, verb)
}

// use makes the device's handle of a library.
func (d *back) use(k kind, l *loaded) (*library, error) {
	leave, err := d.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	u := &library{loaded: l, out: (*[64]uint64)(C.calloc(64, 8))}
	if err := k.create(d, u); err != nil {
		u.close(k.destroy)
		return nil, err
	}
	d.libs.opened = append(d.libs.opened, opened{u, k.destroy})
	return u, nil
}

// close lets the handle go, and what was made with it.
func (l *library) close(destroy string) {
	for _, s := range l.plans {
		s.destroy()
	}
	for _, c := range l.descriptors {
		c.destroy(l)
	}
	if l.handle != 0 {
		_ = l.call(destroy, l.handle)
	}
	C.free(unsafe.Pointer(l.out))
	l.out = nil
}

// call calls a function of the library that returns 0 for success.
func (l *library) call(name string, args ...uint64) error {
	if s := l.status(name, args...); s != 0 {
		return fmt.Errorf("%s: status %d", name, s)
	}
	return nil
}

// status calls a function of up to eight integers and addresses.
func (l *library) status(name string, args ...uint64) int {
	var a [8]C.uint64_t
	for i, v := range args {
		a[i] = C.uint64_t(v)
	}
	return int(C.dns_call(C.uint64_t(l.functions[name]), &a[0]))
}

// ints calls a function of a descriptor and numbers.
func (l *library) ints(name string, first uint64, v ...int) error {
	var a [9]C.int
	for i, n := range v {
		a[i] = C.int(n)
	}
	if s := C.dns_call_ints(C.uint64_t(l.functions[name]), C.uint64_t(first), &a[0], C.int(len(v))); s != 0 {
		return fmt.Errorf("%s: status %d", name, int(s))
	}
	return nil
}

// libraries are what the device found.
type libraries struct {
	blas, dnn *library // nil where there is none, or it is not trusted
	opened    []opened // what is to be closed
	workspace address  // of both: one kernel after the other uses it
	told      bool     // that a graph is not used
}

// opened is a library and the function that lets its handle go.
type opened struct {
	*library
	destroy string
}

// workspaceBytes is what cuBLAS wants on an H100 (its documentation of cublasSetWorkspace), and enough for the
// convolutions.
const workspaceBytes = 64 << 20

var blasFunctions = []string{
	"cublasCreate_v2",
	"cublasDestroy_v2",
	"cublasSetStream_v2",
	"cublasSetWorkspace_v2",
	"cublasGetVersion_v2",
	"cublasGemmEx",
}

// openLibraries loads cuBLAS and cuDNN where they are. Neither is needed.
func (d *back) openLibraries() error {
	if d.opts.NoLibraries {
		return nil
	}
	for _, l := range []struct {
		to   **library
		kind kind
	}{{&d.libs.blas, blas}, {&d.libs.dnn, dnn}} {
		found, notice := d.openLibrary(l.kind)
		*l.to = found
		if notice != "" {
			d.notices = append(d.notices, notice)
		}
	}
	return nil
}

// space allocates the workspace.
func (d *back) space() (address, error) {
	if d.libs.workspace == 0 {
		b, err := d.memory.get(d, workspaceBytes)
		if err != nil {
			return 0, err
		}
		d.libs.workspace = b.addr
	}
	return d.libs.workspace, nil
}

var blas = kind{
	names:     []string{"libcublas.so.13", "libcublas.so.12", "libcublas.so.11"},
	functions: blasFunctions,
	create:    createBLAS,
	destroy:   "cublasDestroy_v2",
}

func createBLAS(d *back, l *library) error {
	if err := l.call("cublasCreate_v2", l.result()); err != nil {
		return err
	}
	l.handle = l.out[0]
	space, err := d.space()
	if err == nil {
		err = l.call("cublasSetStream_v2", l.handle, d.streamWord())
	}
	if err == nil {
		err = l.call("cublasSetWorkspace_v2", l.handle, uint64(space), workspaceBytes)
	}
	if err == nil {
		err = l.call("cublasGetVersion_v2", l.handle, l.result())
	}
	version := int(int32(l.out[0]))
	l.version = fmt.Sprintf("cuBLAS %d.%d", version/10000, version/100%100)
	if version < 110000 { // before 11 a release was four digits
		l.version = fmt.Sprintf("cuBLAS %d", version)
	}
	return err
}

func (d *back) streamWord() uint64 { return uint64(*(*uintptr)(unsafe.Pointer(&d.stream))) }

// compute is how cuBLAS multiplies, by precision: CUBLAS_COMPUTE_32F and its FAST_TF32 and FAST_16BF.
func (p Precision) compute() C.int32_t {
	switch p {
	case TF32:
		return 77
	case BF16:
		return 75
	}
	return 68
}

// blasGemm queues a product by cuBLAS.
func (d *back) blasGemm(w *work) {
	l := d.libs.blas
	transA, transB := w.what.transposed()
	callLibrary(d, C.record_gemm, C.dns_gemm_args{
		call: C.uint64_t(l.functions["cublasGemmEx"]), handle: C.uint64_t(l.handle),
		m: C.int32_t(w.m), n: C.int32_t(w.n), k: C.int32_t(w.k), alpha: C.float(w.e.alpha), beta: C.float(w.e.beta),
		trans_a: C.int32_t(flag(transA)), trans_b: C.int32_t(flag(transB)), compute: d.precision.compute(),
		a: C.uint64_t(w.x), b: C.uint64_t(w.w), c: C.uint64_t(w.y),
	})
}

// callLibrary queues a library's work. Its kernels write no mark; the one before it shows in a failure.
func callLibrary[A any](d *back, kind C.uint32_t, args A) {
	if d.fault.err == nil {
		record(d, C.dns_header{kind: C.uint16_t(kind), mark: C.uint64_t(d.markOf(kFill.id))}, args)
	}
}

// closeLibraries lets the libraries go, those that were not trusted too.
func (d *back) closeLibraries() {
	for _, l := range d.libs.opened {
		l.close(l.destroy)
	}
	d.libs = libraries{}
}

// using says what multiplies matrices.
func (d *back) using() string {
	var parts []string
	for _, l := range []*library{d.libs.blas, d.libs.dnn} {
		if l != nil {
			parts = append(parts, l.version+d.roundingOf(l))
		}
	}
	return strings.Join(append(parts, "kernels of this program"), ", ") + ", " + d.precision.String()
}

// computedBy are the libraries in use, and the precision.
func (d *back) computedBy() (parts []string) {
	for _, l := range []*library{d.libs.blas, d.libs.dnn} {
		if l != nil {
			parts = append(parts, l.version)
		}
	}
	return append(parts, d.precision.String())
}

// roundingOf says how a library multiplies where that is not what was asked for. cuDNN multiplies
// float32 numbers in TF32 at least; cuBLAS is allowed bf16 for them, and takes TF32 where it likes.
func (d *back) roundingOf(l *library) string {
	switch {
	case d.precision != BF16:
		return ""
	case l == d.libs.dnn:
		return " (in bf16 with channels last, else in tf32)"
	}
	return " (in bf16 or tf32, as it chooses)"
}
