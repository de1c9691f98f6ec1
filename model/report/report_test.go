package report

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

var updateGolden = flag.Bool("update", false, "write the golden reports anew")

// The journal in testdata has names that every format must take for text and not for its own marks.
func sample(t *testing.T) *Report {
	t.Helper()
	r, err := Read(filepath.Join("testdata", "run.journal"))
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// formats are the ways a report is written, by the ending of its file.
var formats = map[string]func(*Report, io.Writer) error{
	"html": (*Report).HTML,
	"md":   (*Report).Markdown,
	"csv":  (*Report).CSV,
	"json": (*Report).JSON,
}

func written(t *testing.T, r *Report, format string) string {
	t.Helper()
	var b bytes.Buffer
	if err := formats[format](r, &b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name := range formats {
		t.Run(name, func(t *testing.T) {
			compareGolden(t, filepath.Join("testdata", "report."+name), written(t, sample(t), name))
		})
	}
}

// compareGolden holds text against a golden file.
func compareGolden(t *testing.T, path, got string) {
	t.Helper()
	if *updateGolden {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s; `go test ./model/report -update` writes it:\n%s", path, got)
	}
}

// A run from its first line to its last: what was in force at the end, what became of the weights.
func TestSummary(t *testing.T) {
	r := sample(t)
	if r.State != "finished" || r.Iter != 300 || r.Weights != 2000 || r.Kept != 100 || r.Smaller() != 20 {
		t.Errorf(
			"state %q, iteration %d, kept %d of %d, %g times smaller; wanted finished, 300, 100 of 2000, 20",
			r.State,
			r.Iter,
			r.Kept,
			r.Weights,
			r.Smaller(),
		)
	}
	for i, want := range []string{"1.2", "2"} {
		if got := r.Layers[i].Threshold; got != want {
			t.Errorf("%s ended with threshold %s; wanted %s", r.Layers[i].Name, got, want)
		}
	}
	if r.Accuracy == nil || *r.Accuracy != 0.985 {
		t.Errorf("accuracy %v; wanted 0.985", r.Accuracy)
	}
	if len(r.Changes) != 3 {
		t.Errorf("%d changes; wanted 3: measures and starts are none", len(r.Changes))
	}
}

// The page loads nothing, runs nothing, and its pictures are well-formed.
func TestPageIsSelfContained(t *testing.T) {
	page := written(t, sample(t), "html")
	for _, bad := range []string{"<script", "src=", "href=", "url(", "@import", "<b>solver"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page has %q", bad)
		}
	}
	plots := 0
	for rest := page; ; plots++ {
		i := strings.Index(rest, "<svg")
		if i < 0 {
			break
		}
		svg, after, ok := strings.Cut(rest[i:], "</svg>")
		if !ok {
			t.Fatal("a picture has no end")
		}
		d := xml.NewDecoder(strings.NewReader(svg + "</svg>"))
		for {
			if _, err := d.Token(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				t.Fatalf("%v in %s", err, svg)
			}
		}
		rest = after
	}
	if plots != 6 {
		t.Errorf("%d plots; wanted 6", plots)
	}
}

// Scripts read back what was measured.
func TestDataComesBack(t *testing.T) {
	r := sample(t)
	var back Report
	if err := json.Unmarshal([]byte(written(t, r, "json")), &back); err != nil {
		t.Fatal(err)
	}
	if got := back.Curves[accuracyCurve]; len(got.Iters) != 2 || got.Iters[1] != 300 || got.Values[1] != 0.985 {
		t.Errorf("accuracy came back as %v", got)
	}
	rows, err := csv.NewReader(strings.NewReader(written(t, r, "csv"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if want := "iteration,loss,accuracy,test loss,kept,kept conv1,kept ip1,learning rate,iterations a " +
		"second"; strings.Join(
		rows[0],
		",",
	) != want {
		t.Errorf("columns %q; wanted %s", rows[0], want)
	}
	if len(rows) != 4 || rows[2][0] != "200" || rows[2][2] != "" {
		t.Errorf("rows %q; wanted 100, 200 without an accuracy, 300", rows[1:])
	}
}

func TestRecipe(t *testing.T) {
	start := func(s *session.Start) *session.Began {
		return &session.Began{Solver: "s.prototxt", Start: s}
	}
	for _, c := range []struct {
		name  string
		start *session.Began
		want  string
	}{
		{"from nothing", start(&session.Start{}), "dns-tui train --solver s.prototxt --replay run.repeat.journal"},
		{
			"from weights",
			start(&session.Start{Weights: []string{"a.caffemodel", "b c.caffemodel"}}),
			"dns-tui train --solver s.prototxt --weights 'a.caffemodel,b c.caffemodel' --replay run.repeat.journal",
		},
		{
			"from a snapshot",
			start(&session.Start{From: "it's.solverstate"}),
			`dns-tui train --solver s.prototxt --snapshot 'it'\''s.solverstate' --replay run.repeat.journal`,
		},
		{"of an old journal", start(nil), "dns-tui train --solver s.prototxt --replay run.repeat.journal"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := recipe("out/run.journal", c.start)
			if got[0] != "cp out/run.journal run.repeat.journal" || got[1] != c.want {
				t.Errorf("%q; wanted %s", got, c.want)
			}
		})
	}
}

func TestNoRun(t *testing.T) {
	for name, lines := range map[string][]session.Change{
		"empty": nil,
		"changes alone": {
			{
				Iter:  3,
				Edits: []config.Edited{{Edit: config.Edit{Field: config.Field{Param: config.LRMult}, Value: 0.5}}},
			},
		},
	} {
		if _, err := New("x.journal", lines); err == nil || !strings.Contains(err.Error(), "x.journal") {
			t.Errorf("%s: %v; wanted an error that names the journal", name, err)
		}
	}
	if _, err := Read("testdata/none.journal"); err == nil {
		t.Error("a journal that is not there makes a report")
	}
}

// A run that has only begun, and one that keeps nothing, have reports too.
func TestEdges(t *testing.T) {
	begun := session.Change{Began: &session.Began{
		Solver: "s.prototxt",
		Start:  &session.Start{Layers: []session.StartLayer{{Name: "ip", Weights: 10}}},
	}}
	for name, lines := range map[string][]session.Change{
		"begun":   {begun},
		"nothing": {begun, {Iter: 5, Measure: &session.Measure{Kept: []int{0}}}},
		"old":     {{Began: &session.Began{Solver: "s.prototxt"}}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := New("x.journal", lines)
			if err != nil {
				t.Fatal(err)
			}
			for f := range formats {
				if text := written(t, r, f); strings.Contains(text, "NaN") || strings.Contains(text, "Inf") {
					t.Errorf("%s: %s", f, text)
				}
			}
		})
	}
}
