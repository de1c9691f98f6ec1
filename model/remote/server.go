package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sys/unix"
	"golang.org/x/time/rate"

	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

// The bounds of what viewers may do to a run.
const (
	maxViewers = 32
	// maxOpen is how many commands of one viewer may be without an answer: thresholds wait for surgery.
	maxOpen = 1024
	// Commands of all viewers together, a second and at once: each stops a device's pipeline for a moment.
	commandsPerSecond, commandsAtOnce = 50, 200
	// helloTime is how long a viewer may take to say who it is, sendTime how long to read a message.
	helloTime, sendTime = 5 * time.Second, 10 * time.Second
	// pollInterval is how often the session is looked at while a viewer waits for news.
	pollInterval = 20 * time.Millisecond
)

// Server shows a session to viewers. Whatever they send or leave unread, the session continues: it is only ever asked
// for its latest snapshot, which does not wait, and given commands, whose number is bounded.
type Server struct {
	session session.Session
	name    string
	program string
	path    string
	limit   *rate.Limiter
	updates *updates
	closing chan struct{}

	mu         sync.Mutex
	listener   net.Listener
	viewers    map[*viewer]bool
	names      []string // of those who watch, while they are known
	namesKnown bool
	polling    sync.Once
	closed     bool
	conns      sync.WaitGroup
}

// NewServer returns the server of a session, which nobody can reach yet. name tells the run from others of the same
// user; program is the program's version.
func NewServer(session session.Session, name, program string) *Server {
	return &Server{session: session, name: name, program: program, viewers: map[*viewer]bool{},
		limit: rate.NewLimiter(commandsPerSecond, commandsAtOnce), closing: make(chan struct{}), updates: newUpdates()}
}

// Listen opens the socket of the run, for everybody of its user.
func (s *Server) Listen() error {
	dir, err := Folder()
	if err != nil {
		return err
	}
	s.path = filepath.Join(dir, s.name+socketExt)
	if err := s.listen(); err != nil {
		s.path = ""
		return err
	}
	go s.reopenSocket()
	return nil
}

// ServeConn serves a connection that is there already: that of the terminal that started the run.
func (s *Server) ServeConn(conn net.Conn) { s.addViewer(conn) }

// Refuse tells who waits at a connection why there will be no run.
func Refuse(conn net.Conn, reason string) error {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(helloTime))
	r := bufio.NewReader(conn)
	f, err := framingOf(r)
	if err != nil {
		return err
	}
	var m remotepb.Request
	if err := f.read(r, maxHello, &m); err != nil {
		return err
	}
	return send(conn, f, refused(reason))
}

func refused(reason string) *remotepb.Reply {
	return &remotepb.Reply{Kind: &remotepb.Reply_Refused{Refused: &remotepb.Refused{Reason: reason}}}
}

// listen opens the socket, for its owner alone.
func (s *Server) listen() error {
	if err := checkPath(s.path); err != nil {
		return err
	}
	os.Remove(s.path)
	l, err := net.Listen("unix", s.path)
	if err != nil {
		return fmt.Errorf("the run cannot be attached to: %w", err)
	}
	if err := os.Chmod(s.path, 0o600); err != nil {
		l.Close()
		return err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return l.Close()
	}
	s.listener = l
	go s.accept(l)
	return nil
}

// reopenSocket opens the socket anew where somebody has tidied it away: a run is for days, and its folder is one of
// temporary files.
func (s *Server) reopenSocket() {
	tick := time.NewTicker(10 * time.Second)
	defer tick.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-tick.C:
			if _, err := os.Lstat(s.path); errors.Is(err, os.ErrNotExist) {
				s.mu.Lock()
				s.listener.Close()
				s.mu.Unlock()
				if _, err := Folder(); err == nil {
					_ = s.listen() // it is tried again
				}
			}
		}
	}
}

// run is the name under which the run can be found; "" where it cannot.
func (s *Server) run() string {
	if s.path == "" {
		return ""
	}
	return s.name
}

// Viewers lists who watches, in order. The list is never changed.
func (s *Server) Viewers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.namesKnown {
		return s.names
	}
	var names []string
	for v := range s.viewers {
		if v.name == "" || v.name == ListingName { // who lists the runs does not watch one
			continue
		}
		n := v.name
		if v.readOnly {
			n += " (read-only)"
		}
		names = append(names, n)
	}
	slices.Sort(names)
	s.names, s.namesKnown = names, true
	return names
}

