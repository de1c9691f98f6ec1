package dataset

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// rotated is an order that tells apart rounds.
func rotated(n int, round uint64) []int {
	order := make([]int, n)
	for i := range order {
		order[i] = (i*3 + int(round)) % n
	}
	return order
}

// A shuffled database gives each record once a round, in the order of the round, wherever one begins.
func TestShuffled(t *testing.T) {
	const n = 10
	open := func(name string) Database {
		db, err := Open(filepath.Join(testdata, "oracle/solvers", name))
		if err != nil {
			t.Fatal(err)
		}
		return Section(db, 5, n)
	}
	plain := open("mnist1280_lmdb")
	defer plain.Close()
	var want [][]byte
	for range n {
		_, v, err := plain.Next()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, v)
	}
	s, err := Shuffled(open("mnist1280_lmdb"), rotated)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if count, err := s.Count(); count != n || err != nil {
		t.Errorf("it counts %d, %v; wanted %d", count, err, n)
	}
	for _, start := range []int{-1, 0, 3, n, 5*n + 2} {
		at := max(0, start)
		if start >= 0 { // -1 goes on where it begins
			if err := s.Seek(uint64(start)); err != nil {
				t.Fatal(err)
			}
		}
		for i := at; i < at+3*n; i++ {
			_, v, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(v, want[rotated(n, uint64(i/n))[i%n]]) {
				t.Fatalf("from %d on, record %d is another one", start, i)
			}
		}
	}
	if _, err := Shuffled(open("mnist1280_leveldb"), rotated); err == nil ||
		!strings.Contains(err.Error(), "shuffle wants an LMDB; a LevelDB is read in its order") {
		t.Errorf("shuffled LevelDB: %v", err)
	}
}
