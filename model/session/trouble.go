package session

import "time"

// trouble is something that cannot be written, a full disk say: told once, and again at growing intervals.
type trouble struct {
	err  error
	next time.Time // of the next word, and of the next try where that costs
	wait time.Duration
}

// A trouble is told of again after firstWait, and each time after twice as long, up to lastWait.
const (
	firstWait = 30 * time.Second
	lastWait  = time.Hour
)

// fails takes in a failure, and reports whether it is time to speak of it.
func (b *trouble) fails(err error, now time.Time) bool {
	fresh := b.err == nil
	b.err = err
	switch {
	case fresh:
		b.wait = firstWait
	case now.Before(b.next):
		return false
	default:
		b.wait = min(2*b.wait, lastWait)
	}
	b.next = now.Add(b.wait)
	return true
}

// over takes in a success, and reports whether there was trouble before.
func (b *trouble) over() bool {
	was := b.err != nil
	*b = trouble{}
	return was
}

// due reports whether it is time to try again what failed.
func (b *trouble) due(now time.Time) bool { return b.err != nil && !now.Before(b.next) }

// failed is the last failure, while it lasts.
func (b *trouble) failed() error { return b.err }

// every is how long it is until it is told of again.
func (b *trouble) every() time.Duration { return b.wait }

// retry comes when it is time to try again; never, where nothing failed.
func (b *trouble) retry() <-chan time.Time {
	if b.err == nil {
		return nil
	}
	return time.After(time.Until(b.next))
}
