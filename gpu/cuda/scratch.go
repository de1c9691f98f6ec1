//go:build cuda

package cuda

import (
	"cmp"
	"fmt"
)

// scratch is memory that kernels need while they run. One run after the other uses it, so one of each is enough.
type scratch struct {
	partial  address // sums of blocks: partialBytes
	counters address // of blocks that are done; 0 between kernels: counterWords
	quiet    address // where kernels of a graph note that they began, which nobody reads
	result   address // a number that somebody waits for
	fetched  address // numbers on their way to the host at the next mark: slotBytes/2
	counts   address // of Accuracy: countWords
	bins     address // of histograms, of maxHistograms layers; 0 until one is asked for

	tiles     address // of the slices of products
	tileBytes int64
	told      bool // that there was no room for them
}

const (
	partialBytes = 8 << 20
	counterWords = 64 << 10
	countWords   = 3 + 2*(64<<10)
)

func (d *back) openScratch() error {
	for _, a := range []struct {
		at    *address
		bytes int64
	}{
		{&d.scratch.partial, partialBytes}, {&d.scratch.counters, 4 * counterWords}, {&d.scratch.result, 8},
		{&d.scratch.quiet, 4}, {&d.scratch.fetched, slotBytes / 2},
		{&d.scratch.counts, 4 * countWords},
	} {
		b, err := d.memory.get(d, a.bytes)
		if err != nil {
			return err
		}
		*a.at = b.addr
		d.clear(*a.at, a.bytes/4)
	}
	return nil
}

// inOneSlice says, once for a device, that a product is not done in the slices that it would have where there is room.
func (d *back) inOneSlice() {
	if !d.scratch.told && !d.memory.trying {
		d.scratch.told = true
		d.notices = append(
			d.notices,
			fmt.Sprintf("GPU memory is short: %s is done in one slice, and so may be others; "+
				"last bits differ from those of a run that has room", cmp.Or(d.labelled(d.fault.label), "a product")),
		)
	}
}

// tiles returns memory for the slices of a product. It grows, and what was is kept: captured graphs have its address.
func (d *back) tiles(bytes int64) (address, bool) {
	if bytes > d.scratch.tileBytes {
		b, err := d.memory.spared(d, max(bytes, 2*d.scratch.tileBytes))
		if err != nil {
			b, err = d.memory.spared(d, bytes)
		}
		if err != nil {
			d.inOneSlice()
			return 0, false
		}
		d.scratch.tiles, d.scratch.tileBytes = b.addr, b.bytes
	}
	return d.scratch.tiles, true
}
