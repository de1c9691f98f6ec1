package host

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"

	"github.com/ebitengine/purego"
	"gonum.org/v1/gonum/blas"
	"gonum.org/v1/gonum/blas/gonum"

	"dns-tui/human"
	"dns-tui/memory"
)

// A multiplier computes C = alpha·op(A)·op(B) + beta·C on row-major matrices with leading dimensions, in the
// calling thread. worker tells calls that may run at the same time apart.
type multiplier interface {
	name() string
	version() string // its name, and which it is: "OpenBLAS 0.3.21 (Cooperlake)"
	gemm(
		worker int,
		transA, transB bool,
		m, n, k int,
		alpha float32,
		a []float32,
		lda int,
		b []float32,
		ldb int,
		beta float32,
		c []float32,
		ldc int,
	)
}

// openBLAS calls sgemm_ of a libopenblas that is found at run time. The Fortran entry takes every argument by
// address, so a call needs no float registers and no reflection: nothing is allocated.
type openBLAS struct {
	title string
	exact string // its version
	sgemm uintptr
	calls []gemmCall // one a worker
}

// gemmCall holds the scalars of a call where C can point to them, and the addresses of all arguments; both live as long
// as the device, so a call allocates nothing. Padded against false sharing.
type gemmCall struct {
	transA, transB         [4]byte
	m, n, k, lda, ldb, ldc int32
	alpha, beta            float32
	args                   [15]uintptr
	_                      [64]byte
}

// The positions of the matrices among the arguments of sgemm_.
const (
	argA = 6
	argB = 8
	argC = 11
)

// prepare fills in the arguments that are the same in every call.
func (g *gemmCall) prepare() {
	g.args = [15]uintptr{
		addressOf(&g.transA), addressOf(&g.transB), addressOf(&g.m), addressOf(&g.n), addressOf(&g.k),
		addressOf(&g.alpha), argA: 0, addressOf(&g.lda), argB: 0, addressOf(&g.ldb),
		addressOf(&g.beta), argC: 0, addressOf(&g.ldc),
		1, 1, // the lengths of the two character arguments
	}
}

