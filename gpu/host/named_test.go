package host

import (
	"strings"
	"testing"
)

// A library that was named and does not load is told of with the variable's name, once; "none" asks for none.
func TestNamedLibraries(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for _, c := range []struct{ blas, dnn, want string }{
		{"/nowhere/blas.so", "none", "DNS_TUI_OPENBLAS names /nowhere/blas.so, which is not used: "},
		{"", "/nowhere/dnn.so", "DNS_TUI_ONEDNN names /nowhere/dnn.so, which is not used: "},
		{"", "libc.so.6", "DNS_TUI_ONEDNN names libc.so.6, which is not used: libc.so.6: it has no dnnl_version"},
		{"", "none", ""},
	} {
		t.Setenv(blasVariable, c.blas)
		t.Setenv(dnnVariable, c.dnn)
		d := New(Options{Threads: 1, Tune: true})
		var told []string
		for _, n := range d.Capabilities().Notices {
			if strings.HasPrefix(n, "DNS_TUI_") {
				told = append(told, n)
			}
		}
		if c.want == "" && told != nil || c.want != "" && (len(told) != 1 || !strings.HasPrefix(told[0], c.want)) {
			t.Errorf("BLAS %q, oneDNN %q: told %q, wanted %q", c.blas, c.dnn, told, c.want)
		}
		if !strings.HasPrefix(d.Name(), "host (1 thread, ") {
			t.Errorf("a device of one thread is %q", d.Name())
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}
