package remote

import (
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

// The bounds of what watchers may do to a run.
const (
	maxWatchers = 32
	// maxOpen is how many orders of one watcher may be without an answer: thresholds wait for surgery.
	maxOpen = 1024
	// Orders of all watchers together, a second and at once: each stops a device's pipeline for a moment.
	ordersPerSecond, ordersAtOnce = 50, 200
	// helloTime is how long a watcher may take to say who it is, sendTime how long to read a message.
	helloTime, sendTime = 5 * time.Second, 10 * time.Second
	// looks is how often the session is looked at while a watcher waits for news.
	looks = 20 * time.Millisecond
)

// Server shows a session to watchers. Whatever they send or leave unread, the session goes on: it is only ever asked
// for its latest snapshot, which does not wait, and given orders, whose number is bounded.
type Server struct {
	session session.Session
	name    string
	program string
	path    string
	limit   *rate.Limiter
	news    *news
	closing chan struct{}

	mu         sync.Mutex
	listener   net.Listener
	watchers   map[*watcher]bool
	names      []string // of those who watch, while they are known
	namesKnown bool
	looking    sync.Once
	closed     bool
	conns      sync.WaitGroup
}

// NewServer returns the server of a session, which nobody can reach yet. name tells the run from others of the same
// user; program is the program's version.
func NewServer(session session.Session, name, program string) *Server {
	return &Server{session: session, name: name, program: program, watchers: map[*watcher]bool{},
		limit: rate.NewLimiter(ordersPerSecond, ordersAtOnce), closing: make(chan struct{}), news: newNews()}
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
	go s.keep()
	return nil
}

// Attend serves a connection that is there already: that of the terminal that started the run.
func (s *Server) Attend(conn net.Conn) { s.take(conn) }

// Refuse tells who waits at a connection why there will be no run.
func Refuse(conn net.Conn, reason string) error {
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(helloTime))
	var m remotepb.Request
	if _, err := readFrame(conn, nil, maxRequest, &m); err != nil {
		return err
	}
	_, err := writeFrame(
		conn,
		nil,
		&remotepb.Reply{Kind: &remotepb.Reply_Refused{Refused: &remotepb.Refused{Reason: reason}}},
	)
	return err
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

// keep opens the socket anew where somebody has tidied it away: a run is for days, and its folder is one of temporary
// files.
func (s *Server) keep() {
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
					s.listen()
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

// Watchers lists who watches, in order. The list is never changed.
func (s *Server) Watchers() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.namesKnown {
		return s.names
	}
	var names []string
	for w := range s.watchers {
		if w.name == "" || w.name == ListingName { // who lists the runs does not watch one
			continue
		}
		n := w.name
		if w.readOnly {
			n += " (reads only)"
		}
		names = append(names, n)
	}
	slices.Sort(names)
	s.names, s.namesKnown = names, true
	return names
}

// Close shows everybody the last state, and ends.
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
	for w := range s.watchers {
		go w.last()
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
		s.take(c)
	}
}

// take serves a connection, where there is room for it.
func (s *Server) take(c net.Conn) {
	w := &watcher{
		server: s,
		conn:   c,
		open:   make(chan struct{}, maxOpen),
		wanted: make(chan time.Duration, 1),
		gone:   make(chan struct{}),
	}
	s.mu.Lock()
	full := len(s.watchers) >= maxWatchers || s.closed
	if !full {
		s.watchers[w] = true
		s.conns.Add(1)
	}
	s.mu.Unlock()
	if full {
		c.Close()
		return
	}
	s.looking.Do(func() { go s.lookOut() })
	go w.serve()
}

// watcher is a connection.
type watcher struct {
	server   *Server
	conn     net.Conn
	name     string // set under the server's lock; "" before Hello
	readOnly bool
	open     chan struct{} // a place for each order without an answer
	wanted   chan time.Duration
	gone     chan struct{}
	once     sync.Once

	mu   sync.Mutex // of what is sent
	buf  []byte
	sent *session.Snapshot // that the watcher has
}

func (w *watcher) end() {
	w.once.Do(func() {
		close(w.gone)
		w.conn.Close()
	})
}

func (w *watcher) serve() {
	s := w.server
	defer func() {
		w.end()
		s.mu.Lock()
		delete(s.watchers, w)
		s.namesKnown = false
		s.mu.Unlock()
		s.conns.Done()
	}()
	if err := w.greet(); err != nil {
		return
	}
	go w.sendNews()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var buf []byte
	for {
		var m remotepb.Request
		var err error
		if buf, err = readFrame(w.conn, buf, maxRequest, &m); err != nil {
			return
		}
		switch k := m.Kind.(type) {
		case *remotepb.Request_Want:
			w.want(time.Duration(k.Want.IntervalMs) * time.Millisecond)
		case *remotepb.Request_Order:
			if !w.order(ctx, k.Order) {
				return
			}
		default:
			return // not this protocol
		}
	}
}

