package compact

import (
	"cmp"
	"slices"
)

const (
	maxCodeBits = 12  // of a symbol; a decoder's table has 2^12 places
	maxSymbols  = 256 // of an alphabet
	lengthBits  = 4   // of a symbol's length in the file
)

// code is a canonical Huffman code: symbols in the order of their lengths, and of their numbers where those are equal,
// have the codes in the order of numbers. Where there is one symbol it has no bits.
type code struct {
	first, last int // symbols; last < first: of nothing
	lengths     [maxSymbols]uint8
	words       [maxSymbols]uint16
}

// newCode returns a code of the fewest bits for symbols that occur so often, none longer than maxCodeBits.
func newCode(counts []int) *code {
	c := &code{last: -1}
	used := 0
	for s, n := range counts {
		if n == 0 {
			continue
		}
		if used == 0 {
			c.first = s
		}
		c.last = s
		used++
	}
	if used > 1 {
		c.lengths = packageMerge(counts)
		c.assign()
	}
	return c
}

// packageMerge finds the lengths of a code of the fewest bits under a limit (Larmore and Hirschberg, "A fast algorithm
// for optimal length-limited Huffman codes", 1990): of maxCodeBits rows of coins, each the symbols and the pairs of the
// row before, the 2(n-1) cheapest of the last; a symbol is as long as the number of rows from which it was taken.
func packageMerge(counts []int) (lengths [maxSymbols]uint8) {
	type coin struct {
		cost    int
		symbols []uint8
	}
	var symbols []coin
	for s, n := range counts {
		if n > 0 {
			symbols = append(symbols, coin{n, []uint8{uint8(s)}})
		}
	}
	byCost := func(a, b coin) int { return cmp.Compare(a.cost, b.cost) }
	slices.SortStableFunc(symbols, byCost)
	row := symbols
	for range maxCodeBits - 1 {
		next := slices.Clone(symbols)
		for i := 0; i+1 < len(row); i += 2 {
			next = append(next, coin{row[i].cost + row[i+1].cost, slices.Concat(row[i].symbols, row[i+1].symbols)})
		}
		slices.SortStableFunc(next, byCost)
		row = next
	}
	for _, c := range row[:2*(len(symbols)-1)] {
		for _, s := range c.symbols {
			lengths[s]++
		}
	}
	return lengths
}

// assign gives the symbols their codes. It reports whether the lengths are those of a code that is full: every
// sequence of bits is one of symbols.
func (c *code) assign() bool {
	next := 0
	for n := uint8(1); n <= maxCodeBits; n++ {
		next <<= 1
		for s := c.first; s <= c.last; s++ {
			if c.lengths[s] == n {
				c.words[s] = uint16(next)
				next++
			}
		}
		if next > 1<<n {
			return false
		}
	}
	return next == 1<<maxCodeBits
}

// bits is what the code's table takes, and these symbols.
func (c *code) bits(counts []int) int64 {
	if c.last < c.first {
		return 0
	}
	sum := int64(16)
	if c.last > c.first {
		sum += lengthBits * int64(c.last-c.first+1)
	}
	for s, n := range counts {
		sum += int64(n) * int64(c.lengths[s])
	}
	return sum
}

// write writes the code's table: its first symbol, how many come after it, and where some do the length of each, 0
// where it does not occur.
func (c *code) write(w *bitWriter) {
	w.put(uint64(c.first), 8)
	w.put(uint64(c.last-c.first), 8)
	for s := c.first; s <= c.last && c.last > c.first; s++ {
		w.put(uint64(c.lengths[s]), lengthBits)
	}
}

// decoder finds symbols by the next maxCodeBits bits: each place has a symbol, and its length in the low byte.
type decoder [1 << maxCodeBits]uint16

// read reads the table of a code of so many symbols.
func (d *decoder) read(r *bitReader, symbols int) error {
	c := &code{first: int(r.take(8))}
	if c.last = c.first + int(r.take(8)); c.last >= symbols {
		return errorf("a code of the symbols %d to %d; there are %d", c.first, c.last, symbols)
	}
	if c.last == c.first {
		for i := range d {
			d[i] = uint16(c.first) << 8
		}
		return nil
	}
	for s := c.first; s <= c.last; s++ {
		if c.lengths[s] = uint8(r.take(lengthBits)); c.lengths[s] > maxCodeBits {
			return errorf("a code of %d bits; wanted at most %d", c.lengths[s], maxCodeBits)
		}
	}
	if !c.assign() {
		return errorf("the lengths of a code are not those of any")
	}
	for s := c.first; s <= c.last; s++ {
		if n := c.lengths[s]; n > 0 {
			from := int(c.words[s]) << (maxCodeBits - n)
			for i := range 1 << (maxCodeBits - n) {
				d[from+i] = uint16(s)<<8 | uint16(n)
			}
		}
	}
	return nil
}
