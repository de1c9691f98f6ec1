package main

import (
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"dns-tui/escape"
)

// The manual page and each completion have every command with every flag that its own help prints.
func TestManualAndCompletionsAreComplete(t *testing.T) {
	texts := map[string]string{}
	for name, args := range map[string][]string{
		"man": {"man"}, "bash": {"completion", "bash"}, "zsh": {"completion", "zsh"}, "fish": {"completion", "fish"},
	} {
		status, stdout, stderr := run(t, args...)
		if status != 0 || stdout == "" {
			t.Fatalf("%s: status %d, %s", name, status, stderr)
		}
		texts[name] = stdout
	}
	flags := 0
	for _, c := range subcommands() {
		_, help, _ := run(t, c.name, "-h")
		if !strings.Contains(help, "dns-tui "+c.name) {
			t.Errorf("%s -h prints %q", c.name, help)
		}
		want := map[string]string{
			"man":  ".SS \"dns\\-tui " + c.name + " ",
			"bash": "\n    " + c.name + ") flags=",
			"zsh":  "\n    " + c.name + ")\n",
			"fish": "-a " + escape.Shell(c.name) + " -d ",
		}
		parts := map[string]string{}
		for name, head := range want {
			_, rest, ok := strings.Cut(texts[name], head)
			if !ok {
				t.Errorf("%s has no command %s", name, c.name)
			}
			parts[name] = rest
		}
		parts["man"], _, _ = strings.Cut(parts["man"], "\n.SS ")
		parts["bash"], _, _ = strings.Cut(parts["bash"], "\n")
		parts["zsh"], _, _ = strings.Cut(parts["zsh"], "\n        ;;")
		for line := range strings.SplitSeq(help, "\n") {
			flag, ok := strings.CutPrefix(line, "  -")
			if !ok {
				continue
			}
			flags++
			flag, _, _ = strings.Cut(flag, " ")
			for name, want := range map[string]string{
				"man":  `\-\-` + escape.Roff(flag),
				"bash": "--" + flag,
				"zsh":  "--" + flag + "[",
			} {
				if !strings.Contains(parts[name], want) {
					t.Errorf("%s: %s has no flag %s", name, c.name, flag)
				}
			}
			if !strings.Contains(texts["fish"], "'__fish_seen_subcommand_from "+c.name+"' -l "+flag+" ") {
				t.Errorf("fish: %s has no flag %s", c.name, flag)
			}
		}
	}
	if flags < 50 {
		t.Errorf("the commands' help has %d flags", flags)
	}
	// A flag of which the values are known is one of some command's.
	known := map[string]bool{}
	for _, c := range tables() {
		for _, f := range c.Flags {
			known[f.Name] = true
			if f.Words != nil && f.Default != "" && !slices.Contains(f.Words, f.Default) && f.Name != "phase" {
				t.Errorf("--%s has the default %s; its words are %v", f.Name, f.Default, f.Words)
			}
		}
	}
	for name := range flagWords {
		if !known[name] {
			t.Errorf("no command has a flag %s", name)
		}
	}
}

// The shells read what is written for them, and man what it formats. A tool that is not installed is left out.
func TestShellsReadCompletions(t *testing.T) {
	check := func(input string, tool string, args ...string) string {
		t.Helper()
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("no %s", tool)
			return ""
		}
		c := exec.Command(tool, args...)
		c.Stdin = strings.NewReader(input)
		out, err := c.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v: %s", tool, err, out)
		}
		return string(out)
	}
	_, bash, _ := run(t, "completion", "bash")
	_, zsh, _ := run(t, "completion", "zsh")
	_, fish, _ := run(t, "completion", "fish")
	_, man, _ := run(t, "man")
	check(zsh, "zsh", "-n")
	check(fish, "fish", "-n")
	if out := check(man, "groff", "-man", "-ww", "-z", "-Tutf8"); out != "" {
		t.Errorf("groff: %s", out)
	}

	dir := t.TempDir()
	write(t, dir, "solver.prototxt", "")
	for _, c := range []struct{ line, want string }{
		{"vers", "version"},
		{"solv", filepath.Join(dir, "solver.prototxt")},
		{"train --sol", "--solver"},
		{"train -sol", "-solver"},
		{"train --log ", "plain caffe"},
		{"train -log ca", "caffe"},
		{"report --form", "--format"},
		{"completion ", "bash zsh fish"},
		{"dataset mn", "mnist"},
		{"inspect solv", filepath.Join(dir, "solver.prototxt")},
	} {
		line := strings.Replace(c.line, "solv", filepath.Join(dir, "solv"), 1)
		if strings.Contains(c.line, "-") {
			line = c.line
		}
		script := bash + "\nCOMP_WORDS=(dns-tui " + line + ")\n"
		if strings.HasSuffix(line, " ") {
			script += "COMP_WORDS+=('')\n"
		}
		script += "COMP_CWORD=$((${#COMP_WORDS[@]}-1))\n_dns_tui\necho \"${COMPREPLY[*]}\"\n"
		if out := check(script, "bash"); out != "" && strings.TrimSpace(out) != c.want {
			t.Errorf("bash completes %q by %q; wanted %q", line, out, c.want)
		}
	}
	for _, args := range [][]string{{"completion"}, {"completion", "csh"}, {"man", "x"}, {"help", "nothing"}} {
		if status, _, _ := run(t, args...); status != 2 {
			t.Errorf("%v: status %d; wanted 2", args, status)
		}
	}
}
