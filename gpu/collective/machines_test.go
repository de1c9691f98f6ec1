//go:build machines

package collective

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// twoMachines are two network namespaces with a cable between them, each with a name and an address: to all that is
// tested here, two machines. RATE=1gbit in the environment bounds the cable.
type twoMachines struct {
	t      *testing.T
	folder string
}

const (
	spaceOf   = "dns-tui-test-"
	addressOf = "10.77.0."
)

// ip calls the program of that name.
func ip(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
		t.Fatalf("ip %s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func connectMachines(t *testing.T) *twoMachines {
	if os.Getuid() != 0 {
		t.Skip("network namespaces want root")
	}
	remove := func() {
		for _, m := range []string{"a", "b"} {
			_ = exec.Command("ip", "netns", "del", spaceOf+m).Run()
			_ = os.RemoveAll("/etc/netns/" + spaceOf + m)
		}
	}
	remove()
	t.Cleanup(remove)
	ip(t, "netns", "add", spaceOf+"a")
	ip(t, "netns", "add", spaceOf+"b")
	ip(t, "link",
		"add",
		"cable",
		"netns",
		spaceOf+"a",
		"type",
		"veth",
		"peer",
		"name",
		"cable",
		"netns",
		spaceOf+"b",
	)
	for i, m := range []string{"a", "b"} {
		hosts := "/etc/netns/" + spaceOf + m
		if err := os.MkdirAll(hosts, 0o755); err != nil {
			t.Fatal(err)
		}
		names := "127.0.0.1 localhost\n10.77.0.1 a\n10.77.0.2 b\n"
		if err := os.WriteFile(hosts+"/hosts", []byte(names), 0o644); err != nil {
			t.Fatal(err)
		}
		ip(t, "-n", spaceOf+m, "address", "add", fmt.Sprintf("%s%d/24", addressOf, i+1), "dev", "cable")
		ip(t, "-n", spaceOf+m, "link", "set", "cable", "up")
		ip(t, "-n", spaceOf+m, "link", "set", "lo", "up")
	}
	return &twoMachines{t, t.TempDir()}
}

// rate bounds what the cable carries each way.
func (m *twoMachines) rate(rate string) {
	for _, s := range []string{"a", "b"} {
		ip(m.t, "netns", "exec", spaceOf+s, "tc", "qdisc", "replace", "dev", "cable", "root", "tbf",
			"rate", rate, "burst", "256kb", "latency", "1s")
	}
}

// on is a command of one of the machines.
func (m *twoMachines) on(machine string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", spaceOf + machine, "unshare", "--uts", "sh", "-c",
		`hostname "$0"; exec "$@"`, machine}, args...)...)
}

// play starts n ranks, the lower half on a, and returns what they report when all have ended, in a folder of its own.
func (m *twoMachines) play(n int, play string, env []string, meanwhile func()) []string {
	folder, err := os.MkdirTemp(m.folder, "")
	if err != nil {
		m.t.Fatal(err)
	}
	var tasks sync.WaitGroup
	for r := range n {
		c := m.on(string("ab"[2*r/n]), os.Args[0])
		c.Env = append(append(os.Environ(), envPlay+"="+play, envReports+"="+folder, "RANK="+strconv.Itoa(r),
			"WORLD_SIZE="+strconv.Itoa(n), "MASTER_ADDR=10.77.0.1", "MASTER_PORT=29500"), env...)
		tasks.Go(func() { _, _ = c.CombinedOutput() })
	}
	if meanwhile != nil {
		meanwhile()
	}
	tasks.Wait()
	return reports(m.t, folder, n)
}

