package layer

import (
	"errors"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/gpu"
)

func init() {
	register("Data", Arity{0, 0, 1, 2}, func() Layer { return &data{} })
}

// data reads batches from a database: images, and labels where there is a second top.
type data struct {
	noBackward
	loader *dataset.Loader
	device gpu.Device
}

func (l *data) Setup(c *Context, _, top []*Blob) error {
	p := c.Param.GetDataParam()
	if p.GetSource() == "" {
		return errors.New("data_param: source is not set")
	}
	path := c.Resolve(p.GetSource())
	// What the folder holds counts, not backend, which is LEVELDB where a prototxt says nothing.
	db, err := dataset.Open(path)
	if err != nil {
		return err
	}
	if err := l.start(c, db, p); err != nil {
		db.Close()
		return err
	}
	n := int(p.GetBatchSize())
	if err := top[0].Reshape(c.Device, append([]int{n}, l.loader.Shape()...)...); err != nil {
		return err
	}
	if len(top) > 1 {
		return top[1].Reshape(c.Device, n)
	}
	return nil
}

func (l *data) start(c *Context, db dataset.Database, p *caffepb.DataParameter) error {
	l.device = c.Device
	tp := c.Param.GetTransformParam()
	if tp.GetMeanFile() != "" {
		tp = proto.CloneOf(tp)
		tp.MeanFile = proto.String(c.Resolve(tp.GetMeanFile()))
	}
	t, err := dataset.NewTransformer(tp, c.Train())
	if err != nil {
		return err
	}
	key := gpu.Key{Seed: c.Seed, Stream: Stream(c.Param.GetName())}
	random := func(record uint64) dataset.Randoms {
		k := key
		k.Iter = record
		b := k.Block(0)
		return dataset.Randoms{b[0], b[1], b[2]}
	}
	if l.loader, err = dataset.NewLoader(db, t, int(p.GetBatchSize()), int(p.GetPrefetch()), random); err != nil {
		return err
	}
	if skip := p.GetRandSkip(); skip > 0 {
		key.Iter = 1 << 62
		l.loader.Seek(uint64(key.Block(0)[0]) * uint64(skip) >> 32)
	}
	return nil
}

func (l *data) Forward(_, top []*Blob) error {
	b, err := l.loader.Next()
	if err != nil {
		return err
	}
	l.device.Upload(top[0].Data, b.Data)
	if len(top) > 1 {
		l.device.Upload(top[1].Data, b.Labels)
	}
	l.loader.Release(b)
	return nil
}

func (l *data) Records() uint64     { return l.loader.Records() }
func (l *data) Seek(records uint64) { l.loader.Seek(records) }
func (l *data) Close() error        { return l.loader.Close() }
