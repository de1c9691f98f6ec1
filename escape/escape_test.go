package escape

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"gonum.org/v1/gonum/graph/formats/dot"
	"pgregory.net/rapid"
)

// hostile are names that would do something where they are not escaped.
var hostile = []string{
	"conv1", "a name", "ünïcödé 畳み込み", "", "a\x1b[31mb", "\x1b]0;title\a", "\x1b]52;c;Y2xpcA==\a", "\x1b[2J\x1b[H",
	"two\nlines", "cr\rlf\r\n", "tab\tbed",
	"\u202egnp.exe", "\u2066hidden\u2069", "\u200bzero\u200d", "\u009b31m", "\u2028sep\u2029", "bad\xff\xfeutf8",
	"nul\x00", "\ufeffbom", "\U000e0041tag",
	"![x](http://evil/x.png)", "[x](javascript:alert(1))", "<img src=x onerror=alert(1)>", "<script>", "`code`",
	"```\nfence\n```", "    indented", "a|b", `a\|b`, `back\slash`,
	"https://evil.example/x", "www.evil.example", "me@evil.example", "*bold*", "_emph_", "a_b_c", "~~gone~~", "$x$",
	"# head", "&amp;", "&#27;", "trailing\\",
	"=1+1", "+1", "-1", "@SUM(A1)", " =1", "|cmd", "%0A", "]]>", "--", `"quoted"`, "it's", "$(rm -rf)", "`id`", "!!",
	"it's!", "a;b", "-flag", "~", "#",
}

func anyName(t *rapid.T) string {
	return rapid.OneOf(rapid.SampledFrom(hostile), rapid.String(), rapid.Map(
		rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) },
	),
		rapid.Map(
			rapid.SliceOfN(rapid.SampledFrom(hostile), 2, 3), func(s []string) string { return strings.Join(s, "") },
		),
	).
		Draw(t, "name")
}

// harmless reports what a terminal would obey or not show.
func harmless(t *rapid.T, what, s string) {
	t.Helper()
	for i, r := range s {
		if !strconv.IsGraphic(r) {
			t.Fatalf("%s: %q at %d of %q", what, r, i, s)
		}
	}
}

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"conv1/3x3": "conv1/3x3", "畳み込み é": "畳み込み é", "a\x1b[31mb\nc": `a\x1b[31mb\nc`, "\u202eabc": `\u202eabc`,
		"\u009bx": `\u009bx`, "\xff": `\xff`,
		"\ufffd": "\ufffd", "C:\\x": `C:\x`, "\U000e0041": `\U000e0041`,
	} {
		if got := Line(in); got != want {
			t.Errorf("%q: %q, wanted %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		s := Line(anyName(t))
		harmless(t, "Line", s)
		if again := Line(s); again != s {
			t.Fatalf("escaped twice: %q, then %q", s, again)
		}
	})
}

type named struct{ name string }

func (n named) String() string { return n.name }

func TestFprintf(t *testing.T) {
	for _, c := range []struct{ got, want string }{
		{Sprintf("%s|%-6s|%6.2f|%d\n", "a\nb", "é", 1.5, 7), `a\nb|é     |  1.50|7` + "\n"},
		{Sprintf("%q %v", "a\nb", named{"\x1b"}), `"a\nb" \x1b`},
		{Sprintf("%v", errors.New("one\n\x1btwo")), `one\n\x1btwo`},
		{Sprintf("%v", errors.Join(errors.New("a\nb"), errors.Join(errors.New("c"), errors.New("d")))), "a\\nb\nc\nd"},
		{Sprintf("%v", fmt.Errorf("x\n: %w", errors.Join(errors.New("c"), errors.New("d\r")))), "x\\n: c\nd\\r"},
		{Sprintf("%v", fmt.Errorf("x\n: %w", errors.New("c\nd"))), `x\n: c\nd`},
		{Sprintf("%s", Block("one\n\ttwo")), "one\n\\ttwo"},
		{Sprintf("%.2s|%x", "abc\n", "\n"), "ab|0a"},
	} {
		if c.got != c.want {
			t.Errorf("%q, wanted %q", c.got, c.want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		harmless(t, "Sprintf", Sprintf("layer %-16s (%v, %s)", anyName(t), named{anyName(t)}, []byte(anyName(t))))
	})
}

// Whatever a name holds, Markdown makes text of it: of CommonMark and of GitHub's.
func TestMarkdown(t *testing.T) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	render := func(s string) string {
		var b bytes.Buffer
		if err := md.Convert([]byte(s), &b); err != nil {
			t.Fatal(err)
		}
		return b.String()
	}
	text := render("name, text\n\n| a | b |\n| --- | --- |\n| name | text |\n\n# name\n")
	tags := func(html string) string {
		var out strings.Builder
		d := xml.NewDecoder(strings.NewReader(html))
		d.Strict = false
		d.Entity = xml.HTMLEntity
		for {
			tok, err := d.Token()
			if errors.Is(err, io.EOF) {
				return out.String()
			}
			if err != nil {
				t.Fatalf("%v in %s", err, html)
			}
			if e, ok := tok.(xml.StartElement); ok {
				fmt.Fprint(&out, e.Name.Local, " ")
			}
		}
	}
	want := tags(text)
	rapid.Check(t, func(t *rapid.T) {
		name := "x" + anyName(t) + "x"
		s := Markdown(name)
		harmless(t, "Markdown", s)
		if got := tags(
			render("name, " + s + "\n\n| a | b |\n| --- | --- |\n| " + s + " | text |\n\n# " + s + "\n"),
		); got != want {
			t.Fatalf("%q is written %q and gives %s, wanted %s", name, s, got, want)
		}
	})
	for in, want := range map[string]string{
		"ip1_relu": "ip1_relu", "conv1/3x3.threshold": "conv1/3x3.threshold", "_x_": `\_x\_`,
	} {
		if got := Markdown(in); got != want {
			t.Errorf("%q: %q, wanted %q", in, got, want)
		}
	}
}

