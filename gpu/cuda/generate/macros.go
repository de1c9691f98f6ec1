package main

import (
	"regexp"
	"strings"
)

// A macro of the kernels' sources, which make families of kernels by them.
type macro struct {
	params []string // nil: it has none, and stands for a type
	body   string
}

var (
	directive  = regexp.MustCompile(`(?m)^#(?:.*\\\n)*.*$`)
	definition = regexp.MustCompile(`^#define (\w+)\(([^)]*)\) ((?:.*\\\n)*.*)$`)
	typeName   = regexp.MustCompile(`^#define (\w+) ([a-z][a-z ]*)$`)
	removal    = regexp.MustCompile(`^#undef (\w+)$`)
	pasting    = regexp.MustCompile(`\s*##\s*`)
	word       = regexp.MustCompile(`\w+`)
)

// expand replaces the calls of the macros that a text defines by what they stand for, each from its definition on:
// those that make kernels, but KERNEL itself, those that make names, and types' names.
func expand(text string) string {
	macros := map[string]macro{}
	var out strings.Builder
	for {
		at := directive.FindStringIndex(text)
		if at == nil {
			out.WriteString(apply(text, macros))
			return out.String()
		}
		out.WriteString(apply(text[:at[0]], macros))
		define(text[at[0]:at[1]], macros)
		text = text[at[1]:]
	}
}

// define does what a directive says to the macros.
func define(line string, macros map[string]macro) {
	if m := removal.FindStringSubmatch(line); m != nil {
		delete(macros, m[1])
	} else if m := typeName.FindStringSubmatch(line); m != nil {
		macros[m[1]] = macro{nil, m[2]}
	} else if m := definition.FindStringSubmatch(line); m != nil {
		makes := strings.Contains(m[3], "KERNEL") || strings.Contains(m[3], "##") || calls(m[3], macros)
		if makes && !strings.HasSuffix(m[1], "KERNEL") {
			macros[m[1]] = macro{arguments(m[2]), strings.ReplaceAll(m[3], "\\\n", "\n")}
		}
	}
}

// calls reports whether a text has one of the macros' names.
func calls(text string, macros map[string]macro) bool {
	for _, w := range word.FindAllString(text, -1) {
		if _, ok := macros[w]; ok {
			return true
		}
	}
	return false
}

func apply(text string, macros map[string]macro) string {
	var out strings.Builder
	for {
		found := false
		for _, at := range word.FindAllStringIndex(text, -1) {
			m, ok := macros[text[at[0]:at[1]]]
			if ok && m.params == nil {
				out.WriteString(text[:at[0]])
				text, found = m.body+text[at[1]:], true
				break
			}
			if !ok || !strings.HasPrefix(text[at[1]:], "(") {
				continue
			}
			end := at[1] + strings.IndexByte(text[at[1]:], ')')
			given := map[string]string{}
			for i, v := range arguments(text[at[1]+1 : end]) {
				given[m.params[i]] = v
			}
			body := word.ReplaceAllStringFunc(m.body, func(w string) string {
				if v, ok := given[w]; ok {
					return v
				}
				return w
			})
			out.WriteString(text[:at[0]])
			out.WriteString(apply(pasting.ReplaceAllString(body, ""), macros))
			text, found = text[end+1:], true
			break
		}
		if !found {
			out.WriteString(text)
			return out.String()
		}
	}
}

// arguments splits a list at its commas.
func arguments(list string) []string {
	out := strings.Split(list, ",")
	for i := range out {
		out[i] = strings.TrimSpace(out[i])
	}
	return out
}
