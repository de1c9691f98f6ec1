package hdf5

import (
	"encoding/binary"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"unsafe"
)

// Node is a group or a dataset that is to be written.
type Node struct {
	children map[string]*Node // of a group
	shape    []int
	typ      []byte // datatype message
	size     uint64 // bytes
	write    func(w io.Writer) error

	header, tree, heap, data uint64 // addresses
	names                    []string
}

// NewGroup returns an empty group.
func NewGroup() *Node { return &Node{children: map[string]*Node{}} }

// Group adds a group, or returns the one of this name.
func (n *Node) Group(name string) *Node {
	if c, ok := n.children[name]; ok {
		return c
	}
	c := NewGroup()
	n.children[name] = c
	return c
}

// Has reports whether the group holds a name.
func (n *Node) Has(name string) bool { return n.children[name] != nil }

// IsGroup reports whether n is a group.
func (n *Node) IsGroup() bool { return n.children != nil }

// Floats adds a dataset of float32. write may be nil where values are given; else it writes their little-endian bytes,
// and values is not read.
func (n *Node) Floats(name string, shape []int, values []float32, write func(io.Writer) error) {
	elements := 1
	for _, d := range shape {
		elements *= d
	}
	if write == nil {
		if len(values) != elements {
			panic(fmt.Sprintf("hdf5: %s has %d values; its shape %d wants %d", name, len(values), shape, elements))
		}
		write = func(w io.Writer) error { return WriteFloats(w, values) }
	}
	// IEEE 754 binary32, little-endian: sign bit 31, exponent of 8 bits at 23 with bias 127, mantissa of 23 bits.
	typ := []byte{1<<4 | byte(Float), 0x20, 31, 0, 4, 0, 0, 0, 0, 0, 32, 0, 23, 8, 0, 23, 127, 0, 0, 0}
	n.children[name] = &Node{shape: shape, typ: typ, size: 4 * uint64(elements), write: write}
}

// WriteFloats writes the little-endian bytes of values.
func WriteFloats(w io.Writer, values []float32) error {
	if len(values) == 0 {
		return nil
	}
	if littleEndian {
		_, err := w.Write(unsafe.Slice((*byte)(unsafe.Pointer(&values[0])), 4*len(values)))
		return err
	}
	return binary.Write(w, binary.LittleEndian, values)
}

var littleEndian = binary.NativeEndian.Uint16([]byte{1, 0}) == 1

// Int adds a dataset of one 32-bit integer, as H5LTmake_dataset_int does.
func (n *Node) Int(name string, v int) {
	typ := []byte{1 << 4, 8, 0, 0, 4, 0, 0, 0, 0, 0, 32, 0}
	n.raw(name, []int{1}, typ, binary.LittleEndian.AppendUint32(nil, uint32(int32(v))))
}

// Bytes adds a dataset of unsigned bytes.
func (n *Node) Bytes(name string, b []byte) {
	n.raw(name, []int{len(b)}, []byte{1 << 4, 0, 0, 0, 1, 0, 0, 0, 0, 0, 8, 0}, b)
}

// Text adds a dataset of one string, as H5LTmake_dataset_string does.
func (n *Node) Text(name, s string) {
	typ := binary.LittleEndian.AppendUint32([]byte{1<<4 | byte(String), 0, 0, 0}, uint32(len(s)+1))
	n.raw(name, nil, typ, append([]byte(s), 0))
}

func (n *Node) raw(name string, shape []int, typ, b []byte) {
	n.children[name] = &Node{shape: shape, typ: typ, size: uint64(len(b)), write: func(w io.Writer) error {
		_, err := w.Write(b)
		return err
	}}
}

// The constants of the groups' structures, as libhdf5 sets them.
const (
	leafK       = 4 // a symbol table node has up to 2·leafK entries
	minNodeK    = 16
	superSize   = 96
	symbolSize  = 40
	headerStart = 16
)

// writer lays a file out: everything but the data of datasets first, in memory; then the data.
type writer struct {
	meta  []byte
	nodeK int
	end   uint64
	data  []*Node
}

