package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"syscall"
	"time"

	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/gpu"
	"dns-tui/gpu/collective"
	"dns-tui/gpu/cuda"
	"dns-tui/model/solver"
)

// rankCommand is the command of a process that another of this program started as one of its ranks; nobody types it.
// What follows is the command, and the arguments, of the one that did.
const rankCommand = "rank"

// mostRanks bounds the processes that are started on a machine: more is a slip of the finger.
const mostRanks = 1024

// rankFlags are the flags of a run of several ranks.
type rankFlags struct {
	ranks   int // 0: not given
	timeout time.Duration
	wire    collective.Wire
}

func (f *rankFlags) add(fs *flag.FlagSet) {
	fs.Func(
		"ranks",
		"processes of this machine that train together on the host device, each with the prototxt's batch (default: "+
			"1); several GPUs are several ranks: --gpu 0,1 or --gpu all",
		func(text string) (err error) {
			if f.ranks, err = strconv.Atoi(text); err != nil || f.ranks < 1 || f.ranks > mostRanks {
				return fmt.Errorf("wanted a number, 1 to %d", mostRanks)
			}
			return nil
		},
	)
	fs.DurationVar(
		&f.timeout,
		"rank-timeout",
		collective.DefaultTimeout,
		"how long a rank may keep the others waiting before the run ends",
	)
	fs.Func(
		"reduce",
		"the format in which gradients travel between ranks: float32, or bf16 for half the bytes (default: float32)",
		func(text string) error {
			switch text {
			case collective.Float32.String():
				f.wire = collective.Float32
			case collective.BFloat16.String():
				f.wire = collective.BFloat16
			default:
				return errors.New("wanted float32 or bf16")
			}
			return nil
		},
	)
}

// ranks is those of a run, seen by one of them.
type ranks struct {
	place collective.Place
	group collective.Group  // nil: this process is alone
	local *collective.Local // the other ranks, where this one has started them
}

// follows reports whether rank 0 is another process.
func (c *ranks) follows() bool { return c.group != nil && c.group.Rank() > 0 }

// joinRanks finds out who trains together: the ranks that a launcher has started, or that the flags ask for, which are
// started with the command and the arguments of this process. stderr takes what the others have to say. It returns when
// all are there.
func (f *runFlags) joinRanks(command string, args []string, stderr io.Writer) (*ranks, error) {
	place, err := collective.Launch()
	if err != nil {
		return nil, usageError{err}
	}
	gpus, err := f.device.ordinals()
	if err != nil {
		return nil, err
	}
	c := &ranks{place: place}
	n := max(f.rank.ranks, len(gpus))
	switch {
	case f.rank.timeout <= 0:
		return nil, usagef("--rank-timeout is %v; wanted more than 0", f.rank.timeout)
	case f.rank.ranks > 0 && len(gpus) > 0 && f.rank.ranks != len(gpus):
		return nil, usagef("--ranks %d and --gpu %s, which is %s: each GPU is a rank", f.rank.ranks, f.device.gpu,
			count(len(gpus), "GPU"))
	case !place.Alone() && place.Launcher != "dns-tui" && f.rank.ranks > 0 && f.rank.ranks != place.Size:
		return nil, usagef("--ranks %d, and %s has started %d ranks", f.rank.ranks, place.Launcher, place.Size)
	case place.Alone() && n > 1:
		if c.local, err = f.startRanks(n, command, args, stderr); err != nil {
			return nil, fmt.Errorf("the other ranks cannot be started: %w", err)
		}
		c.place = c.local.Place()
	case place.Alone():
		return c, nil
	}
	if place.Address != "" && place.Rank == 0 {
		escape.Fprintf(stderr, "dns-tui: rank 0 waits at %s for the other ranks, %d in all, up to %v\n", place.Address,
			place.Size, f.rank.timeout)
	}
	c.group, err = collective.Open(c.place, collective.Options{
		Wire: f.rank.wire, Timeout: f.rank.timeout, Version: version,
		Log: func(line string) { escape.Fprintf(stderr, "dns-tui: %s\n", line) },
	})
	if err != nil {
		c.close()
		return nil, err
	}
	return c, nil
}

// startRanks starts ranks 1 to n-1.
func (f *runFlags) startRanks(n int, command string, args []string, stderr io.Writer) (*collective.Local, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return collective.StartLocal(n, func(int) *exec.Cmd {
		c := exec.Command(self, append([]string{rankCommand, command}, args...)...)
		c.Args[0] = config.Program
		c.Stdout, c.Stderr = stderr, stderr
		return c
	})
}

// open opens this rank's device: of several GPUs the one that is its own, of the host's threads its share. A rank that
// has none ends all.
func (c *ranks) open(f *deviceFlags) (d *gpu.Device, notices []string, err error) {
	if c.group != nil {
		if err = c.choose(f); err != nil {
			c.group.Fail("has no device: " + err.Error())
			return nil, nil, err
		}
	}
	d, notices, err = f.make()
	if c.group == nil {
		return d, notices, err
	}
	if err != nil {
		c.group.Fail("has no device: " + err.Error())
	}
	return d, notices, err
}

