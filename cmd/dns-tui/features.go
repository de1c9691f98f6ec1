package main

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"

	"dns-tui/caffe/dataset"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/model"
)

// runFeatures is Caffe's extract_features: it runs a net over batches and writes blobs, an example a record.
func runFeatures(ctx context.Context, e *env, args []string) error {
	var blobs, outs []string
	return withNet(
		ctx,
		e,
		netCommand{
			name:         "features",
			phase:        "TEST",
			needsWeights: true,
			read:         &blobs,
			operands: func(rest []string) error {
				if len(rest) < 2 {
					return usagef(
						"features: wanted the names of blobs, with commas between them, and a name for the LMDB of "+
							"each, found %s",
						count(len(rest), "argument"),
					)
				}
				if blobs, outs = strings.Split(rest[0], ","), rest[1:]; len(blobs) != len(outs) {
					return usagef(
						"features: %s for %s; wanted one for each blob",
						count(len(outs), "database"),
						count(len(blobs), "blob"),
					)
				}
				return nil
			},
		},
		args,
		func(ctx context.Context, n *model.Net, d *gpu.Device, flags *netFlags) error {
			err := extract(ctx, e, n, d, blobs, outs, flags.iterations)
			if err == nil {
				describePrepared(e.stdout, n.Prepared())
			}
			return err
		},
	)
}

func extract(ctx context.Context, e *env, n *model.Net, d *gpu.Device, blobs, outs []string, batches int) (err error) {
	runtime.LockOSThread() // a transaction belongs to its thread
	defer runtime.UnlockOSThread()
	writers := make([]*dataset.LMDBWriter, len(blobs))
	defer func() {
		for _, w := range writers {
			if w != nil {
				w.Abort()
			}
		}
	}()
	for i, name := range blobs {
		if n.Blob(name) == nil {
			return fmt.Errorf("the net has no blob %q; it has %s", name, strings.Join(n.BlobNames(), ", "))
		}
		if writers[i], err = dataset.CreateLMDB(outs[i]); err != nil {
			return err
		}
	}
	counts := make([]int, len(blobs))
	progress := newBar(e, "batches", batches)
	defer progress.end()
	for batch := range batches {
		progress.step(batch)
		if ctx.Err() != nil {
			return model.ErrStopped
		}
		if _, err := n.Forward(); err != nil {
			return err
		}
		for i, name := range blobs {
			b := n.Blob(name)
			if len(b.Shape) == 0 || len(b.Shape) > 4 {
				return fmt.Errorf("blob %q has the shape %s; wanted examples of up to 3 axes", name, b.FormatShape())
			}
			values := make([]float32, b.Len())
			d.Download(values, b.Data)
			size := [3]int{1, 1, 1}
			copy(size[:], b.Shape[1:])
			per := size[0] * size[1] * size[2]
			for k := range b.Shape[0] {
				record := &dataset.Datum{
					Channels: size[0],
					Height:   size[1],
					Width:    size[2],
					Float:    values[k*per:][:per],
				}
				if err := writers[i].Put(fmt.Sprintf("%010d", counts[i]), record); err != nil {
					return err
				}
				counts[i]++
			}
		}
	}
	progress.end()
	var errs []error
	for i, w := range writers {
		if err := w.Commit(); err != nil {
			errs = append(errs, err)
			continue
		}
		escape.Fprintf(e.stdout, "%s: %d records of blob %s\n", outs[i], counts[i], blobs[i])
	}
	return errors.Join(errs...)
}
