package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
)

// prefixLock is held by a run for as long as it may write to its snapshot_prefix. The kernel lets go of it when the
// process ends, however it ends; over NFS the server does, where it has locks.
type prefixLock struct {
	f    *os.File
	path string
}

// Holder is the run that holds a snapshot_prefix, as its lock file says.
type Holder struct {
	Run   string `json:"run,omitempty"` // for dns-tui attach; "" where nobody can attach
	PID   int    `json:"pid"`
	Host  string `json:"host"`
	Since int64  `json:"since"` // seconds since 1970
}

// InUseError is returned when another run writes to a snapshot_prefix.
type InUseError struct {
	Prefix string
	Holder Holder
}

func (e *InUseError) Error() string {
	h := e.Holder
	who := "another run"
	if h.Run != "" {
		who = "run " + h.Run
	}
	if h.PID != 0 {
		who += fmt.Sprintf(" (pid %d on %s, since %s)", h.PID, h.Host, time.Unix(h.Since, 0).Format("2006-01-02 15:04"))
	}
	msg := fmt.Sprintf("%s already writes to %s", who, e.Prefix)
	if h.Run != "" {
		msg += ": " + escape.Command(config.Program, "attach", h.Run)
	}
	return msg + "; a second run wants another snapshot_prefix"
}

// errNoLocks is returned where the file system has no locks.
var errNoLocks = errors.New("the file system has no locks")

// lockPrefix takes a prefix for a run. It returns an *InUseError where another has it.
func lockPrefix(prefix, run string) (*prefixLock, error) {
	path := prefix + ".lock"
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o666)
		if err != nil {
			return nil, caffe.NotWritten(path, err)
		}
		switch err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); {
		case errors.Is(err, unix.EWOULDBLOCK):
			defer f.Close()
			e := &InUseError{Prefix: prefix}
			_ = json.NewDecoder(f).Decode(&e.Holder) // a holder that has not written yet has no name
			return nil, e
		case errors.Is(err, unix.EINTR):
			f.Close()
			continue
		case err != nil:
			f.Close()
			return nil, fmt.Errorf("%w (%v)", errNoLocks, err)
		}
		if l := (&prefixLock{f, path}); l.named() {
			if err := l.sign(run); err != nil {
				l.release()
				return nil, caffe.NotWritten(path, err)
			}
			return l, nil
		}
		f.Close() // its last holder removed it between the two calls
	}
}

// named reports whether the locked file is still the one of that name.
func (l *prefixLock) named() bool {
	mine, err := l.f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(l.path)
	return err == nil && os.SameFile(mine, there)
}

// sign writes who holds the lock.
func (l *prefixLock) sign(run string) error {
	host, _ := os.Hostname()
	b, err := json.Marshal(Holder{Run: run, PID: os.Getpid(), Host: host, Since: time.Now().Unix()})
	if err == nil {
		if err = l.f.Truncate(0); err == nil {
			_, err = l.f.WriteAt(append(b, '\n'), 0)
		}
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return nil // it is held all the same, without a name
	}
	return err
}

func (l *prefixLock) release() {
	if l == nil {
		return
	}
	os.Remove(l.path)
	l.f.Close()
}
