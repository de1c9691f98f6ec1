package remote

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// busy is a run of 50 layers whose states differ as those of a run do: a point more in each curve, and new histograms.
func busy(n int, before *session.Snapshot) *session.Snapshot {
	s := *before
	s.Iter, s.Published = n, time.Unix(0, int64(n))
	for _, c := range series(&s) {
		c.Iters, c.Values = append(
			slices.Clip(c.Iters),
			n,
		), append(
			slices.Clip(c.Values),
			float64(n),
		)
		if len(c.Iters) > 1000 {
			c.Iters, c.Values, c.Epoch = c.Iters[500:], c.Values[500:], c.Epoch+1
		}
	}
	s.Layers = append([]session.LayerStats(nil), s.Layers...)
	if n%10 == 0 { // once a second
		r := &gpu.SurgeryResult{KeptAt: make([]uint32, gpu.HistogramBins), PrunedAt: make([]uint32, gpu.HistogramBins)}
		for i := range r.KeptAt[:gpu.HistogramBins/2] {
			r.KeptAt[i] = uint32(i * n)
		}
		h := solver.NewHistogram(gpu.SeedRule, r)
		for i := range s.Layers {
			s.Layers[i].Histogram = h
		}
	}
	return &s
}

// What viewers cost a run: processor time of the server for each state and viewer. The viewers throw away what they
// get; what that costs is in it.
func BenchmarkViewers(b *testing.B) {
	for _, viewers := range []int{1, 8, 31} {
		b.Run(fmt.Sprint(viewers), func(b *testing.B) {
			f := newFake()
			h := &config.Hyper{Stop: config.Never}
			for i := range 50 {
				h.Layers = append(h.Layers, config.LayerHyper{Name: fmt.Sprint("conv", i)})
			}
			s := &session.Snapshot{Net: "net", Hyper: h}
			for i := range h.Layers {
				s.Layers = append(s.Layers, session.LayerStats{Name: h.Layers[i].Name, Type: "Convolution"})
			}
			f.latest.Store(s)
			server := NewServer(f, "bench", "test")
			defer server.Close()
			got := make([]atomic.Int64, viewers)
			for i := range viewers {
				ours, theirs := pair(b)
				defer ours.Close()
				server.ServeConn(theirs)
				go drink(ours, fmt.Sprint("viewer ", i), &got[i])
			}
			// Who comes is news for all: it is over when everybody knows of everybody.
			for last := int64(-1); ; {
				sum := int64(0)
				for i := range got {
					sum += got[i].Load()
				}
				if sum == last && sum > 0 {
					break
				}
				last = sum
				time.Sleep(300 * time.Millisecond)
			}
			from := make([]int64, viewers)
			for i := range got {
				from[i] = got[i].Load()
			}
			var before, after syscall.Rusage
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &before); err != nil {
				b.Fatal(err)
			}
			for n := range b.N {
				s = busy(n+1, s)
				f.latest.Store(s)
				for i := range got {
					for got[i].Load() < from[i]+int64(n)+1 {
						time.Sleep(time.Millisecond)
					}
				}
			}
			if err := syscall.Getrusage(syscall.RUSAGE_SELF, &after); err != nil {
				b.Fatal(err)
			}
			cpu := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
			b.ReportMetric(float64(cpu.Microseconds())/float64(b.N*viewers), "cpu-µs/state/viewer")
		})
	}
}

// drink reads frames and asks for the next.
func drink(c net.Conn, name string, got *atomic.Int64) {
	ask := func(m *remotepb.Request) bool { return send(c, delimited{}, m) == nil }
	want := &remotepb.Request{Kind: &remotepb.Request_Want{Want: &remotepb.Want{IntervalMs: 20}}}
	in := bufio.NewReaderSize(c, 1<<20)
	for first := ask(helloOf(name)); ; first = false {
		n, err := binary.ReadUvarint(in)
		if err != nil {
			return
		}
		if _, err := in.Discard(int(n)); err != nil {
			return
		}
		if !first { // a Welcome
			got.Add(1)
		}
		if !ask(want) {
			return
		}
	}
}

func pair(b *testing.B) (ours, theirs net.Conn) {
	b.Helper()
	path := b.TempDir() + "/s"
	l, err := net.Listen("unix", path)
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	if ours, err = net.Dial("unix", path); err == nil {
		theirs, err = l.Accept()
	}
	if err != nil {
		b.Fatal(err)
	}
	return ours, theirs
}
