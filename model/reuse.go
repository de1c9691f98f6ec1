package model

import (
	"errors"
	"fmt"
	"slices"

	"dns-tui/caffe"
	"dns-tui/gpu"
	"dns-tui/human"
	"dns-tui/memory"
	"dns-tui/model/layer"
)

// Blobs of a net with NetOptions.Reuse lie in one block of memory, each as long as something is to read it: data from
// the layer that makes them to the last that reads them, in the pass forward or, where a layer's gradient depends on it
// (layer.Reader), backward; a gradient from the layer that sets it to the one that reads it. What a layer keeps
// (layer.Keeper) lies there, too, from its Forward to its Backward. Which lies where is found once, by the net alone
// (memory.Pack). A device does its operations in order, so one that writes where others read before needs no wait.
//
// Steps count layers that take new memory; others (in place, a view) are part of the step before. Each blob stays for
// one step more than it is read: a device may do a layer's operation with that of the layer before (gpu/cuda/fuse.go,
// gpu/host/pooledconv.go), so that an output is written while the inputs of both are still read.

// use is when the memory of a blob, or of several that are views of it, is in use.
type use struct {
	memory      *gpu.Reserved
	blob        *layer.Blob // the first that has it; without a name where it is what a layer keeps
	node        *node       // that touches it first
	first, last int
	written     bool // by the first that touches it
}

// uses finds when what is reserved is in use, in the order of first use.
type uses struct {
	list []*use
	of   map[*gpu.Reserved]*use
	step int
}

// uses goes through a pass forward and one backward.
func (n *Net) uses() *uses {
	u := &uses{of: map[*gpu.Reserved]*use{}}
	for _, nd := range n.nodes {
		u.forward(nd)
	}
	for _, nd := range slices.Backward(n.nodes) {
		if nd.backward {
			u.backward(nd)
		}
	}
	return u
}

// forward goes through a layer's Forward.
func (u *uses) forward(nd *node) {
	u.begin(nd.top, false, nil)
	for _, b := range nd.bottom {
		u.touch(nd, b, b.Data, false)
	}
	for _, t := range nd.top {
		u.touch(nd, t, t.Data, true)
	}
	u.keep(nd)
}

// backward goes through a layer's Backward.
func (u *uses) backward(nd *node) {
	u.begin(nd.top, true, nil)
	u.begin(nd.bottom, true, nd.need)
	u.keep(nd)
	for j, t := range nd.top {
		u.touch(nd, t, t.Diff, nd.fills(j))
		if layer.ReadsTop(nd.layer, j) {
			u.touch(nd, t, t.Data, false)
		}
	}
	for j, b := range nd.bottom {
		if nd.need[j] {
			u.touch(nd, b, b.Diff, true)
		}
		if layer.ReadsBottom(nd.layer, j) {
			u.touch(nd, b, b.Data, false)
		}
	}
}

// begin begins a step where one of the blobs that a layer writes has memory that is not in use yet.
func (u *uses) begin(blobs []*layer.Blob, gradients bool, need []bool) {
	for j, b := range blobs {
		t := b.Data
		if gradients {
			if t = b.Diff; need != nil && !need[j] {
				continue
			}
		}
		if r := reserved(t); r != nil && u.of[r] == nil {
			u.step++
			return
		}
	}
}

// keep goes through what a layer keeps from its Forward to its Backward.
func (u *uses) keep(nd *node) {
	k, ok := nd.layer.(layer.Keeper)
	if !ok {
		return
	}
	for _, t := range k.Kept() {
		if t != nil {
			u.touch(nd, &layer.Blob{Shape: t.Shape}, t, true)
		}
	}
}

func (u *uses) touch(nd *node, b *layer.Blob, t *gpu.Tensor, writes bool) {
	r := reserved(t)
	if r == nil {
		return
	}
	at := u.of[r]
	if at == nil {
		at = &use{memory: r, blob: b, node: nd, first: u.step, written: writes}
		u.of[r], u.list = at, append(u.list, at)
	}
	at.last = u.step
}

// reserved returns the memory of a tensor that the net is to give it, or nil.
func reserved(t *gpu.Tensor) *gpu.Reserved {
	if t == nil {
		return nil
	}
	r, _ := t.Mem.(*gpu.Reserved)
	return r
}

