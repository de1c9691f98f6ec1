//go:build cuda

package cuda

// #include "calls.h"
import "C"

// names of what is no kernel of this program, by the kind of the record.
var recordNames = map[uint16]string{
	C.record_clear: "clear", C.record_gemm: "cuBLAS", C.record_conv: "cuDNN", C.record_plan: "cuDNN's graph",
	C.record_event: "event", C.record_wait: "wait", C.record_sum: "NCCL", C.record_exchange: "NCCL",
}

// runTimed runs records one by one, and then each several times more, to measure it: what kernels add to is wrong from
// then on.
func (d *back) runTimed(words []uint64) {
	for at := 0; at < len(words) && d.fault.err == nil; {
		h := headerAt(words, at)
		next := at + headerWords + int(h.words)
		record := words[at:next]
		at = next
		d.runNow(record)
		d.wait()
		t := Timed{Kernel: recordNames[uint16(h.kind)], For: d.labelled(uint32(h.mark) >> 16)}
		switch h.kind {
		case C.record_event, C.record_wait, C.record_sum, C.record_exchange:
			continue // of several ranks, which would all have to do it again
		case C.record_kernel:
			t.Kernel = kernelNames[kernelID(h.mark&0xFFFF)]
			t.Blocks = int(h.grid_x) * int(h.grid_y) * int(h.grid_z)
		}
		if first := d.timed(record, 1); first >= 0 {
			if t.MS = d.timed(record, copiesFor(first)); t.MS >= 0 {
				d.opts.Timeline(t)
			}
		}
	}
}
