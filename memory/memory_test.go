package memory

import (
	"errors"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	if err := Check("a byte", 1); err != nil {
		t.Error(err)
	}
	for _, n := range []int64{math.MaxInt64, 1 << 60, -1} {
		var e *Error
		if err := Check("an image", n); !errors.As(err, &e) || !strings.HasPrefix(err.Error(), "an image: ") {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
	if r := Left(); r.Bytes <= 0 || r.Bytes == math.MaxInt64 || r.Bound == "" {
		t.Errorf("left: %+v", r)
	}
	for _, c := range []struct {
		factors []int64
		want    int64
	}{
		{[]int64{2, 3, 4}, 24},
		{[]int64{1 << 40, 1 << 40}, math.MaxInt64},
		{[]int64{5, -1}, math.MaxInt64},
		{[]int64{0, 1 << 62}, 0},
		{nil, 1},
	} {
		if got := Product(c.factors...); got != c.want {
			t.Errorf("%v: %d, wanted %d", c.factors, got, c.want)
		}
	}
}

// What was allocated and not touched yet is not there a second time, and many small pieces are seen.
func TestAccount(t *testing.T) {
	var a Account
	held := Left().Bytes
	if err := a.Check("a net", small, held+Resident()); err == nil {
		t.Error("more than there is, by what is held, passes")
	}
	for range 100 {
		if err := a.Check("a net", small/64, held+Resident()); err != nil {
			return
		}
	}
	t.Error("small pieces are never looked at")
}

// A group's limit counts, and so does that of one above it; "max" is none.
func TestGroup(t *testing.T) {
	root := t.TempDir()
	for path, text := range map[string]string{
		"a/memory.max": "1000\n", "a/memory.current": "600\n", "a/memory.stat": "anon 5\ninactive_file 100\n",
		"a/b/memory.max": "max\n", "a/b/memory.current": "10\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(root, path)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if n, ok := group(root, "/a/b", "memory.max", "memory.current", "inactive_file"); !ok || n != 500 {
		t.Errorf("%d, %t; wanted 500", n, ok)
	}
	if n, ok := group(root, "/c", "memory.max", "memory.current", "inactive_file"); ok {
		t.Errorf("a group without files leaves %d", n)
	}
}

// A limit of address space is seen.
func TestAddressSpace(t *testing.T) {
	if os.Getenv("DNS_TUI_TEST_LIMITED") != "" {
		left, limit, limited := AddressSpace()
		if !limited || limit != 8<<30 || left <= 0 || left >= limit {
			t.Errorf("left %d of %d, limited %t", left, limit, limited)
		}
		return
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := exec.Command("sh", "-c", "ulimit -v 8388608 && exec "+self+" -test.run TestAddressSpace")
	c.Env = append(os.Environ(), "DNS_TUI_TEST_LIMITED=1")
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
