package compact

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"math/bits"
	"slices"

	"dns-tui/memory"
)

// Read reads a compact file. What its directory says is held against the memory that there is before it is allocated.
func Read(from io.Reader) (*File, *Info, error) {
	r := newBitReader(from)
	info, err := readInfo(r)
	if err != nil {
		return nil, nil, err
	}
	if err := info.checkMemory(); err != nil {
		return nil, nil, err
	}
	f := &File{Net: info.Net, Labels: info.Labels}
	d := &blobDecoder{r: r}
	for i := range info.Layers {
		l, err := d.layer(info, i)
		if err != nil {
			return nil, nil, err
		}
		f.Layers = append(f.Layers, *l)
	}
	if n, err := io.CopyN(io.Discard, from, 1); n > 0 || !errors.Is(err, io.EOF) {
		return nil, nil, errors.Join(errorf("goes on behind its end, at byte %d", info.Bytes), skipEOF(err))
	}
	return f, info, nil
}

func skipEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// ReadInfo reads what a compact file says ahead of its values.
func ReadInfo(from io.Reader) (*Info, error) { return readInfo(newBitReader(from)) }

// checkMemory holds the values against the memory.
func (i *Info) checkMemory() error {
	var sum int64
	for _, l := range i.Layers {
		for _, f := range l.Forms {
			sum += memory.Product(4, int64(f.Entries))
			if f.Positions == Bitmap {
				sum += int64(f.Entries) / 8
			}
			if err := memory.Check(fmt.Sprintf("layer %q", l.Name), sum); err != nil {
				return err
			}
		}
	}
	return nil
}

// part reads n bytes of the file, which what names in errors.
func part(r *bitReader, what string, n int64) ([]byte, error) {
	at := r.done
	var b bytes.Buffer // grows with what is there: n may be anything
	r.begin(n)
	for r.left > 0 {
		r.pos = r.end
		r.load()
		b.Write(r.buf[:r.end])
		if r.err != nil {
			return nil, r.cut(what, at+n)
		}
	}
	r.pos, r.end = 0, 0
	return b.Bytes(), nil
}

// cut is the error of a file that ends before a part does.
func (r *bitReader) cut(what string, end int64) error {
	if eof(r.err) {
		return errorf("is cut short: %s goes to byte %d, the file has %d", what, end, r.done)
	}
	return fmt.Errorf("%s: %w", what, r.err)
}

func eof(err error) bool { return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) }

// checksum compares the sum of what was read since the last with what the file says.
func (r *bitReader) checksum(what string, from int64) error {
	sum, to := r.sum.Sum32(), r.done
	b, err := part(r, "the checksum of "+what, checksumBytes)
	if err != nil {
		return err
	}
	r.sum.Reset()
	if want := binary.LittleEndian.Uint32(b); want != sum {
		return errorf("is damaged: the checksum of %s, bytes %d to %d, is %08x, wanted %08x", what, from, to, sum, want)
	}
	return nil
}

const theDirectory = "its directory"

func readInfo(r *bitReader) (*Info, error) {
	head, err := part(r, "what it begins with", int64(len(magic))+1)
	switch {
	case err != nil && eof(r.err):
		return nil, errorf(
			"is not a compact file (.dnz), or is cut short: it has %d of the %d bytes that one begins with",
			r.done,
			len(magic)+1,
		)
	case err != nil:
		return nil, err
	case string(head[:len(magic)]) != magic:
		return nil, errorf("is not a compact file (.dnz): it does not begin as one")
	case head[len(magic)] < version || head[len(magic)] > sharedVersion:
		return nil, errorf("is a compact file of version %d; this program reads %d and %d", head[len(magic)], version,
			sharedVersion)
	}
	var size uint64
	for shift := 0; ; shift += 7 {
		b, err := part(r, "the size of its directory", 1)
		if err != nil {
			return nil, err
		}
		if size |= uint64(b[0]&0x7f) << shift; b[0] < 0x80 {
			break
		}
		if shift > 49 {
			return nil, errorf("is damaged: the size of its directory has no end")
		}
	}
	data, err := part(r, theDirectory, int64(size))
	if err != nil {
		return nil, err
	}
	if err := r.checksum(theDirectory, 0); err != nil {
		return nil, err
	}
	info := &Info{}
	if err := info.parse(data, head[len(magic)]); err != nil {
		return nil, fmt.Errorf("its directory: %w", err)
	}
	info.Bytes = info.place(int64(size))
	return info, nil
}

// maxFileBytes is more than any file has, and far from what overflows.
const maxFileBytes = 1 << 50

