package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

// ClientOptions say who views, and how.
type ClientOptions struct {
	Name     string
	ReadOnly bool
	// Interval is the least time between two snapshots; 0 is a tenth of a second.
	Interval time.Duration
}

// Client is the Session of a run in another process.
type Client struct {
	conn     net.Conn
	in       *bufio.Reader
	framing  framing
	version  uint32 // that both speak
	welcome  *remotepb.Welcome
	interval atomic.Int64 // of snapshots, in milliseconds
	latest   atomic.Pointer[session.Snapshot]
	gone     chan struct{}

	mu      sync.Mutex // of what is sent and who waits
	id      uint64
	waiting map[uint64]chan *remotepb.Answer
	err     error // why the connection ended
}

// Dial attaches to the run behind a socket, and waits for its first snapshot. A run that a program of the version
// before has begun is spoken to as that does.
func Dial(ctx context.Context, path string, o ClientOptions) (*Client, error) {
	c, err := dial(ctx, path, o, Version)
	if errors.Is(err, errNoAnswer) && ctx.Err() == nil {
		if older, err := dial(ctx, path, o, version2); err == nil {
			return older, nil
		}
	}
	return c, err
}

func dial(ctx context.Context, path string, o ClientOptions, version uint32) (*Client, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	return newClient(ctx, conn, o, version)
}

// errNoAnswer is returned where a run closes the connection without an answer: one of another version does that.
var errNoAnswer = errors.New("the run does not answer")

// RefusedError is why a run cannot be attached to, in its own words.
type RefusedError struct{ Reason string }

func (e *RefusedError) Error() string { return e.Reason }

// MultiLine says that the line ends in it are the run's own: what it quotes is escaped (escape.Error).
func (e *RefusedError) MultiLine() {}

// NewClient attaches over a connection that is there already.
func NewClient(ctx context.Context, conn net.Conn, o ClientOptions) (*Client, error) {
	return newClient(ctx, conn, o, Version)
}

func newClient(ctx context.Context, conn net.Conn, o ClientOptions, version uint32) (*Client, error) {
	if o.Interval <= 0 {
		o.Interval = 100 * time.Millisecond
	}
	c := &Client{
		conn: conn, in: bufio.NewReader(conn), framing: delimited{}, version: version, gone: make(chan struct{}),
		waiting: map[uint64]chan *remotepb.Answer{},
	}
	if version == version2 {
		c.framing = fixed32{}
	}
	c.SetInterval(o.Interval)
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	if err := c.handshake(o); err != nil {
		conn.Close()
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return nil, err
	}
	go c.read()
	return c, nil
}

func (c *Client) handshake(o ClientOptions) error {
	hello := &remotepb.Hello{Version: c.version, Name: o.Name, ReadOnly: o.ReadOnly}
	if err := c.send(&remotepb.Request{Kind: &remotepb.Request_Hello{Hello: hello}}); err != nil {
		return err
	}
	var m remotepb.Reply
	if err := c.framing.read(c.in, maxReply, &m); err != nil {
		return fmt.Errorf("%w: %w", errNoAnswer, err)
	}
	if r := m.GetRefused(); r != nil {
		return &RefusedError{r.Reason}
	}
	if c.welcome = m.GetWelcome(); c.welcome == nil || c.welcome.Version != c.version {
		return errors.New("what answers is not a run of this version")
	}
	if err := c.want(); err != nil {
		return err
	}
	var first remotepb.Reply
	if err := c.framing.read(c.in, maxReply, &first); err != nil {
		return fmt.Errorf("the run shows no state: %w", err)
	}
	if first.GetState() == nil {
		return errors.New("the run shows no state")
	}
	return c.receive(first.GetState())
}

// receive makes a snapshot the latest, and asks for the next.
func (c *Client) receive(m *remotepb.State) error {
	s, err := decodeSnapshot(m, c.latest.Load())
	if err != nil {
		return err
	}
	c.latest.Store(s)
	_ = c.want() // a run that ends has closed its end, and its last state may be on its way still: reading tells
	return nil
}

