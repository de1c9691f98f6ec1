package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/PowerDNS/lmdb-go/lmdb"
)

// An LMDB is an open database of Datum records, read in key order.
type LMDB struct {
	path   string
	env    *lmdb.Env
	txn    *lmdb.Txn
	cursor *lmdb.Cursor
	n      int
}

// OpenLMDB opens a database folder for reading. Records are read in place: no lock file is made, nothing is
// written, and a folder without write permission is fine.
func OpenLMDB(path string) (*LMDB, error) {
	if err := checkLMDB(path); err != nil {
		return nil, err
	}
	env, err := lmdb.NewEnv()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db := &LMDB{path: path, env: env}
	if err := env.Open(path, lmdb.Readonly|lmdb.NoLock|lmdb.NoTLS|lmdb.NoReadahead, 0o644); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: cannot be opened as an LMDB: %w", path, err)
	}
	db.txn, err = env.BeginTxn(nil, lmdb.Readonly)
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	db.txn.RawRead = true
	dbi, err := db.txn.OpenRoot(0)
	if err == nil {
		var st *lmdb.Stat
		if st, err = db.txn.Stat(dbi); err == nil {
			db.n = int(st.Entries)
			db.cursor, err = db.txn.OpenCursor(dbi)
		}
	}
	if err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if db.n == 0 {
		db.Close()
		return nil, fmt.Errorf("%s: the LMDB holds no records", path)
	}
	return db, nil
}

const (
	lmdbMagic    = 0xBEEFC0DE
	lmdbPageHead = 16 // bytes of a page header before the meta record
)

// checkLMDB looks at the two meta pages before the library maps the file: a map that is longer than its
// file kills the process at the first access beyond the end.
func checkLMDB(path string) error {
	st, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%s: no such LMDB folder", path)
	} else if err != nil {
		return err
	}
	if !st.IsDir() {
		return fmt.Errorf("%s: is a file; wanted an LMDB, which is a folder with a data.mdb", path)
	}
	file := filepath.Join(path, "data.mdb")
	f, err := os.Open(file)
	if err != nil {
		return fmt.Errorf("%s: not an LMDB: %w", path, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const pageSize = 4096
	var page [pageSize]byte
	best := int64(-1)
	var bestTxn uint64
	for i := range int64(2) {
		if _, err := io.ReadFull(io.NewSectionReader(f, i*pageSize, pageSize), page[:]); err != nil {
			return fmt.Errorf("%s: not an LMDB: data.mdb has %d bytes, fewer than its two head pages", path, info.Size())
		}
		meta := page[lmdbPageHead:]
		if binary.LittleEndian.Uint32(meta) != lmdbMagic {
			return fmt.Errorf("%s: not an LMDB: data.mdb does not start as one (magic %#x, wanted %#x)",
				path, binary.LittleEndian.Uint32(meta), uint32(lmdbMagic))
		}
		// MDB_meta: magic, version, address, map size, two MDB_db of 48 bytes, last page, transaction.
		if txn := binary.LittleEndian.Uint64(meta[128:]); best < 0 || txn > bestTxn {
			best, bestTxn = int64(binary.LittleEndian.Uint64(meta[120:])), txn
		}
	}
	if want := (best + 1) * pageSize; info.Size() < want {
		return fmt.Errorf("%s: the LMDB is cut short: data.mdb has %d bytes, wanted %d", path, info.Size(), want)
	}
	return nil
}

// Len returns the number of records.
func (db *LMDB) Len() int { return db.n }

// Path returns the folder.
func (db *LMDB) Path() string { return db.path }

// Next returns the next record, and the first again after the last. The value is valid until Close.
func (db *LMDB) Next() (key, value []byte, err error) {
	key, value, err = db.cursor.Get(nil, nil, lmdb.Next)
	if lmdb.IsNotFound(err) {
		key, value, err = db.cursor.Get(nil, nil, lmdb.First)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", db.path, err)
	}
	return key, value, nil
}

// Skip moves n records on from the start of the database.
func (db *LMDB) Skip(n uint64) error {
	for range n % uint64(db.n) {
		if _, _, err := db.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Close releases the database.
func (db *LMDB) Close() error {
	if db.cursor != nil {
		db.cursor.Close()
	}
	if db.txn != nil {
		db.txn.Abort()
	}
	return db.env.Close()
}

// WriteLMDB makes a database at path, which must not exist, from the n records that next returns; keys are
// the record's number in eight digits, as Caffe's converters write them.
func WriteLMDB(path string, n int, next func(i int) (*Datum, error)) (err error) {
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s: exists already; remove it, or name another", path)
	}
	// Made beside its place and renamed, so that a half-written database never has the name.
	tmp := path + ".partial"
	if err := os.RemoveAll(tmp); err != nil {
		return err
	}
	if err := os.MkdirAll(tmp, 0o755); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.RemoveAll(tmp)
		}
	}()
	if err := fillLMDB(tmp, n, next); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return os.Rename(tmp, path)
}

func fillLMDB(path string, n int, next func(i int) (*Datum, error)) error {
	env, err := lmdb.NewEnv()
	if err != nil {
		return err
	}
	defer env.Close()
	// The map is address space, not memory; the file grows as it is filled.
	if err := env.SetMapSize(1 << 40); err != nil {
		return err
	}
	if err := env.Open(path, lmdb.NoSync, 0o644); err != nil {
		return err
	}
	const perTxn = 1000
	var buf []byte
	for lo := 0; lo < n; lo += perTxn {
		err := env.Update(func(txn *lmdb.Txn) error {
			dbi, err := txn.OpenRoot(lmdb.Create)
			if err != nil {
				return err
			}
			for i := lo; i < min(lo+perTxn, n); i++ {
				d, err := next(i)
				if err != nil {
					return err
				}
				buf = d.Append(buf[:0])
				if err := txn.Put(dbi, fmt.Appendf(nil, "%08d", i), buf, lmdb.Append); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return err
		}
	}
	return env.Sync(true)
}
