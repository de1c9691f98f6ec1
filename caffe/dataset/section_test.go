package dataset

import (
	"bytes"
	"path/filepath"
	"testing"
)

// A section gives the records that the database has there, round and round, wherever one begins.
func TestSection(t *testing.T) {
	for _, name := range []string{"mnist1280_lmdb", "mnist1280_leveldb"} {
		t.Run(name, func(t *testing.T) {
			db, err := Open(filepath.Join(testdata, "oracle/solvers", name))
			if err != nil {
				t.Fatal(err)
			}
			defer db.Close()
			const first, n = 1270, 7
			var want [][]byte
			if err := db.Seek(first); err != nil {
				t.Fatal(err)
			}
			for range n {
				_, v, err := db.Next()
				if err != nil {
					t.Fatal(err)
				}
				want = append(want, bytes.Clone(v))
			}
			s := Section(db, first, n)
			if count, err := s.Count(); count != n || err != nil {
				t.Errorf("it counts %d, %v; wanted %d", count, err, n)
			}
			for _, start := range []int{-1, 0, 3, n - 1, n, 5*n + 2} {
				at := max(0, start)
				if start >= 0 { // -1 goes on where the last ended, which is at 0
					if err := s.Seek(uint64(start)); err != nil {
						t.Fatal(err)
					}
				}
				for i := range 3 * n {
					_, v, err := s.Next()
					if err != nil {
						t.Fatal(err)
					}
					if !bytes.Equal(v, want[(at+i)%n]) {
						t.Fatalf("from %d on, record %d is another one", start, i)
					}
				}
			}
		})
	}
}
