package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// children are the processes that a process has started and that are still there.
func children(pid int) []int {
	lists, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	if err != nil {
		return nil
	}
	var pids []int
	for _, l := range lists {
		text, err := os.ReadFile(l)
		if err != nil {
			continue // a thread that has ended
		}
		for f := range strings.FieldsSeq(string(text)) {
			if child, err := strconv.Atoi(f); err == nil {
				pids = append(pids, child)
			}
		}
	}
	return pids
}

// n processes are one with n times the iter_size: the same weights and masks, to the bit.
func TestRanks(t *testing.T) {
	alone, ranks := folder(t, "max_iter: 30 iter_size: 3"), folder(t, "max_iter: 30")
	train(t, alone)
	train(t, ranks, "--ranks", "3")
	if read(
		t,
		filepath.Join(ranks, "run_iter_30.caffemodel"),
	) != read(
		t,
		filepath.Join(alone, "run_iter_30.caffemodel"),
	) {
		t.Error("3 ranks have other weights than one of iter_size 3")
	}
}

func train(t testing.TB, dir string, args ...string) string {
	t.Helper()
	c := exec.Command(binary, append([]string{"train", "--solver", "solver.prototxt"}, args...)...)
	c.Dir = dir
	out, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", args, err, out)
	}
	return string(out)
}

// Ranks that a launcher has started find each other by its variables, as the README has them.
func TestLaunchers(t *testing.T) {
	alone := folder(t, "max_iter: 20 iter_size: 2")
	train(t, alone)
	want := read(t, filepath.Join(alone, "run_iter_20.caffemodel"))
	for i, c := range []struct {
		name string
		env  func(rank int) []string
		args []string
	}{
		{"Kubernetes", func(rank int) []string {
			return []string{"WORLD_SIZE=2", fmt.Sprint("RANK=", rank), "MASTER_ADDR=localhost", "MASTER_PORT=PORT"}
		}, nil},
		{"torchrun", func(rank int) []string {
			return []string{
				"WORLD_SIZE=2", fmt.Sprint("RANK=", rank), fmt.Sprint("LOCAL_RANK=", rank), "MASTER_ADDR=127.0.0.1",
				"MASTER_PORT=PORT", "TORCHELASTIC_RUN_ID=none", "TORCHELASTIC_USE_AGENT_STORE=True",
			}
		}, []string{"--reduce", "float32"}},
		{"srun", func(rank int) []string {
			return []string{
				"SLURM_JOB_ID=4711", "SLURM_STEP_ID=0", "SLURM_STEP_NUM_TASKS=2", fmt.Sprint("SLURM_PROCID=", rank),
				fmt.Sprint("SLURM_LOCALID=", rank), "SLURM_STEP_NODELIST=node[1-2]",
				"MASTER_ADDR=127.0.0.1", "MASTER_PORT=PORT",
			}
		}, []string{"--resume=auto", "--serve"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, "max_iter: 20")
			port := fmt.Sprint(21000 + os.Getpid()%9000 + 10*i)
			var ranks []*exec.Cmd
			for rank := range 2 {
				cmd := exec.Command(binary, append([]string{"train", "--solver", "solver.prototxt"}, c.args...)...)
				cmd.Dir, cmd.Env = dir, append(os.Environ(), "DNS_TUI_SECRET=0123456789abcdef")
				for _, v := range c.env(rank) {
					cmd.Env = append(cmd.Env, strings.Replace(v, "=PORT", "="+port, 1))
				}
				out, err := os.Create(filepath.Join(dir, fmt.Sprint("rank", rank)))
				if err != nil {
					t.Fatal(err)
				}
				defer out.Close()
				cmd.Stdout, cmd.Stderr = out, out
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				ranks = append(ranks, cmd)
			}
			for rank, cmd := range ranks {
				if err := cmd.Wait(); err != nil {
					t.Errorf("rank %d: %v\n%s", rank, err, read(t, filepath.Join(dir, fmt.Sprint("rank", rank))))
				}
			}
			if read(t, filepath.Join(dir, "run_iter_20.caffemodel")) != want {
				t.Error("other weights than those of one rank with iter_size 2")
			}
			if text := read(t, filepath.Join(dir, "rank1")); text != "" {
				t.Errorf("rank 1 says %q", text)
			}
		})
	}
}

