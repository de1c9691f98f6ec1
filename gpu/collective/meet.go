package collective

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A rendezvous brings the ranks together at rank 0.
type rendezvous struct {
	s        *star
	version  string
	secret   []byte
	where    string // where rank 0 listens, for messages
	hellos   []*hello
	arrivals chan arrival
	stop     chan struct{}
	busy     chan struct{} // a place for each who has proved nothing yet
	mu       sync.Mutex
	tasks    sync.WaitGroup
	strays   map[net.Conn]bool // connections of who has proved nothing yet
	refused  string            // the last who was
}

// arrival is somebody who came, or who left while he waited.
type arrival struct {
	peer  *peer
	hello hello
	nonce []byte
	left  bool
	fatal error // ends the rendezvous
}

// helloTime is how long somebody who connects may take to say who he is.
const helloTime = 10 * time.Second

// lead is rank 0's part: it waits until all ranks have come by the listener or by the connections that it has already.
func (s *star) lead(o Options, secret []byte, listener net.Listener, ends []net.Conn) error {
	v := &rendezvous{s: s, version: o.Version, secret: secret, hellos: make([]*hello, s.size), where: "its children",
		arrivals: make(chan arrival), stop: make(chan struct{}), strays: map[net.Conn]bool{},
		busy: make(chan struct{}, 4*s.size+16)}
	s.peers = make([]*peer, s.size)
	if listener != nil {
		v.where = listener.Addr().String()
		v.tasks.Go(func() { v.listen(listener) })
	}
	for r, c := range ends {
		if c != nil {
			v.tasks.Go(func() { v.child(r, c) })
		}
	}
	err := v.wait()
	if listener != nil {
		_ = listener.Close()
	}
	close(v.stop)
	v.mu.Lock()
	for c := range v.strays {
		_ = c.Close()
	}
	v.mu.Unlock()
	v.tasks.Wait()
	if err == nil {
		err = v.welcome(me(o))
	}
	if err != nil {
		v.dismiss(err)
		return err
	}
	s.start()
	return nil
}

func (v *rendezvous) listen(l net.Listener) {
	for {
		c, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, or one that gave up while it waited
			v.s.log(fmt.Sprintf("ranks: %v", err))
			select {
			case <-v.stop:
				return
			case <-time.After(100 * time.Millisecond):
			}
			continue
		}
		select {
		case v.busy <- struct{}{}:
		case <-v.stop:
			_ = c.Close()
			return
		}
		v.mu.Lock()
		v.strays[c] = true
		v.mu.Unlock()
		v.tasks.Go(func() {
			defer func() { <-v.busy }()
			v.admit(c)
		})
	}
}

// admit hears who somebody is.
func (v *rendezvous) admit(c net.Conn) {
	h, n, err := v.hear(c)
	v.mu.Lock()
	delete(v.strays, c)
	v.mu.Unlock()
	if err != nil {
		v.refuse(c, h, err, errors.Is(err, errUnknown))
		return
	}
	p := &peer{s: v.s, rank: h.Rank, conn: c}
	if !v.tell(arrival{peer: p, hello: h, nonce: n}) {
		_ = c.Close()
	}
}

func (v *rendezvous) tell(a arrival) bool {
	select {
	case v.arrivals <- a:
		return true
	case <-v.stop:
		return false
	}
}

// errUnknown is of who has not proved that he knows the secret.
var errUnknown = errors.New("")

type unknown struct{ error }

func (u unknown) Is(target error) bool { return target == errUnknown }

// hear asks who somebody is.
func (v *rendezvous) hear(c net.Conn) (hello, []byte, error) {
	c.SetDeadline(time.Now().Add(min(helloTime, max(v.s.timeout, time.Second))))
	challenge := nonce()
	if err := writeFrame(c, header{kind: kindChallenge}, challenge); err != nil {
		return hello{}, nil, unknown{err}
	}
	b, err := readFrame(c, kindHello, maxHello)
	if err != nil {
		return hello{}, nil, unknown{err}
	}
	message, err := unseal(v.secret, challenge, b)
	if err != nil {
		return hello{}, nil, unknown{err}
	}
	h, err := parseHello(message)
	if err != nil {
		return h, nil, unknown{err}
	}
	c.SetDeadline(time.Time{})
	return h, []byte(h.Nonce), judgeHello(h, v.version, v.s.size)
}

// refuse tells somebody that he is not wanted, and a person, too. A rank that cannot be one of this group, though it
// knows the secret, ends the rendezvous: it would not become complete.
func (v *rendezvous) refuse(c net.Conn, h hello, err error, stranger bool) {
	who := fmt.Sprintf("who connects from %v", c.RemoteAddr())
	if !stranger {
		who = rankAt(h.Rank, h.Member)
		v.tell(arrival{fatal: fmt.Errorf("%s %v", who, err)})
	}
	v.turnAway(c, fmt.Sprintf("%s is refused: it %v", who, err))
}

func rankAt(rank int, m Member) string {
	return fmt.Sprintf("rank %d (%s, process %d)", rank, m.Host, m.PID)
}

