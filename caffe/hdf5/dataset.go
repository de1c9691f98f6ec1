package hdf5

import (
	"bytes"
	"fmt"
	"math"

	"dns-tui/memory"
)

// Class is a class of datatypes.
type Class uint8

// The classes that are read.
const (
	Integer Class = 0
	Float   Class = 1
	String  Class = 3
)

var classNames = [...]string{
	"integers",
	"floats",
	"times",
	"strings",
	"bit fields",
	"opaque data",
	"compounds",
	"references",
	"an enumeration",
	"sequences of varying length",
	"arrays",
}

// The filters that are read.
const (
	filterDeflate   = 1
	filterShuffle   = 2
	filterFletcher  = 3
	deflateMaxRatio = 1032 // the most that deflate can shrink: a limit on what a damaged file can ask for
)

// The layouts of data.
const (
	layoutCompact    = 0
	layoutContiguous = 1
	layoutChunked    = 2
)

// Dataset is an array of a file.
type Dataset struct {
	f         *File
	path      string
	Shape     []int
	Class     Class
	size      int // bytes of an element
	signed    bool
	bigEndian bool
	layout    uint8
	compact   []byte
	addr, n   uint64 // of contiguous data; of the chunks' B-tree
	chunk     []int
	filters   []uint16
}

// Dataset opens a dataset of the group.
func (g *Group) Dataset(name string) (*Dataset, error) {
	path, addr, err := g.find("dataset", name)
	if err != nil {
		return nil, err
	}
	msgs, err := g.f.header(addr)
	if err != nil {
		return nil, err
	}
	ds := &Dataset{f: g.f, path: path, addr: undefined}
	var found uint32
	for _, m := range msgs {
		d := &decoder{f: g.f, b: m.data, what: path}
		var err error
		switch m.typ {
		case msgDataspace, msgDatatype, msgLayout, msgFilters:
			found |= 1 << m.typ
			if m.shared {
				return nil, g.f.errorf("%s takes its datatype from elsewhere in the file, which is not read", path)
			}
		}
		switch m.typ {
		case msgDataspace:
			err = ds.dataspace(d)
		case msgDatatype:
			err = ds.datatype(d)
		case msgLayout:
			err = ds.readLayout(d)
		case msgFilters:
			err = ds.readFilters(d)
		}
		if err == nil {
			err = d.err
		}
		if err != nil {
			return nil, err
		}
	}
	if found&(1<<msgDataspace|1<<msgDatatype|1<<msgLayout) != 1<<msgDataspace|1<<msgDatatype|1<<msgLayout {
		return nil, g.f.errorf("%s is not a dataset", path)
	}
	return ds, ds.check()
}

func (ds *Dataset) dataspace(d *decoder) error {
	version, rank, flags := d.u8(), int(d.u8()), d.u8()
	switch version {
	case 1:
		d.skip(5)
	case 2:
		if d.u8() == 2 {
			return ds.f.errorf("%s has no elements (a null dataspace)", ds.path)
		}
	default:
		return ds.f.errorf("%s has a dataspace of version %d; wanted 1 or 2", ds.path, version)
	}
	_ = flags // largest extents follow, which do not matter here
	ds.Shape = make([]int, 0, min(rank, 32))
	for range rank {
		v := d.length()
		if v > 1<<40 {
			return ds.f.errorf("is damaged: an extent of %s is %d", ds.path, v)
		}
		ds.Shape = append(ds.Shape, int(v))
	}
	return d.err
}

// floatLayouts are IEEE 754's, by size: where the exponent begins and its bits, the mantissa and its bits.
var floatLayouts = map[int][4]byte{2: {10, 5, 0, 10}, 4: {23, 8, 0, 23}, 8: {52, 11, 0, 52}}

