package dataset

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
)

// Range is what a layer reads of n records of a source, by its records: those from first on and before end. nil is all.
func Range(r *caffepb.RecordRange, n int, source string) (first, end int, err error) {
	from, to := caffe.Widen(r.GetFrom()), caffe.Widen(r.GetTo())
	if !(from >= 0 && from < to && to <= 1) {
		return 0, 0, fmt.Errorf("records: from %g to %g; wanted a part of 0 to 1", from, to)
	}
	const rounding = 1e-9 // 0.7·10 is a little less than 7
	first, end = int(from*float64(n)+rounding), int(to*float64(n)+rounding)
	if first == end {
		return 0, 0, fmt.Errorf("records: from %g to %g is none of the %d in %s", from, to, n, source)
	}
	return first, end, nil
}

// Section is n records of a database from one on, round and round. 0 <= first, and first + n is at most what the
// database holds; n is at least 1.
func Section(db Database, first, n int) Database {
	return &section{Database: db, first: uint64(first), n: uint64(n)}
}

type section struct {
	Database
	first, n uint64
	next     uint64 // record of the section
	placed   bool   // the database is at next
}

func (s *section) Next() (key, value []byte, err error) {
	if !s.placed {
		if err := s.Database.Seek(s.first + s.next); err != nil {
			return nil, nil, err
		}
		s.placed = true
	}
	key, value, err = s.Database.Next()
	if s.next++; s.next == s.n {
		s.next, s.placed = 0, false
	}
	return key, value, err
}

func (s *section) Seek(n uint64) error {
	s.next, s.placed = n%s.n, false
	return nil
}

func (s *section) Skip(n uint64) error {
	if !s.placed || s.next+n >= s.n {
		s.next, s.placed = (s.next+n)%s.n, false
		return nil
	}
	s.next += n
	return s.Database.Skip(n)
}

func (s *section) Count() (int, error) { return int(s.n), nil }