// Close sends everybody the last snapshot, and ends.
func (s *Server) Close() error {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return nil
	}
	s.closed = true
	var err error
	if s.listener != nil {
		err = s.listener.Close()
	}
	s.mu.Unlock()
	close(s.closing)
	s.mu.Lock()
	for v := range s.viewers {
		go v.sendFinal()
	}
	s.mu.Unlock()
	s.conns.Wait()
	if s.path != "" {
		os.Remove(s.path)
	}
	return err
}

func (s *Server) accept(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			if errors.Is(err, net.ErrClosed) {
				return
			}
			select { // out of file descriptors, say: they may come back
			case <-s.closing:
				return
			case <-time.After(time.Second):
				continue
			}
		}
		s.addViewer(c)
	}
}

// addViewer serves a connection, where there is room for it.
func (s *Server) addViewer(c net.Conn) {
	v := &viewer{
		server: s,
		conn:   c,
		in:     bufio.NewReader(c),
		open:   make(chan struct{}, maxOpen),
		wanted: make(chan time.Duration, 1),
		gone:   make(chan struct{}),
	}
	s.mu.Lock()
	full := len(s.viewers) >= maxViewers || s.closed
	if !full {
		s.viewers[v] = true
		s.conns.Add(1)
	}
	s.mu.Unlock()
	if full {
		c.Close()
		return
	}
	s.polling.Do(func() { go s.poll() })
	go v.serve()
}

// viewer is a connection.
type viewer struct {
	server   *Server
	conn     net.Conn
	in       *bufio.Reader
	name     string // set under the server's lock; "" before Hello
	readOnly bool
	open     chan struct{} // a place for each command without an answer
	wanted   chan time.Duration
	gone     chan struct{}
	once     sync.Once

	mu   sync.Mutex        // of what is sent
	sent *session.Snapshot // that the viewer has
}

func (v *viewer) end() {
	v.once.Do(func() {
		close(v.gone)
		v.conn.Close()
	})
}

func (v *viewer) serve() {
	s := v.server
	defer func() {
		v.end()
		s.mu.Lock()
		delete(s.viewers, v)
		s.namesKnown = false
		s.mu.Unlock()
		s.conns.Done()
	}()
	if err := v.handshake(); err != nil {
		return
	}
	go v.sendUpdates()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	for {
		var m remotepb.Request
		if err := (delimited{}).read(v.in, maxCommand, &m); err != nil {
			return
		}
		switch k := m.Kind.(type) {
		case *remotepb.Request_Want:
			v.want(time.Duration(k.Want.IntervalMs) * time.Millisecond)
		case *remotepb.Request_Command:
			if !v.command(ctx, k.Command) {
				return
			}
		default:
			return // not this protocol
		}
	}
}

// handshake exchanges Hello and Welcome.
func (v *viewer) handshake() error {
	s := v.server
	v.conn.SetReadDeadline(time.Now().Add(helloTime))
	defer v.conn.SetReadDeadline(time.Time{})
	if err := sameUser(v.conn); err != nil {
		return err
	}
	f, err := framingOf(v.in)
	if err != nil {
		return err
	}
	var m remotepb.Request
	if err := f.read(v.in, maxHello, &m); err != nil {
		return err
	}
	h := m.GetHello()
	if h == nil {
		return errors.New("no Hello")
	}
	if h.Version != Version {
		why := fmt.Sprintf(
			"the run speaks version %d of the protocol (dns-tui %s), you speak %d", Version, s.program, h.Version)
		v.conn.SetWriteDeadline(time.Now().Add(sendTime))
		return errors.Join(errors.New(why), send(v.conn, f, refused(why)))
	}
	s.mu.Lock()
	v.name, v.readOnly = printable(h.Name), h.ReadOnly
	s.namesKnown = false
	s.mu.Unlock()
	return v.send(
		&remotepb.Reply{
			Kind: &remotepb.Reply_Welcome{
				Welcome: &remotepb.Welcome{Version: Version, Run: s.run(), Pid: int64(os.Getpid()), Program: s.program},
			},
		},
	)
}

