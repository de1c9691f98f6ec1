// Package collective joins the processes that train one net together: its ranks, 0 to n-1. A Group passes messages
// between them, and sums arrays over them.
//
// # Sums
//
// Reduce leaves ((x₀ + x₁) + x₂) + … in x on every rank, where x_r is what rank r had: the order of the ranks, in
// float32, element by element. So sums have the same bits on all ranks and from run to run, and are those of one
// process that adds n gradients one after the other.
//
// # Order
//
// Every rank makes the same calls of Broadcast, Gather and Reduce in the same order; sums may be under way beside each
// other and beside messages.
//
// # Failures
//
// A rank that dies, stops to answer, or says Fail ends the group: every call that waits or comes after returns a
// *RankError, the same on all ranks, and Failed is closed. Nothing leaves that state.
//
// # Who opens a group
//
// A process that a launcher has started, or rank 0 of ours:
//
//	place, err := collective.Launch()               // the environment's; place.Alone() where nobody says anything
//	group, err := collective.Open(place, options)   // returns when all ranks are there
//
// A process that is to be rank 0 of n on this machine starts the others itself. They call Launch and Open, as above:
//
//	local, err := collective.StartLocal(n, func(rank int) *exec.Cmd { return exec.Command(self, arguments...) })
//	group, err := collective.Open(local.Place(), options)
//	…
//	err = group.Close()           // or group.Fail(reason), and then Close
//	ends, err := local.Wait(ctx)  // how the children ended, by rank
package collective

import (
	"fmt"
	"time"
)

// Group is the ranks of a run, seen by one of them. Its methods but Fail, Failed, Err and Status are called from one
// goroutine at a time.
type Group interface {
	// Rank is this process's number, Size how many there are.
	Rank() int
	Size() int
	// Members says who the ranks are, by rank.
	Members() []Member
	// Engine describes what carries the sums: "shared memory", "Open MPI 4.1.4", "TCP".
	Engine() string

	// Broadcast returns rank 0's message on all ranks; others may pass nil. There is no time-out for it: rank 0 may
	// have nothing to say for days. Who waits notices nonetheless that rank 0 is gone. What it returns is valid until
	// the next call.
	Broadcast(message []byte) ([]byte, error)
	// Gather returns the messages of all ranks, by rank, on all ranks. What it returns is valid until the next call.
	Gather(message []byte) ([][]byte, error)

	// Reduce starts to replace x by its sum over the ranks. Until Wait has returned x is the group's. Unless exact is
	// set the numbers may travel in the group's Wire format.
	Reduce(x []float32, exact bool)
	// Wait waits for all sums that were started.
	Wait() error

	// Fail ends the group for all ranks with a reason, which they report as this rank's. It may be called from any
	// goroutine.
	Fail(reason string)
	// Failed is closed when the group has ended by a failure, which is Err. Both may be used from any goroutine.
	Failed() <-chan struct{}
	Err() error
	// Status says how the ranks are, by rank, as far as this one knows: rank 0 knows all. From any goroutine.
	Status() []Status
	// Tell says what this rank tells of itself with its signs of life: up to 4 KiB, which become Status.Told. about may
	// be called from any goroutine until Tell returns with another; nil tells nothing.
	Tell(about func() []byte)
	// Close leaves the group in good order: others do not take it for a failure. All ranks call it, or one calls Fail.
	Close() error
}

// Member is who a rank is.
type Member struct {
	Host   string // of the machine
	PID    int
	Device string // "host (2 threads, OpenBLAS ...)"
}

// Status is how a rank is.
type Status struct {
	Seen    time.Time     // when this rank heard of it last
	Sums    uint64        // collective calls that it has entered
	Waiting time.Duration // how long it has waited for others, all in all
	Told    []byte        // what it tells of itself: see Group.Tell. Never changed
}

// RankError says at which rank a group ended, and why.
type RankError struct {
	Rank   int
	Member Member
	Reason string // "has died", "a disk is full: …"
}

func (e *RankError) Error() string {
	if e.Member.Host == "" {
		return fmt.Sprintf("rank %d %s", e.Rank, e.Reason)
	}
	return fmt.Sprintf("rank %d (%s, process %d) %s", e.Rank, e.Member.Host, e.Member.PID, e.Reason)
}

// ToldToEnd is the reason of a rank that was asked to end, as by a signal, and ends all in good order: rank 0 saves
// what there is.
const ToldToEnd = "was told to end"

// CannotGoOn begins the reason of a rank that has failed by itself.
const CannotGoOn = "cannot go on: "

// Wire is the format in which gradients travel between ranks. They are summed in float32 all the same.
type Wire int

// The formats.
const (
	Float32 Wire = iota
	// BFloat16 rounds each rank's numbers to 8 bits of precision, to the nearest, ties to even, and so the sums.
	BFloat16
)

func (w Wire) String() string {
	if w == BFloat16 {
		return "bf16"
	}
	return "float32"
}

// Options of a group.
type Options struct {
	Wire Wire
	// Timeout is how long a rank waits for the others in Gather and Wait, and how long one may give no sign of life,
	// before the group ends. 0 is DefaultTimeout.
	Timeout time.Duration
	// Version is the program's: ranks of different versions do not join each other.
	Version string
	// Device says what this rank computes on, for Members.
	Device string
	// Engine is "shared", "tcp" or "mpi" where the user chose; empty: Open chooses.
	Engine string
	// Log takes lines for a person: who was refused at the rendezvous, and why. It may be nil.
	Log func(line string)
}

// DefaultTimeout is Options.Timeout where nothing is said: a first batch from a slow disk may take minutes.
const DefaultTimeout = 5 * time.Minute
