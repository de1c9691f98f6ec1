package caffe

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/proto"

	"dns-tui/files"
	"dns-tui/memory"
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
		return nil, &FileError{
			Path: path,
			Msg:  fmt.Sprintf("%d bytes: a protobuf message holds at most 2 GiB", st.Size()),
		}
	case st.Mode().IsRegular() && st.Size() == 0:
		return nil, &FileError{Path: path, Msg: "is empty (wanted a " + kind + ")"}
	}
	if err := memory.Check("its content", 2*st.Size()); err != nil { // the bytes, and the numbers in them
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	data, err := files.Read(path, MaxMessageBytes)
	if err != nil {
		return nil, &FileError{Path: path, Msg: Cause(err).Error() + " (wanted a " + kind + ")", Err: err}
	}
	return data, nil
}

// ReadBinary reads the binary message in path into m. kind names the format in errors ("caffemodel").
func ReadBinary(path, kind string, m proto.Message) error {
	data, err := readFile(path, kind)
	if err != nil {
		return err
	}
	return unmarshal(path, kind, data, m)
}

func unmarshal(path, kind string, data []byte, m proto.Message) error {
	// What forks store under the number of another message may lack what that requires.
	if err := (proto.UnmarshalOptions{AllowPartial: true}).Unmarshal(data, m); err != nil {
		if head := data[:min(len(data), 512)]; !bytes.ContainsFunc(
			head,
			func(r rune) bool { return r < ' ' && !strings.ContainsRune("\t\n\r\f", r) || r == utf8.RuneError },
		) {
			return &FileError{
				Path: path,
				Msg:  fmt.Sprintf("is not a %s but a text; a %s is binary", kind, kind),
				Err:  err,
			}
		}
		return &FileError{Path: path, Msg: fmt.Sprintf("is not a %s, or is cut short: %d bytes that do not parse as %s",
			kind, len(data), m.ProtoReflect().Descriptor().FullName()), Err: err}
	}
	return nil
}

// WriteBinary writes m to path in one step: see WriteFile.
func WriteBinary(path string, m proto.Message) error {
	p, err := PrepareBinary(path, m)
	if err != nil {
		return err
	}
	defer p.Abort()
	return p.Commit()
}

// PrepareBinary is WriteBinary up to the rename.
func PrepareBinary(path string, m proto.Message) (*Prepared, error) {
	data, err := marshal(path, m)
	if err != nil {
		return nil, err
	}
	return prepare(path, writes(data))
}

// marshal returns the bytes of m in the file at path.
func marshal(path string, m proto.Message) ([]byte, error) {
	if n := proto.Size(m); n > MaxMessageBytes {
		return nil, &FileError{
			Path: path,
			Msg:  fmt.Sprintf("not written: %d bytes, and a protobuf message holds at most 2 GiB", n),
		}
	}
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(m)
	if err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	return data, nil
}

func writes(data []byte) func(io.Writer) error {
	return func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	}
}

// WriteFile gives path new content in one step, as files.Write does; an error names the file.
func WriteFile(path string, fill func(io.Writer) error) error {
	p, err := PrepareFile(path, fill)
	if err != nil {
		return err
	}
	defer p.Abort()
	return p.Commit()
}

// PrepareFile is WriteFile up to the rename.
func PrepareFile(path string, fill func(io.Writer) error) (*Prepared, error) {
	return prepare(path, fill)
}

// Prepared is new content for a path, on the disk under a temporary name: Commit is a rename. So several files that
// belong together are first prepared, when much can go wrong, and then committed.
type Prepared struct {
	path string
	file *files.Pending
	// SHA256 is the content's.
	SHA256 []byte
}

func prepare(path string, fill func(io.Writer) error) (*Prepared, error) {
	f, err := files.Create(path)
	if err != nil {
		return nil, NotWritten(path, err)
	}
	h := sha256.New()
	if err = fill(io.MultiWriter(f, h)); err == nil {
		err = f.Finish()
	}
	if err != nil {
		f.Abort()
		return nil, NotWritten(path, err)
	}
	return &Prepared{path: path, file: f, SHA256: h.Sum(nil)}, nil
}

// Commit gives the content its path.
func (p *Prepared) Commit() error {
	if err := p.file.Commit(); err != nil {
		return NotWritten(p.path, err)
	}
	return nil
}

// Abort drops the content. It does nothing after Commit.
func (p *Prepared) Abort() { p.file.Abort() }

// FileSHA256 returns the SHA-256 of a file.
func FileSHA256(path string) ([]byte, error) {
	f, err := Open(path, "a file")
	if err != nil {
		return nil, err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return nil, &FileError{Path: path, Msg: Cause(err).Error(), Err: err}
	}
	return h.Sum(nil), nil
}

// NotWritten is the error of a file that could not be written.
func NotWritten(path string, err error) error {
	return &FileError{Path: path, Msg: "cannot be written: " + Cause(err).Error(), Err: err}
}

// Open opens a text file, behind the mark that some editors put in front of UTF-8. kind says in errors what was
// wanted ("a window file").
func Open(path, kind string) (*os.File, error) {
	f, err := files.Open(path)
	if err != nil {
		return nil, &FileError{Path: path, Msg: Cause(err).Error() + " (wanted " + kind + ")", Err: err}
	}
	mark := make([]byte, 3)
	if n, _ := f.ReadAt(mark, 0); string(mark[:n]) == "\ufeff" { // a pipe has no place to read at
		if _, err := f.Seek(3, io.SeekStart); err != nil {
			f.Close()
			return nil, &FileError{Path: path, Msg: Cause(err).Error(), Err: err}
		}
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
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	if le, ok := errors.AsType[*os.LinkError](err); ok {
		return le.Err
	}
	return err
}
