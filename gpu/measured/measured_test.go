package measured_test

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"dns-tui/gpu/measured"
)

func open(t *testing.T, part string) *measured.File {
	t.Helper()
	f, err := measured.Open("choices.json", part)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// Processes that add to a file at once lose nothing, of other parts neither.
func TestUpdate(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	var wait sync.WaitGroup
	want := map[string]int{}
	for i := range 20 {
		want[fmt.Sprint(i)] = i
		for _, part := range []string{"a", "b"} {
			wait.Go(func() {
				if err := measured.Update(open(t, part), func(all map[string]int) bool {
					all[fmt.Sprint(i)] = i
					return true
				}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	wait.Wait()
	for _, part := range []string{"a", "b"} {
		if have := measured.Read[int](open(t, part)); !maps.Equal(have, want) {
			t.Errorf("part %s: %v", part, have)
		}
	}
	if have := measured.Read[int](open(t, "c")); len(have) > 0 {
		t.Errorf("part c: %v", have)
	}
}

// A file that cannot be read is made anew; one that nothing was changed of is left alone.
func TestBroken(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("XDG_CACHE_HOME", dir)
	path := filepath.Join(dir, "dns-tui", "choices.json")
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"", "{", "null", "[]", `{"a": 3}`, `{"a": null}`, `{"a": {"x": "text"}}`} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		f := open(t, "a")
		if have := measured.Read[int](f); len(have) > 0 && have["x"] != 0 {
			t.Errorf("%s: %v", text, have)
		}
		for _, change := range []bool{false, true} {
			if err := measured.Update(f, func(all map[string]int) bool { all["x"] = 5; return change }); err != nil {
				t.Fatal(err)
			}
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if changed := string(b) != text; changed != change {
				t.Errorf("%q became %q", text, b)
			}
		}
		if have := measured.Read[int](f); have["x"] != 5 {
			t.Errorf("%s: %v", text, have)
		}
	}
}

// Where there is no folder for it, nothing is changed.
func TestNoFolder(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("XDG_CACHE_HOME", file)
	err := measured.Update(open(t, "a"), func(map[string]int) bool { t.Error("called"); return true })
	if err == nil {
		t.Error("no error")
	}
}
