package dataset

import "fmt"

// Shuffled is a database in another order in each round: order gives that of a round, of the numbers below n, which is
// how many records there are. It looks at every record once, to find it again. It closes the database where it fails.
func Shuffled(db Database, order func(n int, round uint64) []int) (Database, error) {
	s := &shuffled{Database: db, order: order}
	if err := s.index(); err != nil {
		db.Close()
		return nil, err
	}
	return s, nil
}

type shuffled struct {
	Database
	records []keyValue
	order   func(n int, round uint64) []int
	next    uint64 // number, counted on over the rounds
	now     []int  // the order of round
	round   uint64
}

type keyValue struct{ key, value []byte }

// index notes where the records are. Only an LMDB's stay there, in the file that is mapped.
func (s *shuffled) index() error {
	if s.Kind() != "LMDB" {
		return fmt.Errorf("%s: shuffle wants an LMDB; a %s is read in its order", s.Path(), s.Kind())
	}
	n, err := s.Count()
	if err != nil {
		return err
	}
	if err := s.Database.Seek(0); err != nil {
		return err
	}
	s.records = make([]keyValue, n)
	for i := range s.records {
		r := &s.records[i]
		if r.key, r.value, err = s.Database.Next(); err != nil {
			return err
		}
	}
	return nil
}

func (s *shuffled) Next() (key, value []byte, err error) {
	n := uint64(len(s.records))
	if round := s.next / n; s.now == nil || s.round != round {
		s.round, s.now = round, s.order(len(s.records), round)
	}
	r := &s.records[s.now[s.next%n]]
	s.next++
	return r.key, r.value, nil
}

func (s *shuffled) Seek(n uint64) error {
	s.next = n
	return nil
}

func (s *shuffled) Skip(n uint64) error {
	s.next += n
	return nil
}
