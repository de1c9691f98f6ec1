package files

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
)

// What has no end, or no writer, is an error at once; a pipe that is written to is read.
func TestRead(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/file", []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"/empty", "/pipe"} {
		if err := syscall.Mkfifo(dir+name, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("/dev/zero", dir+"/link"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		path, want string
		most       int64
	}{
		{dir + "/file", "", 7}, {dir + "/file", "at most 6 are read", 6}, {"/dev/zero", "is a device", 100},
		{dir + "/link", "is a device", 100}, {"/dev/null", "is a device", 100},
		{dir, "is a directory", 100}, {dir + "/none", "no such file", 100},
		{dir + "/empty", "is a FIFO that nobody writes to", 100},
	} {
		data, err := Read(c.path, c.most)
		if c.want == "" && (err != nil || string(data) != "content") ||
			c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %q, %v; wanted %q", c.path, data, err, c.want)
		}
	}
	// The writer of a pipe holds it open until the reader has all.
	w, err := os.OpenFile(dir+"/pipe", os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("through"); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir + "/pipe")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := make([]byte, 7)
	if n, err := f.Read(b); err != nil || string(b[:n]) != "through" {
		t.Errorf("%q, %v", b[:n], err)
	}
	w.Close()
	if _, err := Open(dir + "/none"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
