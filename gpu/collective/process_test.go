package collective

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// envPlay has this test binary be a rank that does what the variable says.
const envPlay = "COLLECTIVE_TEST_PLAY"

func TestMain(m *testing.M) {
	if play := os.Getenv(envPlay); play != "" {
		os.Exit(perform(play))
	}
	os.Exit(m.Run())
}

// perform is a child's part. It says on standard output how its group ended.
func perform(play string) int {
	if play, ok := strings.CutPrefix(play, "parent of "); ok {
		fmt.Println(parent(play))
		return 1
	}
	place, err := Launch()
	if err == nil && play == "exits before it joins" {
		return 3
	}
	var g Group
	if err == nil {
		g, err = Open(place, benchmarkOptions())
	}
	if err != nil {
		report(place.Rank, "no group: "+err.Error())
		return 1
	}
	do := func() error { return act(g, play) }
	switch play {
	case "benchmark":
		do = func() error { return follow(g) }
	case "times":
		do = func() error { return times(g) }
	}
	if err := do(); err != nil {
		report(place.Rank, "ended: "+err.Error())
		_ = g.Close()
		return 2
	}
	if err := g.Close(); err != nil {
		report(place.Rank, "ended: "+err.Error())
		return 2
	}
	if play != "benchmark" && play != "times" {
		report(place.Rank, "well")
	}
	return 0
}

// report says how a rank ended: in a file where a launcher started it, whose output may have other lines, or lack some.
func report(rank int, text string) {
	folder := os.Getenv(envReports)
	if folder == "" {
		fmt.Println(text)
	} else if err := os.WriteFile(filepath.Join(folder, strconv.Itoa(rank)), []byte(text), 0o600); err != nil {
		panic(err)
	}
}

// reports returns what the ranks of a launcher wrote.
func reports(t *testing.T, folder string, n int) []string {
	texts := make([]string, n)
	for r := range texts {
		b, err := os.ReadFile(filepath.Join(folder, strconv.Itoa(r)))
		if err != nil && !os.IsNotExist(err) {
			t.Error(err)
		}
		texts[r] = string(b)
	}
	return texts
}

const envReports = "COLLECTIVE_TEST_REPORTS"

// playOptions are those of all processes of a play.
func playOptions() Options {
	o := Options{Version: "test", Device: "abacus"}
	o.Timeout, _ = time.ParseDuration(os.Getenv("COLLECTIVE_TEST_TIMEOUT"))
	return o
}

// act adds until the group ends, or for a hundred steps; the rank of the play does something else after some.
func act(g Group, play string) error {
	who, what, _ := strings.Cut(play, " ")
	actor, err := strconv.Atoi(who)
	if err != nil {
		actor, what = -1, play
	}
	x := make([]float32, 3*chunkSize)
	steps := 100
	if what == "adds for long" {
		steps = math.MaxInt
	}
	for step := range steps {
		if g.Rank() == actor && step == 7 {
			switch what {
			case "dies":
				_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
			case "stops":
				_ = syscall.Kill(os.Getpid(), syscall.SIGSTOP)
			case "exits":
				os.Exit(7)
			case "fails":
				g.Fail("has a disk that is full")
			}
		}
		for i := range x {
			x[i] = value(g.Rank(), i)
		}
		g.Reduce(x[:2*chunkSize], false)
		g.Reduce(x[2*chunkSize:], true)
		if err := g.Wait(); err != nil {
			return err
		}
		for _, i := range []int{0, 1, chunkSize + 3, len(x) - 1} {
			if want := expected(g.Size(), i, Float32); x[i] != want {
				return fmt.Errorf("step %d: %d is %v, wanted %v", step, i, x[i], want)
			}
		}
		if _, err := g.Gather([]byte{byte(g.Rank())}); err != nil {
			return err
		}
	}
	return nil
}

// childRanks starts ranks 1 to n-1 as processes. said returns what they said at their end.
func childRanks(t *testing.T, n int, play string, timeout time.Duration) (l *Local, said func() []string) {
	t.Helper()
	out := make([]strings.Builder, n)
	t.Setenv("COLLECTIVE_TEST_TIMEOUT", timeout.String())
	l, err := StartLocal(n, func(r int) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), envPlay+"="+play)
		c.Stdout, c.Stderr = &out[r], &out[r]
		return c
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Kill)
	return l, func() []string {
		if _, err := l.Wait(context.Background()); err != nil {
			t.Error(err)
		}
		texts := make([]string, n)
		for r := range out {
			texts[r] = out[r].String()
		}
		return texts
	}
}

