//go:build cuda

package session_test

import (
	"fmt"
	"os"
	"testing"

	"dns-tui/gpu"
	"dns-tui/gpu/cuda"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
)

func TestTmp(t *testing.T) {
	net := os.Getenv("NET")
	for _, d := range []*gpu.Device{host.New(host.Options{}), modeltest.OpenCUDA(t, cuda.Options{Precision: cuda.BF16})} {
		s := modeltest.Solver(t, d, net, 2, 10)
		s.OnSettled = func(iter int, loss float64) { fmt.Println(iter, loss) }
		for i := range 4 {
			fmt.Fprintln(os.Stderr, "STEP", i)
			if err := s.Advance(); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.Drain(); err != nil {
			t.Fatal(err)
		}
	}
}
