package main

import (
	"context"
	"fmt"

	"dns-tui/caffe/dataset"
)

func runDataset(_ context.Context, e *env, args []string) error {
	fs := newFlags(e, "dataset")
	part := fs.String("split", "train", "which part of MNIST: train or test")
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) == 0 || rest[0] != "mnist" {
		return usagef("dataset: wanted `dataset mnist DIR_WITH_IDX_FILES OUT_LMDB`")
	}
	if len(rest) != 3 {
		return usagef("dataset mnist: wanted a folder with idx files and a name for the LMDB, found %d arguments", len(rest)-1)
	}
	split := dataset.MNISTTrain
	switch *part {
	case "train":
	case "test":
		split = dataset.MNISTTest
	default:
		return usagef("dataset mnist: --split is %q; wanted train or test", *part)
	}
	n, err := dataset.WriteMNIST(rest[1], split, rest[2])
	if err != nil {
		return err
	}
	fmt.Fprintf(e.stdout, "%s: %d images of 28x28\n", rest[2], n)
	return nil
}
