package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	"github.com/charmbracelet/x/vt"

	"dns-tui/model/modeltest"
)

// screenOf is what a terminal of a width and three lines shows of what was written, line by line.
func screenOf(t *testing.T, w int, text string) string {
	t.Helper()
	v := vt.NewEmulator(w, 3)
	defer v.Close()
	if _, err := v.WriteString(strings.ReplaceAll(text, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(ansi.Strip(v.Render())) {
		lines = append(lines, strings.TrimRight(line, " \r\n"))
	}
	return strings.TrimRight(strings.Join(lines, "\n"), "\n")
}

// A bar comes late, not too often, says count, rate and what is left, fits the terminal, and is gone at the end.
func TestBar(t *testing.T) {
	now := time.Unix(0, 0)
	for _, c := range []struct {
		name        string
		width       int
		utf8, plain bool
		want        string
	}{
		{"wide", 80, true, false, "██████░░░░░░░░░░░░░░░░░░  25 %  15,000 of 60,000 images  1500/s  ETA 0:30"},
		{
			"ASCII, no colours", 80, false, true,
			"######..................  25 %  15,000 of 60,000 images  1500/s  ETA 0:30",
		},
		{"narrow", 40, true, false, "██████░░░░░░░░░░░░░░░░░░  25 %  15,000"},
	} {
		t.Run(c.name, func(t *testing.T) {
			now = time.Unix(0, 0)
			var out bytes.Buffer
			width := func() int { return c.width }
			b := makeBar(&out, width, func() time.Time { return now }, c.utf8, c.plain, "images", 60000)
			b.step(10)
			if out.Len() > 0 {
				t.Errorf("at once: %q", out.String())
			}
			now = now.Add(9990 * time.Millisecond)
			b.step(14000)
			drawn := out.Len()
			now = now.Add(10 * time.Millisecond)
			b.step(15000)
			if out.Len() != drawn {
				t.Errorf("drawn again after 10 ms")
			}
			now = now.Add(100 * time.Millisecond)
			b.step(15150)
			if got := screenOf(t, c.width, out.String()); !strings.HasPrefix(got, c.want[:30]) {
				t.Errorf("shows\n%s\nwanted\n%s", got, c.want)
			}
			now = time.Unix(10, 0)
			out.Reset()
			b.done = 15000
			b.draw()
			if got := screenOf(t, c.width, out.String()); !strings.HasPrefix(got, c.want) {
				t.Errorf("shows\n%s\nwanted\n%s", got, c.want)
			}
			if c.plain && strings.Contains(out.String(), "\x1b[3") {
				t.Errorf("colours in %q", out.String())
			}
			fmt.Fprintln(b.over(&out), "a line")
			if got := screenOf(t, c.width, out.String()); !strings.HasPrefix(got, "a line\n"+c.want) {
				t.Errorf("with a line above it:\n%s", got)
			}
			b.end()
			b.end()
			if got := screenOf(t, c.width, out.String()); got != "a line" {
				t.Errorf("at the end it shows %q", got)
			}
		})
	}
}

// Where standard error is no terminal nothing is drawn, and nothing has to ask.
func TestNoBar(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, e := range []*env{{stderr: f}, {stderr: &bytes.Buffer{}}} {
		b := newBar(e, "images", 3)
		b.step(1)
		b.of(1, 2)
		b.end()
		var out bytes.Buffer
		if w := b.over(&out); b != nil || w != &out {
			t.Errorf("there is a bar: %+v, %v", b, w)
		}
	}
}

// Several files are upgraded into a folder; what cannot be is told after the others.
func TestUpgradeMany(t *testing.T) {
	dir, old := t.TempDir(), modeltest.Root("oracle", "old")
	bad := write(t, dir, "bad.prototxt", "layer {")
	to := filepath.Join(dir, "new")
	v1, v0 := filepath.Join(old, "v1.prototxt"), modeltest.Root("nets", "lenet.prototxt")
	if status, _, stderr := run(t, "upgrade", v1, v0, to); status != 2 || !strings.Contains(stderr, "is no folder") {
		t.Errorf("status %d: %s", status, stderr)
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		t.Fatal(err)
	}
	status, stdout, stderr := run(t, "upgrade", v1, bad, v0, to)
	if status != 1 || !strings.Contains(stderr, "bad.prototxt:1") || strings.Contains(stderr+stdout, "\x1b") ||
		!strings.Contains(stdout, filepath.Join(to, "lenet.prototxt")+": nothing to upgrade") {
		t.Errorf("status %d:\n%s%s", status, stdout, stderr)
	}
	single, want := filepath.Join(dir, "one.prototxt"), filepath.Join(to, "v1.prototxt")
	mustRun(t, "upgrade", v1, single)
	if readText(t, single) != readText(t, want) {
		t.Errorf("%s and %s differ", single, want)
	}
	for _, args := range [][]string{{want, to}, {v1, want, to}} {
		if status, _, _ := run(t, append([]string{"upgrade"}, args...)...); status != 2 {
			t.Errorf("%q: status %d", args, status)
		}
	}
}