// fills reports whether the gradient of a top starts at its loss weight.
func (nd *node) fills(top int) bool { return nd.weights[top] != 0 && !(isLoss(nd) && top == 0) }

// lasting finds the memory that stays as it is after a pass: of the blobs that count toward the objective, that no
// layer reads, and that are to be kept; of these the gradients, too.
func (n *Net) lasting() map[*gpu.Reserved]bool {
	lasting := map[*gpu.Reserved]bool{}
	for _, b := range n.LossBlobs() {
		lasting[reserved(b.Data)] = true
	}
	for _, o := range n.unread() {
		lasting[reserved(o.blob.Data)] = true
	}
	for _, name := range n.keep {
		if b := n.blobs[name]; b != nil {
			lasting[reserved(b.Data)], lasting[reserved(b.Diff)] = true, true
		}
	}
	return lasting
}

const (
	// blockElements is how many elements a block of an arena has at most: a GPU's arrays have fewer than 2^31.
	blockElements = 1 << 30
	// aligned is what places are multiples of, in elements: 256 bytes, as of an allocation of the driver's.
	aligned = 64
)

// place gives memory to all blobs that have none yet: some that of the arena, in turn, the others some of their own.
func (n *Net) place(a *arena) error {
	lasting := n.lasting()
	for _, t := range a.tenants[n].tenants { // whose blobs have others now
		delete(n.shared, t.memory)
	}
	var shared []*use
	var lives []memory.Life
	all := n.uses().list
	n.narrow(all)
	for _, u := range all {
		size := (u.memory.Words() + aligned - 1) / aligned * aligned
		switch {
		case u.memory.Given():
		// A gradient that nobody sets is 0.
		case lasting[u.memory] || !u.written || size == 0 || size > blockElements:
			t, err := gpu.NewTensor(n.device, u.memory.Words())
			if err != nil {
				return n.noRoom(u, false, err)
			}
			u.memory.Give(t.Mem, 0)
		default:
			shared, lives = append(shared, u), append(lives, memory.Life{Size: size, First: u.first, Last: u.last + 1})
		}
	}
	if len(shared) == 0 {
		return nil
	}
	places, size := memory.Pack(lives, blockElements)
	tenants := make([]tenant, len(shared))
	largest := shared[0]
	for i, u := range shared {
		tenants[i] = tenant{u.memory, places[i]}
		n.shared[u.memory] = true
		if u.memory.Words() > largest.memory.Words() {
			largest = u
		}
	}
	if err := a.let(n, tenants, size); err != nil {
		return n.noRoom(largest, true, err)
	}
	return nil
}

// narrow has a device that stores activations as bf16 find which of the memory that has none yet needs half the bytes.
func (n *Net) narrow(all []*use) {
	var later []*gpu.Reserved
	for _, u := range all {
		if !u.memory.Given() {
			later = append(later, u.memory)
		}
	}
	n.device.Narrow(later, func() { n.Rehearse(n.gradients) })
}

// noRoom says what there was no memory for: one blob's own, or of those that share memory the largest.
func (n *Net) noRoom(u *use, shared bool, err error) error {
	takes := "wants memory of its own"
	if shared {
		takes = "takes most of the memory that blobs share"
	}
	what := "what it keeps for its gradient"
	if u.blob.Name != "" {
		what = fmt.Sprintf("blob %q", u.blob.Name)
	}
	e := n.file.Errorf(u.node.index, "(%s) %s, %s, %s, %s: %v", u.node.typ, what, u.blob.FormatShape(),
		takes, human.Bytes(4*int64(u.memory.Words())), err)
	if f, ok := errors.AsType[*caffe.FileError](e); ok {
		f.Err = err
	}
	return e
}

// arena is memory in which blobs lie: those of one net when they are not in use at the same time, and those of nets
// that run in turn.
type arena struct {
	device  *gpu.Device
	blocks  []*gpu.Tensor
	size    int // elements
	tenants map[*Net]lease
}

// lease is what of an arena is a net's, from its beginning on.
type lease struct {
	tenants []tenant
	size    int // elements
}

