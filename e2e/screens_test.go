//go:build screens

package e2e

import (
	"fmt"
	"html"
	"image/color"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	uv "github.com/charmbracelet/ultraviolet"
)

// TestCapture runs the demo and writes its main screens to docs/screens, as SVG: `make screens`.
func TestCapture(t *testing.T) {
	demo, err := filepath.Abs("../build/demo")
	if err != nil {
		t.Fatal(err)
	}
	e := start(
		t,
		demo,
		120,
		36,
		"ui",
		"--solver",
		"../../testdata/solvers/lenet_dns.prototxt",
		"--weights",
		"../../testdata/models/lenet5_dense.caffemodel",
		"--journal",
		filepath.Join(t.TempDir(), "screens.journal"),
	)
	e.wait("it/s", "conv1")
	e.until("a test", func(string) bool { return strings.Contains(e.screen(), "500 test ") })
	e.keys(":conv2.t 1.8\r")
	e.wait("applied conv2.threshold")
	e.keys("x")
	e.wait("r measures")
	e.keys(" ") // measuring has the machine to itself then
	e.wait("PAUSED")
	e.keys("rjk") // and the answer goes from the last line
	e.until(
		"the sensitivity of all layers",
		func(s string) bool { return !strings.Contains(s, " of 33") && strings.Contains(s, "holds to") },
	)
	e.keys("jj")
	e.wait("▸ c ip1")
	e.save("sensitivity")
	e.keys(" ")
	e.wait("it/s")
	e.keys("qk4")
	e.wait("▸", "⏎ applies")
	e.save("main")
	e.keys("\x1bki")
	e.wait("filters 1 to", "positive")
	e.save("filters")
	e.keys("qjji\t")
	e.wait("map of the mask, rows")
	e.save("mask")
	e.keys("qv")
	e.wait("whole run")
	e.keys("\x1b[D\x1b[D")
	e.wait("nearest change")
	e.save("plots")
	e.keys("q:lr 0.001 at 20000\r")
	e.keys("qaa")
	e.end()
}

// progressOf is how far a descent is by its screen, in percent: 100 to 200 is the anneal, doneAt all of it.
func progressOf(screen string) int {
	if strings.Contains(screen, "finished") {
		return doneAt
	}
	m := reProgress.FindStringSubmatch(screen)
	if m == nil {
		return 0
	}
	n, _ := strconv.Atoi(m[2])
	if m[1] == "annealing" {
		n += 100
	}
	return n
}

const doneAt = 207

var reProgress = regexp.MustCompile(`(descending|annealing), (\d+) %`)

// TestCaptureAutopilot runs the demo's descent, and writes the autopilot's screen, as a picture and as one that moves.
func TestCaptureAutopilot(t *testing.T) {
	demo, err := filepath.Abs("../build/demo")
	if err != nil {
		t.Fatal(err)
	}
	e := start(t, demo, 120, 40, "ui", "--solver", "../../testdata/solvers/lenet_autopilot.prototxt",
		"--weights", "../../testdata/models/lenet5_dense.caffemodel",
		"--journal", filepath.Join(t.TempDir(), "screens.journal"))
	e.wait("it/s", "conv1")
	e.keys("a")
	var f film
	for at := 4; at <= doneAt; at += 7 {
		e.until(fmt.Sprintf("%d %% of descent and anneal", at), func(s string) bool { return progressOf(s) >= at })
		f.shoot(e)
		if at == 25 {
			e.save("autopilot")
		}
	}
	e.wait("finished")
	f.shoot(e)
	f.save(e, "descent")
	e.keys("qqa")
	e.wait("stop without one")
	e.keys("a")
	e.end()
}

// The size of a cell, in SVG's units.
const cellWidth, cellHeight = 8.4, 17

// save writes the screen as it is.
func (e *terminal) save(name string) {
	e.t.Helper()
	writePicture(e.t, name, e.emu.Width(), e.emu.Height(), strings.Join(e.rows(), "\n"))
}

