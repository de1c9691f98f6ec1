package collective

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// makers open the ranks of a group within this process, by every engine.
var makers = map[string]func(t testing.TB, n int, o Options) []Group{
	"in-process": func(_ testing.TB, n int, _ Options) []Group { return InProcess(n) },
	"shared":     sharedGroup,
	"shared by address": func(t testing.TB, n int, o Options) []Group {
		return addressGroup(t, n, o, "")
	},
	"tcp": func(t testing.TB, n int, o Options) []Group { return addressGroup(t, n, o, "tcp") },
}

func engines(t *testing.T, f func(t *testing.T, open func(t testing.TB, n int, o Options) []Group)) {
	for name, open := range makers {
		t.Run(name, func(t *testing.T) { f(t, open) })
	}
}

// sharedGroup is what StartLocal makes, for goroutines.
func sharedGroup(t testing.TB, n int, o Options) []Group {
	t.Helper()
	places := make([]Place, n)
	ends := make([]net.Conn, n)
	memory, err := sharedFile(n, localToken)
	if err != nil {
		t.Fatal(err)
	}
	conn := func(fd int) net.Conn {
		f := os.NewFile(uintptr(fd), "")
		defer f.Close()
		c, err := net.FileConn(f)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for r := 1; r < n; r++ {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			t.Fatal(err)
		}
		ends[r] = conn(pair[0])
		fd, err := unix.Dup(int(memory.Fd()))
		if err != nil {
			t.Fatal(err)
		}
		places[r] = Place{Rank: r, Size: n,
			local: &localEnds{conns: []net.Conn{conn(pair[1])}, memory: os.NewFile(uintptr(fd), "")}}
	}
	places[0] = Place{Size: n, local: &localEnds{conns: ends, memory: memory}}
	return openAll(t, places, func(int) Options { return o })
}

// addressGroup meets at a free port of this machine.
func addressGroup(t testing.TB, n int, o Options, engine string) []Group {
	t.Helper()
	o.Engine = engine
	places := make([]Place, n)
	socket, address := listening(t)
	for r := range places {
		places[r] = Place{Rank: r, Size: n, Address: address}
	}
	places[0].socket = socket
	return openAll(t, places, func(int) Options { return o })
}

// listening is a socket at which rank 0 of a test listens, so that nobody takes its port before.
func listening(t testing.TB) (net.Listener, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l, l.Addr().String()
}

// freePort is an address at which nobody listens.
func freePort(t testing.TB) string {
	l, address := listening(t)
	_ = l.Close()
	return address
}

func openAll(t testing.TB, places []Place, o func(rank int) Options) []Group {
	t.Helper()
	groups := make([]Group, len(places))
	each(len(places), func(r int) {
		g, err := Open(places[r], o(r))
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
			return
		}
		groups[r] = g
	})
	if t.Failed() {
		t.FailNow()
	}
	return groups
}

// each runs f for every rank at once.
func each(n int, f func(r int)) {
	var tasks sync.WaitGroup
	for r := range n {
		tasks.Go(func() { f(r) })
	}
	tasks.Wait()
}

func closeAll(t testing.TB, groups []Group) {
	t.Helper()
	each(len(groups), func(r int) {
		if err := groups[r].Close(); err != nil {
			t.Errorf("rank %d: closing: %v", r, err)
		}
	})
}

// value is what rank r has at i: numbers whose sum tells the order in which they were added.
func value(r, i int) float32 {
	return []float32{1e8, 1.25, -1e8, 3.7e-3, 7e7, -2.5}[(r+i)%6] * float32(1+i%7)
}

// expected is the sum over n ranks, in their order.
func expected(n, i int, wire Wire) float32 {
	cut := func(v float32) float32 {
		if wire == BFloat16 {
			var h [1]uint16
			var w [1]float32
			round(h[:], []float32{v})
			widen(w[:], h[:])
			return w[0]
		}
		return v
	}
	total := cut(value(0, i))
	for r := 1; r < n; r++ {
		total += cut(value(r, i))
	}
	return cut(total)
}

