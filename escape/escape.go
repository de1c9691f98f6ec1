// Package escape keeps what files and people name (layers, blobs, files, runs, fields) text, wherever it is shown:
// such a name may hold control characters that a terminal obeys, marks that turn the direction of writing, or what
// Markdown, XML or a spreadsheet take for more than text. Each kind of output has one function here, and its strings
// pass through it once, at that edge; inside the program names are as they were read.
package escape

import (
	"fmt"
	"html"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"mvdan.cc/sh/v3/syntax"
)

// Line returns s as text for one line of a terminal or a log. Letters, digits, punctuation, symbols, marks and plain
// blanks stay. Anything else (control characters, line ends, direction marks and other invisible ones, bytes that are
// not UTF-8) is written as Go writes it in a string: \n, \x1b, \u202e.
func Line(s string) string {
	i := unprintable(s)
	if i < 0 {
		return s
	}
	b := []byte(s[:i])
	for s = s[i:]; len(s) > 0; {
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			b = append(b, fmt.Sprintf(`\x%02x`, s[0])...)
		case strconv.IsGraphic(r):
			b = append(b, s[:size]...)
		default:
			q := strconv.QuoteRune(r)
			b = append(b, q[1:len(q)-1]...)
		}
		s = s[size:]
	}
	return string(b)
}

// unprintable returns the place of the first character that Line escapes, or -1.
func unprintable(s string) int {
	for i, r := range s {
		if !strconv.IsGraphic(r) || r == utf8.RuneError && !strings.HasPrefix(s[i:], string(utf8.RuneError)) {
			return i
		}
	}
	return -1
}

// Lines is Line on each line of a text that has several by right.
func Lines(s string) string {
	if unprintable(s) < 0 {
		return s
	}
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = Line(lines[i])
	}
	return strings.Join(lines, "\n")
}

// Error returns the text of an error: one line, or a line for each of those that errors.Join put together.
func Error(err error) string {
	switch v := err.(type) { //nolint:errorlint // each error of the chain is looked at in its turn
	case interface{ Unwrap() []error }:
		var lines []string
		raw := make([]string, 0, 4)
		for _, e := range v.Unwrap() {
			lines, raw = append(lines, Error(e)), append(raw, e.Error())
		}
		if strings.Join(raw, "\n") == err.Error() {
			return strings.Join(lines, "\n")
		}
	case interface{ MultiLine() }:
		return Lines(err.Error())
	case interface{ Unwrap() error }:
		// What stands around a cause that has several lines has none of its own.
		if cause := v.Unwrap(); cause != nil {
			before, after, ok := strings.Cut(err.Error(), cause.Error())
			if ok && strings.Contains(cause.Error(), "\n") {
				return Line(before) + Error(cause) + Line(after)
			}
		}
	}
	return Line(err.Error())
}

// Block is a text of several lines, for Fprintf.
type Block string

// Fprintf is fmt.Fprintf for a terminal or a log: what the format says stays, and the strings among args
// (fmt.Stringers too) are escaped as Line does, errors as Error does, Blocks as Lines does. Under %q and %x they are
// as fmt has them.
func Fprintf(w io.Writer, format string, args ...any) (int, error) {
	return fmt.Fprintf(w, format, safe(args)...)
}

// Sprintf is Fprintf into a string.
func Sprintf(format string, args ...any) string { return fmt.Sprintf(format, safe(args)...) }

// Fprintln is Fprintf of args with blanks between them and the end of a line.
func Fprintln(w io.Writer, args ...any) (int, error) { return fmt.Fprintln(w, safe(args)...) }

func safe(args []any) []any {
	out := make([]any, len(args))
	for i, a := range args {
		switch v := a.(type) {
		case string:
			a = argument{v, Line}
		case []byte:
			a = argument{string(v), Line}
		case Block:
			a = argument{string(v), Lines}
		case error:
			a = argument{v.Error(), func(string) string { return Error(v) }}
		case fmt.Stringer:
			a = argument{v.String(), Line}
		}
		out[i] = a
	}
	return out
}

// argument is a string that is escaped when a format asks for its text.
type argument struct {
	text   string
	escape func(string) string
}

func (a argument) Format(f fmt.State, verb rune) {
	text := a.text
	if verb == 's' || verb == 'v' {
		verb, text = 's', a.escape(text)
	}
	var format strings.Builder
	format.WriteString("%")
	for _, flag := range "+-# 0" {
		if f.Flag(int(flag)) {
			format.WriteString(string(flag))
		}
	}
	if n, ok := f.Width(); ok {
		format.WriteString(strconv.Itoa(n))
	}
	if n, ok := f.Precision(); ok {
		format.WriteString("." + strconv.Itoa(n))
	}
	fmt.Fprintf(f, format.String()+string(verb), text)
}

