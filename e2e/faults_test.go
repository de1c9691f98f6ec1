//go:build faults

package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"dns-tui/caffe"
	"dns-tui/model/solver"
)

// The fault campaign: a small run is killed, and its system calls fail, at every place that matters; then it is
// resumed. Whatever happened, there is a whole snapshot or none was announced, nothing panics, and the weights at the
// end are those of a run that nobody disturbed.

const faultNet = `name: "Tiny"
layer {
  name: "in" type: "DummyData" top: "data" top: "label"
  dummy_data_param {
    shape { dim: 8 dim: 20 } shape { dim: 8 } data_filler { type: "constant" value: 0.5 }
    data_filler { type: "constant" value: 2 }
  }
}
layer {
  name: "ip1" type: "InnerProduct" bottom: "data" top: "ip1"
  inner_product_param { num_output: 16 threshold: 0.6 weight_filler { type: "xavier" } }
}
layer { name: "relu1" type: "ReLU" bottom: "ip1" top: "ip1" }
layer {
  name: "ip2" type: "InnerProduct" bottom: "ip1" top: "ip2"
  inner_product_param { num_output: 5 weight_filler { type: "xavier" } }
}
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip2" bottom: "label" top: "loss" }
`

// faultSolver trains 12 iterations and saves every 3.
func faultSolver(format, more string) string {
	return `net: "n.prototxt" lr_policy: "fixed" momentum: 0.9 max_iter: 12 snapshot: 3 snapshot_prefix: "t"
random_seed: 1 solver_mode: CPU surgery_iter_gamma: 0.01 snapshot_format: ` + format + "\n" + more + "\n"
}

// campaign counts what was tried and what the run came through.
type campaign struct {
	t               *testing.T
	tried, survived int
	want            map[string][]byte // the weights at the end, by format
	older           string            // a folder with the snapshots of another run
}

func newCampaign(t *testing.T) *campaign {
	if _, err := exec.LookPath("strace"); err != nil {
		t.Fatal("the campaign wants strace (Debian: apt-get install strace)")
	}
	c := &campaign{t: t, want: map[string][]byte{}, older: t.TempDir()}
	for _, format := range []string{"BINARYPROTO", "HDF5"} {
		dir := c.folder(format, false)
		c.finish(dir)
		c.want[format] = c.end(dir, format)
	}
	c.write(c.older, "n.prototxt", faultNet)
	c.write(c.older, "s.prototxt", faultSolver("BINARYPROTO", "base_lr: 0.02"))
	c.finish(c.older)
	return c
}

func (c *campaign) write(dir, name, text string) {
	c.t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
		c.t.Fatal(err)
	}
}

// folder makes a place for a run, where older is set with the snapshots of another run in it.
func (c *campaign) folder(format string, older bool) string {
	c.t.Helper()
	dir := c.t.TempDir()
	c.write(dir, "n.prototxt", faultNet)
	c.write(dir, "s.prototxt", faultSolver(format, "base_lr: 0.01"))
	if older {
		files, err := filepath.Glob(filepath.Join(c.older, "t_iter_*"))
		if err != nil || len(files) != 8 {
			c.t.Fatalf("%d files of the older run, %v", len(files), err)
		}
		for _, f := range files {
			data, err := os.ReadFile(f)
			if err != nil {
				c.t.Fatal(err)
			}
			c.write(dir, filepath.Base(f), string(data))
		}
	}
	return dir
}

func (c *campaign) end(dir, format string) []byte {
	c.t.Helper()
	name := filepath.Join(dir, "t_iter_12.caffemodel")
	if format == "HDF5" {
		name += ".h5"
	}
	data, err := os.ReadFile(name)
	if err != nil {
		c.t.Fatal(err)
	}
	return data
}

// finish brings a run to its end, from where it is.
func (c *campaign) finish(dir string) string {
	c.t.Helper()
	out, err := c.train(dir, nil, "--resume=auto")
	if err != nil {
		c.t.Errorf("resuming: %v\n%s", err, out)
	}
	return out
}

