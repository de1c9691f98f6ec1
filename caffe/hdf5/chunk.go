package hdf5

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"io"
	"slices"
)

// chunks puts the chunks together.
func (ds *Dataset) chunks(want uint64) ([]byte, error) {
	type stored struct {
		at   []int
		addr uint64
		n    uint64
		mask uint32
	}
	var list []stored
	rank, grid := len(ds.Shape), 1
	for i, d := range ds.Shape {
		grid *= (d + ds.chunk[i] - 1) / ds.chunk[i]
	}
	size := uint64(ds.size)
	for _, d := range ds.chunk {
		size *= uint64(d)
	}
	err := ds.f.tree(ds.addr, 1, 8+8*(rank+1), func(key *decoder, child uint64) error {
		s := stored{n: uint64(key.u32()), mask: key.u32(), addr: child}
		for i := range rank {
			v := key.u64()
			if v >= uint64(ds.Shape[i]) || v%uint64(ds.chunk[i]) != 0 {
				return ds.f.errorf("is damaged: a chunk of %s at %d of axis %d, %d long", ds.path, v, i, ds.Shape[i])
			}
			s.at = append(s.at, int(v))
		}
		if s.n > ds.f.size || size > (s.n+64)*deflateMaxRatio {
			return ds.f.errorf("is damaged: a chunk of %s of %d bytes is stored in %d", ds.path, size, s.n)
		}
		list = append(list, s)
		return key.err
	})
	if err != nil {
		return nil, err
	}
	if len(list) != grid {
		return nil, ds.f.errorf("%s: %d of its %d chunks were written", ds.path, len(list), grid)
	}
	out := make([]byte, want)
	for _, s := range list {
		b, err := ds.f.bytes("a chunk of "+ds.path, s.addr, s.n)
		if err == nil {
			b, err = ds.unfilter(b, s.mask, int(size))
		}
		if err != nil {
			return nil, err
		}
		ds.place(out, b, s.at)
	}
	return out, nil
}

// unfilter undoes the filters of a chunk, last first; mask names those that were left out.
func (ds *Dataset) unfilter(b []byte, mask uint32, size int) ([]byte, error) {
	for i, v := range slices.Backward(ds.filters) {
		if mask>>i&1 != 0 {
			continue
		}
		switch v {
		case filterDeflate:
			z, err := zlib.NewReader(bytes.NewReader(b))
			if err == nil {
				// A chunk may carry a checksum behind its elements.
				b, err = io.ReadAll(io.LimitReader(z, int64(size)+4))
			}
			if err != nil {
				return nil, &Error{
					Path: ds.f.path,
					Msg:  "is damaged: a chunk of " + ds.path + " does not inflate: " + err.Error(),
					Err:  err,
				}
			}
		case filterShuffle:
			b = unshuffle(b, ds.size)
		case filterFletcher:
			if len(b) < 4 {
				return nil, ds.f.errorf("is damaged: a chunk of %s has no room for its checksum", ds.path)
			}
			sum := binary.LittleEndian.Uint32(b[len(b)-4:])
			if b = b[:len(b)-4]; fletcher32(b) != sum {
				return nil, ds.f.errorf("is damaged: a chunk of %s does not have its checksum", ds.path)
			}
		}
	}
	if len(b) != size {
		return nil, ds.f.errorf("is damaged: a chunk of %s holds %d bytes; wanted %d", ds.path, len(b), size)
	}
	return b, nil
}

// unshuffle undoes the shuffle filter, which stores the first bytes of all elements, then the second.
func unshuffle(b []byte, size int) []byte {
	n := len(b) / size
	out := make([]byte, len(b))
	for j := range size {
		for i := range n {
			out[i*size+j] = b[j*n+i]
		}
	}
	copy(out[n*size:], b[n*size:])
	return out
}

// fletcher32 is the checksum of the fletcher32 filter, over big-endian words of 16 bits.
func fletcher32(b []byte) uint32 {
	var s1, s2 uint32
	add := func(w uint32) {
		s1 = (s1 + w) % 65535
		s2 = (s2 + s1) % 65535
	}
	for i := 0; i+1 < len(b); i += 2 {
		add(uint32(b[i])<<8 | uint32(b[i+1]))
	}
	if len(b)%2 == 1 {
		add(uint32(b[len(b)-1]) << 8)
	}
	return s2<<16 | s1
}

// place copies the rows of a chunk that lie in the array.
func (ds *Dataset) place(out, b []byte, at []int) {
	rank := len(at)
	row := min(ds.chunk[rank-1], ds.Shape[rank-1]-at[rank-1]) * ds.size
	idx := make([]int, rank-1)
	for {
		src, dst := 0, 0
		for i := range rank {
			k := 0
			if i < rank-1 {
				k = idx[i]
			}
			src, dst = src*ds.chunk[i]+k, dst*ds.Shape[i]+at[i]+k
		}
		copy(out[dst*ds.size:][:row], b[src*ds.size:])
		i := rank - 2
		for ; i >= 0; i-- {
			if idx[i]++; idx[i] < min(ds.chunk[i], ds.Shape[i]-at[i]) {
				break
			}
			idx[i] = 0
		}
		if i < 0 {
			return
		}
	}
}
