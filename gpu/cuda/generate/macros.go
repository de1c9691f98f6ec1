package main

import (
	"regexp"
	"strings"
)

// A macro is one with parameters. The kernels' sources make families of kernels by them.
type macro struct {
	params []string
	body   string
}

var (
	definition = regexp.MustCompile(`(?m)^#define (\w+)\(([^)]*)\) ((?:.*\\\n)*.*)$`)
	directive  = regexp.MustCompile(`(?m)^#(?:.*\\\n)*.*$`)
	pasting    = regexp.MustCompile(`\s*##\s*`)
	word       = regexp.MustCompile(`\w+`)
)

// expand replaces the calls of the macros that a text defines, but KERNEL, by what they stand for.
func expand(text string) string {
	macros := map[string]macro{}
	for _, m := range definition.FindAllStringSubmatch(text, -1) {
		if strings.HasSuffix(m[1], "KERNEL") || !strings.Contains(m[3], "KERNEL") && !calls(m[3], macros) {
			continue // it makes no kernels
		}
		macros[m[1]] = macro{arguments(m[2]), strings.ReplaceAll(m[3], "\\\n", "\n")}
	}
	return apply(directive.ReplaceAllString(text, ""), macros)
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
