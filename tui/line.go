package tui

import (
	"slices"

	"charm.land/bubbles/v2/textinput"
	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"
	"github.com/charmbracelet/x/ansi"

	"dns-tui/config"
	"dns-tui/escape"
)

// purpose is what a line is typed for.
type purpose interface {
	String() string
	// prompt stands before the line.
	prompt() string
	// typed follows what stands in the line, and says what it wants done; an error is shown beside the line.
	typed(text string) (intent, error)
	// entered carries the line out. With an error the line stays, to be mended.
	entered(text string) (intent, error)
	// canceled undoes what typing did.
	canceled() intent
	// key takes a key that means something of its own in this line, where that text stands; false leaves it to the
	// line.
	key(name, text string) (handled bool, err error)
}

// boxed is a purpose with a box above its line.
type boxed interface {
	// Arrange lays the box out for the terminal.
	Arrange()
	// Box draws it in the middle of w cells.
	Box(w int) []string
}

// completing is a purpose that knows how what is typed may go on.
type completing interface {
	// complete returns whole lines that begin with the text, the likeliest first.
	complete(text string) []string
}

// rewriting is a purpose with keys that put another text into the line.
type rewriting interface {
	// rewrite returns the text that takes the place of the one that stands there; false leaves the key to others.
	rewrite(key, text string) (string, bool)
}

// line is the line at the bottom that is typed.
type line struct {
	*env
	purpose purpose
	input   textinput.Model
}

// newLine opens a line. The command is the cursor's.
func newLine(e *env, t typeLine) (*line, tea.Cmd) {
	in := textinput.New()
	in.CharLimit = 200
	in.ShowSuggestions = true
	// No colours of its own, and no blinking cursor, which sends bytes for nothing.
	style := textinput.StyleState{Suggestion: lipgloss.NewStyle().Faint(true)}
	in.SetStyles(textinput.Styles{Focused: style, Blurred: style})
	prompt := t.purpose.prompt()
	in.Prompt = e.theme.text(prompt)
	in.SetValue(t.value)
	in.SetWidth(max(1, e.width-len([]rune(prompt))-2))
	l := &line{env: e, purpose: t.purpose, input: in}
	l.suggest()
	return l, l.input.Focus()
}

// suggest offers how what stands in the line may go on.
func (l *line) suggest() {
	if c, ok := l.purpose.(completing); ok {
		// A name that has to be escaped cannot be typed.
		cannot := func(s string) bool { return escape.Line(s) != s }
		l.input.SetSuggestions(slices.DeleteFunc(c.complete(l.input.Value()), cannot))
	}
}

// Update takes in a key or what is pasted, and reports whether the line is still typed. The command is the cursor's.
func (l *line) Update(msg tea.Msg) (i intent, open bool, cmd tea.Cmd) {
	if k, ok := msg.(tea.KeyPressMsg); ok {
		name, text := k.String(), l.input.Value()
		if name == "esc" {
			return l.purpose.canceled(), false, nil
		}
		if r, ok := l.purpose.(rewriting); ok {
			if other, ok := r.rewrite(name, text); ok {
				l.input.SetValue(other)
				l.input.CursorEnd()
				l.suggest()
				return notice{}, true, nil
			}
		}
		if name == "enter" {
			i, err := l.purpose.entered(text)
			return orRefuse(i, err), err != nil, nil
		}
		if handled, err := l.purpose.key(name, text); handled {
			l.input.Prompt = l.theme.text(l.purpose.prompt())
			return orRefuse(notice{}, err), true, nil
		}
	}
	l.input, cmd = l.input.Update(msg)
	i, err := l.purpose.typed(l.input.Value())
	l.suggest()
	return orRefuse(intents{notice{}, i}, err), true, cmd
}

// orRefuse is an intent, or the notice of an error.
func orRefuse(i intent, err error) intent {
	if err != nil {
		return refuse(err.Error())
	}
	return i
}

// Arrange lays out what belongs to the line.
func (l *line) Arrange() {
	if b, ok := l.purpose.(boxed); ok {
		b.Arrange()
	}
}

// View draws the line. A suggestion makes it longer than it is to be, by blanks.
func (l *line) View() string { return ansi.Truncate(l.input.View(), l.width, "") }

// Box is what is drawn over the screen while the line is typed; nothing for most.
func (l *line) Box(w int) []string {
	if b, ok := l.purpose.(boxed); ok {
		return b.Box(w)
	}
	return nil
}

// plainLine is a purpose that has no keys of its own.
type plainLine struct{}

func (plainLine) key(string, string) (bool, error) { return false, nil }

// filterLine is the filter of the layers.
type filterLine struct {
	plainLine
	sel *selection
}

func (filterLine) String() string                 { return "filter" }
func (filterLine) prompt() string                 { return "/" }
func (filterLine) entered(string) (intent, error) { return nil, nil }
func (f filterLine) canceled() intent             { f.sel.narrow(""); return nil }

func (f filterLine) typed(text string) (intent, error) {
	f.sel.narrow(text)
	f.sel.move(0)
	return nil, nil
}

// searchLine is the filter of a text.
type searchLine struct {
	plainLine
	text *string
	list *list
}

func (searchLine) String() string                 { return "search" }
func (searchLine) prompt() string                 { return "/" }
func (searchLine) entered(string) (intent, error) { return nil, nil }
func (s searchLine) canceled() intent             { *s.text = ""; return nil }

func (s searchLine) typed(text string) (intent, error) {
	*s.text = text
	s.list.reset()
	return nil, nil
}

// valueLine is the value of the editor's handle.
type valueLine struct{ choices *choices }

func (valueLine) String() string     { return "value" }
func (v valueLine) prompt() string   { return v.choices.prompt() }
func (v valueLine) canceled() intent { return v.choices.drop() }

func (v valueLine) typed(text string) (intent, error) {
	if text == "" {
		return nil, nil
	}
	return nil, v.choices.chooseTyped(text)
}

func (v valueLine) entered(text string) (intent, error) {
	if _, err := v.typed(text); err != nil {
		return nil, err
	}
	return v.choices.apply(), nil
}

func (v valueLine) key(name, text string) (bool, error) {
	if name != "tab" {
		return false, nil
	}
	v.choices.nextHandle()
	_, err := v.typed(text)
	return true, err
}

// fieldLine is the value of a setting.
type fieldLine struct {
	plainLine
	*env
	field config.Field
}

func (fieldLine) String() string   { return "field" }
func (f fieldLine) prompt() string { return f.field.String() + ": " }
func (fieldLine) canceled() intent { return nil }

// edit is what a text means for the field, where it may have it.
func (f fieldLine) edit(text string) (config.Edit, error) {
	e, err := parseValue(f.snap, f.field, text)
	if err == nil {
		_, _, err = f.snap.Hyper.Apply(e)
	}
	return e, err
}

func (f fieldLine) typed(text string) (intent, error) {
	if text == "" {
		return nil, nil
	}
	_, err := f.edit(text)
	return nil, err
}

func (f fieldLine) entered(text string) (intent, error) {
	e, err := f.edit(text)
	return set(e), err
}
