package dataset

import (
	"fmt"
	"hash/crc32"

	"dns-tui/caffe"
	"dns-tui/memory"
)

// A Source reads labelled images by number. The numbers count the records of a run, round and round over what the
// source holds: record n is the same whenever, and after whatever, it is read.
type Source interface {
	// Path names the source in errors.
	Path() string
	// Shape returns the channels, height and width of the first record as Read gives it.
	Shape() []int
	// Seek says which record Read is called for next; from there on the numbers count up.
	Seek(record uint64) error
	// Skip says that Read is not called for the next n records.
	Skip(n uint64) error
	// Read puts a record into s.
	Read(record uint64, s *Sample) error
	// Contents says how many records the source holds, and a checksum: of the first, or of the list of them. It is
	// asked before Seek.
	Contents() (records int, sum uint32, err error)
	Close() error
}

// Concurrent is a Source whose Read may run in several goroutines at a time, in any order.
type Concurrent interface {
	Concurrent()
}

// A Sample is one record of a batch.
type Sample struct {
	Data  []float32
	Label float32
	shape []int
	alone bool // in its batch
}

// Reshape makes room for an image of channels × height × width. All images of a batch have one shape; a batch of one
// may have another than the batch before (fully convolutional nets are trained so).
func (s *Sample) Reshape(shape []int) error {
	if caffe.FormatShape(shape) == caffe.FormatShape(s.shape) {
		return nil
	}
	if !s.alone {
		return fmt.Errorf(
			"has the shape %s, the first record %s; images of any size want batch_size 1",
			caffe.FormatShape(shape),
			caffe.FormatShape(s.shape),
		)
	}
	s.shape = append(s.shape[:0], shape...)
	if n := shape[0] * shape[1] * shape[2]; n <= cap(s.Data) {
		s.Data = s.Data[:n]
	} else {
		if err := memory.Check("an image of "+caffe.FormatShape(shape), 4*int64(n)); err != nil {
			return err
		}
		s.Data = make([]float32, n)
	}
	return nil
}

// Random gives the numbers of a record.
type Random func(record uint64) Randoms

// records is a database as a Source.
type records struct {
	db        Database
	transform *Transformer
	random    Random
	shape     []int
	datum     Datum
}

// FromDatabase returns the records of a database, transformed. The Source closes the database.
func FromDatabase(db Database, t *Transformer, random Random) (Source, error) {
	r := &records{db: db, transform: t, random: random}
	key, err := r.next()
	if err != nil {
		return nil, err
	}
	if r.shape, err = t.Infer(&r.datum); err != nil {
		return nil, fmt.Errorf("%s: record %q: %w", db.Path(), key, err)
	}
	return r, nil
}

func (r *records) Path() string             { return r.db.Path() }
func (r *records) Shape() []int             { return r.shape }
func (r *records) Seek(record uint64) error { return r.db.Seek(record) }
func (r *records) Skip(n uint64) error      { return r.db.Skip(n) }
func (r *records) Close() error             { return r.db.Close() }

func (r *records) Contents() (n int, sum uint32, err error) {
	if n, err = r.db.Count(); err != nil {
		return 0, 0, err
	}
	if err := r.db.Seek(0); err != nil {
		return 0, 0, err
	}
	key, value, err := r.db.Next()
	return n, crc32.Update(crc32.ChecksumIEEE(key), crc32.IEEETable, value), err
}

// next reads and decodes a record.
func (r *records) next() (key []byte, err error) {
	key, value, err := r.db.Next()
	if err != nil {
		return nil, err
	}
	if err = r.datum.Parse(value); err == nil {
		err = r.transform.Decode(&r.datum)
	}
	if err != nil {
		err = fmt.Errorf("%s: record %q %w", r.db.Path(), key, err)
	}
	return key, err
}

func (r *records) Read(record uint64, s *Sample) error {
	key, err := r.next()
	if err != nil {
		return err
	}
	s.Label = float32(r.datum.Label)
	if err := r.transform.into(&r.datum, record, r.random, s); err != nil {
		return fmt.Errorf("%s: record %q %w", r.db.Path(), key, err)
	}
	return nil
}

// into transforms a picture into a sample.
func (t *Transformer) into(d *Datum, record uint64, random Random, s *Sample) error {
	if s.alone && !t.fits(d) {
		shape, err := t.Infer(d)
		if err != nil {
			return err
		}
		if err := s.Reshape(shape); err != nil {
			return err
		}
	}
	var r Randoms
	if random != nil && t.NeedsRandom() {
		r = random(record)
	}
	return t.Apply(d, r, s.Data)
}
