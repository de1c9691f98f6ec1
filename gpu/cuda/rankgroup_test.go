//go:build cuda

package cuda

import (
	"bytes"
	"encoding/gob"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"dns-tui/gpu/collective"
)

// tested is a group of processes on one machine, for messages alone: each rank but 0 has a connection to it.
type tested struct {
	collective.Group // what is not asked for here
	rank, size       int
	wire             collective.Wire
	peers            []*testedPeer // of rank 0 by rank; of others rank 0
	once             sync.Once
	failed           chan struct{}
	err              error
	entered, waiting atomic.Int64
}

type testedPeer struct {
	rank     int
	conn     net.Conn
	mu       sync.Mutex
	out      *gob.Encoder
	messages chan [][]byte
}

// testedFrame is a message, or what has failed.
type testedFrame struct {
	Messages [][]byte
	Bye      bool // the sender's last
	Rank     int
	Failure  string
}

// joinTested joins the ranks that share a socket's path.
func joinTested(rank, size int, wire collective.Wire, path string) (*tested, error) {
	g := &tested{rank: rank, size: size, wire: wire, failed: make(chan struct{})}
	add := func(rank int, c net.Conn) {
		p := &testedPeer{rank: rank, conn: c, out: gob.NewEncoder(c), messages: make(chan [][]byte, 8)}
		g.peers = append(g.peers, p)
	}
	if rank > 0 {
		var c net.Conn
		var err error
		for range 3000 {
			if c, err = net.Dial("unix", path); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if err != nil {
			return nil, err
		}
		if _, err := c.Write([]byte{byte(rank)}); err != nil {
			return nil, err
		}
		add(0, c)
	} else {
		l, err := net.Listen("unix", path)
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }()
		for range size - 1 {
			c, err := l.Accept()
			if err != nil {
				return nil, err
			}
			var r [1]byte
			if _, err := c.Read(r[:]); err != nil {
				return nil, err
			}
			add(int(r[0]), c)
		}
		slices.SortFunc(g.peers, func(a, b *testedPeer) int { return a.rank - b.rank })
	}
	for _, p := range g.peers {
		go g.read(p)
	}
	return g, nil
}

func (g *tested) read(p *testedPeer) {
	in, bye := gob.NewDecoder(p.conn), false
	for {
		var f testedFrame
		if in.Decode(&f) != nil {
			if !bye {
				g.end(p.rank, "has died")
			}
			return
		}
		bye = bye || f.Bye
		if f.Failure != "" {
			g.end(f.Rank, f.Failure)
			continue
		}
		p.messages <- f.Messages
	}
}

func (g *tested) send(f testedFrame) {
	for _, p := range g.peers {
		p.mu.Lock()
		_ = p.out.Encode(f) // who is gone is told of by its connection
		p.mu.Unlock()
	}
}

// end is told by whoever sees a failure first; rank 0 passes it on.
func (g *tested) end(rank int, reason string) {
	g.once.Do(func() {
		g.err = &collective.RankError{Rank: rank, Member: g.Members()[rank], Reason: reason}
		close(g.failed)
		g.send(testedFrame{Rank: rank, Failure: reason})
	})
}

func (g *tested) next(p *testedPeer) ([][]byte, error) {
	select {
	case m := <-p.messages:
		return m, nil
	case <-g.failed:
		return nil, g.err
	}
}

func (g *tested) Gather(message []byte) ([][]byte, error) { return g.gather(message, false) }

func (g *tested) gather(message []byte, bye bool) ([][]byte, error) {
	if g.rank > 0 {
		g.send(testedFrame{Messages: [][]byte{message}, Bye: bye})
		return g.next(g.peers[0])
	}
	all := [][]byte{bytes.Clone(message)}
	for _, p := range g.peers {
		m, err := g.next(p)
		if err != nil {
			return nil, err
		}
		all = append(all, m[0])
	}
	g.send(testedFrame{Messages: all, Bye: bye})
	return all, nil
}

func (g *tested) Broadcast(message []byte) ([]byte, error) {
	all, err := g.Gather(message)
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

func (g *tested) Rank() int               { return g.rank }
func (g *tested) Size() int               { return g.size }
func (g *tested) Fail(reason string)      { g.end(g.rank, reason) }
func (g *tested) Failed() <-chan struct{} { return g.failed }
func (g *tested) Wire() collective.Wire   { return g.wire }
func (g *tested) Entered()                { g.entered.Add(1) }

func (g *tested) Waiting(on bool) {
	if on {
		g.waiting.Add(1)
	} else {
		g.waiting.Add(-1)
	}
}

func (g *tested) Err() error {
	select {
	case <-g.failed:
		return g.err
	default:
		return nil
	}
}

func (g *tested) Members() []collective.Member {
	return slices.Repeat([]collective.Member{{Host: "here", PID: 1}}, g.size)
}

// Close waits for all, so that nobody's end is taken for a failure.
func (g *tested) Close() error {
	_, err := g.gather(nil, true)
	for _, p := range g.peers {
		_ = p.conn.Close()
	}
	return err
}

// What a rank's process has in its environment.
const (
	envWork = "DNS_TUI_TEST_RANK_WORK"
	envRank = "DNS_TUI_TEST_RANK"
	envSize = "DNS_TUI_TEST_RANKS"
	envMeet = "DNS_TUI_TEST_MEET"
)

// rankWork is what ranks do in processes of their own, by name.
var rankWork = map[string]func(t *testing.T, g *tested){
	"sums": rankSums, "apart": rankApart, "bare": rankBare, "wire": rankWire, "dies": rankDies, "fails": rankFails,
	"join": rankJoin, "buckets": rankBuckets, "closed": rankClosed, "async": rankAsync, "speed": rankSpeed,
}

// TestRankProcess is a rank's process.
func TestRankProcess(t *testing.T) {
	work := os.Getenv(envWork)
	if work == "" {
		t.Skip("runRanks starts it")
	}
	rank, _ := strconv.Atoi(os.Getenv(envRank))
	size, _ := strconv.Atoi(os.Getenv(envSize))
	wire := collective.Float32
	if work == "wire" {
		wire = collective.BFloat16
	}
	g, err := joinTested(rank, size, wire, os.Getenv(envMeet))
	if err != nil {
		t.Fatal(err)
	}
	rankWork[work](t, g)
	if g.Err() == nil {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
	}
}

// runRanks does work in n processes, of which each has a GPU of its own, and returns what rank 0 prints. env has
// settings for a rank alone: "1:NAME=value". Ranks in dead may end as they like.
func runRanks(t *testing.T, work string, n int, dead []int, env ...string) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	meet := filepath.Join(t.TempDir(), "meet")
	processes, output := make([]*exec.Cmd, n), make([]bytes.Buffer, n)
	for r := range n {
		c := exec.Command(self, "-test.run", "^TestRankProcess$", "-test.v", "-test.timeout", "10m")
		c.Env = append(os.Environ(), envWork+"="+work, fmt.Sprint(envRank, "=", r), fmt.Sprint(envSize, "=", n),
			envMeet+"="+meet)
		for _, e := range env {
			if of, setting, ok := strings.Cut(e, ":"); ok && of == strconv.Itoa(r) {
				c.Env = append(c.Env, setting)
			} else if !ok {
				c.Env = append(c.Env, e)
			}
		}
		c.Stdout, c.Stderr = &output[r], &output[r]
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		processes[r] = c
	}
	for r, c := range processes {
		if err := c.Wait(); err != nil && !slices.Contains(dead, r) {
			t.Errorf("rank %d: %v\n%s", r, err, output[r].String())
		}
	}
	return output[0].String()
}
