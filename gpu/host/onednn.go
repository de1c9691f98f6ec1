package host

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
)

// oneDNN (Intel's library of kernels of neural networks) does convolutions where it is found when the program runs, as
// one way among the others: measured, and compared with our own before it is used. Its C API is called, of versions 2
// and 3. Each call does some images in one thread: the device divides the work itself, so that bits do not depend on
// the number of threads.

// What the C API knows by number; versions 2 and 3 agree in these (dnnl_types.h).
const (
	dnnCPU             = 1
	dnnFloat32         = 3
	dnnAnyLayout       = 1
	dnnForwardTraining = 64
	dnnDirect          = 1
	dnnUserScratchpad  = 1
	dnnInOrder         = 1

	dnnQuerySrc         = 129
	dnnQueryDiffSrc     = 130
	dnnQueryWeights     = 131
	dnnQueryDiffWeights = 132
	dnnQueryDst         = 133
	dnnQueryDiffDst     = 134
	dnnQueryScratchpad  = 136

	dnnArgSrc         = 1
	dnnArgDst         = 17
	dnnArgWeights     = 33
	dnnArgBias        = 41
	dnnArgScratchpad  = 80
	dnnArgDiffSrc     = 129
	dnnArgDiffDst     = 145
	dnnArgDiffWeights = 161

	dnnSequential = 1 // a library that has no threads
	dnnOpenMP     = 2
)

// oneDNN is a library that was found.
type oneDNN struct {
	title      string
	major      int
	lib        uintptr
	functions  map[string]uintptr
	execute    uintptr
	setHandle  uintptr
	setThreads uintptr // of OpenMP, for the calling thread; 0: there are none
	engine     uintptr
	attributes uintptr
	streams    []uintptr // one a worker
	made       uintptr   // what a call has made: addresses that the library is given are not of the stack, which moves
	sizes      []*dnnDims
	rooms      [][]int64 // what descriptions of version 2 lie in
	owned      []dnnOwned
}

// dnnOwned is what a library has made, and what destroys it.
type dnnOwned struct {
	handle  uintptr
	destroy string
}

// dnnVariable names the library to use; "none" is none.
const dnnVariable = "DNS_TUI_ONEDNN"

// dnnNotice says that the library which DNS_TUI_ONEDNN names is not used; "" where none is named.
func dnnNotice(path string, why error) string {
	if path == "" || path == "none" || why == nil {
		return ""
	}
	return fmt.Sprintf("%s names %s, which is not used: %v", dnnVariable, path, why)
}

// dnnLibraries are the names that oneDNN goes by, in the order tried.
func dnnLibraries() []string {
	if path := os.Getenv(dnnVariable); path != "" {
		return []string{path}
	}
	names := []string{"libdnnl.so.3", "libdnnl.so.2", "libdnnl.so"}
	if runtime.GOOS == "darwin" {
		names = []string{"libdnnl.dylib", "/opt/homebrew/lib/libdnnl.dylib", "/usr/local/lib/libdnnl.dylib"}
	}
	if program, err := os.Executable(); err == nil {
		for _, name := range names {
			if beside := filepath.Join(filepath.Dir(program), filepath.Base(name)); fileThere(beside) {
				return append([]string{beside}, names...)
			}
		}
	}
	return names
}

