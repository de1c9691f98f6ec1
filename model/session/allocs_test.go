package session_test

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"dns-tui/config"
	"dns-tui/gpu/host"
	"dns-tui/model/modeltest"
	"dns-tui/model/session"
)

// The loop around an iteration allocates nothing: what it records and shows, and what it weighs where somebody may
// watch, goes by time, not by iterations.
func TestLoopAllocatesNothing(t *testing.T) {
	for _, watched := range []bool{false, true} {
		t.Run(fmt.Sprintf("watched %t", watched), func(t *testing.T) { loopAllocates(t, watched) })
	}
}

func loopAllocates(t *testing.T, watched bool) {
	if modeltest.Race {
		t.Skip("the race detector allocates")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "net.prototxt"), `
		layer { name: "in" type: "DummyData" top: "x" top: "y"
			dummy_data_param {
				shape { dim: 2 dim: 3 } shape { dim: 2 dim: 1 } data_filler { type: "constant" value: 1 } } }
		layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip" inner_product_param { num_output: 1 } }
		layer { name: "loss" type: "EuclideanLoss" bottom: "ip" bottom: "y" top: "loss" }`)
	write(t, filepath.Join(dir, "solver.prototxt"),
		`net: "net.prototxt" base_lr: 0.001 lr_policy: "fixed" max_iter: 100000000 snapshot_prefix: "`+dir+`/run"`)
	run, err := config.LoadSolver(filepath.Join(dir, "solver.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	d := host.New(host.Options{Threads: 1})
	if d.Capabilities().BLAS == "gonum" {
		d.Close()
		t.Skip("without OpenBLAS, gonum's matrix product allocates for its own threads")
	}
	tr, err := session.NewTrainer(run, d, session.Options{Interactive: true, Paused: true, Histograms: watched})
	if err != nil {
		t.Fatal(err)
	}
	tr.Start()
	defer func() {
		_, _ = tr.Do(context.Background(), session.Command{Kind: session.Stop})
		<-tr.Done()
		d.Close()
	}()
	const iters = 20_000
	step := func(n int) {
		must(t, tr, session.Command{Kind: session.Step, Count: n})
		settle(t, tr)
	}
	step(100)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	step(iters)
	runtime.ReadMemStats(&after)
	// A snapshot ten times a second makes some 200 allocations: far fewer than one in two iterations, on any machine.
	if n := float64(after.Mallocs-before.Mallocs) / iters; n > 0.5 {
		t.Errorf("%.2f allocations an iteration", n)
	} else {
		t.Logf("%.3f allocations an iteration", n)
	}
}
