package main

import (
	"fmt"
	"os"
	"testing"
)

// What is measured in tests is kept out of a person's cache. A run of several ranks starts this program for the others.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == rankCommand {
		os.Exit(guard(&env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}, os.Args[1:]))
	}
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
