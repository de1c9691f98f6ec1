// Package mpi calls an MPI library that is found when the program runs, without cgo. It has the few functions that
// passing arrays between ranks takes.
//
// Libraries come in three dialects, which differ in what a communicator, a data type or a request is: the standard ABI
// of MPI 5 (libmpi_abi), numbers in pointers; MPICH and its relatives (Intel MPI, MVAPICH, Cray MPICH), numbers of 32
// bits; Open MPI, addresses of its own variables.
//
// All calls come from one thread of the system, as MPI_THREAD_FUNNELED wants.
package mpi

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"strings"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"
)

// A library is one that was loaded, with its dialect.
type library struct {
	path     string
	version  string
	openMPI  bool
	handle32 bool // requests have 32 bits
	world    uintptr
	byteType uintptr
	returns  uintptr // the error handler that has calls return errors
	funneled uintptr
	ignore   uintptr // in place of statuses

	initThread, finalize, rank, size, setHandler, errorString, isend, irecv, test uintptr
}

// bind looks up what is called, and finds out which dialect it speaks.
func bind(path string, handle uintptr) (*library, error) {
	l := &library{path: path}
	for name, f := range map[string]*uintptr{
		"MPI_Init_thread": &l.initThread, "MPI_Finalize": &l.finalize, "MPI_Comm_rank": &l.rank,
		"MPI_Comm_size": &l.size, "MPI_Comm_set_errhandler": &l.setHandler, "MPI_Error_string": &l.errorString,
		"MPI_Isend": &l.isend, "MPI_Irecv": &l.irecv, "MPI_Test": &l.test,
	} {
		var err error
		if *f, err = purego.Dlsym(handle, name); err != nil {
			return nil, fmt.Errorf("%s has no %s: %v", path, name, err)
		}
	}
	version, err := purego.Dlsym(handle, "MPI_Get_library_version")
	if err != nil {
		return nil, fmt.Errorf("%s is older than MPI 3: %v", path, err)
	}
	var text [8192]byte
	var length int32
	purego.SyscallN(version, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(&length)))
	l.version = string(text[:max(0, min(int(length), len(text)))])
	l.openMPI = strings.Contains(l.version, "Open MPI")

	if communicator, err := purego.Dlsym(handle, "ompi_mpi_comm_world"); err == nil {
		l.world, l.funneled = communicator, 1
		for name, p := range map[string]*uintptr{"ompi_mpi_byte": &l.byteType, "ompi_mpi_errors_return": &l.returns} {
			if *p, err = purego.Dlsym(handle, name); err != nil {
				return nil, fmt.Errorf("%s has no %s: %v", path, name, err)
			}
		}
		return l, nil
	}
	if file, err := filepath.EvalSymlinks(path); strings.Contains(filepath.Base(path), "mpi_abi") ||
		err == nil && strings.Contains(filepath.Base(file), "mpi_abi") {
		l.world, l.byteType, l.returns, l.funneled = 0x101, 0x247, 0x143, 1024 // MPI 5.0, appendix A.1
		return l, nil
	}
	l.world, l.byteType, l.returns, l.funneled = 0x44000000, 0x4c00010d, 0x54000001, 1 // MPICH's ABI initiative
	l.handle32, l.ignore = true, 1
	return l, nil
}

// Name is the library's name and version, in short.
func (l *library) name() string {
	first, _, _ := strings.Cut(l.version, "\n")
	fields := strings.Fields(strings.NewReplacer(",", " ", "Version:", " ", "\t", " ").Replace(first))
	switch {
	case l.openMPI && len(fields) > 2: // "Open MPI v4.1.4, package: …"
		return "Open MPI " + strings.TrimPrefix(fields[2], "v")
	case len(fields) > 1 && fields[0] == "MPICH": // "MPICH Version:	4.0.2"
		return "MPICH " + fields[1]
	case strings.HasPrefix(first, "Intel"): // "Intel(R) MPI Library 2021.19 for Linux* OS"
		return "Intel MPI " + fields[min(len(fields)-1, 3)]
	}
	return strings.TrimSpace(first)
}

// World is the ranks of MPI_COMM_WORLD, seen by one of them.
type World struct {
	lib        *library
	rank, size int
	calls      chan func() error
	results    chan error
}

