//go:build cuda

package cuda

// #include "calls.h"
import "C"

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"gorgonia.org/cu"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
)

// card is what ranks tell each other before they are joined.
type card struct {
	Error string // why this rank cannot
	NCCL  int    // its version
	GPU   string // its identity; "" where the driver tells none
	Graph bool   // it wants graphs
}

// Join implements gpu.Joiner. All ranks return the same error, or none.
func (d *back) Join(g collective.Group) error {
	if d.ranks != nil {
		return errors.New("the GPU has joined a group already")
	}
	r := &ranks{group: g, wire: collective.WireOf(g), stop: make(chan struct{}), ended: make(chan struct{})}
	r.watcher, _ = g.(collective.Watcher)
	if g.Size() == 1 {
		d.ranks = r
		return nil
	}
	lib, err := findNCCL(d.driver)
	if err := d.compareCards(r, lib, err); err != nil {
		return err
	}
	r.lib = lib
	id, err := r.handRound()
	if err != nil {
		return err
	}
	err = d.initialize(r, id)
	if err != nil {
		g.Fail("cannot be joined: " + err.Error()) // others may wait for this one, within NCCL
	}
	if err := r.agree(err); err != nil {
		r.abandon()
		r.closeStream()
		return err
	}
	d.ranks = r
	go r.watch()
	if err := r.agree(d.trySum()); err != nil {
		r.aborted.Store(true)
		d.closeRanks()
		r.abandon()
		return err
	}
	return nil
}

// compareCards tells the others of this rank, and compares all.
func (d *back) compareCards(r *ranks, lib *nccl, err error) error {
	mine := card{Graph: !d.opts.NoGraphs && !d.opts.Blocking}
	if err != nil {
		mine.Error = err.Error()
	} else {
		mine.NCCL = lib.version
	}
	if id, err := cu.Device(d.opts.Ordinal).UUID(); err == nil {
		mine.GPU = id.String()
	}
	message, err := json.Marshal(mine)
	if err != nil {
		return err
	}
	messages, err := r.group.Gather(message)
	if err != nil {
		return err
	}
	cards := make([]card, len(messages))
	r.graphs = true
	for i, m := range messages {
		if err := json.Unmarshal(m, &cards[i]); err != nil {
			return r.errorOf(i, fmt.Sprintf("tells of its GPU what cannot be read: %v", err))
		}
		r.graphs = r.graphs && cards[i].Graph
	}
	return r.judge(cards)
}

// judge says what is wrong with a rank, or between two.
func (r *ranks) judge(cards []card) error {
	for i, c := range cards {
		if c.Error != "" {
			return r.errorOf(i, "cannot be joined: "+c.Error)
		}
	}
	for i, c := range cards {
		if c.NCCL != cards[0].NCCL {
			return r.errorOf(
				i,
				fmt.Sprintf("has %s, rank 0 %s; wanted the same", ncclName(c.NCCL), ncclName(cards[0].NCCL)),
			)
		}
		for j, other := range cards[:i] {
			if c.GPU != "" && c.GPU == other.GPU {
				return r.errorOf(i, fmt.Sprintf("has the same GPU as rank %d, GPU-%s; wanted one for each", j, c.GPU))
			}
		}
	}
	return nil
}

func (r *ranks) errorOf(rank int, reason string) error {
	return &collective.RankError{Rank: rank, Member: r.group.Members()[rank], Reason: reason}
}

// agree has all ranks return the first one's error.
func (r *ranks) agree(err error) error {
	var text string
	if err != nil {
		text = err.Error()
	}
	all, e := r.group.Gather([]byte(text))
	if e != nil {
		return e
	}
	for i, t := range all {
		if len(t) > 0 {
			return r.errorOf(i, "cannot be joined: "+string(t))
		}
	}
	return nil
}