// train starts the run, under strace where there are arguments for it.
func (c *campaign) train(dir string, trace []string, args ...string) (string, error) {
	c.t.Helper()
	line := append([]string{binary, "train", "--solver", "s.prototxt"}, args...)
	if trace != nil {
		line = append(append([]string{"strace", "-f", "-o", "trace"}, trace...), line...)
	}
	cmd := exec.Command(line[0], line[1:]...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if elsewhere(string(out), err) {
		c.t.Skip("the fault met Go's runtime or the loader, before the run or outside it")
	}
	for _, word := range []string{"goroutine ", "panic", "internal error", "fatal error"} {
		if strings.Contains(string(out), word) {
			c.t.Errorf("%q: %s", line, out)
		}
	}
	return string(out), err
}

// elsewhere reports a fault in what is not the run's: the runtime's own pipe, the loading of libraries. Another
// product of matrices gives other bits.
func elsewhere(out string, err error) bool {
	var exit *exec.ExitError
	return strings.Contains(out, "netpollBreak write failed") || errors.As(err, &exit) && exit.ExitCode() == 127 ||
		strings.Contains(out, "OpenBLAS was not found (")
}

// count counts an attempt, and that it was survived where nothing failed in it.
func (c *campaign) count(name string, f func(t *testing.T)) {
	c.t.Helper()
	outer := c.t
	skipped := false
	ok := outer.Run(name, func(t *testing.T) {
		defer func() { skipped = t.Skipped() }()
		c.t = t
		f(t)
	})
	c.t = outer
	if skipped {
		return
	}
	c.tried++
	if ok {
		c.survived++
	}
}

func (c *campaign) report() {
	c.t.Helper()
	if c.tried == 0 {
		c.t.Error("nothing was tried")
	}
	line := fmt.Sprintf("%-40s tried %4d  survived %4d\n", c.t.Name(), c.tried, c.survived)
	c.t.Log(line)
	f, err := os.OpenFile(filepath.Join("..", "build", "faults.txt"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		c.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(line); err != nil {
		c.t.Fatal(err)
	}
}

// calls counts the system calls of a thread of an undisturbed run: the most of any thread, by name.
func (c *campaign) calls(format string, names []string) map[string]int {
	c.t.Helper()
	dir := c.folder(format, format == "BINARYPROTO")
	if out, err := c.train(dir, []string{"-e", "trace=" + strings.Join(names, ",")}); err != nil {
		c.t.Fatalf("%v\n%s", err, out)
	}
	data, err := os.ReadFile(filepath.Join(dir, "trace"))
	if err != nil {
		c.t.Fatal(err)
	}
	each := map[string]int{}
	for _, m := range regexp.MustCompile(`(?m)^(\d+) +(\w+)\(`).FindAllStringSubmatch(string(data), -1) {
		each[m[1]+" "+m[2]]++
	}
	most := map[string]int{}
	for k, n := range each {
		name := k[strings.IndexByte(k, ' ')+1:]
		most[name] = max(most[name], n)
	}
	return most
}

// places chooses at most n numbers of 1 to total, the last ones among them: a run opens libraries first, and saves at
// its end.
func places(total, n int) []int {
	if total <= n {
		n = total
	}
	chosen := map[int]bool{}
	for i := range n / 2 {
		chosen[1+i*total/max(1, n/2)] = true
	}
	for k := total; k > 0 && len(chosen) < n; k-- {
		chosen[k] = true
	}
	out := make([]int, 0, n)
	for k := range chosen {
		out = append(out, k)
	}
	slices.Sort(out)
	return out
}

// Killed at each system call of its snapshots, and resumed.
func TestFaultsKilledAtSystemCalls(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	names := []string{"openat", "write", "fsync", "renameat", "linkat", "unlinkat", "close", "flock"}
	for format, want := range c.want {
		for name, total := range c.calls(format, names) {
			for _, k := range places(total, 40) {
				c.count(fmt.Sprintf("%s: SIGKILL at %s %d", format, name, k), func(t *testing.T) {
					dir := c.folder(format, false)
					_, _ = c.train(dir, []string{"-e", fmt.Sprintf("inject=%s:signal=KILL:when=%d", name, k)})
					out := c.finish(dir)
					if got := c.end(dir, format); !bytes.Equal(got, want) {
						t.Errorf("other weights at the end\n%s", out)
					}
				})
			}
		}
	}
}

// Killed while it replaces the snapshots of an older run: at each iteration there is still a whole pair, of one run
// or the other.
func TestFaultsPairs(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	names := []string{"write", "fsync", "renameat", "linkat", "unlinkat"}
	for name, total := range c.calls("BINARYPROTO", names) {
		for _, k := range places(total, 60) {
			for _, fault := range []string{"signal=KILL", "error=EIO"} {
				c.count(fmt.Sprintf("%s at %s %d", fault, name, k), func(t *testing.T) {
					dir := c.folder("BINARYPROTO", true)
					_, _ = c.train(dir, []string{"-e", fmt.Sprintf("inject=%s:%s:when=%d", name, fault, k)})
					c.pairs(dir)
				})
			}
		}
	}
}

func (c *campaign) pairs(dir string) {
	c.t.Helper()
	c.t.Chdir(dir) // learned_net is a name from the working folder
	found, err := solver.Snapshots("t")
	if err != nil || len(found) != 4 {
		c.t.Errorf("%d snapshots are there, wanted 4: %v", len(found), err)
	}
	for _, s := range found {
		st, err := caffe.ReadSolverState(s.Path)
		if err == nil {
			_, err = solver.WeightsOf(s.Path, st)
		}
		if err != nil {
			c.t.Errorf("no whole pair at iteration %d: %v", s.Iter, err)
		}
	}
}

// System calls fail: the run says so and goes on or ends, what it announced is there, and a resume brings it to the
// end.
func TestFaultsErrors(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	faults := map[string][]string{
		"write":     {"EIO", "ENOSPC"},
		"fsync":     {"EIO", "ENOSPC"},
		"renameat":  {"EIO", "ENOSPC", "EACCES"},
		"openat":    {"EACCES", "EIO"},
		"ftruncate": {"EIO"},
		"flock":     {"ENOLCK"},
		"close":     {"EIO"},
	}
	names := make([]string, 0, len(faults))
	for name := range faults {
		names = append(names, name)
	}
	for format, want := range c.want {
		for name, total := range c.calls(format, names) {
			for _, k := range places(total, 30) {
				for _, fault := range faults[name] {
					c.count(fmt.Sprintf("%s: %s at %s %d", format, fault, name, k), func(t *testing.T) {
						dir := c.folder(format, false)
						out, err := c.train(
							dir,
							[]string{"-e", fmt.Sprintf("inject=%s:error=%s:when=%d", name, fault, k)},
						)
						c.announced(dir, out)
						var exit *exec.ExitError
						if errors.As(err, &exit) && exit.ExitCode() != 1 {
							t.Errorf("status %d\n%s", exit.ExitCode(), out)
						}
						more := c.finish(dir)
						if got := c.end(dir, format); !bytes.Equal(got, want) {
							t.Errorf("other weights at the end\n%s%s", out, more)
						}
					})
				}
			}
		}
	}
}

var reAnnounced = regexp.MustCompile(`(?m)snapshot (t_iter_\d+\.solverstate\S*)$`)

// announced looks at every snapshot that a run said it wrote.
func (c *campaign) announced(dir, out string) {
	c.t.Helper()
	c.t.Chdir(dir)
	for _, m := range reAnnounced.FindAllStringSubmatch(out, -1) {
		st, err := caffe.ReadSolverState(m[1])
		if err == nil {
			_, err = solver.WeightsOf(m[1], st)
		}
		if err != nil {
			c.t.Errorf("%s was announced: %v\n%s", m[1], err, out)
		}
	}
}

// Killed at random moments, again and again, until it comes to its end.
func TestFaultsKilledAtRandom(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	for round := range 20 {
		dir := c.folder("BINARYPROTO", false)
		patience := time.Duration(1+rand.IntN(40)) * time.Millisecond
		c.count(fmt.Sprintf("round %d, kills after %v and more", round, patience), func(t *testing.T) {
			for {
				cmd := exec.Command(binary, "train", "--solver", "s.prototxt", "--resume=auto")
				cmd.Dir = dir
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				timer := time.AfterFunc(patience, func() { cmd.Process.Signal(syscall.SIGKILL) })
				err := cmd.Wait()
				timer.Stop()
				if err == nil {
					break
				}
				c.tried, c.survived = c.tried+1, c.survived+1 // what follows tells
				patience += patience/4 + time.Millisecond     // a slow machine comes to the end too
			}
			if got := c.end(dir, "BINARYPROTO"); !bytes.Equal(got, c.want["BINARYPROTO"]) {
				t.Error("other weights at the end")
			}
		})
	}
}

// Files that are cut short or changed: a resume takes an older whole pair and says so, and never takes a bad one for
// good.
func TestFaultsTornFiles(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	for format, want := range c.want {
		ext := map[string]string{"BINARYPROTO": "", "HDF5": ".h5"}[format]
		for _, file := range []string{"t_iter_9.caffemodel" + ext, "t_iter_9.solverstate" + ext, "t.journal"} {
			for i := range 24 {
				dir := c.folder(format, false)
				c.write(
					dir,
					"first.prototxt",
					strings.Replace(faultSolver(format, "base_lr: 0.01"), "max_iter: 12", "max_iter: 9", 1),
				)
				if out, err := c.train(dir, nil, "--solver", "first.prototxt"); err != nil {
					t.Fatalf("%v\n%s", err, out)
				}
				path := filepath.Join(dir, file)
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				at, how := rand.IntN(len(data)), "cut at"
				if i%2 == 0 {
					data = data[:at]
				} else {
					how = "changed at"
					data[at] ^= byte(1 << rand.IntN(8))
				}
				c.write(dir, file, string(data))
				c.count(fmt.Sprintf("%s %s byte %d", file, how, at), func(t *testing.T) {
					out := c.finish(dir)
					if got := c.end(dir, format); !bytes.Equal(got, want) {
						t.Errorf("other weights at the end\n%s", out)
					}
					// HDF5 has bytes that hold nothing: what was read is what was written, all the same.
					if file != "t.journal" && file != "t_iter_9.solverstate.h5" &&
						!strings.Contains(out, "t_iter_9.solverstate"+ext+" is passed over") {
						t.Errorf("nothing was said\n%s", out)
					}
				})
			}
		}
	}
}

// A power cut leaves what was synced: before a snapshot is announced, its two files and their folder are.
func TestFaultsSyncBeforeAnnounced(t *testing.T) {
	c := newCampaign(t)
	defer c.report()
	c.count("order of system calls", func(t *testing.T) {
		dir := c.folder("BINARYPROTO", false)
		if out, err := c.train(dir, []string{"-y", "-s", "200", "-e", "trace=write,fsync,renameat"}); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		trace, err := os.ReadFile(filepath.Join(dir, "trace"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(trace), "\n")
		last := func(pattern string, before int) int {
			re := regexp.MustCompile(pattern)
			for i := before - 1; i >= 0; i-- {
				if re.MatchString(lines[i]) {
					return i
				}
			}
			return -1
		}
		said := 0
		for i, line := range lines {
			m := regexp.MustCompile(`write\(1<.*iteration \d+  snapshot t_iter_(\d+)\.solverstate`).
				FindStringSubmatch(line)
			if m == nil {
				continue
			}
			said++
			folder := last(`fsync\(\d+<`+regexp.QuoteMeta(dir)+`>`, i)
			state := last(`renameat\(.*"t_iter_`+m[1]+`\.solverstate"`, i)
			weights := last(`renameat\(.*"t_iter_`+m[1]+`\.caffemodel"`, i)
			synced := last(`fsync\(\d+<.*t_iter_`+m[1]+`\.solverstate\.\d+\.tmp`, i)
			weightsSynced := last(`fsync\(\d+<.*t_iter_`+m[1]+`\.caffemodel\.\d+\.tmp`, i)
			if !(0 <= weightsSynced && weightsSynced < weights && 0 <= synced && synced < state && weights < state &&
				state < folder) {
				t.Errorf(
					"iteration %s: weights synced in line %d and renamed in %d, state synced in %d and renamed in "+
						"%d, folder synced in %d, said in %d",
					m[1],
					weightsSynced,
					weights,
					synced,
					state,
					folder,
					i,
				)
			}
		}
		if said != 4 {
			t.Errorf("%d snapshots were announced, wanted 4", said)
		}
	})
}
