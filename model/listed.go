package model

import (
	"fmt"

	"dns-tui/human"
)

// FewNumbers are how many numbers of a blob are listed where nobody asked for all.
const FewNumbers = 10

// Listed is a number in a list for people.
type Listed struct {
	Index int    // of the name that it was listed for
	Name  string // prob[3]; where the blob has one number, the blob's
	More  string // behind the last that is listed of a blob: how many more it has, in words; or ""
}

// List lists numbers, whose blobs are called by names: all, or the first few of each blob.
func List(names []string, all bool) []Listed {
	count, seen := map[string]int{}, map[string]int{}
	for _, name := range names {
		count[name]++
	}
	var out []Listed
	for i, name := range names {
		n, at := count[name], seen[name]
		seen[name]++
		if at >= FewNumbers && !all {
			continue
		}
		l := Listed{Index: i, Name: name}
		if n > 1 {
			l.Name = fmt.Sprintf("%s[%d]", name, at)
		}
		if at == FewNumbers-1 && n > FewNumbers && !all {
			l.More = fmt.Sprintf("%s more of %s", human.Count(n-FewNumbers), name)
		}
		out = append(out, l)
	}
	return out
}

// BlobNames are the names of the blobs that outputs are numbers of.
func BlobNames(outputs []Output) []string {
	names := make([]string, len(outputs))
	for i, o := range outputs {
		names[i] = o.Name
	}
	return names
}
