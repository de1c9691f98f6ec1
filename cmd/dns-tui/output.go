package main

import (
	"errors"
	"io"
	"os"
	"sync"
	"syscall"
)

// output is standard output. Several goroutines may write whole lines to it. It remembers the first write that failed,
// so that a command need not look at each, and guard asks at the end.
type output struct {
	w io.Writer

	mu  sync.Mutex
	err error
}

// Write takes what nobody reads any more, as by `| head -1` where SIGPIPE is ignored, for written.
func (o *output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		return len(b), nil
	}
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// failed is why the first write failed that did; nil where none has.
func (o *output) failed() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// fileOf is the file that is written to behind w; nil where there is none.
func fileOf(w io.Writer) *os.File {
	if o, ok := w.(*output); ok {
		w = o.w
	}
	f, _ := w.(*os.File)
	return f
}