func addressOf[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// blasVariable names the library to use.
const blasVariable = "DNS_TUI_OPENBLAS"

// blasNotice says why OpenBLAS is not used, and what to do: another name where one was given, at path.
func blasNotice(path string, err error) string {
	const instead = "gonum multiplies matrices, several times slower, where this program's tiles do not"
	if path != "" {
		return fmt.Sprintf("%s names %s, which is not used: %v; %s", blasVariable, path, err, instead)
	}
	return fmt.Sprintf("OpenBLAS was not found (%v); %s. Install it with the system's package manager (Debian: "+
		"libopenblas0-pthread).", err, instead)
}

// libraries are the names that OpenBLAS goes by, in the order tried.
func libraries() []string {
	if path := os.Getenv(blasVariable); path != "" {
		return []string{path}
	}
	if runtime.GOOS == "darwin" {
		return []string{
			"/opt/homebrew/opt/openblas/lib/libopenblas.dylib",
			"/usr/local/opt/openblas/lib/libopenblas.dylib",
			"libopenblas.dylib",
		}
	}
	return []string{"libopenblas.so.0", "libopenblas.so"}
}

// loadOpenBLAS finds OpenBLAS and sets it to one thread a call: the device divides the work itself.
func loadOpenBLAS(workers int) (*openBLAS, error) {
	if err := checkRoom(workers); err != nil {
		return nil, err
	}
	// Read when the library is loaded: without it, it starts a thread a processor, with a buffer for each.
	if os.Getenv("OPENBLAS_NUM_THREADS") == "" {
		os.Setenv("OPENBLAS_NUM_THREADS", "1")
	}
	lib, name, err := openFirst(libraries())
	if err != nil {
		return nil, err
	}
	sgemm, err := purego.Dlsym(lib, "sgemm_")
	if err != nil {
		return nil, fmt.Errorf("%s has no sgemm_: %w", name, err)
	}
	o := &openBLAS{title: "OpenBLAS", exact: "OpenBLAS", sgemm: sgemm, calls: make([]gemmCall, workers)}
	for i := range o.calls {
		o.calls[i].prepare()
	}
	if set, err := purego.Dlsym(lib, "openblas_set_num_threads"); err == nil {
		purego.SyscallN(set, 1)
	}
	told := func(function string) string {
		at, err := purego.Dlsym(lib, function)
		if err != nil {
			return ""
		}
		var f func() string
		purego.RegisterFunc(&f, at)
		return f()
	}
	// "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ..."; older ones begin with how they were built.
	if words := strings.Fields(told("openblas_get_config")); len(words) > 1 && words[0] == "OpenBLAS" {
		o.exact += " " + words[1]
	}
	if core := told("openblas_get_corename"); core != "" {
		o.title, o.exact = "OpenBLAS, "+core, o.exact+" ("+core+")"
	}
	if err := reserve(lib, workers); err != nil {
		return nil, err
	}
	return o, nil
}

// openFirst opens the first library of those that loads; where none does the error is the first's.
func openFirst(names []string) (lib uintptr, name string, err error) {
	for _, n := range names {
		l, e := purego.Dlopen(n, purego.RTLD_NOW|purego.RTLD_LOCAL)
		if e == nil {
			return l, n, nil
		}
		if err == nil {
			err = e
		}
	}
	return 0, "", err
}

// Under a limit of address space OpenBLAS is used where there is room for it: when it cannot map a buffer it tries
// again for ever. It maps a buffer for each call that runs at the same time, and keeps it.
const (
	libraryRoom = 64 << 20
	bufferRoom  = 128 << 20 // of one buffer, in the builds that have the largest
	otherRoom   = 256 << 20 // for everything else
)

// A roomError says that a limit of address space leaves no room for OpenBLAS.
type roomError struct{ limit, left, want int64 }

func (e *roomError) Error() string {
	return fmt.Sprintf(
		"the address space is limited to %s (ulimit -v) and %s of it are left; OpenBLAS wants %s",
		human.Bytes(e.limit),
		human.Bytes(max(0, e.left)),
		human.Bytes(e.want),
	)
}

func checkRoom(workers int) error {
	left, limit, limited := memory.AddressSpace()
	if want := int64(libraryRoom + otherRoom + workers*bufferRoom); limited && left < want {
		return &roomError{limit, left, want}
	}
	return nil
}

// reserve makes OpenBLAS map its buffers now, where address space is limited: what the net will want comes after.
func reserve(lib uintptr, workers int) error {
	if _, _, limited := memory.AddressSpace(); !limited {
		return nil
	}
	get, err := purego.Dlsym(lib, "blas_memory_alloc")
	if err != nil {
		return nil // another build: the room was looked at
	}
	put, err := purego.Dlsym(lib, "blas_memory_free")
	if err != nil {
		return nil
	}
	var buffers []uintptr
	defer func() {
		for _, b := range buffers {
			purego.SyscallN(put, b)
		}
	}()
	for i := range workers {
		left, limit, _ := memory.AddressSpace()
		if want := int64(bufferRoom + otherRoom); left < want {
			return &roomError{limit, left, int64(workers-i)*bufferRoom + otherRoom}
		}
		b, _, _ := purego.SyscallN(get, 0)
		buffers = append(buffers, b)
	}
	return nil
}

func (o *openBLAS) name() string { return o.title }

func (o *openBLAS) version() string { return o.exact }

func (o *openBLAS) gemm(
	worker int,
	transA, transB bool,
	m, n, k int,
	alpha float32,
	a []float32,
	lda int,
	b []float32,
	ldb int,
	beta float32,
	c []float32,
	ldc int,
) {
	g := &o.calls[worker]
	// Row-major C is column-major Cᵀ = op(B)ᵀ·op(A)ᵀ: the operands are swapped.
	g.transA[0], g.transB[0] = fortranTrans(transB), fortranTrans(transA)
	g.m, g.n, g.k = int32(n), int32(m), int32(k)
	g.lda, g.ldb, g.ldc = int32(ldb), int32(lda), int32(ldc)
	g.alpha, g.beta = alpha, beta
	g.args[argA], g.args[argB], g.args[argC] = addressOf(&b[0]), addressOf(&a[0]), addressOf(&c[0])
	purego.SyscallN(o.sgemm, g.args[:]...)
	// Addresses in an array of numbers keep nothing alive.
	runtime.KeepAlive(a)
	runtime.KeepAlive(b)
	runtime.KeepAlive(c)
}

func fortranTrans(t bool) byte {
	if t {
		return 'T'
	}
	return 'N'
}

// goBLAS is gonum's pure Go implementation.
type goBLAS struct{}

func (goBLAS) name() string { return "gonum" }

func (g goBLAS) version() string { return g.name() }

func (goBLAS) gemm(
	_ int,
	transA, transB bool,
	m, n, k int,
	alpha float32,
	a []float32,
	lda int,
	b []float32,
	ldb int,
	beta float32,
	c []float32,
	ldc int,
) {
	gonum.Implementation{}.Sgemm(gonumTrans(transA), gonumTrans(transB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc)
}

func gonumTrans(t bool) blas.Transpose {
	if t {
		return blas.Trans
	}
	return blas.NoTrans
}
