// Package layer has Caffe's layers over gpu tensors: one file a kind (or family), each registered by its type name.
package layer

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
)

// A Layer is one layer of a net. Setup fixes the shapes of its tops and makes its parameters; Forward and Backward then
// run it. Backward overwrites the gradient of each bottom that need selects, and adds to those of parameters.
type Layer interface {
	Setup(c *Context, bottom, top []*Blob) error
	Forward(bottom, top []*Blob) error
	Backward(top []*Blob, need []bool, bottom []*Blob)
}

// Loss is a layer whose first top, one number, counts toward the objective unless loss_weight says otherwise. Its
// Backward gives the gradient of that number times Context.Weight.
type Loss interface {
	// IsLoss marks the kind.
	IsLoss()
}

// Source is a layer that reads records and can go on from where a run stopped.
type Source interface {
	// Records is how many were handed out since the run began, to all ranks.
	Records() uint64
	Seek(records uint64)
	// Batch is how many a pass reads.
	Batch() int
	// Deal has the layer read every ranks-th batch from its place on, the rank-th first (dataset.Loader.Deal).
	Deal(rank, ranks int)
	// Contents says what it reads from, for ranks to compare. It is asked before anything is read.
	Contents() (Contents, error)
	Close() error
}

// Contents is what a Source reads from.
type Contents struct {
	Path    string
	Records int
	Sum     uint32 // of its first record, of the list of them, or (HDF5) of their shapes
}

func (c Contents) String() string { return fmt.Sprintf("%d records (CRC-32 %08x)", c.Records, c.Sum) }

// Selective is a layer some of whose bottoms have no gradient: labels, indices, a shape to crop to.
type Selective interface {
	NoGradient(bottom int) bool
}

// labelSecond is embedded by layers whose second bottom has no gradient.
type labelSecond struct{}

func (labelSecond) NoGradient(bottom int) bool { return bottom == 1 }

// Dynamic is a layer whose tops take their shapes from data: after a Forward that changed one, the net sets up what
// stands below again.
type Dynamic interface {
	// Reshaped reports whether the last Forward changed the shape of a top.
	Reshaped() bool
}

// A Keeper is a layer that keeps arrays from its Forward to its Backward, other than its blobs (Context.Room).
type Keeper interface {
	// Kept are those arrays. Some may be nil.
	Kept() []*gpu.Tensor
}

// Diagnoser is a layer that can say what in its inputs made its output NaN.
type Diagnoser interface {
	Diagnose(bottom []*Blob) error
}

// Arity is how many bottoms and tops a kind of layer takes; the net checks it.
type Arity struct {
	MinBottom, MaxBottom int // -1: any
	MinTop, MaxTop       int
}

// Clock tells a layer which forward pass this is: the iteration, and the pass within it (iter_size).
type Clock struct {
	Iter uint64
	Pass uint64
}

// Context is what a layer is set up with.
type Context struct {
	Param    *caffepb.LayerParameter
	Device   *gpu.Device
	Phase    caffepb.Phase
	Seed     uint64
	Clock    *Clock
	NewParam func(spec ParamSpec) (*Param, error) // makes a parameter, or finds the one that is shared
	Resolve  func(path string) string             // finds a file that the prototxt names
	// Weight is what the gradient of a Loss is multiplied by. It is said before the first Backward.
	Weight *float32
	// Backward reports that gradients will be asked for; layers keep then what these need.
	Backward bool
	// Later has the memory of Room reserved: the net gives it when all layers are set up.
	Later bool
}

// Room allocates, or reserves, an array for what a Keeper keeps. It is written in Forward before it is read, and holds
// anything when Backward has returned, or in a net that does not run backward, Forward.
func (c *Context) Room(shape ...int) (*gpu.Tensor, error) { return room(c.Device, c.Later, shape) }

func room(d *gpu.Device, later bool, shape []int) (*gpu.Tensor, error) {
	if later {
		return gpu.Reserve(shape...)
	}
	return gpu.NewTensor(d, shape...)
}

// Train reports whether the net is a train net.
func (c *Context) Train() bool { return c.Phase == caffepb.Phase_TRAIN }

// Key returns the key of the layer's random numbers, of the current pass.
func (c *Context) Key() gpu.Key {
	const wide = 8 // bits of the pass beside the iteration; what is above them stands at the other end
	iter := c.Clock.Iter<<wide | c.Clock.Pass&(1<<wide-1)
	return gpu.Key{Seed: c.Seed, Stream: Stream(c.Param.GetName()), Iter: iter ^ c.Clock.Pass>>wide<<48}
}

// Stream numbers a layer's random sequence by its name, so that it is the same wherever the layer stands.
func Stream(name string) uint32 {
	h := fnv.New32a()
	h.Write([]byte(name))
	return h.Sum32()
}

// Blob is an array that flows between layers, with its gradient.
type Blob struct {
	Name  string
	Shape []int
	Data  *gpu.Tensor
	Diff  *gpu.Tensor // nil where nobody needs it
	// Later has data and gradient reserved (gpu.Reserve): the net gives them memory when all layers are set up.
	Later bool
	alias *Blob // whose memory this one shows in another shape
}

// tensor allocates an array of the blob, or reserves it.
func (b *Blob) tensor(d *gpu.Device, shape ...int) (*gpu.Tensor, error) {
	return room(d, b.Later, shape)
}

