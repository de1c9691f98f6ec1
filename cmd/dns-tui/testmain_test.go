package main

import (
	"fmt"
	"os"
	"testing"
)

// What is measured in tests is kept out of a person's cache.
func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "dns-tui-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("XDG_CACHE_HOME", dir)
	code := m.Run()
	os.RemoveAll(dir)
	os.Exit(code)
}