// XML returns s as text of an element or an attribute in HTML or SVG. What XML 1.0 has no way to hold, control
// characters above all, is escaped as Line does.
func XML(s string) string { return html.EscapeString(Line(s)) }

// DOT returns s as a quoted string of graphviz; its line ends stay line ends of a label.
func DOT(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(Lines(s)) + `"`
}

// markdown escapes what begins something in a line of Markdown (CommonMark and GitHub's): HTML, links, pictures, code,
// emphasis, cells of a table, formulas, mentions; and the beginnings of addresses that are made links without a mark.
var markdown = strings.NewReplacer(
	`\`,
	`\\`,
	"`",
	"\\`",
	"*",
	`\*`,
	"[",
	`\[`,
	"]",
	`\]`,
	"<",
	"&lt;",
	">",
	"&gt;",
	"&",
	"&amp;",
	"|",
	`\|`,
	"~",
	`\~`,
	"$",
	`\$`,
	"#",
	`\#`,
	"@",
	`\@`,
	"://",
	`\://`,
	"www.",
	`www\.`,
	"WWW.",
	`WWW\.`,
)

// Markdown returns s as text within a line, a heading or a cell of a table.
func Markdown(s string) string {
	s = markdown.Replace(Line(s))
	// An underscore between letters is one; at the edge of a word it begins emphasis.
	var b strings.Builder
	for i := range len(s) {
		if s[i] == '_' && !(i > 0 && i+1 < len(s) && wordByte(s[i-1]) && wordByte(s[i+1])) {
			b.WriteByte('\\')
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func wordByte(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// roff escapes what groff reads in a line of a manual page as more than text, or prints as another character.
var roff = strings.NewReplacer(`\`, `\e`, "-", `\-`, "'", `\(aq`, "`", `\(ga`, "^", `\(ha`, "~", `\(ti`)

// Roff returns s as text within a line of a manual page. A period that begins it begins no request.
func Roff(s string) string {
	var b strings.Builder
	if strings.HasPrefix(s, ".") {
		b.WriteString(`\&`)
	}
	for _, r := range roff.Replace(Line(s)) {
		if r < utf8.RuneSelf {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, `\[u%04X]`, r)
		}
	}
	return b.String()
}

// CSV returns s as a cell of a table that a spreadsheet may open: one that would be read as a formula gets an
// apostrophe in front, which spreadsheets take for the mark of a text.
func CSV(s string) string {
	s = Line(s)
	if begin := strings.TrimSpace(s); begin != "" && strings.ContainsRune("=+-@|%", rune(begin[0])) ||
		strings.HasPrefix(begin, `\t`) ||
		strings.HasPrefix(begin, `\r`) {
		return "'" + s
	}
	return s
}

// JSON returns a JSON text in which what Line escapes is escaped as JSON does, \u202e. Its line ends stay.
func JSON(b []byte) []byte {
	s := string(b)
	if unprintable(strings.ReplaceAll(s, "\n", "")) < 0 {
		return b
	}
	out := make([]byte, 0, len(b)+16)
	for _, r := range s {
		if r == '\n' || strconv.IsGraphic(r) {
			out = utf8.AppendRune(out, r)
			continue
		}
		for _, u := range utf16.AppendRune(nil, r) {
			out = append(out, fmt.Sprintf(`\u%04x`, u)...)
		}
	}
	return out
}

// Shell returns s as a word of a command that can be pasted: in quotes where a shell would take it for more, and for
// bash, zsh and ksh where it holds what no quotes show.
func Shell(s string) string {
	if s == "" {
		return "''"
	}
	parts := strings.Split(s, "'") // between double quotes a shell that is typed into would see ! too
	for i, p := range parts {
		if p == "" {
			continue
		}
		q, err := syntax.Quote(p, syntax.LangBash)
		if err != nil { // a zero byte, which no file name holds
			q = "'" + Line(p) + "'"
		}
		if q == p && (len(parts) > 1 || strings.Contains(p, "!")) {
			q = "'" + p + "'"
		}
		parts[i] = q
	}
	return strings.Join(parts, `\'`)
}

// Command returns words as a command that can be pasted.
func Command(words ...string) string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Shell(w)
	}
	return strings.Join(out, " ")
}
