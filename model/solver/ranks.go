package solver

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model/layer"
)

// # Several ranks
//
// A run of n ranks is what a run of one rank with n times the iter_size is: of the n·iter_size passes of an iteration
// rank r does n·p + r for p = 0 … iter_size-1, each on the batch, and with the random numbers, that this pass has. The
// gradients are summed over the ranks while the backward pass goes on, divided by the number of passes, and every rank
// makes the same update, by itself, of the same weights (Caffe's P2PSync and NCCL do so). Surgery looks at nothing but
// weights and settings, so every rank draws the same masks.
//
// Rank 0 is steered: by its session, which knows nothing of the others. What changes the training it tells them as it
// does it (orders.go), and they do the same (Solver.Follow).

// ranks is what a solver has that is one of several. Its zero value is one that is alone.
type ranks struct {
	group   collective.Group // nil: alone
	rank    int
	devices []string // names, by rank
	// gradients are those of all parameters, in the order in which the backward pass completes them; buckets are the
	// parts of it that are summed as one.
	gradients *gpu.Tensor
	buckets   []bucket
	filled    int // buckets that are under way in this iteration

	exact *gpu.Tensor // what is summed without rounding: see exactRoom
	exactRoom
	told told // see orders.go

	sums, found []byte // room of compareRanks
}

// bucket is neighbouring gradients. It is whole when that of last is.
type bucket struct {
	x    *gpu.Tensor
	last *layer.Param
}

// exactRoom is what the tensor of exact sums holds: first a number that is 1 on each rank, so that it is how many ranks
// the sums are of; then the losses of all passes of all ranks, each rank's in places of its own; then how far the
// running statistics (BatchNorm's) have moved.
type exactRoom struct {
	stamp      *gpu.Tensor
	losses     *gpu.Tensor
	lossOf     [][]*gpu.Tensor // by pass of this rank and loss blob
	perPass    int             // losses of a pass
	moved      *gpu.Tensor     // nil where the net has no running statistics
	statistics *gpu.Tensor     // all of them
	before     []*gpu.Tensor   // as they were, on all ranks alike, before the iteration, the one before it, … (lag + 1)
}

// size is how many ranks there are.
func (r *ranks) size() int {
	if r.group == nil {
		return 1
	}
	return r.group.Size()
}

// RankDevices are the names of the ranks' devices; nil of a solver that is alone.
func (s *Solver) RankDevices() []string { return s.ranks.devices }

// passes is how many passes an iteration has, on all ranks.
func (s *Solver) passes() int { return int(s.param.GetIterSize()) * s.ranks.size() }

// openRanks prepares the sums over the ranks.
func (s *Solver) openRanks(g collective.Group) error {
	if g == nil {
		return nil
	}
	r := &s.ranks
	r.group, r.rank = g, g.Rank()
	if err := s.device.Join(g); err != nil {
		return err
	}
	g.Tell(func() []byte {
		health, _ := json.Marshal(s.device.Health()) // numbers and a word
		return health
	})
	s.eachSource(func(_, _ string, src layer.Source) { src.Deal(r.rank, g.Size()) })
	if err := s.gatherGradients(); err != nil {
		return err
	}
	s.Net.OnGradient(s.gradientReady)
	return s.openExact()
}

// gatherGradients moves all gradients into one array.
func (s *Solver) gatherGradients() (err error) {
	r, order, n := &s.ranks, s.Net.GradientOrder(), 0
	for _, p := range order {
		n += p.Diff.N
	}
	if n == 0 {
		return errors.New("no parameter is trained: several ranks have nothing to share")
	}
	if r.gradients, err = gpu.NewTensor(s.device, n); err != nil {
		return err
	}
	least := s.device.BucketSize()
	at, from := 0, 0
	for i, p := range order {
		p.Diff.Mem.Free()
		p.Diff = r.gradients.View(at, p.Shape...)
		at += p.Diff.N
		if at-from >= least || i == len(order)-1 {
			r.buckets = append(r.buckets, bucket{r.gradients.View(from, at-from), p})
			from = at
		}
	}
	return nil
}

// maxLosses is how many losses an iteration may have, on all ranks.
const maxLosses = 1 << 20

