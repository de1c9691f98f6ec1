package collective

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Local is the ranks of a run on this machine that rank 0 starts itself, as its children.
type Local struct {
	size     int
	ends     *localEnds
	children []*child // by rank; nil for rank 0
}

// localEnds is what a rank of a Local was given: connections to the others (of rank 0: all; of another: to rank 0), and
// the memory that they have in common.
type localEnds struct {
	conns  []net.Conn // by rank
	memory *os.File
	local  *Local // of rank 0
}

type child struct {
	command *exec.Cmd
	ended   chan struct{}
	how     error
}

// StartLocal starts ranks 1 to n-1 as children of this process, which is rank 0. command returns how to start one: the
// program, its arguments, where its output goes. Its environment and files get what the child's Launch looks for; then
// the child's Open joins this process's, which passes the Place of what is returned. Nothing on this machine but the
// children can join: there is no address, the connections are theirs from the start.
func StartLocal(n int, command func(rank int) *exec.Cmd) (*Local, error) {
	if n < 2 {
		return nil, fmt.Errorf("%d ranks: wanted 2 or more", n)
	}
	memory, err := sharedFile(n, localToken)
	if err != nil {
		return nil, err
	}
	l := &Local{size: n, children: make([]*child, n), ends: &localEnds{conns: make([]net.Conn, n), memory: memory}}
	l.ends.local = l
	for r := 1; r < n; r++ {
		if err := l.start(r, command(r)); err != nil {
			l.Kill()
			l.ends.close()
			return nil, fmt.Errorf("rank %d: %v", r, err)
		}
	}
	return l, nil
}

// localToken begins memory that is handed from parent to child and can be no other's.
var localToken = []byte("dns-tui ranks 1")

func (l *Local) start(r int, c *exec.Cmd) error {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	mine, theirs := os.NewFile(uintptr(pair[0]), "rank"), os.NewFile(uintptr(pair[1]), "rank")
	defer mine.Close()
	defer theirs.Close()
	conn, err := net.FileConn(mine)
	if err != nil {
		return err
	}
	l.ends.conns[r] = conn
	c.ExtraFiles = append(c.ExtraFiles, theirs, l.ends.memory)
	if c.Env == nil {
		c.Env = os.Environ()
	}
	c.Env = append(c.Env, fmt.Sprintf("%s=%d", envRank, r), fmt.Sprintf("%s=%d", envRanks, l.size),
		fmt.Sprintf("%s=%d,%d", envFiles, 1+len(c.ExtraFiles), 2+len(c.ExtraFiles)))
	if err := c.Start(); err != nil {
		return err
	}
	k := &child{command: c, ended: make(chan struct{})}
	l.children[r] = k
	go func() {
		k.how = c.Wait()
		close(k.ended)
	}()
	return nil
}

// Place is rank 0's, for Open.
func (l *Local) Place() Place {
	return Place{Size: l.size, Launcher: "dns-tui", local: l.ends}
}

// PID is a child's.
func (l *Local) PID(rank int) int { return l.children[rank].command.Process.Pid }

// Wait waits until all children have ended, and returns how, by rank; nil of one that ended well, and of rank 0.
func (l *Local) Wait(ctx context.Context) ([]error, error) {
	how := make([]error, l.size)
	for r, c := range l.children {
		if c == nil {
			continue
		}
		select {
		case <-c.ended:
			how[r] = c.how
		case <-ctx.Done():
			return how, ctx.Err()
		}
	}
	return how, nil
}

// Signal sends a signal to the children that still run.
func (l *Local) Signal(s os.Signal) {
	for _, c := range l.children {
		if c != nil {
			_ = c.command.Process.Signal(s)
		}
	}
}

// Kill ends the children that still run, and waits for that.
func (l *Local) Kill() {
	for _, c := range l.children {
		if c != nil {
			_ = c.command.Process.Kill()
			<-c.ended
		}
	}
}

// exited says how a child ended, if it has, or does soon.
func (l *Local) exited(rank int) string {
	c := l.children[rank]
	select {
	case <-c.ended:
		if c.how == nil {
			return "exit status 0"
		}
		return c.how.Error()
	case <-time.After(time.Second):
		return ""
	}
}

// inherited takes the files that a child was given.
func inherited(text string) (*localEnds, error) {
	a, b, ok := strings.Cut(text, ",")
	control, err1 := strconv.Atoi(a)
	memory, err2 := strconv.Atoi(b)
	if !ok || err1 != nil || err2 != nil || control < 3 || memory < 3 {
		return nil, fmt.Errorf(
			"%s is %q: rank 0 sets it, and %s, for the processes that it starts itself",
			envFiles,
			text,
			envRank,
		)
	}
	unix.CloseOnExec(control)
	unix.CloseOnExec(memory)
	f := os.NewFile(uintptr(control), "rank 0")
	defer f.Close()
	conn, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("%s=%s: no connection to rank 0: %v", envFiles, text, err)
	}
	return &localEnds{conns: []net.Conn{conn}, memory: os.NewFile(uintptr(memory), "memory in common")}, nil
}

func (e *localEnds) close() {
	for _, c := range e.conns {
		if c != nil {
			_ = c.Close()
		}
	}
	_ = e.memory.Close()
}

// dial is for a child: it has its connection.
func (e *localEnds) dial(context.Context) (net.Conn, error) {
	if c := e.conns[0]; c != nil {
		e.conns[0] = nil
		return c, nil
	}
	return nil, errOnce
}
