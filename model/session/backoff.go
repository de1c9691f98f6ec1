package session

import "time"

// backoff is of something that cannot be written, a full disk say: reported once, and again at growing intervals.
type backoff struct {
	err  error
	next time.Time // of the next word, and of the next try where that costs
	wait time.Duration
}

// A failure is reported again after firstWait, and each time after twice as long, up to lastWait.
const (
	firstWait = 30 * time.Second
	lastWait  = time.Hour
)

// fail takes in a failure, and reports whether it is time to speak of it.
func (b *backoff) fail(err error, now time.Time) bool {
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

// succeed takes in a success, and reports whether there were failures before.
func (b *backoff) succeed() bool {
	was := b.err != nil
	*b = backoff{}
	return was
}

// due reports whether it is time to try again what failed.
func (b *backoff) due(now time.Time) bool { return b.err != nil && !now.Before(b.next) }

// failed is the last failure, while it lasts.
func (b *backoff) failed() error { return b.err }

// every is how long it is until it is reported again.
func (b *backoff) every() time.Duration { return b.wait }

// retry comes when it is time to try again; never, where nothing failed.
func (b *backoff) retry() <-chan time.Time {
	if b.err == nil {
		return nil
	}
	return time.After(time.Until(b.next))
}