// choose makes the flags of one rank of those of all.
func (c *ranks) choose(f *deviceFlags) error {
	here := c.here()
	gpus, err := f.ordinals()
	if err != nil {
		return err
	}
	if len(gpus) == 0 {
		if f.threads == 0 {
			f.threads = max(1, runtime.GOMAXPROCS(0)/here)
		}
		if gpus, err = visibleGPUs(f); err != nil || len(gpus) == 0 {
			return err
		}
	}
	at := c.place.LocalRank
	switch {
	case len(gpus) == 1 && (at == 0 || here == 1): // the launcher shows each rank its own, or there is but one
		at = 0
	case at < 0:
		return fmt.Errorf("%s does not say which rank of its machine this is, and there are %s: --gpu names one",
			c.place.Launcher, count(len(gpus), "GPU"))
	case at >= len(gpus):
		return fmt.Errorf("rank %d is number %d of its machine, which has %s for it", c.group.Rank(), at,
			count(len(gpus), "GPU"))
	}
	f.device, f.gpu = "cuda", fmt.Sprint(gpus[at])
	return nil
}

// visibleGPUs lists the GPUs that a run without --gpu may use; none where it trains on the host.
func visibleGPUs(f *deviceFlags) ([]int, error) {
	if f.device == "host" || f.device == "" && f.onCPU() {
		return nil, nil
	}
	found, err := cuda.Devices()
	if err != nil && f.device == "cuda" {
		return nil, err
	}
	return ordinalsOf(found), nil // a machine without one trains on the host
}

// here is how many ranks are on this machine.
func (c *ranks) here() int {
	if c.group == nil {
		return 1
	}
	members, n := c.group.Members(), 0
	for _, m := range members {
		if m.Host == members[c.group.Rank()].Host {
			n++
		}
	}
	return max(1, n)
}

// ranksLeave is how long ranks that have been told that the run is over may take to end.
const ranksLeave = 10 * time.Second

// close leaves the group, and sees to it that no rank that this process has started is left behind.
func (c *ranks) close() {
	if c.group != nil {
		_ = c.group.Close() // how the run ended is told
	}
	if c.local == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), ranksLeave)
	defer cancel()
	if _, err := c.local.Wait(ctx); err != nil {
		c.local.Kill()
	}
}

// runRank is a rank that another process of this program has started.
func runRank(ctx context.Context, e *env, args []string) error {
	alone := usagef("rank: is started by a run of several ranks alone")
	if len(args) == 0 {
		return alone
	}
	parsers := map[string]func() (*runFlags, *config.Run, error){
		"ui": func() (*runFlags, *config.Run, error) {
			f, _, run, err := parseUI(e, args[1:])
			return &f, run, err
		},
		"train": func() (*runFlags, *config.Run, error) {
			t, err := parseTrain(e, args[1:])
			return &t.runFlags, t.run, err
		},
		"search": func() (*runFlags, *config.Run, error) {
			s, err := parseSearch(e, args[1:])
			if err != nil {
				return nil, nil, err
			}
			return &s.runFlags, s.run, nil
		},
	}
	p, ok := parsers[args[0]]
	if !ok {
		return alone
	}
	f, run, err := p()
	if err != nil {
		return err
	}
	c, err := f.joinRanks(args[0], args[1:], e.stderr)
	if err != nil {
		return err
	}
	if !c.follows() {
		return alone
	}
	return follow(ctx, e, f, run, c)
}

// asRank runs a command without a UI as one rank or one of several: rank 0 is lead's, the others follow. command and
// args are those of this process.
func (f *runFlags) asRank(
	ctx context.Context, e *env, command string, args []string, run *config.Run,
	lead func(*gpu.Device, collective.Group) error,
) error {
	if err := f.device.check(); err != nil {
		return err
	}
	c, err := f.joinRanks(command, args, e.stderr)
	if err != nil {
		return err
	}
	if c.follows() {
		return follow(ctx, e, f, run, c)
	}
	defer c.close()
	f.device.progress = e.stderr
	d, notices, err := c.open(&f.device)
	if err != nil {
		return err
	}
	defer d.Close()
	e.notice(notices)
	err = lead(d, c.group)
	if err != nil && c.group != nil { // where a session has not said so already
		c.group.Fail(collective.CannotGoOn + err.Error())
	}
	return err
}

// errParted ends a rank whose failure rank 0 tells: exit status 1, and no word more.
var errParted = errors.New("another rank has ended the run")

// follow trains as rank 0 says.
func follow(ctx context.Context, e *env, f *runFlags, run *config.Run, c *ranks) error {
	defer c.close()
	signals(ctx, func(s os.Signal) {
		// Slurm and Kubernetes send SIGTERM: rank 0 saves a snapshot, and all end. What a terminal sends to the ranks
		// that rank 0 has started it has, too.
		if s == syscall.SIGTERM || c.place.Launcher != "dns-tui" {
			c.group.Fail(collective.ToldToEnd)
		}
	}, func() {})
	err := c.follow(e, f, run)
	var parted *collective.RankError
	switch {
	case err == nil:
		return nil
	case !errors.As(err, &parted): // rank 0 tells it
		c.group.Fail(collective.CannotGoOn + err.Error())
		return errParted
	case parted.Rank == 0 && c.group.Rank() == 1 && c.place.Launcher != "dns-tui": // who else would tell it
		return err
	case parted.Reason == collective.ToldToEnd:
		return nil
	}
	return errParted
}

func (c *ranks) follow(e *env, f *runFlags, run *config.Run) error {
	d, notices, err := c.open(&f.device)
	if err != nil {
		return err
	}
	defer d.Close()
	if c.place.Launcher != "dns-tui" { // else they are rank 0's own
		for _, n := range notices {
			escape.Fprintf(e.stderr, "dns-tui: rank %d: %s\n", c.group.Rank(), n)
		}
	}
	s, err := solver.NewRank(run, d, c.group)
	if err != nil {
		return err
	}
	err = s.Follow()
	return errors.Join(err, s.Close())
}
