package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"dns-tui/model/modeltest"
)

// A tutorial is the numbered steps of a section of README.md: what stands in backquotes, in order, and the commands in
// indented lines.
type tutorialStep struct {
	spans    []string
	commands []string
}

var (
	reStep = regexp.MustCompile(`^(\d+)\. `)
	reSpan = regexp.MustCompile("`([^`]+)`")
)

// readTutorial reads the steps of a section.
func readTutorial(t *testing.T, section string) []tutorialStep {
	t.Helper()
	_, text, ok := strings.Cut(read(t, "../README.md"), "\n## "+section+"\n")
	if !ok {
		t.Fatalf("README.md has no section %q", section)
	}
	text, _, _ = strings.Cut(text, "\n## ")
	var steps []tutorialStep
	var prose []string
	end := func() {
		if len(steps) > 0 {
			words := strings.Join(strings.Fields(strings.Join(prose, " ")), " ")
			for _, m := range reSpan.FindAllStringSubmatch(words, -1) {
				steps[len(steps)-1].spans = append(steps[len(steps)-1].spans, m[1])
			}
		}
		prose = nil
	}
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case reStep.MatchString(line):
			end()
			steps, prose = append(steps, tutorialStep{}), []string{line}
		case len(steps) > 0 && strings.HasPrefix(line, "       "):
			last := &steps[len(steps)-1]
			last.commands = append(last.commands, strings.TrimSpace(line))
		case line != "" && !strings.HasPrefix(line, "   "): // what follows the steps
			end()
			return steps
		default:
			prose = append(prose, line)
		}
	}
	end()
	return steps
}

// tutorial is a person who follows the steps, in a copy of the folders that they speak of.
type tutorial struct {
	t    *testing.T
	root string // of the repository
	dir  string // where the person is
	*terminal
}

// newTutorial makes the folders: the program that is tested, testdata, and the demo's data as `make demo-data` has it.
func newTutorial(t *testing.T) *tutorial {
	t.Helper()
	root := t.TempDir()
	testdata, err := filepath.Abs("../testdata")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"bin", "build/demo"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for from, to := range map[string]string{binary: "bin/dns-tui", testdata: "testdata"} {
		if err := os.Symlink(from, filepath.Join(root, to)); err != nil {
			t.Fatal(err)
		}
	}
	for _, split := range []string{"train", "test"} {
		dns(t, "dataset", "mnist", "--split", split, modeltest.MNISTFiles(t),
			filepath.Join(root, "build/demo", "mnist_"+split+"_lmdb"))
	}
	return &tutorial{t: t, root: root, dir: root}
}

// makeRun is the command of `make run`, as the Makefile has it.
func (d *tutorial) makeRun() {
	d.t.Helper()
	text := read(d.t, "../Makefile")
	m := regexp.MustCompile(`(?m)^run: .*\n\t@cd (\S+) && ../../bin/dns-tui (.+)$`).FindStringSubmatch(text)
	if m == nil {
		d.t.Fatal("the Makefile's target run is another than this test knows")
	}
	expand := func(s string) string {
		return regexp.MustCompile(`\$\((\w+)\)`).ReplaceAllStringFunc(s, func(name string) string {
			name = name[2 : len(name)-1]
			v := regexp.MustCompile(`(?m)^` + name + `\s*:?=\s*(\S+)$`).FindStringSubmatch(text)
			if v == nil {
				d.t.Fatalf("the Makefile has no %s", name)
			}
			return v[1]
		})
	}
	d.open(filepath.Join(d.root, expand(m[1])), strings.Fields(expand(m[2]))...)
	d.wait("it/s", "conv1", "a descent prunes 4 layers to 100x", "accuracy 0.9909")
}

// open starts the program in a folder, in a terminal.
func (d *tutorial) open(dir string, args ...string) {
	d.t.Helper()
	d.terminal = start(d.t, dir, 120, 40, args...)
}

// span is a word in backquotes, and what a person does at it; nil: it is only spoken of.
type span struct {
	text string
	do   func(d *tutorial)
}

// press types, and waits until the screen shows something that it does not show before.
func press(keys string, shows ...string) func(*tutorial) {
	return func(d *tutorial) {
		d.t.Helper()
		before := d.screen()
		if !slices.ContainsFunc(shows, func(s string) bool { return !strings.Contains(before, s) }) {
			d.t.Fatalf("before %q is typed, the screen shows %q already:\n%s", keys, shows, before)
		}
		d.keys(keys)
		d.wait(shows...)
	}
}

