package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
)

// DNS_TUI_VECTORS chooses the host's vectors, which devices tells, and what no processor has is refused.
func TestVectorsAreChosen(t *testing.T) {
	if text, child := os.LookupEnv("DNS_TUI_TEST_VECTORS"); child {
		code, stdout, stderr := run(t, "devices")
		if !strings.Contains(stdout+stderr, text) || (code == 0) != (stdout != "") {
			t.Errorf("devices exits %d and says\n%s%s", code, stdout, stderr)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for value, text := range map[string]string{
		"go": "vectors: Go (", "Itanium": `DNS_TUI_VECTORS is "Itanium"; wanted one of what this processor has: Go`,
	} {
		c := exec.Command(self, "-test.run", "^TestVectorsAreChosen$")
		c.Env = append(os.Environ(), "DNS_TUI_VECTORS="+value, "DNS_TUI_TEST_VECTORS="+text)
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", value, err, out)
		}
	}
}
