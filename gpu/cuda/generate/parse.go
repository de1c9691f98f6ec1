package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// source is what the kernels' sources declare.
type source struct {
	kernels []kernel
	first   map[string]int // the first kernel of each module
	structs map[string]*structure
	used    []*structure // those that kernels take, each behind those that it holds
}

// kernel is one, with its parameters behind the mark that each has.
type kernel struct {
	name   string
	params []field
}

// structure is a struct of C.
type structure struct {
	name   string
	body   string
	fields []field // nil until it is used
	size   int
	align  int
}

// field is a member of a struct or a parameter.
type field struct {
	name  string
	typ   string // of C, without const and the stars
	ptr   bool
	count int // of an array; 0 for none

	offset, size, align int
}

// modules are the files that are compiled, in the order of their kernels, with what a kernel's number is compared to.
var modules = []struct{ file, first string }{
	{"all.cu", ""},
	{"tensor.cu", "firstTensor"}, // tensor cores
	{"nhwc.cu", "firstNhwc"},     // channels last
}

var (
	includePattern = regexp.MustCompile(`(?m)^#include "([^"]+)"`)
	comment        = regexp.MustCompile(`//[^\n]*`)
	structPattern  = regexp.MustCompile(`(?m)^(?:template <[^>]*> )?struct (\w+) \{`)
)

// load reads the sources in a folder.
func load(dir string) (*source, error) {
	s := &source{structs: map[string]*structure{}, first: map[string]int{}}
	for _, m := range modules {
		module := m.file
		s.first[m.first] = len(s.kernels)
		text, err := included(dir, module, map[string]bool{})
		if err != nil {
			return nil, err
		}
		if err := s.findStructs(text); err != nil {
			return nil, err
		}
		found, err := s.findKernels(expand(text))
		if err != nil {
			return nil, fmt.Errorf("%s: %w", module, err)
		}
		s.kernels = append(s.kernels, found...)
	}
	return s, nil
}

// included returns a file with what it includes where it includes it, without comments.
func included(dir, name string, seen map[string]bool) (string, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return "", err
	}
	if bytes.Contains(b, []byte("#pragma once")) {
		if seen[name] {
			return "", nil
		}
		seen[name] = true
	}
	var text strings.Builder
	rest := comment.ReplaceAllString(string(b), "") + "\n"
	for {
		m := includePattern.FindStringSubmatchIndex(rest)
		if m == nil {
			text.WriteString(rest)
			return text.String(), nil
		}
		text.WriteString(rest[:m[0]])
		if other := rest[m[2]:m[3]]; !strings.Contains(other, "/") { // not the emulator's
			t, err := included(dir, other, seen)
			if err != nil {
				return "", err
			}
			text.WriteString(t)
		}
		rest = rest[m[1]:]
	}
}

// findStructs keeps the structs of a text.
func (s *source) findStructs(text string) error {
	for _, m := range structPattern.FindAllStringSubmatchIndex(text, -1) {
		name := text[m[2]:m[3]]
		end := closing(text, m[1])
		if end < 0 {
			return fmt.Errorf("struct %s has no end", name)
		}
		if s.structs[name] == nil {
			s.structs[name] = &structure{name: name, body: text[m[1]:end]}
		}
	}
	return nil
}

// closing returns where the brace that is open at a place closes, or -1.
func closing(text string, at int) int {
	for depth := 1; at < len(text); at++ {
		switch text[at] {
		case '{':
			depth++
		case '}':
			if depth--; depth == 0 {
				return at
			}
		}
	}
	return -1
}

// layout reads the fields of a struct and places them as C does.
func (s *source) layout(name string) (*structure, error) {
	st := s.structs[name]
	if st == nil {
		return nil, fmt.Errorf("no struct %s", name)
	}
	if st.fields != nil {
		return st, nil
	}
	for line := range strings.SplitSeq(withoutFunctions(st.body), ";") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		fields, err := declaration(line)
		if err != nil {
			return nil, fmt.Errorf("struct %s: %w", name, err)
		}
		st.fields = append(st.fields, fields...)
	}
	var err error
	if st.size, st.align, err = s.place(st.fields); err != nil {
		return nil, fmt.Errorf("struct %s: %w", name, err)
	}
	st.size = up(st.size, st.align)
	s.used = append(s.used, st)
	return st, nil
}

// withoutFunctions takes the member functions out of a struct.
func withoutFunctions(body string) string {
	for {
		open := strings.IndexByte(body, '{')
		if open < 0 {
			return body
		}
		from := strings.LastIndexAny(body[:open], ";}") + 1
		body = body[:from] + body[closing(body, open+1)+1:]
	}
}

var declarator = regexp.MustCompile(`^(\**)\s*(\w+)(?:\[(\d+)\])?$`)

// declaration reads "const float *a, *b" or "unsigned kept, pad[3]".
func declaration(text string) ([]field, error) {
	text = strings.ReplaceAll(text, "unsigned short", "ushort")
	words := strings.Fields(strings.ReplaceAll(text, "*", " * "))
	words = slices.DeleteFunc(words, func(w string) bool { return w == "const" })
	var out []field
	for d := range strings.SplitSeq(strings.Join(words[1:], ""), ",") {
		m := declarator.FindStringSubmatch(d)
		if m == nil || len(m[1]) > 1 {
			return nil, fmt.Errorf("%q is no declaration that this program reads", text)
		}
		f := field{name: m[2], typ: words[0], ptr: m[1] != ""}
		f.count, _ = strconv.Atoi(m[3])
		out = append(out, f)
	}
	return out, nil
}

// scalars are the sizes of C's types and CUDA's vectors, which are their alignments too.
var scalars = map[string]int{
	"int":      4,
	"unsigned": 4,
	"float":    4,
	"double":   8,
	"ushort":   2,
	"void":     1,
	"uint4":    16,
	"float4":   16,
}

// place gives fields their offsets, and returns where the last one ends and the largest alignment.
func (s *source) place(fields []field) (end, align int, err error) {
	align = 1
	for i := range fields {
		f := &fields[i]
		size, ok := scalars[f.typ]
		switch {
		case f.ptr:
			f.size, f.align = 8, 8
			if !ok {
				if _, err := s.layout(f.typ); err != nil {
					return 0, 0, err
				}
			}
		case ok:
			f.size, f.align = size, size
		default:
			st, err := s.layout(f.typ)
			if err != nil {
				return 0, 0, err
			}
			f.size, f.align = st.size, st.align
		}
		f.size *= max(1, f.count)
		f.offset = up(end, f.align)
		end, align = f.offset+f.size, max(align, f.align)
	}
	return end, align, nil
}

func up(n, to int) int { return (n + to - 1) / to * to }

var kernelPattern = regexp.MustCompile(`\b(?:BLOCK_)?KERNEL\(\d+, (\w+), ([^)]*)\)\s*\{`)

// findKernels reads the signatures in a text without macros.
func (s *source) findKernels(text string) ([]kernel, error) {
	var out []kernel
	for _, m := range kernelPattern.FindAllStringSubmatch(text, -1) {
		k := kernel{name: m[1]}
		for p := range strings.SplitSeq(m[2], ",") {
			fields, err := declaration(strings.TrimSpace(p))
			if err != nil {
				return nil, fmt.Errorf("kernel %s: %w", k.name, err)
			}
			k.params = append(k.params, fields...)
		}
		if _, _, err := s.place(k.params); err != nil {
			return nil, fmt.Errorf("kernel %s: %w", k.name, err)
		}
		out = append(out, k)
	}
	return out, nil
}
