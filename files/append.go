package files

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// OpenAppend opens a log: what is written goes behind what is there. A link is followed unless it is another user's.
func OpenAppend(path string) (*os.File, error) {
	target, _, err := follow(path)
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(target, os.O_CREATE|os.O_APPEND|os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o666)
	if errors.Is(err, syscall.ENXIO) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: errors.New("a FIFO that nobody reads")}
	}
	return f, err
}