// turnAway says why, and closes, so that what was said arrives: what is unread is read first.
func (v *rendezvous) turnAway(c net.Conn, text string) {
	v.s.log("ranks: " + text)
	v.mu.Lock()
	v.refused = text
	v.mu.Unlock()
	c.SetDeadline(time.Now().Add(time.Second))
	_ = writeFrame(c, header{kind: kindRefused}, []byte(text[:min(len(text), maxHello)]))
	if w, ok := c.(interface{ CloseWrite() error }); ok {
		_ = w.CloseWrite()
	}
	_, _ = io.CopyN(io.Discard, c, 1<<20)
	_ = c.Close()
}

// child hears a process that rank 0 started itself.
func (v *rendezvous) child(rank int, c net.Conn) {
	heard := make(chan struct{})
	var hook sync.WaitGroup
	hook.Go(func() { // a child may take its time to begin
		select {
		case <-v.stop:
			c.SetDeadline(time.Now())
		case <-heard:
		}
	})
	challenge := nonce()
	err := writeFrame(c, header{kind: kindChallenge}, challenge)
	var b []byte
	if err == nil {
		b, err = readFrame(c, kindHello, maxHello)
	}
	if err == nil {
		b, err = unseal(v.secret, challenge, b)
	}
	var h hello
	if err == nil {
		h, err = parseHello(b)
	}
	if err == nil {
		err = judgeHello(h, v.version, v.s.size)
	}
	if err == nil && h.Rank != rank {
		err = fmt.Errorf("says that it is rank %d", h.Rank)
	}
	close(heard)
	hook.Wait() // the deadline is not for what comes now
	if err != nil {
		how := ""
		if v.s.exited != nil {
			how = v.s.exited(rank)
		}
		if how != "" {
			err = fmt.Errorf("has died before it joined: %s", how)
		}
		v.tell(arrival{fatal: fmt.Errorf("rank %d %v", rank, err)})
		return
	}
	v.tell(arrival{peer: &peer{s: v.s, rank: rank, conn: c}, hello: h, nonce: []byte(h.Nonce)})
}

// wait waits until all are there.
func (v *rendezvous) wait() error {
	deadline := time.NewTimer(v.s.timeout)
	defer deadline.Stop()
	for came := 1; came < v.s.size; {
		select {
		case a := <-v.arrivals:
			switch {
			case a.fatal != nil:
				return a.fatal
			case a.left:
				if v.s.peers[a.peer.rank] == a.peer {
					v.s.log(
						fmt.Sprintf(
							"ranks: %s has left before all had come",
							rankAt(a.peer.rank, v.hellos[a.peer.rank].Member),
						),
					)
					v.s.peers[a.peer.rank], v.hellos[a.peer.rank] = nil, nil
					came--
				}
			case v.s.peers[a.peer.rank] != nil:
				text := fmt.Sprintf("%s is refused: it has the number of another, %s, which is here already",
					rankAt(a.hello.Rank, a.hello.Member), rankAt(a.hello.Rank, v.hellos[a.hello.Rank].Member))
				v.tasks.Go(func() { v.turnAway(a.peer.conn, text) })
			default:
				v.s.peers[a.peer.rank], v.hellos[a.peer.rank] = a.peer, &a.hello
				came++
				v.s.tasks.Go(func() {
					a.peer.follow()
					v.tell(arrival{peer: a.peer, left: true})
				})
			}
		case <-deadline.C:
			return v.missing()
		}
	}
	return nil
}

// missing says who has not come.
func (v *rendezvous) missing() error {
	var list []int
	for r := 1; r < v.s.size; r++ {
		if v.s.peers[r] == nil {
			list = append(list, r)
		}
	}
	text := fmt.Sprintf(
		"%s of %d did not come to rank 0 at %s within %v",
		ranksText(list),
		v.s.size,
		v.where,
		v.s.timeout,
	)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.refused != "" {
		text += "; " + v.refused
	}
	return errors.New(text)
}

// ranksText names ranks: "rank 3", "ranks 1, 3 to 7 and 9".
func ranksText(list []int) string {
	var parts []string
	for i := 0; i < len(list); {
		j := i
		for j+1 < len(list) && list[j+1] == list[j]+1 {
			j++
		}
		switch j - i {
		case 0:
			parts = append(parts, strconv.Itoa(list[i]))
		case 1:
			parts = append(parts, strconv.Itoa(list[i]), strconv.Itoa(list[j]))
		default:
			parts = append(parts, fmt.Sprintf("%d to %d", list[i], list[j]))
		}
		i = j + 1
	}
	if len(list) == 1 {
		return "rank " + parts[0]
	}
	if len(parts) == 1 {
		return "ranks " + parts[0]
	}
	return "ranks " + strings.Join(parts[:len(parts)-1], ", ") + " and " + parts[len(parts)-1]
}

