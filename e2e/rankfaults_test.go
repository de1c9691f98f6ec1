//go:build faults

package e2e

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// rankEngine starts a run of n ranks, and returns what runs them and the ranks' own processes, rank 0 first, once they
// all are there.
type rankEngine struct {
	name  string
	wants string // a program without which it cannot be tried
	start func(f *rankFault, n int) (started []*exec.Cmd, ranks func() []int)
}

// rankTimeout is --rank-timeout of the runs, ends how long a fault may take to end all ranks: the time-out twice over,
// since a rank that hangs may be found by the next call only, and what a busy machine needs for the rest.
const (
	rankTimeout = 5 * time.Second
	rankEnds    = 60 * time.Second
)

func (f *rankFault) command(name string, args ...string) *exec.Cmd {
	args = append(args, "train", "--solver", "solver.prototxt", "--resume=auto", "--rank-timeout", rankTimeout.String())
	c := exec.Command(name, args...)
	c.Dir = f.dir
	out, err := os.OpenFile(filepath.Join(f.dir, "lines.txt"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o644)
	if err != nil {
		f.t.Fatal(err)
	}
	c.Stdout, c.Stderr = out, out
	return c
}

func (f *rankFault) run(c *exec.Cmd) *exec.Cmd {
	err := c.Start()
	c.Stdout.(*os.File).Close()
	if err != nil {
		f.t.Fatal(err)
	}
	return c
}

// underMPI finds the ranks below mpirun and its daemons.
func underMPI(c *exec.Cmd) func() []int {
	return func() []int {
		var ranks []int
		var look func(pid int)
		look = func(pid int) {
			if link, err := os.Readlink(fmt.Sprintf("/proc/%d/exe", pid)); err == nil && link == binary {
				ranks = append(ranks, pid)
				return
			}
			for _, child := range children(pid) {
				look(child)
			}
		}
		look(c.Process.Pid)
		return ranks
	}
}

var rankEngines = []rankEngine{
	{"shared memory", "", func(f *rankFault, n int) ([]*exec.Cmd, func() []int) {
		c := f.command(binary)
		c.Args = append(c.Args, "--ranks", strconv.Itoa(n))
		f.run(c)
		return []*exec.Cmd{c}, func() []int { return append([]int{c.Process.Pid}, children(c.Process.Pid)...) }
	}},
	{"TCP", "", func(f *rankFault, n int) ([]*exec.Cmd, func() []int) {
		var all []*exec.Cmd
		var pids []int
		port := 20000 + f.random.IntN(10000)
		for rank := range n {
			c := f.command(binary)
			c.Env = append(os.Environ(), fmt.Sprintf("RANK=%d", rank), fmt.Sprintf("WORLD_SIZE=%d", n),
				fmt.Sprintf("LOCAL_RANK=%d", rank), "MASTER_ADDR=127.0.0.1", fmt.Sprintf("MASTER_PORT=%d", port),
				"DNS_TUI_ENGINE=tcp")
			all = append(all, f.run(c))
			pids = append(pids, c.Process.Pid)
		}
		return all, func() []int { return pids }
	}},
	{"Open MPI", "mpirun.openmpi", func(f *rankFault, n int) ([]*exec.Cmd, func() []int) {
		// Version 4.1.4 takes all memory now and then, before it starts anything: then it is to fail by itself.
		const bounded = `ulimit -v 8000000; exec mpirun.openmpi "$@"`
		c := f.run(
			f.command("sh", "-c", bounded, "mpirun", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none",
				"-n", strconv.Itoa(n), binary),
		)
		return []*exec.Cmd{c}, underMPI(c)
	}},
	{"MPICH", "mpirun.mpich", func(f *rankFault, n int) ([]*exec.Cmd, func() []int) {
		c := f.run(f.command("mpirun.mpich", "-n", strconv.Itoa(n), binary))
		return []*exec.Cmd{c}, underMPI(c)
	}},
}

// rankFault is a run that is disturbed.
type rankFault struct {
	t      *testing.T
	dir    string
	random *rand.Rand
}

// rankFaults are what may happen to a process.
var rankFaults = []struct {
	name string
	do   func(pid int) error
}{
	{"killed", func(pid int) error { return syscall.Kill(pid, syscall.SIGKILL) }},
	{"stopped", func(pid int) error { return syscall.Kill(pid, syscall.SIGSTOP) }},
	{"told to end", func(pid int) error { return syscall.Kill(pid, syscall.SIGTERM) }},
	{"no room for files", func(pid int) error {
		return unix.Prlimit(pid, unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 4096, Max: 4096}, nil)
	}},
}

// faultIters is how far the runs go: some seconds, and a snapshot ten times.
const faultIters = 400

