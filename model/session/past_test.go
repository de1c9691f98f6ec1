package session

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What can be taken back and repeated is one value; each case is what happened, and what is left.
func TestPast(t *testing.T) {
	one := func(seq int, field string) deed { return deed{Seq: seq, Edits: []Edit{{field, "1", "2"}}} }
	scope := deed{Seq: 3, Edits: []Edit{{"a.prune", "off", "on"}, {"b.prune", "off", "on"}}}
	for _, c := range []struct {
		name       string
		do         func(*past)
		undo, redo string
		n          int // left to take back
	}{
		{"nothing", func(p *past) {}, "", "", 0},
		{"one", func(p *past) { p.did(one(1, "lr")) }, "lr 2 → 1", "", 1},
		{"a scope is one", func(p *past) { p.did(one(1, "lr")); p.did(scope) }, "prune → off in a, b", "", 2},
		{"taken back", func(p *past) { p.did(one(1, "lr")); p.did(scope); d, _ := p.back(); p.undone(d) }, "lr 2 → 1", "prune → on in a, b", 1},
		{"repeated", func(p *past) { p.did(one(1, "lr")); d, _ := p.back(); p.undone(d); d, _ = p.forth(); p.again(d) }, "lr 2 → 1", "", 1},
		{"another forgets what was taken back", func(p *past) { p.did(one(1, "lr")); d, _ := p.back(); p.undone(d); p.did(one(2, "m")) }, "m 2 → 1", "", 1},
		{"a plan", func(p *past) { p.did(deed{Seq: 1, Plan: 7}) }, "plan 7", "", 1},
		{"part of a scope never took effect", func(p *past) { p.did(scope); p.forget(3, "a.prune") }, "b.prune on → off", "", 1},
		{"none of a scope did", func(p *past) { p.did(one(1, "lr")); p.did(scope); p.forget(3, "a.prune"); p.forget(3, "b.prune") }, "lr 2 → 1", "", 1},
		{"what was before is known when it takes effect", func(p *past) { p.did(one(1, "lr")); p.took(1, Edit{"lr", "0.5", "2"}) }, "lr 2 → 0.5", "", 1},
		{"not without end", func(p *past) {
			for i := range 2 * maxEvents {
				p.did(one(i+1, "lr"))
			}
		}, "lr 2 → 1", "", maxEvents},
	} {
		t.Run(c.name, func(t *testing.T) {
			var p past
			c.do(&p)
			undo, redo := p.texts()
			if d := cmp.Diff([]any{c.undo, c.redo, c.n}, []any{undo, redo, len(p.Undo)}); d != "" {
				t.Error(d)
			}
		})
	}
}
