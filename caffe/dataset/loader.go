package dataset

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"sync"
	"sync/atomic"

	"dns-tui/memory"
)

// A Batch is one prefetched batch: images one after the other, and their labels.
type Batch struct {
	Shape  []int // of an image: channels, height, width
	Data   []float32
	Labels []float32
}

// A Loader reads, decodes and transforms batches in a goroutine of its own, some ahead of their use.
type Loader struct {
	source    Source
	batchSize int
	workers   int

	// The batches are dealt out to ranks, one to each in turn, of which this loader reads those of one.
	rank, ranks int

	records uint64 // consumed by Next, and by the other ranks beside
	start   uint64 // records before the first
	free    chan *Batch
	full    chan *Batch
	stop    chan struct{}
	done    sync.WaitGroup
	running bool
	err     error // set before full is closed
}

// maxWorkers is how many goroutines read a source that allows it.
const maxWorkers = 16

// NewLoader reads nothing yet. slots is the number of batches in memory. Close closes the source.
func NewLoader(s Source, batchSize, slots int) (*Loader, error) {
	if batchSize <= 0 {
		return nil, fmt.Errorf("batch_size is %d; wanted at least 1", batchSize)
	}
	l := &Loader{source: s, batchSize: batchSize, workers: 1, ranks: 1}
	if _, ok := s.(Concurrent); ok {
		l.workers = min(runtime.GOMAXPROCS(0), maxWorkers, batchSize)
	}
	slots = max(slots, 1)
	shape := s.Shape()
	size := shape[0] * shape[1] * shape[2]
	bytes := memory.Product(int64(slots), int64(batchSize), int64(size)+1, 4)
	if err := memory.Check(
		fmt.Sprintf(
			"%d batches of %d records of %dx%dx%d (batch_size, prefetch)", slots, batchSize, shape[0], shape[1],
			shape[2],
		),
		bytes,
	); err != nil {
		return nil, err
	}
	l.free, l.full = make(chan *Batch, slots), make(chan *Batch, slots)
	for range slots {
		l.free <- &Batch{
			Shape: append([]int(nil), shape...), Data: make([]float32, batchSize*size),
			Labels: make([]float32, batchSize),
		}
	}
	return l, nil
}

// Shape returns the shape of the first image: channels, height, width.
func (l *Loader) Shape() []int { return l.source.Shape() }

// BatchSize is how many records a batch has.
func (l *Loader) BatchSize() int { return l.batchSize }

// Path names the source in errors.
func (l *Loader) Path() string { return l.source.Path() }

// Contents is the source's; it is asked before the first Next.
func (l *Loader) Contents() (records int, sum uint32, err error) { return l.source.Contents() }

// Deal has Next return the batches of one of several ranks: of those from the present place on, the first belongs to
// rank 0, the second to rank 1, and round and round. It is called before the first Next, or before Seek.
func (l *Loader) Deal(rank, ranks int) { l.rank, l.ranks = rank, ranks }

// Records returns how many records Next has handed out since the start of the run, to all ranks.
func (l *Loader) Records() uint64 { return l.records }

// Seek sets the number of records consumed so far, by all ranks: the next batch of rank 0 begins there. What was read
// ahead is dropped. All batches have been released.
func (l *Loader) Seek(records uint64) {
	if l.running && records == l.records {
		return
	}
	if l.running {
		l.halt()
		for b := range l.full {
			l.free <- b
		}
		l.full, l.err = make(chan *Batch, cap(l.full)), nil
	}
	l.records, l.start = records, records
}

// halt ends the goroutine that reads; full is closed then, and every batch is in full or free.
func (l *Loader) halt() {
	close(l.stop)
	l.done.Wait()
	l.running = false
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
	l.records += uint64(l.ranks * l.batchSize)
	return b, nil
}

// Release hands a batch back for reuse.
func (l *Loader) Release(b *Batch) { l.free <- b }

// Close stops the goroutine and closes the source.
func (l *Loader) Close() error {
	if l.running {
		l.halt()
	}
	return l.source.Close()
}

func (l *Loader) run() {
	defer l.done.Done()
	defer close(l.full)
	record := l.start + uint64(l.rank*l.batchSize)
	if l.err = l.source.Seek(record); l.err != nil {
		return
	}
	others := uint64((l.ranks - 1) * l.batchSize)
	for {
		var b *Batch
		select {
		case <-l.stop:
			return
		case b = <-l.free:
		}
		if l.err = l.fill(b, record); l.err != nil {
			l.free <- b
			return
		}
		record += uint64(l.batchSize) + others
		if others > 0 {
			if l.err = l.source.Skip(others); l.err != nil {
				l.free <- b
				return
			}
		}
		select {
		case <-l.stop:
			l.free <- b
			return
		case l.full <- b:
		}
	}
}

// fill reads a batch, shared out over the workers where the source allows it.
func (l *Loader) fill(b *Batch, record uint64) error {
	if l.workers == 1 {
		return l.read(b, record, 0, l.batchSize)
	}
	var wg sync.WaitGroup
	var next atomic.Int64
	errs := make([]error, l.workers)
	for w := range l.workers {
		wg.Go(func() {
			for errs[w] == nil {
				i := int(next.Add(1)) - 1
				if i >= l.batchSize {
					return
				}
				errs[w] = l.read(b, record, i, i+1)
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// read reads the images [lo, hi) of a batch. A file that is cut while it is mapped faults where it is read, and a
// decoder may panic over a damaged picture: that is the file's mistake, not the program's end.
func (l *Loader) read(b *Batch, record uint64, lo, hi int) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%s: cannot be read any more (record %d): %v", l.source.Path(), record+uint64(lo), r)
		}
	}()
	size := len(b.Data) / l.batchSize
	for ; lo < hi; lo++ {
		s := Sample{Data: b.Data[lo*size:][:size], shape: b.Shape, alone: l.batchSize == 1}
		if s.alone {
			s.Data = b.Data
		}
		if err := l.source.Read(record+uint64(lo), &s); err != nil {
			return err
		}
		b.Labels[lo] = s.Label
		if s.alone {
			b.Data, b.Shape = s.Data, s.shape
		}
	}
	return nil
}