// enter types a command, and waits until its line is gone and the screen shows what it did not show before. (That the
// line has the text is no sign of it.)
func enter(typed string, shows ...string) func(*tutorial) {
	return func(d *tutorial) {
		d.t.Helper()
		press(":", "Set or do")(d)
		before := d.screen()
		d.keys(typed + "\r")
		d.gone("Set or do")
		d.wait(shows...)
		if !slices.ContainsFunc(shows, func(s string) bool { return !strings.Contains(before, s) }) {
			d.t.Fatalf("before %q is entered, the screen shows %q already:\n%s", typed, shows, before)
		}
	}
}

// reAt is the iteration in the first line.
var reAt = regexp.MustCompile(`([\d,]+)/6,000`)

// at is the iteration that the screen shows.
func (d *tutorial) at() int {
	m := reAt.FindStringSubmatch(d.screen())
	if m == nil {
		return -1
	}
	n, _ := strconv.Atoi(strings.ReplaceAll(m[1], ",", ""))
	return n
}

// trains types a key that has a paused run train on, and pause again: by so many iterations, or, 0, by some.
func trains(key string, iters int) func(*tutorial) {
	return func(d *tutorial) {
		d.t.Helper()
		from := d.at()
		d.keys(key)
		d.until("the run paused again, further on", func(s string) bool {
			by := d.at() - from
			return strings.Contains(s, "PAUSED") && by > 0 && (iters == 0 || by == iters)
		})
	}
}

// untilApplied has a paused run train on from surgery to surgery, until that of conv2 has come.
func (d *tutorial) untilApplied() {
	d.t.Helper()
	for range 100 {
		trains("N", 0)(d)
		if strings.Contains(d.line("▸ conv2"), "applied") {
			return
		}
	}
	d.t.Fatalf("the threshold of conv2 is not applied:\n%s", d.screen())
}

// marked waits until the lines of layers have a mark, and no other layer's has.
func (d *tutorial) marked(layers ...string) {
	d.t.Helper()
	d.until(fmt.Sprint("marks of ", layers), func(string) bool {
		for _, l := range []string{"conv1", "conv2", "ip1", "ip2"} {
			if strings.Contains(d.line(l+" "), "•") != slices.Contains(layers, l) {
				return false
			}
		}
		return true
	})
}

// conv2 waits for what the row of conv2 has, and no longer has; "" is nothing.
func (d *tutorial) conv2(has, hasNot string) {
	d.t.Helper()
	d.until("conv2 with "+has+", without "+hasNot, func(string) bool {
		row := d.line("▸ conv2")
		return strings.Contains(row, has) && (hasNot == "" || !strings.Contains(row, hasNot))
	})
}

// gone waits until the screen does not show something any more.
func (d *tutorial) gone(text string) {
	d.t.Helper()
	d.until("no "+text, func(s string) bool { return !strings.Contains(s, text) })
}

const (
	downKey  = "\x1b[B"
	rightKey = "\x1b[C"
)

// halfChosen is a threshold that half of conv2's weights are below, of whatever moment of the descent.
var halfChosen = regexp.MustCompile(`→0\.[67]\d\d`)

// goBack goes back to a restore point, and answers the question before.
func goBack(d *tutorial) {
	d.t.Helper()
	press("B", "Go back?", "B once more returns")(d)
	d.keys("y")
	d.gone("Go back?")
	d.gone("going back…")
	d.wait("back to", "PAUSED")
}

// reThreshold is the threshold of now in the row of a layer, and one that is to come.
var reThreshold = regexp.MustCompile(`\d\.\d\d\d(→\d\.\d\d\d)?`)

func thresholdIn(row string) string { return reThreshold.FindString(row) }