// fields reads what a directory has.
type fields struct {
	b       []byte
	version byte
	blobs   []blobInfo // so far
	bytes   int64      // of all blobs
	err     error
}

func (f *fields) fail(format string, args ...any) {
	if f.err == nil {
		f.err = errorf(format, args...)
	}
	f.b = nil
}

// number reads a number up to most.
func (f *fields) number(what string, most uint64) int {
	v, n := binary.Uvarint(f.b)
	switch {
	case n <= 0:
		f.fail("%s: it ends within a number", what)
	case v > most:
		f.fail("%s: %d, wanted at most %d", what, v, most)
	default:
		f.b = f.b[n:]
		return int(v)
	}
	return 0
}

// some reads a number of things, each of which takes a byte at least.
func (f *fields) some(what string) int { return f.number(what, uint64(len(f.b))) }

func (f *fields) text(what string) string {
	n := f.some("the length of " + what)
	s := string(f.b[:min(n, len(f.b))])
	f.b = f.b[len(s):]
	return s
}

func (f *fields) octet(what string) byte {
	if len(f.b) == 0 {
		f.fail("%s: it ends before", what)
		return 0
	}
	c := f.b[0]
	f.b = f.b[1:]
	return c
}

func (i *Info) parse(b []byte, version byte) error {
	f := &fields{b: b, version: version}
	i.Net = f.text("the net's name")
	for range f.some("the number of labels") {
		i.Labels = append(i.Labels, f.text("a label"))
	}
	for range f.some("the number of layers") {
		l := LayerInfo{Name: f.text("a layer's name"), Type: f.text("a layer's type"), Bytes: checksumBytes}
		for k := range f.some("the number of blobs") {
			b := f.blob(fmt.Sprintf("layer %q, blob %d", l.Name, k))
			f.blobs = append(f.blobs, b)
			l.add(&b)
		}
		if f.err != nil {
			return f.err
		}
		i.Layers = append(i.Layers, l)
	}
	if len(f.b) > 0 {
		f.fail("%d bytes behind its end", len(f.b))
	}
	return f.err
}

func (f *fields) blob(what string) (b blobInfo) {
	first := f.octet(what)
	switch {
	case first == absentBlob:
		b.absent = true
		return b
	case first == shareBlob && f.version >= sharedVersion:
		of, err := sharedBlob(f.blobs, f.number(what+": the number of a blob", maxFileBytes))
		if err != nil {
			f.fail("%s %v", what, err)
			return blobInfo{}
		}
		return *of
	}
	axes := int(first &^ legacyBlob)
	if axes > maxAxes {
		f.fail("%s: %d axes, wanted at most %d", what, axes, maxAxes)
		return blobInfo{}
	}
	b.shape, b.legacy = make([]int, axes), first&legacyBlob != 0
	for i := range b.shape {
		b.shape[i] = f.number(what+": an extent", math.MaxInt64)
	}
	b.form = f.form(what, count(b.shape))
	return b
}

func (f *fields) form(what string, entries int) Form {
	if entries < 0 {
		f.fail("%s: more entries than any net has", what)
		return Form{}
	}
	c := f.octet(what)
	if c>>4 > byte(Gaps) || c&15 > byte(Codebook) {
		f.fail("%s: the form %#02x, which there is not", what, c)
	}
	form := Form{Positions: Positions(c >> 4), Numbers: Numbers(c & 15), Entries: entries}
	form.Kept = f.number(what+": the number of kept entries", uint64(entries))
	form.Bytes = int64(f.number(what+": the number of its bytes", maxFileBytes))
	if f.bytes += form.Bytes; f.bytes > maxFileBytes {
		f.fail("%s: the file would have more than %d bytes", what, int64(maxFileBytes))
	}
	return form
}

// blobDecoder decodes blobs, one after the other.
type blobDecoder struct {
	r            *bitReader
	gaps, values decoder
	colors       [maxColors]uint32
	kept         []uint32    // the bitmap, the first entry of a word its highest bit
	read         [][]float32 // the values of all blobs so far
}

