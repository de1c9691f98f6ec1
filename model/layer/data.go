package layer

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/dataset"
	"dns-tui/gpu"
)

func init() {
	register("Data", Arity{0, 0, 1, 2}, func() Layer { return &data{} })
	register("ImageData", Arity{0, 0, 2, 2}, func() Layer { return &imageData{} })
	register("WindowData", Arity{0, 0, 2, 2}, func() Layer { return &windowData{} })
}

// loaded is what the layers share that read batches ahead: images, and labels where there is a second top.
type loaded struct {
	noBackward
	device   *gpu.Device
	loader   *dataset.Loader
	shape    []int // of an image
	reshaped bool
}

// start begins to read from a source. It closes the source where it fails.
func (l *loaded) start(c *Context, s dataset.Source, batch, slots int, top []*Blob) (err error) {
	l.device = c.Device
	if l.loader, err = dataset.NewLoader(s, batch, slots); err != nil {
		s.Close()
		return err
	}
	l.shape = append([]int(nil), s.Shape()...)
	if err := top[0].Reshape(c.Device, append([]int{batch}, l.shape...)...); err != nil {
		return err
	}
	if len(top) > 1 {
		return top[1].Reshape(c.Device, batch)
	}
	return nil
}

func (l *loaded) Forward(_, top []*Blob) error {
	b, err := l.loader.Next()
	if err != nil {
		return err
	}
	if l.reshaped = !slices.Equal(b.Shape, l.shape); l.reshaped {
		l.shape = append(l.shape[:0], b.Shape...)
		if err := top[0].Reshape(l.device, append([]int{top[0].Shape[0]}, l.shape...)...); err != nil {
			return err
		}
	}
	l.device.Upload(top[0].Data, b.Data)
	if len(top) > 1 {
		l.device.Upload(top[1].Data, b.Labels)
	}
	l.loader.Release(b)
	return nil
}

// Reshaped implements Dynamic: a batch of one may hold an image of any size.
func (l *loaded) Reshaped() bool { return l.reshaped }

func (l *loaded) Records() uint64     { return l.loader.Records() }
func (l *loaded) Seek(records uint64) { l.loader.Seek(records) }
func (l *loaded) Batch() int          { return l.loader.BatchSize() }

// Contents implements Source.
func (l *loaded) Contents() (Contents, error) {
	n, sum, err := l.loader.Contents()
	return Contents{l.loader.Path(), n, sum}, err
}

// Deal implements Source.
func (l *loaded) Deal(rank, ranks int) { l.loader.Deal(rank, ranks) }

func (l *loaded) Close() error {
	if l.loader == nil {
		return nil
	}
	return l.loader.Close()
}

// transformer is what the layer's transform_param makes of an image.
func (c *Context) transformer() (*dataset.Transformer, error) {
	p := c.Param.GetTransformParam()
	if p.GetMeanFile() != "" {
		p = proto.CloneOf(p)
		p.MeanFile = proto.String(c.Resolve(p.GetMeanFile()))
	}
	return dataset.NewTransformer(p, c.Train())
}

// recordKey is the key of the random numbers of a record, which do not depend on when it is read.
func (c *Context) recordKey(record uint64) gpu.Key {
	return gpu.Key{Seed: c.Seed, Stream: Stream(c.Param.GetName()), Iter: record}
}

func (c *Context) recordRandoms(record uint64) dataset.Randoms {
	b := c.recordKey(record).Block(0)
	return dataset.Randoms{b[0], b[1], b[2]}
}

// The records of streams that are no record's.
const (
	skipRecord    = 1 << 62
	shuffleRecord = 1 << 61
)

// skip is how many records rand_skip passes over: fewer than it says.
func (c *Context) skip(randSkip uint32) uint64 {
	return uint64(c.recordKey(skipRecord).Block(0)[0]) * uint64(randSkip) >> 32
}

// shuffled returns the numbers below n in the order of a round: part tells apart what is shuffled in it.
func (c *Context) shuffled(n int, round, part uint64) []int {
	key := c.recordKey(shuffleRecord + round)
	key.Stream += uint32(part) * 0x9E3779B9
	return dataset.Shuffle(
		n,
		func(i, bound int) int { return int(uint64(key.Block(uint32(i))[0]) * uint64(bound) >> 32) },
	)
}

// data reads a database.
type data struct{ loaded }

