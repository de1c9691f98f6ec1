package compact

import (
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// Plan is how a compact file will be written: its size to the byte is known before anything is.
type Plan struct {
	Info
	file      *File
	directory []byte
	blobs     [][]*plan // of each layer
}

// NewPlan looks through all values and finds how each blob takes the fewest bytes. The file must not change before the
// plan is written.
func NewPlan(f *File) (*Plan, error) {
	p := &Plan{file: f, Info: Info{Net: f.Net, Labels: f.Labels}}
	var all []blobInfo
	for _, l := range f.Layers {
		li := LayerInfo{Name: l.Name, Type: l.Type, Bytes: checksumBytes}
		var plans []*plan
		for i, b := range l.Blobs {
			switch n := count(b.Shape); {
			case b.Absent:
				b = Blob{Absent: true}
			case len(b.Shape) > maxAxes:
				return nil, fmt.Errorf(
					"layer %q, blob %d has %d axes; wanted at most %d",
					l.Name,
					i,
					len(b.Shape),
					maxAxes,
				)
			case n != len(b.Values):
				return nil, fmt.Errorf("layer %q, blob %d has %d values; its shape %v wants %d", l.Name, i,
					len(b.Values), b.Shape, n)
			}
			info := blobInfo{shape: b.Shape, absent: b.Absent, legacy: b.Legacy}
			var bp *plan
			if b.SharedWith > 0 {
				of, err := sharedBlob(all, b.SharedWith)
				if err == nil && (!slices.Equal(of.shape, b.Shape) || of.legacy != b.Legacy) {
					err = fmt.Errorf(
						"has the shape %v, and not that of the blob that it is shared with, %v",
						b.Shape,
						of.shape,
					)
				}
				if err != nil {
					return nil, fmt.Errorf("layer %q, blob %d %w", l.Name, i, err)
				}
				info = *of
			} else {
				bp = newPlan(b.Values)
				info.form = bp.Form
			}
			plans, all = append(plans, bp), append(all, info)
			li.add(&info)
		}
		p.blobs = append(p.blobs, plans)
		p.Layers = append(p.Layers, li)
	}
	p.directory = p.appendDirectory(nil)
	p.Bytes = p.place(int64(len(p.directory)))
	return p, nil
}

// blobInfo is what a directory says of a blob.
type blobInfo struct {
	shape          []int
	absent, legacy bool
	form           Form
}

func (l *LayerInfo) add(b *blobInfo) {
	l.Shapes, l.Forms = append(l.Shapes, b.shape), append(l.Forms, b.form)
	l.absent, l.legacy = append(l.absent, b.absent), append(l.legacy, b.legacy)
	l.Bytes += b.form.Bytes
}

// sharedBlob is a blob of a number, counted from 1, among those before, as one that shares it has it.
func sharedBlob(before []blobInfo, number int) (*blobInfo, error) {
	if number < 1 || number > len(before) || before[number-1].absent || before[number-1].form.SharedWith > 0 {
		return nil, errorf("is shared with blob %d of the file, which is none of its own before it", number)
	}
	b := before[number-1]
	b.form.Bytes, b.form.SharedWith = 0, number
	return &b, nil
}

// version is that of the format that the file needs.
func (i *Info) version() byte {
	for _, l := range i.Layers {
		for _, f := range l.Forms {
			if f.SharedWith > 0 {
				return sharedVersion
			}
		}
	}
	return version
}

// place sets where layers stand behind a directory of so many bytes, and returns where the last ends.
func (i *Info) place(directory int64) int64 {
	at := int64(len(magic)) + 1 + int64(len(binary.AppendUvarint(nil, uint64(directory)))) + directory + checksumBytes
	for k := range i.Layers {
		i.Layers[k].Offset = at
		at += i.Layers[k].Bytes
	}
	return at
}

// What the first byte of a blob in the directory says beside its number of axes.
const (
	legacyBlob = 0x80
	absentBlob = 0x40
	shareBlob  = 0x41 // the number of the blob that it is follows, and nothing else
)

func (i *Info) appendDirectory(b []byte) []byte {
	text := func(s string) { b = append(binary.AppendUvarint(b, uint64(len(s))), s...) }
	number := func(n int64) { b = binary.AppendUvarint(b, uint64(n)) }
	text(i.Net)
	number(int64(len(i.Labels)))
	for _, l := range i.Labels {
		text(l)
	}
	number(int64(len(i.Layers)))
	for _, l := range i.Layers {
		text(l.Name)
		text(l.Type)
		number(int64(len(l.Shapes)))
		for k, shape := range l.Shapes {
			if l.absent[k] {
				b = append(b, absentBlob)
				continue
			}
			if n := l.Forms[k].SharedWith; n > 0 {
				b = append(b, shareBlob)
				number(int64(n))
				continue
			}
			axes := byte(len(shape))
			if l.legacy[k] {
				axes |= legacyBlob
			}
			b = append(b, axes)
			for _, d := range shape {
				number(int64(d))
			}
			f := l.Forms[k]
			b = append(b, byte(f.Positions)<<4|byte(f.Numbers))
			number(int64(f.Kept))
			number(f.Bytes)
		}
	}
	return b
}

// Write writes the file: Bytes bytes.
func (p *Plan) Write(to io.Writer) error {
	w := newBitWriter(to)
	w.bytes(append([]byte(magic), p.version()))
	w.bytes(binary.AppendUvarint(nil, uint64(len(p.directory))))
	w.bytes(p.directory)
	w.checksum()
	for i, plans := range p.blobs {
		for k, bp := range plans {
			if bp != nil { // nil: it is shared
				bp.write(w, p.file.Layers[i].Blobs[k].Values)
				w.align()
			}
			if w.err != nil {
				return w.err
			}
		}
		w.checksum()
	}
	if w.err == nil && w.done != p.Bytes {
		panic(fmt.Sprintf("compact: %d bytes written, %d planned", w.done, p.Bytes))
	}
	return w.err
}

// Write writes a compact file.
func Write(w io.Writer, f *File) error {
	p, err := NewPlan(f)
	if err != nil {
		return err
	}
	return p.Write(w)
}

func (p *plan) write(w *bitWriter, values []float32) {
	if p.Kept == 0 {
		return
	}
	if p.colors != nil {
		w.put(uint64(p.Values-1), 8)
		for _, v := range p.colors.values {
			w.put(uint64(v), colorBits)
		}
	}
	p.code.write(w)
	switch p.Positions {
	case Gaps:
		p.gaps.write(w)
	case Bitmap:
		writeBitmap(w, values)
	}
	last := -1
	for i, f := range values {
		v := math.Float32bits(f)
		if v == 0 && p.Positions != Dense {
			continue
		}
		if p.Positions == Gaps {
			gap := uint64(i - last - 1)
			s, rest := gapSymbol(gap)
			w.put(uint64(p.gaps.words[s])<<rest|gap&(1<<rest-1), int(p.gaps.lengths[s])+rest)
			last = i
		}
		switch p.Numbers {
		case Float32:
			s := v >> 23 & 255
			w.put(uint64(p.code.words[s])<<floatRest|uint64(v>>31<<23|v&(1<<23-1)), int(p.code.lengths[s])+floatRest)
		case Float16:
			h, _ := half(v)
			s := h >> 10 & 31
			w.put(uint64(p.code.words[s])<<halfRest|uint64(h>>15<<10|h&(1<<10-1)), int(p.code.lengths[s])+halfRest)
		case Codebook:
			s := *p.colors.slot(v) - 1
			w.put(uint64(p.code.words[s]), int(p.code.lengths[s]))
		}
	}
}

// writeBitmap writes a bit for each value.
func writeBitmap(w *bitWriter, values []float32) {
	for len(values) > 0 {
		n := min(len(values), 32)
		var word uint64
		for _, f := range values[:n] {
			v := math.Float32bits(f)
			word = word<<1 | uint64((v|-v)>>31) // 1 where v is not 0
		}
		w.put(word, n)
		values = values[n:]
	}
}
