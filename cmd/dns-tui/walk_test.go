package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// docs/walk.md names functions by file: each is there.
func TestWalkNamesFunctions(t *testing.T) {
	root := filepath.Join("..", "..")
	doc, err := os.ReadFile(filepath.Join(root, "docs", "walk.md"))
	if err != nil {
		t.Fatal(err)
	}
	row := regexp.MustCompile("(?m)^\\| \\d+ \\| `([^`]+)` \\| `([^`]+)` \\|")
	stops := row.FindAllStringSubmatch(string(doc), -1)
	rows := len(regexp.MustCompile(`(?m)^\| \d+ \|`).FindAllString(string(doc), -1))
	if len(stops) != rows || rows < 60 {
		t.Errorf("%d of %d rows name a file and a function in it", len(stops), rows)
	}
	for _, stop := range stops {
		file, name := stop[1], stop[2]
		src, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Error(err)
			continue
		}
		pattern := `(?m)^func ` + name + `[\[(]|KERNEL\(\d+, ` + name + `,`
		if typ, method, ok := strings.Cut(name, "."); ok {
			pattern = `(?m)^func \((\w+ )?\*?` + typ + `\) ` + method + `\(`
		}
		if !regexp.MustCompile(pattern).Match(src) {
			t.Errorf("docs/walk.md: %s has no function %s", file, name)
		}
	}
}
