package autopilot

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// words splits a list at blanks and commas. A name that has such a sign in it, or is also a word of ours, is quoted, as
// Go does: see quote.
func words(text string) ([]string, error) {
	return split(text, func(r rune) bool { return unicode.IsSpace(r) || r == ',' })
}

// split splits a text at separators that are not within quotation marks.
func split(text string, separator func(rune) bool) ([]string, error) {
	var out []string
	for {
		if text = strings.TrimLeftFunc(text, separator); text == "" {
			return out, nil
		}
		n := 0
		if text[0] == '"' {
			quoted, err := strconv.QuotedPrefix(text)
			if err != nil {
				return nil, fmt.Errorf("%s: a quotation mark without its other", text)
			}
			n = len(quoted)
		}
		if end := strings.IndexFunc(text[n:], separator); end >= 0 {
			n += end
		} else {
			n = len(text)
		}
		out = append(out, text[:n])
		text = text[n:]
	}
}

// unquote is a name without its quotation marks.
func unquote(word string) (string, error) {
	if !strings.HasPrefix(word, `"`) {
		return word, nil
	}
	name, err := strconv.Unquote(word)
	if err != nil {
		return "", fmt.Errorf("%s is not a quoted name", word)
	}
	return name, nil
}

// quote is a name as words reads it.
func quote(name string) string {
	plain := func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`,"=`, r) || !unicode.IsPrint(r) }
	if name == "" || name == allText || name == noneText || isOption[strings.ToLower(name)] ||
		strings.IndexFunc(name, plain) >= 0 {
		return strconv.Quote(name)
	}
	return name
}

func parseNames(names *[]string, text, none string) error {
	*names = nil
	list, err := words(text)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("no name; wanted names of layers, or %s", none)
	}
	if len(list) == 1 && list[0] == none {
		return nil
	}
	for _, word := range list {
		name, err := unquote(word)
		if err != nil {
			return err
		}
		*names = append(*names, name)
	}
	return nil
}

func namesText(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = quote(name)
	}
	return strings.Join(quoted, " ")
}

// limitsOf returns the limits of a layer, which it adds where there are none.
func (s *Settings) limitsOf(name string) *LayerLimits {
	for i := range s.Limits {
		if s.Limits[i].Name == name {
			return &s.Limits[i]
		}
	}
	s.Limits = append(s.Limits, LayerLimits{Name: name})
	return &s.Limits[len(s.Limits)-1]
}

// tidy drops the limits of layers that have none.
func (s *Settings) tidy() {
	s.Limits = slices.DeleteFunc(s.Limits, func(l LayerLimits) bool { return l == LayerLimits{Name: l.Name} })
	if len(s.Limits) == 0 {
		s.Limits = nil
	}
}

func (s *Settings) parseAmounts(text string, field func(*LayerLimits) *Amount) error {
	defer s.tidy()
	list, err := words(text)
	if err != nil {
		return err
	}
	if len(list) == 0 {
		return fmt.Errorf("no layer; wanted conv1=100, conv1=2%%, or %s", noneText)
	}
	if len(list) == 1 && list[0] == noneText {
		for i := range s.Limits {
			*field(&s.Limits[i]) = Amount{}
		}
		return nil
	}
	for _, word := range list {
		i := strings.LastIndexByte(word, '=')
		if i < 0 {
			return fmt.Errorf("%s has no amount; wanted %s=100 or %s=2%%", word, word, word)
		}
		name, err := unquote(word[:i])
		if err != nil {
			return err
		}
		amount, err := ParseAmount(word[i+1:])
		if err != nil {
			return err
		}
		*field(s.limitsOf(name)) = amount
	}
	return nil
}

func (s *Settings) amountsText(field func(*LayerLimits) *Amount) string {
	var out []string
	for i := range s.Limits {
		if a := *field(&s.Limits[i]); a.Set {
			out = append(out, quote(s.Limits[i].Name)+"="+a.String())
		}
	}
	if out == nil {
		return noneText
	}
	return strings.Join(out, " ")
}

func (s *Settings) parsePins(text string) error {
	var names []string
	if err := parseNames(&names, text, noneText); err != nil {
		return err
	}
	for i := range s.Limits {
		s.Limits[i].Pinned = false
	}
	for _, name := range names {
		s.limitsOf(name).Pinned = true
	}
	s.tidy()
	return nil
}

func (s *Settings) pinsText() string {
	var names []string
	for _, l := range s.Limits {
		if l.Pinned {
			names = append(names, l.Name)
		}
	}
	return namesText(names, noneText)
}
