package collective

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"
)

// BenchmarkSum is a sum by ranks that are processes: of LeNet's parameters, and of AlexNet-BN's. memcpy is a copy of as
// many numbers by each of as many goroutines.
func BenchmarkSum(b *testing.B) {
	for _, n := range []int{2, 4} {
		for _, size := range []int{431080, 62 << 20} {
			b.Run(fmt.Sprintf("memcpy/%d ranks/%d", n, size), func(b *testing.B) {
				from, to := make([][]float32, n), make([][]float32, n)
				each(n, func(r int) {
					from[r], to[r] = make([]float32, size), make([]float32, size)
					copy(to[r], from[r])
				})
				b.SetBytes(int64(4 * size))
				for b.Loop() {
					each(n, func(r int) { copy(to[r], from[r]) })
				}
			})
			for _, engine := range []string{"shared", "tcp"} {
				for _, wire := range []Wire{Float32, BFloat16} {
					b.Run(fmt.Sprintf("%s %v/%d ranks/%d", engine, wire, n, size), func(b *testing.B) {
						b.Setenv("COLLECTIVE_TEST_WIRE", strconv.Itoa(int(wire)))
						benchmark(b, n, size, engine)
					})
				}
			}
		}
	}
}

// benchmark starts the other ranks, which add as long as rank 0 says so.
func benchmark(b *testing.B, n, size int, engine string) {
	b.Setenv("COLLECTIVE_TEST_SIZE", strconv.Itoa(size))
	command := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), envPlay+"=benchmark")
		c.Stdout, c.Stderr = os.Stdout, os.Stderr
		return c
	}
	var g Group
	var err error
	if engine == "tcp" {
		b.Setenv(envEngine, "tcp")
		address := freePort(b)
		for r := 1; r < n; r++ {
			c := command()
			c.Env = append(c.Env, fmt.Sprintf("RANK=%d", r), fmt.Sprintf("WORLD_SIZE=%d", n),
				"MASTER_ADDR=127.0.0.1", "MASTER_PORT="+address[len("127.0.0.1:"):])
			if err := c.Start(); err != nil {
				b.Fatal(err)
			}
			defer func() { _ = c.Wait() }()
		}
		g, err = Open(Place{Size: n, Address: address}, benchmarkOptions())
	} else {
		l, err2 := StartLocal(n, func(int) *exec.Cmd { return command() })
		if err2 != nil {
			b.Fatal(err2)
		}
		defer func() { _, _ = l.Wait(context.Background()) }()
		g, err = Open(l.Place(), benchmarkOptions())
	}
	if err != nil {
		b.Fatal(err)
	}
	x := make([]float32, size)
	b.SetBytes(int64(4 * size))
	add := func(more byte) {
		if _, err := g.Broadcast([]byte{more}); err != nil {
			b.Fatal(err)
		}
		g.Reduce(x, false)
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
	}
	add(1)
	for b.Loop() {
		add(1)
	}
	add(0)
	if err := g.Close(); err != nil {
		b.Fatal(err)
	}
}

func benchmarkOptions() Options {
	o := playOptions()
	if os.Getenv("COLLECTIVE_TEST_WIRE") == "1" {
		o.Wire = BFloat16
	}
	return o
}

// follow is the part of the others.
func follow(g Group) error {
	size, err := strconv.Atoi(os.Getenv("COLLECTIVE_TEST_SIZE"))
	if err != nil {
		return err
	}
	x := make([]float32, size)
	for {
		more, err := g.Broadcast(nil)
		if err != nil {
			return err
		}
		last := more[0] == 0
		g.Reduce(x, false)
		if err := g.Wait(); err != nil || last {
			return err
		}
	}
}

// times reports how long a sum takes.
func times(g Group) error {
	size, err := strconv.Atoi(os.Getenv("COLLECTIVE_TEST_SIZE"))
	if err != nil {
		return err
	}
	sums, err := strconv.Atoi(os.Getenv("COLLECTIVE_TEST_SUMS"))
	if err != nil {
		return err
	}
	x := make([]float32, size)
	var began time.Time
	for i := range sums + 1 {
		if i == 1 { // the first fills what is empty
			began = time.Now()
		}
		g.Reduce(x, false)
		if err := g.Wait(); err != nil {
			return err
		}
	}
	report(g.Rank(), (time.Since(began) / time.Duration(sums)).String())
	return nil
}
