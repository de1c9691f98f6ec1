// Package hdf5 reads and writes the HDF5 files that Caffe does: caffemodels and solverstates in snapshot_format HDF5,
// and the files of HDF5Data and HDF5Output. It is written from the HDF5 File Format Specification (version 3.0) in Go
// alone, so that the program needs no libhdf5; every length and address of a file is checked before it is used.
//
// Read: superblocks 0 to 3, groups with symbol tables or compact links, datasets of integers, floats and fixed
// strings in compact, contiguous or chunked layout (B-tree version 1), the filters deflate, shuffle and fletcher32.
// Written: what libhdf5 1.8 writes by default.
package hdf5

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"dns-tui/files"
)

// An Error says what is wrong with a file.
type Error struct {
	Path string
	Msg  string
	Err  error // the cause, or nil
}

func (e *Error) Error() string { return e.Path + ": " + e.Msg }

func (e *Error) Unwrap() error { return e.Err }

// signature starts every HDF5 file.
const signature = "\x89HDF\r\n\x1a\n"

// undefined is the address of what a file does not hold.
const undefined = ^uint64(0)

// File is an HDF5 file open for reading.
type File struct {
	path string
	r    io.ReaderAt
	size uint64
	c    io.Closer
	base uint64 // addresses count from here
	offs int    // bytes of an address
	lens int    // bytes of a length
	root uint64 // object header of the root group
}

// Is reports whether the file in path starts as an HDF5 file does.
func Is(path string) bool { return files.BeginsWith(path, signature) }

// Open opens the file in path.
func Open(path string) (*File, error) {
	osf, err := files.Open(path)
	if err != nil {
		msg := err.Error()
		if errors.Is(err, fs.ErrNotExist) {
			msg = "no such file (wanted an HDF5 file)"
		}
		return nil, &Error{Path: path, Msg: msg, Err: err}
	}
	st, err := osf.Stat()
	if err == nil && st.IsDir() {
		err = errors.New("is a directory (wanted an HDF5 file)")
	}
	if err != nil {
		osf.Close()
		return nil, &Error{Path: path, Msg: err.Error(), Err: err}
	}
	f, err := NewFile(path, osf, st.Size())
	if err != nil {
		osf.Close()
		return nil, err
	}
	f.c = osf
	return f, nil
}

// NewFile reads a file of the given size from r; path names it in errors.
func NewFile(path string, r io.ReaderAt, size int64) (*File, error) {
	f := &File{path: path, r: r, size: uint64(size), offs: 8, lens: 8}
	if err := f.superblock(); err != nil {
		return nil, err
	}
	return f, nil
}

// Close closes the file.
func (f *File) Close() error {
	if f.c == nil {
		return nil
	}
	return f.c.Close()
}

func (f *File) errorf(format string, args ...any) error {
	return &Error{Path: f.path, Msg: fmt.Sprintf(format, args...)}
}

// bytes reads n bytes at an address. what names them in the error of a file that is cut short.
func (f *File) bytes(what string, addr, n uint64) ([]byte, error) {
	at := f.base + addr
	if addr == undefined || at < addr || at > f.size || n > f.size-at {
		return nil, f.errorf(
			"is damaged or cut short: %s is said to be at byte %d, %d bytes, of %d",
			what,
			at,
			n,
			f.size,
		)
	}
	b := make([]byte, n)
	if _, err := f.r.ReadAt(b, int64(at)); err != nil && !(errors.Is(err, io.EOF) && n == 0) {
		return nil, &Error{Path: f.path, Msg: err.Error(), Err: err}
	}
	return b, nil
}

func (f *File) superblock() error {
	if f.size < 96 {
		b, err := f.bytes("superblock", 0, min(f.size, uint64(len(signature))))
		if err != nil || string(b) != signature {
			return f.errorf("is not an HDF5 file: it does not start with the signature")
		}
	}
	b, err := f.bytes("the superblock", 0, min(f.size, 128))
	if err != nil {
		return err
	}
	if len(b) < len(signature) || string(b[:len(signature)]) != signature {
		return f.errorf("is not an HDF5 file: it does not start with the signature")
	}
	d := &decoder{f: f, b: b, at: len(signature), what: "the superblock"}
	var end uint64 // of the file
	switch v := d.u8(); v {
	case 0, 1:
		d.skip(4) // versions of free space, root group; reserved; version of shared headers
		f.offs, f.lens = int(d.u8()), int(d.u8())
		d.skip(1 + 2 + 2 + 4) // reserved, K of leaves, K of nodes, flags
		if v == 1 {
			d.skip(4)
		}
		if err := f.checkSizes(); err != nil {
			return err
		}
		f.base = d.addr()
		d.addr() // free space
		end = d.addr()
		d.addr() // driver
		d.addr() // name of the root
		f.root = d.addr()
	case 2, 3:
		f.offs, f.lens = int(d.u8()), int(d.u8())
		d.skip(1)
		if err := f.checkSizes(); err != nil {
			return err
		}
		f.base = d.addr()
		d.addr() // extension
		end = d.addr()
		f.root = d.addr()
	default:
		return f.errorf("has a superblock of version %d; wanted 0 to 3", v)
	}
	if d.err == nil && end != undefined && end > f.size { // as libhdf5 does; it counts from the file's start
		return f.errorf("is damaged or cut short: it goes to byte %d, the file has %d", end, f.size)
	}
	return d.err
}

func (f *File) checkSizes() error {
	for _, n := range []int{f.offs, f.lens} {
		if n != 2 && n != 4 && n != 8 {
			return f.errorf("is damaged: addresses of %d bytes and lengths of %d; wanted 2, 4 or 8", f.offs, f.lens)
		}
	}
	return nil
}

// decoder reads the fields of one structure; its first error stays.
type decoder struct {
	f    *File
	b    []byte
	at   int
	what string
	err  error
}

func (d *decoder) take(n int) []byte {
	if d.err == nil && (n < 0 || n > len(d.b)-d.at) {
		d.err = d.f.errorf("is damaged: %s ends after %d bytes, in the middle of a field", d.what, len(d.b))
	}
	if d.err != nil {
		return make([]byte, 8)
	}
	d.at += n
	return d.b[d.at-n : d.at]
}

func (d *decoder) skip(n int) { d.take(n) }

func (d *decoder) u8() uint8   { return d.take(1)[0] }
func (d *decoder) u16() uint16 { return binary.LittleEndian.Uint16(d.take(2)) }
func (d *decoder) u32() uint32 { return binary.LittleEndian.Uint32(d.take(4)) }
func (d *decoder) u64() uint64 { return binary.LittleEndian.Uint64(d.take(8)) }

// uint reads an integer of 1, 2, 4 or 8 bytes.
func (d *decoder) uint(n int) uint64 {
	var v uint64
	for i, b := range d.take(n)[:min(n, 8)] {
		v |= uint64(b) << (8 * i)
	}
	return v
}

func (d *decoder) length() uint64 { return d.uint(d.f.lens) }

// addr reads an address; all ones, in any width, are undefined.
func (d *decoder) addr() uint64 {
	v := d.uint(d.f.offs)
	if d.f.offs < 8 && v == 1<<(8*d.f.offs)-1 {
		return undefined
	}
	return v
}

// expect reads a signature.
func (d *decoder) expect(sign string) {
	if s := d.take(len(sign)); d.err == nil && string(s) != sign {
		d.err = d.f.errorf("is damaged: %s starts with %q; wanted %q", d.what, s, sign)
	}
}

// left is how many bytes follow.
func (d *decoder) left() int { return len(d.b) - d.at }
