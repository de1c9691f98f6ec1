package dataset

import (
	"fmt"
	"os"

	"github.com/PowerDNS/lmdb-go/lmdb"

	"dns-tui/caffe"
	"dns-tui/files"
)

// LMDBWriter makes a database. It is made beside its place and renamed by Commit, so that a half-written database never
// has the name.
type LMDBWriter struct {
	path string
	env  *lmdb.Env
	txn  *lmdb.Txn
	dbi  lmdb.DBI
	n    int
	buf  []byte
}

// perTxn is how many records are written at a time.
const perTxn = 1000

// CreateLMDB begins a database at path, which must not exist.
func CreateLMDB(path string) (*LMDBWriter, error) {
	if caffe.Exists(path) {
		return nil, fmt.Errorf("%s: exists already; remove it, or name another", path)
	}
	w := &LMDBWriter{path: path}
	if err := w.open(); err != nil {
		w.Abort()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return w, nil
}

func (w *LMDBWriter) partial() string { return w.path + ".partial" }

func (w *LMDBWriter) open() (err error) {
	if err := os.RemoveAll(w.partial()); err != nil {
		return err
	}
	if err := os.MkdirAll(w.partial(), 0o755); err != nil {
		return err
	}
	if w.env, err = lmdb.NewEnv(); err != nil {
		return err
	}
	// The map is address space, not memory; the file grows as it is filled.
	if err := w.env.SetMapSize(1 << 40); err != nil {
		return err
	}
	return w.env.Open(w.partial(), lmdb.NoSync, 0o644)
}

// Put adds a record. Keys must rise; an empty key is the record's number in eight digits, as Caffe's converters write
// it. The writer belongs to the goroutine that puts first, which must be locked to its thread.
func (w *LMDBWriter) Put(key string, d *Datum) (err error) {
	if w.txn == nil {
		if w.txn, err = w.env.BeginTxn(nil, 0); err == nil {
			w.dbi, err = w.txn.OpenRoot(lmdb.Create)
		}
		if err != nil {
			return fmt.Errorf("%s: %w", w.path, err)
		}
	}
	if key == "" {
		key = fmt.Sprintf("%08d", w.n)
	}
	w.buf = d.Append(w.buf[:0])
	if err := w.txn.Put(w.dbi, []byte(key), w.buf, lmdb.Append); err != nil {
		return fmt.Errorf("%s: record %q: %w", w.path, key, err)
	}
	if w.n++; w.n%perTxn == 0 {
		return w.flush()
	}
	return nil
}

func (w *LMDBWriter) flush() error {
	if w.txn == nil {
		return nil
	}
	txn := w.txn
	w.txn = nil
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return nil
}

// Commit finishes the database and gives it its name.
func (w *LMDBWriter) Commit() error {
	err := w.flush()
	if err == nil {
		err = w.env.Sync(true)
	}
	if err != nil {
		w.Abort()
		return err
	}
	w.env.Close()
	w.env = nil
	if err := files.SyncFolder(w.partial()); err != nil {
		return fmt.Errorf("%s: %w", w.path, err)
	}
	return files.Rename(w.partial(), w.path)
}

// Abort removes what was written. It does nothing after Commit.
func (w *LMDBWriter) Abort() {
	if w.txn != nil {
		w.txn.Abort()
		w.txn = nil
	}
	if w.env != nil {
		w.env.Close()
		w.env = nil
		os.RemoveAll(w.partial())
	}
}

// WriteLMDB makes a database at path, which must not exist, from the n records that next returns.
func WriteLMDB(path string, n int, next func(i int) (*Datum, error)) error {
	return writeRecords(path, n, func(i int) (string, *Datum, error) {
		d, err := next(i)
		return "", d, err
	})
}
