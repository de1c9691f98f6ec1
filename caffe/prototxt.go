package caffe

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
)

// FormatPrototxt returns m as text, one field a line, two blanks of indent, as Caffe prints it. Fields that Caffe's
// schema lacks are left out. A message that cannot be written is a comment that says why.
func FormatPrototxt(m proto.Message) string {
	text, err := formatPrototxt(m)
	if err != nil {
		return "# " + strings.ReplaceAll(err.Error(), "\n", " ") + "\n"
	}
	return text
}

func formatPrototxt(m proto.Message) (string, error) {
	b, err := prototext.MarshalOptions{Multiline: true, Indent: "  ", AllowPartial: true}.Marshal(m)
	if err != nil {
		return "", fmt.Errorf("a text in it is not UTF-8, which prototxt cannot hold: %w", err)
	}
	// prototext doubles blanks at random so that nobody relies on its bytes; files should not change for nothing.
	text := reDouble.ReplaceAllString(string(b), "$1 $2")
	text = reEmpty.ReplaceAllString(text, "$1$2 {\n$1}")
	return reOpen.ReplaceAllString(text, "$1 {"), nil
}

var (
	reDouble = regexp.MustCompile(`(?m)^(\s*[A-Za-z0-9_]+:?)  (\S)`)
	reOpen   = regexp.MustCompile(`(?m)^(\s*\w+): \{$`)
	reEmpty  = regexp.MustCompile(`(?m)^( *)(\w+): \{\}$`)
)

// A NetFile is a network with the place it came from, so that later errors can name file and line.
type NetFile struct {
	Path string
	Net  *caffepb.NetParameter
	// Upgraded says what was brought from an older form, a line each.
	Upgraded []string
	// Dropped are fields that were passed over: of layers whose type is unknown.
	Dropped Faults
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
	var err error
	if f.Dropped, err = parseText(path, data, f.Net); err != nil {
		return nil, err
	}
	scanText(data, func(t *textField) {
		if (t.name == "layer" || t.name == "layers") && len(t.path) == 0 {
			f.lines = append(f.lines, t.line)
		}
	})
	var was []int
	f.Upgraded, was, err = upgrade(f.Net)
	if was != nil {
		lines := make([]int, len(was))
		for i, k := range was {
			if lines[i] = 1; k >= 0 && k < len(f.lines) { // an Input layer made of input fields stands first
				lines[i] = f.lines[k]
			}
		}
		f.lines = lines
	}
	if err != nil {
		fault := &FileError{Path: path, Msg: err.Error(), Err: err}
		if of := (*layerError)(nil); errors.As(err, &of) {
			fault.Line = f.Line(of.layer)
		}
		return nil, fault
	}
	return f, nil
}

// FieldLine returns the line of the first field of a name in a prototxt, from line on: where a value stands that
// turned out to be wrong. Where there is none, it returns line.
func FieldLine(path string, line int, name string) int {
	data, err := readFile(path, "prototxt")
	if err != nil {
		return line
	}
	found := 0
	scanText(data, func(f *textField) {
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

// Rearrange returns the file with another net in it, whose layer i stands in the place of layer places[i].
func (f *NetFile) Rearrange(n *caffepb.NetParameter, places []int) *NetFile {
	c := f.Replace(n)
	c.lines = make([]int, len(places))
	for i, place := range places {
		c.lines[i] = f.Line(place)
	}
	return c
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
	text, err := formatPrototxt(m)
	if err != nil {
		return NotWritten(path, err)
	}
	return WriteFile(path, writes([]byte(text)))
}