// openExact makes room for what is summed without rounding.
func (s *Solver) openExact() (err error) {
	r, blobs := &s.ranks, s.Net.LossBlobs()
	for _, b := range blobs {
		r.perPass += b.Data.N
	}
	var moving []*layer.Param
	statistics := 0
	for _, p := range s.Net.Params() {
		if p.Statistics {
			moving, statistics = append(moving, p), statistics+p.Data.N
		}
	}
	if most := maxLosses / max(1, r.perPass*r.size()); int(s.param.GetIterSize()) > most {
		return fmt.Errorf(
			"iter_size is %d; wanted at most %d for %d ranks, which tell each other the losses of all passes",
			s.param.GetIterSize(),
			most,
			r.size(),
		)
	}
	losses := s.passes() * r.perPass
	if r.exact, err = gpu.NewTensor(s.device, 1+losses+statistics); err != nil {
		return err
	}
	r.stamp, r.losses = r.exact.View(0, 1), r.exact.View(1, losses)
	for pass := range int(s.param.GetIterSize()) {
		at := (pass*r.size() + r.rank) * r.perPass
		views := make([]*gpu.Tensor, len(blobs))
		for i, b := range blobs {
			views[i] = r.losses.View(at, b.Data.N)
			at += b.Data.N
		}
		r.lossOf = append(r.lossOf, views)
	}
	if statistics == 0 {
		return nil
	}
	r.moved = r.exact.View(1+losses, statistics)
	if r.statistics, err = gpu.NewTensor(s.device, statistics); err != nil {
		return err
	}
	for range s.lag + 1 {
		before, err := gpu.NewTensor(s.device, statistics)
		if err != nil {
			return err
		}
		r.before = append(r.before, before)
	}
	at := 0
	for _, p := range moving { // side by side, so that a step moves all of them at once
		p.Data.Mem.Free()
		p.Data = r.statistics.View(at, p.Shape...)
		at += p.Data.N
	}
	return nil
}

// beginSums begins the sums of an iteration.
func (s *Solver) beginSums() {
	r := &s.ranks
	r.filled = 0
	s.device.Fill(r.exact, 0)
	s.device.Fill(r.stamp, 1)
	for i := len(r.before) - 1; i > 0; i-- { // copies, no ring: a device repeats operations with the same addresses
		s.device.Copy(r.before[i], r.before[i-1])
	}
	if r.before != nil {
		s.device.Copy(r.before[0], r.statistics)
	}
}

// keepLosses takes in the losses of one of this rank's passes.
func (s *Solver) keepLosses(pass int) error {
	for i, b := range s.Net.LossBlobs() {
		to := s.ranks.lossOf[pass][i]
		if to.N != b.Data.N {
			return fmt.Errorf("blob %q counts toward the loss and has %d numbers, %d when the net was built; "+
				"several ranks want losses whose shape stays", b.Name, b.Data.N, to.N)
		}
		s.device.Copy(to, b.Data)
	}
	return nil
}

// gradientReady starts the sum of a bucket that is whole: Net.Backward tells, in the last pass of an iteration.
func (s *Solver) gradientReady(p *layer.Param) {
	r := &s.ranks
	if s.clock.Pass/uint64(r.size()) != uint64(s.param.GetIterSize()-1) {
		return
	}
	if b := r.buckets[r.filled]; b.last == p {
		s.device.AllReduce(b.x, false)
		r.filled++
	}
}

// finishSums has the device wait for all sums: gradients, losses, and the running statistics, which become the mean of
// what the ranks have found.
func (s *Solver) finishSums() {
	r := &s.ranks
	if r.moved != nil {
		s.device.Copy(r.moved, r.statistics)
		s.device.Axpby(-1, r.before[0], 1, r.moved)
	}
	s.device.AllReduce(r.exact, true)
	s.device.AwaitReduced()
	if r.moved != nil { // a mean of differences: where nothing has moved, nothing is rounded either
		s.device.Copy(r.statistics, r.before[0])
		s.device.Axpby(1/float32(r.size()), r.moved, 1, r.statistics)
	}
}

// closeGateOfSums closes the gate where a loss of any rank is not finite, or where the sums were not finished, as after
// a rank has died: then the stamp is not the number of ranks.
func (s *Solver) closeGateOfSums() {
	r := &s.ranks
	s.device.Dot(0, r.losses, r.losses, s.scratch)
	s.device.Axpby(0, s.scratch, 1, s.gate)
	s.device.Power(r.stamp, 2, 1, -float32(r.size()), s.scratch) // (stamp - n)², 0 where all is well
	s.device.Power(s.scratch, 0.5, -1, 0, s.scratch)             // √-x: NaN for all x but 0
	s.device.Axpby(0, s.scratch, 1, s.gate)
}

