package solver

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"hash/crc32"
	"math"
	"strings"

	"google.golang.org/protobuf/encoding/prototext"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/model/layer"
)

// fact is something in which all ranks must agree, as a person knows it.
type fact struct {
	What  string // "base_lr", `layer "conv1"`
	Where string // the file, on this rank
	Value string
}

// agreeOnRun compares what the ranks were given to train, and gives all rank 0's seed.
func (s *Solver) agreeOnRun(g collective.Group) error {
	if g == nil {
		return nil
	}
	if err := s.checkOutputs(); err != nil {
		return err
	}
	if err := agree(g, s.runFacts()); err != nil {
		return err
	}
	names, err := g.Gather([]byte(s.device.Name()))
	if err != nil {
		return err
	}
	for _, name := range names {
		s.ranks.devices = append(s.ranks.devices, string(name))
	}
	if err := s.compareComputedBy(g); err != nil {
		return err
	}
	message, err := g.Broadcast(binary.LittleEndian.AppendUint64(nil, s.Seed))
	if err != nil {
		return err
	}
	if len(message) != 8 {
		return fmt.Errorf("rank 0 sent %d bytes as its seed, wanted 8", len(message))
	}
	s.Seed = binary.LittleEndian.Uint64(message)
	return nil
}

// gather gives each rank what all of them have, in the order of ranks; what names it in an error: "a result of
// rank %d".
func gather[T any](g collective.Group, mine T, what string) ([]T, error) {
	message, err := json.Marshal(mine)
	if err != nil {
		return nil, err
	}
	all, err := g.Gather(message)
	if err != nil {
		return nil, err
	}
	lists := make([]T, len(all))
	for r, m := range all {
		if err := json.Unmarshal(m, &lists[r]); err != nil {
			return nil, fmt.Errorf("%s: %w", fmt.Sprintf(what, r), err)
		}
	}
	return lists, nil
}

// agree returns an error where a fact of some rank is not rank 0's: the same error on all ranks.
func agree(g collective.Group, facts []fact) error {
	lists, err := gather(g, facts, "what rank %d was given to train")
	if err != nil {
		return err
	}
	for r, l := range lists[1:] {
		if d := firstDifference(lists[0], l); d != "" {
			return fmt.Errorf("rank %d was given another run than rank 0: %s", r+1, d)
		}
	}
	return nil
}

// firstDifference says which fact is the first that b does not have as a has it; "" where none is.
func firstDifference(a, b []fact) string {
	of := map[string]fact{}
	for _, f := range b {
		of[f.What] = f
	}
	for _, f := range a {
		o, ok := of[f.What]
		switch {
		case !ok:
			return fmt.Sprintf("it has no %s (rank 0: %s)", f.What, f.Where)
		case o.Value != f.Value && len(f.Value)+len(o.Value) < 100:
			return fmt.Sprintf("%s is %s (%s), on rank 0 %s (%s)", f.What, o.Value, o.Where, f.Value, f.Where)
		case o.Value != f.Value:
			return fmt.Sprintf("%s is another in %s than in rank 0's %s", f.What, o.Where, f.Where)
		}
		delete(of, f.What)
	}
	for _, f := range b {
		if _, more := of[f.What]; more {
			return fmt.Sprintf("it has %s (%s), which rank 0 lacks", f.What, f.Where)
		}
	}
	return ""
}

// ownPlaces are fields of a solver that may differ from rank to rank: where things are.
var ownPlaces = []string{"net", "train_net", "test_net", "snapshot_prefix", "device_id", "solver_mode", "debug_info"}

// runFacts are those of the solver and its nets.
func (s *Solver) runFacts() []fact {
	facts := []fact{{"device", "--gpu", s.device.Capabilities().Kind}}
	solver := proto.CloneOf(s.param)
	for _, name := range ownPlaces {
		m := solver.ProtoReflect()
		m.Clear(m.Descriptor().Fields().ByName(protoreflect.Name(name)))
	}
	solver.NetParam, solver.TrainNetParam, solver.TestNetParam = nil, nil, nil
	solver.ProtoReflect().Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
		alone := (&caffepb.SolverParameter{}).ProtoReflect()
		alone.Set(f, v)
		text := strings.TrimPrefix(textOf(alone.Interface()), f.TextName()+":")
		facts = append(facts, fact{f.TextName(), s.run.SolverPath, strings.TrimSpace(text)})
		return true
	})
	nets := func(which string, f *caffe.NetFile) {
		for i, l := range f.Net.Layer {
			facts = append(facts, fact{
				fmt.Sprintf("layer %q (number %d) of the %s", l.GetName(), i+1, which), f.Path, fieldsOf(l),
			})
		}
	}
	nets("train net", s.run.Train)
	for i, f := range s.run.Tests {
		nets(fmt.Sprintf("test net %d", i), f)
	}
	if in := s.run.Inputs; in != nil {
		facts = append(facts, fact{"--input", "--input", fmt.Sprintf("%+v", *in)})
	}
	return facts
}

// fieldsOf is a layer's text, without the places of files.
func fieldsOf(l *caffepb.LayerParameter) string {
	l = proto.CloneOf(l)
	l.Blobs = nil
	for _, source := range []**string{
		&or(l.DataParam).Source, &or(l.ImageDataParam).Source, &or(l.ImageDataParam).RootFolder,
		&or(l.WindowDataParam).Source, &or(l.WindowDataParam).RootFolder, &or(l.Hdf5DataParam).Source,
		&or(l.TransformParam).MeanFile, &or(l.WindowDataParam).MeanFile,
	} {
		*source = nil
	}
	return textOf(l)
}