func TestLocalProcesses(t *testing.T) {
	l, said := childRanks(t, 3, "adds", 0)
	g, err := Open(l.Place(), playOptions())
	if err != nil {
		t.Fatal(err)
	}
	if err := act(g, "adds"); err != nil {
		t.Error(err)
	}
	if m := g.Members()[2]; m.PID != l.PID(2) || m.Device != "abacus" {
		t.Errorf("rank 2 is %+v, wanted process %d", m, l.PID(2))
	}
	if err := g.Close(); err != nil {
		t.Error(err)
	}
	for r, text := range said()[1:] {
		if text != "well\n" {
			t.Errorf("rank %d: %s", r+1, text)
		}
	}
}

// TestProcessFails has a process die, stop or leave in the midst of sums: all others end with one error that names it.
func TestProcessFails(t *testing.T) {
	tests := []struct {
		play    string
		timeout time.Duration
		rank    int
		reason  string
	}{
		{"1 dies", 0, 1, "has died: signal: killed"},
		{"3 dies", 0, 3, "has died: signal: killed"},
		{"2 exits", 0, 2, "has died: exit status 7"},
		{"1 stops", 2 * time.Second, 1, "gave no sign of life for 2s"},
		{"2 fails", 0, 2, "has a disk that is full"},
		{"0 fails", 0, 0, "has a disk that is full"},
	}
	for _, test := range tests {
		t.Run(test.play, func(t *testing.T) {
			l, said := childRanks(t, 4, test.play, test.timeout)
			g, err := Open(l.Place(), playOptions())
			if err != nil {
				t.Fatal(err)
			}
			err = act(g, test.play)
			var e *RankError
			if !errors.As(err, &e) || e.Rank != test.rank || e.Reason != test.reason {
				t.Fatalf("rank 0: %v; wanted rank %d: %s", err, test.rank, test.reason)
			}
			if err := g.Close(); err == nil {
				t.Error("closed well")
			}
			if strings.HasSuffix(test.play, "stops") {
				_ = syscall.Kill(l.PID(test.rank), syscall.SIGCONT) // it learns what the others think
			}
			for r, text := range said() {
				gone := r == test.rank &&
					(strings.HasSuffix(test.play, "dies") || strings.HasSuffix(test.play, "exits"))
				if r != 0 && !gone && text != "ended: "+err.Error()+"\n" {
					t.Errorf("rank %d says %q, rank 0 %q", r, text, err)
				}
			}
		})
	}
}

// TestFirstRankDies has rank 0 die or stop: the others notice, and say the same.
func TestFirstRankDies(t *testing.T) {
	for _, test := range []struct {
		play    string
		timeout time.Duration
		reason  string
	}{
		{"0 dies", 0, "has died"},
		{"0 stops", 2 * time.Second, "gave no sign of life for 2s"},
	} {
		t.Run(test.play, func(t *testing.T) {
			t.Setenv("COLLECTIVE_TEST_TIMEOUT", test.timeout.String())
			c := exec.Command(os.Args[0])
			c.Env = append(os.Environ(), envPlay+"=parent of "+test.play)
			c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
			out, err := c.StdoutPipe() // ends when the children have
			if err != nil {
				t.Fatal(err)
			}
			if err := c.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() {
				_ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL)
				_ = c.Wait()
			}()
			var lines []string
			for r := bufio.NewScanner(out); len(lines) < 2 && r.Scan(); {
				lines = append(lines, r.Text())
			}
			if len(lines) != 2 || lines[0] != lines[1] || !strings.HasSuffix(lines[0], test.reason) ||
				!strings.HasPrefix(lines[0], "ended: rank 0 (") {
				t.Errorf("%q\nwanted two ranks to say that rank 0 %s", lines, test.reason)
			}
		})
	}
}

// parent is rank 0 of three, whose children have its standard output.
func parent(play string) error {
	l, err := StartLocal(3, func(int) *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), envPlay+"="+play)
		c.Stdout = os.Stdout
		return c
	})
	if err != nil {
		return err
	}
	g, err := Open(l.Place(), playOptions())
	if err != nil {
		return err
	}
	return act(g, play)
}

func TestChildEndsBeforeItJoins(t *testing.T) {
	l, said := childRanks(t, 3, "exits before it joins", 0)
	_, err := Open(l.Place(), playOptions())
	if err == nil || !strings.Contains(err.Error(), "has died before it joined: exit status 3") {
		t.Error(err)
	}
	said()
}
