package caffe

import (
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe/caffepb"
)

// ReadPrototxt reads the text message in path into m. An error is a *FileError with the line; a field that
// Caffe's schema lacks is an error too, with the field that was probably meant.
func ReadPrototxt(path string, m proto.Message) error {
	data, err := readFile(path, "prototxt")
	if err != nil {
		return err
	}
	return ParsePrototxt(path, data, m)
}

// ParsePrototxt is ReadPrototxt on text that is already in memory; path is for errors.
func ParsePrototxt(path string, data []byte, m proto.Message) error {
	for i, b := range data {
		if b == 0 {
			return &FileError{Path: path, Line: 1 + strings.Count(string(data[:i]), "\n"), Msg: "a zero byte: this is a binary file, not a prototxt"}
		}
	}
	if err := prototext.Unmarshal(data, m); err != nil {
		return textError(path, data, m, err)
	}
	return nil
}

// FormatPrototxt returns m as text, one field a line, two blanks of indent, as Caffe prints it. Fields that Caffe's
// schema lacks are left out.
func FormatPrototxt(m proto.Message) string {
	b, err := prototext.MarshalOptions{Multiline: true, Indent: "  ", AllowPartial: true}.Marshal(m)
	if err != nil {
		return "# " + err.Error() + "\n" // only for a string that is not UTF-8
	}
	// prototext doubles blanks at random so that nobody relies on its bytes; files should not change for nothing.
	text := reDouble.ReplaceAllString(string(b), "$1 $2")
	text = reEmpty.ReplaceAllString(text, "$1$2 {\n$1}")
	return reOpen.ReplaceAllString(text, "$1 {")
}

var (
	reDouble  = regexp.MustCompile(`(?m)^(\s*[A-Za-z0-9_]+:?)  (\S)`)
	reOpen    = regexp.MustCompile(`(?m)^(\s*\w+): \{$`)
	reEmpty   = regexp.MustCompile(`(?m)^( *)(\w+): \{\}$`)
	reLineCol = regexp.MustCompile(`\(line (\d+):(\d+)\): (?s:(.*))$`)
	reUnknown = regexp.MustCompile(`^unknown field: (\S+)`)
	reInvalid = regexp.MustCompile(`^invalid value for (\S+) type: (.*)$`)
)

// textError turns an error of prototext into one with file, line and advice.
func textError(path string, data []byte, m proto.Message, err error) error {
	msg := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "proto:"), "\u00a0", " ")
	fe := &FileError{Path: path, Msg: strings.TrimSpace(msg), Err: err}
	parts := reLineCol.FindStringSubmatch(msg)
	if parts == nil {
		if strings.Contains(msg, "unexpected EOF") || strings.Contains(msg, "unexpected token") {
			fe.Line = 1 + strings.Count(strings.TrimRight(string(data), "\n"), "\n")
			fe.Msg = "ends too early: a { without its }"
		}
		return fe
	}
	fe.Line, _ = strconv.Atoi(parts[1])
	parts[3] = strings.TrimSpace(parts[3])
	fe.Msg = parts[3]
	if u := reUnknown.FindStringSubmatch(parts[3]); u != nil {
		name := strings.Trim(u[1], `"`)
		md := m.ProtoReflect().Descriptor()
		scanText(data, func(f textField) {
			if f.line == fe.Line && f.name == name {
				md = descend(m.ProtoReflect().Descriptor(), f.path)
			}
		})
		fe.Msg = fmt.Sprintf("unknown field %q in %s", name, md.Name())
		if c := Closest(name, fieldNames(md)); c != "" {
			fe.Msg += fmt.Sprintf("; did you mean %q?", c)
		}
	}
	if v := reInvalid.FindStringSubmatch(parts[3]); v != nil {
		col, _ := strconv.Atoi(parts[2])
		scanText(data, func(f textField) { // the last field before the value
			if f.line < fe.Line || f.line == fe.Line && f.col <= col {
				fe.Msg = fmt.Sprintf("%s: %s is no %s", f.name, v[2], v[1])
				if len(f.path) > 0 {
					fe.Msg = f.path[len(f.path)-1] + ": " + fe.Msg
				}
				if v[1] == "enum" {
					fe.Msg = strings.TrimSuffix(fe.Msg, " is no enum") + enumHint(descend(m.ProtoReflect().Descriptor(), f.path), f.name, v[2])
				}
				if v[1] == "uint32" && strings.HasPrefix(v[2], "-") {
					fe.Msg += "; wanted at least 0"
				}
			}
		})
	}
	return fe
}

