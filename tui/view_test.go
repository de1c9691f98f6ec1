package tui

import (
	"cmp"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strings"
	"testing"

	tea "charm.land/bubbletea/v2"

	"dns-tui/model/session"
)

// dump writes everything that a value reaches, private fields and spare capacity of slices too, a leaf a line.
func dump(v any) []string {
	var lines []string
	seen := map[uintptr]bool{}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		put := func(x any) { lines = append(lines, fmt.Sprintf("%s = %v", path, x)) }
		switch v.Kind() {
		case reflect.Pointer:
			put(v.IsNil())
			if !v.IsNil() && !seen[v.Pointer()] {
				seen[v.Pointer()] = true
				walk(path, v.Elem())
			}
		case reflect.Interface:
			put(v.IsNil())
			if !v.IsNil() {
				put(v.Elem().Type())
				walk(path, v.Elem())
			}
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Slice:
			put(v.Len())
			all := v.Slice(0, v.Cap())
			if k := v.Type().Elem().Kind(); k >= reflect.Int && k <= reflect.Float64 { // the many numbers of series
				put(checksum(all))
				return
			}
			for i := range all.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), all.Index(i))
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		case reflect.Map:
			keys := v.MapKeys()
			slices.SortFunc(keys, func(a, b reflect.Value) int { return cmp.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
			for _, k := range keys {
				walk(fmt.Sprintf("%s[%v]", path, k), v.MapIndex(k))
			}
		case reflect.Func, reflect.Chan, reflect.UnsafePointer:
			put(v.IsNil())
		default:
			put(v)
		}
	}
	walk("", reflect.ValueOf(v))
	return lines
}

// checksum is one of a slice of numbers.
func checksum(v reflect.Value) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, a number at a time
	for i := range v.Len() {
		var n uint64
		switch e := v.Index(i); {
		case e.CanInt():
			n = uint64(e.Int())
		case e.CanUint():
			n = e.Uint()
		default:
			n = math.Float64bits(e.Float())
		}
		h = (h ^ n) * 1099511628211
	}
	return h
}

// A View draws the same twice, and leaves the model, its screens and the snapshot as they are, on every screen, with
// what may be over it, at every size.
func TestViewChangesNothing(t *testing.T) {
	shown := map[screenID]bool{}
	for _, sc := range scenes {
		for i, size := range append(sizes, [2]int{100, 14}, [2]int{60, 9}, [2]int{29, 30}) {
			s := scene()
			planned(s)
			if sc.scene != nil {
				sc.scene(s)
			}
			a, _ := open(t, s, look{tier: tier(i % int(tiers))})
			a.Update(tea.WindowSizeMsg{Width: size[0], Height: size[1]})
			if sc.prepare != nil {
				sc.prepare(a)
			}
			shown[a.open] = true
			viewTwice(t, fmt.Sprintf("%s at %v", sc.name, size), a)
		}
	}
	held, _ := open(t, scene(), look{})
	press(held, "F")
	viewTwice(t, "while the screen is held", held)
	loading, err := New(Options{Name: "solver.prototxt"})
	if err != nil {
		t.Fatal(err)
	}
	viewTwice(t, "while the net loads", loading)
	for id := range screenCount {
		if !shown[id] {
			t.Errorf("no scene shows %v", id)
		}
	}
}

// viewTwice draws twice, and compares what is drawn and all that was there before and after.
func viewTwice(t *testing.T, what string, a *App) {
	t.Helper()
	before := dump(a)
	first, second := a.View(), a.View()
	if first.Content != second.Content {
		t.Errorf("%s draws\n%s\nand\n%s", what, first.Content, second.Content)
	}
	after := dump(a)
	for i := range max(len(before), len(after)) {
		if i >= len(before) || i >= len(after) || before[i] != after[i] {
			t.Errorf("%s: View changes %s to %s", what, at(before, i), at(after, i))
			break
		}
	}
}

// at is a line, or "nothing".
func at(lines []string, i int) string {
	if i >= len(lines) {
		return "nothing"
	}
	return lines[i]
}

// The dump tells a change of a private field, and of what lies in a slice's spare capacity.
func TestDump(t *testing.T) {
	a, _ := open(t, scene(), look{})
	press(a, "J")
	j := a.screens[journalID].(*journal)
	j.lines = append(make([]string, 0, len(j.lines)+1), j.lines...)
	before := dump(a)
	for _, c := range []struct {
		what   string
		change func()
	}{
		{"a list's first line", func() { j.list.top++ }},
		{"spare capacity", func() { _ = append(j.lines, "more") }},
		{"a draft", func() { draftOf(a)["conv1"] = 1 }},
		{"a point of a curve", func() { a.snap.Losses.Values[3]++ }},
	} {
		c.change()
		after := dump(a)
		if slices.Equal(after, before) {
			t.Errorf("%s changed, and the dump did not", c.what)
		}
		before = after
	}
}

// A snapshot with less in it than the one before leaves no screen with a selection or a line that is not there.
func TestSnapshotShrinks(t *testing.T) {
	for id := range screenCount {
		s := scene()
		conv1(s)
		measured(s)
		planned(s)
		descending(s)
		a, f := open(t, s, look{})
		press(a, ways[id]...)
		for range 20 {
			press(a, "down", "right")
		}
		less := *s
		less.Layers, less.Plans, less.RestorePoints, less.Events, less.Pending = s.Layers[:1], nil, nil, nil, nil
		less.Sensitivity, less.Losses, less.Accuracy = nil, session.Series{}, session.Series{}
		f.snap = &less
		a.Update(tickMsg{})
		if lines := strings.Split(a.View().Content, "\n"); len(lines) != a.height {
			t.Errorf("%v has %d lines", id, len(lines))
		}
		if a.sel.layer() == nil || a.sel.layer().Name != "conv1" {
			t.Errorf("%v: layer %v is selected", id, a.sel.layer())
		}
		press(a, "down", "enter", "up", "right", "D")
		a.View()
	}
}
