package files

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// Lock waits until no other process has the lock of a path, and takes it. The lock is on a file beside it, PATH.lock:
// who writes the path replaces it.
func Lock(path string) (unlock func(), err error) {
	f, err := os.OpenFile(path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		if err = unix.Flock(int(f.Fd()), unix.LOCK_EX); !errors.Is(err, unix.EINTR) {
			break
		}
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() { _ = f.Close() }, nil
}