// sumSizes are around what engines cut arrays by.
var sumSizes = []int{
	0, 1, 2, 3, 15, 16, 17, 63, 1000, chunkSize - 1, chunkSize, chunkSize + 1, 2*chunkSize + 5, 5*chunkSize + 77,
}

func TestSums(t *testing.T) {
	engines(t, func(t *testing.T, open func(t testing.TB, n int, o Options) []Group) {
		ranks := []int{1, 2, 3, 5}
		if testing.Short() {
			ranks = []int{3}
		}
		for _, n := range ranks {
			for _, wire := range []Wire{Float32, BFloat16} {
				t.Run(fmt.Sprintf("%d %v", n, wire), func(t *testing.T) {
					if strings.Contains(t.Name(), "in-process") && wire == BFloat16 {
						t.Skip("has no wire")
					}
					groups := open(t, n, Options{Wire: wire})
					each(n, func(r int) { sumAll(t, groups[r], sumSizes, wire) })
					closeAll(t, groups)
				})
			}
		}
	})
}

// sumAll adds arrays of all sizes, one by one and all at once, in the wire's format and exactly.
func sumAll(t *testing.T, g Group, sizes []int, wire Wire) {
	for _, together := range []bool{false, true} {
		var begun [][]float32
		check := func() {
			if err := g.Wait(); err != nil {
				t.Errorf("rank %d: %v", g.Rank(), err)
			}
			for j, x := range begun {
				w := wire
				if j%2 == 1 && together || g.Size() == 1 {
					w = Float32
				}
				for i, v := range x {
					if want := expected(g.Size(), i, w); math.Float32bits(v) != math.Float32bits(want) {
						t.Errorf(
							"rank %d of %d: sum of %d numbers: %d is %v, wanted %v",
							g.Rank(),
							g.Size(),
							len(x),
							i,
							v,
							want,
						)
						break
					}
				}
			}
			begun = begun[:0]
		}
		for j, size := range sizes {
			x := make([]float32, size)
			for i := range x {
				x[i] = value(g.Rank(), i)
			}
			begun = append(begun, x)
			g.Reduce(x, together && j%2 == 1)
			if !together {
				check()
			}
		}
		check()
		check() // nothing to wait for
	}
}

func TestMessages(t *testing.T) {
	engines(t, func(t *testing.T, open func(t testing.TB, n int, o Options) []Group) {
		const n = 3
		groups := open(t, n, Options{Device: "abacus"})
		sizes := []int{0, 1, pieceSize - 1, pieceSize, pieceSize + 1, 64 << 20, 3 << 20, 5}
		if testing.Short() {
			sizes[5] = 5 << 20
		}
		each(n, func(r int) {
			g := groups[r]
			for _, size := range sizes {
				var message []byte
				if r == 0 {
					message = pattern(size, 9)
				}
				got, err := g.Broadcast(message)
				if err != nil || string(got) != string(pattern(size, 9)) {
					t.Errorf("rank %d: broadcast of %d: %d bytes, %v", r, size, len(got), err)
				}
			}
			for _, size := range sizes {
				if size > 3<<20 {
					size = 8 << 20
				}
				all, err := g.Gather(pattern(size, r))
				if err != nil || len(all) != n {
					t.Errorf("rank %d: gather: %d, %v", r, len(all), err)
					return
				}
				for q, m := range all {
					if string(m) != string(pattern(size, q)) {
						t.Errorf("rank %d: gather of %d: rank %d's is wrong", r, size, q)
					}
				}
			}
			if len(g.Members()) != n || g.Members()[1].PID != os.Getpid() || len(g.Status()) != n {
				t.Errorf("rank %d: members %v, status %v", r, g.Members(), g.Status())
			}
			g.Tell(func() []byte { return fmt.Append(nil, "I am ", r) })
			if string(g.Status()[r].Told) != fmt.Sprint("I am ", r) {
				t.Errorf("rank %d tells of itself %q", r, g.Status()[r].Told)
			}
			if _, ok := g.(*inProcess); !ok && r == 0 { // the others' come with their signs of life
				for g.Err() == nil && string(g.Status()[n-1].Told) != fmt.Sprint("I am ", n-1) {
					time.Sleep(time.Millisecond)
				}
			}
			if _, err := g.Gather(nil); err != nil { // the others wait until it was heard
				t.Errorf("rank %d: %v", r, err)
			}
		})
		closeAll(t, groups)
	})
}