// A rank that dies ends the run on all, with one message and a snapshot; what goes on from there comes to what the run
// would have come to. One that is told to end ends it in good order.
func TestRankDies(t *testing.T) {
	const end = "display: 1 max_iter: 100000"
	whole := ""
	for _, c := range []struct {
		name   string
		signal syscall.Signal
		status int
		says   string
	}{
		{"killed", syscall.SIGKILL, 1, "has died: signal: killed"},
		{"told to end", syscall.SIGTERM, 0, "was told to end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := folder(t, end)
			cmd, lines := inBackground(t, dir, "train", "--solver", "solver.prototxt", "--ranks", "2")
			poll(t, "it trains", func() bool { return strings.Contains(read(t, lines), "iteration 5 ") })
			ranks := children(cmd.Process.Pid)
			if len(ranks) != 1 {
				t.Fatalf("it has started the processes %v, wanted one", ranks)
			}
			if err := syscall.Kill(ranks[0], c.signal); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait() // its status is looked at
			out := read(t, lines)
			if status := cmd.ProcessState.ExitCode(); status != c.status || !strings.Contains(out, c.says) {
				t.Errorf("status %d, wanted %d; said %q:\n%s", status, c.status, c.says, out)
			}
			saved, _ := filepath.Glob(filepath.Join(dir, "run_iter_*.solverstate"))
			if len(saved) != 1 {
				t.Fatalf("saved %q:\n%s", saved, out)
			}
			at := regexp.MustCompile(`_iter_(\d+)\.`).FindStringSubmatch(saved[0])[1]
			iter, _ := strconv.Atoi(at)
			stop := fmt.Sprintf("display: 1 max_iter: %d", iter+10)
			replaceSolver(t, dir, end, stop)
			said := train(t, dir, "--resume", "--ranks", "2")
			if strings.Contains(said, "this run of") {
				t.Errorf("the number of ranks is another, it says:\n%s", said)
			}
			whole = folder(t, stop+" iter_size: 2")
			train(t, whole)
			name := fmt.Sprintf("run_iter_%d.caffemodel", iter+10)
			if read(t, filepath.Join(dir, name)) != read(t, filepath.Join(whole, name)) {
				t.Error("the run that went on has other weights than the one that was not disturbed")
			}
			said = train(t, dir, "--resume", "--weights", "")
			if want := "the snapshot is of 2 ranks, this run of 1 rank: an iteration has 64 images, not 128"; !strings.
				Contains(said, want) {
				t.Errorf("%q was not said:\n%s", want, said)
			}
		})
	}
}

// inBackground starts the program, and returns the file that takes what it prints.
func inBackground(t testing.TB, dir string, args ...string) (c *exec.Cmd, lines string) {
	t.Helper()
	lines = filepath.Join(dir, "lines.txt")
	f, err := os.Create(lines)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c = exec.Command(binary, args...)
	c.Dir, c.Stdout, c.Stderr = dir, f, f
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Process.Kill() })
	return c, lines
}

// replaceSolver changes a solver of folder.
func replaceSolver(t testing.TB, dir, was, now string) {
	t.Helper()
	path := filepath.Join(dir, "solver.prototxt")
	text := read(t, path)
	if !strings.Contains(text, was) {
		t.Fatalf("%s does not say %q", path, was)
	}
	write(t, path, strings.Replace(text, was, now, 1))
}

// The UI shows the ranks, and what one of them ended.
func TestRanksInUI(t *testing.T) {
	dir := folder(t, "max_iter: 1000000")
	e := start(t, dir, 100, 30, "solver.prototxt", "--ranks", "2")
	e.wait("2 ranks", "ip1")
	e.keys("T")
	e.wait("sums by", "rank  waits", "host (")
	e.keys("\x1b")
	e.wait("ip1")
	e.keys("\x10ranks\r") // the palette
	e.wait("rank  waits")
	e.keys("\x1b")
	e.wait("ip1")
	e.endRun("")
	untilNoRun(t)
}
