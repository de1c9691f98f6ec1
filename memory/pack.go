package memory

import (
	"cmp"
	"math"
	"slices"
)

// A Life is a piece of memory and when it is in use: from the first to the last of some steps, both included.
type Life struct {
	Size        int
	First, Last int
}

// meets reports whether two pieces are in use at the same time.
func (a *Life) meets(b *Life) bool { return a.First <= b.Last && b.First <= a.Last }

// Peak is the most that is in use at one time: no packing is smaller.
func Peak(lives []Life) int {
	grows := map[int]int{}
	for _, l := range lives {
		grows[l.First] += l.Size
		grows[l.Last+1] -= l.Size
	}
	steps := make([]int, 0, len(grows))
	for step := range grows {
		steps = append(steps, step)
	}
	slices.Sort(steps)
	now, most := 0, 0
	for _, step := range steps {
		now += grows[step]
		most = max(most, now)
	}
	return most
}

// Pack gives each piece a place in one block of memory, such that no two that meet overlap, and returns the places and
// the size of the block. Where block is not 0, the memory comes in blocks of that size, and no piece lies across two;
// none may be larger. The result depends on the arguments alone.
//
// Finding the smallest block is NP-hard (Garey and Johnson, 1979: dynamic storage allocation). This tries several
// orders of the pieces; each is put, one after the other, where it fits between those before it: into the lowest gap,
// or the narrowest. Where none comes down to Peak, the pieces that stand out highest go first in another try.
func Pack(lives []Life, block int) (places []int, size int) {
	if block == 0 {
		block = math.MaxInt
	}
	p := packer{lives: lives, block: block, least: Peak(lives), size: math.MaxInt}
	for _, before := range []func(a, b *Life) int{
		func(a, b *Life) int { return cmp.Compare(b.Size, a.Size) },
		func(a, b *Life) int { return cmp.Compare(b.Last-b.First, a.Last-a.First) },
		func(a, b *Life) int { return cmp.Compare(b.Size*(b.Last-b.First+1), a.Size*(a.Last-a.First+1)) },
		func(a, b *Life) int { return cmp.Compare(a.First, b.First) },
	} {
		order := make([]int, len(lives))
		for i := range order {
			order[i] = i
		}
		slices.SortStableFunc(order, func(i, j int) int { return before(&lives[i], &lives[j]) })
		for _, narrowest := range []bool{false, true} {
			if p.improve(slices.Clone(order), narrowest); p.size == p.least {
				return p.places, p.size
			}
		}
	}
	return p.places, p.size
}

// packer keeps the best packing so far.
type packer struct {
	lives  []Life
	block  int
	least  int // no packing is smaller
	places []int
	size   int
}

// improve packs in an order, and then in orders in which what stood out highest goes first.
func (p *packer) improve(order []int, narrowest bool) {
	const tries = 8
	for range tries {
		places, size := p.pack(order, narrowest)
		if size < p.size {
			p.places, p.size = places, size
		}
		if size == p.least {
			return
		}
		at := slices.IndexFunc(order, func(i int) bool { return places[i]+p.lives[i].Size == size })
		if at <= 0 {
			return
		}
		high := order[at]
		copy(order[1:at+1], order[:at])
		order[0] = high
	}
}

// pack puts the pieces in an order.
func (p *packer) pack(order []int, narrowest bool) (places []int, size int) {
	places = make([]int, len(p.lives))
	var put []int // by their places
	for _, i := range order {
		places[i] = p.place(i, put, places, narrowest)
		size = max(size, places[i]+p.lives[i].Size)
		at, _ := slices.BinarySearchFunc(
			put,
			places[i],
			func(j, place int) int { return cmp.Compare(places[j], place) },
		)
		put = slices.Insert(put, at, i)
	}
	return places, size
}

// place finds a gap for a piece between those that were put before and meet it.
func (p *packer) place(i int, put, places []int, narrowest bool) int {
	l := &p.lives[i]
	best, gap, from := -1, math.MaxInt, 0
	fits := func(until int) bool { // reports whether to look no further
		at := p.whole(from, l.Size)
		if until != math.MaxInt && until-at < l.Size {
			return false
		}
		if until-from < gap || best < 0 {
			best, gap = at, until-from
		}
		return !narrowest
	}
	for _, j := range put {
		if l.meets(&p.lives[j]) {
			if places[j] > from && fits(places[j]) {
				return best
			}
			from = max(from, places[j]+p.lives[j].Size)
		}
	}
	if best < 0 {
		fits(math.MaxInt)
	}
	return best
}

// whole is the first place from at on where a piece does not lie across blocks.
func (p *packer) whole(at, size int) int {
	if size > 0 && at/p.block != (at+size-1)/p.block {
		return (at/p.block + 1) * p.block
	}
	return at
}
