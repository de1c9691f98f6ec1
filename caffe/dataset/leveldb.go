package dataset

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/syndtr/goleveldb/leveldb"
	"github.com/syndtr/goleveldb/leveldb/iterator"
	"github.com/syndtr/goleveldb/leveldb/opt"
	"github.com/syndtr/goleveldb/leveldb/storage"

	"dns-tui/files"
)

// LevelDB is an open LevelDB: Caffe's other format, its default until 2014.
type LevelDB struct {
	path  string
	db    *leveldb.DB
	iter  iterator.Iterator
	count int // 0 until it is known
	seek  bool
}

// OpenLevelDB opens a database folder for reading. Nothing is written to it, not even a lock.
func OpenLevelDB(path string) (*LevelDB, error) {
	if err := checkFolder(path, "LevelDB", "a LevelDB, which is a folder"); err != nil {
		return nil, err
	}
	db, err := leveldb.Open(
		readOnlyFolder(path),
		&opt.Options{ReadOnly: true, ErrorIfMissing: true, Strict: opt.StrictAll},
	)
	if err != nil {
		return nil, fmt.Errorf("%s: not a LevelDB, or a damaged one: %w", path, err)
	}
	l := &LevelDB{
		path: path,
		db:   db,
		iter: db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true, Strict: opt.StrictAll}),
	}
	if !l.iter.First() {
		err := l.fault()
		if err == nil {
			err = fmt.Errorf("%s: the LevelDB holds no records", path)
		}
		l.Close()
		return nil, err
	}
	l.seek = true // the iterator stands on the record that is next
	return l, nil
}

func (l *LevelDB) fault() error {
	if err := l.iter.Error(); err != nil {
		return fmt.Errorf("%s: is a damaged LevelDB: %w", l.path, err)
	}
	return nil
}

// Path implements Database.
func (l *LevelDB) Path() string { return l.path }

// Kind implements Database.
func (l *LevelDB) Kind() string { return "LevelDB" }

// Next implements Database.
func (l *LevelDB) Next() (key, value []byte, err error) {
	if !l.seek && !l.iter.Next() {
		if err := l.fault(); err != nil {
			return nil, nil, err
		}
		if !l.iter.First() {
			return nil, nil, fmt.Errorf("%s: the LevelDB holds no records any more: %w", l.path, l.iter.Error())
		}
	}
	l.seek = false
	return l.iter.Key(), l.iter.Value(), nil
}

// Seek implements Database. The first time round it reads the keys to learn how many there are.
func (l *LevelDB) Seek(n uint64) error {
	if n > 0 {
		count, err := l.Count()
		if err != nil {
			return err
		}
		n %= uint64(count)
	}
	ok := l.iter.First()
	for ; ok && n > 0; n-- {
		ok = l.iter.Next()
	}
	l.seek = true
	if !ok {
		return errors.Join(l.fault(), fmt.Errorf("%s: cannot be read from its start", l.path))
	}
	return nil
}

// Skip implements Database.
func (l *LevelDB) Skip(n uint64) error {
	for range n {
		if _, _, err := l.Next(); err != nil {
			return err
		}
	}
	return nil
}

// Count implements Database.
func (l *LevelDB) Count() (int, error) {
	if l.count > 0 {
		return l.count, nil
	}
	iter := l.db.NewIterator(nil, &opt.ReadOptions{DontFillCache: true, Strict: opt.StrictAll})
	defer iter.Release()
	n := 0
	for iter.Next() {
		n++
	}
	if err := iter.Error(); err != nil {
		return 0, fmt.Errorf("%s: is a damaged LevelDB: %w", l.path, err)
	}
	l.count = n
	return n, nil
}

// Close implements Database.
func (l *LevelDB) Close() error {
	l.iter.Release()
	return l.db.Close()
}

// readOnlyFolder is a LevelDB's folder as goleveldb's storage. Its own makes a lock file even to read.
type readOnlyFolder string

type unlock struct{}

func (unlock) Unlock() {}

func (f readOnlyFolder) Lock() (storage.Locker, error) { return unlock{}, nil }
func (f readOnlyFolder) Log(string)                    {}
func (f readOnlyFolder) Close() error                  { return nil }

// GetMeta reads CURRENT, which names the manifest.
func (f readOnlyFolder) GetMeta() (storage.FileDesc, error) {
	data, err := files.Read(filepath.Join(string(f), "CURRENT"), 1<<20)
	if err != nil {
		return storage.FileDesc{}, err
	}
	fd, ok := parseLevelDBName(strings.TrimSpace(string(data)))
	if !ok || fd.Type != storage.TypeManifest {
		return storage.FileDesc{}, &leveldbNameError{string(data)}
	}
	return fd, nil
}

type leveldbNameError struct{ name string }

func (e *leveldbNameError) Error() string {
	return fmt.Sprintf("CURRENT names %.40q, which is not a manifest", e.name)
}

func (f readOnlyFolder) List(types storage.FileType) ([]storage.FileDesc, error) {
	entries, err := os.ReadDir(string(f))
	if err != nil {
		return nil, err
	}
	var out []storage.FileDesc
	for _, e := range entries {
		if fd, ok := parseLevelDBName(e.Name()); ok && fd.Type&types != 0 {
			out = append(out, fd)
		}
	}
	return out, nil
}

func (f readOnlyFolder) Open(fd storage.FileDesc) (storage.Reader, error) {
	name := fd.String()
	file, err := files.Open(filepath.Join(string(f), name))
	if errors.Is(err, fs.ErrNotExist) && fd.Type == storage.TypeTable {
		file, err = files.Open(filepath.Join(string(f), fmt.Sprintf("%06d.sst", fd.Num))) // the name until 2013
	}
	return file, err
}

// parseLevelDBName reads the name of a database's file.
func parseLevelDBName(name string) (fd storage.FileDesc, ok bool) {
	var suffix string
	if n, _ := fmt.Sscanf(name, "MANIFEST-%d%s", &fd.Num, &suffix); n == 1 {
		fd.Type = storage.TypeManifest
		return fd, true
	}
	if n, _ := fmt.Sscanf(name, "%d.%s", &fd.Num, &suffix); n != 2 {
		return fd, false
	}
	switch suffix {
	case "log":
		fd.Type = storage.TypeJournal
	case "ldb", "sst":
		fd.Type = storage.TypeTable
	case "tmp":
		fd.Type = storage.TypeTemp
	default:
		return fd, false
	}
	return fd, true
}

// errReadOnly answers what would write.
var errReadOnly = errors.New("the database is open for reading only")

func (f readOnlyFolder) SetMeta(storage.FileDesc) error { return errReadOnly }

func (f readOnlyFolder) Create(storage.FileDesc) (storage.Writer, error) { return nil, errReadOnly }

func (f readOnlyFolder) Remove(storage.FileDesc) error { return errReadOnly }

func (f readOnlyFolder) Rename(storage.FileDesc, storage.FileDesc) error { return errReadOnly }
