package main

import (
	"slices"
	"strings"
	"testing"
)

// What takes long is told at the second look, and now and then while it lasts; what is over at once is not.
func TestPhases(t *testing.T) {
	for _, c := range []struct {
		looks string // "." is a look at which there is no phase, "x" one at which there is one
		told  []int  // at which looks
	}{
		{"....", nil},
		{".x.x.x.", nil},
		{".xx.", []int{2}},
		{"xxxx.xxx", []int{1, 6}},
		{strings.Repeat("x", 40), []int{1, 16, 31}},
	} {
		var p phases
		var told []int
		for i, look := range c.looks {
			phase := ""
			if look == 'x' {
				phase = "choosing kernels: conv1 forward (3 chosen)"
			}
			if text := p.look(phase); text != "" {
				told = append(told, i)
				if text != phase {
					t.Errorf("%q: told %q", c.looks, text)
				}
			}
		}
		if !slices.Equal(told, c.told) {
			t.Errorf("%q: told at %v, wanted %v", c.looks, told, c.told)
		}
	}
}
