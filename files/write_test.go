package files

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func write(t *testing.T, path, content string) error {
	t.Helper()
	return Write(path, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

func content(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// names are those in dir, hidden ones too.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range entries {
		all = append(all, e.Name())
	}
	return strings.Join(all, " ")
}

func TestWriteKeepsWhatAFileIs(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(dir+"/real", 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		make func(path string) error
		at   string // where the content must be
	}{
		{"nothing", func(string) error { return nil }, "nothing"},
		{"file", func(p string) error { return os.WriteFile(p, []byte("old"), 0o644) }, "file"},
		{"link", func(p string) error {
			return errors.Join(os.WriteFile(dir+"/target", []byte("old"), 0o644), os.Symlink("target", p))
		}, "target"},
		{"dangling", func(p string) error { return os.Symlink("real/fresh", p) }, "real/fresh"},
		{"chain", func(p string) error {
			return errors.Join(os.Symlink("real/second", p), os.Symlink("../third", dir+"/real/second"))
		}, "third"},
	} {
		path := filepath.Join(dir, c.name)
		if err := c.make(path); err != nil {
			t.Fatal(err)
		}
		before, _ := os.Lstat(path)
		if err := write(t, path, c.name); err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if got := content(t, filepath.Join(dir, c.at)); got != c.name {
			t.Errorf("%s: %s holds %q", c.name, c.at, got)
		}
		if after, _ := os.Lstat(path); before != nil && before.Mode().Type() != after.Mode().Type() {
			t.Errorf("%s was %v and is %v", c.name, before.Mode(), after.Mode())
		}
	}
	if all := names(t, dir) + names(t, dir+"/real"); strings.Contains(all, ".tmp") {
		t.Errorf("temporary files are left: %s", all)
	}
}

func TestWriteThroughDevicesAndPipes(t *testing.T) {
	if err := write(t, "/dev/null", "x"); err != nil {
		t.Error(err)
	}
	if st, err := os.Lstat("/dev/null"); err != nil || st.Mode()&fs.ModeCharDevice == 0 {
		t.Errorf("/dev/null is %v, %v", st, err)
	}
	if err := write(t, "/dev/full", "x"); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("/dev/full: %v", err)
	}
	fifo := t.TempDir() + "/fifo"
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	got := make(chan string)
	go func() {
		b, _ := os.ReadFile(fifo)
		got <- string(b)
	}()
	if err := write(t, fifo, "through"); err != nil {
		t.Fatal(err)
	}
	if s := <-got; s != "through" {
		t.Errorf("the reader of the FIFO got %q", s)
	}
	if err := write(t, t.TempDir(), "x"); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("a folder: %v", err)
	}
}

// What is written to a descriptor of this process goes where it stands: behind what >> keeps, into a pipe.
func TestWriteToOwnDescriptor(t *testing.T) {
	path := t.TempDir() + "/log"
	if err := os.WriteFile(path, []byte("before "), 0o644); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []*os.File{f, w} {
		link := t.TempDir() + "/link"
		if err := os.Symlink(linkOf(t, file), link); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{linkOf(t, file), link} {
			if err := write(t, name, "x"); err != nil {
				t.Fatal(err)
			}
		}
	}
	w.Close()
	if b, _ := io.ReadAll(r); string(b) != "xx" {
		t.Errorf("the pipe got %q", b)
	}
	if got := content(t, path); got != "before xx" {
		t.Errorf("the file holds %q", got)
	}
}

func linkOf(t *testing.T, f *os.File) string {
	t.Helper()
	raw, err := f.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var name string
	if err := raw.Control(func(fd uintptr) { name = fmt.Sprint("/dev/fd/", fd) }); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestPermissions(t *testing.T) {
	old := syscall.Umask(0o027)
	defer syscall.Umask(old)
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/secret", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"new": 0o640, "secret": 0o600} {
		if err := write(t, dir+"/"+name, "x"); err != nil {
			t.Fatal(err)
		}
		if st, _ := os.Stat(dir + "/" + name); st.Mode().Perm() != want {
			t.Errorf("%s has %v, wanted %v", name, st.Mode().Perm(), want)
		}
	}
}