// Write writes root as a file that HDF5 1.8 and later, and so Caffe, reads.
func Write(w io.Writer, root *Node) error {
	b := &writer{nodeK: minNodeK}
	root.visit(func(n *Node) {
		if nodes := (len(n.children) + 2*leafK - 1) / (2 * leafK); nodes > 2*b.nodeK {
			b.nodeK = (nodes + 1) / 2
		}
	})
	if b.nodeK > math.MaxUint16 {
		return fmt.Errorf("hdf5: a group of more than %d names", 4*leafK*math.MaxUint16)
	}
	b.end = superSize
	b.place(root)
	metaEnd := b.end
	for _, n := range b.data {
		n.data = undefined
		if n.size > 0 {
			n.data = b.end
			b.end += (n.size + 7) / 8 * 8
		}
	}
	b.meta = make([]byte, 0, metaEnd)
	b.superblock(root)
	b.emit(root)
	if uint64(len(b.meta)) != metaEnd {
		panic("hdf5: the layout and what was written differ")
	}
	if _, err := w.Write(b.meta); err != nil {
		return err
	}
	for _, n := range b.data {
		c := &counter{w: w}
		if err := n.write(c); err != nil {
			return err
		}
		if c.n != n.size {
			return fmt.Errorf("hdf5: %d bytes of data were written; wanted %d", c.n, n.size)
		}
		if _, err := w.Write(make([]byte, (8-n.size%8)%8)); err != nil {
			return err
		}
	}
	return nil
}

type counter struct {
	w io.Writer
	n uint64
}

func (c *counter) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	c.n += uint64(n)
	return n, err
}

func (n *Node) visit(f func(*Node)) {
	f(n)
	for _, c := range n.children {
		c.visit(f)
	}
}

func (b *writer) take(n int) uint64 {
	at := b.end
	b.end += uint64(n)
	return at
}

// place gives addresses, in the order in which emit writes.
func (b *writer) place(n *Node) {
	if n.children == nil {
		n.header = b.take(len(n.datasetHeader()))
		b.data = append(b.data, n)
		return
	}
	n.names = slices.Sorted(maps.Keys(n.children))
	n.header = b.take(headerStart + 8 + 16)
	n.tree = b.take(b.treeSize())
	n.heap = b.take(32 + n.heapSize())
	b.take(n.leaves() * (8 + 2*leafK*symbolSize))
	for _, name := range n.names {
		b.place(n.children[name])
	}
}

func (b *writer) treeSize() int { return 24 + 16*b.nodeK + 8*(2*b.nodeK+1) }

func (n *Node) leaves() int { return (len(n.names) + 2*leafK - 1) / (2 * leafK) }

func nameSize(s string) int { return (len(s) + 8) / 8 * 8 }

// heapSize is that of the names: an empty one first, each with its zero and padded to 8.
func (n *Node) heapSize() int {
	size := 8
	for _, s := range n.names {
		size += nameSize(s)
	}
	return size
}

func (b *writer) u8(v ...byte)   { b.meta = append(b.meta, v...) }
func (b *writer) u16(v int)      { b.meta = binary.LittleEndian.AppendUint16(b.meta, uint16(v)) }
func (b *writer) u32(v int)      { b.meta = binary.LittleEndian.AppendUint32(b.meta, uint32(v)) }
func (b *writer) u64(v uint64)   { b.meta = binary.LittleEndian.AppendUint64(b.meta, v) }
func (b *writer) text(s string)  { b.meta = append(b.meta, s...) }
func (b *writer) pad(end uint64) { b.meta = append(b.meta, make([]byte, end-uint64(len(b.meta)))...) }

// superblock writes version 0.
func (b *writer) superblock(root *Node) {
	b.text(signature)
	b.u8(0, 0, 0, 0, 0, 8, 8, 0)
	b.u16(leafK)
	b.u16(b.nodeK)
	b.u32(0)
	b.u64(0)         // base
	b.u64(undefined) // free space
	b.u64(b.end)     // of the file
	b.u64(undefined) // driver
	b.symbol(0, root)
}

