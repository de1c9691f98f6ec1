package shrink

import (
	"fmt"
	"math"
	"slices"

	"dns-tui/model"
)

// Difference runs a net and the one that was made of it on the same inputs, a number of passes, and returns by how much
// they differ: the largest difference of two values, as a part of the largest value of their blob, and the blob. Both
// nets must have the same sources. Blobs are compared that both have in the same shape.
func Difference(before, after *model.Net, passes int) (worst float64, blob string, err error) {
	names := slices.DeleteFunc(before.BlobNames(), func(n string) bool {
		b, a := before.Blob(n), after.Blob(n)
		return a == nil || b.Data == nil || a.Data == nil || !slices.Equal(a.Shape, b.Shape)
	})
	for range passes {
		for _, n := range []*model.Net{before, after} {
			if err := n.Run(); err != nil {
				return 0, "", err
			}
		}
		for _, name := range names {
			d, err := differ(before, after, name)
			if err != nil {
				return 0, "", err
			}
			if d > worst || blob == "" {
				worst, blob = max(worst, d), name
			}
		}
	}
	return worst, blob, nil
}

func differ(before, after *model.Net, name string) (float64, error) {
	x, y := values(before, name), values(after, name)
	largest, most := 0.0, 0.0
	for i := range x {
		d := math.Abs(float64(x[i]) - float64(y[i]))
		if math.IsNaN(d) && x[i] != y[i] && !(x[i] != x[i] && y[i] != y[i]) {
			return 0, fmt.Errorf("blob %q: %g became %g", name, x[i], y[i])
		}
		if !math.IsNaN(d) {
			largest, most = max(largest, math.Abs(float64(x[i]))), max(most, d)
		}
	}
	if most == 0 {
		return 0, nil
	}
	return most / max(largest, math.SmallestNonzeroFloat32), nil
}

func values(n *model.Net, name string) []float32 {
	t := n.Blob(name).Data
	v := make([]float32, t.N)
	n.Device().Download(v, t)
	return v
}