// pattern is bytes that tell their places, and seeds from each other.
func pattern(size, seed int) []byte {
	b := make([]byte, size)
	for i := range min(size, 1000) {
		b[i] = byte(i*7 + i>>8 + seed)
	}
	for n := 1000; n < size; n *= 2 {
		copy(b[n:], b[:n])
	}
	return b
}

// TestAnyCalls makes any calls in one order on all ranks.
func TestAnyCalls(t *testing.T) {
	engines(t, func(t *testing.T, open func(t testing.TB, n int, o Options) []Group) {
		rapid.Check(t, func(rt *rapid.T) {
			n := rapid.IntRange(1, 4).Draw(rt, "ranks")
			calls := rapid.SliceOfN(rapid.IntRange(0, 3), 1, 12).Draw(rt, "calls")
			lengths := rapid.SliceOfN(rapid.IntRange(0, 3*chunkSize), len(calls), len(calls)).Draw(rt, "lengths")
			groups := open(t, n, Options{})
			each(n, func(r int) { callAll(t, groups[r], calls, lengths) })
			closeAll(t, groups)
		})
	})
}

func callAll(t *testing.T, g Group, calls, lengths []int) {
	var begun [][]float32
	wait := func() {
		if err := g.Wait(); err != nil {
			t.Errorf("rank %d: %v", g.Rank(), err)
		}
		for _, x := range begun {
			for i, v := range x {
				if v != expected(g.Size(), i, Float32) {
					t.Errorf("rank %d of %d: %d of %d is %v", g.Rank(), g.Size(), i, len(x), v)
					return
				}
			}
		}
		begun = nil
	}
	for j, c := range calls {
		switch c {
		case 0:
			x := make([]float32, lengths[j])
			for i := range x {
				x[i] = value(g.Rank(), i)
			}
			begun = append(begun, x)
			g.Reduce(x, j%2 == 0)
		case 1:
			wait()
		case 2:
			if b, err := g.Broadcast(pattern(lengths[j], 0)); err != nil ||
				string(b) != string(pattern(lengths[j], 0)) {
				t.Errorf("rank %d: broadcast: %v", g.Rank(), err)
			}
		case 3:
			all, err := g.Gather(pattern(lengths[j], g.Rank()))
			if err != nil {
				t.Errorf("rank %d: gather: %v", g.Rank(), err)
			}
			for q, m := range all {
				if string(m) != string(pattern(lengths[j], q)) {
					t.Errorf("rank %d: gather: rank %d's is wrong", g.Rank(), q)
				}
			}
		}
	}
	wait()
}

