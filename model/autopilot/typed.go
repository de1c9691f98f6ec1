package autopilot

import (
	"errors"
	"fmt"
	"strings"
	"unicode"

	"dns-tui/caffe"
)

// ParseSettings reads settings as they are typed in a line: a target, or names of options with their values, any number
// of them.
//
//	310x
//	target 400x end_iter 20000
//	exclude conv1 conv2 floor ip1=100 ip2=2% scale lamp
//
// A value reaches to the next word that is an option's name; a layer that is called like one is quoted, as Go quotes. A
// first word that is no name belongs to a target. An option and its value may also have "=" between them.
func ParseSettings(text string) ([]Setting, error) {
	list, err := split(text, unicode.IsSpace)
	if err != nil {
		return nil, err
	}
	if len(list) == 0 {
		return nil, errors.New("nothing typed; wanted " + settingForms)
	}
	var out []Setting
	for len(list) > 0 {
		name, rest := optionIn(list[0])
		switch {
		case name != "":
			list = list[1:]
			if rest != "" {
				list = append([]string{rest}, list...)
			}
		case len(out) == 0 && strings.ContainsRune(".0123456789-", rune(list[0][0])):
			name = "target"
		default:
			return nil, unknownOption(list[0])
		}
		n := 0
		for n < len(list) {
			if next, _ := optionIn(list[n]); next != "" {
				break
			}
			n++
		}
		if n == 0 {
			o, _ := FindOption(name)
			return nil, fmt.Errorf("%s: no value; wanted %s", name, o.Form)
		}
		e, err := ParseSetting(name, strings.TrimRight(strings.Join(list[:n], " "), ","))
		if err != nil {
			return nil, err
		}
		out, list = append(out, e), list[n:]
	}
	return out, nil
}

// settingForms is how ParseSettings reads a line.
const settingForms = "a target, such as 310x, or options and their values: target 400x end_iter 20000"

// optionIn is the name of the option that a word is, and what stands behind its "="; "" where it is none.
func optionIn(word string) (name, rest string) {
	word, rest, _ = strings.Cut(word, "=")
	if word = strings.ToLower(word); isOption[word] {
		return strings.ReplaceAll(word, "-", "_"), rest
	}
	return "", ""
}

// unknownOption is the error of a word where an option's name is wanted.
func unknownOption(word string) error {
	if _, err := FindOption(word); err != nil && caffe.Closest(strings.ToLower(word), optionNames()) != "" {
		return err
	}
	return fmt.Errorf("%q is no target and no option; wanted %s (options are: %s)", word, settingForms,
		strings.Join(optionNames(), ", "))
}

func optionNames() []string {
	names := make([]string, len(Options))
	for i, o := range Options {
		names[i] = o.Name
	}
	return names
}

// Short is the setting as it is typed, a long list cut: "pin conv1 conv2 conv3 and 57 more".
func (e Setting) Short() string {
	const named = 3
	list, err := words(e.Value)
	if err != nil || len(list) <= named+1 {
		return e.String()
	}
	return fmt.Sprintf("%s %s and %d more", e.Name, strings.Join(list[:named], " "), len(list)-named)
}