func (ds *Dataset) datatype(d *decoder) error {
	class := d.u8()
	bits := [3]byte(d.take(3)[:3])
	ds.Class, ds.size = Class(class&15), int(d.u32())
	ds.bigEndian, ds.signed = bits[0]&1 != 0, bits[0]&8 != 0
	ok := false
	switch ds.Class {
	case Integer:
		ok = ds.size == 1 || ds.size == 2 || ds.size == 4 || ds.size == 8
	case Float:
		d.skip(4) // offset and precision
		layout := [4]byte(d.take(4)[:4])
		ok = layout == floatLayouts[ds.size] && layout != [4]byte{} && bits[0]&0x40 == 0
	case String:
		ok = ds.size > 0 && ds.size < 1<<30
	}
	if ok || d.err != nil {
		return d.err
	}
	name := fmt.Sprintf("type class %d", class&15)
	if int(class&15) < len(classNames) {
		name = classNames[class&15]
	}
	return ds.f.errorf(
		"%s holds %s of %d bytes; wanted integers of 1 to 8, IEEE floats of 2, 4 or 8, or strings of fixed length",
		ds.path,
		name,
		ds.size,
	)
}

func (ds *Dataset) readLayout(d *decoder) error {
	switch version := d.u8(); version {
	case 1, 2:
		rank := int(d.u8())
		ds.layout = d.u8()
		d.skip(5)
		if ds.layout != layoutCompact {
			ds.addr = d.addr()
		}
		dims := make([]int, 0, 32)
		for range rank {
			dims = append(dims, int(d.u32()))
		}
		switch ds.layout {
		case layoutCompact:
			ds.compact = d.take(int(min(d.u32(), 1<<30)))
		case layoutContiguous:
		case layoutChunked:
			ds.chunk = dims[:max(0, rank-1)]
		default:
			return ds.f.errorf("is damaged: %s is stored in layout %d of version %d", ds.path, ds.layout, version)
		}
		ds.n = undefined // as much as the shape wants
	case 3, 4:
		ds.layout = d.u8()
		switch {
		case ds.layout == layoutCompact:
			ds.compact = d.take(int(d.u16()))
		case ds.layout == layoutContiguous:
			ds.addr, ds.n = d.addr(), d.length()
		case ds.layout == layoutChunked && version == 3:
			rank := int(d.u8())
			ds.addr = d.addr()
			for range rank - 1 {
				ds.chunk = append(ds.chunk, int(d.u32()))
			}
		default:
			return ds.f.errorf(
				"%s is stored in layout %d of version %d (written for HDF5 1.10 or later only), which is not read; "+
					"h5repack IN OUT converts the file",
				ds.path,
				ds.layout,
				version,
			)
		}
	default:
		return ds.f.errorf(
			"%s has a layout of version %d, which is not read; wanted 1 to 4: h5repack IN OUT converts the file",
			ds.path,
			version,
		)
	}
	return d.err
}

func (ds *Dataset) readFilters(d *decoder) error {
	version, n := d.u8(), int(d.u8())
	if version == 1 {
		d.skip(6)
	} else if version != 2 {
		return ds.f.errorf("%s has filters of version %d; wanted 1 or 2", ds.path, version)
	}
	for range n {
		id, name := d.u16(), 0
		if version == 1 || id >= 256 {
			name = int(d.u16())
		}
		d.skip(2)
		values := int(d.u16())
		text, _, _ := bytes.Cut(d.take(name), []byte{0})
		d.skip(4 * values)
		if version == 1 && values%2 == 1 {
			d.skip(4)
		}
		if id != filterDeflate && id != filterShuffle && id != filterFletcher && d.err == nil {
			return ds.f.errorf(
				"%s is stored with filter %d (%s), which is not read; wanted gzip, shuffle or fletcher32",
				ds.path,
				id,
				text,
			)
		}
		ds.filters = append(ds.filters, id)
	}
	return d.err
}

// check holds shape, type and layout against each other.
func (ds *Dataset) check() error {
	n := uint64(ds.size)
	for _, d := range ds.Shape {
		if d > 0 && n > (1<<46)/uint64(d) {
			return ds.f.errorf("is damaged: %s has the shape %d", ds.path, ds.Shape)
		}
		n *= uint64(d)
	}
	if ds.layout == layoutChunked {
		if len(ds.chunk) != len(ds.Shape) || len(ds.chunk) == 0 {
			return ds.f.errorf("is damaged: chunks of %d axes in %s of %d", len(ds.chunk), ds.path, len(ds.Shape))
		}
		c := uint64(ds.size)
		for _, d := range ds.chunk {
			if d < 1 || c > (1<<32)/uint64(d) {
				return ds.f.errorf("is damaged: %s has chunks of the shape %d", ds.path, ds.chunk)
			}
			c *= uint64(d)
		}
	}
	return nil
}