// welcome tells all that all are there.
func (v *rendezvous) welcome(mine Member) error {
	s := v.s
	w := welcome{Members: []Member{mine}, Machines: []string{machine()}, Session: string(hexed(nonce()))}
	for _, h := range v.hellos[1:] {
		w.Members = append(w.Members, h.Member)
		w.Machines = append(w.Machines, h.Machine)
	}
	s.members, s.machines, s.session = w.Members, w.Machines, []byte(w.Session)
	b, err := json.Marshal(w)
	if err != nil {
		return err
	}
	for r, p := range s.peers {
		if p != nil {
			p.conn.SetWriteDeadline(time.Now().Add(s.timeout))
			if err := p.write(kindWelcome, 0, sealed(v.secret, []byte(v.hellos[r].Nonce), b)); err != nil {
				return fmt.Errorf("%s cannot be told that all have come: %v", rankAt(r, w.Members[r]), ended(err))
			}
			p.conn.SetWriteDeadline(time.Time{})
		}
	}
	return nil
}

// dismiss tells those who wait why there will be no group.
func (v *rendezvous) dismiss(why error) {
	s := v.s
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	var tasks sync.WaitGroup
	for _, p := range s.peers {
		if p != nil {
			tasks.Go(func() {
				p.conn.SetDeadline(time.Now().Add(time.Second))
				text := why.Error()
				_ = p.write(kindRefused, 0, []byte(text[:min(len(text), maxHello)]))
				p.finish()
			})
		}
	}
	tasks.Wait()
	s.tasks.Wait()
	for _, p := range s.peers {
		if p != nil {
			_ = p.conn.Close()
		}
	}
}

// join is the part of the others: dial until rank 0 is there, and hear who all are.
func (s *star) join(o Options, secret []byte, dial func(context.Context) (net.Conn, error), where string) error {
	ctx, cancel := context.WithTimeout(context.Background(), s.timeout)
	defer cancel()
	var reason error
	for pause := 20 * time.Millisecond; ; pause = min(2*pause, time.Second) {
		c, err := dial(ctx)
		if err == nil {
			err = s.introduce(c, o, secret)
			if err == nil {
				return nil
			}
			_ = c.Close()
		}
		if errors.Is(err, errOnce) && reason != nil { // a child has one connection: why it was of no use
			return fmt.Errorf("no group with rank 0, %s: %w", where, reason)
		}
		if final(err) {
			return err
		}
		// What stood in the way is told, and not that the time was over in the midst of the next try.
		if reason == nil || ctx.Err() == nil {
			reason = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("rank 0 did not answer at %s within %v: %v", where, s.timeout, reason)
		case <-time.After(pause):
		}
	}
}

// final says that another try would end the same way.
func final(err error) bool {
	var no refusal
	var plain unsafeError
	return errors.As(err, &no) || errors.As(err, &plain) || errors.Is(err, errSecret) || errors.Is(err, errOnce)
}

// unsafeError is of an address that others could listen to.
type unsafeError string

func (e unsafeError) Error() string { return string(e) }

var errOnce = errors.New("rank 0 has ended before all ranks had come")

// introduce says who this rank is, and waits until all others have done so.
func (s *star) introduce(c net.Conn, o Options, secret []byte) error {
	patience := s.timeout // a child has no second connection, and its parent may take its time to begin
	if !s.child {
		patience = min(helloTime, s.timeout)
	}
	c.SetDeadline(time.Now().Add(patience))
	challenge, err := readFrame(c, kindChallenge, nonceSize)
	if err != nil {
		return fmt.Errorf("what listens there is no rank 0: %w", err)
	}
	n := hexed(nonce())
	b, err := json.Marshal(hello{Program: programName, Version: o.Version, Rank: s.rank, Size: s.size, Nonce: string(n),
		Member: me(o), Machine: machine()})
	if err != nil {
		return err
	}
	if err := writeFrame(c, header{kind: kindHello}, sealed(secret, challenge, b)); err != nil {
		return err
	}
	// Rank 0 has its time-out, and says why there is no group. What is longer than that is the way here.
	c.SetDeadline(time.Now().Add(s.timeout + grace))
	answer, err := readFrame(c, kindWelcome, maxFrame)
	if err != nil {
		if !final(err) && dead(err) {
			return errOnce
		}
		return err
	}
	b, err = unseal(secret, n, answer)
	if err != nil {
		return fmt.Errorf("rank 0 %w", err)
	}
	var w welcome
	if err := json.Unmarshal(b, &w); err != nil || len(w.Members) != s.size || len(w.Machines) != s.size {
		return refusal(fmt.Sprintf("rank 0 names %d ranks of %d (%v)", len(w.Members), s.size, err))
	}
	for i := range w.Members {
		w.Members[i].Host, w.Members[i].Device = clean(w.Members[i].Host), clean(w.Members[i].Device)
	}
	c.SetDeadline(time.Time{})
	s.members, s.machines, s.session = w.Members, w.Machines, []byte(w.Session)
	p := &peer{s: s, conn: c}
	s.peers = []*peer{p}
	s.tasks.Go(p.follow)
	s.start()
	return nil
}

// dead says that a connection ended as one does whose process has.
func dead(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, errEnded) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// sameMachine says that all ranks run on one.
func (s *star) sameMachine() bool {
	return len(slices.Compact(slices.Clone(s.machines))) == 1
}
