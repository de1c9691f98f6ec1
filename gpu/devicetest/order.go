package devicetest

import (
	"fmt"
	"math"

	"dns-tui/gpu"
)

// repeats does the same work several times with other numbers, as a training loop does: a device may record it the
// first time, but not what changes. In the middle the thread changes, and memory is freed and taken again.
func repeats(b *bench) {
	s := gpu.ChannelShape{Outer: 4, Channels: 6, Inner: 1}
	x, w, y, dx := b.empty(4*5), b.empty(6*5), b.empty(s.Len()), b.empty(s.Len())
	bias, h, masked := b.tensor(make([]float32, 6)), b.tensor(make([]float32, 6*5)), b.empty(6*5)
	dw := b.tensor(make([]float32, 6*5))
	for i := range 6 {
		xs, ws, bs := b.random(4*5), b.random(6*5), b.random(6)
		if i == 3 {
			w = b.empty(6 * 5)
		}
		b.d.Upload(x, xs)
		b.d.Upload(w, ws)
		b.d.Upload(bias, bs)
		b.d.Fill(h, 0)
		key := gpu.Key{Seed: 9, Stream: 2, Iter: uint64(i)}
		work := func() {
			b.d.Gemm(false, true, 4, 6, 5, 1, x, w, 0, y)
			b.d.AddBias(s, bias, y)
			b.d.ReLU(y, y, 0.25)
			b.d.Dropout(y, dx, 0.5, key)
			b.d.Gemm(true, false, 6, 5, 4, 1, dx, x, 1, dw)
			b.d.Update(gpu.UpdateParams{Rate: 0.1 * float32(i), Scale: 1, Theta: 1}, w, dw, h, nil, masked)
		}
		done := make(chan struct{})
		go func() { defer close(done); work() }()
		<-done
		want := make([]float64, s.Len())
		for r := range 4 {
			for c := range 6 {
				v := float64(bs[c])
				for k := range 5 {
					v += float64(xs[5*r+k]) * float64(ws[5*c+k])
				}
				if v < 0 {
					v *= 0.25
				}
				want[6*r+c] = v
			}
		}
		b.check(fmt.Sprint("product, bias and ReLU, round ", i), y, want)
		for k := range want {
			want[k] *= 2
			if key.Uniform(k) < 0.5 {
				want[k] = 0
			}
		}
		b.check(fmt.Sprint("dropout, round ", i), dx, want)
		b.check(fmt.Sprint("update, round ", i), w, each(6*5, func(at int) float64 {
			g := 0.0
			for r := range 4 {
				g += want[6*r+at/5] * float64(xs[5*r+at%5])
			}
			return float64(ws[at]) - float64(0.1*float32(i))*g
		}))
	}
}

// fetch reads results that nobody waits for at once, and reuses what they came from.
func fetch(b *bench) {
	x := b.empty(3)
	var got [20][3]float32
	var big [40000]float32
	marks := make([]gpu.Mark, len(got))
	for i := range got {
		b.d.Fill(x, float32(i))
		b.d.Fetch(got[i][:], x)
		b.d.Fill(x, -1)
		marks[i] = b.d.Mark()
		if i >= 2 {
			if err := b.d.Await(marks[i-2]); err != nil {
				b.Fatal(err)
			}
			if got[i-2] != [3]float32{float32(i - 2), float32(i - 2), float32(i - 2)} {
				b.Fatalf("fetched %v in round %d", got[i-2], i-2)
			}
		}
	}
	large := b.empty(len(big))
	b.d.Fill(large, 3)
	b.d.Fetch(big[:], large)
	if err := b.d.Sync(); err != nil {
		b.Fatal(err)
	}
	if big[0] != 3 || big[len(big)-1] != 3 || got[19][0] != 19 {
		b.Fatalf("fetched %g, %g and %g", big[0], big[len(big)-1], got[19][0])
	}
}

// uploads sends batch after batch, large and small, without waiting, and spoils what was sent at once: a device must
// have taken it, and must not put it in place before the kernels that still read the batch before.
func uploads(b *bench) {
	for _, n := range []int{10, 300000, 3 << 20} {
		x, total, label := b.empty(n), b.tensor(make([]float32, n)), b.empty(1)
		src := make([]float32, n)
		const rounds = 5
		for round := range rounds {
			for i := range src {
				src[i] = float32(round + i%7)
			}
			b.d.Upload(x, src)
			b.d.Upload(label, []float32{float32(round)})
			for i := range src {
				src[i] = float32(math.NaN())
			}
			b.d.Axpby(1, x, 1, total)
		}
		b.check(
			fmt.Sprint("batches of ", n),
			total,
			each(n, func(i int) float64 { return float64(rounds*(rounds-1)/2 + rounds*(i%7)) }),
		)
		b.check("labels", label, []float64{rounds - 1})
	}
}
