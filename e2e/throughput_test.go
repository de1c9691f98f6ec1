//go:build long

package e2e

import (
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dns-tui/model/remote"
	"dns-tui/model/session"
)

// These are measurements: `make check-ui` prints them, `make test` leaves them out.

// lenetRun makes a folder in which LeNet (batch 64) trains from the demo's databases.
func lenetRun(t *testing.T) (dir string, solver func(name string, iters int)) {
	t.Helper()
	demo, err := filepath.Abs("../build/demo")
	if err != nil {
		t.Fatal(err)
	}
	net, err := filepath.Abs("../testdata/nets/lenet_dns.prototxt")
	if err != nil {
		t.Fatal(err)
	}
	dir = t.TempDir()
	for _, db := range []string{"mnist_train_lmdb", "mnist_test_lmdb"} {
		if err := os.Symlink(filepath.Join(demo, db), filepath.Join(dir, db)); err != nil {
			t.Fatal(err)
		}
	}
	return dir, func(name string, iters int) {
		write(
			t,
			filepath.Join(dir, name+".prototxt"),
			fmt.Sprintf(
				`net: "%s" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" random_seed: 1 max_iter: %d `+
					`snapshot_prefix: "%s"`,
				net,
				iters,
				name,
			),
		)
	}
}

// TestThroughput compares the speed of one run while nobody watches, while a UI is attached, and while two viewers
// are besides. All are there from the start, and stopped or let go on in windows of a second that take turns: the
// machine's own ups and downs, which are larger than what is to be seen, meet all alike, and many windows even them
// out. Where training fills every core, viewers take their processor time from it; where it leaves one, as beside a
// GPU, they do not.
func TestThroughput(t *testing.T) {
	t.Run("every core trains", func(t *testing.T) { throughput(t) })
	t.Run("one core trains", func(t *testing.T) { throughput(t, "GOMAXPROCS=1") })
}

func throughput(t *testing.T, env ...string) {
	const rounds, window = 80, time.Second
	dir, solver := lenetRun(t)
	solver("run", 1000000)
	c := exec.Command(binary, "train", "--solver", "run.prototxt", "--serve")
	c.Dir, c.Env = dir, append(os.Environ(), env...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		c.Process.Signal(syscall.SIGTERM) // who is killed leaves the socket
		_ = c.Wait()
	}()
	var sockets []string
	poll(t, "the socket", func() bool {
		sockets, _ = filepath.Glob(filepath.Join(os.Getenv("DNS_TUI_RUNTIME_DIR"), "*.sock"))
		return len(sockets) == 1
	})
	counter, err := remote.Dial(
		t.Context(),
		sockets[0],
		remote.ClientOptions{Name: remote.ListingName, ReadOnly: true, Interval: time.Minute},
	)
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	layer := counter.Snapshot().Layers[0].Name
	iter := func() (int, time.Time) {
		// A look is answered between two iterations, with the number of the next.
		ack, err := counter.Do(
			t.Context(),
			session.Command{
				Kind:  session.Look,
				Layer: layer,
				Area:  session.Area{Rows: 1, Cols: 1, Height: 1, Width: 1},
			},
		)
		if err != nil {
			t.Fatal(err)
		}
		return ack.Picture.Iter, time.Now()
	}
	var viewers []*terminal
	defer func() {
		for _, e := range viewers {
			e.cmd.Process.Kill()
		}
	}()
	for len(viewers) < 3 {
		e := start(t, dir, 80, 24, "attach")
		e.wait("it/s")
		e.deaf.Store(true) // terminals that draw are on other machines
		viewers = append(viewers, e)
	}
	measure := func(watching int) float64 {
		for i, e := range viewers {
			sig := syscall.SIGSTOP
			if i < watching {
				sig = syscall.SIGCONT
			}
			e.cmd.Process.Signal(sig)
		}
		time.Sleep(window / 10)
		first, begin := iter()
		time.Sleep(window)
		last, end := iter()
		return float64(last-first) / end.Sub(begin).Seconds()
	}
	var alone []float64
	ratios := map[int][]float64{}
	for i := range rounds {
		speed := map[int]float64{}
		for k := range 3 {
			v := []int{0, 1, 3}[(i+k)%3]
			speed[v] = measure(v)
		}
		alone = append(alone, speed[0])
		for _, v := range []int{1, 3} {
			ratios[v] = append(ratios[v], math.Log(speed[v]/speed[0]))
		}
	}
	t.Logf(
		"LeNet batch 64 with surgery, %d rounds of windows of %v, 80x24; alone: median %.1f it/s",
		rounds,
		window,
		median(alone),
	)
	for _, v := range []int{1, 3} {
		mean, err := meanError(ratios[v])
		t.Logf("  with %d watching: %.4f of that, plus or minus %.4f", v, math.Exp(mean), err)
	}
}

