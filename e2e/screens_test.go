//go:build screens

package e2e

import (
	"fmt"
	"html"
	"image/color"
	"path/filepath"
	"regexp"
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
	e.wait("▸ ip1")
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
	e.keys("qgv") // in braille
	e.wait("whole run")
	e.keys("\x1b[D\x1b[D")
	e.wait("nearest change")
	e.save("plots")
	e.keys("qgg:lr 0.001 at 20000\r")
	e.keys("qaa")
	e.end()
}

// TestCaptureAutopilot runs the demo into its descent, and writes the autopilot's screen.
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
	e.until("a part of the descent", regexp.MustCompile("descending, 2[0-9] %").MatchString)
	e.save("autopilot")
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
	w, h := e.emu.Width(), e.emu.Height()
	var b strings.Builder
	fmt.Fprintf(
		&b,
		`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %.0f %d" width="%.0f" `+
			`font-family="ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace" font-size="14">
<rect width="100%%" height="100%%" rx="6" fill="#11151a"/>
`,
		float64(w)*cellWidth+16,
		h*cellHeight+16,
		float64(w)*cellWidth+16,
	)
	for y := range h {
		for x := 0; x < w; {
			c := e.emu.CellAt(x, y)
			end := x + 1
			text := content(c)
			for end < w {
				n := e.emu.CellAt(end, y)
				if style(n) != style(c) {
					break
				}
				text += content(n)
				end++
			}
			left, top := 8+float64(x)*cellWidth, 8+y*cellHeight
			if c != nil && c.Style.Bg != nil {
				fmt.Fprintf(
					&b,
					`<rect x="%.1f" y="%d" width="%.1f" height="%d" fill="%s"/>`,
					left,
					top,
					float64(end-x)*cellWidth,
					cellHeight,
					hex(c.Style.Bg),
				)
			}
			if strings.TrimSpace(text) != "" {
				fmt.Fprintf(
					&b,
					`<text x="%.1f" y="%d" textLength="%.1f" lengthAdjust="spacingAndGlyphs" `+
						`xml:space="preserve"%s>%s</text>`,
					left,
					top+13,
					float64(end-x)*cellWidth,
					style(c),
					html.EscapeString(text),
				)
			}
			x = end
		}
		b.WriteString("\n")
	}
	b.WriteString("</svg>\n")
	write(e.t, filepath.Join("..", "docs", "screens", name+".svg"), b.String())
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