// enumHint says which values a field takes.
func enumHint(md protoreflect.MessageDescriptor, field, value string) string {
	fd := md.Fields().ByName(protoreflect.Name(field))
	if fd == nil || fd.Enum() == nil {
		return " is none of its values"
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
	return names
}

// A NetFile is a network with the place it came from, so that later errors can name file and line.
type NetFile struct {
	Path string
	Net  *caffepb.NetParameter
	// Upgraded says what was brought from an older form, a line each.
	Upgraded []string
	// lines holds the line of each layer of the file, in order.
	lines []int
}

// ReadNetPrototxt reads a network from a prototxt.
func ReadNetPrototxt(path string) (*NetFile, error) {
	data, err := readFile(path, "network prototxt")
	if err != nil {
		return nil, err
	}
	return ParseNetPrototxt(path, data)
}

// ParseNetPrototxt is ReadNetPrototxt on text that is already in memory.
func ParseNetPrototxt(path string, data []byte) (*NetFile, error) {
	f := &NetFile{Path: path, Net: &caffepb.NetParameter{}}
	if err := ParsePrototxt(path, data, f.Net); err != nil {
		return nil, err
	}
	scanText(data, func(t textField) {
		if (t.name == "layer" || t.name == "layers") && len(t.path) == 0 {
			f.lines = append(f.lines, t.line)
		}
	})
	var was []int
	var err error
	if f.Upgraded, was, err = upgrade(f.Net); err != nil {
		return nil, &FileError{Path: path, Msg: err.Error(), Err: err}
	}
	if was != nil {
		lines := make([]int, len(was))
		for i, k := range was {
			if lines[i] = 1; k >= 0 && k < len(f.lines) { // an Input layer made of input fields stands first
				lines[i] = f.lines[k]
			}
		}
		f.lines = lines
	}
	return f, nil
}

// FieldLine returns the line of the first field of a name in a prototxt, from line on: where a value stands that turned out
// to be wrong. Where there is none, it returns line.
func FieldLine(path string, line int, name string) int {
	data, err := readFile(path, "prototxt")
	if err != nil {
		return line
	}
	found := 0
	scanText(data, func(f textField) {
		if found == 0 && f.line >= line && f.name == name {
			found = f.line
		}
	})
	if found == 0 {
		return line
	}
	return found
}

// Widen returns the float64 that prints as f does: 0.6, not 0.6000000238418579.
func Widen(f float32) float64 {
	v, _ := strconv.ParseFloat(strconv.FormatFloat(float64(f), 'g', -1, 32), 64)
	return v
}

// Replace returns the file with another net in it, whose layers stand in the places of those that were there.
func (f *NetFile) Replace(n *caffepb.NetParameter) *NetFile {
	c := *f
	c.Net = n
	return &c
}

// Line returns the line of layer i, or 0 where it is not known.
func (f *NetFile) Line(i int) int {
	if i < 0 || i >= len(f.lines) {
		return 0
	}
	return f.lines[i]
}

// Errorf returns an error about layer i (-1: the net as a whole).
func (f *NetFile) Errorf(i int, format string, args ...any) error {
	msg := fmt.Sprintf(format, args...)
	if i >= 0 && i < len(f.Net.Layer) {
		msg = fmt.Sprintf("layer %q: %s", f.Net.Layer[i].GetName(), msg)
	}
	return &FileError{Path: f.Path, Line: f.Line(i), Msg: msg}
}

// writeText writes m as prototxt in one step: see WriteFile.
func writeText(path string, m proto.Message) error {
	return WriteFile(path, func(w io.Writer) error {
		_, err := io.WriteString(w, FormatPrototxt(m))
		return err
	})
}
