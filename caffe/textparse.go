package caffe

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Faults is what is wrong with a file, in the order of its lines.
type Faults []*FileError

func (f Faults) Error() string {
	lines := make([]string, len(f))
	for i, e := range f {
		lines[i] = e.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the faults, for errors.As.
func (f Faults) Unwrap() []error {
	out := make([]error, len(f))
	for i, e := range f {
		out[i] = e
	}
	return out
}

// CountFaults returns how many faults of a file an error tells of; 0 where it is nil.
func CountFaults(err error) int {
	var f Faults
	switch {
	case err == nil:
		return 0
	case errors.As(err, &f):
		return len(f)
	}
	return 1
}

// Up to maxFaults faults of a file are told, all of them. One that has more is another kind of file, mostly: then a
// few.
const (
	maxFaults = 30
	fewFaults = 5
)

// asError returns the faults as an error, the first ones where there are many, and once what is said of several lines.
func (f Faults) asError() error {
	slices.SortStableFunc(f, func(a, b *FileError) int { return a.Line - b.Line })
	f = f.joined()
	switch n := len(f); {
	case n == 0:
		return nil
	case n == 1:
		return f[0]
	case n > maxFaults:
		last := *f[fewFaults-1]
		last.Msg += fmt.Sprintf(" (and %d more faults)", n-fewFaults)
		f = append(f[:fewFaults-1:fewFaults-1], &last)
	}
	return f
}

// joined are the faults, those of one text told where the first is, with the other lines.
func (f Faults) joined() Faults {
	const named = 3
	type text struct{ path, msg string }
	lines := map[text][]int{}
	for _, e := range f {
		t := text{e.Path, e.Msg}
		lines[t] = append(lines[t], e.Line)
	}
	var out Faults
	for _, e := range f {
		t := text{e.Path, e.Msg}
		all, ok := lines[t]
		if !ok {
			continue // told
		}
		delete(lines, t)
		// A line may have it twice.
		others := slices.DeleteFunc(slices.Compact(all), func(line int) bool { return line == e.Line })
		if len(others) > 0 {
			words, more := make([]string, 0, named), ""
			for _, line := range others[:min(named, len(others))] {
				words = append(words, fmt.Sprint(line))
			}
			if n := len(others) - named; n > 0 {
				more = fmt.Sprintf(" and %d more", n)
			}
			first := *e
			first.Msg += fmt.Sprintf(" (also in line %s%s)", strings.Join(words, ", "), more)
			e = &first
		}
		out = append(out, e)
	}
	return out
}

// ReadPrototxt reads the text message in path into m. An error is a *FileError with the line, or Faults; a field that
// Caffe's schema lacks is an error too, with the field that was probably meant.
func ReadPrototxt(path string, m proto.Message) error {
	data, err := readFile(path, "prototxt")
	if err != nil {
		return err
	}
	return ParsePrototxt(path, data, m)
}

// ParsePrototxt is ReadPrototxt on text that is already in memory; path is for errors. Fields of a layer whose type is
// none of LayerTypes are passed over: what builds a net names the layer.
func ParsePrototxt(path string, data []byte, m proto.Message) error {
	_, err := parseText(path, data, m)
	return err
}

// parseText is ParsePrototxt. It also returns what it passed over.
func parseText(path string, data []byte, m proto.Message) (dropped Faults, err error) {
	data, faults, err := readable(path, data)
	if err != nil {
		return nil, err
	}
	text, blanked := data, map[int]bool{}
	for range maxFaults {
		proto.Reset(m)
		err := prototext.UnmarshalOptions{DiscardUnknown: true, AllowPartial: true}.Unmarshal(text, m)
		if err == nil {
			break
		}
		fault, at := textError(path, data, m, err)
		faults = append(faults, fault)
		if at == nil || !at.scalar || blanked[at.start] { // what follows cannot be told
			break
		}
		// Without the value that is wrong the others are read.
		blanked[at.start] = true
		if len(blanked) == 1 {
			text = bytes.Clone(text)
		}
		for i := at.start; i < at.end; i++ {
			if text[i] != '\n' {
				text[i] = ' '
			}
		}
	}
	unknown, types := survey(path, data, m.ProtoReflect().Descriptor())
	if other := otherKind(path, m.ProtoReflect().Descriptor(), unknown); other != nil {
		return nil, other
	}
	for _, u := range unknown {
		if u.layer == nil || u.layer.typ == "" || KnownType(u.layer.typ) {
			faults = append(faults, u.fault)
		} else {
			dropped = append(dropped, u.fault)
		}
	}
	if len(faults) > 0 { // then the layers that will be refused are told too
		faults = append(faults, types...)
		return nil, faults.asError()
	}
	if err := proto.CheckInitialized(m); err != nil {
		return nil, &FileError{
			Path: path,
			Msg:  strings.TrimSpace(strings.TrimPrefix(strings.ReplaceAll(err.Error(), "\u00a0", " "), "proto:")),
			Err:  err,
		}
	}
	return dropped, nil
}

// readable brings what editors leave in a text to what the parser takes: the mark in front of UTF-8 is dropped;
// comments in another encoding (GBK, Latin-1) are passed over; bytes of names in another encoding stay the bytes that
// they are. Comments of C are faults.
func readable(path string, data []byte) ([]byte, Faults, error) {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return nil, nil, &FileError{
			Path: path,
			Line: 1,
			Msg:  "is text in UTF-16; wanted UTF-8 (iconv -f UTF-16 -t UTF-8 converts it)",
		}
	}
	if len(data) > 0 && !utf8.RuneStart(data[0]) {
		return nil, nil, &FileError{
			Path: path,
			Line: 1,
			Msg:  fmt.Sprintf("it begins with the byte %#x: this is a binary file, not a prototxt", data[0]),
		}
	}
	if i := bytes.IndexByte(data, 0); i >= 0 {
		return nil, nil, &FileError{
			Path: path,
			Line: 1 + bytes.Count(data[:i], []byte("\n")),
			Msg:  "a zero byte: this is a binary file, not a prototxt",
		}
	}
	if utf8.Valid(data) && !bytes.Contains(data, []byte("//")) && !bytes.Contains(data, []byte("/*")) {
		return data, nil, nil
	}
	var faults Faults
	out := make([]byte, 0, len(data))
	s := &textScanner{data: data, line: 1}
	for s.at < len(data) {
		start, c := s.at, data[s.at]
		if c == '/' && s.at+1 < len(data) && (data[s.at+1] == '/' || data[s.at+1] == '*') {
			faults = append(
				faults,
				&FileError{
					Path: path,
					Line: s.line,
					Msg:  fmt.Sprintf("%q does not begin a comment in a prototxt; wanted \"#\"", data[s.at:s.at+2]),
				},
			)
			for s.at < len(data) && data[s.at] != '\n' {
				s.at++
			}
			continue
		}
		s.step()
		piece := data[start:s.at]
		switch {
		case utf8.Valid(piece):
			out = append(out, piece...)
		case c == '#':
			out = append(out, bytes.ToValidUTF8(piece, []byte("?"))...)
		case c == '"' || c == '\'':
			for len(piece) > 0 {
				r, size := utf8.DecodeRune(piece)
				if r == utf8.RuneError && size == 1 {
					out = append(out, fmt.Sprintf("\\%03o", piece[0])...)
				} else {
					out = append(out, piece[:size]...)
				}
				piece = piece[size:]
			}
		default: // a byte of a character
			out = append(out, piece...)
		}
	}
	return out, faults, nil
}

var (
	reLineCol = regexp.MustCompile(`\(line (\d+):(\d+)\): (?s:(.*))$`)
	reInvalid = regexp.MustCompile(`^invalid value for (\S+) type: (.*)$`)
)

// textError turns an error of prototext into one with file, line and advice. It also returns the field that it is
// about, where that is known.
func textError(path string, data []byte, m proto.Message, err error) (*FileError, *textField) {
	msg := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "proto:"), "\u00a0", " ")
	fe := &FileError{Path: path, Msg: strings.TrimSpace(msg), Err: err}
	parts := reLineCol.FindStringSubmatch(msg)
	if parts == nil {
		if strings.Contains(msg, "unexpected EOF") || strings.Contains(msg, "unexpected token") {
			fe.Line = 1 + strings.Count(strings.TrimRight(string(data), "\n"), "\n")
			fe.Msg = "ends too early: a { without its }"
		}
		return fe, nil
	}
	fe.Line, _ = strconv.Atoi(parts[1])
	col, _ := strconv.Atoi(parts[2])
	fe.Msg = strings.TrimSpace(parts[3])
	at := lastField(data, fe.Line, col)
	v := reInvalid.FindStringSubmatch(fe.Msg)
	if v == nil || at == nil {
		return fe, at
	}
	kind, value := v[1], v[2]
	fe.Msg = at.name + ": " + value
	if len(at.path) > 0 {
		fe.Msg = at.path[len(at.path)-1] + ": " + fe.Msg
	}
	switch kind {
	case "enum":
		fe.Msg += enumHint(descend(m.ProtoReflect().Descriptor(), at.path), at.name, value)
	case "int32", "int64":
		fe.Msg += " is not an " + kind
	default:
		fe.Msg += " is not a " + kind
	}
	if kind == "uint32" && strings.HasPrefix(value, "-") {
		fe.Msg += "; wanted at least 0"
	}
	return fe, at
}