// handRound gives all ranks the id that rank 0 makes.
func (r *ranks) handRound() (id []byte, err error) {
	r.pin()
	var mine []byte
	if r.group.Rank() == 0 {
		if mine, err = r.lib.uniqueID(); err != nil {
			mine = []byte("!" + err.Error())
		} else {
			mine = append([]byte(" "), mine...)
		}
	}
	got, err := r.group.Broadcast(mine)
	switch {
	case err != nil:
		return nil, err
	case len(got) > 0 && got[0] == '!':
		return nil, r.errorOf(0, "cannot be joined: "+string(got[1:]))
	case len(got) != 1+idBytes:
		return nil, r.errorOf(0, fmt.Sprintf("made an id of %d bytes; wanted %d", len(got)-1, idBytes))
	}
	return got[1:], nil
}

// pin has NCCL add in the same order in every run. By itself it chooses an algorithm and a protocol by the size of a
// sum and by what it finds of the machines; where switches add (NVLS, CollNet) the order is theirs. Ring moves the
// fewest bytes over each link of one machine. It takes as many steps as there are ranks, so between machines the steps
// are those of NCCL's two trees, as many as the logarithm, with the same bytes. Simple is the protocol for large sums,
// which buckets are. Whoever sets NCCL_ALGO or NCCL_PROTO knows better.
func (r *ranks) pin() {
	r.machines = machines(r.group.Members())
	algorithm := "Ring"
	if r.machines > 1 {
		algorithm = "Tree"
	}
	for name, value := range map[string]string{"NCCL_ALGO": algorithm, "NCCL_PROTO": "Simple"} {
		if os.Getenv(name) == "" {
			_ = os.Setenv(name, value) // the names are good
		}
	}
}

// machines counts those that ranks are on.
func machines(members []collective.Member) int {
	hosts := map[string]bool{}
	for _, m := range members {
		hosts[m.Host] = true
	}
	return len(hosts)
}

// initialize makes the communicator, and a stream and events for sums.
func (d *back) initialize(r *ranks, id []byte) (err error) {
	type made struct {
		comm uint64
		err  error
	}
	done := make(chan made, 1)
	ctx := d.c()
	go func() {
		comm, err := r.lib.initialize(ctx, r.group.Size(), id, r.group.Rank())
		done <- made{comm, err}
	}()
	select {
	case m := <-done:
		if m.err != nil {
			return m.err
		}
		r.comm = m.comm
	case <-r.group.Failed(): // NCCL may wait for a rank that is gone, and nothing but the process's end ends that
		go func() {
			if m := <-done; m.err == nil {
				r.lib.call("ncclCommAbort", m.comm)
			}
		}()
		return r.group.Err()
	}
	leave, err := d.enter()
	if err != nil {
		return err
	}
	defer leave()
	if r.stream, err = cu.MakeStreamWithPriority(streamPriority, cu.NonBlocking); err != nil {
		return err
	}
	r.done, err = d.makeEvent(cu.DisableTiming)
	return err
}

// trySum has the ranks sum their numbers once: connections are made, and what NCCL does is looked at.
func (d *back) trySum() error {
	r := d.ranks
	m, err := d.Alloc(1)
	if err != nil {
		return err
	}
	defer m.Free()
	x := &gpu.Tensor{Mem: m, N: 1, Shape: []int{1}}
	d.Upload(x, []float32{float32(r.group.Rank() + 1)})
	d.allReduce(&gpu.AllReduce{X: x, Exact: true})
	d.awaitReduced()
	sum := make([]float32, 1)
	d.Download(sum, x)
	if d.fault.err != nil {
		return d.fault.err
	}
	if err := r.failure(); err != nil {
		return err
	}
	n := r.group.Size()
	if want := float32(n * (n + 1) / 2); sum[0] != want {
		return fmt.Errorf("NCCL's sum of 1 to %d is %g", n, sum[0])
	}
	return nil
}

// asyncEvery is how often NCCL is asked whether something has gone wrong.
var asyncEvery = time.Second

