package tui

import (
	"fmt"
	"strings"
)

// may reports whether this viewer may do an action: one that only reads changes nothing.
func (e *env) may(b *binding) bool { return !(e.readOnly && b.steers) }

// can reports whether this viewer has a key for an action that it may do.
func (e *env) can(b *binding) bool { return e.may(b) && b.Enabled() && len(b.Keys()) > 0 }

// key is the first key of an action, as people read it.
func (b *binding) key() string { return strings.Fields(b.Help().Key)[0] }

// naming is a text with keys: those of actions, in place of its verbs. Where this viewer cannot do all of them it is
// "", so no text names a key that does nothing, or one that the preferences gave to something else.
func (e *env) naming(format string, actions ...*binding) string {
	keys := make([]any, len(actions))
	for i, b := range actions {
		if !e.can(b) {
			return ""
		}
		keys[i] = e.theme.plain(b.key())
	}
	return fmt.Sprintf(format, keys...)
}

// aside is a text in parentheses, after another; "" of none.
func aside(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}