// lastField returns the last field that begins before a place, or nil.
func lastField(data []byte, line, col int) (at *textField) {
	last, i := -1, 0
	scanText(data, func(f *textField) {
		if f.line < line || f.line == line && f.col <= col {
			last = i
		}
		i++
	})
	i = 0
	scanText(data, func(f *textField) { // once more, to copy one path, which may be long
		if i == last {
			c := *f
			c.path, c.messages = slices.Clone(f.path), nil
			at = &c
		}
		i++
	})
	return at
}

// textLayer is a layer met in a text.
type textLayer struct {
	line      int
	name, typ string
}

// unknownField is a field that Caffe's schema lacks.
type unknownField struct {
	fault *FileError
	layer *textLayer        // that it is in, or nil
	in    protoreflect.Name // the message
	name  string
}

// survey finds the fields of a text that the schema of md lacks, and the layers whose type is unknown.
func survey(path string, data []byte, md protoreflect.MessageDescriptor) (unknown []unknownField, types Faults) {
	type open struct {
		id    int
		md    protoreflect.MessageDescriptor // nil: an unknown field
		layer *textLayer
	}
	var stack []open
	var layers []*textLayer
	messages := map[string]string{} // of a field in a message, so that a name that stands everywhere is compared once
	line := 0
	scanText(data, func(f *textField) {
		for n := len(stack); n > len(f.messages) || n > 0 && stack[n-1].id != f.messages[n-1]; n = len(stack) {
			stack = stack[:n-1]
		}
		at := open{md: md}
		if n := len(stack); n > 0 {
			at = stack[n-1]
		}
		for i := len(stack); i < len(f.messages); i++ {
			var next protoreflect.MessageDescriptor
			if at.md != nil {
				if fd := at.md.Fields().ByName(protoreflect.Name(f.path[i])); fd != nil {
					next = fd.Message()
				}
			}
			at = open{f.messages[i], next, at.layer}
			if next != nil && next.Name() == "LayerParameter" {
				at.layer = &textLayer{line: line}
				layers = append(layers, at.layer)
			}
			stack = append(stack, at)
		}
		line = f.line
		if at.md == nil {
			return
		}
		if at.layer != nil && at.md.Name() == "LayerParameter" {
			switch f.name {
			case "name":
				at.layer.name = f.value
			case "type":
				at.layer.typ = f.value
			}
		}
		if at.md.Fields().ByName(protoreflect.Name(f.name)) == nil {
			key := string(at.md.FullName()) + " " + f.name
			msg := messages[key]
			if msg == "" {
				msg = fmt.Sprintf("unknown field %q in %s", f.name, at.md.Name())
				if c := Closest(f.name, fieldNames(at.md)); c != "" {
					msg += fmt.Sprintf("; did you mean %q?", c)
				}
				messages[key] = msg
			}
			unknown = append(
				unknown,
				unknownField{&FileError{Path: path, Line: f.line, Msg: msg}, at.layer, at.md.Name(), f.name},
			)
		}
	})
	for _, l := range layers {
		if l.typ != "" && !KnownType(l.typ) {
			types = append(
				types,
				&FileError{
					Path: path,
					Line: l.line,
					Msg:  fmt.Sprintf("layer %q: (%s) %s", l.name, l.typ, UnknownType(l.typ)),
				},
			)
		}
	}
	return unknown, types
}