// layer reads a layer. Where its checksum is wrong that is the error, whatever else is.
func (d *blobDecoder) layer(info *Info, i int) (*Layer, error) {
	li := &info.Layers[i]
	l := &Layer{Name: li.Name, Type: li.Type}
	what := fmt.Sprintf("layer %q", li.Name)
	var failed error
	for k := range li.Forms {
		b := Blob{Shape: li.Shapes[k], Legacy: li.legacy[k], Absent: li.absent[k], SharedWith: li.Forms[k].SharedWith}
		d.r.begin(li.Forms[k].Bytes)
		switch {
		case failed != nil, b.Absent:
		case b.SharedWith > 0:
			b.Values = slices.Clone(d.read[b.SharedWith-1])
		default:
			b.Values = make([]float32, li.Forms[k].Entries)
			if err := d.blob(&li.Forms[k], b.Values); err != nil {
				failed = fmt.Errorf("%s, blob %d: %w", what, k, err)
			}
		}
		d.r.drain()
		if d.r.err != nil {
			return nil, d.r.cut(what, li.Offset+li.Bytes)
		}
		l.Blobs, d.read = append(l.Blobs, b), append(d.read, b.Values)
	}
	if err := d.r.checksum(what, li.Offset); err != nil {
		return nil, err
	}
	return l, failed
}

// blob decodes a blob into values, which are 0.
func (d *blobDecoder) blob(f *Form, values []float32) error {
	r := d.r
	if f.Kept > 0 {
		if err := d.tables(f); err != nil {
			return err
		}
		if err := d.entries(f, values); err != nil {
			return err
		}
	}
	if r.over() {
		return errorf("its entries go on behind its %d bytes", f.Bytes)
	}
	if !r.whole() {
		return errorf("its entries end before its %d bytes do", f.Bytes)
	}
	return nil
}

// tables reads what stands before the entries: the codebook, codes, the bitmap.
func (d *blobDecoder) tables(f *Form) error {
	r, symbols := d.r, maxSymbols
	switch f.Numbers {
	case Float16:
		symbols = halfExponents
	case Codebook:
		f.Values = int(r.take(8)) + 1
		if f.Values > f.Entries {
			return errorf("a codebook of %d values for %d entries", f.Values, f.Entries)
		}
		for i := range f.Values {
			d.colors[i] = r.take(colorBits)
		}
		symbols = f.Values
	}
	if err := d.values.read(r, symbols); err != nil {
		return fmt.Errorf("values: %w", err)
	}
	switch f.Positions {
	case Gaps:
		if err := d.gaps.read(r, gapSymbols); err != nil {
			return fmt.Errorf("gaps: %w", err)
		}
	case Bitmap:
		d.kept = make([]uint32, (f.Entries+31)/32)
		ones := 0
		for i := range d.kept {
			n := min(32, f.Entries-32*i)
			d.kept[i] = r.take(n) << (32 - n)
			ones += bits.OnesCount32(d.kept[i])
		}
		if ones != f.Kept {
			return errorf("a bitmap of %d kept entries; the directory says %d", ones, f.Kept)
		}
	}
	return nil
}

// entries reads the entries that are kept.
func (d *blobDecoder) entries(f *Form, values []float32) error {
	r := d.r
	n := f.Kept
	if f.Positions == Dense {
		n = f.Entries
	}
	var word uint32 // what is left of a word of the bitmap, and where it stands
	at := -32
	i := -1
	for range n {
		i++
		switch f.Positions {
		case Gaps:
			gap, rest := gapOf(r.symbol(&d.gaps))
			if gap += r.acc >> 1 >> (63 - rest); gap >= uint64(len(values)-i) {
				return errorf("an entry behind the last of %d", len(values))
			}
			r.acc <<= rest
			r.n -= rest
			i += int(gap)
		case Bitmap:
			for word == 0 {
				at += 32
				word = d.kept[at/32]
			}
			first := bits.LeadingZeros32(word)
			word &^= 1 << 31 >> first
			i = at + first
		}
		v := uint32(r.symbol(&d.values))
		switch f.Numbers {
		case Float32:
			rest := uint32(r.acc >> (64 - floatRest))
			r.acc <<= floatRest
			r.n -= floatRest
			v = rest>>23<<31 | v<<23 | rest&(1<<23-1)
		case Float16:
			rest := uint32(r.acc >> (64 - halfRest))
			r.acc <<= halfRest
			r.n -= halfRest
			v = float(rest>>10<<15 | v<<10 | rest&(1<<10-1))
		case Codebook:
			v = d.colors[v]
		}
		values[i] = math.Float32frombits(v)
	}
	return nil
}

// symbol reads a symbol of a code. At least 44 bits are in acc behind it.
func (r *bitReader) symbol(c *decoder) int {
	if r.n < 56 {
		r.fill()
	}
	s := c[r.acc>>(64-maxCodeBits)]
	r.acc <<= s & 15
	r.n -= int(s & 15)
	return int(s >> 8)
}
