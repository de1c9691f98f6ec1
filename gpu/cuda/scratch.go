//go:build cuda

package cuda

// scratch is memory that kernels need while they run. One run after the other uses it, so one of each is enough.
type scratch struct {
	partial  uint64 // sums of blocks: partialBytes
	counters uint64 // of blocks that are done; 0 between kernels: counterWords
	result   uint64 // a number that somebody waits for
	counts   uint64 // of Accuracy: countWords
	bins     uint64 // of histograms, of maxHistograms layers; 0 until one is asked for

	tiles     uint64 // shares of products
	tileBytes int64
}

const (
	partialBytes = 8 << 20
	counterWords = 64 << 10
	countWords   = 3 + 2*(64<<10)
)

func (d *Device) openScratch() error {
	for _, a := range []struct {
		at    *uint64
		bytes int64
	}{{&d.scratch.partial, partialBytes}, {&d.scratch.counters, 4 * counterWords}, {&d.scratch.result, 8}, {&d.scratch.counts, 4 * countWords}} {
		b, err := d.memory.get(d, a.bytes)
		if err != nil {
			return err
		}
		*a.at = uint64(b.at)
		d.clear(*a.at, a.bytes/4)
	}
	return nil
}

// tiles returns memory for the shares of a product. It grows, and what was is kept: captured graphs have its address.
func (d *Device) tiles(bytes int64) (uint64, bool) {
	if bytes > d.scratch.tileBytes {
		b, err := d.memory.get(d, max(bytes, 2*d.scratch.tileBytes))
		if err != nil {
			return 0, false // one share then
		}
		d.scratch.tiles, d.scratch.tileBytes = uint64(b.at), b.bytes
	}
	return d.scratch.tiles, true
}