// Whatever happens to a rank, all end within the time that they have, no snapshot is lost, and what goes on from there
// comes to what an undisturbed run comes to. FAULTS says how many, SEED which, ENGINES "TCP,MPICH" of which engines.
func TestRankFaults(t *testing.T) {
	times := 100
	if text := os.Getenv("FAULTS"); text != "" {
		times, _ = strconv.Atoi(text)
	}
	seed := uint64(time.Now().UnixNano())
	if text := os.Getenv("SEED"); text != "" {
		seed, _ = strconv.ParseUint(text, 10, 64)
	}
	t.Logf("SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	solver := fmt.Sprintf("display: 1 snapshot: %d max_iter: %d", faultIters/10, faultIters)
	want := map[int]string{}
	for n := 2; n <= 3; n++ {
		dir := folder(t, solver+fmt.Sprintf(" iter_size: %d", n))
		train(t, dir)
		want[n] = read(t, filepath.Join(dir, fmt.Sprintf("run_iter_%d.caffemodel", faultIters)))
	}
	tally := map[string]int{}
	var engines []rankEngine
	for _, e := range rankEngines {
		if _, err := exec.LookPath(e.wants); e.wants != "" && err != nil {
			t.Logf("%s is not tried: %s is not on this machine", e.name, e.wants)
		} else if only := os.Getenv("ENGINES"); only == "" || strings.Contains(only, e.name) {
			engines = append(engines, e)
		}
	}
	for i := range times {
		n, fault := 2+random.IntN(2), rankFaults[random.IntN(len(rankFaults))]
		engine := engines[random.IntN(len(engines))]
		victim, wait := random.IntN(n), time.Duration(random.IntN(2500))*time.Millisecond
		name := fmt.Sprintf("%d %s rank %d of %d %s after %v", i, engine.name, victim, n, fault.name, wait)
		t.Run(name, func(t *testing.T) {
			f := &rankFault{t, folder(t, solver), random}
			f.disturb(engine, n, victim, wait, fault.do)
			for try := 0; !finished(f.dir); try++ { // under the launcher's restart
				if try == 2 {
					t.Fatalf("it does not go on:\n%s", tailOf(read(t, filepath.Join(f.dir, "lines.txt"))))
				}
				started, _ := engine.start(f, n)
				waitAll(t, started)
			}
			got := read(t, filepath.Join(f.dir, fmt.Sprintf("run_iter_%d.caffemodel", faultIters)))
			if got != want[n] {
				t.Errorf("other weights than those of an undisturbed run:\n%s",
					tailOf(read(t, filepath.Join(f.dir, "lines.txt"))))
			}
		})
		tally[engine.name+", "+fault.name]++
	}
	var table strings.Builder
	for _, name := range slices.Sorted(maps.Keys(tally)) {
		fmt.Fprintf(&table, "%4d  %s\n", tally[name], name)
	}
	t.Logf("\n%s", table.String())
}

// disturb starts a run and does something to one of its ranks; then all end.
func (f *rankFault) disturb(engine rankEngine, n, victim int, wait time.Duration, do func(pid int) error) {
	f.t.Helper()
	started, pids := engine.start(f, n)
	defer func() {
		for _, c := range started {
			_ = c.Process.Kill()
		}
	}()
	time.Sleep(wait) // a moment of a run, not a deadline
	ranks := pids()
	if victim >= len(ranks) {
		victim = 0
	}
	if len(ranks) == 0 || do(ranks[victim]) != nil { // it has ended already
		waitAll(f.t, started)
		return
	}
	defer func() { _ = syscall.Kill(ranks[victim], syscall.SIGCONT) }()
	stopped := func() bool { return processState(ranks[victim]) == 'T' }
	begun := time.Now()
	for _, pid := range ranks {
		for alive(pid) && !(pid == ranks[victim] && stopped()) {
			if time.Since(begun) > rankEnds {
				f.t.Fatalf("process %d has not ended after %v:\n%s", pid, rankEnds,
					tailOf(read(f.t, filepath.Join(f.dir, "lines.txt"))))
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
	if stopped() {
		_ = syscall.Kill(ranks[victim], syscall.SIGKILL)
	}
	waitAll(f.t, started)
}

func finished(dir string) bool {
	_, err := os.Stat(filepath.Join(dir, fmt.Sprintf("run_iter_%d.solverstate", faultIters)))
	return err == nil
}

// waitAll waits until processes have ended.
func waitAll(t *testing.T, started []*exec.Cmd) {
	t.Helper()
	for _, c := range started {
		ended := make(chan struct{})
		go func() {
			_ = c.Wait() // how is looked at elsewhere
			close(ended)
		}()
		select {
		case <-ended:
		case <-time.After(4 * rankEnds):
			t.Fatalf("process %d goes on and on", c.Process.Pid)
		}
	}
}

// processState is the letter that the kernel has for what a process does; 0 of one that is gone.
func processState(pid int) byte {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if at := strings.LastIndexByte(string(text), ')'); err == nil && at >= 0 && at+2 < len(text) {
		return text[at+2]
	}
	return 0
}

func alive(pid int) bool {
	s := processState(pid)
	return s != 0 && s != 'Z' && s != 'X'
}

func tailOf(text string) string { return text[max(0, len(text)-1500):] }
