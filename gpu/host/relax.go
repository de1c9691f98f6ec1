//go:build amd64 || arm64

package host

// relax tells the processor that a loop waits for another's write: it leaves what it shares to others for some tens of
// nanoseconds (PAUSE), and the loop's end is seen sooner.
func relax()