func TestLinkOfAnotherUser(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a link of another user")
	}
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/victim", []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("victim", dir+"/trap"); err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(dir+"/trap", 12345, 12345); err != nil {
		t.Skip(err)
	}
	if err := write(t, dir+"/trap", "x"); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("Write: %v", err)
	}
	if _, err := OpenAppend(dir + "/trap"); err == nil || !strings.Contains(err.Error(), "another user") {
		t.Errorf("OpenAppend: %v", err)
	}
	if got := content(t, dir+"/victim"); got != "old" {
		t.Errorf("the victim holds %q", got)
	}
}

// Both files of a pair are on the disk before the first has its name.
func TestFinishThenCommit(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(dir+"/a", []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	a, err := Create(dir + "/a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(a, "new"); err != nil {
		t.Fatal(err)
	}
	if err := a.Finish(); err != nil {
		t.Fatal(err)
	}
	if got := content(t, dir+"/a"); got != "old" {
		t.Errorf("after Finish: %q", got)
	}
	if n := Sweep(dir + "/a"); n != 0 {
		t.Errorf("Sweep took a finished file that is not committed yet")
	}
	if err := a.Commit(); err != nil {
		t.Fatal(err)
	}
	a.Abort()
	if got := content(t, dir+"/a"); got != "new" {
		t.Errorf("after Commit: %q", got)
	}
	if got := names(t, dir); got != "a" {
		t.Errorf("left in the folder: %s", got)
	}
}

func TestSweep(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		".t_iter_5.caffemodel.0123456789.tmp", ".t.journal.0000000001.tmp", ".u_iter_5.caffemodel.0123456789.tmp",
		".t_iter_5.caffemodel.12.tmp", ".t_notes", "t_iter_5.caffemodel",
		"." + strings.Repeat("t", maxStem) + ".0123456789.tmp", ".t\nu.0123456789.tmp",
	} {
		if err := os.WriteFile(dir+"/"+name, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	live, err := Create(dir + "/t_iter_10.caffemodel")
	if err != nil {
		t.Fatal(err)
	}
	if n := Sweep(dir + "/t"); n != 4 {
		t.Errorf("%d files removed, wanted 4", n)
	}
	if err := live.Commit(); err != nil {
		t.Error(err)
	}
	want := ".t_iter_5.caffemodel.12.tmp .t_notes .u_iter_5.caffemodel.0123456789.tmp t_iter_10.caffemodel " +
		"t_iter_5.caffemodel"
	if got := names(t, dir); got != want {
		t.Errorf("left: %s\nwanted: %s", got, want)
	}
	long := dir + "/" + strings.Repeat("n", 255)
	if err := write(t, long, "x"); err != nil {
		t.Errorf("a name of 255 bytes: %v", err)
	}
}

// No name is no file: nothing is written, in the working folder neither.
func TestNoName(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := write(t, "", "text"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("error %v, wanted %v", err, fs.ErrNotExist)
	}
	if have := names(t, dir); have != "" {
		t.Errorf("there is %s", have)
	}
}

// A process that ends at once leaves nothing half-written behind; what was committed stays.
func TestRemovePending(t *testing.T) {
	dir := t.TempDir()
	old, begun := filepath.Join(dir, "old"), filepath.Join(dir, "begun")
	if err := write(t, old, "before"); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{old, begun} {
		p, err := Create(path)
		if err != nil {
			t.Fatal(err)
		}
		defer p.Abort()
		if _, err := p.Write([]byte("after")); err != nil {
			t.Fatal(err)
		}
		if err := p.Finish(); err != nil {
			t.Fatal(err)
		}
	}
	RemovePending()
	if have := names(t, dir); have != "old" || content(t, old) != "before" {
		t.Errorf("there is %s", have)
	}
}
