package remote

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

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
