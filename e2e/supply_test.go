package e2e

import (
	"archive/zip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// script runs one of scripts/ with more environment.
func script(t *testing.T, env []string, name string, args ...string) (string, error) {
	t.Helper()
	c := exec.Command("sh", append([]string{filepath.Join("..", "scripts", name)}, args...)...)
	c.Env = append(os.Environ(), env...)
	out, err := c.CombinedOutput()
	return string(out), err
}

// What is installed is said before, and NO_INSTALL=1 installs nothing.
func TestInstallIsSaid(t *testing.T) {
	dir := t.TempDir()
	called := filepath.Join(dir, "called")
	for name, text := range map[string]string{
		"ldconfig": "exit 0", "id": "echo 0", "uname": "echo Linux",
		"apt-get": "echo \"apt-get $*\"; echo $* >> " + called,
		"python3": "echo \"python3 $*\" >> " + called + "; exit 1",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	path := "PATH=" + dir + ":" + os.Getenv("PATH")
	out, err := script(t, []string{path}, "openblas.sh")
	if _, ran := os.Stat(called); err != nil || ran != nil ||
		!strings.Contains(out, "installing OpenBLAS by apt-get: libopenblas0-pthread (NO_INSTALL=1 leaves it)") {
		t.Errorf("%s\n%v, called: %v", out, err, ran)
	}
	os.Remove(called)
	for _, s := range []string{"openblas.sh", "cuda_toolkit.sh"} {
		out, _ := script(t, []string{path, "NO_INSTALL=1"}, s)
		if _, ran := os.Stat(called); ran == nil || strings.Contains(out, "installing") {
			t.Errorf("%s installs all the same: %s", s, out)
		}
	}
}

// A wheel is unpacked into its folder and nowhere else.
func TestUnpackStaysInside(t *testing.T) {
	if _, err := exec.LookPath("python3"); err != nil {
		t.Skip("no python3")
	}
	const inside = "nvidia/cuda_runtime/include/"
	for _, c := range []struct {
		name string
		mode os.FileMode
		want string
	}{
		{inside + "cuda.h", 0o644, ""},
		{inside + "crt/a.h", 0o644, ""},
		{inside + "../../../../evil.h", 0o644, "no name of a header"},
		{inside + "/etc/evil.h", 0o644, "no name of a header"},
		{inside + "a/../../evil.h", 0o644, "no name of a header"},
		{inside + "link.h", 0o644 | os.ModeSymlink, "no plain file"},
		{"other/evil.h", 0o644, "0 headers"},
	} {
		dir := t.TempDir()
		wheel := filepath.Join(dir, "w.whl")
		f, err := os.Create(wheel)
		if err != nil {
			t.Fatal(err)
		}
		z := zip.NewWriter(f)
		h := &zip.FileHeader{Name: c.name}
		h.SetMode(c.mode)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte("/etc/passwd")); err != nil {
			t.Fatal(err)
		}
		z.Close()
		f.Close()
		out, err := exec.Command(
			"python3", "../scripts/unpack_headers.py", wheel, filepath.Join(dir, "a", "b", "include"),
		).
			CombinedOutput()
		var files []string
		if err := filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
			if err == nil && !i.IsDir() && p != wheel {
				files = append(files, strings.TrimPrefix(p, dir))
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		switch {
		case c.want == "" &&
			(err != nil || len(files) != 1 || files[0] != "/a/b/include/"+strings.TrimPrefix(c.name, inside)):
			t.Errorf("%s: %v, %s, %q", c.name, err, out, files)
		case c.want != "" && (err == nil || !strings.Contains(string(out), c.want) || len(files) != 0):
			t.Errorf("%s: %v, %s, %q; wanted %s and no file", c.name, err, out, files, c.want)
		}
	}
}

// What is fetched outside go.sum has its checksum, and each module that a bundle has something of its licence.
func TestSupply(t *testing.T) {
	text, err := os.ReadFile("../scripts/cuda_headers.txt")
	if err != nil || strings.Count(string(text), "--hash=sha256:") != 2 {
		t.Errorf("%v: %s", err, text)
	}
	for _, file := range []string{
		"../Makefile", "../scripts/cuda_fetch.sh", "../scripts/gpu_bundle.sh", "../scripts/ptx.sh",
	} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.SplitSeq(string(text), "\n") {
			for _, bad := range []string{"go run ", "go install ", "$(GO) run ", "$(GO) install ", "curl ", "wget "} {
				if strings.Contains(line, bad) && strings.Contains(line, "@") {
					t.Errorf("%s: %s: its sum is pinned nowhere", file, line)
				}
			}
			if strings.Contains(line, "pip download") && !strings.Contains(line, "--require-hashes") {
				t.Errorf("%s: %s", file, line)
			}
		}
	}
	out := t.TempDir()
	if text, err := script(
		t, []string{"TAGS=cuda", "LISTFLAGS=-test"}, "licenses.sh", out, "./cmd/dns-tui", "./gpu/cuda", "./model",
	); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	for _, want := range []string{
		"go/LICENSE", "github.com/PowerDNS/lmdb-go@*/LICENSE.mdb.md", "gorgonia.org/cu@*/*", "pgregory.net/rapid@*/*",
	} {
		if found, _ := filepath.Glob(filepath.Join(out, want)); len(found) == 0 {
			t.Errorf("no %s", want)
		}
	}
}
