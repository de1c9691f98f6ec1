package modeltest

import "testing"

// Allocations returns how many allocations a call of f makes, on average over so many: the least of five such averages,
// as other goroutines (a GPU's monitor, the runtime) allocate, too, now and then.
func Allocations(runs int, f func()) float64 {
	least := testing.AllocsPerRun(runs, f)
	for range 4 {
		if least == 0 {
			break
		}
		least = min(least, testing.AllocsPerRun(runs, f))
	}
	return least
}
