package collective

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// lines takes what is told a person.
type lines struct {
	mu   sync.Mutex
	text []string
}

func (l *lines) log(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text = append(l.text, line)
}

func (l *lines) wait(t *testing.T, part string) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		l.mu.Lock()
		found := slices.ContainsFunc(l.text, func(s string) bool { return strings.Contains(s, part) })
		l.mu.Unlock()
		if found {
			return
		}
	}
	t.Errorf("no line with %q: %q", part, l.text)
}

const testSecret = "a secret of sixteen"

func TestMissingRanks(t *testing.T) {
	socket, address := listening(t)
	errs := make([]error, 7)
	each(7, func(r int) {
		if r == 0 || r == 4 {
			_, errs[r] = Open(Place{Rank: r, Size: 7, Address: address, socket: socket}, Options{Timeout: time.Second})
		}
	})
	want := "ranks 1 to 3, 5 and 6 of 7 did not come to rank 0 at " + address + " within 1s"
	if errs[0] == nil || errs[0].Error() != want {
		t.Errorf("rank 0: %v; wanted %s", errs[0], want)
	}
	if errs[4] == nil || errs[4].Error() != want {
		t.Errorf("rank 4: %v; wanted %s", errs[4], want)
	}
}

func TestRanksText(t *testing.T) {
	for want, list := range map[string][]int{"rank 3": {3}, "ranks 1 and 3": {1, 3}, "ranks 1 to 4": {1, 2, 3, 4},
		"ranks 1 and 2": {1, 2}, "ranks 1, 3 to 7 and 9": {1, 3, 4, 5, 6, 7, 9}} {
		if got := ranksText(list); got != want {
			t.Errorf("%v: %s, wanted %s", list, got, want)
		}
	}
}

// lateEnd is a connection on which nothing came before its deadline, which it keeps.
type lateEnd struct {
	net.Conn
	deadline time.Time
	written  int
}

func (c *lateEnd) SetDeadline(t time.Time) error {
	c.deadline = t
	return nil
}

func (c *lateEnd) SetWriteDeadline(time.Time) error { return nil }

func (c *lateEnd) Write(b []byte) (int, error) {
	c.written += len(b)
	return len(b), nil
}

func (c *lateEnd) Read([]byte) (int, error) { return 0, os.ErrDeadlineExceeded }
func (c *lateEnd) Close() error             { return nil }

// A child has one connection, so it waits for its parent as long as for any rank; and why that was of no use is told.
func TestParentTakesItsTime(t *testing.T) {
	for _, child := range []bool{true, false} {
		s, c := newStar(1, 2, Options{Timeout: time.Hour}), &lateEnd{}
		s.child = child
		began := time.Now()
		ends := &localEnds{conns: []net.Conn{c}}
		err := s.join(Options{}, nil, ends.dial, "its parent")
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("child %v: %v; wanted what the first try came to", child, err)
		}
		if got := c.deadline.Sub(began) >= time.Hour; got != child {
			t.Errorf("child %v: waits for %v", child, c.deadline.Sub(began))
		}
	}
}

// A sum that the end of the group has halted is no reason of its own, of which rank 0 would hear first.
func TestHaltedSumAccusesNobody(t *testing.T) {
	for _, ended := range []bool{true, false} {
		s, c := newStar(1, 2, Options{Timeout: time.Hour}), &lateEnd{}
		s.peers = []*peer{{s: s, conn: c}}
		if ended {
			s.err = &RankError{Rank: 0, Reason: "gave no sign of life"}
		}
		close(s.failed)
		(&joined{star: s}).judge(errHalted)
		if silent := c.written == 0; silent != ended {
			t.Errorf("group ended %v: %d bytes to rank 0", ended, c.written)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	address := freePort(t)
	_, err := Open(Place{Rank: 1, Size: 2, Address: address}, Options{Timeout: 300 * time.Millisecond})
	wantError(t, err, "rank 0 did not answer at "+address+" within 300ms: dial tcp")
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, err = Open(Place{Size: 2, Address: address}, Options{})
	if err == nil || !strings.Contains(err.Error(), "the port is in use; another MASTER_PORT") {
		t.Error(err)
	}
	go func() { // another program
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "220 mail.example.org ready\r\n")
			_ = c.Close()
		}
	}()
	_, err = Open(Place{Rank: 1, Size: 2, Address: address}, Options{Timeout: 3 * time.Second})
	if err == nil ||
		!strings.Contains(
			err.Error(),
			`what listens there is no rank 0: speaks another language: begins with "220 mai`,
		) {
		t.Error(err)
	}
}

