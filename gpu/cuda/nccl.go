//go:build cuda

package cuda

// #include "calls.h"
// #include <stdlib.h>
import "C"

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"gorgonia.org/cu"
)

// nccl is NVIDIA's library that sums over GPUs, as the process has it. It is loaded when a device joins a group, or
// somebody asks for it.
type nccl struct {
	*loaded
	version int // as ncclGetVersion counts
}

// ncclNeeded is the oldest version that is known to have its collectives captured in graphs beside others that are not.
const ncclNeeded = 21200

var ncclFunctions = []string{
	"ncclGetVersion",
	"ncclGetUniqueId",
	"ncclCommInitRank",
	"ncclAllReduce",
	"ncclSend",
	"ncclRecv",
	"ncclGroupStart",
	"ncclGroupEnd",
	"ncclCommGetAsyncError",
	"ncclCommAbort",
	"ncclCommDestroy",
	"ncclGetErrorString",
}

// NCCL says which NCCL several GPUs would be joined by, and where it lies. The error says what to install.
func NCCL() (name, path string, err error) {
	if err := driverError(); err != nil {
		return "", "", err
	}
	n, err := findNCCL(cu.Version())
	if err != nil {
		return "", "", err
	}
	return n.name(), n.path, nil
}

// findNCCL loads the first NCCL that is new enough, for a driver's version.
func findNCCL(driver int) (*nccl, error) {
	const name = "libnccl.so.2"
	var failures []string
	for _, dir := range libraryFolders() {
		path := filepath.Join(dir, name)
		if dir != "" {
			if _, err := os.Stat(path); err != nil {
				continue
			}
		}
		l, err := load(path, ncclFunctions, nil)
		switch {
		case err == nil:
			n := &nccl{loaded: l}
			if err = n.readVersion(); err == nil {
				return n, nil
			}
		case dir == "": // the loader's own path need not have it
			continue
		}
		failures = append(failures, err.Error())
	}
	// Python's packages are named after the release of CUDA whose drivers they want.
	install := fmt.Sprintf("`pip install nvidia-nccl-cu%d` brings it, and so do NVIDIA's packages (libnccl2); it is "+
		"looked for on the loader's path (LD_LIBRARY_PATH), under CUDA_HOME, and in Python's packages", driver/1000)
	if len(failures) > 0 {
		return nil, fmt.Errorf("no NCCL that can be used: %s; %s", strings.Join(failures, "; "), install)
	}
	return nil, fmt.Errorf("no NCCL (%s), by which several GPUs sum; %s", name, install)
}

func (n *nccl) readVersion() error {
	version, r := n.number("ncclGetVersion")
	if err := n.result(r); err != nil {
		return fmt.Errorf("%s: ncclGetVersion: %w", n.path, err)
	}
	n.version = version
	if n.version < ncclNeeded {
		return fmt.Errorf("%s is %s; wanted %s or newer", n.path, n.name(), ncclName(ncclNeeded))
	}
	return nil
}

func (n *nccl) name() string { return ncclName(n.version) }

// ncclName writes a version: 21205 is 2.12.5, and before 2.9 2804 was 2.8.4.
func ncclName(v int) string {
	if v < 10000 {
		return fmt.Sprintf("NCCL %d.%d.%d", v/1000, v/100%10, v%100)
	}
	return fmt.Sprintf("NCCL %d.%d.%d", v/10000, v/100%100, v%100)
}

// call calls a function of up to seven integers and addresses, and returns its result.
func (n *nccl) call(name string, args ...uint64) int {
	var a [7]C.uint64_t
	for i, v := range args {
		a[i] = C.uint64_t(v)
	}
	return int(C.dns_call(C.uint64_t(n.functions[name]), &a[0]))
}

// number calls a function that writes an int to where its last argument says.
func (n *nccl) number(name string, args ...uint64) (number, result int) {
	out := (*C.int)(C.calloc(1, 8)) // memory of C's, which does not move
	defer C.free(unsafe.Pointer(out))
	result = n.call(name, append(args, uint64(uintptr(unsafe.Pointer(out))))...)
	return int(*out), result
}

// result is the error that a result stands for; nil for success.
func (n *nccl) result(r int) error {
	if r == 0 {
		return nil
	}
	text := C.GoString(C.dns_call_text(C.uint64_t(n.functions["ncclGetErrorString"]), C.uint64_t(r)))
	return errors.New(text + " (NCCL_DEBUG=WARN has it say more)")
}

// idBytes is NCCL_UNIQUE_ID_BYTES.
const idBytes = 128

// uniqueID makes what ranks find each other by.
func (n *nccl) uniqueID() ([]byte, error) {
	id := C.calloc(1, idBytes)
	defer C.free(id)
	if err := n.result(n.call("ncclGetUniqueId", uint64(uintptr(id)))); err != nil {
		return nil, fmt.Errorf("ncclGetUniqueId: %w", err)
	}
	return C.GoBytes(id, idBytes), nil
}

// initialize makes a rank's communicator, in a context. It waits for all other ranks.
func (n *nccl) initialize(ctx C.CUcontext, ranks int, id []byte, rank int) (comm uint64, err error) {
	at := C.CBytes(id)
	defer C.free(at)
	var out C.uint64_t
	r := C.dns_nccl_init(C.uint64_t(n.functions["ncclCommInitRank"]), ctx, &out, C.int(ranks), at, C.int(rank))
	if err := n.result(int(r)); err != nil {
		return 0, fmt.Errorf("ncclCommInitRank: %w", err)
	}
	return uint64(out), nil
}

// asyncError is what has gone wrong with a communicator since: of a network, or of a kernel.
func (n *nccl) asyncError(comm uint64) error {
	const inProgress = 7
	state, r := n.number("ncclCommGetAsyncError", comm)
	if r == 0 && state != inProgress {
		r = state
	}
	return n.result(r)
}