// fiveMinutes is what a person does at each step of README.md's "Five minutes".
var fiveMinutes = [][]span{
	{{"make run", (*tutorial).makeRun}},
	{{"↓", press(downKey, "▸ conv2")}, {"conv2", nil}},
	{
		{"→", func(d *tutorial) {
			d.until("the first surgery", func(s string) bool { return !strings.Contains(s, "»0.000") })
			press(" ", "PAUSED")(d) // so that nothing here depends on how fast the run is
			press(rightKey+rightKey, "1 preview", "⏎ takes it")(d)
		}},
		{"1", func(d *tutorial) {
			d.keys("1")
			d.until("half of the layer chosen", func(string) bool { return halfChosen.MatchString(d.line("▸ conv2")) })
		}},
		{"5", func(d *tutorial) {
			d.keys("5")
			d.until("more chosen", func(string) bool { return !halfChosen.MatchString(d.line("▸ conv2")) })
		}},
		{"→ next", func(d *tutorial) { d.wait("→ next") }}, // it is spoken of, and stands there
		{"tab", press("\t", "▸sparsity")},
		{"e", press("e", "sparsity %:")},
		{"M", func(d *tutorial) {
			d.keys("\x1b")
			d.gone("sparsity %:")
			press("M", "changes are for all convolutions")(d)
			press("M", "changes are for all inner products")(d)
			press("M", "changes are for all layers")(d)
			d.keys("M")
			d.gone("changes are for")
		}},
		{"m", func(d *tutorial) {
			d.marked()
			d.keys("m")
			d.marked("conv2")
		}},
		{"shift+↓", func(d *tutorial) {
			d.keys("\x1b[1;2B")
			d.marked("conv2", "ip1")
			d.keys("\x1b[A\x1b") // back to conv2, and the choice is dropped
			d.conv2("", "preview")
			d.keys("\x1b") // and the marks
			d.marked()
		}},
	},
	{
		{"enter", func(d *tutorial) {
			press("5", "preview")(d)
			press("\r", "pending conv2.threshold")(d)
			d.untilApplied()
			d.wait("applied conv2.threshold")
		}},
		{"E", func(d *tutorial) {
			d.keys("4")
			d.conv2("preview", "")
			d.keys("E")
			d.conv2("pending", "preview")
			d.untilApplied()
		}},
		{"D", func(d *tutorial) {
			d.keys("3")
			d.conv2("preview", "")
			d.keys("D")
			d.conv2("applied", "preview")
		}},
		{"!3", func(d *tutorial) { // a threshold that leaves outputs without a weight
			d.keys(strings.Repeat("L", 50))
			d.conv2(" !", "")
			d.keys("\x1b")
			d.conv2("applied", "preview")
		}},
	},
	{
		{"u", func(d *tutorial) {
			row := d.line("▸ conv2")
			d.keys("u")
			d.until("the threshold of before", func(string) bool {
				now := d.line("▸ conv2")
				return thresholdIn(now) != thresholdIn(row) && strings.Contains(now, "pending")
			})
			press("u", "applied autopilot pin none")(d)
		}},
		{"U", func(d *tutorial) {
			const text = "applied autopilot pin conv2"
			n := strings.Count(d.screen(), text)
			d.keys("U")
			d.until("once more "+text, func(s string) bool { return strings.Count(s, text) > n })
		}},
		{"space", func(d *tutorial) {
			from := d.at()
			d.keys(" ")
			d.until("the run goes on", func(s string) bool { return d.at() > from && !strings.Contains(s, "PAUSED") })
			press(" ", "PAUSED")(d)
		}},
		{"n", trains("n", 1)},
		{"N", trains("N", 0)},
		{":", func(d *tutorial) {
			press(":", "Set or do", "conv2.threshold")(d)
			d.keys("\x1b")
			d.gone("Set or do")
		}},
		{":lr_mult 0.5", enter("lr_mult 0.5", "applied lr_mult 1 → 0.5")},
		{":conv2.sparsity 95", enter("conv2.sparsity 95", "pending conv2.threshold")},
		{":conv*.t 1.6", enter("conv*.t 1.6", "pending conv1.threshold", "→ 1.6")},
		{":lr 0.001 at 5000", enter("lr 0.001 at 5000", "planned plan 1: base_lr 0.001 at 5000")},
		{
			":conv2.t 0.9 to 1.6 over 2000",
			enter("conv2.t 0.9 to 1.6 over 2000", "planned plan 2: conv2.threshold 0.9 to 1.6"),
		},
		{"B", goBack},
		{"B", goBack}, // and that is undone
		{"b", press("b", "restore points")},
		{"M", func(d *tutorial) {
			press("q", "▸ conv2")(d)
			press("M", "changes are for all convolutions")(d)
			press("5", "2 previews")(d)
			d.keys("\r") // in place of what waits since ":conv*.t 1.6"
			d.gone("2 previews")
			d.wait("pending conv1.threshold", "pending conv2.threshold")
		}},
		{"u", func(d *tutorial) { // one for both
			d.keys("u")
			d.gone("pending conv1.threshold")
			d.gone("pending conv2.threshold")
		}},
		{"95%", enter("conv2.t 95%", "pending conv2.threshold")},
		{"W", press("W", "What you ship", "bytes of the compact file")},
		{"r", func(d *tutorial) {
			press("r", "ms a pass, dense")(d)
			press("q", "▸ conv2")(d)
		}},
	},
	{
		{"d", func(d *tutorial) { detach(d.t, d.terminal) }},
		{"dns-tui attach", func(d *tutorial) {
			d.open(d.dir, "attach")
			d.wait("PAUSED", "conv1")
		}},
		{"q", press("q", "save", "abandon", "detach")},
		{"s", func(d *tutorial) {
			d.keys("s")
			if code := d.end(); code != 0 || !strings.Contains(d.sent(), "go on with:") {
				d.t.Fatalf("exit status %d: %s", code, lastLines(d.sent()))
			}
			untilNoRun(d.t)
		}},
	},
	{},
	{{"enter", nil}},
}