func (l *data) Setup(c *Context, _, top []*Blob) error {
	p := c.Param.GetDataParam()
	if p.GetSource() == "" {
		return errors.New("data_param: source is not set")
	}
	t, err := c.transformer()
	if err != nil {
		return err
	}
	// What the folder holds counts, not backend, which is LEVELDB where a prototxt says nothing.
	db, err := dataset.Open(c.Resolve(p.GetSource()))
	if err != nil {
		return err
	}
	if db, err = section(db, p.GetRecords()); err != nil {
		return fmt.Errorf("data_param: %w", err)
	}
	if p.GetShuffle() {
		order := func(n int, round uint64) []int { return c.shuffled(n, round, 0) }
		if db, err = dataset.Shuffled(db, order); err != nil {
			return fmt.Errorf("data_param: %w", err)
		}
	}
	s, err := dataset.FromDatabase(db, t, c.recordRandoms)
	if err != nil {
		db.Close()
		return err
	}
	if err := l.start(c, s, int(p.GetBatchSize()), int(p.GetPrefetch()), top); err != nil {
		return fmt.Errorf("data_param: %w", err)
	}
	l.Seek(c.skip(p.GetRandSkip()))
	return nil
}

// section is what a layer reads of a database. It closes the database where it fails.
func section(db dataset.Database, r *caffepb.RecordRange) (dataset.Database, error) {
	if r == nil {
		return db, nil
	}
	n, err := db.Count()
	if err == nil {
		var first, end int
		if first, end, err = dataset.Range(r, n, db.Path()); err == nil {
			return dataset.Section(db, first, end-first), nil
		}
	}
	db.Close()
	return nil, err
}

// imageData reads the pictures of a list.
type imageData struct{ loaded }

func (l *imageData) Setup(c *Context, _, top []*Blob) error {
	p := c.Param.GetImageDataParam()
	if p.GetSource() == "" {
		return errors.New("image_data_param: source is not set")
	}
	t, err := c.transformer()
	if err != nil {
		return err
	}
	list, err := dataset.ReadImageList(c.Resolve(p.GetSource()))
	if err != nil {
		return err
	}
	if r := p.GetRecords(); r != nil {
		first, end, err := dataset.Range(r, len(list.Entries), p.GetSource())
		if err != nil {
			return fmt.Errorf("image_data_param: %w", err)
		}
		list.Entries = list.Entries[first:end]
	}
	o := dataset.PictureOptions{
		Root:   c.root(p.GetRootFolder(), list.Entries[0].Path),
		Height: int(p.GetNewHeight()),
		Width:  int(p.GetNewWidth()),
		Gray:   p != nil && !p.GetIsColor(),
	}
	var order func(round uint64) []int
	if p.GetShuffle() {
		order = func(round uint64) []int { return c.shuffled(len(list.Entries), round, 0) }
	}
	s, err := dataset.FromImages(list, o, t, c.recordRandoms, order)
	if err != nil {
		return err
	}
	const slots = 4 // Caffe's, where the prototxt has no say
	if err := l.start(c, s, int(p.GetBatchSize()), slots, top); err != nil {
		return fmt.Errorf("image_data_param: %w", err)
	}
	if skip := p.GetRandSkip(); skip > 0 {
		if int(skip) > len(list.Entries) {
			return fmt.Errorf(
				"image_data_param: rand_skip is %d; %s has %d images",
				skip,
				p.GetSource(),
				len(list.Entries),
			)
		}
		l.Seek(c.skip(skip))
	}
	return nil
}

// root finds a root_folder, which goes before paths as it is. Without one, it is the folder in which first is found.
func (c *Context) root(folder, first string) string {
	if folder == "" {
		if found := c.Resolve(first); strings.HasSuffix(found, first) {
			return strings.TrimSuffix(found, first)
		}
		return ""
	}
	found := c.Resolve(folder)
	if folder[len(folder)-1] == '/' && found[len(found)-1] != '/' {
		found += "/"
	}
	return found
}

// windowData reads windows of pictures.
type windowData struct{ loaded }

func (l *windowData) Setup(c *Context, _, top []*Blob) error {
	p := c.Param.GetWindowDataParam()
	if p.GetSource() == "" {
		return errors.New("window_data_param: source is not set")
	}
	t, err := c.transformer()
	if err != nil {
		return err
	}
	f, err := dataset.ReadWindowFile(c.Resolve(p.GetSource()), p.GetFgThreshold(), p.GetBgThreshold())
	if err != nil {
		return err
	}
	f.Root = c.root(p.GetRootFolder(), f.Pictures[0].Path)
	if p == nil {
		p = &caffepb.WindowDataParameter{}
	}
	s, err := dataset.FromWindows(f, p, t, int(p.GetBatchSize()), c.recordRandoms)
	if err != nil {
		return err
	}
	const slots = 4
	if err := l.start(c, s, int(p.GetBatchSize()), slots, top); err != nil {
		return fmt.Errorf("window_data_param: %w", err)
	}
	return nil
}
