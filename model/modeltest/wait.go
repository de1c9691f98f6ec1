package modeltest

import "time"

// Patience is how long a test waits for what must come: enough for a busy machine that is ten times as slow.
const Patience = 10 * time.Minute

// test is a testing.TB, or rapid's T.
type test interface {
	Helper()
	Fatalf(format string, args ...any)
}

// Eventually looks again and again until ok says yes, for what gives nothing to wait on. The test fails where that does
// not come within Patience; what names it.
func Eventually(tb test, what string, ok func() bool) {
	tb.Helper()
	for deadline := time.Now().Add(Patience); !ok(); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			tb.Fatalf("%s: not within %v", what, Patience)
		}
	}
}
