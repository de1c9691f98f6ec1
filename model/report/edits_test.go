package report

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A change of several fields is a row for each, a ramp a row; thresholds in force follow both, and lines that are no
// entries are named.
func TestEditsAndRamps(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	journal := `{"iter":0,"field":"run","new":"s.prototxt","seed":5,"start":{"net":"n","device":"d","max_iter":100,"layers":[{"name":"a","type":"Convolution","rule":"seed","weights":10,"threshold":0.6},{"name":"b","type":"Convolution","rule":"seed","weights":10,"threshold":0.6}]}}
{"iter":3,"field":"edits","new":"threshold → 1 in a, b","edits":[{"field":"a.threshold","old":"0.6","new":"1"},{"field":"b.threshold","old":"0.6","new":"1"}]}
not an entry
{"iter":10,"field":"plan","old":"1","new":"b.threshold to 2 over 10 at 10","plan":{"id":1,"field":"b.threshold","value":"2","at":10,"over":10,"begun":true,"start":1,"old":"1"}}
{"iter":50,"field":"measure","new":"","measure":{"loss":0.5}}
`
	if err := os.WriteFile(path, []byte(journal), 0o644); err != nil {
		t.Fatal(err)
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	var rows []string
	for _, c := range r.Changes {
		rows = append(rows, c.Field+" "+c.Old+" "+c.New)
	}
	want := "a.threshold 0.6 1, b.threshold 0.6 1, plan 1 b.threshold to 2 over 10 at 10"
	if got := strings.Join(rows, ", "); got != want {
		t.Errorf("rows %q, wanted %q", got, want)
	}
	if r.Layers[0].Threshold != "1" || r.Layers[1].Threshold != "2" ||
		!strings.HasSuffix(r.Notice, "run.journal:3: is no journal entry, and is skipped") {
		t.Errorf("thresholds %s and %s, notice %q", r.Layers[0].Threshold, r.Layers[1].Threshold, r.Notice)
	}
}