// Launched is what the launcher says.
type Launched struct {
	By         string // its name, for messages
	Family     string // "Open MPI", "MPICH", or empty
	Rank, Size int
}

// Open loads a library and starts MPI. What the launcher said must be what MPI says: a library that does not know the
// launcher would take each process for the only one. It waits at most timeout for the others, who start MPI too.
func Open(p Launched, timeout time.Duration) (*World, error) {
	w := &World{calls: make(chan func() error), results: make(chan error, 1)}
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread() // until the process ends: MPI knows its thread
		err := w.start(p)
		started <- err
		if err == nil {
			for call := range w.calls {
				w.results <- call()
			}
		}
	}()
	select {
	case err := <-started:
		if err != nil {
			return nil, err
		}
		return w, nil
	case <-time.After(timeout):
		return nil, fmt.Errorf("MPI did not start within %v: some of the %d ranks that %s started have not come to it",
			timeout, p.Size, p.By)
	}
}

func (w *World) start(p Launched) error {
	l, err := load(p.Family)
	if err != nil {
		return fmt.Errorf("%s started %d ranks, and there is %w", p.By, p.Size, err)
	}
	w.lib = l
	if p.Family != "" && l.openMPI != (p.Family == "Open MPI") {
		return fmt.Errorf(
			"%s started the ranks, and %s is %s, which does not know it: %s must name a library of %s's, or "+
				"be unset",
			p.By,
			l.path,
			l.name(),
			EnvLibrary,
			p.Family,
		)
	}
	keepSignals()
	number := new(int32)
	if err := w.call("MPI_Init_thread", l.initThread, 0, 0, l.funneled, uintptr(unsafe.Pointer(number))); err != nil {
		return err
	}
	provided := *number
	if err := w.call("MPI_Comm_rank", l.rank, l.world, uintptr(unsafe.Pointer(number))); err != nil {
		return err
	}
	w.rank = int(*number)
	if err := w.call("MPI_Comm_size", l.size, l.world, uintptr(unsafe.Pointer(number))); err != nil {
		return err
	}
	w.size = int(*number)
	switch {
	case w.size != p.Size:
		return fmt.Errorf(
			"%s started %d ranks, and %s (%s) knows of %d: mpirun and library must be of one installation "+
				"(%s names a library)",
			p.By,
			p.Size,
			l.name(),
			l.path,
			w.size,
			EnvLibrary,
		)
	case w.rank != p.Rank:
		return fmt.Errorf("%s says that this is rank %d, and %s that it is rank %d", p.By, p.Rank, l.name(), w.rank)
	case uintptr(provided) < l.funneled:
		return fmt.Errorf("%s supports no program with threads: wanted MPI_THREAD_FUNNELED", l.name())
	}
	return w.call("MPI_Comm_set_errhandler", l.setHandler, l.world, l.returns)
}

// keepSignals has Open MPI leave the signals of faults alone: its handlers would run on the stacks of goroutines. The
// environment is that of C, which has a copy of its own where the program has no cgo.
func keepSignals() {
	set, err := purego.Dlsym(purego.RTLD_DEFAULT, "setenv")
	if err != nil {
		return
	}
	name, value := []byte("OMPI_MCA_opal_signal\x00"), []byte{0}
	purego.SyscallN(set, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&value[0])), 0)
	runtime.KeepAlive(name)
}

// call makes a call on MPI's thread. What args point to moves to the heap: the conversions stand in the call itself.
//
//go:uintptrescapes
func (w *World) call(name string, f uintptr, args ...uintptr) error {
	code, _, _ := purego.SyscallN(f, args...)
	if int32(code) == 0 {
		return nil
	}
	var text [1024]byte
	var length int32
	purego.SyscallN(w.lib.errorString, code, uintptr(unsafe.Pointer(&text[0])), uintptr(unsafe.Pointer(&length)))
	return fmt.Errorf("%s: %s (%s)", name, text[:max(0, min(int(length), len(text)))], w.lib.name())
}

// Rank is this process's number, Size how many there are.
func (w *World) Rank() int { return w.rank }

// Size is how many ranks there are.
func (w *World) Size() int { return w.size }

// Name is the library's, with its version: "Open MPI 4.1.4".
func (w *World) Name() string { return w.lib.name() }

