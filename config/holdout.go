package config

import (
	"fmt"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
)

// HeldOut is what HoldOut set aside.
type HeldOut struct {
	Images int    // that a test reads
	Source string // where they are, in words
}

// HoldOut has the run tested on images that it does not train on, and on no others: the last part, of 1, of what its
// data layers read, which the train net goes without; or, where source is not "", the images of that database or
// list. The solver's test nets go, but for how they transform and batch images. It is an error where the train net
// has no Data or ImageData layer.
func (r *Run) HoldOut(part float64, source string) (*HeldOut, error) {
	if source == "" && !(part > 0 && part < 1) {
		return nil, fmt.Errorf("%g of the training images held out; wanted a part between 0 and 1", part)
	}
	base := r.Train
	if len(r.Tests) > 0 {
		base = r.Tests[0]
	}
	var trained, tested []*caffepb.LayerParameter
	for _, l := range r.Train.Net.Layer {
		if isData(l) && inPhase(l, caffepb.Phase_TRAIN) {
			trained = append(trained, l)
		}
	}
	if len(trained) != 1 {
		return nil, &caffe.FileError{Path: r.Train.Path, Msg: fmt.Sprintf(
			"%d Data and ImageData layers of the train net; wanted one, whose images can be held out", len(trained))}
	}
	for _, l := range base.Net.Layer {
		if isData(l) && inPhase(l, caffepb.Phase_TEST) {
			tested = append(tested, l)
		}
	}
	train := proto.CloneOf(r.Train.Net)
	held := proto.CloneOf(trained[0])
	batch := readsOf(held)
	for _, l := range tested {
		if l.TransformParam != nil {
			held.TransformParam = proto.CloneOf(l.TransformParam)
		}
		batch = readsOf(l)
	}
	held.Include, held.Exclude = nil, nil
	if source != "" {
		setSource(held, source)
	} else {
		divide(train, held, part)
	}
	setBatch(held, batch)
	test := proto.CloneOf(base.Net)
	test.Layer = append([]*caffepb.LayerParameter{held}, without(test.Layer)...)
	n, err := r.records(held)
	if err != nil {
		return nil, &caffe.FileError{Path: r.Train.Path, Msg: fmt.Sprintf("held-out images: %v", err), Err: err}
	}
	iters := max(1, n/batch)
	if n < batch {
		setBatch(held, n)
	}
	trainFile, testFile := *r.Train, *base
	trainFile.Net, testFile.Net = train, test
	r.Train, r.Tests = &trainFile, []*caffe.NetFile{&testFile}
	r.Solver.TestIter, r.Solver.TestState = []int32{int32(iters)}, nil
	return &HeldOut{iters * min(batch, n), sourceOf(held)}, nil
}

// divide has a train net read what comes before the held-out part of its images, and held the rest.
func divide(train *caffepb.NetParameter, held *caffepb.LayerParameter, part float64) {
	was := rangeOf(held)
	if was == nil {
		was = &caffepb.RecordRange{}
	}
	from, to := caffe.Widen(was.GetFrom()), caffe.Widen(was.GetTo())
	at := float32(to - (to-from)*part)
	for _, l := range train.Layer {
		if isData(l) && inPhase(l, caffepb.Phase_TRAIN) {
			setRange(l, &caffepb.RecordRange{From: was.From, To: &at})
		}
	}
	setRange(held, &caffepb.RecordRange{From: &at, To: proto.Float32(float32(to))})
}

// isData reports a layer whose images can be held out.
func isData(l *caffepb.LayerParameter) bool {
	return l.GetType() == "Data" || l.GetType() == "ImageData"
}

// inPhase reports whether a layer is in the net of a phase, by its rules of phases alone.
func inPhase(l *caffepb.LayerParameter, phase caffepb.Phase) bool {
	for _, rule := range l.Exclude {
		if rule.Phase != nil && rule.GetPhase() == phase {
			return false
		}
	}
	if len(l.Include) == 0 {
		return l.Phase == nil || l.GetPhase() == phase
	}
	for _, rule := range l.Include {
		if rule.Phase == nil || rule.GetPhase() == phase {
			return true
		}
	}
	return false
}

// without are layers but for those that read images.
func without(layers []*caffepb.LayerParameter) []*caffepb.LayerParameter {
	var out []*caffepb.LayerParameter
	for _, l := range layers {
		if !isData(l) {
			out = append(out, l)
		}
	}
	return out
}

// readsOf is a data layer's batch.
func readsOf(l *caffepb.LayerParameter) int {
	if l.GetType() == "Data" {
		return max(1, int(l.GetDataParam().GetBatchSize()))
	}
	return max(1, int(l.GetImageDataParam().GetBatchSize()))
}

func setBatch(l *caffepb.LayerParameter, n int) {
	if l.GetType() == "Data" {
		l.DataParam.BatchSize = proto.Uint32(uint32(n))
		return
	}
	l.ImageDataParam.BatchSize = proto.Uint32(uint32(n))
}

func sourceOf(l *caffepb.LayerParameter) string {
	if l.GetType() == "Data" {
		return l.GetDataParam().GetSource()
	}
	return l.GetImageDataParam().GetSource()
}

func setSource(l *caffepb.LayerParameter, source string) {
	if l.GetType() == "Data" {
		l.DataParam.Source, l.DataParam.Records = &source, nil
		return
	}
	l.ImageDataParam.Source, l.ImageDataParam.Records = &source, nil
}

// rangeOf is which records a data layer reads.
func rangeOf(l *caffepb.LayerParameter) *caffepb.RecordRange {
	if l.GetType() == "Data" {
		return l.GetDataParam().GetRecords()
	}
	return l.GetImageDataParam().GetRecords()
}

func setRange(l *caffepb.LayerParameter, r *caffepb.RecordRange) {
	if l.GetType() == "Data" {
		l.DataParam.Records = r
		return
	}
	l.ImageDataParam.Records = r
}

// records counts what a data layer reads.
func (r *Run) records(l *caffepb.LayerParameter) (int, error) {
	source := Resolve(sourceOf(l), r.Train.Path)
	var n int
	if l.GetType() == "Data" {
		db, err := dataset.Open(source)
		if err != nil {
			return 0, err
		}
		defer db.Close()
		count, err := db.Count()
		if err != nil {
			return 0, err
		}
		n = count
	} else {
		list, err := dataset.ReadImageList(source)
		if err != nil {
			return 0, err
		}
		n = len(list.Entries)
	}
	first, end, err := dataset.Range(rangeOf(l), n, source)
	return end - first, err
}

// String is what was held out, in words.
func (h *HeldOut) String() string {
	return fmt.Sprintf("%d images of %s are held out: they are tested on, and not trained on", h.Images,
		strings.TrimSpace(h.Source))
}
