package caffe

import "strings"

// A textField is one field name met in a prototxt: its line, its column, and the names of the messages around it.
type textField struct {
	name      string
	line, col int
	path      []string
}

// scanText walks a prototxt and calls visit for each field name. It knows only enough of the text format
// to keep track of nesting; judging the file is prototext's work. Columns count bytes from 1.
func scanText(data []byte, visit func(textField)) {
	var path []string
	line, lineStart := 1, 0
	last := ""
	for i := 0; i < len(data); {
		c := data[i]
		switch {
		case c == '\n':
			line++
			i++
			lineStart = i
		case c == '#':
			for i < len(data) && data[i] != '\n' {
				i++
			}
		case c == '"' || c == '\'':
			for i++; i < len(data) && data[i] != c && data[i] != '\n'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
			i++
		case c == '{' || c == '<':
			path = append(path, last)
			i++
		case c == '}' || c == '>':
			if len(path) > 0 {
				path = path[:len(path)-1]
			}
			i++
		case isWord(c):
			start := i
			for i < len(data) && isWord(data[i]) {
				i++
			}
			next := strings.TrimLeft(string(data[i:min(len(data), i+64)]), " \t\r\n")
			if next != "" && (next[0] == ':' || next[0] == '{' || next[0] == '<') {
				last = string(data[start:i])
				visit(textField{name: last, line: line, col: start - lineStart + 1, path: append([]string(nil), path...)})
			}
		default:
			i++
		}
	}
}

func isWord(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// Closest returns the candidate that word may be a misspelling of (within an edit distance of a third of
// its length), or "".
func Closest(word string, candidates []string) string {
	best, bestDist := "", len(word)/3+1
	for _, c := range candidates {
		if d := editDistance(word, c); d < bestDist || d == bestDist && best == "" {
			best, bestDist = c, d
		}
	}
	return best
}

// editDistance is Levenshtein's: insertions, deletions and substitutions of bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diag := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			d := diag
			if a[i-1] != b[j-1] {
				d++
			}
			diag = row[j]
			row[j] = min(d, row[j]+1, row[j-1]+1)
		}
	}
	return row[len(b)]
}