// Do runs f on MPI's thread, and waits for it, from one goroutine at a time. The methods of Requests are called there.
// When stop is closed f has some seconds more to return; then it is given up, and with it MPI.
func (w *World) Do(f func() error, stop <-chan struct{}) error {
	w.calls <- f
	select {
	case err := <-w.results:
		return err
	case <-stop:
	}
	select {
	case err := <-w.results:
		return err
	case <-time.After(patience):
		return ErrStopped
	}
}

// patience is how long a call of the library's may take that should have returned.
const patience = 5 * time.Second

// Close ends MPI in good order: all ranks do so. Nothing may be on its way.
func (w *World) Close() error {
	now := make(chan struct{})
	close(now)
	err := w.Do(func() error { return w.call("MPI_Finalize", w.lib.finalize) }, now)
	if errors.Is(err, ErrStopped) {
		return fmt.Errorf("MPI_Finalize did not return (%s)", w.lib.name())
	}
	return err
}

// ErrStopped is of a wait that was given up.
var ErrStopped = errors.New("stopped")

// Requests are messages on their way. What they send from and receive into stays as it is, and is kept, until they are
// done.
type Requests struct {
	w    *World
	all  []uint64 // what MPI takes for a request: the first 4 bytes, or 8
	held [][]byte
	done int
	flag int32
}

// NewRequests makes room for n.
func (w *World) NewRequests(n int) *Requests {
	return &Requests{w: w, all: make([]uint64, 0, n), held: make([][]byte, 0, n)}
}

// Send begins to send b to a rank.
func (q *Requests) Send(b []byte, to, tag int) error {
	return q.begin("MPI_Isend", q.w.lib.isend, b, to, tag)
}

// Receive begins to receive b from a rank. Messages of one rank with one tag come in the order in which they were sent.
func (q *Requests) Receive(b []byte, from, tag int) error {
	return q.begin("MPI_Irecv", q.w.lib.irecv, b, from, tag)
}

func (q *Requests) begin(name string, f uintptr, b []byte, other, tag int) error {
	if len(q.all) == cap(q.all) {
		return fmt.Errorf("%s: more than %d messages at once", name, cap(q.all))
	}
	q.all, q.held = append(q.all, 0), append(q.held, b)
	l := q.w.lib
	return q.w.call(name, f, uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), l.byteType, uintptr(other),
		uintptr(tag), l.world, uintptr(unsafe.Pointer(&q.all[len(q.all)-1])))
}

// A library moves data only while it is asked, some ten thousand bytes at a time. So a wait asks without a pause,
// giving the core to whoever else wants it, as long as something came lately. Then it naps: who is waited for computes.
const (
	eager = time.Millisecond
	nap   = 50 * time.Microsecond
	looks = 40 // between two naps
)

// Wait waits until all are done, or stop says to give up: what was on its way then stays so, and its memory must not be
// used again.
func (q *Requests) Wait(stop func() bool) error {
	since := time.Now()
	for look := 0; ; look++ {
		moved, err := q.Test()
		if err != nil {
			return err
		}
		if q.done == len(q.all) {
			q.all, q.held, q.done = q.all[:0], q.held[:0], 0
			return nil
		}
		switch {
		case moved:
			since = time.Now()
		case look%looks != 0:
			_, _, _ = unix.Syscall(unix.SYS_SCHED_YIELD, 0, 0, 0)
		case stop():
			return ErrStopped
		case time.Since(since) > eager:
			sleep := unix.NsecToTimespec(int64(nap))
			_ = unix.Nanosleep(&sleep, nil)
		}
	}
}

// Test sees which are done, and says whether some became so. All progress of MPI's is made in here.
func (q *Requests) Test() (moved bool, err error) {
	for q.done < len(q.all) {
		q.flag = 0
		// The library makes the request a null request when it is done.
		if err := q.w.call("MPI_Test", q.w.lib.test, uintptr(unsafe.Pointer(&q.all[q.done])),
			uintptr(unsafe.Pointer(&q.flag)), q.w.lib.ignore); err != nil {
			return moved, err
		}
		if q.flag == 0 {
			return moved, nil
		}
		q.done++
		moved = true
	}
	return moved, nil
}