func TestMachines(t *testing.T) {
	secret := "DNS_TUI_SECRET=" + testSecret
	t.Run("adds", func(t *testing.T) {
		m := connectMachines(t)
		for r, text := range m.play(4, "adds", []string{secret}, nil) {
			if text != "well" {
				t.Errorf("rank %d: %s", r, text)
			}
		}
	})
	t.Run("no secret", func(t *testing.T) {
		m := connectMachines(t)
		for r, text := range m.play(2, "adds", []string{"COLLECTIVE_TEST_TIMEOUT=1s"}, nil) {
			if r == 0 &&
				!strings.Contains(text, "which other machines may reach, without a secret: set DNS_TUI_SECRET") {
				t.Errorf("rank %d: %s", r, text)
			}
		}
	})
	t.Run("dies", func(t *testing.T) {
		m := connectMachines(t)
		said := m.play(4, "3 dies", []string{secret}, nil)
		for r, text := range said[:3] {
			if text != said[0] || !strings.HasPrefix(text, "ended: rank 3 (b, process ") ||
				!strings.HasSuffix(text, ") has died") {
				t.Errorf("rank %d: %q, rank 0 %q", r, text, said[0])
			}
		}
	})
	t.Run("cut", func(t *testing.T) {
		m := connectMachines(t)
		began := time.Now()
		said := m.play(2, "adds for long", []string{secret, "COLLECTIVE_TEST_TIMEOUT=3s"}, func() {
			time.Sleep(2 * time.Second)
			ip(t, "-n", spaceOf+"a", "link", "set", "cable", "down")
		})
		t.Logf(
			"both ended %v after the start, of which 2 s were before the cut",
			time.Since(began).Round(time.Millisecond),
		)
		for r, text := range said { // each side can only name the other
			if !strings.HasPrefix(text, fmt.Sprintf("ended: rank %d (", 1-r)) {
				t.Errorf("rank %d: %s", r, text)
			}
		}
	})
	t.Run("speed", func(t *testing.T) {
		m := connectMachines(t)
		const size, sums = 4 << 20, 8
		for _, wire := range []Wire{Float32, BFloat16} {
			for _, rate := range []int{100, 1000} { // Mbit/s
				m.rate(fmt.Sprintf("%dmbit", rate))
				sent := m.sent()
				said := m.play(2, "times", []string{secret, fmt.Sprintf("COLLECTIVE_TEST_SIZE=%d", size),
					fmt.Sprintf("COLLECTIVE_TEST_SUMS=%d", sums), fmt.Sprintf("COLLECTIVE_TEST_WIRE=%d", wire)}, nil)
				took, err := time.ParseDuration(said[0])
				if err != nil {
					t.Errorf("%q", said)
					continue
				}
				bytes := float64(m.sent()-sent) / (sums + 1)
				model := float64(width(wire)*size) / (float64(rate) * 1e6 / 8) // 2·(n−1)/n·B each way, n = 2
				t.Logf(
					"%v, %d Mbit/s: %.3f s a sum of %d numbers, model %.3f s (%.2f times that); %.2f bytes a number",
					wire,
					rate,
					took.Seconds(),
					size,
					model,
					took.Seconds()/model,
					bytes/size,
				)
				if took.Seconds() < 0.9*model {
					t.Errorf("faster than the cable")
				}
			}
		}
	})
	t.Run("Open MPI", func(t *testing.T) {
		m := connectMachines(t)
		agent := m.script("exec ip netns exec " + spaceOf + `"$1" unshare --uts sh -c 'hostname "$0"; eval "$*"' "$@"`)
		m.mpirun(
			"mpirun.openmpi",
			"Open MPI ",
			"--host",
			"a:1,b:1",
			"--mca",
			"plm_rsh_agent",
			agent,
			"--mca",
			"btl_tcp_if_include",
			"10.77.0.0/24",
			"--mca",
			"oob_tcp_if_include",
			"10.77.0.0/24",
			"--bind-to",
			"none",
			"-x",
			envUnder,
			"-x",
			envReports,
			"-n",
			"2",
		)
	})
	t.Run("MPICH", func(t *testing.T) {
		m := connectMachines(t)
		agent := m.script("while [ \"${1#-}\" != \"$1\" ]; do shift; done\nexec ip netns exec " + spaceOf +
			`"$1" unshare --uts sh -c 'hostname "$0"; eval "$*"' "$@"`)
		m.mpirun("mpirun.mpich", "MPICH ", "-hosts", "a,b", "-launcher", "ssh", "-launcher-exec", agent, "-n", "2")
	})
}

// sent is how many bytes a has sent over the cable.
func (m *twoMachines) sent() int {
	out, err := exec.Command("ip", "netns", "exec", spaceOf+"a", "cat", "/sys/class/net/cable/statistics/tx_bytes").
		Output()
	if err != nil {
		m.t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		m.t.Fatal(err)
	}
	return n
}

// script is what an mpirun calls to start its daemon on another machine: its arguments are the machine's name and a
// command.
func (m *twoMachines) script(text string) string {
	path := filepath.Join(m.folder, "agent")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// mpirun has a real one start a rank on each machine, which make all sums of the suite.
func (m *twoMachines) mpirun(name, engine string, args ...string) {
	path, err := exec.LookPath(name)
	if err != nil {
		m.t.Skipf("%s is not installed (make mpi)", name)
	}
	c := m.on("a", append(append([]string{path}, args...), os.Args[0], "-test.run=^TestUnderLauncher$")...)
	c.Env = append(os.Environ(), envUnder+"=float32", envReports+"="+m.folder, "OMPI_ALLOW_RUN_AS_ROOT=1",
		"OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1")
	out, err := c.CombinedOutput()
	for r, text := range reports(m.t, m.folder, 2) {
		if !strings.HasPrefix(text, engine) {
			m.t.Errorf("rank %d: %q; %v\n%s", r, text, err, out)
		}
	}
}