// symbol writes an entry of a symbol table: for a group, with the places of its tree and heap.
func (b *writer) symbol(name uint64, n *Node) {
	b.u64(name)
	b.u64(n.header)
	if n.children != nil {
		b.u32(1)
		b.u32(0)
		b.u64(n.tree)
		b.u64(n.heap)
		return
	}
	b.u32(0)
	b.u32(0)
	b.u64(0)
	b.u64(0)
}

func (b *writer) emit(n *Node) {
	if n.children == nil {
		b.meta = append(b.meta, n.datasetHeader()...)
		return
	}
	b.meta = append(
		b.meta,
		objectHeader(
			msg{
				msgSymbolTable,
				0,
				binary.LittleEndian.AppendUint64(binary.LittleEndian.AppendUint64(nil, n.tree), n.heap),
			},
		)...)
	offsets := make([]uint64, len(n.names))
	at := uint64(8)
	for i, s := range n.names {
		offsets[i] = at
		at += uint64(nameSize(s))
	}
	b.emitTree(n, offsets)
	b.text("HEAP")
	b.u32(0)
	b.u64(at)
	b.u64(1) // no free space
	b.u64(n.heap + 32)
	b.u64(0)
	for _, s := range n.names {
		b.text(s)
		b.pad(uint64(len(b.meta) + nameSize(s) - len(s)))
	}
	for i := 0; i < len(n.names); i += 2 * leafK {
		end := uint64(len(b.meta) + 8 + 2*leafK*symbolSize)
		last := min(i+2*leafK, len(n.names))
		b.text("SNOD")
		b.u8(1, 0)
		b.u16(last - i)
		for k := i; k < last; k++ {
			b.symbol(offsets[k], n.children[n.names[k]])
		}
		b.pad(end)
	}
	for _, name := range n.names {
		b.emit(n.children[name])
	}
}

// emitTree writes a B-tree of one node: the key before a leaf is the last name of the leaf before it.
func (b *writer) emitTree(n *Node, offsets []uint64) {
	end := uint64(len(b.meta) + b.treeSize())
	b.text("TREE")
	b.u8(0, 0)
	b.u16(n.leaves())
	b.u64(undefined)
	b.u64(undefined)
	leaf := n.heap + 32 + uint64(n.heapSize())
	b.u64(0)
	for i := range n.leaves() {
		b.u64(leaf + uint64(i*(8+2*leafK*symbolSize)))
		b.u64(offsets[min((i+1)*2*leafK, len(offsets))-1])
	}
	b.pad(end)
}

type msg struct {
	typ   int
	flags byte
	data  []byte
}

// objectHeader is a header of version 1.
func objectHeader(msgs ...msg) []byte {
	var body []byte
	for _, m := range msgs {
		n := (len(m.data) + 7) / 8 * 8
		body = binary.LittleEndian.AppendUint16(body, uint16(m.typ))
		body = binary.LittleEndian.AppendUint16(body, uint16(n))
		body = append(body, m.flags, 0, 0, 0)
		body = append(body, m.data...)
		body = append(body, make([]byte, n-len(m.data))...)
	}
	h := []byte{1, 0, byte(len(msgs)), 0, 1, 0, 0, 0}
	h = binary.LittleEndian.AppendUint32(h, uint32(len(body)))
	return append(append(h, 0, 0, 0, 0), body...)
}

func (n *Node) datasetHeader() []byte {
	space := []byte{1, byte(len(n.shape)), 0, 0, 0, 0, 0, 0}
	for _, d := range n.shape {
		space = binary.LittleEndian.AppendUint64(space, uint64(d))
	}
	layout := binary.LittleEndian.AppendUint64([]byte{3, layoutContiguous}, n.data)
	layout = binary.LittleEndian.AppendUint64(layout, n.size)
	const constant = 1
	return objectHeader(
		msg{msgDataspace, 0, space},
		msg{msgDatatype, constant, n.typ},
		msg{0x05, constant, []byte{2, 2, 2, 1, 0, 0, 0, 0}}, // fill value: the default, written where it is set
		msg{msgLayout, 0, layout},
	)
}