// writePicture writes an SVG of w by h cells.
func writePicture(t testing.TB, name string, w, h int, body string) {
	t.Helper()
	head := fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" `+
		`font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<rect width="100%%" height="100%%" rx="6" fill="#11151a"/>
`, float64(w)*cellWidth+16, h*cellHeight+16, float64(w)*cellWidth+16)
	write(t, filepath.Join("..", "docs", "screens", name+".svg"), head+body+"\n</svg>\n")
}

// rows are the lines of the screen, as SVG.
func (e *terminal) rows() []string {
	rows := make([]string, e.emu.Height())
	for y := range rows {
		var b strings.Builder
		for x := 0; x < e.emu.Width(); {
			x = e.run(&b, x, y)
		}
		rows[y] = b.String()
	}
	return rows
}

// run draws the cells from one on that look alike, and returns where they end.
func (e *terminal) run(b *strings.Builder, x, y int) int {
	c := e.emu.CellAt(x, y)
	end, text := x+1, content(c)
	for ; end < e.emu.Width(); end++ {
		n := e.emu.CellAt(end, y)
		if style(n) != style(c) {
			break
		}
		text += content(n)
	}
	left, top := 8+float64(x)*cellWidth, 8+y*cellHeight
	if c != nil && c.Style.Bg != nil {
		fmt.Fprintf(b, `<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`,
			left, top, float64(end-x)*cellWidth, cellHeight, hex(c.Style.Bg))
	}
	if strings.TrimSpace(text) != "" {
		fmt.Fprintf(b, `<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" `+
			`xml:space="preserve"%s>%s</text>`,
			left, top+13, float64(end-x)*cellWidth, style(c), html.EscapeString(text))
	}
	return end
}

// film is a picture that moves: screens one after the other.
type film struct{ frames [][]string }

// How long a frame stands, and how much longer the last.
const frameTime, lastFrames = 0.35, 8

// shoot takes the screen as it is.
func (f *film) shoot(e *terminal) { f.frames = append(f.frames, e.rows()) }

// save writes the film. A line that stays as it is from frame to frame is drawn once.
func (f *film) save(e *terminal, name string) {
	e.t.Helper()
	n := len(f.frames)
	total := float64(n + lastFrames)
	var b strings.Builder
	for y := range f.frames[0] {
		for from := 0; from < n; {
			to := from + 1
			for to < n && f.frames[to][y] == f.frames[from][y] {
				to++
			}
			row := f.frames[from][y]
			if row != "" && to-from < n {
				end := float64(to)
				if to == n {
					end = total
				}
				row = fmt.Sprintf(`<g display="none">%s<animate attributeName="display" calcMode="discrete" `+
					`dur="%.2fs" repeatCount="indefinite" values="none;inline;none" keyTimes="0;%.5f;%.5f"/></g>`,
					row, total*frameTime, float64(from)/total, end/total)
				if from == 0 {
					row = strings.NewReplacer(`values="none;inline;none"`, `values="inline;inline;none"`,
						` display="none"`, ``).Replace(row)
				}
			}
			b.WriteString(row + "\n")
			from = to
		}
	}
	writePicture(e.t, name, e.emu.Width(), e.emu.Height(), b.String())
}

func content(c *uv.Cell) string {
	if c == nil || c.Content == "" {
		return " "
	}
	return c.Content
}

// style is a cell's look as attributes.
func style(c *uv.Cell) string {
	if c == nil {
		return ` fill="#d6dde6"`
	}
	s := ` fill="#d6dde6"`
	if c.Style.Fg != nil {
		s = fmt.Sprintf(` fill="%s"`, hex(c.Style.Fg))
	}
	if c.Style.Attrs&uv.AttrBold != 0 {
		s += ` font-weight="bold"`
	}
	if c.Style.Attrs&uv.AttrFaint != 0 {
		s += ` opacity="0.55"`
	}
	if c.Style.Bg != nil {
		s += ` data-bg="` + hex(c.Style.Bg) + `"`
	}
	return s
}

func hex(c color.Color) string {
	r, g, b, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, b>>8)
}