// setClock says which of its passes the rank runs.
func (s *Solver) setClock(pass int) {
	s.clock.Iter, s.clock.Pass = uint64(s.Iter), uint64(pass*s.ranks.size()+s.ranks.rank)
}

// runPassesOfRank runs this rank's passes of an iteration, and sums what they give with what the others' gave. A loss
// that is not finite is found afterwards, by all alike.
func (s *Solver) runPassesOfRank(f *iteration) error {
	s.beginSums()
	own := int(s.param.GetIterSize())
	for pass := range own {
		if pass > 0 {
			if stop, err := s.agreeToStop(); err != nil {
				return s.abandon(f, err)
			} else if stop {
				return s.giveUp(f, pass*s.ranks.size())
			}
		}
		s.setClock(pass)
		err := s.Net.Run()
		if err == nil {
			err = s.keepLosses(pass)
		}
		if err != nil { // the others wait in a sum
			s.ranks.group.Fail(collective.CannotGoOn + err.Error())
			_ = s.abandon(f, err)
			return err
		}
		s.Net.Apart(pass > 0)
		s.Net.Backward()
	}
	s.finishSums()
	f.losses = slices.Grow(f.losses, s.ranks.losses.N)[:s.ranks.losses.N]
	s.device.Fetch(f.losses, s.ranks.losses)
	s.device.Fetch(f.stamp, s.ranks.stamp)
	s.clock.Pass = uint64(f.passes - 1) // as after the passes of a rank that is alone
	if s.lag > 0 {
		s.closeGateOfSums()
		return nil
	}
	if err := s.device.Sync(); err != nil {
		return s.abandon(f, err)
	}
	for losses, per := f.losses, s.ranks.perPass; len(losses) > 0; losses = losses[per:] {
		if l := s.Net.Objective(losses[:per]); !finite(l) {
			return s.rewindTo(f, l)
		}
	}
	return nil
}

// abandon goes back to the first iteration that the ranks did not finish together, after the group has failed with err:
// weights and running statistics are those before it, masks those that it redrew (Redrawn), and can be saved. begun is
// an iteration that is not in flight yet, or nil.
func (s *Solver) abandon(begun *iteration, err error) error {
	if e := s.ranks.group.Err(); e != nil {
		err = e
	}
	s.device.Leave()
	if s.device.Sync() != nil {
		s.inFlight = 0
		return err
	}
	undone, last := begun, s.Iter-1 // last is the iteration that was begun last
	if begun != nil {
		last = begun.iter
	}
	for s.inFlight > 0 {
		if f := &s.ring[s.first]; f.stamp[0] != float32(s.ranks.size()) {
			undone = f
			break
		}
		if s.settle() != nil {
			return err
		}
	}
	if undone == nil {
		return err
	}
	s.discard(undone)
	s.inFlight, s.Iter = 0, undone.iter
	if s.gate != nil {
		s.device.Fill(s.gate, 0)
	}
	if r := &s.ranks; r.before != nil {
		s.device.Copy(r.statistics, r.before[last-undone.iter])
	}
	s.seek(undone)
	return err
}

// Parted takes in that the ranks have parted by a failure, which it returns: what this one has can be saved.
func (s *Solver) Parted() error {
	if g := s.ranks.group; g != nil && g.Err() != nil {
		return s.abandon(nil, g.Err())
	}
	return nil
}

// firstBad says which layer was the first to be not finite, on the first rank that has one.
func (s *Solver) firstBad() error {
	own := s.Net.FirstBad()
	if s.ranks.group == nil {
		return own
	}
	var text string
	if own != nil {
		text = own.Error()
	}
	all, err := s.ranks.group.Gather([]byte(text))
	if err != nil {
		return own
	}
	for rank, t := range all {
		switch {
		case len(t) > 0 && rank == s.ranks.rank:
			return own
		case len(t) > 0:
			return fmt.Errorf("rank %d: %s", rank, t)
		}
	}
	return nil
}

// sendStatistics gives all ranks the running statistics of rank 0, after passes whose statistics were not summed.
func (s *Solver) sendStatistics() error {
	r := &s.ranks
	if r.statistics == nil {
		return nil
	}
	return s.sendTensor(r.statistics)
}
