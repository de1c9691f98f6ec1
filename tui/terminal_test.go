package tui

import (
	"image/color"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/config/configpb"
)

// lineOf is the line of the screen that has a text.
func lineOf(t *testing.T, a *App, text string) int {
	t.Helper()
	for i, l := range strings.Split(ansi.Strip(frame(a, a.width, a.height)), "\n") {
		if strings.Contains(l, text) {
			return i
		}
	}
	t.Fatalf("no line has %q", text)
	return 0
}

// The mouse selects layers and moves the handle, but not for a viewer that only reads.
func TestMouse(t *testing.T) {
	for _, size := range [][2]int{{80, 24}, {120, 40}} {
		for _, readOnly := range []bool{false, true} {
			a, _ := openWith(t, scene(), look{}, Options{ReadOnly: readOnly})
			a.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			a.Update(tea.MouseClickMsg{X: 5, Y: lineOf(t, a, "ip1 "), Button: tea.MouseLeft})
			if a.sel.layer().Name != "ip1" {
				t.Errorf("%v: a click selects %s", size, a.sel.layer().Name)
			}
			a.Update(tea.MouseWheelMsg{Button: tea.MouseWheelUp})
			if a.sel.layer().Name != "conv2" {
				t.Errorf("%v: the wheel selects %s", size, a.sel.layer().Name)
			}
			line := lineOf(t, a, "0σ ")
			a.Update(tea.MouseClickMsg{X: 5, Y: line, Button: tea.MouseLeft}) // the scale's beginning
			if v, ok := draftOf(a)["conv2"]; ok == readOnly || ok && v > 0.1 {
				t.Errorf("%v, read-only %t: a click on the slider chooses %g, %t", size, readOnly, v, ok)
			}
			a.Update(tea.MouseClickMsg{X: 5, Y: size[1] - 1, Button: tea.MouseLeft})
			if a.sel.layer().Name != "conv2" {
				t.Error("a click on the footer selects a layer")
			}
		}
	}
}

// Colours follow the terminal's background, where the user has not chosen, and are left out where it has none.
func TestTheme(t *testing.T) {
	white, black := tea.BackgroundColorMsg{Color: color.White}, tea.BackgroundColorMsg{Color: color.Black}
	noColours := tea.ColorProfileMsg{Profile: colorprofile.ASCII}
	sixteen := tea.ColorProfileMsg{Profile: colorprofile.ANSI}
	for _, c := range []struct {
		name        string
		theme       configpb.Preferences_Theme
		messages    []tea.Msg
		light, mono bool
	}{
		{"unknown background", configpb.Preferences_AUTO, nil, false, false},
		{"light background", configpb.Preferences_AUTO, []tea.Msg{white}, true, false},
		{"dark background", configpb.Preferences_AUTO, []tea.Msg{white, black}, false, false},
		{"light chosen", configpb.Preferences_LIGHT, []tea.Msg{black}, true, false},
		{"dark chosen", configpb.Preferences_DARK, []tea.Msg{white}, false, false},
		{"mono chosen", configpb.Preferences_MONO, []tea.Msg{white}, false, true},
		{"a terminal without colours", configpb.Preferences_AUTO, []tea.Msg{noColours, black}, false, true},
		{"a terminal of 16 colours", configpb.Preferences_AUTO, []tea.Msg{sixteen}, false, false},
	} {
		p := config.DefaultPreferences()
		p.Theme = c.theme.Enum()
		a, err := New(Options{Preferences: p, UTF8: true})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range c.messages {
			a.Update(m)
		}
		if a.theme.light != c.light || a.theme.mono != c.mono {
			t.Errorf("%s: light %t, mono %t", c.name, a.theme.light, a.theme.mono)
		}
	}
}

// Braille is what is drawn with where it can be; what the preferences say goes before that.
func TestFirstTier(t *testing.T) {
	best, block := configpb.Preferences_BEST, configpb.Preferences_BLOCK
	for _, c := range []struct {
		glyphs          configpb.Preferences_Glyphs
		utf8, noBraille bool
		want            tier
	}{
		{best, true, false, brailleTier},
		{best, true, true, blockTier},
		{best, false, false, asciiTier},
		{block, true, false, blockTier},
		{block, false, false, asciiTier},
		{configpb.Preferences_BRAILLE, true, true, brailleTier},
		{configpb.Preferences_BRAILLE, false, false, asciiTier},
		{configpb.Preferences_ASCII, true, false, asciiTier},
	} {
		p := config.DefaultPreferences()
		p.Glyphs = c.glyphs.Enum()
		a, err := New(Options{Preferences: p, UTF8: c.utf8, NoBraille: c.noBraille})
		if err != nil {
			t.Fatal(err)
		}
		if a.theme.tier != c.want {
			t.Errorf("%v, UTF-8 %t, no braille %t: %v, wanted %v", c.glyphs, c.utf8, c.noBraille, a.theme.tier, c.want)
		}
	}
}

// A screen that is held does not change, whatever happens, and leaves the mouse to the terminal; any key lets it go.
func TestFreeze(t *testing.T) {
	s := scene()
	a, f := open(t, s, look{})
	press(a, "F")
	before := a.View()
	changed := *s
	changed.Iter = 20000
	f.snap = &changed
	a.Update(tickMsg{})
	if after := a.View(); after.Content != before.Content || after.MouseMode != tea.MouseModeNone {
		t.Error("a held screen changes")
	}
	press(a, "s")
	if len(f.got) > 0 || !strings.Contains(a.View().Content, "20,000") {
		t.Errorf("the key that lets go sent %v", f.got)
	}
}

// Without focus, and on a terminal that lags, the run is looked at less often.
func TestInterval(t *testing.T) {
	a, _ := open(t, scene(), look{})
	quick := a.interval()
	a.Update(tea.BlurMsg{})
	if d := a.interval(); d != idleFactor*quick {
		t.Errorf("without focus every %v, with %v", d, quick)
	}
	a.Update(tea.FocusMsg{})
	if d := a.interval(); d != quick {
		t.Errorf("with focus again every %v", d)
	}
	if quick < 100*time.Millisecond {
		t.Errorf("every %v: more than ten times a second", quick)
	}
	a.slow = func() bool { return true }
	if d := a.interval(); d != idleFactor*quick {
		t.Errorf("on a slow terminal every %v", d)
	}
}

// A terminal lags while a write to it waits.
func TestOutputLags(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	o := &output{File: w}
	if o.slow() {
		t.Error("a terminal that was never written to lags")
	}
	wrote := make(chan error, 1)
	go func() {
		_, err := o.Write(make([]byte, 1<<20)) // more than a pipe holds
		wrote <- err
	}()
	deadline := time.After(time.Minute)
	for !o.slow() { // until the write has waited long enough
		select {
		case <-deadline:
			t.Fatal("a terminal that takes nothing does not lag")
		case <-time.After(lag / 5):
		}
	}
	if _, err := io.CopyN(io.Discard, r, 1<<20); err != nil {
		t.Fatal(err)
	}
	if err := <-wrote; err != nil {
		t.Fatal(err)
	}
	if o.began.Load() != 0 {
		t.Error("the write is over and still begun")
	}
}
