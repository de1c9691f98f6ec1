//go:build long

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"testing"
	"time"
)

// TestThroughput trains LeNet (batch 64) with the UI open and without, in pairs, and prints the medians. It is a
// measurement: `make check-ui` prints it, `make test` leaves it out.
func TestThroughput(t *testing.T) {
	const pairs, iters = 7, 1200
	demo, err := filepath.Abs("../build/demo")
	if err != nil {
		t.Fatal(err)
	}
	net, err := filepath.Abs("../testdata/nets/lenet.prototxt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, db := range []string{"mnist_train_lmdb", "mnist_test_lmdb"} {
		if err := os.Symlink(filepath.Join(demo, db), filepath.Join(dir, db)); err != nil {
			t.Fatal(err)
		}
	}
	run := func(i int, ui bool) (wall, cpu time.Duration, bytes float64) {
		name := fmt.Sprintf("r%d_%t", i, ui)
		write(t, filepath.Join(dir, name+".prototxt"), fmt.Sprintf(`net: "%s" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" random_seed: 1 max_iter: %d snapshot_prefix: "%s"`, net, iters, name))
		model := filepath.Join(dir, fmt.Sprintf("%s_iter_%d.caffemodel", name, iters))
		var c *exec.Cmd
		var sent int64
		if ui {
			e := start(t, dir, 80, 24, name+".prototxt")
			e.until("the end", func(string) bool { _, err := os.Stat(model); return err == nil })
			sent = e.bytes.Load()
			e.keys("qa")
			e.end()
			c = e.cmd
		} else {
			c = exec.Command(binary, "train", "--solver", name+".prototxt")
			c.Dir = dir
			if out, err := c.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		// The journal is written when training begins, the model when it ends.
		begin, err := os.Stat(filepath.Join(dir, name+".journal"))
		if err != nil {
			t.Fatal(err)
		}
		end, err := os.Stat(model)
		if err != nil {
			t.Fatal(err)
		}
		wall = end.ModTime().Sub(begin.ModTime())
		return wall, c.ProcessState.UserTime() + c.ProcessState.SystemTime(), float64(sent) / wall.Seconds()
	}
	var walls, cpus, rates, speeds []float64
	for i := range pairs {
		order := []bool{i%2 == 0, i%2 != 0}
		var wall, cpu [2]time.Duration
		for _, ui := range order {
			k := 0
			if ui {
				k = 1
			}
			var b float64
			wall[k], cpu[k], b = run(i, ui)
			if ui {
				rates = append(rates, b)
			}
		}
		walls = append(walls, float64(wall[1])/float64(wall[0]))
		cpus = append(cpus, float64(cpu[1])/float64(cpu[0]))
		speeds = append(speeds, iters/wall[0].Seconds())
	}
	t.Logf("LeNet batch 64, %d pairs of %d iterations, UI at 80x24:", pairs, iters)
	t.Logf("  wall time with UI / without: median %.4f (%.4f to %.4f)", median(walls), walls[0], walls[len(walls)-1])
	t.Logf("  processor time with UI / without: median %.4f (%.4f to %.4f)", median(cpus), cpus[0], cpus[len(cpus)-1])
	t.Logf("  without UI: median %.1f it/s; bytes sent: median %.0f B/s", median(speeds), median(rates))
	if m := median(rates); m > 20_000 {
		t.Errorf("%.0f B/s sent, wanted at most 20,000", m)
	}
}

// median sorts v.
func median(v []float64) float64 {
	sort.Float64s(v)
	return v[len(v)/2]
}
