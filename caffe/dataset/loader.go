package dataset

import (
	"fmt"
	"runtime/debug"
	"sync"
)

// A Batch is one prefetched batch: images one after the other, and their labels.
type Batch struct {
	Data   []float32
	Labels []float32
}

// A Loader reads, decodes and transforms batches in a goroutine of its own, some ahead of their use.
type Loader struct {
	db        Database
	transform *Transformer
	batchSize int
	shape     []int // channels, height, width
	random    func(record uint64) Randoms

	records uint64 // consumed by Next
	start   uint64 // records before the first
	free    chan *Batch
	full    chan *Batch
	stop    chan struct{}
	done    sync.WaitGroup
	running bool
	err     error // set before full is closed
}

// NewLoader opens nothing: db stays the caller's until Close, which closes it too. slots is the number of
// batches in memory; random gives the numbers of a record and must not depend on when it is called.
func NewLoader(db Database, t *Transformer, batchSize, slots int, random func(record uint64) Randoms) (*Loader, error) {
	if batchSize <= 0 {
		return nil, fmt.Errorf("data_param: batch_size is %d; wanted at least 1", batchSize)
	}
	l := &Loader{db: db, transform: t, batchSize: batchSize, random: random}
	var d Datum
	key, value, err := db.Next()
	if err != nil {
		return nil, err
	}
	if err := l.parse(&d, key, value); err != nil {
		return nil, err
	}
	if l.shape, err = t.Infer(&d); err != nil {
		return nil, fmt.Errorf("%s: %w", db.Path(), err)
	}
	slots = max(slots, 1)
	l.free, l.full = make(chan *Batch, slots), make(chan *Batch, slots)
	size := l.shape[0] * l.shape[1] * l.shape[2]
	for range slots {
		l.free <- &Batch{Data: make([]float32, batchSize*size), Labels: make([]float32, batchSize)}
	}
	return l, nil
}

func (l *Loader) parse(d *Datum, key, value []byte) error {
	err := d.Parse(value)
	if err == nil {
		err = l.transform.Decode(d)
	}
	if err != nil {
		return fmt.Errorf("%s: record %q %w", l.db.Path(), key, err)
	}
	return nil
}

// Shape returns the shape of an image: channels, height, width.
func (l *Loader) Shape() []int { return l.shape }

// Records returns how many records Next has handed out since the start of the run.
func (l *Loader) Records() uint64 { return l.records }

// Seek sets the number of records consumed so far; it must come before the first Next.
func (l *Loader) Seek(records uint64) {
	if l.running {
		panic("dataset: Loader.Seek after Next")
	}
	l.records, l.start = records, records
}

// Next returns the next batch. It waits only where reading is slower than training. Hand it back with Release.
func (l *Loader) Next() (*Batch, error) {
	if !l.running {
		l.running = true
		l.stop = make(chan struct{})
		l.done.Add(1)
		go l.run()
	}
	b, ok := <-l.full
	if !ok {
		return nil, l.err
	}
	l.records += uint64(l.batchSize)
	return b, nil
}

// Release hands a batch back for reuse.
func (l *Loader) Release(b *Batch) { l.free <- b }

// Close stops the goroutine and closes the database.
func (l *Loader) Close() error {
	if l.running {
		close(l.stop)
		l.done.Wait()
	}
	return l.db.Close()
}

func (l *Loader) run() {
	defer l.done.Done()
	defer close(l.full)
	// A file that is cut while it is mapped faults where it is read; that is the file's mistake, not the program's end.
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			l.err = fmt.Errorf("%s: cannot be read any more: %v", l.db.Path(), r)
		}
	}()
	// NewLoader read the first record to learn the shape.
	if l.err = l.db.Seek(l.start); l.err != nil {
		return
	}
	record := l.start
	var d Datum
	for {
		var b *Batch
		select {
		case <-l.stop:
			return
		case b = <-l.free:
		}
		if l.err = l.fill(b, &d, record); l.err != nil {
			return
		}
		record += uint64(l.batchSize)
		select {
		case <-l.stop:
			return
		case l.full <- b:
		}
	}
}

func (l *Loader) fill(b *Batch, d *Datum, record uint64) error {
	size := l.shape[0] * l.shape[1] * l.shape[2]
	for i := range l.batchSize {
		key, value, err := l.db.Next()
		if err != nil {
			return err
		}
		if err := l.parse(d, key, value); err != nil {
			return err
		}
		var r Randoms
		if l.random != nil && l.transform.NeedsRandom() {
			r = l.random(record + uint64(i))
		}
		if err := l.transform.Apply(d, r, b.Data[i*size:][:size]); err != nil {
			return fmt.Errorf("%s: record %q %w", l.db.Path(), key, err)
		}
		b.Labels[i] = float32(d.Label)
	}
	return nil
}
