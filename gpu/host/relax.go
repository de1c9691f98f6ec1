//go:build amd64 || arm64

package host

// relax tells the processor that a loop waits for another's write. On amd64 (PAUSE) it leaves what it shares to others
// for some tens of nanoseconds (25 on an EPYC), and the loop's end is seen sooner; on arm64 (YIELD) most processors do
// nothing. So nobody counts on how long it takes.
func relax()