// printable is a name as it may be shown.
func printable(name string) string {
	name = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(name, ""))
	if r := []rune(name); len(r) > 40 {
		name = string(r[:40])
	}
	if name == "" {
		name = "somebody"
	}
	return name
}

// sameUser rejects a connection of another user, whom the folder's and the socket's modes keep out already.
func sameUser(c net.Conn) error {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(
		func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) },
	); err != nil {
		return err
	}
	if credErr != nil {
		return credErr
	}
	if cred.Uid != uint32(os.Getuid()) && cred.Uid != 0 {
		return fmt.Errorf("user %d is not the run's", cred.Uid)
	}
	return nil
}

// want notes that the viewer wants news, not before an interval is over. Of several wants the last counts.
func (v *viewer) want(interval time.Duration) {
	interval = max(pollInterval, min(interval, time.Minute))
	for {
		select {
		case v.wanted <- interval:
			return
		default:
		}
		select {
		case <-v.wanted:
		default:
		}
	}
}

// sendUpdates sends the snapshots that are wanted.
func (v *viewer) sendUpdates() {
	var last time.Time
	for {
		var interval time.Duration
		select {
		case <-v.gone:
			return
		case interval = <-v.wanted:
		}
		for {
			// Training shares the processor with this: it wakes once when the interval is over, and once when
			// something is new.
			var over <-chan time.Time
			var coming <-chan struct{}
			if wait := interval - time.Since(last); wait > 0 {
				over = time.After(wait)
			} else if coming = v.server.changedSince(v.lastSent()); coming == closedChannel {
				break
			}
			select {
			case <-v.gone:
				return
			case interval = <-v.wanted:
			case <-over:
			case <-coming:
			}
		}
		last = time.Now()
		if v.sendLatest() != nil {
			v.end()
			return
		}
	}
}

// lastSent is the snapshot that the viewer has.
func (v *viewer) lastSent() *session.Snapshot {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.sent
}

// sendLatest sends the latest snapshot.
func (v *viewer) sendLatest() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	frame, s, err := v.server.frame(v.sent)
	if err != nil {
		return err
	}
	v.sent = s
	v.conn.SetWriteDeadline(time.Now().Add(sendTime))
	_, err = v.conn.Write(frame)
	return err
}

func (v *viewer) send(m *remotepb.Reply) error {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.write(m)
}

// write sends a message. A viewer that does not read is let go.
func (v *viewer) write(m *remotepb.Reply) error {
	if err := v.conn.SetWriteDeadline(time.Now().Add(sendTime)); err != nil {
		return err
	}
	return send(v.conn, delimited{}, m)
}

// command hands a command to the session; its answer follows a snapshot that shows the effect. It reports whether the
// connection continues.
func (v *viewer) command(ctx context.Context, m *remotepb.Command) bool {
	answer := func(ack session.Ack, err error) bool {
		return v.send(&remotepb.Reply{Kind: &remotepb.Reply_Answer{Answer: encodeAnswer(m.Id, ack, err)}}) == nil
	}
	c, err := decodeCommand(m)
	c.By = v.name
	if c.By == session.BySearch { // a name is for people to read: nobody steers as a search by it
		c.By = "viewer " + c.By
	}
	switch {
	case err != nil:
		return answer(session.Ack{}, err)
	case v.readOnly && !c.ReadsOnly():
		return answer(session.Ack{}, errors.New("this session is read-only: attach without --read-only to steer"))
	case c.Kind != session.Stop && !v.server.limit.Allow(): // a stop goes before all others
		return answer(session.Ack{}, errors.New("too many commands at once"))
	}
	select {
	case v.open <- struct{}{}:
	default:
		return answer(session.Ack{}, fmt.Errorf("%d commands are waiting", maxOpen))
	}
	go func() {
		ack, err := v.server.session.Do(ctx, c)
		<-v.open
		if ctx.Err() != nil {
			return
		}
		if !c.ReadsOnly() && v.sendLatest() != nil || !answer(ack, err) {
			v.end()
		}
	}()
	return true
}

// sendFinal sends the last snapshot to a viewer whose run has ended.
func (v *viewer) sendFinal() {
	s := v.server
	s.mu.Lock()
	greeted := v.name != ""
	s.mu.Unlock()
	if greeted {
		_ = v.sendLatest() // as far as the viewer still reads
	}
	v.end()
}
