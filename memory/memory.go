// Package memory says how much memory there is before some is asked for: Go ends a program that asks for more, with a
// trace of its own in place of a message.
package memory

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"dns-tui/human"

	"golang.org/x/sys/unix"
)

// Room is what may still be allocated, and what bounds it.
type Room struct {
	Bytes int64  // math.MaxInt64 where nothing is known
	Bound string // "of this machine", "of its cgroup", "under ulimit -v"
}

// An Error is a want of more memory than there is.
type Error struct {
	What  string
	Bytes int64
	Room  Room
}

func (e *Error) Error() string {
	return fmt.Sprintf(
		"%s: %s of memory wanted, %s are left %s",
		e.What,
		human.Bytes(e.Bytes),
		human.Bytes(e.Room.Bytes),
		e.Room.Bound,
	)
}

// small is what is not checked: a look at the system costs some 50 µs.
const small = 32 << 20

// Check reports whether bytes more can be allocated, for what. It is meant for sizes that a file or a person names;
// small ones pass without a look.
func Check(what string, bytes int64) error {
	if bytes >= 0 && bytes < small {
		return nil
	}
	return check(what, bytes, 0)
}

func check(what string, bytes, untouched int64) error {
	if room := left(untouched); bytes < 0 || bytes > room.Bytes {
		return &Error{what, max(bytes, 0), room}
	}
	return nil
}

// An Account is for who allocates much in many pieces, which the system counts only when they are touched. It is not
// for several goroutines at once.
type Account struct{ unchecked int64 }

// Check is Check of a further piece, where held bytes were allocated before. Small pieces are looked at when they
// have become much together.
func (a *Account) Check(what string, bytes, held int64) error {
	if a.unchecked += max(bytes, 0); bytes >= 0 && a.unchecked < small {
		return nil
	}
	return a.Again(what, bytes, held)
}

// Again is Check that looks in any case.
func (a *Account) Again(what string, bytes, held int64) error {
	a.unchecked = 0
	return check(what, bytes, max(0, held-Resident()))
}

// Product returns the product of factors, or math.MaxInt64 where it is larger or a factor is negative: bytes to Check.
func Product(factors ...int64) int64 {
	n := int64(1)
	for _, f := range factors {
		if f < 0 || f > 0 && n > math.MaxInt64/f {
			return math.MaxInt64
		}
		n *= f
	}
	return n
}

// Left returns what may be allocated now: the least of what the machine has, what its control groups and what the
// limits of the process leave.
func Left() Room { return left(0) }

// left is Left where some memory was allocated and is not touched yet.
func left(untouched int64) Room {
	r := Room{math.MaxInt64, ""}
	take := func(n int64, ok bool, bound string) {
		if ok && n < r.Bytes {
			r = Room{max(n, 0), bound}
		}
	}
	n, ok := machine()
	take(n-untouched, ok, "of this machine")
	n, ok = groups()
	take(n-untouched, ok, "of the memory of its cgroup")
	if left, _, limited := AddressSpace(); limited {
		take(left, true, "under the limit of address space (ulimit -v)")
	}
	return r
}

// machine is the memory that can be had without swapping, and the swap space.
func machine() (int64, bool) {
	free, ok := field("/proc/meminfo", "MemAvailable:")
	if !ok {
		return 0, false
	}
	swap, _ := field("/proc/meminfo", "SwapFree:")
	return free + swap, true
}

// field reads a line "NAME: NUMBER kB".
func field(path, name string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	_, rest, ok := bytes.Cut(data, []byte(name))
	if !ok {
		return 0, false
	}
	words := bytes.Fields(rest[:max(0, bytes.IndexByte(append(slices.Clip(rest), '\n'), '\n'))])
	if len(words) == 0 {
		return 0, false
	}
	n, err := strconv.ParseInt(string(words[0]), 10, 64)
	return n << 10, err == nil
}

// AddressSpace returns what RLIMIT_AS leaves of the address space, and the limit.
func AddressSpace() (left, limit int64, limited bool) {
	var l unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_AS, &l) != nil || l.Cur > math.MaxInt64 || l.Cur == unix.RLIM_INFINITY {
		return 0, 0, false
	}
	used, ok := field("/proc/self/status", "VmSize:")
	if !ok {
		return 0, 0, false
	}
	return int64(l.Cur) - used, int64(l.Cur), true
}

// Resident returns the memory that the process has touched.
func Resident() int64 {
	n, _ := field("/proc/self/status", "VmRSS:")
	return n
}

// groups is the least that a control group of the process, or one above it, leaves. What the kernel would give back
// of files that were read counts as free.
func groups() (int64, bool) {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0, false
	}
	least, found := int64(math.MaxInt64), false
	for line := range strings.SplitSeq(string(data), "\n") {
		id, rest, _ := strings.Cut(line, ":")
		controllers, path, ok := strings.Cut(rest, ":")
		if !ok {
			continue
		}
		var n int64
		switch {
		case id == "0" && controllers == "":
			n, ok = group("/sys/fs/cgroup", path, "memory.max", "memory.current", "inactive_file")
		case strings.Contains(","+controllers+",", ",memory,"):
			n, ok = group(
				"/sys/fs/cgroup/memory",
				path,
				"memory.limit_in_bytes",
				"memory.usage_in_bytes",
				"total_inactive_file",
			)
		default:
			ok = false
		}
		if ok {
			least, found = min(least, n), true
		}
	}
	return least, found
}

func group(root, path, limit, usage, files string) (int64, bool) {
	least, found := int64(math.MaxInt64), false
	for dir := path; ; dir = filepath.Dir(dir) {
		at := filepath.Join(root, dir)
		most, ok := number(filepath.Join(at, limit))
		used, ok2 := number(filepath.Join(at, usage))
		if ok && ok2 && most < 1<<60 { // version 1 says "no limit" by a large number
			least, found = min(least, most-used+stat(filepath.Join(at, "memory.stat"), files)), true
		}
		if dir == "/" || dir == "." || dir == "" {
			return least, found
		}
	}
}

func number(path string) (int64, bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return 0, false
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(data)), 10, 64) // "max" is none
	return n, err == nil
}

func stat(path, name string) int64 {
	data, _ := os.ReadFile(path)
	for line := range strings.SplitSeq(string(data), "\n") {
		if v, ok := strings.CutPrefix(line, name+" "); ok {
			n, _ := strconv.ParseInt(v, 10, 64)
			return n
		}
	}
	return 0
}