func TestXMLAndDOT(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := anyName(t)
		s := XML(name)
		var v struct {
			A string `xml:"a,attr"`
			T string `xml:",chardata"`
		}
		if err := xml.Unmarshal([]byte(`<x a="`+s+`">`+s+`</x>`), &v); err != nil {
			t.Fatalf("XML of %q: %v", name, err)
		}
		if v.A != Line(name) || v.T != Line(name) {
			t.Fatalf("XML of %q reads %q and %q", name, v.A, v.T)
		}
		name = strings.ReplaceAll(name, "\ufffd", "?") // which gonum's reader of DOT does not know
		if _, err := dot.ParseString(
			"digraph " + DOT(name) + " { n0 [label=" + DOT(name+"\nsecond") + "]; }",
		); err != nil {
			t.Fatalf("DOT of %q: %v", name, err)
		}
	})
}

func TestCSV(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := CSV(anyName(t))
		harmless(t, "CSV", s)
		if begin := strings.TrimSpace(s); begin != "" && strings.ContainsAny(begin[:1], "=+-@") {
			t.Fatalf("%q is a formula", s)
		}
	})
}

func TestJSON(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		name := anyName(t)
		in, _ := json.MarshalIndent(map[string]string{"a": name}, "", " ")
		out := JSON(in)
		harmless(t, "JSON", strings.ReplaceAll(string(out), "\n", ""))
		var a, b map[string]string
		if json.Unmarshal(in, &a) != nil || json.Unmarshal(out, &b) != nil || a["a"] != b["a"] {
			t.Fatalf("%q became %q: %s", a["a"], b["a"], out)
		}
	})
}

// A shell reads back every word as it was.
func TestShell(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("no bash")
	}
	var words, quoted []string
	for _, w := range append(hostile, "/usr/lib/x.so", "lenet_iter_100.caffemodel", "lr=[0.01]/t") {
		if !strings.Contains(w, "\x00") {
			words, quoted = append(words, w), append(quoted, Shell(w))
		}
	}
	cmd := exec.Command(bash, "-c", "printf '%s\\0' "+strings.Join(quoted, " "))
	cmd.Env = append(cmd.Environ(), "LC_ALL=C.UTF-8")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, strings.Join(quoted, " "))
	}
	got := strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
	for i := range words {
		if i >= len(got) || got[i] != words[i] {
			t.Fatalf("%q is written %s, which bash reads as %q", words[i], quoted[i], got[min(i, len(got)-1)])
		}
		if Line(quoted[i]) != quoted[i] {
			t.Errorf("%q has control characters in its quoted form %q", words[i], quoted[i])
		}
	}
	if got := Command(
		"dns-tui", "train", "lr=0.1/it's.prototxt", "plain.prototxt",
	); got != `dns-tui train 'lr=0.1/it'\''s.prototxt' plain.prototxt` {
		t.Error(got)
	}
}

// What groff prints of a line is the name as Line has it.
func TestRoff(t *testing.T) {
	for in, want := range map[string]string{
		"a-b": `a\-b`, `C:\x`: `C:\ex`, ".TH x": `\&.TH x`, "'x": `\(aqx`, "two\nlines": `two\enlines`, "é": `\[u00E9]`,
		"畳":       `\[u7573]`,
		"`x` ^ ~": `\(gax\(ga \(ha \(ti`,
	} {
		if got := Roff(in); got != want {
			t.Errorf("%q: %q, wanted %q", in, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if s := Roff(anyName(t)); strings.ContainsFunc(s, func(r rune) bool { return r >= 0x80 || r < ' ' }) ||
			strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
			t.Fatalf("%q", s)
		}
	})
}