// README's tutorial does what it says, line by line, on the program as it is: each word of it that is a key or a
// command is in the table above, and is typed there, and the screen shows of each what it did not show before; those
// with nothing to do are no keys of that step.
func TestReadmeTutorial(t *testing.T) {
	steps := readTutorial(t, "Five minutes")
	if len(steps) != len(fiveMinutes) {
		t.Fatalf("README.md has %d steps, this test %d", len(steps), len(fiveMinutes))
	}
	for i, step := range steps {
		var known []string
		for _, s := range fiveMinutes[i] {
			known = append(known, s.text)
		}
		if !slices.Equal(step.spans, known) {
			t.Fatalf("step %d of README.md has %q; this test does %q", i+1, step.spans, known)
		}
	}
	d := newTutorial(t)
	for i, step := range steps {
		for _, s := range fiveMinutes[i] {
			if s.do != nil {
				t.Logf("step %d: %s", i+1, s.text)
				s.do(d)
			}
		}
		for _, line := range step.commands {
			t.Logf("step %d: %s", i+1, line)
			d.command(line)
		}
	}
	for _, name := range []string{"pruned.caffemodel", "lenet_pruned.prototxt"} {
		if _, err := os.Stat(filepath.Join(d.dir, name)); err != nil {
			t.Error(err)
		}
	}
}

// theSnapshot is the one that README.md names, of a run that is left alone; a person names the one that there is.
const theSnapshot = "lenet_autopilot_iter_6000.caffemodel"

// command does a line of commands.
func (d *tutorial) command(line string) {
	d.t.Helper()
	words := strings.Fields(line)
	switch words[0] {
	case "cd":
		d.dir = filepath.Join(d.root, words[1])
		return
	case "../../bin/dns-tui":
	default:
		d.t.Fatalf("README.md has a line that this test does not know: %s", line)
	}
	if at := slices.Index(words, theSnapshot); at >= 0 {
		found, _ := filepath.Glob(filepath.Join(d.dir, "lenet_autopilot_iter_*.caffemodel"))
		if len(found) == 0 {
			d.t.Fatal("the run has left no snapshot")
		}
		words[at] = filepath.Base(found[len(found)-1])
	}
	switch {
	case len(words) == 1: // what the folder has
		d.open(d.dir)
		d.wait("snapshot", "lenet_autopilot_iter_", "goes on from it", "lenet_pruned.prototxt")
		d.keys("q")
	case words[1] == "new":
		d.open(d.dir, words[1:]...)
		for _, question := range []string{"2 of 5", "3 of 5", "4 of 5", "5 of 5"} { // --weights answers the first
			d.wait(question)
			d.keys("\r")
		}
		d.wait("is written")
	case strings.HasSuffix(words[1], ".prototxt"):
		d.open(d.dir, words[1:]...)
		d.wait("conv1", "it/s")
		d.keys("qs")
	default:
		c := exec.Command(filepath.Join(d.dir, words[0]), words[1:]...)
		c.Dir = d.dir
		out, err := c.CombinedOutput()
		if err != nil {
			d.t.Fatalf("%s: %v\n%s", line, err, out)
		}
		d.t.Logf("%s", out)
		return
	}
	if code := d.end(); code != 0 {
		d.t.Fatalf("%s: exit status %d: %s", line, code, lastLines(d.sent()))
	}
	untilNoRun(d.t)
}