// Reshape allocates the blob.
func (b *Blob) Reshape(d *gpu.Device, shape ...int) error {
	if len(shape) > caffe.MaxAxes {
		return fmt.Errorf("top %q would have %d axes; wanted at most %d", b.Name, len(shape), caffe.MaxAxes)
	}
	t, err := b.tensor(d, shape...)
	if err != nil {
		return err
	}
	b.Data, b.Shape, b.alias = t, t.Shape, nil
	return nil
}

// Alias makes b another shape of the memory of o, data and gradient.
func (b *Blob) Alias(o *Blob, shape ...int) {
	b.Data, b.Shape, b.alias = o.Data.View(0, shape...), append([]int(nil), shape...), o
}

// ShareData makes b show the data of o, with a gradient of its own.
func (b *Blob) ShareData(o *Blob) {
	b.Data, b.Shape, b.alias = o.Data, o.Shape, nil
}

// Aliased reports whether the blob shows the memory of another.
func (b *Blob) Aliased() bool { return b.alias != nil }

// NeedDiff allocates the gradient.
func (b *Blob) NeedDiff(d *gpu.Device) error {
	if b.Diff != nil {
		return nil
	}
	if b.alias != nil {
		if err := b.alias.NeedDiff(d); err != nil {
			return err
		}
		b.Diff = b.alias.Diff.View(0, b.Shape...)
		return nil
	}
	t, err := b.tensor(d, b.Shape...)
	b.Diff = t
	return err
}

// Count returns the product of the extents of axes [from, to).
func (b *Blob) Count(from, to int) int { return gpu.Elements(b.Shape[from:to]) }

// Len returns the number of elements.
func (b *Blob) Len() int { return gpu.Elements(b.Shape) }

// Axis turns a possibly negative axis into a plain one.
func (b *Blob) Axis(axis int) (int, error) {
	n := len(b.Shape)
	if axis < -n || axis >= n {
		return 0, fmt.Errorf(
			"axis is %d; blob %q has the shape %s, so wanted %d to %d",
			axis,
			b.Name,
			b.FormatShape(),
			-n,
			n-1,
		)
	}
	if axis < 0 {
		axis += n
	}
	return axis, nil
}

// FormatShape returns the shape as 64x1x28x28.
func (b *Blob) FormatShape() string { return caffe.FormatShape(b.Shape) }

// channelShape splits the shape around one axis.
func (b *Blob) channelShape(axis int) gpu.ChannelShape {
	return gpu.ChannelShape{Outer: b.Count(0, axis), Channels: b.Shape[axis], Inner: b.Count(axis+1, len(b.Shape))}
}

type kind struct {
	build func() Layer
	arity Arity
}

var registry = map[string]kind{}

// register adds a kind of layer; each layer's file calls it from init.
func register(name string, a Arity, build func() Layer) {
	registry[name] = kind{build: build, arity: a}
}

// Types lists the layer types that are built, sorted.
func Types() []string { return slices.Sorted(maps.Keys(registry)) }

// UnknownTypeError names a layer type that there is no layer for.
type UnknownTypeError struct{ Type string }

func (e *UnknownTypeError) Error() string { return caffe.UnknownType(e.Type) }

// IsLoss reports whether a type of layer is a Loss.
func IsLoss(typ string) bool {
	k, ok := registry[typ]
	if !ok {
		return false
	}
	_, ok = k.build().(Loss)
	return ok
}

// New makes a layer of the type that p names.
func New(p *caffepb.LayerParameter) (Layer, Arity, error) {
	if err := Known(p); err != nil {
		return nil, Arity{}, err
	}
	k := registry[p.GetType()]
	return k.build(), k.arity, nil
}

// Known reports a layer that there is none of here.
func Known(p *caffepb.LayerParameter) error {
	if _, ok := registry[p.GetType()]; ok {
		return nil
	}
	if p.GetType() == "Python" {
		q := p.GetPythonParam()
		return fmt.Errorf(
			"layer type \"Python\" runs code of the user's (module %q, layer %q), which this program cannot; "+
				"wanted a layer of another type in its place",
			q.GetModule(),
			q.GetLayer(),
		)
	}
	return &UnknownTypeError{p.GetType()}
}

// Check reports a wrong number of bottoms or tops.
func (a Arity) Check(bottoms, tops int) error {
	if err := inRange("bottom", bottoms, a.MinBottom, a.MaxBottom); err != nil {
		return err
	}
	return inRange("top", tops, a.MinTop, a.MaxTop)
}

func inRange(what string, n, lo, hi int) error {
	switch {
	case n >= lo && (hi < 0 || n <= hi):
		return nil
	case lo == hi:
		return fmt.Errorf("%d %s blobs; wanted %d", n, what, lo)
	case hi < 0:
		return fmt.Errorf("%d %s blobs; wanted at least %d", n, what, lo)
	}
	return fmt.Errorf("%d %s blobs; wanted %d to %d", n, what, lo, hi)
}

// noBackward is embedded by layers without a gradient.
type noBackward struct{ readsNothing }

func (noBackward) Backward([]*Blob, []bool, []*Blob) {}

// Joiner is a layer that can do the work of layers right behind it, which work in place on its top, in its own passes
// over memory. What the other layers would have kept for their own Backward is kept, too. The gradient of the top holds
// anything afterwards.
type Joiner interface {
	// Leave forgets the layers that it was told of.
	Leave()
	// Join reports whether it can do the work of next, besides that of the layers that it was told of before. need
	// tells of which of its own bottoms a gradient is wanted; nil: it does not run backward.
	Join(next Layer, need []bool) bool
	// ForwardJoined and BackwardJoined are Forward and Backward of all of them.
	ForwardJoined(bottom, top []*Blob) error
	BackwardJoined(top []*Blob, need []bool, bottom []*Blob)
}
