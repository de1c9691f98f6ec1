package main

import (
	"context"
	"flag"
	"strings"

	"dns-tui/caffe"
	"dns-tui/caffe/dataset"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/gpu"
	"dns-tui/human"
)

func runDataset(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "dataset")
	part := fs.String("split", "train", "mnist: which part, train or test")
	var im imageFlags
	im.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	kind := ""
	if len(rest) > 0 {
		kind = rest[0]
	}
	switch kind {
	case "mnist":
		return writeMNIST(e, *part, rest[1:])
	case "images":
		return im.write(e, rest[1:])
	}
	return usagef("dataset: wanted `dataset mnist DIR_WITH_IDX_FILES OUT_LMDB` or `dataset images ROOT LIST OUT_LMDB`")
}

func writeMNIST(e *env, part string, rest []string) error {
	if len(rest) != 2 {
		return usagef(
			"dataset mnist: wanted a folder with idx files and a name for the LMDB, found %s",
			count(len(rest), "argument"),
		)
	}
	split := dataset.MNISTTrain
	switch part {
	case "train":
	case "test":
		split = dataset.MNISTTest
	default:
		return usagef("dataset mnist: --split is %q; wanted train or test", part)
	}
	b := newBar(e, "images", 0)
	n, err := dataset.WriteMNIST(rest[0], split, rest[1], b.of)
	b.end()
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "%s: %d images of 28x28\n", rest[1], n)
	return nil
}

// imageFlags are those of Caffe's convert_imageset.
type imageFlags struct {
	gray, shuffle, encoded, checkSize bool
	width, height                     int
	encodeType                        string
	seed                              uint64
}

func (f *imageFlags) add(fs *flag.FlagSet) {
	fs.BoolVar(&f.gray, "gray", false, "images: read pictures as grey")
	fs.BoolVar(&f.shuffle, "shuffle", false, "images: shuffle the list")
	fs.Uint64Var(&f.seed, "seed", 1, "images: of the shuffle")
	fs.IntVar(&f.width, "resize_width", 0, "images: width to scale to")
	fs.IntVar(&f.height, "resize_height", 0, "images: height to scale to")
	fs.BoolVar(&f.checkSize, "check_size", false, "images: reject pictures of unequal sizes")
	fs.BoolVar(&f.encoded, "encoded", false, "images: store pictures, not pixels")
	fs.StringVar(
		&f.encodeType,
		"encode_type",
		"",
		"images: how to store pictures: jpg or png (default: as most of the list is)",
	)
}

func (f *imageFlags) write(e *env, rest []string) error {
	if len(rest) != 3 {
		return usagef(
			"dataset images: wanted a folder that goes before the paths, a list of images, and a name for the LMDB, "+
				"found %s",
			count(len(rest), "argument"),
		)
	}
	root := rest[0]
	if root != "" && !strings.HasSuffix(root, "/") {
		root += "/"
	}
	list, err := dataset.ReadImageList(rest[1])
	if err != nil {
		return err
	}
	o := dataset.ImagesetOptions{
		PictureOptions: dataset.PictureOptions{Root: root, Height: f.height, Width: f.width, Gray: f.gray},
		CheckSize:      f.checkSize,
	}
	if f.encodeType != "" {
		o.Encoding = f.encodeType
	} else if f.encoded {
		if o.Encoding = "jpg"; files.HasExt(list.Entries[0].Path, ".png") {
			o.Encoding = "png"
		}
	}
	if f.shuffle {
		key := gpu.Key{Seed: f.seed}
		o.Order = dataset.Shuffle(
			len(list.Entries),
			func(i, bound int) int { return int(uint64(key.Block(uint32(i))[0]) * uint64(bound) >> 32) },
		)
	}
	b := newBar(e, "images", len(list.Entries))
	o.Progress = b.of
	err = dataset.WriteImages(list, o, rest[2])
	b.end()
	if err != nil {
		return err
	}
	escape.Fprintf(e.stdout, "%s: %s images\n", rest[2], human.Count(len(list.Entries)))
	return nil
}

func runMean(_ context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "mean"), args)
	if err != nil {
		return err
	}
	if len(rest) != 2 {
		return usagef("mean: wanted a database and a name for the mean image, found %s", count(len(rest), "argument"))
	}
	db, err := dataset.Open(rest[0])
	if err != nil {
		return err
	}
	defer db.Close()
	b := newBar(e, "records", 0)
	mean, err := dataset.Mean(db, b.of)
	b.end()
	if err != nil {
		return err
	}
	if err := caffe.WriteBinary(rest[1], mean); err != nil {
		return err
	}
	to := e.noticeWriter(rest[1])
	escape.Fprintf(to, "%s: %s\n", rest[1], caffe.FormatShape(caffe.Shape(mean)))
	plane := int(mean.GetHeight() * mean.GetWidth())
	for c := range int(mean.GetChannels()) {
		var sum float64
		for _, v := range mean.Data[c*plane:][:plane] {
			sum += float64(v)
		}
		escape.Fprintf(to, "mean_value channel [%d]: %.6g\n", c, sum/float64(plane))
	}
	return nil
}
