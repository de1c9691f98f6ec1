//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"encoding/binary"
	"fmt"
	"os"

	"dns-tui/gpu"
	"dns-tui/gpu/measured"
)

// How large a sum over ranks should be: one that begins early goes on beside more of the backward pass, but each costs
// something by itself. Sums of several sizes are measured once, and what was chosen is kept in a file, as the order in
// which NCCL adds depends on it.

// bucketSizes are the sizes that are measured, in numbers: 1 to 64 MiB of float32.
var bucketSizes = []int{1 << 18, 1 << 19, 1 << 20, 1 << 21, 1 << 22, 1 << 23, 1 << 24}

// bucketByRule is what is taken where nothing is measured: 16 MiB.
const bucketByRule = 1 << 22

// bucketKnee is which part of the best rate a bucket must reach, and slowBucket how many ms a sum may take for a larger
// one to be tried.
const (
	bucketKnee = 0.8
	slowBucket = 200
)

// BucketSize implements gpu.Bucketer: the smallest size whose rate is close to the best. All ranks get rank 0's, after
// which a failure of the group is told by Await.
func (d *back) BucketSize() int {
	r := d.ranks
	if r.lib == nil {
		return bucketByRule
	}
	var file *measured.File
	var known int
	if r.group.Rank() == 0 {
		known = bucketByRule
		if d.opts.Tune {
			known = 0
			if f, err := measured.Open("buckets.json", d.bucketsName()); err == nil {
				file, known = f, measured.Read[int](f)[r.wire.String()]
			}
		}
	}
	if known = r.tell(known); known > 0 {
		return known
	}
	defer d.during("measuring sums over the ranks")()
	size := r.tell(bestBucket(bucketSizes, d.measureBuckets()))
	if file != nil && size > 0 {
		_ = measured.Update(file, func(all map[string]int) bool {
			all[r.wire.String()] = size
			return true
		})
	}
	if size <= 0 {
		return bucketByRule
	}
	return size
}

// bucketsName is what the sizes in the file are for.
func (d *back) bucketsName() string {
	r := d.ranks
	return fmt.Sprintf("%s, driver %d, %s (%s, %s), %d ranks on %d machines", d.info.Name, d.driver, r.lib.name(),
		os.Getenv("NCCL_ALGO"), os.Getenv("NCCL_PROTO"), r.group.Size(), r.machines)
}

// tell returns rank 0's number on all ranks; 0 where the group has failed.
func (r *ranks) tell(n int) int {
	var mine []byte
	if r.group.Rank() == 0 {
		mine = binary.LittleEndian.AppendUint64(nil, uint64(n))
	}
	got, err := r.group.Broadcast(mine)
	if err != nil || len(got) != 8 {
		return 0
	}
	return int(binary.LittleEndian.Uint64(got))
}

// bestBucket is the smallest size whose rate reaches bucketKnee of the best, given the ms of the first sizes; 0 where
// there are none.
func bestBucket(sizes []int, ms []float64) int {
	var best float64
	for i, t := range ms {
		best = max(best, float64(sizes[i])/t)
	}
	for i, t := range ms {
		if float64(sizes[i])/t >= bucketKnee*best {
			return sizes[i]
		}
	}
	return 0
}

// measureBuckets returns how many ms a sum of each size takes, of as many sizes as there is memory for on all ranks,
// and time.
func (d *back) measureBuckets() (ms []float64) {
	r := d.ranks
	last := len(bucketSizes) - 1
	var m gpu.Memory
	for ; last >= 0; last-- {
		var err error
		if m, err = d.Alloc(bucketSizes[last]); err == nil {
			break
		}
	}
	if last >= 0 {
		defer m.Free()
	}
	all, err := r.group.Gather([]byte{byte(last + 1)})
	if err != nil {
		return nil
	}
	for _, a := range all {
		if len(a) == 1 {
			last = min(last, int(a[0])-1)
		}
	}
	for _, n := range bucketSizes[:last+1] {
		t := d.timeSum(&gpu.Tensor{Mem: m, N: n, Shape: []int{n}})
		ms = append(ms, t)
		more := 1
		if t > slowBucket || d.fault.err != nil {
			more = 0
		}
		if r.tell(more) == 0 {
			break
		}
	}
	r.dropRounds() // none of them comes again
	return ms
}

// timeSum returns the ms of a sum: the least of three, when it is a graph.
func (d *back) timeSum(x *gpu.Tensor) float64 {
	var best float64
	for i := range 6 {
		d.check(C.dns_record(d.c(), event(d.choices.from), d.s()), summing)
		d.allReduce(&gpu.AllReduce{X: x})
		d.awaitReduced()
		d.check(C.dns_record(d.c(), event(d.choices.to), d.s()), summing)
		d.wait()
		if d.fault.err != nil {
			return 1e9
		}
		var ms C.float
		d.check(C.dns_elapsed(event(d.choices.from), event(d.choices.to), &ms), summing)
		if i == 3 || i > 3 && float64(ms) < best {
			best = float64(ms)
		}
	}
	return max(best, 1e-3)
}
