package main

import (
	"context"
	"os"
	"strings"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/tui"
)

// uiOptions are what preferences and environment say of the UI.
func uiOptions(ascii bool, compare string) (tui.Options, error) {
	p, err := config.LoadPreferences()
	if err != nil {
		return tui.Options{}, err
	}
	// https://no-color.org: any value but the empty one.
	o := tui.Options{Preferences: p, UTF8: !ascii && utf8Locale(), NoColor: os.Getenv("NO_COLOR") != ""}
	o.NoBraille = os.Getenv("TERM") == "linux"
	h := historyFile()
	o.History, o.Remember = h.read(), h.add
	o.Compare, err = compared(compare)
	return o, err
}

// runConfig prints the preferences that apply, and the keys.
func runConfig(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "config")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("config: unexpected argument %q", rest[0])
	}
	p, err := config.LoadPreferences()
	if err != nil {
		return err
	}
	keys, err := tui.KeyTable(p)
	if err != nil {
		return err
	}
	state := ""
	if _, err := os.Stat(p.Path); err != nil {
		state = " (no such file: using defaults)"
	}
	escape.Fprintf(
		e.stdout,
		"# %s%s\n%s\n# Actions, their keys, what they do. `bind { action: \"pause\" key: \"z\" }` in that file "+
			"gives one other keys.\n",
		p.Path,
		state,
		escape.Block(p.String()),
	)
	for l := range strings.SplitSeq(strings.TrimRight(keys, "\n"), "\n") {
		escape.Fprintln(e.stdout, "#", l)
	}
	return nil
}