func (c *Client) want() error {
	return c.send(
		&remotepb.Request{Kind: &remotepb.Request_Want{Want: &remotepb.Want{IntervalMs: uint32(c.interval.Load())}}},
	)
}

func (c *Client) send(m *remotepb.Request) error {
	frame, err := c.framing.frame(m)
	if err != nil {
		return err
	}
	return c.sendFrame(frame)
}

// sendFrame writes a frame in one piece.
func (c *Client) sendFrame(frame []byte) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, err := c.conn.Write(frame)
	return err
}

// maxCommand is the longest frame that the run takes.
func (c *Client) maxCommand() int {
	if c.version == version2 {
		return maxHello
	}
	return maxCommand
}

func (c *Client) read() {
	err := c.readAll()
	c.conn.Close()
	c.mu.Lock()
	c.err = err
	close(c.gone)
	c.mu.Unlock()
}

func (c *Client) readAll() error {
	for {
		var m remotepb.Reply
		if err := c.framing.read(c.in, maxReply, &m); err != nil {
			return err
		}
		switch k := m.Kind.(type) {
		case *remotepb.Reply_State:
			if err := c.receive(k.State); err != nil {
				return err
			}
		case *remotepb.Reply_Answer:
			c.mu.Lock()
			to := c.waiting[k.Answer.Id]
			delete(c.waiting, k.Answer.Id)
			c.mu.Unlock()
			if to != nil {
				to <- k.Answer
			}
		default:
			return errors.New("not a message of this protocol")
		}
	}
}

// Run is the run's name, Pid its process.
func (c *Client) Run() string { return c.welcome.Run }

// Pid is the process of the run.
func (c *Client) Pid() int { return int(c.welcome.Pid) }

// SetInterval sets the least time between two snapshots.
func (c *Client) SetInterval(d time.Duration) { c.interval.Store(max(1, d.Milliseconds())) }

// Gone is closed when the connection has ended: the run has, or the two no longer understand each other.
func (c *Client) Gone() <-chan struct{} { return c.gone }

// Err tells why the connection ended. It waits for that.
func (c *Client) Err() error {
	<-c.gone
	return c.err
}

// Close detaches. The run continues.
func (c *Client) Close() error {
	err := c.conn.Close()
	<-c.gone
	return err
}

// Snapshot implements session.Session.
func (c *Client) Snapshot() *session.Snapshot { return c.latest.Load() }

// Do implements session.Session.
func (c *Client) Do(ctx context.Context, cmd session.Command) (session.Ack, error) {
	if cmd.Kind == session.Steer && c.version == version2 {
		return session.Ack{}, session.ErrNoAutopilot
	}
	c.mu.Lock()
	c.id++
	id := c.id
	to := make(chan *remotepb.Answer, 1)
	c.waiting[id] = to
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		delete(c.waiting, id)
		c.mu.Unlock()
	}()
	m := encodeCommand(id, cmd)
	if c.version == version2 {
		if err := encodeCommand2(m, cmd); err != nil {
			return session.Ack{}, err
		}
	}
	frame, err := c.framing.frame(&remotepb.Request{Kind: &remotepb.Request_Command{Command: m}})
	if err != nil {
		return session.Ack{}, err
	}
	if most := c.maxCommand(); len(frame) > most {
		return session.Ack{}, fmt.Errorf(
			"a command of %d bytes; must be at most %d: set fewer layers at once", len(frame), most)
	}
	if err := c.sendFrame(frame); err != nil {
		return session.Ack{}, session.ErrEnded
	}
	select {
	case a := <-to:
		return decodeAnswer(a)
	case <-ctx.Done():
		return session.Ack{}, ctx.Err()
	case <-c.gone:
		select {
		case a := <-to:
			return decodeAnswer(a)
		default:
			return session.Ack{}, session.ErrEnded
		}
	}
}
