package tui

import (
	"errors"
	"slices"
	"strings"

	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/human"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// commandLine is a line that is a command, with a list above it of what there is to set or do: name, value now, range,
// meaning.
type commandLine struct {
	*env
	history *history
	known   []commandEntry    // all that can be typed
	of      *session.Snapshot // what they tell of
	entries []commandEntry    // those that have what is typed
	list    list
	cycling bool
}

// commandEntry is a line of the list.
type commandEntry struct {
	name, now, limits, meaning string
	field                      config.Field // of a setting
	searched                   string       // name and meaning, in small letters
}

func newCommandLine(e *env) *commandLine {
	c := &commandLine{env: e, history: &e.history}
	c.history.rewind()
	c.find("")
	return c
}

func (*commandLine) String() string   { return "command" }
func (*commandLine) prompt() string   { return ":" }
func (*commandLine) canceled() intent { return nil }

func (c *commandLine) typed(text string) (intent, error) {
	c.cycling = false
	c.history.rewind()
	c.find(text)
	return nil, nil
}

func (*commandLine) key(string, string) (bool, error) { return false, nil }

// complete implements completing: a name goes on as the list has it.
func (c *commandLine) complete(text string) []string {
	if strings.ContainsAny(text, " =") {
		return completeCommand(c.snap, text)
	}
	var names []string
	for _, e := range c.entries {
		if strings.HasPrefix(e.name, text) {
			names = append(names, e.name)
		}
	}
	return names
}

// entered carries the command out. One that cannot be stays, to be mended.
func (c *commandLine) entered(text string) (intent, error) {
	text = strings.TrimSpace(text)
	if text == autopilotWord {
		return show{autopilotID}, nil
	}
	cmd, err := parseCommand(c.snap, text)
	switch {
	case errors.Is(err, errQuit):
		return askToLeave(c.env), nil
	case err != nil:
		return nil, err
	case cmd.Kind == session.Weigh && cmd.Target.Unit == autopilot.NoTarget:
		return measure{text}, nil
	case cmd.Kind == session.GoBack:
		return intents{askBack(c.env, cmd.Path, ""), remember{text}}, nil
	}
	return sendTyped{*cmd, text}, nil
}

// rewrite implements rewriting: up and down go through what was entered before, tab through the list. Enter makes the
// beginning of the only name in the list that name.
func (c *commandLine) rewrite(key, text string) (string, bool) {
	switch key {
	case "enter":
		if len(c.entries) != 1 || c.entries[0].name == text || !strings.HasPrefix(c.entries[0].name, text) {
			return "", false
		}
		return c.pick("tab", text)
	case "up", "ctrl+p":
		return c.listed(c.history.before(text), true)
	case "down", "ctrl+n":
		return c.listed(c.history.after())
	case "tab", "shift+tab":
		return c.pick(key, text)
	}
	return "", false
}

// listed lists for a text that takes the place of what stood in the line.
func (c *commandLine) listed(text string, ok bool) (string, bool) {
	if ok {
		c.cycling = false
		c.find(text)
	}
	return text, ok
}

// pick puts the name of the next entry in place of what was typed of one.
func (c *commandLine) pick(key, text string) (string, bool) {
	if strings.ContainsAny(text, " =") && !c.cycling || len(c.entries) == 0 {
		return "", false
	}
	switch {
	case !c.cycling && key == "shift+tab":
		c.list.chosen = len(c.entries) - 1
	case !c.cycling:
		c.list.chosen = 0
	case key == "tab":
		c.list.chosen = (c.list.chosen + 1) % len(c.entries)
	default:
		c.list.chosen = (c.list.chosen + len(c.entries) - 1) % len(c.entries)
	}
	c.cycling = true
	return c.entries[c.list.chosen].name + " ", true
}

// find lists what has the text that is typed: the field or fields that it names, where it names some, else all whose
// name has it, those first whose name begins with it.
func (c *commandLine) find(text string) {
	text = strings.TrimPrefix(strings.TrimLeft(text, " "), "set ")
	word, _, more := strings.Cut(strings.ReplaceAll(text, "=", " "), " ")
	if c.of != c.snap {
		c.known, c.of = c.all(), c.snap
	}
	named, small := c.named(word), strings.ToLower(word)
	var begin, have []commandEntry
	for _, e := range c.known {
		switch {
		case slices.Contains(named, e.field) && e.field != (config.Field{}):
			begin = append(begin, e)
		case more && (len(named) > 0 || e.name != word):
		case strings.HasPrefix(e.name, word):
			begin = append(begin, e)
		case strings.Contains(e.searched, small):
			have = append(have, e)
		}
	}
	c.entries = append(begin, have...)
	c.list.reset()
	c.Arrange()
}

// named are the fields that a word names.
func (c *commandLine) named(word string) []config.Field {
	layer, name := splitField(word)
	if name == sparsityWord || name == keptWord {
		name = config.AnyThreshold.String()
	}
	layers := matching(c.snap, layer)
	if layers == nil {
		layers = []string{layer}
	}
	var out []config.Field
	for _, l := range layers {
		full := name
		if l != "" {
			full = l + "." + name
		}
		if f, err := c.snap.Hyper.ParseField(full); err == nil {
			out = append(out, f)
		}
	}
	return out
}

// all lists everything that can be typed: thresholds, what else can be set, what can be done.
func (c *commandLine) all() []commandEntry {
	h := c.snap.Hyper
	var thresholds, others []commandEntry
	for _, f := range h.Fields() {
		now, _ := h.Text(f)
		e := commandEntry{name: f.String(), now: now, limits: h.Range(f), meaning: f.Meaning(), field: f}
		if f.WaitsForSurgery() {
			thresholds = append(thresholds, e)
		} else {
			others = append(others, e)
		}
	}
	out := thresholds
	if len(thresholds) > 0 {
		out = append(out, commandEntry{name: everyLayer + ".t",
			meaning: "of every layer; conv*.t: of those whose name is like that"})
	}
	for _, e := range thresholds {
		l := c.snap.Layer(e.field.Layer)
		if l == nil {
			continue
		}
		out = append(out,
			commandEntry{name: l.Name + "." + sparsityWord, now: percent(1 - fraction(l.Kept, l.Weights)),
				limits: "0 to 100", meaning: "the threshold that gives so many percent of zeros"},
			commandEntry{name: l.Name + "." + keptWord, now: human.Count(l.Kept),
				limits: "0 to " + human.Count(l.Weights), meaning: "the threshold that keeps so many weights"})
	}
	out = append(out, others...)
	for _, w := range commandWords {
		out = append(out, commandEntry{name: w.word, limits: w.form, meaning: w.meaning})
	}
	for i := range out {
		out[i].searched = strings.ToLower(out[i].name + " " + out[i].meaning)
	}
	return out
}

// rows is how many entries have room.
func (c *commandLine) rows() int { return max(1, min(c.height-8, 12)) }

// Arrange implements boxed.
func (c *commandLine) Arrange() { c.list.fit(len(c.entries), c.rows()) }

// Box implements boxed. It stays as high as it is at first, however few entries there are: it neither jumps nor seems
// to go.
func (c *commandLine) Box(w int) []string {
	t := &c.theme
	width := min(w, 110)
	name, now, limits := 12, 4, 6
	for _, e := range c.entries {
		name = max(name, min(ansi.StringWidth(t.text(e.name))+1, width/3))
		now = max(now, min(ansi.StringWidth(t.text(e.now))+1, 10))
		limits = max(limits, min(ansi.StringWidth(e.limits)+2, 22))
	}
	row := func(e commandEntry) string {
		return " " + t.fit(
			t.text(e.name),
			name,
		) + t.fitRight(
			t.text(e.now),
			now,
		) + "  " + t.fit(
			t.plain(e.limits),
			limits,
		) +
			t.text(
				e.meaning,
			)
	}
	lines := []string{t.dim.Render(row(commandEntry{name: "name", now: "now", limits: "range", meaning: "meaning"}))}
	from, to := c.list.window(len(c.entries), c.rows())
	for i := from; i < to; i++ {
		s := t.fit(row(c.entries[i]), width-2)
		if c.cycling && i == c.list.chosen {
			s = t.marked.Render(t.glyph.cursor) + t.marked.Render(s[1:])
		}
		lines = append(lines, s)
	}
	if len(c.entries) == 0 {
		lines = append(lines, t.plain(" nothing has this name; ⏎ says why"))
	}
	lines = padded(lines, 1+min(c.rows(), len(c.known)))
	title := titled("Set or do", c.list.position(c.rows()))
	return t.centred(t.plain(title+"  tab completes, ↑ what was entered before"), lines, width, w)
}

// history is what was entered as a command, in this run of the UI and before.
type history struct {
	lines []string // oldest first
	at    int      // the line that is shown; len(lines): none
	draft string   // what was typed before going back
}

// historyLines is how many lines are kept.
const historyLines = 500

// add remembers a line; the same as the last is not told twice.
func (h *history) add(text string) bool {
	if n := len(h.lines); n > 0 && h.lines[n-1] == text {
		return false
	}
	h.lines = append(h.lines, text)
	h.lines = h.lines[max(0, len(h.lines)-historyLines):]
	h.rewind()
	return true
}

// rewind goes back to the line that is being typed.
func (h *history) rewind() { h.at = len(h.lines) }

// before is the line before the one that is shown.
func (h *history) before(text string) string {
	if h.at == len(h.lines) {
		h.draft = text
	}
	if h.at == 0 {
		return text
	}
	h.at--
	return h.lines[h.at]
}

// after is the line after it; after the newest what was typed.
func (h *history) after() (string, bool) {
	if h.at >= len(h.lines) {
		return "", false
	}
	h.at++
	if h.at == len(h.lines) {
		return h.draft, true
	}
	return h.lines[h.at], true
}
