// Package files writes and reads files so that a crash, a full disk or somebody else's link does no harm.
package files

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Pending file is new content for a path. What is written to it stands under a temporary name in the same folder;
// only Commit gives it the path. Before that, and after Abort, a file that was at the path stays as it was. Where the
// path is no regular file (a device, a FIFO, /dev/stdout) there is nothing to replace, and the content goes through
// it.
//
// A link is followed: what it points to gets the content. A link of another user is refused.
type Pending struct {
	f       *os.File
	w       *bufio.Writer
	target  string // what the rename replaces; "" where f writes through
	done    bool   // flushed and synced
	settled bool   // committed or aborted
}

// Create begins new content for path.
func Create(path string) (*Pending, error) {
	f, target, err := create(path)
	if err != nil {
		return nil, err
	}
	p := &Pending{f: f, w: bufio.NewWriterSize(f, 1<<20), target: target}
	if target != "" {
		temporary.Store(p, f.Name())
	}
	return p, nil
}

// temporary are the names of what is pending now, by its *Pending.
var temporary sync.Map

// RemovePending removes what has not been committed yet, for a process that ends at once.
func RemovePending() {
	temporary.Range(func(_, name any) bool {
		os.Remove(name.(string))
		return true
	})
}

func create(path string) (f *os.File, target string, err error) {
	if path == "" { // whose folder would be the working folder, and whose name none
		return nil, "", &fs.PathError{Op: "open", Path: path, Err: fs.ErrNotExist}
	}
	if fd, ok := ownDescriptor(path); ok {
		f, err = duplicate(fd, path)
		return f, "", err
	}
	target, st, err := follow(path)
	switch {
	case err != nil:
	case st == nil || st.Mode().IsRegular():
		f, err = createTemp(target, st)
		return f, target, err
	case st.IsDir():
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	case st.Mode()&fs.ModeNamedPipe != 0:
		f, err = openReadFIFO(target)
	default:
		f, err = os.OpenFile(target, os.O_WRONLY|syscall.O_NOFOLLOW, 0)
	}
	return f, "", err
}

// Write adds to the content.
func (p *Pending) Write(b []byte) (int, error) { return p.w.Write(b) }

// Finish brings the content to the disk, still under its temporary name. After it Commit is a rename: so several files
// are first finished, and then committed one after the other.
func (p *Pending) Finish() error {
	if p.done {
		return nil
	}
	if err := p.w.Flush(); err != nil {
		return err
	}
	if p.target != "" {
		if err := p.f.Sync(); err != nil {
			return err
		}
	}
	p.done = true
	return nil
}

// Commit gives the content its path, and syncs the folder, so that the file is there after a power cut too. Where it is
// the sync that fails, the content has its path already.
func (p *Pending) Commit() error {
	if err := p.Finish(); err != nil {
		return err
	}
	if p.target != "" {
		if err := os.Rename(p.f.Name(), p.target); err != nil {
			return err
		}
	}
	p.settled = true
	temporary.Delete(p)
	// Closed only now: with the file goes the lock that keeps Sweep away.
	err := p.f.Close()
	if p.target != "" && err == nil {
		err = SyncFolder(filepath.Dir(p.target))
	}
	return err
}

// Abort drops the content. It does nothing after Commit.
func (p *Pending) Abort() {
	if p.settled {
		return
	}
	p.settled = true
	temporary.Delete(p)
	if p.target != "" {
		os.Remove(p.f.Name())
	}
	p.f.Close()
}

// Write gives path new content in one step: what fill writes is synced under a temporary name and renamed. On an
// error a file that was at path stays as it was.
func Write(path string, fill func(io.Writer) error) error {
	p, err := Create(path)
	if err != nil {
		return err
	}
	defer p.Abort()
	if err := fill(p); err != nil {
		return err
	}
	return p.Commit()
}

// Rename is os.Rename and a sync of the folder, without which a power cut takes the new name back.
func Rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(to))
}

// SyncFolder brings the names in a folder to the disk.
func SyncFolder(path string) error {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrPermission) { // may be written to, not read: nothing can be synced
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close()
	err = f.Sync()
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENOTSUP) { // a file system that has no such thing
		return nil
	}
	return err
}

// maxLinks is how many links in a row are followed, as the kernel does.
const maxLinks = 40

// follow goes along links from path to the name that an open would reach, and returns its state, or nil where nothing
// is there yet.
func follow(path string) (string, fs.FileInfo, error) {
	for range maxLinks {
		st, err := os.Lstat(path)
		if errors.Is(err, fs.ErrNotExist) {
			return path, nil, nil
		}
		if err != nil {
			return "", nil, err
		}
		if st.Mode()&fs.ModeSymlink == 0 {
			return path, st, nil
		}
		if err := trusted(path, st); err != nil {
			return "", nil, err
		}
		to, err := os.Readlink(path)
		if err != nil {
			return "", nil, err
		}
		if filepath.IsAbs(to) {
			path = to
		} else { // not cleaned: .. after a link to a folder is not the folder that the text says
			path = filepath.Dir(path) + "/" + to
		}
	}
	return "", nil, &fs.PathError{Op: "open", Path: path, Err: syscall.ELOOP}
}

