package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/config"
	"dns-tui/escape"
)

// commandLine is a command of this program, as it was called, that can be pasted.
func commandLine(words ...string) string {
	return escape.Command(append([]string{config.Program}, words...)...)
}

// folderOf is the working folder of a process, or "" where it is this one's or not known.
func folderOf(pid int) string {
	dir, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil {
		return ""
	}
	return dir
}

// fromHere is how a file is named from where the person stands, that a run in another working folder, dir, names path.
func fromHere(dir, path string) string {
	if path != "" && dir != "" && !filepath.IsAbs(path) {
		abs := filepath.Join(dir, path)
		path = abs
		if cwd, err := os.Getwd(); err == nil {
			if rel, err := filepath.Rel(cwd, abs); err == nil && !strings.HasPrefix(rel, "../") {
				path = rel
			}
		}
	}
	if strings.HasPrefix(path, "-") { // no flag
		path = "./" + path
	}
	return path
}