// textOf is a message as text in one line, with single spaces: how many prototext sets differs from build to build.
func textOf(m proto.Message) string {
	text, err := prototext.MarshalOptions{}.Marshal(m)
	if err != nil {
		return err.Error()
	}
	return strings.Join(strings.Fields(string(text)), " ")
}

// or is what p points to, or something that nobody has.
func or[T any](p *T) *T {
	if p == nil {
		return new(T)
	}
	return p
}

// agreeOnData compares what the nets read, and that each rank can have a record of its own.
func (s *Solver) agreeOnData(g collective.Group) error {
	if g == nil {
		return nil
	}
	var facts []fact
	var err error
	s.eachSource(func(net, name string, src layer.Source) {
		if err != nil {
			return
		}
		var c layer.Contents
		if c, err = src.Contents(); err != nil {
			return
		}
		if c.Records < g.Size() && net == "train" {
			err = fmt.Errorf(
				"layer %q: %s holds %d records, fewer than the %d ranks",
				name,
				c.Path,
				c.Records,
				g.Size(),
			)
		}
		what := fmt.Sprintf("what layer %q reads (%s net)", name, net)
		facts = append(facts, fact{what, c.Path, c.String()})
	})
	if err != nil {
		return err
	}
	return agree(g, facts)
}

// checkOutputs refuses layers that write what a net computes to a file: several ranks would write it over each other.
func (s *Solver) checkOutputs() error {
	for _, f := range append([]*caffe.NetFile{s.run.Train}, s.run.Tests...) {
		for i, l := range f.Net.Layer {
			if l.GetType() == "HDF5Output" {
				return f.Errorf(i, "writes %s: several ranks would each write it; wanted one rank, or no such layer",
					l.GetHdf5OutputParam().GetFileName())
			}
		}
	}
	return nil
}

// compareEvery is after how many iterations all weights and masks are compared.
const compareEvery = 500

// compareRanks stops a run whose ranks do not have the same weights and masks: after each surgery it compares what the
// surgeries found, counts and moments, and now and then all weights. A rank that differs ends the group.
func (s *Solver) compareRanks(f *iteration) error {
	g := s.ranks.group
	if g == nil || g.Err() != nil {
		return nil
	}
	whole := f.iter%compareEvery == 0 && s.inFlight == 0
	if len(f.ops) == 0 && !whole {
		return nil
	}
	sums := s.ranks.sums[:0]
	for i := range f.ops {
		sums = binary.LittleEndian.AppendUint32(sums, s.surgerySum(&f.ops[i].r))
	}
	if whole {
		for _, p := range s.Net.Params() {
			sums = binary.LittleEndian.AppendUint32(sums, s.checksum(p.Data, p.Masked))
		}
	}
	s.ranks.sums = sums
	all, err := g.Gather(sums)
	if err != nil {
		return s.abandon(nil, err)
	}
	for rank, m := range all {
		at := firstOther(all[0], m)
		if at < 0 {
			continue
		}
		if rank == s.ranks.rank {
			g.Fail(fmt.Sprintf("does not have the weights of rank 0 any more: %s differs after iteration %d",
				s.compared(f, at), f.iter))
		}
		<-g.Failed()
		return s.abandon(nil, g.Err())
	}
	return nil
}

// firstOther is the number of the first checksum of a that b does not have, too; -1 where all are the same.
func firstOther(a, b []byte) int {
	if bytes.Equal(a, b) {
		return -1
	}
	for i := 0; i < len(a); i += 4 {
		if i+4 > len(b) || !bytes.Equal(a[i:i+4], b[i:i+4]) {
			return i / 4
		}
	}
	return len(a) / 4
}

// compared says of what the i-th checksum of compareRanks is.
func (s *Solver) compared(f *iteration, i int) string {
	if i < len(f.ops) {
		return fmt.Sprintf("the mask of layer %q", f.ops[i].p.Name)
	}
	if params := s.Net.Params(); i-len(f.ops) < len(params) {
		p := params[i-len(f.ops)]
		return fmt.Sprintf("parameter %d of layer %q", p.Index, p.Layer)
	}
	return "the number of masks" // that were redrawn
}

// surgerySum is a checksum of what a surgery found.
func (s *Solver) surgerySum(r *gpu.SurgeryResult) uint32 {
	b := s.ranks.found[:0]
	for _, n := range [...]int{r.Total, r.Kept, r.Pruned, r.Spliced} {
		b = binary.LittleEndian.AppendUint64(b, uint64(n))
	}
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(r.Mu))
	b = binary.LittleEndian.AppendUint32(b, math.Float32bits(r.Sigma))
	s.ranks.found = b
	return crc32.Checksum(b, castagnoli)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum is one of the bits of tensors; nil ones count for nothing.
func (s *Solver) checksum(tensors ...*gpu.Tensor) uint32 {
	var sum uint32
	for _, t := range tensors {
		if t == nil {
			continue
		}
		values := make([]float32, min(t.N, sentPiece))
		for at := 0; at < t.N; at += len(values) {
			piece := values[:min(len(values), t.N-at)]
			s.device.Download(piece, t.View(at, len(piece)))
			sum = crc32.Update(sum, castagnoli, collective.Bytes(piece))
		}
	}
	return sum
}
