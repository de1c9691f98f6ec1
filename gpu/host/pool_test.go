package host

import (
	"runtime"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// addOne counts how often each item is done.
type addOne struct{ x []float32 }

func (k *addOne) run(lo, hi, _ int) {
	for i := lo; i < hi; i++ {
		k.x[i]++
	}
}

// Every item of every call is done once, whatever the calls, however many helpers are late, asleep or still at it.
func TestWorkers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := newWorkers(rapid.IntRange(1, 6).Draw(t, "workers"))
		defer w.close()
		for range rapid.IntRange(1, 60).Draw(t, "calls") {
			n := rapid.IntRange(0, 300).Draw(t, "items")
			k := &addOne{x: make([]float32, n)}
			w.run(n, rapid.IntRange(1, 70).Draw(t, "grain"), k)
			for i, v := range k.x {
				if v != 1 {
					t.Fatalf("item %d of %d was done %g times", i, n, v)
				}
			}
			// helpers fall asleep in a long one
			for range rapid.SampledFrom([]int{0, 0, 0, 1, 1 << 14}).Draw(t, "pause") {
				runtime.Gosched()
			}
		}
	})
}

// Helpers sleep after the same time, whatever a look takes, and whatever the clock says of it.
func TestLooks(t *testing.T) {
	for _, c := range []struct {
		name string
		took time.Duration
		want int
	}{
		{"PAUSE of an EPYC, 25 ns", 6400 * time.Nanosecond, 1000},
		{"PAUSE of 50 ns", 12800 * time.Nanosecond, 500},
		{"YIELD, 1 ns", 256 * time.Nanosecond, 25000},
		{"a clock that stood", 0, manyLooks},
		{"a clock that went back", -time.Second, manyLooks},
		{"a processor that was taken away", time.Second, fewLooks},
	} {
		if got := looksAt(c.took); got != c.want {
			t.Errorf("%s: %d looks take %v, so a helper looks %d times, wanted %d", c.name, tried, c.took, got, c.want)
		}
	}
	if n := looks(); n < fewLooks || n > manyLooks {
		t.Errorf("here a helper looks %d times, wanted %d to %d", n, fewLooks, manyLooks)
	}
}
