package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"dns-tui/caffe"
)

// A Database is an open database of Datum records, read in key order, round and round.
type Database interface {
	// Path returns the folder.
	Path() string
	// Kind names the format: "LMDB" or "LevelDB".
	Kind() string
	// Next returns the next record, and the first again after the last. Key and value are valid until the next call.
	Next() (key, value []byte, err error)
	// Seek makes the next record the n-th from the first, counted round the end.
	Seek(n uint64) error
	// Skip passes over the next n records without reading what is in them.
	Skip(n uint64) error
	// Count returns the number of records; it may have to read all keys.
	Count() (int, error)
	Close() error
}

// Open opens a database folder for reading, whichever of the two formats it is in.
func Open(path string) (Database, error) {
	if caffe.Exists(filepath.Join(path, "CURRENT")) {
		return OpenLevelDB(path)
	}
	return OpenLMDB(path)
}

// checkFolder reports a database folder that is not there or is no folder.
func checkFolder(path, kind, wanted string) error {
	st, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: no such %s folder", path, kind)
	case err != nil:
		return err
	case !st.IsDir():
		return fmt.Errorf("%s: is a file; wanted %s", path, wanted)
	}
	return nil
}

// ReadAll calls f for every record of a database, from the first, with its Datum parsed.
func ReadAll(db Database, f func(i int, key []byte, d *Datum) error) error {
	n, err := db.Count()
	if err != nil {
		return err
	}
	if err := db.Seek(0); err != nil {
		return err
	}
	var d Datum
	for i := range n {
		key, value, err := db.Next()
		if err != nil {
			return err
		}
		if err := d.Parse(value); err != nil {
			return fmt.Errorf("%s: record %q %w", db.Path(), key, err)
		}
		if err := f(i, key, &d); err != nil {
			return err
		}
	}
	return nil
}
