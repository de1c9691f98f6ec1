package files

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
	"time"
)

// A KindError says that what stands at a path is nothing that can be read to its end.
type KindError struct{ What string }

func (e *KindError) Error() string { return e.What }

// Open opens a file to read. A device is refused: it has no end. A FIFO that nobody writes to is refused too, and one
// whose writer is silent for long ends with an error, not never.
func Open(path string) (*os.File, error) {
	// O_NONBLOCK: the open of a FIFO does not wait for a writer.
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if errors.Is(err, syscall.ENXIO) {
		return nil, &fs.PathError{Op: "open", Path: path, Err: &KindError{"is a socket"}}
	}
	if err != nil {
		return nil, err
	}
	st, err := f.Stat()
	if err == nil {
		err = readable(f, st)
	}
	if err != nil {
		f.Close()
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	return f, nil
}

func readable(f *os.File, st fs.FileInfo) error {
	switch mode := st.Mode(); {
	case mode.IsDir():
		return syscall.EISDIR
	case mode&fs.ModeDevice != 0:
		return &KindError{"is a device"}
	case mode&fs.ModeNamedPipe != 0:
		return f.SetReadDeadline(time.Now().Add(fifoTimeout))
	}
	return nil
}

// IsRegular reports whether a file is there that can be read more than once.
func IsRegular(path string) bool {
	st, err := os.Stat(path)
	return err == nil && st.Mode().IsRegular()
}

// BeginsWith reports whether the file in path begins with a text by which its kind is told.
func BeginsWith(path, magic string) bool {
	if !IsRegular(path) { // a pipe is read once
		return false
	}
	f, err := Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	b := make([]byte, len(magic))
	_, err = io.ReadFull(f, b)
	return err == nil && string(b) == magic
}

// Read reads a file that is at most so long.
func Read(path string, most int64) ([]byte, error) {
	f, err := Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if st.Size() > most {
		return nil, &fs.PathError{
			Op:   "read",
			Path: path,
			Err:  &KindError{fmt.Sprintf("%d bytes; at most %d are read", st.Size(), most)},
		}
	}
	piece := io.Reader(f)
	fifo := st.Mode()&fs.ModeNamedPipe != 0
	if fifo {
		piece = deadlineReader{f}
	}
	data, err := readAll(io.LimitReader(piece, most+1), st.Size())
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = &fs.PathError{
			Op:   "read",
			Path: path,
			Err:  &KindError{fmt.Sprintf("is a FIFO whose writer has been silent for %v", fifoTimeout)},
		}
	case err == nil && fifo && len(data) == 0:
		err = &fs.PathError{Op: "read", Path: path, Err: &KindError{"is a FIFO that nobody writes to"}}
	case err == nil && int64(len(data)) > most:
		err = &fs.PathError{
			Op:   "read",
			Path: path,
			Err:  &KindError{fmt.Sprintf("more than %d bytes, which is the most that is read", most)},
		}
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

// readAll is io.ReadAll with room for what the size says.
func readAll(r io.Reader, size int64) ([]byte, error) {
	b := bytes.NewBuffer(make([]byte, 0, size+bytes.MinRead))
	_, err := b.ReadFrom(r)
	return b.Bytes(), err
}

// deadlineReader gives each read a deadline of its own.
type deadlineReader struct{ f *os.File }

func (r deadlineReader) Read(b []byte) (int, error) {
	if err := r.f.SetReadDeadline(time.Now().Add(fifoTimeout)); err != nil {
		return 0, err
	}
	return r.f.Read(b)
}
