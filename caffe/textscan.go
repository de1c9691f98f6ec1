package caffe

import "strings"

// A textField is one field name met in a prototxt: its line and column, where it stands in the text, and what it is of.
type textField struct {
	name       string
	line, col  int
	start, end int      // bytes of the text: from the name to behind a value that is no message
	scalar     bool     // the value is no message and no list
	value      string   // of such a value, without quotes
	path       []string // the names of the messages around it; valid until visit returns
	messages   []int    // their numbers, in the order in which they begin; as path
}

// scanText walks a prototxt and calls visit for each field name. It knows only enough of the text format to keep
// track of nesting; judging the file is prototext's work. Columns count bytes from 1.
func scanText(data []byte, visit func(*textField)) {
	s := &textScanner{data: data, line: 1}
	f := textField{}
	count := 0
	last := ""
	for s.at < len(data) {
		switch c := data[s.at]; {
		case c == '{' || c == '<':
			f.path, f.messages = append(f.path, last), append(f.messages, count)
			count++
			s.at++
		case c == '}' || c == '>':
			if n := len(f.path); n > 0 {
				f.path, f.messages = f.path[:n-1], f.messages[:n-1]
			}
			s.at++
		case isWord(c):
			f.start, f.line, f.col = s.at, s.line, s.at-s.lineStart+1
			s.word()
			f.name = string(data[f.start:s.at])
			after := *s
			after.blanks()
			if next := after.peek(); next != ':' && next != '{' && next != '<' {
				continue // a value
			}
			f.end, f.value, f.scalar = s.at, "", false
			if after.peek() == ':' {
				after.at++
				after.blanks()
				begin := after.at
				f.value = after.scalar()
				f.end, f.scalar = after.at, after.at > begin
			}
			last = f.name
			visit(&f)
		default:
			s.step()
		}
	}
}

// textScanner is a place in a prototxt.
type textScanner struct {
	data            []byte
	at              int
	line, lineStart int
}

func (s *textScanner) peek() byte {
	if s.at < len(s.data) {
		return s.data[s.at]
	}
	return 0
}

// step passes over one byte, a comment, or a string.
func (s *textScanner) step() {
	switch c := s.data[s.at]; c {
	case '\n':
		s.at++
		s.line, s.lineStart = s.line+1, s.at
	case '#':
		for s.at < len(s.data) && s.data[s.at] != '\n' {
			s.at++
		}
	case '"', '\'':
		for s.at++; s.at < len(s.data) && s.data[s.at] != c && s.data[s.at] != '\n'; s.at++ {
			if s.data[s.at] == '\\' {
				s.at++
			}
		}
		if s.peek() != '\n' {
			s.at = min(s.at+1, len(s.data))
		}
	default:
		s.at++
	}
}

// blanks passes over white space and comments.
func (s *textScanner) blanks() {
	for s.at < len(s.data) && strings.IndexByte(" \t\r\n\v\f#", s.data[s.at]) >= 0 {
		s.step()
	}
}

func (s *textScanner) word() {
	for s.at < len(s.data) && isWord(s.data[s.at]) {
		s.at++
	}
}

// scalar passes over a value that is no message, and returns it; "" for a message or a list.
func (s *textScanner) scalar() string {
	start := s.at
	switch c := s.peek(); c {
	case '"', '\'':
		s.step()
		return strings.Trim(string(s.data[start:s.at]), string(c))
	case '{', '<', '[', 0:
		return ""
	}
	for s.at < len(s.data) && strings.IndexByte(" \t\r\n\v\f,;#{}<>[]\"'", s.data[s.at]) < 0 {
		s.at++
	}
	return string(s.data[start:s.at])
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}