func fileThere(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// dnnVersion is dnnl_version_t.
type dnnVersion struct {
	major, minor, patch int32
	_                   uintptr // hash
	cpuRuntime          uint32
	_                   uint32 // gpu_runtime
}

// loadOneDNN finds oneDNN.
func loadOneDNN(workers int) (*oneDNN, error) {
	lib, name, err := openFirst(dnnLibraries())
	if err != nil {
		return nil, err
	}
	l, err := newOneDNN(lib, workers)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return l, nil
}

func newOneDNN(lib uintptr, workers int) (*oneDNN, error) {
	l := &oneDNN{lib: lib, functions: map[string]uintptr{}}
	version, err := l.function("dnnl_version")
	if err != nil {
		return nil, err
	}
	at, _, _ := purego.SyscallN(version)
	if at == 0 {
		return nil, errors.New("it does not tell its version")
	}
	v := *(**dnnVersion)(unsafe.Pointer(&at)) // an address that the library owns
	l.major = int(v.major)
	l.title = fmt.Sprintf("oneDNN %d.%d.%d", v.major, v.minor, v.patch)
	if l.major != 2 && l.major != 3 {
		return nil, fmt.Errorf("it is %s; wanted version 2 or 3", l.title)
	}
	switch v.cpuRuntime {
	case dnnSequential:
	case dnnOpenMP:
		if l.setThreads, err = l.function("omp_set_num_threads"); err != nil {
			return nil, fmt.Errorf("%s: its OpenMP cannot be told to use one thread: %w", l.title, err)
		}
	default:
		return nil, fmt.Errorf("%s is built for runtime %d; wanted a build for OpenMP (2), or without threads (1)",
			l.title, v.cpuRuntime)
	}
	if l.execute, err = l.function("dnnl_primitive_execute"); err != nil {
		return nil, err
	}
	if l.setHandle, err = l.function("dnnl_memory_set_data_handle"); err != nil {
		return nil, err
	}
	defer l.alone()()
	if err := l.make(&l.engine, "dnnl_engine_create", dnnCPU, 0); err != nil {
		return nil, err
	}
	if err := l.make(&l.attributes, "dnnl_primitive_attr_create"); err != nil {
		return nil, err
	}
	if err := l.call("dnnl_primitive_attr_set_scratchpad_mode", l.attributes, dnnUserScratchpad); err != nil {
		return nil, err
	}
	l.streams = make([]uintptr, workers)
	for i := range l.streams {
		if err := l.make(&l.streams[i], "dnnl_stream_create", l.engine, dnnInOrder); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// alone keeps the calling goroutine to its thread, and the library to that thread, until what it returns is called.
func (l *oneDNN) alone() (done func()) {
	runtime.LockOSThread()
	l.oneThread()
	return runtime.UnlockOSThread
}

// oneThread are the arguments of omp_set_num_threads, which a call does not allocate.
var oneThread = []uintptr{1}

// oneThread makes what the calling thread does in the library use that thread alone.
func (l *oneDNN) oneThread() {
	if l.setThreads != 0 {
		purego.SyscallN(l.setThreads, oneThread...)
	}
}

func (l *oneDNN) function(name string) (uintptr, error) {
	if f, ok := l.functions[name]; ok {
		return f, nil
	}
	f, err := purego.Dlsym(l.lib, name)
	if err != nil {
		return 0, fmt.Errorf("it has no %s: %w", name, err)
	}
	l.functions[name] = f
	return f, nil
}

// call calls a function that returns a status.
func (l *oneDNN) call(name string, args ...uintptr) error {
	f, err := l.function(name)
	if err != nil {
		return err
	}
	if status, _, _ := purego.SyscallN(f, args...); int32(status) != 0 {
		return fmt.Errorf("%s: %s returned %d", l.title, name, int32(status))
	}
	return nil
}

// make calls a function that returns a status, and what it has made by its first argument.
func (l *oneDNN) make(made *uintptr, name string, args ...uintptr) error {
	l.made = 0
	err := l.call(name, append([]uintptr{addressOf(&l.made)}, args...)...)
	if *made = l.made; l.made != 0 && err == nil {
		l.owned = append(l.owned, dnnOwned{l.made, destroyer(name)})
	}
	return err
}

// destroyer is the name of the function that destroys what another has made.
func destroyer(name string) string {
	if strings.HasSuffix(name, "_primitive_desc_create") {
		return "dnnl_primitive_desc_destroy"
	}
	what, _, _ := strings.Cut(name, "_create")
	return what + "_destroy"
}

// close destroys all that was made.
func (l *oneDNN) close() {
	for _, o := range slices.Backward(l.owned) {
		_ = l.call(o.destroy, o.handle)
	}
	l.owned, l.rooms = nil, nil
}

// dnnDims are sizes as the library wants them.
type dnnDims [12]int64

// dims returns the address of sizes, which stay there until the library has read them.
func (l *oneDNN) dims(sizes ...int) uintptr {
	d := new(dnnDims)
	for i, n := range sizes {
		d[i] = int64(n)
	}
	l.sizes = append(l.sizes, d)
	return addressOf(d)
}

// layout describes an array: one that lies as arrays lie here, or one that may lie as suits the library. Version 2
// wants room for the description, which is some 700 bytes there, and version 3 makes it.
func (l *oneDNN) layout(plain bool, sizes ...int) (uintptr, error) {
	what, last, name := l.dims(sizes...), uintptr(dnnAnyLayout), "tag"
	if plain {
		steps := make([]int, len(sizes))
		step := 1
		for i := len(sizes) - 1; i >= 0; i-- {
			steps[i] = step
			step *= sizes[i]
		}
		last, name = l.dims(steps...), "strides"
	}
	args := []uintptr{uintptr(len(sizes)), what, dnnFloat32, last}
	if l.major == 2 {
		room := l.keep(4096)
		return room, l.call("dnnl_memory_desc_init_by_"+name, append([]uintptr{room}, args...)...)
	}
	var made uintptr
	err := l.make(&made, "dnnl_memory_desc_create_with_"+name, args...)
	return made, err
}

// keep returns room of that many bytes, for as long as the library is used.
func (l *oneDNN) keep(bytes int) uintptr {
	room := make([]int64, bytes/8)
	l.rooms = append(l.rooms, room)
	return addressOf(&room[0])
}

// sizeOf returns the bytes of an array.
func (l *oneDNN) sizeOf(layout uintptr) int {
	f, err := l.function("dnnl_memory_desc_get_size")
	if err != nil || layout == 0 {
		return 0
	}
	n, _, _ := purego.SyscallN(f, layout)
	return int(n)
}

// query returns a layout that a primitive wants.
func (l *oneDNN) query(description uintptr, what int) uintptr {
	f, err := l.function("dnnl_primitive_desc_query_md")
	if err != nil {
		return 0
	}
	layout, _, _ := purego.SyscallN(f, description, uintptr(what), 0)
	return layout
}

func (l *oneDNN) same(a, b uintptr) bool {
	f, err := l.function("dnnl_memory_desc_equal")
	if err != nil {
		return false
	}
	is, _, _ := purego.SyscallN(f, a, b)
	return int32(is) != 0
}