// watch aborts NCCL when the group fails, so that nobody waits for ever, and fails the group when NCCL has.
func (r *ranks) watch() {
	defer close(r.ended)
	tick := time.NewTicker(asyncEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.stop:
			return
		case <-r.group.Failed():
			r.abort()
			return
		case <-tick.C:
			if !r.mu.TryLock() {
				continue
			}
			err := r.lib.asyncError(r.comm)
			r.mu.Unlock()
			if err != nil {
				r.group.Fail("has lost the others, says NCCL: " + err.Error())
			}
		}
	}
}

// abort has NCCL's kernels end. A call of NCCL's that is under way is waited for, unless it waits itself, for a rank
// that is gone: then it is aborted, too. From NCCL 2.26 on this lasts until there is no graph of sums any more.
func (r *ranks) abort() {
	r.aborted.Store(true)
	for range 200 {
		if r.mu.TryLock() {
			defer r.mu.Unlock()
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	r.abandon()
}

// abandon lets the communicator go, whatever is under way.
func (r *ranks) abandon() {
	if r.comm != 0 {
		r.lib.call("ncclCommAbort", r.comm)
		r.comm = 0
	}
}

// enter takes the lock under which NCCL is called; it reports false where the group has failed.
func (r *ranks) enter() bool {
	for !r.mu.TryLock() {
		if r.aborted.Load() {
			return false // the lock may be held until there are no graphs
		}
		time.Sleep(20 * time.Microsecond)
	}
	if r.aborted.Load() {
		r.mu.Unlock()
		return false
	}
	return true
}

// failed reports whether the group has failed.
func (r *ranks) failed() bool {
	select {
	case <-r.group.Failed():
		return true
	default:
		return false
	}
}

// failure is the group's, unless the device has left it. The device itself goes on.
func (r *ranks) failure() error {
	if !r.failed() {
		return nil
	}
	r.dropRounds()
	if r.left {
		return nil
	}
	return r.group.Err()
}

func (r *ranks) dropRounds() {
	for _, k := range r.rounds {
		k.drop(r)
	}
	r.rounds = nil
}

// Leave implements gpu.Joiner.
func (d *back) Leave() {
	r := d.ranks
	if r == nil {
		return
	}
	r.left = true
	if r.failed() && r.lib != nil {
		r.dropRounds()
		r.awaitEnd()
	}
}

// awaitEnd waits until nobody watches any more, and what was to be aborted is; but not for ever, as it is NCCL that
// aborts.
func (r *ranks) awaitEnd() {
	select {
	case <-r.ended:
	case <-time.After(patience):
	}
}

// patience is how long NCCL may take to abort, or to part in good order.
const patience = 30 * time.Second

// waiting tells the group's watcher that the device begins to wait, or has ceased to.
func (d *back) waiting(on bool) {
	if d.ranks != nil && d.ranks.watcher != nil {
		d.ranks.watcher.Waiting(on)
	}
}

// closeRanks lets the group go.
func (d *back) closeRanks() {
	r := d.ranks
	d.ranks = nil
	if r == nil || r.lib == nil {
		return
	}
	r.dropRounds()
	close(r.stop)
	r.awaitEnd()
	if !r.aborted.Load() {
		done := make(chan struct{})
		go func() {
			r.lib.call("ncclCommDestroy", r.comm) // sends what others still wait for
			close(done)
		}()
		select {
		case <-done:
		case <-r.group.Failed(): // others may not come
		case <-time.After(patience):
		}
	}
	r.closeStream()
}

func (r *ranks) closeStream() {
	if r.stream != (cu.Stream{}) {
		_ = r.stream.Destroy()
	}
}

// sums says what sums over the ranks; nothing where there are none.
func (d *back) sums() string {
	r := d.ranks
	if r == nil || r.lib == nil {
		return ""
	}
	return fmt.Sprintf(
		"%s (%s)",
		r.lib.name(),
		strings.Join([]string{os.Getenv("NCCL_ALGO"), os.Getenv("NCCL_PROTO")}, ", "),
	)
}
