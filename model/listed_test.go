package model

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Numbers of one blob have a place each; of many the first are listed, and how many more there are.
func TestList(t *testing.T) {
	names := append([]string{"loss"}, slices.Repeat([]string{"prob"}, 1013)...)
	names = append(names, slices.Repeat([]string{"ten"}, 10)...)
	names = append(names, "pair", "accuracy", "pair")
	text := func(all bool) string {
		var s []string
		for _, l := range List(names, all) {
			if !strings.HasPrefix(l.Name, names[l.Index]) {
				t.Errorf("%+v is a number of %s", l, names[l.Index])
			}
			if s = append(s, l.Name); l.More != "" {
				s = append(s, "("+l.More+")")
			}
		}
		return strings.Join(s, " ")
	}
	few := func(blob string, n int) string {
		var s []string
		for i := range n {
			s = append(s, fmt.Sprintf("%s[%d]", blob, i))
		}
		return strings.Join(s, " ")
	}
	rest := " " + few("ten", 10) + " pair[0] accuracy pair[1]"
	if have, want := text(false), "loss "+few("prob", 10)+" (1,003 more of prob)"+rest; have != want {
		t.Errorf("%s\nwanted\n%s", have, want)
	}
	if have, want := text(true), "loss "+few("prob", 1013)+rest; have != want {
		t.Errorf("%s\nwanted\n%s", have, want)
	}
}
