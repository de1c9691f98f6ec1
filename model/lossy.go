package model

import (
	"fmt"

	"dns-tui/caffe"
	"dns-tui/caffe/caffepb"
	"dns-tui/caffe/compact"
)

// Cluster gives each parameter of a stored net without masks at most 2^bits different values beside 0: see
// compact.Cluster. Statistics stay as they are. It returns the parameters that had no more values to begin with, which
// are unchanged, and how many parameters there are.
func Cluster(n *caffepb.NetParameter, bits int) (unchanged, total int, err error) {
	err = eachParameter(n, func(values []float32) error {
		found, err := compact.Cluster(values, 1<<bits)
		if total++; found < 1<<bits {
			unchanged++
		}
		return err
	})
	return unchanged, total, err
}

// RoundHalf rounds the parameters of a stored net without masks to float16. Statistics stay as they are: the variance
// of a channel may be more than float16 has.
func RoundHalf(n *caffepb.NetParameter) error { return eachParameter(n, compact.RoundHalf) }

// eachParameter calls f with the values of each parameter, which it may change.
func eachParameter(n *caffepb.NetParameter, f func(values []float32) error) error {
	for _, l := range n.Layer {
		if isStatistics(l) {
			continue
		}
		for i, b := range l.Blobs {
			b.Data, b.DoubleData = caffe.Values(b), nil
			if err := f(b.Data); err != nil {
				return fmt.Errorf("layer %q, blob %d: %w", l.GetName(), i, err)
			}
		}
	}
	return nil
}