func TestAddresses(t *testing.T) {
	for _, test := range []struct {
		place Place
		key   string
		want  string
	}{
		{Place{Size: 2, Address: "0.0.0.0:0"}, "", "without a secret: set DNS_TUI_SECRET"},
		{Place{Size: 2, Address: "192.0.2.1:5000"}, "", "without a secret: set DNS_TUI_SECRET"},
		{Place{Size: 2, Address: "192.0.2.1:5000"}, testSecret, "is no address of this machine"},
		{Place{Size: 2, Address: "no-such-host.invalid:5000"}, testSecret, "rank 0 is to listen at no-such-host"},
		{Place{Size: 2, Address: "192.0.2.1:0", Listen: "127.0.0.1"}, "", ""},
		{Place{Size: 2, Address: "192.0.2.1:5000", Listen: "[::1]:0"}, "", ""},
		{Place{Size: 2, Address: "0.0.0.0:0"}, testSecret, ""},
	} {
		l, err := listen(test.place, []byte(test.key))
		if l != nil {
			_ = l.Close()
		}
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			if test.place.Listen == "[::1]:0" && err != nil { // a machine may have no IPv6
				continue
			}
			t.Errorf("%+v: %v; wanted %q", test.place, err, test.want)
		}
	}
	_, err := meetAt(
		Place{Rank: 1, Size: 2, Address: "no-such-host.invalid:5000"},
		Options{Timeout: 50 * time.Millisecond},
		nil,
	)
	if err == nil || !strings.Contains(err.Error(), "no-such-host.invalid") {
		t.Error(err)
	}
}