// TestFailAtAnyStage has each rank fail at each stage: all end, with one error.
func TestFailAtAnyStage(t *testing.T) {
	stages := []struct {
		name string
		call func(g Group) error // what the others are in
	}{
		{"broadcast", func(g Group) error {
			if g.Rank() == 0 {
				<-g.Failed() // it has nothing to say
				return g.Err()
			}
			_, err := g.Broadcast(nil)
			return err
		}},
		{"gather", func(g Group) error {
			_, err := g.Gather([]byte("x"))
			return err
		}},
		{"sum", func(g Group) error {
			g.Reduce(make([]float32, 3*chunkSize), false)
			return g.Wait()
		}},
		{"sums", func(g Group) error {
			for range 10 {
				g.Reduce(make([]float32, 100), false)
			}
			return g.Wait()
		}},
	}
	engines(t, func(t *testing.T, open func(t testing.TB, n int, o Options) []Group) {
		const n = 3
		for _, stage := range stages {
			for fails := range n {
				t.Run(fmt.Sprintf("%s %d", stage.name, fails), func(t *testing.T) {
					groups := open(t, n, Options{})
					errs := make([]error, n)
					each(n, func(r int) {
						if r == fails {
							groups[r].Fail("has had enough")
							errs[r] = groups[r].Err()
						} else {
							errs[r] = stage.call(groups[r])
						}
						<-groups[r].Failed()
						for range 2 { // nothing leaves that state
							if _, err := groups[r].Gather(nil); err == nil {
								t.Errorf("rank %d: gathers after the end", r)
							}
							groups[r].Reduce(make([]float32, 5), true)
							if err := groups[r].Wait(); err == nil {
								t.Errorf("rank %d: waits after the end", r)
							}
						}
					})
					for r, err := range errs {
						var e *RankError
						if !errors.As(err, &e) || e.Rank != fails || e.Reason != "has had enough" {
							t.Errorf("rank %d: %v", r, err)
						}
						if err.Error() != errs[0].Error() {
							t.Errorf("rank %d says %q, rank 0 %q", r, err, errs[0])
						}
					}
					each(n, func(r int) { _ = groups[r].Close() })
				})
			}
		}
	})
}

// TestLate has a rank not come to a sum: it is named, by all.
func TestLate(t *testing.T) {
	for name, open := range makers {
		if name == "in-process" {
			continue // has no time-out
		}
		t.Run(name, func(t *testing.T) {
			const n = 3
			for late := range n {
				groups := open(t, n, Options{Timeout: 500 * time.Millisecond})
				errs := make([]error, n)
				each(n, func(r int) {
					if r != late {
						groups[r].Reduce(make([]float32, 10), false)
						errs[r] = groups[r].Wait()
					}
					<-groups[r].Failed()
					errs[r] = groups[r].Err()
				})
				for r, err := range errs {
					var e *RankError
					if !errors.As(err, &e) || e.Rank != late ||
						!strings.Contains(e.Reason, "keeps the others waiting") ||
						err.Error() != errs[0].Error() {
						t.Errorf("rank %d: %v; wanted %d to be late", r, err, late)
					}
				}
				each(n, func(r int) { _ = groups[r].Close() })
			}
		})
	}
}

// TestUnequal has ranks add different things.
func TestUnequal(t *testing.T) {
	for name, open := range makers {
		if name == "in-process" {
			continue
		}
		t.Run(name, func(t *testing.T) {
			for _, lengths := range [][]int{{10, 20}, {0, 5}, {5 * chunkSize, chunkSize}} {
				groups := open(t, 2, Options{})
				each(2, func(r int) {
					groups[r].Reduce(make([]float32, lengths[r]), false)
					want := fmt.Sprintf(
						"adds %d numbers (float32) in sum 1, where rank 0 adds %d",
						lengths[1],
						lengths[0],
					)
					if err := groups[r].Wait(); err == nil || !strings.Contains(err.Error(), want) {
						t.Errorf("rank %d: %v; wanted %s", r, err, want)
					}
				})
				each(2, func(r int) { _ = groups[r].Close() })
			}
		})
	}
}

// TestLostConnection has two ranks lose each other, of which neither is rank 0.
func TestLostConnection(t *testing.T) {
	groups := addressGroup(t, 3, Options{}, "tcp")
	_ = groups[1].(*joined).engine.(*mesh).links[2].conn.Close()
	errs := make([]error, 3)
	each(3, func(r int) {
		groups[r].Reduce(make([]float32, 1000), false)
		errs[r] = groups[r].Wait()
	})
	for r, err := range errs {
		if err == nil || !strings.Contains(err.Error(), "cannot be reached by rank") || err.Error() != errs[0].Error() {
			t.Errorf("rank %d: %v, rank 0: %v", r, err, errs[0])
		}
	}
	each(3, func(r int) { _ = groups[r].Close() })
}
