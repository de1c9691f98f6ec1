package shrink

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"dns-tui/model"
)

// Difference runs a net and the one that was made of it on the same inputs, a number of passes, and returns by how much
// they differ: the largest difference of two values, as a part of the largest value of their blob, and the blob. Both
// nets must have the same sources; in each pass the blobs that inputs names get new random numbers, of a normal
// distribution, the same in both. Blobs are compared that both have in the same shape: the outputs of the first must be
// among them.
func Difference(before, after *model.Net, passes int, inputs []string) (worst float64, blob string, err error) {
	names := slices.DeleteFunc(before.BlobNames(), func(n string) bool {
		b, a := before.Blob(n), after.Blob(n)
		return a == nil || b.Data == nil || a.Data == nil || !slices.Equal(a.Shape, b.Shape)
	})
	for _, o := range before.Outputs() {
		if !slices.Contains(names, o.Name) {
			return 0, "", fmt.Errorf("the smaller net has no output %q of that shape", o.Name)
		}
	}
	if len(names) == 0 {
		return 0, "", errors.New("the nets have no blob in common")
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range passes {
		if err := fill(before, after, inputs, random); err != nil {
			return 0, "", err
		}
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

// fill sets blobs of both nets to random numbers.
func fill(before, after *model.Net, blobs []string, random *rand.Rand) error {
	for _, name := range blobs {
		b, a := before.Blob(name), after.Blob(name)
		if b == nil || a == nil || !slices.Equal(b.Shape, a.Shape) {
			return fmt.Errorf("the smaller net has no input %q of that shape", name)
		}
		v := make([]float32, b.Data.N)
		for i := range v {
			v[i] = float32(random.NormFloat64())
		}
		before.Device().Upload(b.Data, v)
		after.Device().Upload(a.Data, v)
	}
	return nil
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
