package dataset

import (
	"encoding/binary"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"dns-tui/files"
)

// An LMDB is an open database of Datum records, read in key order.
//
// It reads the file's pages itself: the library maps the file and follows what it finds there, and a damaged page makes
// it abort the process. Here every page number, offset and length is checked before it is followed. The format is that
// of LMDB 0.9 (mdb.c, "Page format"); databases are written by the library.
type LMDB struct {
	path     string
	data     []byte // the mapped file
	pageSize int
	pages    uint64 // in use
	root     uint64
	depth    int
	n        int
	stack    []level // from the root to a leaf
}

// level is a page on the way to the record in hand, and the place in it.
type level struct {
	page []byte
	at   int
}

// The format's constants.
const (
	lmdbMagic    = 0xBEEFC0DE
	lmdbVersion  = 1
	lmdbPageHead = 16 // bytes of a page header
	lmdbNodeHead = 8  // bytes of a node header

	flagBranch   = 0x01 // of a page
	flagLeaf     = 0x02
	flagOverflow = 0x04
	flagBigData  = 0x01 // of a node: its data is on pages of its own

	noPage = ^uint64(0)
)

var le = binary.LittleEndian

// OpenLMDB opens a database folder for reading. No lock file is made and nothing is written, so a folder without
// write permission is fine.
func OpenLMDB(path string) (*LMDB, error) {
	if err := checkFolder(path, "LMDB", "an LMDB, which is a folder with a data.mdb"); err != nil {
		return nil, err
	}
	f, err := files.Open(filepath.Join(path, "data.mdb"))
	if err != nil {
		return nil, fmt.Errorf("%s: not an LMDB: %w", path, err)
	}
	defer f.Close()
	st, err := f.Stat()
	if err != nil {
		return nil, err
	}
	db := &LMDB{path: path}
	const headPages = 2 * 512 // of the smallest page size
	if st.Size() < headPages {
		return nil, fmt.Errorf("%s: not an LMDB: data.mdb has %d bytes, fewer than its two head pages", path, st.Size())
	}
	if db.data, err = unix.Mmap(int(f.Fd()), 0, int(st.Size()), unix.PROT_READ, unix.MAP_SHARED); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if err := db.readHead(); err != nil {
		db.Close()
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return db, nil
}

// readHead finds the newer of the two meta pages and checks what it says of the file.
func (db *LMDB) readHead() error {
	magic := le.Uint32(db.data[lmdbPageHead:])
	if magic != lmdbMagic {
		return fmt.Errorf(
			"not an LMDB: data.mdb does not start as one (magic %#x, wanted %#x)",
			magic,
			uint32(lmdbMagic),
		)
	}
	// MDB_meta: magic, version, address, map size, two MDB_db of 48 bytes (free pages, records), last page,
	// transaction. The page size is in the first MDB_db.
	db.pageSize = int(le.Uint32(db.data[lmdbPageHead+24:]))
	if db.pageSize < 512 || db.pageSize > 1<<16 || db.pageSize&(db.pageSize-1) != 0 || len(db.data) < 2*db.pageSize {
		return fmt.Errorf("is a damaged LMDB: its pages have %d bytes", db.pageSize)
	}
	var meta []byte
	for i := range 2 {
		m := db.data[i*db.pageSize+lmdbPageHead:]
		if le.Uint32(m) == lmdbMagic && le.Uint32(m[4:]) == lmdbVersion &&
			(meta == nil || le.Uint64(m[128:]) > le.Uint64(meta[128:])) {
			meta = m
		}
	}
	if meta == nil {
		return fmt.Errorf("is an LMDB of version %d; wanted %d", le.Uint32(db.data[lmdbPageHead+4:]), lmdbVersion)
	}
	main := meta[72:]
	db.depth, db.root = int(le.Uint16(main[6:])), le.Uint64(main[40:])
	entries := le.Uint64(main[32:])
	db.pages = le.Uint64(meta[120:]) + 1
	if want := db.pages * uint64(db.pageSize); uint64(len(db.data)) < want || db.pages > 1<<48 {
		return fmt.Errorf("the LMDB is cut short: data.mdb has %d bytes, wanted %d", len(db.data), want)
	}
	if entries == 0 || db.root == noPage {
		return errors.New("the LMDB holds no records")
	}
	if entries > uint64(len(db.data)) || db.depth < 1 || db.depth > 64 {
		return fmt.Errorf("is a damaged LMDB: %d records in %d levels", entries, db.depth)
	}
	db.n = int(entries)
	return nil
}

// Count implements Database.
func (db *LMDB) Count() (int, error) { return db.n, nil }

// Path implements Database.
func (db *LMDB) Path() string { return db.path }

// Kind implements Database.
func (db *LMDB) Kind() string { return "LMDB" }

// Next implements Database. Key and value are valid until Close.
func (db *LMDB) Next() (key, value []byte, err error) {
	if err := db.advance(); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", db.path, err)
	}
	leaf := &db.stack[len(db.stack)-1]
	if key, value, err = db.record(leaf.page, leaf.at); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", db.path, err)
	}
	return key, value, nil
}