// ErrIsNet is the cause of the error of a solver that is a net.
var ErrIsNet = errors.New("a net, not a solver")

// otherKind tells a net from a solver, where one was given for the other: its fields are no mistakes then.
func otherKind(path string, md protoreflect.MessageDescriptor, unknown []unknownField) error {
	const net, solver = "NetParameter", "SolverParameter"
	for _, u := range unknown {
		switch {
		case u.in == solver && md.Name() == solver && (u.name == "layer" || u.name == "layers"):
			return &FileError{
				Path: path,
				Line: u.fault.Line,
				Msg: "this is a net, not a solver; a solver is a file of its own, which names the net by net: " +
					"\"FILE\"",
				Err: ErrIsNet,
			}
		case u.in == net && md.Name() == net && slices.Contains(
			[]string{"base_lr", "lr_policy", "max_iter", "net", "train_net"}, u.name,
		):
			return &FileError{
				Path: path,
				Line: u.fault.Line,
				Msg:  "this is a solver, not a net; wanted the net that it names",
			}
		}
	}
	return nil
}

// enumHint says which values a field takes.
func enumHint(md protoreflect.MessageDescriptor, field, value string) string {
	fd := md.Fields().ByName(protoreflect.Name(field))
	if fd == nil || fd.Enum() == nil {
		return " is not one of its values"
	}
	var names []string
	for i := range fd.Enum().Values().Len() {
		names = append(names, string(fd.Enum().Values().Get(i).Name()))
	}
	if c := Closest(value, names); c != "" {
		return fmt.Sprintf("; did you mean %s?", c)
	}
	return "; wanted one of " + strings.Join(names, ", ")
}

// descend follows field names from one message type to the next.
func descend(md protoreflect.MessageDescriptor, path []string) protoreflect.MessageDescriptor {
	for _, name := range path {
		fd := md.Fields().ByName(protoreflect.Name(name))
		if fd == nil || fd.Message() == nil {
			break
		}
		md = fd.Message()
	}
	return md
}

func fieldNames(md protoreflect.MessageDescriptor) []string {
	fields := md.Fields()
	names := make([]string, fields.Len())
	for i := range names {
		names[i] = string(fields.Get(i).Name())
	}
	return slices.Clip(names)
}