// greet exchanges Hello and Welcome.
func (w *watcher) greet() error {
	s := w.server
	w.conn.SetReadDeadline(time.Now().Add(helloTime))
	defer w.conn.SetReadDeadline(time.Time{})
	if err := sameUser(w.conn); err != nil {
		return err
	}
	var m remotepb.Request
	if _, err := readFrame(w.conn, nil, maxRequest, &m); err != nil {
		return err
	}
	h := m.GetHello()
	if h == nil {
		return errors.New("no Hello")
	}
	if h.Version != Version {
		why := fmt.Sprintf(
			"the run speaks version %d of the protocol (dns-tui %s), you speak %d",
			Version,
			s.program,
			h.Version,
		)
		w.send(&remotepb.Reply{Kind: &remotepb.Reply_Refused{Refused: &remotepb.Refused{Reason: why}}})
		return errors.New(why)
	}
	s.mu.Lock()
	w.name, w.readOnly = printable(h.Name), h.ReadOnly
	s.namesKnown = false
	s.mu.Unlock()
	return w.send(
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

// sameUser refuses a connection of another user, whom the folder's and the socket's modes keep out already.
func sameUser(c net.Conn) error {
	raw, err := c.(*net.UnixConn).SyscallConn()
	if err != nil {
		return err
	}
	var cred *unix.Ucred
	var credErr error
	if err := raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) }); err != nil {
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

// want notes that the watcher wants news, not before an interval is over. Of several wants the last counts.
func (w *watcher) want(interval time.Duration) {
	interval = max(looks, min(interval, time.Minute))
	for {
		select {
		case w.wanted <- interval:
			return
		default:
		}
		select {
		case <-w.wanted:
		default:
		}
	}
}

// sendNews sends the states that are wanted.
func (w *watcher) sendNews() {
	var last time.Time
	for {
		var interval time.Duration
		select {
		case <-w.gone:
			return
		case interval = <-w.wanted:
		}
		for {
			// Training shares the processor with this: it wakes once when the interval is over, and once when
			// something is new.
			var over <-chan time.Time
			var coming <-chan struct{}
			if wait := interval - time.Since(last); wait > 0 {
				over = time.After(wait)
			} else if coming = w.server.after(w.has()); coming == closedChannel {
				break
			}
			select {
			case <-w.gone:
				return
			case interval = <-w.wanted:
			case <-over:
			case <-coming:
			}
		}
		last = time.Now()
		if w.show() != nil {
			w.end()
			return
		}
	}
}

// has is the state that the watcher has.
func (w *watcher) has() *session.Snapshot {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.sent
}

// show sends the latest state.
func (w *watcher) show() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	frame, s, err := w.server.frame(w.sent)
	if err != nil {
		return err
	}
	w.sent = s
	w.conn.SetWriteDeadline(time.Now().Add(sendTime))
	_, err = w.conn.Write(frame)
	return err
}

func (w *watcher) send(m *remotepb.Reply) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.write(m)
}

// write sends a message. A watcher that does not read is let go.
func (w *watcher) write(m *remotepb.Reply) (err error) {
	w.conn.SetWriteDeadline(time.Now().Add(sendTime))
	w.buf, err = writeFrame(w.conn, w.buf, m)
	return err
}

// order hands a command to the session; its answer follows a state that shows the effect. It reports whether the
// connection goes on.
func (w *watcher) order(ctx context.Context, o *remotepb.Order) bool {
	answer := func(ack session.Ack, err error) bool {
		return w.send(&remotepb.Reply{Kind: &remotepb.Reply_Answer{Answer: encodeAnswer(o.Id, ack, err)}}) == nil
	}
	c, err := decodeCommand(o)
	c.By = w.name
	switch {
	case err != nil:
		return answer(session.Ack{}, err)
	case w.readOnly && !c.Kind.ReadsOnly():
		return answer(session.Ack{}, errors.New("you are reading only: attach without --read-only to steer"))
	case !w.server.limit.Allow():
		return answer(session.Ack{}, errors.New("too many orders at once"))
	}
	select {
	case w.open <- struct{}{}:
	default:
		return answer(session.Ack{}, fmt.Errorf("%d orders are waiting", maxOpen))
	}
	go func() {
		ack, err := w.server.session.Do(ctx, c)
		<-w.open
		if ctx.Err() != nil {
			return
		}
		if !c.Kind.ReadsOnly() && w.show() != nil || !answer(ack, err) {
			w.end()
		}
	}()
	return true
}

// last shows the last state to a watcher whose run has ended.
func (w *watcher) last() {
	s := w.server
	s.mu.Lock()
	greeted := w.name != ""
	s.mu.Unlock()
	if greeted {
		w.show()
	}
	w.end()
}
