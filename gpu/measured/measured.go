// Package measured keeps what a device chose by measuring, in a file of the user's cache folder: a run that goes on
// tomorrow, a replay, and a run beside this one choose the same, and so add their numbers up in the same order. Without
// the file all is measured anew.
package measured

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"dns-tui/files"
)

// File is a JSON object of parts, each an object of choices by name. A part is for what choices depend on: a
// processor, libraries, a precision.
type File struct {
	path string
	part string
}

// Open returns a part of the file of a name; it need not exist.
func Open(name, part string) (*File, error) {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil, err
	}
	return &File{filepath.Join(dir, "dns-tui", name), part}, nil
}

// Read returns the choices; none where the file cannot be read, which is then made anew.
func Read[C any](f *File) map[string]C {
	choices, _ := read[C](f)
	return choices
}

func read[C any](f *File) (choices map[string]C, parts map[string]json.RawMessage) {
	choices, parts = map[string]C{}, map[string]json.RawMessage{}
	b, err := f.content()
	if err != nil || json.Unmarshal(b, &parts) != nil || parts == nil {
		return choices, map[string]json.RawMessage{}
	}
	if json.Unmarshal(parts[f.part], &choices) != nil || choices == nil {
		choices = map[string]C{}
	}
	return choices, parts
}

func (f *File) content() ([]byte, error) {
	r, err := files.Open(f.path) // no device, no FIFO that nobody writes to
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// Writable reports why the file cannot be written; nil where it can. A file that is not there is made.
func (f *File) Writable() error {
	if s, err := os.Lstat(f.path); err == nil && s.IsDir() {
		return fmt.Errorf("%s is a directory", f.path)
	}
	return Update(f, func(map[string]json.RawMessage) bool { return true })
}

// Update has change alter the choices as they are now, and writes them where it reports that it did. No other process
// changes them meanwhile. Where the file cannot be locked change is not called.
func Update[C any](f *File, change func(choices map[string]C) bool) error {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return err
	}
	unlock, err := files.Lock(f.path)
	if err != nil {
		return fmt.Errorf("%s cannot be locked: %w", f.path, err)
	}
	defer unlock()
	choices, parts := read[C](f)
	if !change(choices) {
		return nil
	}
	if parts[f.part], err = json.Marshal(choices); err != nil {
		return err
	}
	b, err := json.MarshalIndent(parts, "", " ")
	if err != nil {
		return err
	}
	return files.Write(f.path, func(w io.Writer) error { _, err := w.Write(b); return err })
}
