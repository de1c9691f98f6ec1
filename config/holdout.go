package config

import (
	"fmt"

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

// String is what was held out, in words.
func (h *HeldOut) String() string {
	return fmt.Sprintf("%d images of %s are held out: they are tested on, and not trained on", h.Images, h.Source)
}

// HoldOut has the run tested on images that it does not train on, and on no others: the last part, of 1, of what its
// data layers read, which the train net goes without; or, where source is not "", the images of that database or
// list. The solver's test nets go, but for how they transform and batch images. It is an error where the train net
// has no Data or ImageData layer.
func (r *Run) HoldOut(part float64, source string) (*HeldOut, error) {
	if source == "" && !(part > 0 && part < 1) {
		return nil, fmt.Errorf("%g of the training images held out; wanted a part between 0 and 1", part)
	}
	trained := imageLayers(r.Train, r.TrainState())
	if len(trained) != 1 {
		return nil, &caffe.FileError{Path: r.Train.Path, Msg: fmt.Sprintf(
			"%d Data and ImageData layers of the train net; wanted one, whose images can be held out", len(trained))}
	}
	base, state := r.Train, netState(caffepb.Phase_TEST, r.Train, nil)
	if len(r.Tests) > 0 {
		base, state = r.Tests[0], r.TestState(0)
	}
	train := r.Train.Replace(proto.CloneOf(r.Train.Net))
	trains := train.Net.Layer[trained[0]]
	held := proto.CloneOf(trains)
	held.Include, held.Exclude = nil, nil
	images := imagesOf(held)
	*images.shuffle, *images.skip = nil, nil // a test sees all of them, each once
	batch := batchOf(held)
	for _, i := range imageLayers(base, state) {
		l := base.Net.Layer[i]
		if l.TransformParam != nil {
			held.TransformParam = proto.CloneOf(l.TransformParam)
		}
		batch = batchOf(l)
	}
	if source != "" {
		*images.source, *images.records = &source, nil
	} else {
		divide(imagesOf(trains), images, part)
	}
	n, err := images.count(r.Train.Path)
	if err != nil {
		return nil, &caffe.FileError{Path: r.Train.Path, Msg: fmt.Sprintf("held-out images: %v", err), Err: err}
	}
	batch = min(batch, n)
	*images.batch = proto.Uint32(uint32(batch))
	r.Train, r.Tests = train, []*caffe.NetFile{withImages(base, held)}
	r.Solver.TestIter = []int32{int32(n / batch)}
	r.Solver.TestState = r.Solver.TestState[:min(1, len(r.Solver.TestState))]
	return &HeldOut{n / batch * batch, **images.source}, nil
}

// divide has a train net read what comes before the last part of its images, and a test of held-out images the rest.
func divide(trained, held images, part float64) {
	was := *trained.records
	if was == nil {
		was = &caffepb.RecordRange{}
	}
	from, to := caffe.Widen(was.GetFrom()), caffe.Widen(was.GetTo())
	at := float32(to - (to-from)*part)
	*trained.records = &caffepb.RecordRange{From: was.From, To: &at}
	*held.records = &caffepb.RecordRange{From: &at, To: proto.Float32(float32(to))}
}

// readsImages reports a layer whose images can be held out.
func readsImages(l *caffepb.LayerParameter) bool {
	return l.GetType() == "Data" || l.GetType() == "ImageData"
}

// imageLayers are the places of the layers of a net that read images in a state.
func imageLayers(f *caffe.NetFile, state *caffepb.NetState) []int {
	var out []int
	for i, l := range f.Net.Layer {
		if readsImages(l) && caffe.Includes(state, l) {
			out = append(out, i)
		}
	}
	return out
}

// withImages is a net that reads the images of one layer alone.
func withImages(f *caffe.NetFile, images *caffepb.LayerParameter) *caffe.NetFile {
	n := proto.CloneOf(f.Net)
	layers, places := []*caffepb.LayerParameter{images}, []int{-1} // of no line of this file
	for i, l := range n.Layer {
		if !readsImages(l) {
			layers, places = append(layers, l), append(places, i)
		}
	}
	n.Layer = layers
	return f.Rearrange(n, places)
}

// batchOf is the batch of a layer that reads images.
func batchOf(l *caffepb.LayerParameter) int {
	return max(1, int(l.GetDataParam().GetBatchSize()), int(l.GetImageDataParam().GetBatchSize()))
}

// images are the fields of a layer by which it reads them: those of data_param or of image_data_param.
type images struct {
	source  **string
	batch   **uint32
	records **caffepb.RecordRange
	shuffle **bool
	skip    **uint32
	list    bool // a list of pictures, not a database
}

func imagesOf(l *caffepb.LayerParameter) images {
	if l.GetType() == "Data" {
		if l.DataParam == nil {
			l.DataParam = &caffepb.DataParameter{}
		}
		p := l.DataParam
		return images{&p.Source, &p.BatchSize, &p.Records, &p.Shuffle, &p.RandSkip, false}
	}
	if l.ImageDataParam == nil {
		l.ImageDataParam = &caffepb.ImageDataParameter{}
	}
	p := l.ImageDataParam
	return images{&p.Source, &p.BatchSize, &p.Records, &p.Shuffle, &p.RandSkip, true}
}

// count is how many images are read; near is the file that names their source.
func (m images) count(near string) (n int, err error) {
	var source string
	if *m.source != nil {
		source = Resolve(**m.source, near)
	}
	if m.list {
		list, err := dataset.ReadImageList(source)
		if err != nil {
			return 0, err
		}
		n = len(list.Entries)
	} else {
		db, err := dataset.Open(source)
		if err != nil {
			return 0, err
		}
		defer db.Close()
		if n, err = db.Count(); err != nil {
			return 0, err
		}
	}
	first, end, err := dataset.Range(*m.records, n, source)
	return end - first, err
}

// Reads is what a net reads its images from.
type Reads struct {
	Source string // the database or list, as it was found
	Batch  int
	Images int     // 0: it is not there
	Scale  float64 // by which pixels are multiplied
	Err    error   // why it cannot be read
}

// ImagesOf says what the first layer of a net that reads images, in a state, reads them from; nil where none does.
func ImagesOf(f *caffe.NetFile, state *caffepb.NetState) *Reads {
	layers := imageLayers(f, state)
	if len(layers) == 0 {
		return nil
	}
	l := proto.CloneOf(f.Net.Layer[layers[0]])
	m := imagesOf(l)
	r := &Reads{Batch: batchOf(l), Scale: caffe.Widen(l.GetTransformParam().GetScale())}
	if *m.source != nil {
		r.Source = Resolve(**m.source, f.Path)
	}
	r.Images, r.Err = m.count(f.Path)
	return r
}
