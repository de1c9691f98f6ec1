package compact

import (
	"fmt"
	"math"
	"slices"
	"sort"

	"github.com/x448/float16"
)

// maxRounds is how often k-means moves its centroids at most; it is at rest long before, but for values of millions.
const maxRounds = 100

// Cluster replaces the values that are not 0 by the nearest of at most so many centroids, found by k-means (Lloyd)
// from centroids spread evenly between the least and the greatest, as in Deep Compression (Han, Mao, Dally, ICLR
// 2016, section
// 3.2: large weights are few, and count most). Where there are no more different values than centroids, nothing
// changes.
// It returns how many different values there are then, and is an error where a value is not finite.
func Cluster(values []float32, centroids int) (int, error) {
	var kept []float32
	for _, v := range values {
		if v != 0 {
			kept = append(kept, v)
		}
		if d := float64(v) - float64(v); d != 0 {
			return 0, fmt.Errorf("it holds %g, which has no nearest centroid", v)
		}
	}
	slices.Sort(kept)
	if n := different(kept, centroids); n <= centroids {
		return n, nil
	}
	centers := kMeans(kept, centroids)
	borders := make([]float64, len(centers)-1)
	for i := range borders {
		borders[i] = (centers[i] + centers[i+1]) / 2
	}
	for i, v := range values {
		if v != 0 {
			values[i] = float32(centers[sort.SearchFloat64s(borders, float64(v))])
		}
	}
	return len(centers), nil
}

// different counts the different values of a sorted slice, as far as one more than most.
func different(sorted []float32, most int) int {
	n := 0
	for i, v := range sorted {
		if i == 0 || v != sorted[i-1] {
			if n++; n > most {
				break
			}
		}
	}
	return n
}

// cluster is a run of sorted values, and their mean.
type cluster struct {
	from, to int
	mean     float64
}

// kMeans returns the centroids of sorted values, in their order: at least n different ones. Where nothing is nearest to
// one of the centroids, the cluster of the greatest error is split.
func kMeans(sorted []float32, n int) []float64 {
	sums := make([]float64, len(sorted)+1)    // of the first so many
	squares := make([]float64, len(sorted)+1) // of the first so many
	for i, v := range sorted {
		sums[i+1], squares[i+1] = sums[i]+float64(v), squares[i]+float64(v)*float64(v)
	}
	mean := func(from, to int) float64 { return (sums[to] - sums[from]) / float64(to-from) }
	loss := func(c cluster) float64 {
		return squares[c.to] - squares[c.from] - (sums[c.to]-sums[c.from])*c.mean
	}
	least, greatest := float64(sorted[0]), float64(sorted[len(sorted)-1])
	centers := make([]float64, n)
	for i := range centers {
		centers[i] = least + (greatest-least)*float64(i)/float64(max(1, n-1))
	}
	for range maxRounds {
		clusters := nearest(sorted, centers)
		next := make([]float64, 0, n)
		worst, most := -1, 0.0
		for i := range clusters {
			c := &clusters[i]
			c.mean = mean(c.from, c.to)
			if l := loss(*c); l > most && sorted[c.from] != sorted[c.to-1] {
				worst, most = i, l
			}
		}
		for i, c := range clusters {
			if i == worst && len(clusters) < n {
				at := c.from + sort.Search(c.to-c.from, func(k int) bool { return float64(sorted[c.from+k]) > c.mean })
				next = append(next, mean(c.from, at), mean(at, c.to))
				continue
			}
			next = append(next, c.mean)
		}
		if slices.Equal(next, centers) {
			break
		}
		centers = next
	}
	return centers
}

// nearest returns the runs of sorted values that are nearest to each of sorted centers, but for empty ones.
func nearest(sorted []float32, centers []float64) []cluster {
	var out []cluster
	from := 0
	for i, c := range centers {
		to := len(sorted)
		if i+1 < len(centers) {
			border := (c + centers[i+1]) / 2
			to = from + sort.Search(len(sorted)-from, func(k int) bool { return float64(sorted[from+k]) > border })
		}
		if to > from {
			out = append(out, cluster{from: from, to: to})
		}
		from = to
	}
	return out
}

// RoundHalf rounds values to the nearest that float16 has. It is an error where one is too large for it.
func RoundHalf(values []float32) error {
	for i, v := range values {
		h := float16.Fromfloat32(v)
		if h.IsInf(0) && !math.IsInf(float64(v), 0) {
			return fmt.Errorf("it holds %g, and float16 goes to 65504", v)
		}
		values[i] = h.Float32()
	}
	return nil
}