// meanError is the mean of values and its standard error.
func meanError(v []float64) (mean, err float64) {
	for _, x := range v {
		mean += x / float64(len(v))
	}
	for _, x := range v {
		err += (x - mean) * (x - mean)
	}
	return mean, math.Sqrt(err / float64(len(v)-1) / float64(len(v)))
}

// TestBytes counts what a minute of training sends to the terminal.
func TestBytes(t *testing.T) {
	dir, solver := lenetRun(t)
	// Weights that start random would collapse at the first surgery by these thresholds, and the run would pause.
	weights, err := filepath.Abs("../testdata/models/lenet5_dense.caffemodel")
	if err != nil {
		t.Fatal(err)
	}
	for _, size := range [][2]int{{80, 24}, {200, 60}} {
		name := fmt.Sprintf("b%d", size[0])
		solver(name, 1000000)
		e := start(t, dir, size[0], size[1], "--weights", weights, name+".prototxt")
		e.wait("it/s")
		before := e.bytes.Load()
		time.Sleep(time.Minute)
		rate := float64(e.bytes.Load()-before) / 60
		t.Logf("%dx%d: %.0f bytes a second over one minute", size[0], size[1], rate)
		if rate > 20_000 {
			t.Errorf("wanted at most 20,000")
		}
		e.keys("qaa")
		e.end()
	}
}

// alexnet makes a folder in which AlexNet-BN trains on made-up images, batch 16.
func alexnet(t *testing.T) string {
	dir := t.TempDir()
	net := read(t, "../testdata/nets/alexnet_bn.prototxt")
	net = net[strings.Index(net, "layer {\n  name: \"conv1\""):]
	write(t, filepath.Join(dir, "net.prototxt"), `name: "AlexNet-BN"
layer {
  name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param {
    shape { dim: 16 dim: 3 dim: 224 dim: 224 } shape { dim: 16 } data_filler { type: "gaussian" std: 50 }
    data_filler { type: "constant" value: 1 }
  }
}
`+net)
	write(
		t,
		filepath.Join(dir, "solver.prototxt"),
		`net: "net.prototxt" base_lr: 0.001 momentum: 0.9 lr_policy: "fixed" random_seed: 7 max_iter: 100000 `+
			`snapshot_prefix: "run" surgery_iter_gamma: 0`,
	)
	return dir
}

// TestFirstFrame measures the time from the start of the program to its first frame, of a small and of a large net.
func TestFirstFrame(t *testing.T) {
	for name, dir := range map[string]string{"mini-lenet": folder(t, "max_iter: 1000000"), "AlexNet-BN": alexnet(t)} {
		var times []float64
		for range 7 {
			begin := time.Now()
			e := start(t, dir, 80, 24, "solver.prototxt")
			// It names the solver, or, where loading was quicker than a look at the screen, the net.
			e.until("a first frame", func(s string) bool {
				return strings.Contains(s, "dns-tui") &&
					(strings.Contains(s, "solver.prototxt") || strings.Contains(s, name))
			})
			times = append(times, time.Since(begin).Seconds()*1000)
			e.keys("\x03\x03")
			e.end()
		}
		m := median(times)
		t.Logf("%s: first frame after %.0f ms, median of 7 (%.0f to %.0f)", name, m, times[0], times[6])
		if m > 100 {
			t.Errorf("wanted at most 100")
		}
	}
}

// TestKeyLatency measures the time from a key to its effect on the screen while AlexNet-BN trains on the host.
func TestKeyLatency(t *testing.T) {
	e := start(t, alexnet(t), 80, 24, "solver.prototxt")
	e.wait("it/s", "conv1")
	e.until("a few iterations", func(s string) bool { return strings.Contains(s, " 3/100,000") })
	measure := func(what string, n int, act func(i int)) {
		var times []float64
		for i := range n {
			begin := time.Now()
			act(i)
			times = append(times, time.Since(begin).Seconds()*1000)
			time.Sleep(150 * time.Millisecond) // a person's pace
		}
		m := median(times)
		t.Logf("%s is on the screen after %.1f ms, median of %d; nine in ten within %.1f, the slowest %.1f",
			what, m, len(times), times[len(times)*9/10], times[len(times)-1])
		if times[len(times)-1] > 50 {
			t.Errorf("wanted at most 50")
		}
	}
	measure("a key's effect", 60, func(i int) {
		key, want := "j", "▸ conv2"
		if i%2 == 1 {
			key, want = "k", "▸ conv1"
		}
		e.keys(key)
		e.wait(want)
	})
	for range 10 { // what waits for the end of an iteration shows at once that it was taken
		measure("that a key was taken", 1, func(int) { e.keys(" "); e.wait("pausing…") })
		e.wait("PAUSED")
		e.keys(" ")
		e.wait("it/s")
	}
	e.keys("qaa")
	e.end()
}

// median sorts v.
func median(v []float64) float64 {
	slices.Sort(v)
	return v[len(v)/2]
}
