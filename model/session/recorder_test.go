package session

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// What fails is told of at once, then at growing intervals, and again when it is over.
func TestTrouble(t *testing.T) {
	full := errors.New("no space left on device")
	begin := time.Unix(1000, 0)
	var b backoff
	if b.succeed() || b.due(begin) {
		t.Error("trouble before anything failed")
	}
	var told []time.Duration
	for at := time.Duration(0); at < 24*time.Hour; at += time.Second { // each second fails
		if b.fail(full, begin.Add(at)) {
			told = append(told, at)
		}
	}
	want := []time.Duration{0, 30 * time.Second, 90 * time.Second, 210 * time.Second}
	for i, w := range want {
		if told[i] != w {
			t.Errorf("told at %v, wanted %v first", told[:len(want)], want)
			break
		}
	}
	for i := 1; i < len(told); i++ {
		if d := told[i] - told[i-1]; d > lastWait || i > 1 && d < told[i-1]-told[i-2] {
			t.Errorf("from %v to %v", told[i-1], told[i])
		}
	}
	if n := len(told); n < 24 || n > 40 {
		t.Errorf("told %d times in a day", n)
	}
	if !b.succeed() || b.succeed() {
		t.Error("its end is told once")
	}
}

// The line that a journal begins with has an entry for each layer: of a large net too it is written, and read again.
func TestJournalOfALargeNet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "run.journal")
	j, _, err := openJournal(path)
	if err != nil {
		t.Fatal(err)
	}
	layers := make([]StartLayer, 100_000)
	for i := range layers {
		layers[i] = StartLayer{Name: strings.Repeat("l", 150), Type: "InnerProduct", Rule: "seed", Weights: i}
	}
	if err := j.write(Change{Began: &Began{Solver: "s", Start: &Start{Net: "n", Layers: layers}}}); err != nil {
		t.Fatal(err)
	}
	if err := j.close(); err != nil {
		t.Fatal(err)
	}
	if j.size <= 16<<20 {
		t.Fatalf("%d bytes: the line is short", j.size)
	}
	changes, err := ReadJournal(path)
	if err != nil || len(changes) != 1 || changes[0].start() == nil || len(changes[0].Began.Layers) != len(layers) {
		t.Errorf("%d lines, error %v", len(changes), err)
	}
}

// Lines that cannot be written wait in memory, up to a bound; what does not fit is counted.
func TestJournalCountsWhatIsLost(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	j := &journal{f: full}
	c := Change{Moved: &Moved{To: strings.Repeat("x", 1<<20)}}
	for range maxJournalWaits>>20 + 3 {
		if err := j.write(c); err == nil {
			t.Fatal("a line was written to a full disk")
		}
	}
	if len(j.waits) > maxJournalWaits || j.n+j.lost != maxJournalWaits>>20+3 || j.lost == 0 {
		t.Errorf("%d bytes wait, %d lines of them, %d lost", len(j.waits), j.n, j.lost)
	}
}