// TestRefused has processes come that cannot be ranks. Two that can are joined nevertheless, or are told why not.
func TestRefused(t *testing.T) {
	tests := []struct {
		name string
		come func(t *testing.T, address string) // before the right rank does
		line string
		ends string // the rendezvous, with this error on all ranks
	}{
		{name: "garbage", line: "speaks another language", come: func(t *testing.T, address string) {
			knock(t, address, []byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
		}},
		{
			name: "endless hello",
			line: "announces 4294967295 bytes: wanted at most 4096",
			come: func(t *testing.T, address string) {
				knock(
					t,
					address,
					append([]byte{byte(kindHello), 0, 'D', 'N', 255, 255, 255, 255}, make([]byte, 1<<16)...),
				)
			},
		},
		{
			name: "nothing",
			line: "the connection ended",
			come: func(t *testing.T, address string) { knock(t, address, nil) },
		},
		{name: "no proof", line: "is too short", come: func(t *testing.T, address string) {
			knock(t, address, []byte{byte(kindHello), 0, 'D', 'N', 1, 0, 0, 0, 'x'})
		}},
		{name: "another secret", line: "knows another secret", come: func(t *testing.T, address string) {
			_, err := meetAt(
				Place{Rank: 1, Size: 2, Address: address},
				Options{Version: "2"},
				[]byte("another secret of mine"),
			)
			wantError(t, err, "knows another secret")
		}},
		{name: "no secret", line: "knows another secret", come: func(t *testing.T, address string) {
			_, err := meetAt(Place{Rank: 1, Size: 2, Address: address}, Options{Version: "2"}, nil)
			wantError(t, err, "knows another secret")
		}},
		{name: "another version", ends: "is version 3 of the program, rank 0 is 2", line: "is version 3",
			come: func(t *testing.T, address string) {
				_, err := meetAt(Place{Rank: 1, Size: 2, Address: address}, Options{Version: "3"}, []byte(testSecret))
				wantError(t, err, "is version 3 of the program, rank 0 is 2")
			}},
		{name: "another size", ends: "was told that there are 3 ranks, rank 0 that there are 2", line: "3 ranks",
			come: func(t *testing.T, address string) {
				_, err := meetAt(Place{Rank: 1, Size: 3, Address: address}, Options{Version: "2"}, []byte(testSecret))
				wantError(t, err, "was told that there are 3 ranks")
			}},
		{name: "rank 0 again", ends: "cannot be one of 2 that joins rank 0", line: "cannot be one",
			come: func(t *testing.T, address string) {
				s := newStar(0, 2, Options{Timeout: time.Minute})
				c, err := net.Dial("tcp", address)
				if err != nil {
					t.Fatal(err)
				}
				defer c.Close()
				wantError(t, s.introduce(c, Options{Version: "2"}, []byte(testSecret)), "cannot be one of 2")
			}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			socket, address := listening(t)
			var told lines
			groups := make([]Group, 2)
			var first error
			rank0 := make(chan struct{})
			go func() {
				defer close(rank0)
				groups[0], first = meetAt(Place{Size: 2, Address: address, socket: socket},
					Options{Version: "2", Log: told.log},
					[]byte(testSecret),
				)
			}()
			test.come(t, address)
			told.wait(t, test.line)
			if test.ends != "" {
				<-rank0
				wantError(t, first, test.ends)
				return
			}
			var err error
			groups[1], err = meetAt(
				Place{Rank: 1, Size: 2, Address: address},
				Options{Version: "2"},
				[]byte(testSecret),
			)
			<-rank0
			if err != nil || first != nil {
				t.Fatalf("the right ranks: %v, %v", first, err)
			}
			closeAll(t, groups)
		})
	}
}

func wantError(t *testing.T, err error, part string) {
	t.Helper()
	if err == nil || !strings.Contains(err.Error(), part) {
		t.Errorf("error %v, wanted %q", err, part)
	}
}

// knock sends bytes to rank 0, and ends when that ends the connection, or hears that nothing more comes.
func knock(t *testing.T, address string, b []byte) {
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_, _ = c.Write(b)
	_ = c.(*net.TCPConn).CloseWrite()
	_, _ = io.Copy(io.Discard, c)
}

// TestTwice has a rank come twice: the second is refused, unless the first has gone.
func TestTwice(t *testing.T) {
	socket, address := listening(t)
	var told lines
	groups := make([]Group, 3)
	errs := make([]error, 3)
	var tasks sync.WaitGroup
	open := func(r int, g *Group, err *error) {
		tasks.Go(func() {
			*g, *err = Open(
				Place{Rank: r, Size: 3, Address: address, socket: socket}, Options{Log: told.log})
		})
	}
	open(0, &groups[0], &errs[0])

	// One that leaves: a process that ended, and is started again.
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	challenge, err := readFrame(c, kindChallenge, nonceSize)
	if err != nil {
		t.Fatal(err)
	}
	b, err := json.Marshal(hello{Program: programName, Rank: 1, Size: 3, Member: Member{Host: "there", PID: 5}})
	if err != nil {
		t.Fatal(err)
	}
	if err := writeFrame(c, header{kind: kindHello}, sealed(nil, challenge, b)); err != nil {
		t.Fatal(err)
	}
	_, err = Open(Place{Rank: 1, Size: 3, Address: address}, Options{})
	wantError(t, err, "is refused: it has the number of another, rank 1 (there, process 5), which is here already")
	told.wait(t, "has the number of another")
	_ = c.Close()
	told.wait(t, "rank 1 (there, process 5) has left before all had come")

	open(1, &groups[1], &errs[1])
	open(2, &groups[2], &errs[2])
	tasks.Wait()
	for r, err := range errs {
		if err != nil {
			t.Fatalf("rank %d: %v", r, err)
		}
	}
	closeAll(t, groups)
}

