package tui

import (
	"dns-tui/model/session"
	"errors"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// evil would colour, name the window, fill the clipboard, break the line and turn it round.
const evil = "\x1b[35;6m\x1b]0;title\a\x1b]52;c;eA==\a\n\u202e\u009b5m\xff"

// spoil puts evil into every string that v holds.
func spoil(v reflect.Value) {
	switch v.Kind() {
	case reflect.Pointer, reflect.Interface:
		if !v.IsNil() {
			spoil(v.Elem())
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			spoil(field)
		}
	case reflect.Slice:
		for i := range v.Len() {
			spoil(v.Index(i))
		}
	case reflect.String:
		if v.CanSet() && v.Type() == reflect.TypeFor[string]() { // a status is a type of its own
			v.SetString(v.String() + evil)
		}
	}
}

var reStyle = regexp.MustCompile(`\x1b\[[0-9;:]*m`)

// Whatever names, paths, messages and people's names hold, every screen has its lines, its own styles and graphic
// characters.
func TestHostileNamesOnEveryScreen(t *testing.T) {
	for _, sc := range scenes {
		t.Run(sc.name, func(t *testing.T) {
			s := scene()
			planned(s)
			measured(s)
			if sc.scene != nil {
				sc.scene(s)
			}
			s.Saved, s.Problem, s.Prefix = "a.solverstate", "the loss is not finite", "a"
			s.Viewers = append(s.Viewers, "anna on pts/1", "bob on pts/2")
			for i := range s.Events {
				s.Events[i].By = "anna"
			}
			spoil(reflect.ValueOf(s))
			a, f := open(t, s, look{tier: blockTier})
			a.opts.Name = "solver" + evil
			look := func(what string) {
				for _, size := range sizes {
					frame := frame(a, size[0], size[1])
					if strings.Contains(frame, "\x1b[35;6") {
						t.Fatalf("%s at %v: a colour of the name's own\n%q", what, size, frame)
					}
					lines := strings.Split(reStyle.ReplaceAllString(frame, ""), "\n")
					if len(lines) != size[1] {
						t.Fatalf("%s at %v: %d lines", what, size, len(lines))
					}
					for _, l := range lines {
						for _, r := range l {
							if !strconv.IsGraphic(r) {
								t.Fatalf("%s at %v: %q in %q", what, size, r, l)
							}
						}
					}
				}
			}
			a.width, a.height = 120, 40
			if sc.prepare != nil {
				sc.prepare(a)
			}
			look(sc.name)
			f.err = errors.New("refused" + evil)
			a.Update(ackMsg{cmd: session.Command{Kind: session.GoBack, Path: evil}, err: f.err})
			look("a refusal")
			if title := a.View().WindowTitle; strings.ContainsFunc(
				title,
				func(r rune) bool { return !strconv.IsGraphic(r) },
			) {
				t.Errorf("title %q", title)
			}
		})
	}
	a, _ := open(t, scene(), look{})
	a.snap, a.opts.Name = nil, evil
	if frame := frame(a, 80, 24); strings.Contains(frame, "\x1b[35;6") || strings.Count(frame, "\n") != 23 {
		t.Errorf("while the net loads: %q", frame)
	}
}