// tenant is memory with its place in an arena.
type tenant struct {
	memory *gpu.Reserved
	at     int
}

func newArena(d *gpu.Device) *arena { return &arena{device: d, tenants: map[*Net]lease{}} }

// let gives a net's memory its places in the arena, which grows to a size. What lies there is lost where it does.
func (a *arena) let(n *Net, tenants []tenant, size int) error {
	if size > a.size {
		if err := a.grow(size); err != nil {
			return err
		}
	}
	a.tenants[n] = lease{tenants, size}
	a.give(tenants)
	return nil
}

func (a *arena) give(tenants []tenant) {
	for _, t := range tenants {
		t.memory.Give(a.blocks[t.at/blockElements].Mem, t.at%blockElements)
	}
}

// grow makes new blocks, and frees the old: before that only where there is not room for both. Where there is none for
// the new alone the old are had again; if not now, before the next pass (ready).
func (a *arena) grow(size int) error {
	blocks, err := newBlocks(a.device, size)
	if err != nil && a.size > 0 {
		was := a.size
		a.free()
		if blocks, err = newBlocks(a.device, size); err != nil { // as it was, for those who lie there
			if old, e := newBlocks(a.device, was); e == nil {
				a.take(old, was)
			}
		}
	}
	if err != nil {
		return err
	}
	a.free()
	a.take(blocks, size)
	return nil
}

// wanted is the size that the largest of the nets needs.
func (a *arena) wanted() int {
	size := 0
	for _, l := range a.tenants {
		size = max(size, l.size)
	}
	return size
}

// ready sees to it that the nets have their memory. They lack it where it was given back to make room for more, and
// another had taken it by then.
func (a *arena) ready() error {
	size := a.wanted()
	if a.size >= size {
		return nil
	}
	blocks, err := newBlocks(a.device, size)
	if err != nil {
		return fmt.Errorf(
			"the memory that blobs share, %s, was given back for a larger net, and is not to be had again: %w",
			human.Bytes(4*int64(size)),
			err,
		)
	}
	a.take(blocks, size)
	return nil
}

// leave takes a net out, which does not run any more. The arena is then no larger than the others need.
func (a *arena) leave(n *Net) {
	if _, ok := a.tenants[n]; !ok {
		return
	}
	delete(a.tenants, n)
	if size := a.wanted(); size > 0 && size < a.size {
		a.free()
		_ = a.ready() // else before the next pass
	}
}

func (a *arena) take(blocks []*gpu.Tensor, size int) {
	a.blocks, a.size = blocks, size
	for _, l := range a.tenants {
		a.give(l.tenants)
	}
}

func (a *arena) free() {
	for _, l := range a.tenants {
		for _, t := range l.tenants {
			t.memory.Free()
		}
	}
	for _, b := range a.blocks {
		b.Mem.Free()
	}
	a.blocks, a.size = nil, 0
}

func newBlocks(d *gpu.Device, size int) ([]*gpu.Tensor, error) {
	var blocks []*gpu.Tensor
	for at := 0; at < size; at += blockElements {
		t, err := gpu.NewTensor(d, min(blockElements, size-at))
		if err != nil {
			for _, b := range blocks {
				b.Mem.Free()
			}
			return nil, err
		}
		blocks = append(blocks, t)
	}
	return blocks, nil
}

// Shared is what the blobs of a net with NetOptions.Reuse take, and what layers keep: bytes of the memory that they
// share with each other, and with nets that run in turn with it, and what they would take otherwise. The blobs that
// have memory of their own are in neither.
type Shared struct {
	Bytes   int64
	Instead int64
	// Least is the most that is in use at one time: no order of places takes less.
	Least int64
}

// Shared tells what sharing comes to.
func (n *Net) Shared() Shared {
	var s Shared
	if n.arena == nil {
		return s
	}
	s.Bytes = 4 * int64(n.arena.size)
	var lives []memory.Life
	for _, u := range n.uses().list {
		if n.shared[u.memory] {
			s.Instead += 4 * int64(u.memory.Len())
			lives = append(lives, memory.Life{Size: u.memory.Words(), First: u.first, Last: u.last})
		}
	}
	s.Least = 4 * int64(memory.Peak(lives))
	return s
}
