package collective

import (
	"runtime"
	"testing"
	"time"
)

// TestSumsAllocateNothing counts what many sums allocate, all ranks and signs of life together.
func TestSumsAllocateNothing(t *testing.T) {
	for name, open := range makers {
		if name == "in-process" {
			continue // is for tests
		}
		t.Run(name, func(t *testing.T) {
			const n, sums = 2, 2000
			groups := open(t, n, Options{Timeout: time.Hour})
			arrays := [n][]float32{make([]float32, 5000), make([]float32, 5000)}
			add := func(count int) {
				each(n, func(r int) {
					for range count {
						groups[r].Reduce(arrays[r][:2000], false)
						groups[r].Reduce(arrays[r][2000:], true)
						if err := groups[r].Wait(); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			add(10)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			add(sums)
			runtime.ReadMemStats(&after)
			if count := after.Mallocs - before.Mallocs; count > sums/2 { // signs of life and the runtime have some
				t.Errorf("%d allocations in %d steps", count, sums)
			}
			closeAll(t, groups)
		})
	}
}
