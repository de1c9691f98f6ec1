package memory_test

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"dns-tui/memory"
)

// check says what is wrong with a packing.
func check(lives []memory.Life, block int, places []int, size int) error {
	if len(places) != len(lives) {
		return fmt.Errorf("%d places for %d pieces", len(places), len(lives))
	}
	for i, a := range lives {
		end := places[i] + a.Size
		switch {
		case places[i] < 0 || end > size:
			return fmt.Errorf("piece %d lies at %d to %d of %d", i, places[i], end, size)
		case block > 0 && a.Size > 0 && places[i]/block != (end-1)/block:
			return fmt.Errorf("piece %d, %d to %d, lies across blocks of %d", i, places[i], end, block)
		}
		for j, b := range lives[:i] {
			if a.First <= b.Last && b.First <= a.Last && places[i] < places[j]+b.Size && places[j] < end {
				return fmt.Errorf("pieces %d and %d meet in time and in memory: %v at %d, %v at %d",
					j, i, b, places[j], a, places[i])
			}
		}
	}
	return nil
}

func lives(t *rapid.T) []memory.Life {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) memory.Life {
		first := rapid.IntRange(0, 30).Draw(t, "first")
		return memory.Life{
			Size:  rapid.IntRange(0, 40).Draw(t, "size"),
			First: first,
			Last:  first + rapid.IntRange(0, 12).Draw(t, "steps"),
		}
	}), 0, 40).Draw(t, "lives")
}

// No two pieces that meet overlap, whatever they are, and what is packed is not less than what is in use at one time.
func TestPack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lives(t)
		block := rapid.SampledFrom([]int{0, 40, 64}).Draw(t, "block")
		places, size := memory.Pack(l, block)
		if err := check(l, block, places, size); err != nil {
			t.Fatal(err)
		}
		peak := memory.Peak(l)
		var all int
		for _, p := range l {
			all += p.Size
		}
		if size < peak || block == 0 && size > all {
			t.Errorf("%d for a peak of %d and %d in all", size, peak, all)
		}
		if again, n := memory.Pack(l, block); n != size || !slices.Equal(again, places) {
			t.Errorf("packed again: %v, %d; before %v, %d", again, n, places, size)
		}
	})
}

// Peak is the largest sum of what is in use at a step.
func TestPeak(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := lives(t)
		want := 0
		for step := range 50 {
			now := 0
			for _, p := range l {
				if p.First <= step && step <= p.Last {
					now += p.Size
				}
			}
			want = max(want, now)
		}
		if got := memory.Peak(l); got != want {
			t.Errorf("%d, wanted %d", got, want)
		}
	})
}

func TestPackCases(t *testing.T) {
	for _, c := range []struct {
		name  string
		lives []memory.Life
		block int
		want  int
	}{
		{"nothing", nil, 0, 0},
		{"a chain", []memory.Life{{10, 0, 1}, {20, 1, 2}, {30, 2, 3}, {5, 3, 4}}, 0, 50},
		{"forward and backward", []memory.Life{{8, 0, 5}, {4, 1, 4}, {2, 2, 3}, {2, 3, 4}, {4, 4, 5}}, 0, 18},
		{"blocks", []memory.Life{{30, 0, 1}, {30, 0, 1}}, 40, 70},
		{"a tight one", []memory.Life{{4, 0, 1}, {3, 1, 3}, {5, 2, 4}, {4, 4, 6}, {3, 5, 6}, {2, 0, 2}}, 0, 10},
	} {
		places, size := memory.Pack(c.lives, c.block)
		if err := check(c.lives, c.block, places, size); err != nil || size != c.want {
			t.Errorf("%s: %v, %d, %v; wanted %d", c.name, places, size, err, c.want)
		}
	}
}
