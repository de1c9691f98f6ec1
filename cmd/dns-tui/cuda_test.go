//go:build cuda

package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"dns-tui/gpu/cuda"
	"dns-tui/model/modeltest"
)

// needGPU skips a test where there is no GPU, neither NVIDIA's nor the emulator's.
func needGPU(t *testing.T) {
	t.Helper()
	if _, err := cuda.Devices(); errors.Is(err, cuda.ErrNoGPU) && os.Getenv("DNS_TUI_NEED_CUDA") == "" {
		t.Skip(err)
	}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
}

// shortSolver writes a solver of three iterations over a small net with surgery, in batches that an emulated GPU has
// soon done.
func shortSolver(t *testing.T, more string) (path, prefix string) {
	t.Helper()
	dir := t.TempDir()
	prefix = filepath.Join(dir, "run")
	path = filepath.Join(dir, "solver.prototxt")
	b, err := os.ReadFile(modeltest.Root("oracle", "solvers", "dns_seed_mini.net.prototxt"))
	if err != nil {
		t.Fatal(err)
	}
	net := strings.NewReplacer(
		"batch_size: 64",
		"batch_size: 4",
		`"mnist1280_lmdb"`,
		`"`+modeltest.Root("oracle", "solvers", "mnist1280_lmdb")+`"`,
	).Replace(string(b))
	text := `net: "net.prototxt" base_lr: 0.01 momentum: 0.9 lr_policy: "fixed" max_iter: 3 display: 1
snapshot_prefix: "` + prefix + `" random_seed: 3 surgery_iter_gamma: 0.0001 surgery_iter_power: 1
` + more
	for name, content := range map[string]string{filepath.Join(dir, "net.prototxt"): net, path: text} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return path, prefix
}

// The program trains on the GPU by default, says so, and goes on from its files there and on the CPU; solver_mode: CPU
// keeps it off.
func TestCUDATrain(t *testing.T) {
	needGPU(t)
	_, stdout, _ := run(t, "devices")
	if !strings.Contains(stdout, "cuda 0: ") || !strings.Contains(stdout, "compute capability: ") ||
		!strings.Contains(stdout, "fp32") && !strings.Contains(stdout, "tf32") {
		t.Errorf("devices says\n%s", stdout)
	}
	if !strings.Contains(stdout, "several GPUs: by NCCL 2.") { // make test-cuda has it on the path
		t.Errorf("devices says nothing of NCCL:\n%s", stdout)
	}
	solver, prefix := shortSolver(t, "")
	status, stdout, stderr := run(t, "train", "--solver", solver)
	if status != 0 || !strings.Contains(stdout, "iteration 2  loss ") || strings.Contains(stdout, "host (") {
		t.Fatalf("status %d\n%s%s", status, stdout, stderr)
	}
	for _, args := range [][]string{{"--gpu", "0", "--precision", "fp32"}, {"--device", "host"}} {
		status, stdout, stderr = run(
			t,
			append([]string{"train", "--solver", solver, "--snapshot", prefix + "_iter_3.solverstate"}, args...)...)
		if status != 0 || !strings.Contains(stdout, "iteration 3 of 3") {
			t.Errorf("%v: status %d\n%s%s", args, status, stdout, stderr)
		}
	}
	solver, _ = shortSolver(t, "solver_mode: CPU")
	if _, stdout, _ = run(t, "train", "--solver", solver); !strings.Contains(stdout, "host (") {
		t.Errorf("under solver_mode: CPU it says\n%s", stdout)
	}
}

// n GPUs are one with n times the iter_size: the same weights and masks, to the bit where sums are added in the order
// of the ranks, as the emulator's are. Without NCCL on the loader's path Join says what to install: gpu/cuda has that
// test.
func TestCUDARanks(t *testing.T) {
	needGPU(t)
	for _, n := range []int{2, 3} {
		t.Setenv("EMULATOR_DEVICES", fmt.Sprint(n))
		if gpus, err := cuda.Devices(); err != nil || len(gpus) < n {
			t.Skipf("wants %d GPUs, has %d (%v)", n, len(gpus), err)
		}
		var saved [2][]byte
		for i, c := range []struct{ gpus, more, says string }{
			{"0", fmt.Sprint("iter_size: ", n), ""},
			{"0,1,2"[:2*n-1], "", fmt.Sprint(n, " ranks, sums by NCCL ")},
		} {
			solver, prefix := shortSolver(t, c.more)
			args := []string{"train", "--solver", solver, "--gpu", c.gpus, "--precision", "fp32", "--untuned"}
			status, stdout, stderr := run(t, args...)
			if status != 0 || !strings.Contains(stdout, c.says) {
				t.Fatalf("%v: status %d\n%s%s", args, status, stdout, stderr)
			}
			b, err := os.ReadFile(prefix + "_iter_3.caffemodel")
			if err != nil {
				t.Fatal(err)
			}
			saved[i] = b
		}
		if !bytes.Equal(saved[0], saved[1]) {
			t.Errorf("the weights of %d GPUs are not those of one with iter_size: %d", n, n)
		}
	}
}

// A command that needs no GPU does not load NVIDIA's driver, whose initialisation takes a second on a machine with
// several GPUs; the first that asks for one does. In a process of its own, which has not asked before.
func TestCUDADriverIsLoadedLate(t *testing.T) {
	const child = "DNS_TUI_TEST_LATE"
	if os.Getenv(child) == "" {
		needGPU(t)
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.Command(self, "-test.run", "^TestCUDADriverIsLoadedLate$")
		c.Env = append(os.Environ(), child+"=1")
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%v\n%s", err, out)
		}
		return
	}
	loaded := func() bool {
		b, err := os.ReadFile("/proc/self/maps")
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(b), "/libcuda.so")
	}
	model := modeltest.Root("models", "lenet5_dense.caffemodel")
	for _, args := range [][]string{{"help"}, {"version"}, {"inspect", model}, {"completion", "bash"}} {
		if status, _, stderr := run(t, args...); status != 0 {
			t.Errorf("%q: status %d: %s", args, status, stderr)
		}
		if loaded() {
			t.Fatalf("%q loaded the driver", args)
		}
	}
	if run(t, "devices"); !loaded() {
		t.Error("devices did not load the driver")
	}
}

// A GPU that is not there is an error where there are others.
func TestCUDAWrongNumber(t *testing.T) {
	needGPU(t)
	solver, _ := shortSolver(t, "")
	if status, _, stderr := run(t, "train", "--solver", solver, "--gpu", "99"); status != 1 ||
		!strings.Contains(stderr, "no GPU 99; there ") {
		t.Errorf("status %d: %s", status, stderr)
	}
}