// trusted reports an error for a link of somebody who is neither root nor this user: what it points to is not for
// them to choose.
func trusted(path string, st fs.FileInfo) error {
	sys, ok := st.Sys().(*syscall.Stat_t)
	if !ok || sys.Uid == 0 || int(sys.Uid) == os.Geteuid() {
		return nil
	}
	to, _ := os.Readlink(path)
	return &fs.PathError{
		Op:   "open",
		Path: path,
		Err:  fmt.Errorf("a link to %s that belongs to another user (%d); it is not followed", to, sys.Uid),
	}
}

var reDescriptor = regexp.MustCompile(`^/proc/(\d+)/fd$`)

// ownDescriptor reports whether path is a name for an open file of this process: /dev/stdout, /dev/fd/3. Such a file is
// written as it is open, at the place where it is: opening it anew would begin at the front.
func ownDescriptor(path string) (fd int, ok bool) {
	for range maxLinks {
		dir, err := filepath.EvalSymlinks(filepath.Dir(path))
		if err != nil {
			return 0, false
		}
		if m := reDescriptor.FindStringSubmatch(dir); m != nil && m[1] == fmt.Sprint(os.Getpid()) {
			_, err := fmt.Sscan(filepath.Base(path), &fd)
			return fd, err == nil
		}
		to, err := os.Readlink(path)
		if err != nil {
			return 0, false
		}
		if !filepath.IsAbs(to) {
			to = dir + "/" + to
		}
		path = to
	}
	return 0, false
}

// IsStdout reports whether path is a name for this process's standard output.
func IsStdout(path string) bool {
	fd, ok := ownDescriptor(path)
	return ok && fd == 1
}

func duplicate(fd int, path string) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(n), path), nil
}

// fifoTimeout is how long a FIFO may be without anybody at its other end, in steps of fifoStep.
const (
	fifoTimeout = 10 * time.Second
	fifoStep    = 50 * time.Millisecond
)

// openReadFIFO opens a FIFO that somebody reads, or is about to.
func openReadFIFO(path string) (*os.File, error) {
	for waited := time.Duration(0); ; waited += fifoStep {
		f, err := os.OpenFile(path, os.O_WRONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
		if !errors.Is(err, syscall.ENXIO) {
			return f, err
		}
		if waited >= fifoTimeout {
			return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("a FIFO that nobody reads")}
		}
		time.Sleep(fifoStep)
	}
}

// Temporary names are .NAME.NUMBER.tmp. While it is written such a file is locked; the lock ends with its process, so
// that Sweep knows what a killed one left.
var reTemp = regexp.MustCompile(`(?s)^\.(.+)\.\d{10}\.tmp$`)

// maxStem keeps a temporary name within the 255 bytes of a file system.
const maxStem = 255 - len("..0123456789.tmp")

func stem(path string) string {
	base := filepath.Base(path)
	return base[:min(len(base), maxStem)]
}

// CreateTemp makes a file with a temporary name beside path, locked until it is closed.
func CreateTemp(path string) (*os.File, error) { return createTemp(path, nil) }

// createTemp is CreateTemp with the permissions of what it will replace, and for root its owner. A new file has the
// permissions that umask leaves.
func createTemp(path string, old fs.FileInfo) (*os.File, error) {
	for range 100 {
		name := fmt.Sprintf("%s/.%s.%010d.tmp", filepath.Dir(path), stem(path), rand.Uint64N(1e10))
		f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o666)
		if errors.Is(err, fs.ErrExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if !lock(f) { // a sweep was quicker: it has the lock, and the name is gone
			f.Close()
			continue
		}
		if err := like(f, old); err != nil {
			os.Remove(name)
			f.Close()
			return nil, err
		}
		return f, nil
	}
	return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("no temporary name is free")}
}

func like(f *os.File, old fs.FileInfo) error {
	if old == nil {
		return nil
	}
	if sys, ok := old.Sys().(*syscall.Stat_t); ok && os.Geteuid() == 0 && (sys.Uid != 0 || sys.Gid != 0) {
		if err := f.Chown(int(sys.Uid), int(sys.Gid)); err != nil && !errors.Is(err, fs.ErrPermission) { // root of NFS
			return err
		}
	}
	return f.Chmod(old.Mode().Perm())
}

// lock takes the lock of a temporary file, and reports false where another has it or where the file's name is gone. A
// file system without locks counts as locked.
func lock(f *os.File) bool {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); errors.Is(err, unix.EWOULDBLOCK) {
		return false
	}
	var st unix.Stat_t
	return unix.Fstat(int(f.Fd()), &st) != nil || st.Nlink > 0
}

// Sweep removes what killed processes left of files whose names begin with prefix, and returns how many. Files that
// another process writes now stay, and so do those of other users.
func Sweep(prefix string) int {
	dir, base := filepath.Dir(prefix), stem(prefix)
	if strings.HasSuffix(prefix, "/") {
		dir, base = filepath.Clean(prefix), ""
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0
	}
	n := 0
	for _, e := range entries {
		m := reTemp.FindStringSubmatch(e.Name())
		if m == nil || !strings.HasPrefix(m[1], base) || !e.Type().IsRegular() {
			continue
		}
		if sweep(filepath.Join(dir, e.Name())) {
			n++
		}
	}
	return n
}

func sweep(name string) bool {
	f, err := os.OpenFile(name, os.O_RDWR|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	var st unix.Stat_t
	if unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) != nil || unix.Fstat(int(f.Fd()), &st) != nil ||
		int(st.Uid) != os.Geteuid() {
		return false
	}
	return os.Remove(name) == nil
}
