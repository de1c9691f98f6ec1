package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// TestCases runs testdata/cases: small inputs that were answered wrongly once.
func TestCases(t *testing.T) {
	scripts, err := filepath.Glob("../testdata/cases/*/run.sh")
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no cases in ../testdata/cases: %v", err)
	}
	for _, script := range scripts {
		t.Run(filepath.Base(filepath.Dir(script)), func(t *testing.T) {
			path, err := filepath.Abs(script)
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("sh", path)
			cmd.Dir = t.TempDir()
			cmd.Env = append(os.Environ(), "DNS_TUI="+binary)
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
