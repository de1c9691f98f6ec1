package dataset

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

func (s *section) Count() (int, error) { return int(s.n), nil }
