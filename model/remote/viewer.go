package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/sys/unix"

	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

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
