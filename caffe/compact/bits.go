package compact

import (
	"encoding/binary"
	"hash"
	"hash/crc32"
	"io"
)

const bufferBytes = 1 << 16

// bitWriter writes bits, the first of a byte is its highest, and sums the bytes.
type bitWriter struct {
	w    io.Writer
	buf  []byte
	pos  int    // in buf; there is always room for what a put writes
	acc  uint64 // the bits that make no byte yet, from the top
	n    int    // how many they are: at most 7 between calls
	sum  hash.Hash32
	done int64 // bytes that left buf
	err  error
}

func newBitWriter(w io.Writer) *bitWriter {
	return &bitWriter{w: w, buf: make([]byte, bufferBytes), sum: crc32.NewIEEE()}
}

// put writes the n low bits of v, n at most 56; higher bits of v are 0.
func (b *bitWriter) put(v uint64, n int) {
	b.n += n
	b.acc |= v << (64 - b.n)
	binary.BigEndian.PutUint64(b.buf[b.pos:], b.acc)
	whole := b.n &^ 7
	b.pos += whole >> 3
	b.acc <<= whole
	b.n &= 7
	if b.pos > bufferBytes-16 {
		b.flush()
	}
}

// align fills the byte that was begun with zeros.
func (b *bitWriter) align() {
	if b.n > 0 {
		b.put(0, 8-b.n)
	}
}

// bytes writes whole bytes, on a border between bytes.
func (b *bitWriter) bytes(p []byte) {
	b.flush()
	b.emit(p)
}

func (b *bitWriter) flush() {
	b.emit(b.buf[:b.pos])
	b.pos = 0
}

func (b *bitWriter) emit(p []byte) {
	b.sum.Write(p)
	b.done += int64(len(p))
	if b.err == nil {
		_, b.err = b.w.Write(p)
	}
}

// checksum ends a part of the file: what follows is summed anew.
func (b *bitWriter) checksum() {
	b.flush()
	b.bytes(binary.LittleEndian.AppendUint32(nil, b.sum.Sum32()))
	b.sum.Reset()
}

// bitReader reads the bits of a part of a file, and sums its bytes. Behind the last there are zeros.
type bitReader struct {
	r        io.Reader
	buf      []byte
	pos, end int   // of what is in buf and not taken
	left     int64 // bytes of the part that are not in buf
	acc      uint64
	n        int // bits of acc
	behind   int // of them, zeros that stand behind the part
	sum      hash.Hash32
	done     int64 // bytes that came into buf
	err      error // of r
}

func newBitReader(r io.Reader) *bitReader {
	return &bitReader{r: r, buf: make([]byte, bufferBytes), sum: crc32.NewIEEE()}
}

// begin begins a part of so many bytes. What was left of the one before is passed over.
func (b *bitReader) begin(bytes int64) {
	b.drain()
	b.left, b.behind = bytes, 0
}

// drain reads the part to its end.
func (b *bitReader) drain() {
	for b.pos, b.end = 0, 0; b.left > 0 && b.err == nil; b.pos = b.end {
		b.load()
	}
	b.acc, b.n = 0, 0
}

// load moves what was not taken to the front of buf, and fills it.
func (b *bitReader) load() {
	b.end = copy(b.buf, b.buf[b.pos:b.end])
	b.pos = 0
	n := int(min(b.left, int64(len(b.buf)-b.end)))
	if n == 0 || b.err != nil {
		return
	}
	got, err := io.ReadFull(b.r, b.buf[b.end:b.end+n])
	b.sum.Write(b.buf[b.end : b.end+got])
	b.done += int64(got)
	b.end += got
	b.left -= int64(got)
	b.err = err
}

// fill brings at least 56 bits into acc.
func (b *bitReader) fill() {
	if b.end-b.pos < 8 {
		b.load()
		if b.end-b.pos < 8 {
			b.fillSlowly()
			return
		}
	}
	b.acc |= binary.BigEndian.Uint64(b.buf[b.pos:]) >> b.n
	b.pos += (63 - b.n) >> 3
	b.n |= 56
}

func (b *bitReader) fillSlowly() {
	for ; b.n <= 56; b.n += 8 {
		if b.pos == b.end {
			b.behind += 8
			continue
		}
		b.acc |= uint64(b.buf[b.pos]) << (56 - b.n)
		b.pos++
	}
}

// over reports whether more was taken than the part has.
func (b *bitReader) over() bool { return b.n < b.behind }

// whole reports whether everything was taken but the zeros that fill the last byte.
func (b *bitReader) whole() bool {
	rest := b.n - b.behind
	return b.left == 0 && b.pos == b.end && rest >= 0 && rest < 8 && b.acc>>(64-rest) == 0
}

// take returns the next n bits, n at most 32.
func (b *bitReader) take(n int) uint32 {
	if b.n < n {
		b.fill()
	}
	v := uint32(b.acc >> 32 >> (32 - n))
	b.acc <<= n
	b.n -= n
	return v
}