// advance moves the stack to the next record.
func (db *LMDB) advance() error {
	for len(db.stack) > 0 {
		top := &db.stack[len(db.stack)-1]
		if top.at++; top.at < nodes(top.page) {
			return db.descend()
		}
		db.stack = db.stack[:len(db.stack)-1]
	}
	p, err := db.page(db.root)
	if err != nil {
		return err
	}
	db.stack = append(db.stack, level{page: p})
	return db.descend()
}

// descend goes down to the leftmost leaf under the top of the stack.
func (db *LMDB) descend() error {
	for {
		top := &db.stack[len(db.stack)-1]
		if le.Uint16(top.page[10:])&flagLeaf != 0 {
			return nil
		}
		if len(db.stack) >= db.depth {
			return fmt.Errorf("is a damaged LMDB: a branch page at level %d of %d", len(db.stack), db.depth)
		}
		node, err := node(top.page, top.at)
		if err != nil {
			return err
		}
		child := uint64(le.Uint16(node)) | uint64(le.Uint16(node[2:]))<<16 | uint64(le.Uint16(node[4:]))<<32
		p, err := db.page(child)
		if err != nil {
			return err
		}
		db.stack = append(db.stack, level{page: p})
	}
}

// page returns a branch or leaf page that has nodes.
func (db *LMDB) page(n uint64) ([]byte, error) {
	if n < 2 || n >= db.pages {
		return nil, fmt.Errorf("is a damaged LMDB: it points to page %d of %d", n, db.pages)
	}
	p := db.data[n*uint64(db.pageSize):][:db.pageSize]
	flags, lower := le.Uint16(p[10:]), int(le.Uint16(p[12:]))
	if le.Uint64(p) != n || flags&(flagBranch|flagLeaf) == 0 || flags&flagOverflow != 0 || lower < lmdbPageHead+2 ||
		lower > db.pageSize {
		return nil, fmt.Errorf("is a damaged LMDB: page %d is neither a branch nor a leaf", n)
	}
	return p, nil
}

// nodes counts the nodes of a page.
func nodes(p []byte) int { return (int(le.Uint16(p[12:])) - lmdbPageHead) / 2 }

// node returns node i of a page, to the page's end.
func node(p []byte, i int) ([]byte, error) {
	at := int(le.Uint16(p[lmdbPageHead+2*i:]))
	if at < lmdbPageHead || at+lmdbNodeHead > len(p) {
		return nil, fmt.Errorf("is a damaged LMDB: a node at byte %d of page %d", at, le.Uint64(p))
	}
	return p[at:], nil
}

// record returns key and value of a leaf's node.
func (db *LMDB) record(p []byte, i int) (key, value []byte, err error) {
	n, err := node(p, i)
	if err != nil {
		return nil, nil, err
	}
	size := uint64(le.Uint16(n)) | uint64(le.Uint16(n[2:]))<<16
	flags, keySize := le.Uint16(n[4:]), int(le.Uint16(n[6:]))
	body := n[lmdbNodeHead:]
	if keySize > len(body) {
		return nil, nil, fmt.Errorf("is a damaged LMDB: a key of %d bytes in page %d", keySize, le.Uint64(p))
	}
	key, body = body[:keySize:keySize], body[keySize:]
	if flags&flagBigData == 0 {
		if size > uint64(len(body)) {
			return nil, nil, fmt.Errorf("is a damaged LMDB: record %q has %d bytes", key, size)
		}
		return key, body[:size:size], nil
	}
	if len(body) < 8 {
		return nil, nil, fmt.Errorf("is a damaged LMDB: record %q points nowhere", key)
	}
	first := le.Uint64(body)
	if first < 2 || first >= db.pages {
		return nil, nil, fmt.Errorf("is a damaged LMDB: record %q points to page %d of %d", key, first, db.pages)
	}
	at := first*uint64(db.pageSize) + lmdbPageHead
	if le.Uint16(db.data[at-6:])&flagOverflow == 0 || size > uint64(len(db.data))-at {
		return nil, nil, fmt.Errorf("is a damaged LMDB: record %q has %d bytes on page %d", key, size, first)
	}
	return key, db.data[at:][:size:size], nil
}

// Seek implements Database.
func (db *LMDB) Seek(n uint64) error {
	db.stack = db.stack[:0]
	return db.Skip(n)
}

// Skip implements Database.
func (db *LMDB) Skip(n uint64) error {
	for range n % uint64(db.n) {
		if err := db.advance(); err != nil {
			return fmt.Errorf("%s: %w", db.path, err)
		}
	}
	return nil
}

// Close implements Database.
func (db *LMDB) Close() error {
	if db.data == nil {
		return nil
	}
	err := unix.Munmap(db.data)
	db.data, db.stack = nil, nil
	return err
}