func TestSecretsAndOtherMachines(t *testing.T) {
	// The whole of a group with a secret, by TCP.
	socket, address := listening(t)
	groups := make([]Group, 3)
	each(3, func(r int) {
		var err error
		groups[r], err = meetAt(
			Place{Rank: r, Size: 3, Address: address, socket: socket},
			Options{Engine: "tcp"},
			[]byte(testSecret),
		)
		if err != nil {
			t.Errorf("rank %d: %v", r, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	each(3, func(r int) { sumAll(t, groups[r], []int{1, 1000}, Float32) })
	if groups[0].Engine() != "TCP" {
		t.Errorf("the engine is %s", groups[0].Engine())
	}
	closeAll(t, groups)
}

// FuzzFrame reads any bytes as frames of a stranger and of a rank.
func FuzzFrame(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\n"))
	for k := kindChallenge; k < kinds; k++ {
		var b [headerSize]byte
		header{kind: k, flags: last, size: 16}.put(b[:])
		f.Add(append(b[:], make([]byte, 16)...))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if body, err := readFrame(bytes.NewReader(b), kindHello, maxHello); err == nil &&
			len(body) > min(maxHello, len(b)) {
			t.Errorf("%d bytes of %d", len(body), len(b))
		}
		s := newStar(0, 3, Options{})
		s.peers = []*peer{
			nil,
			{s: s, rank: 1, conn: &script{Reader: bytes.NewReader(b)}},
			{s: s, rank: 2, conn: &script{}},
		}
		s.started = true
		s.peers[1].follow()
		if ended := s.Err() != nil; !ended && !s.peers[1].bye {
			t.Error("a connection that ended is no failure")
		} else if ended {
			<-s.told
		}
		total := 0
		for _, m := range s.peers[1].inbox {
			total += len(m.body)
			_ = unpack(m.body, s.all)
		}
		if total > len(b) {
			t.Errorf("messages of %d bytes in %d", total, len(b))
		}
	})
}

// FuzzHello reads any bytes as what a process says of itself.
func FuzzHello(f *testing.F) {
	b, err := json.Marshal(
		hello{Program: programName, Version: "1", Rank: 1, Size: 2, Member: Member{Host: "h\x1b[2J"}},
	)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Add([]byte("{}"))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if strings.ContainsFunc(
			h.Member.Host+h.Member.Device+h.Version,
			func(r rune) bool { return r < ' ' || r == 0x9b },
		) &&
			err == nil {
			t.Errorf("%+v has what moves a cursor", h)
		}
		if err == nil && judgeHello(h, "1", 2) == nil && (h.Rank != 1 || h.Size != 2 || h.Version != "1") {
			t.Errorf("%+v is taken", h)
		}
		key := []byte("k")
		if m, err := unseal(key, b, sealed(key, b, b)); err != nil || !bytes.Equal(m, b) {
			t.Errorf("%v", err)
		}
		if _, err := unseal(key, b, b); err == nil {
			t.Error("a proof by chance")
		}
	})
}

// script is a connection from which what was written down comes.
type script struct {
	io.Reader
	net.Conn
}

func (s *script) Read(b []byte) (int, error) {
	if s.Reader == nil {
		return 0, io.EOF
	}
	return s.Reader.Read(b)
}
func (*script) Write(b []byte) (int, error)      { return len(b), nil }
func (*script) SetWriteDeadline(time.Time) error { return nil }
func (*script) SetReadDeadline(time.Time) error  { return nil }
func (*script) Close() error                     { return nil }