// Len returns the number of elements.
func (ds *Dataset) Len() int {
	n := 1
	for _, d := range ds.Shape {
		n *= d
	}
	return n
}

// raw reads the elements as they are stored.
func (ds *Dataset) raw() ([]byte, error) {
	want := uint64(ds.Len() * ds.size)
	// As it is stored, and as numbers.
	if err := memory.Check(ds.path, int64(want)+4*int64(ds.Len())); err != nil {
		return nil, &Error{Path: ds.f.path, Msg: err.Error(), Err: err}
	}
	switch {
	case want == 0:
		return nil, nil
	case ds.layout == layoutCompact:
		if uint64(len(ds.compact)) < want {
			return nil, ds.f.errorf("is damaged: %s holds %d bytes; wanted %d", ds.path, len(ds.compact), want)
		}
		return ds.compact[:want], nil
	case ds.addr == undefined:
		return nil, ds.f.errorf("%s was never written: the file has no data for it", ds.path)
	case ds.layout == layoutContiguous:
		if ds.n < want {
			return nil, ds.f.errorf("is damaged: %s holds %d bytes; wanted %d", ds.path, ds.n, want)
		}
		return ds.f.bytes(ds.path, ds.addr, want)
	}
	return ds.chunks(want)
}

// Floats reads integers or floats as float32.
func (ds *Dataset) Floats() ([]float32, error) {
	if ds.Class == String {
		return nil, ds.f.errorf("%s holds strings; wanted numbers", ds.path)
	}
	b, err := ds.raw()
	if err != nil {
		return nil, err
	}
	out := make([]float32, len(b)/ds.size)
	for i := range out {
		v := ds.bits(b[i*ds.size:][:ds.size])
		switch {
		case ds.Class == Float && ds.size == 4:
			out[i] = math.Float32frombits(uint32(v))
		case ds.Class == Float && ds.size == 2:
			out[i] = fromHalf(uint16(v))
		case ds.Class == Float:
			out[i] = float32(math.Float64frombits(v))
		case ds.signed:
			shift := 64 - 8*ds.size
			out[i] = float32(int64(v<<shift) >> shift)
		default:
			out[i] = float32(v)
		}
	}
	return out, nil
}

// fromHalf widens an IEEE 754 binary16.
func fromHalf(h uint16) float32 {
	sign, exp, mantissa := uint32(h>>15)<<31, uint32(h>>10&31), uint32(h&0x3ff)
	switch exp {
	case 0:
		v := float32(mantissa) / (1 << 24)
		return math.Float32frombits(sign | math.Float32bits(v))
	case 31:
		return math.Float32frombits(sign | 0xff<<23 | mantissa<<13)
	}
	return math.Float32frombits(sign | (exp+127-15)<<23 | mantissa<<13)
}

func (ds *Dataset) bits(b []byte) (v uint64) {
	for i := range b {
		k := i
		if !ds.bigEndian {
			k = len(b) - 1 - i
		}
		v = v<<8 | uint64(b[k])
	}
	return v
}

// Int reads one integer.
func (ds *Dataset) Int() (int, error) {
	if ds.Class != Integer || ds.Len() != 1 {
		return 0, ds.f.errorf("%s has the shape %d; wanted one integer", ds.path, ds.Shape)
	}
	b, err := ds.raw()
	if err != nil {
		return 0, err
	}
	shift := 64 - 8*ds.size
	return int(int64(ds.bits(b)<<shift) >> shift), nil
}

// Bytes reads integers of one byte as they are.
func (ds *Dataset) Bytes() ([]byte, error) {
	if ds.Class != Integer || ds.size != 1 {
		return nil, ds.f.errorf("%s holds no bytes", ds.path)
	}
	return ds.raw()
}

// Text reads a string.
func (ds *Dataset) Text() (string, error) {
	if ds.Class != String || ds.Len() != 1 {
		return "", ds.f.errorf("%s has the shape %d; wanted one string", ds.path, ds.Shape)
	}
	b, err := ds.raw()
	s, _, _ := bytes.Cut(b, []byte{0})
	return string(s), err
}
