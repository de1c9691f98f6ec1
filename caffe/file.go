package caffe

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"google.golang.org/protobuf/proto"

	"dns-tui/files"
)

// MaxMessageBytes is the largest protobuf message that the format allows: 2 GiB less one byte.
const MaxMessageBytes = 1<<31 - 1

// A FileError says what is wrong with a file: where, what was found, what is wanted.
type FileError struct {
	Path string
	Line int // 0 where there is none
	Msg  string
	Err  error // the cause, or nil
}

func (e *FileError) Error() string {
	if e.Line > 0 {
		return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Msg)
	}
	return e.Path + ": " + e.Msg
}

func (e *FileError) Unwrap() error { return e.Err }

// readFile reads a whole regular file that holds one message.
func readFile(path, kind string) ([]byte, error) {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, &FileError{Path: path, Msg: "no such file (wanted a " + kind + ")", Err: err}
	case err != nil:
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	case st.IsDir():
		return nil, &FileError{Path: path, Msg: "is a directory (wanted a " + kind + ")"}
	case st.Size() > MaxMessageBytes:
		return nil, &FileError{Path: path, Msg: fmt.Sprintf("%d bytes: a protobuf message holds at most 2 GiB", st.Size())}
	case st.Mode().IsRegular() && st.Size() == 0:
		return nil, &FileError{Path: path, Msg: "is empty (wanted a " + kind + ")"}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return data, nil
}

// ReadBinary reads the binary message in path into m. kind names the format in errors ("caffemodel").
func ReadBinary(path, kind string, m proto.Message) error {
	data, err := readFile(path, kind)
	if err != nil {
		return err
	}
	if err := proto.Unmarshal(data, m); err != nil {
		return &FileError{Path: path, Msg: fmt.Sprintf("is not a %s, or is cut short: %d bytes that do not parse as %s",
			kind, len(data), m.ProtoReflect().Descriptor().FullName()), Err: err}
	}
	return nil
}

// WriteBinary writes m to path in one step: see WriteFile.
func WriteBinary(path string, m proto.Message) error {
	if n := proto.Size(m); n > MaxMessageBytes {
		return &FileError{Path: path, Msg: fmt.Sprintf("not written: %d bytes, and a protobuf message holds at most 2 GiB", n)}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return WriteFile(path, func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// WriteFile gives path new content in one step, as files.Write does; an error names the file.
func WriteFile(path string, fill func(io.Writer) error) error {
	if err := files.Write(path, fill); err != nil {
		return NotWritten(path, err)
	}
	return nil
}

// NotWritten is the error of a file that could not be written.
func NotWritten(path string, err error) error {
	return &FileError{Path: path, Msg: "cannot be written: " + Cause(err).Error(), Err: err}
}

// Open opens the file in path. kind says in errors what was wanted ("a window file").
func Open(path, kind string) (*os.File, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, &FileError{Path: path, Msg: Cause(err).Error() + " (wanted " + kind + ")", Err: err}
	}
	return f, nil
}

// Exists reports whether there is a file or a folder at path.
func Exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// Cause drops the operation and the path that a PathError carries, where the message names the file already, or where
// the path is a temporary one that the user does not know.
func Cause(err error) error {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	var le *os.LinkError
	if errors.As(err, &le) {
		return le.Err
	}
	return err
}
