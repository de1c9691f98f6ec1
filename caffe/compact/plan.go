package compact

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/x448/float16"
)

// A gap is a symbol and some bits: the symbol is the gap's length in bits, and the bits are what follows its highest.
const gapSymbols = 42

func gapSymbol(gap uint64) (symbol, rest int) {
	symbol = bits.Len64(gap)
	return symbol, max(0, symbol-1)
}

// gapOf is the smallest gap of a symbol, and how many bits follow.
func gapOf(symbol int) (least uint64, rest int) {
	return 1 << symbol >> 1, max(0, symbol-1)
}

// maxColors is how many values a codebook may have.
const maxColors = 256

// palette counts values as long as they are few.
type palette struct {
	slots  [4 * maxColors]uint16 // of values and counts, plus one; 0 is empty
	values []uint32
	counts []int
	over   bool // there are more than maxColors
}

func (p *palette) slot(v uint32) *uint16 {
	const golden = 0x9e3779b1
	i := v * golden >> 22
	for p.slots[i] != 0 && p.values[p.slots[i]-1] != v {
		i = (i + 1) % uint32(len(p.slots))
	}
	return &p.slots[i]
}

func (p *palette) add(v uint32, n int) {
	s := p.slot(v)
	if *s == 0 {
		if len(p.values) == maxColors {
			p.over = true
			return
		}
		p.values, p.counts = append(p.values, v), append(p.counts, 0)
		*s = uint16(len(p.values))
	}
	p.counts[*s-1] += n
}

// sort orders the values as numbers, -0 before 0, and sorts the counts with them.
func (p *palette) sort() {
	type color struct {
		v uint32
		n int
	}
	all := make([]color, len(p.values))
	for i := range all {
		all[i] = color{p.values[i], p.counts[i]}
	}
	slices.SortFunc(all, func(a, b color) int { return cmp.Compare(order(a.v), order(b.v)) })
	p.slots = [len(p.slots)]uint16{}
	for i, c := range all {
		p.values[i], p.counts[i] = c.v, c.n
	}
	for i := range p.values {
		*p.slot(p.values[i]) = uint16(i + 1)
	}
}

// order maps the bits of floats to numbers of their order.
func order(v uint32) uint32 {
	if v>>31 != 0 {
		return ^v
	}
	return v | 1<<31
}

// tally is what a pass over a blob finds.
type tally struct {
	kept      int
	gaps      [gapSymbols]int
	gapRest   int64
	exponents [256]int
	half      bool // every value is one of float16
	halves    [halfExponents]int
	colors    palette
}

func tallyOf(values []float32) *tally {
	t := &tally{half: true}
	last := -1
	for i, f := range values {
		v := math.Float32bits(f)
		if v == 0 {
			continue
		}
		t.kept++
		symbol, rest := gapSymbol(uint64(i - last - 1))
		t.gaps[symbol]++
		t.gapRest += int64(rest)
		last = i
		t.exponents[v>>23&255]++
		if t.half {
			h, exact := half(v)
			t.half = exact
			t.halves[h>>10&31]++
		}
		if !t.colors.over {
			t.colors.add(v, 1)
		}
	}
	return t
}

const (
	halfExponents = 32  // how many exponents float16 has
	halfBias      = 112 // how much larger float32's are
)

// half returns a value as float16, and whether that is the same, bit for bit.
func half(v uint32) (h uint16, exact bool) {
	if e := v >> 23 & 255; e > halfBias && e < halfBias+31 && v&(1<<13-1) == 0 { // most, and fast
		return uint16(v>>16&(1<<15) | (e-halfBias)<<10 | v>>13&(1<<10-1)), true
	}
	f := math.Float32frombits(v)
	h = float16.Fromfloat32(f).Bits()
	return h, math.Float32bits(float16.Frombits(h).Float32()) == v
}

// withZeros is the tally of all entries, n of which are +0.
func (t *tally) withZeros(n int) *tally {
	all := *t
	all.exponents[0] += n
	all.halves[0] += n
	all.colors.values, all.colors.counts = slices.Clone(t.colors.values), slices.Clone(t.colors.counts)
	if !t.colors.over {
		all.colors.add(0, n)
	}
	return &all
}

// coding is how values are written, and how many bits that takes.
type coding struct {
	numbers Numbers
	code    *code
	colors  *palette
	bits    int64
}

// What follows an exponent: sign and mantissa.
const (
	floatRest = 24
	halfRest  = 11
	colorBits = 32 // of a value in a codebook
)

// values finds the coding of n values that takes the fewest bits and loses none.
func (t *tally) values(n int) coding {
	c := newCode(t.exponents[:])
	best := coding{Float32, c, nil, c.bits(t.exponents[:]) + floatRest*int64(n)}
	if t.half {
		c := newCode(t.halves[:])
		if b := c.bits(t.halves[:]) + halfRest*int64(n); b < best.bits {
			best = coding{Float16, c, nil, b}
		}
	}
	if t.colors.over {
		return best
	}
	t.colors.sort()
	c = newCode(t.colors.counts)
	if b := 8 + colorBits*int64(len(t.colors.values)) + c.bits(t.colors.counts); b < best.bits {
		best = coding{Codebook, c, &t.colors, b}
	}
	return best
}

// float returns the bits of float32 of a float16's.
func float(h uint32) uint32 {
	if e := h >> 10 & 31; e > 0 && e < 31 {
		return h>>15<<31 | (e+halfBias)<<23 | h&(1<<10-1)<<13
	}
	return math.Float32bits(float16.Frombits(uint16(h)).Float32())
}

// plan is how a blob is written.
type plan struct {
	Form
	gaps *code // nil without gaps
	coding
}

// newPlan finds the form of the fewest bits.
func newPlan(values []float32) *plan {
	t := tallyOf(values)
	p := &plan{Form: Form{Positions: Gaps, Entries: len(values), Kept: t.kept}}
	if t.kept == 0 {
		return p
	}
	zeros := len(values) - t.kept
	all := t
	if zeros > 0 {
		all = t.withZeros(zeros)
	}
	p.Positions, p.coding = Dense, all.values(len(values))
	if zeros > 0 {
		positions, taken, gaps := Bitmap, int64(len(values)), newCode(t.gaps[:])
		if n := gaps.bits(t.gaps[:]) + t.gapRest; n < taken {
			positions, taken = Gaps, n
		} else {
			gaps = nil
		}
		if c := t.values(t.kept); taken+c.bits < p.bits {
			c.bits += taken
			p.Positions, p.gaps, p.coding = positions, gaps, c
		}
	}
	if p.Numbers = p.numbers; p.colors != nil {
		p.Values = len(p.colors.values)
	}
	p.Bytes = (p.bits + 7) / 8
	return p
}
