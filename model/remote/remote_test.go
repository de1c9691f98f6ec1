package remote

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"pgregory.net/rapid"

	"dns-tui/config"
	"dns-tui/gpu"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
	"dns-tui/model/solver"
)

// fake is a session that takes commands and shows a new snapshot for each.
type fake struct {
	latest atomic.Pointer[session.Snapshot]
	mu     sync.Mutex
	got    []session.Command
	err    error
	hold   chan struct{} // commands wait for it, where it is not nil
}

func newFake() *fake {
	f := &fake{}
	f.latest.Store(
		&session.Snapshot{Net: "LeNet", MaxIter: 100, Hyper: &config.Hyper{BaseLR: 0.01}, Published: time.Unix(1, 0)},
	)
	return f
}

func (f *fake) Snapshot() *session.Snapshot { return f.latest.Load() }

func (f *fake) Do(ctx context.Context, c session.Command) (session.Ack, error) {
	if f.hold != nil {
		select {
		case <-f.hold:
		case <-ctx.Done():
			return session.Ack{}, ctx.Err()
		}
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.got = append(f.got, c)
	s := *f.latest.Load()
	s.Iter++
	s.Published = s.Published.Add(time.Second)
	f.latest.Store(&s)
	return session.Ack{Iter: s.Iter, Detail: c.String()}, f.err
}

func (f *fake) commands() string {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []string
	for _, c := range f.got {
		all = append(all, c.String()+" by "+c.By)
	}
	return strings.Join(all, ", ")
}

func helloOf(name string) *remotepb.Request {
	return &remotepb.Request{Kind: &remotepb.Request_Hello{Hello: &remotepb.Hello{Version: Version, Name: name}}}
}

// setOf is the command that sets a field, as it is typed.
func setOf(field, value string) session.Command {
	e, err := config.Parse(field, value)
	if err != nil {
		panic(err)
	}
	return session.SetOf(e)
}

func serve(t *testing.T, f *fake) *Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "dns") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(dir, "r"))
	s := NewServer(f, "lenet-1", "test")
	if err := s.Listen(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close(); os.RemoveAll(dir) })
	return s
}

func attach(t *testing.T, s *Server, o ClientOptions) *Client {
	t.Helper()
	c, err := Dial(context.Background(), s.path, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A command goes to the session under its sender's name, and its answer follows a state that shows the effect.
func TestSteering(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	c := attach(t, s, ClientOptions{Name: "anna"})
	if c.Snapshot().Net != "LeNet" || c.Run() != "lenet-1" || c.Pid() != os.Getpid() {
		t.Fatalf("%q, run %q, process %d", c.Snapshot().Net, c.Run(), c.Pid())
	}
	ack, err := c.Do(context.Background(), setOf("base_lr", "0.1"))
	if err != nil || ack.Iter != 1 || c.Snapshot().Iter != 1 {
		t.Errorf("ack %+v, %v; the state is of iteration %d", ack, err, c.Snapshot().Iter)
	}
	plan := session.Command{
		Kind: session.Schedule, Plan: session.Plan{Edit: setOf("base_lr", "1").Edits[0], At: 5, Relative: true},
	}
	if ack, err := c.Do(context.Background(), plan); err != nil || ack.Detail != plan.String() {
		t.Errorf("plan: %+v, %v", ack, err)
	}
	if got := f.commands(); got != "base_lr 0.1 by anna, base_lr 1 at +5 by anna" {
		t.Errorf("the session got %q", got)
	}
	// Nobody steers as a search by a name.
	named := attach(t, s, ClientOptions{Name: session.BySearch})
	_, err = named.Do(context.Background(), session.Command{Kind: session.Pause})
	if got := f.commands(); err != nil || !strings.HasSuffix(got, "pause by viewer search") {
		t.Errorf("%v; the session got %q", err, got)
	}
}

// One command sets a field of each layer of a large net; one that is too long is told so, and the viewer stays.
func TestLargeCommand(t *testing.T) {
	f := newFake()
	c := attach(t, serve(t, f), ClientOptions{Name: "anna"})
	scope := func(layers, name int) session.Command {
		edits := make([]config.Edit, layers)
		for i := range edits {
			layer := fmt.Sprintf("%0*d", name, i)
			edits[i] = config.Edit{Field: config.Field{Layer: layer, Param: config.Prune}, Value: 1}
		}
		return session.SetOf(edits...)
	}
	if _, err := c.Do(context.Background(), scope(100_000, 40)); err != nil {
		t.Errorf("100,000 layers: %v", err)
	}
	if _, err := c.Do(context.Background(), scope(100_000, 400)); err == nil ||
		!strings.Contains(err.Error(), "set fewer layers at once") {
		t.Errorf("too long: %v", err)
	}
	if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); err != nil {
		t.Errorf("after it: %v", err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.got) != 2 || len(f.got[0].Edits) != 100_000 {
		t.Errorf("%d commands arrived", len(f.got))
	}
}

// Errors that callers tell apart stay what they are.
func TestFaults(t *testing.T) {
	f := newFake()
	c := attach(t, serve(t, f), ClientOptions{Name: "anna"})
	for _, want := range []error{
		session.ErrNothingToUndo, session.ErrNothingToRedo, session.ErrReplaced, session.ErrUndone,
		session.ErrNoRestorePoint,
		errors.New("momentum is 2"),
	} {
		f.mu.Lock()
		f.err = want
		f.mu.Unlock()
		if _, err := c.Do(context.Background(), session.Command{Kind: session.Undo}); err == nil ||
			!errors.Is(err, want) && err.Error() != want.Error() {
			t.Errorf("%v arrives as %v", want, err)
		}
	}
}

func TestReadOnly(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	c := attach(t, s, ClientOptions{Name: "bob\x1b[31m\n", ReadOnly: true})
	if _, err := c.Do(context.Background(), session.Command{Kind: session.Stop}); err == nil ||
		!strings.Contains(err.Error(), "read-only") {
		t.Errorf("stop: %v", err)
	}
	if _, err := c.Do(context.Background(), session.Command{Kind: session.Look, Layer: "conv1"}); err != nil {
		t.Errorf("look: %v", err)
	}
	if got := s.Viewers(); len(got) != 1 || got[0] != "bob[31m (read-only)" {
		t.Errorf("viewers %q", got)
	}
}

// Two who steer see each other's changes.
func TestTwoControllers(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	a, b := attach(
		t,
		s,
		ClientOptions{Name: "anna", Interval: time.Millisecond},
	), attach(
		t,
		s,
		ClientOptions{Name: "bob", Interval: time.Millisecond},
	)
	for i, c := range []*Client{a, b, a} {
		if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); err != nil {
			t.Fatal(err)
		}
		for _, other := range []*Client{a, b} {
			for other.Snapshot().Iter < i+1 { // it will arrive: the test's own time limit bounds the wait
				select {
				case <-other.Gone():
					t.Fatal(other.Err())
				default:
				}
			}
		}
	}
}

// A run that ends shows its last state.
func TestEnd(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	c := attach(t, s, ClientOptions{Name: "anna", Interval: time.Minute})
	last := *f.Snapshot()
	last.State, last.Iter, last.Published = session.Stopped, 77, time.Unix(99, 0)
	f.latest.Store(&last)
	s.Close()
	<-c.Gone()
	if g := c.Snapshot(); g.State != session.Stopped || g.Iter != 77 {
		t.Errorf("the last state is %v at %d", g.State, g.Iter)
	}
	if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); !errors.Is(err, session.ErrEnded) {
		t.Errorf("a command after the end: %v", err)
	}
	if _, err := os.Stat(s.path); err == nil {
		t.Error("the socket is still there")
	}
}

// Whatever comes in, the session sees no command from it, and others are served.
func TestHostileViewers(t *testing.T) {
	f := newFake()
	s := serve(t, f)
	hello, err := delimited{}.frame(helloOf("mallory"))
	if err != nil {
		t.Fatal(err)
	}
	frame := func(n uint64, body string) []byte {
		return append(binary.AppendUvarint(nil, n), body...)
	}
	fixed := func(n int, body string) []byte {
		return append(binary.LittleEndian.AppendUint32(nil, uint32(n)), body...)
	}
	for name, send := range map[string][]byte{
		"nothing":              nil,
		"garbage":              bytes.Repeat([]byte("GET / HTTP/1.1\r\n"), 1000),
		"a frame of 4 GiB":     frame(1<<32-1, "x"),
		"no hello":             frame(0, ""),
		"garbage after hello":  append(append([]byte(nil), hello...), bytes.Repeat([]byte{0xff}, 1<<20)...),
		"empty after hello":    append(append([]byte(nil), hello...), frame(0, "")...),
		"hello twice":          append(append([]byte(nil), hello...), hello...),
		"half a frame":         append(append([]byte(nil), hello...), frame(1000, "abc")...),
		"another version":      frame(4, "\x0a\x02\x08\x63"),
		"the version before":   fixed(4, "\x0a\x02\x08\x02"),
		"a frame of 2 EiB":     frame(1<<61, "x"),
		"a command of no kind": append(append([]byte(nil), hello...), frame(5, "\x1a\x03\x12\x01x")...),
		"a plan of nothing":    append(append([]byte(nil), hello...), frame(10, "\x1a\x08\x12\x04plan\x5a\x00")...),
		"an edit of parameter 99": append(append([]byte(nil), hello...),
			frame(13, "\x1a\x0b\x12\x03set\x52\x04\x10\x63\x18\x01")...),
	} {
		conn, err := net.Dial("unix", s.path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write(send) // the server may hang up in the midst of it
		conn.Close()
		c := attach(t, s, ClientOptions{Name: "anna"})
		if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); err != nil {
			t.Errorf("after %s: %v", name, err)
		}
		c.Close()
	}
	if strings.Contains(f.commands(), "mallory") {
		t.Errorf("the session got %q", f.commands())
	}
}

// Who floods the run with commands is told so; the session gets no more than the limit.
func TestFlood(t *testing.T) {
	f := newFake()
	c := attach(t, serve(t, f), ClientOptions{Name: "mallory"})
	refused := 0
	for range 3 * commandsAtOnce {
		if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); err != nil {
			refused++
		}
	}
	if refused == 0 {
		t.Errorf("%d commands at once, and none was refused", 3*commandsAtOnce)
	}
}

// One who never reads does not keep others from their states.
func TestViewerThatNeverReads(t *testing.T) {
	f := newFake()
	big := *f.Snapshot()
	for i := range 200 {
		big.Events = append(
			big.Events, session.Event{Seq: i + 1, What: session.Notice{Text: strings.Repeat("x", 10000)}},
		)
	}
	f.latest.Store(&big)
	s := serve(t, f)
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, m := range []*remotepb.Request{helloOf("deaf"), {Kind: &remotepb.Request_Want{Want: &remotepb.Want{}}}} {
		if err := send(conn, delimited{}, m); err != nil {
			t.Fatal(err)
		}
	}
	c := attach(t, s, ClientOptions{Name: "anna"})
	if _, err := c.Do(context.Background(), session.Command{Kind: session.Pause}); err != nil {
		t.Error(err)
	}
}

// A connection that a program has already is served too, and can be refused.
func TestAttendAndRefuse(t *testing.T) {
	pair := func() (net.Conn, net.Conn) {
		a, b, err := socketpair()
		if err != nil {
			t.Fatal(err)
		}
		return a, b
	}
	mine, theirs := pair()
	s := NewServer(newFake(), "lenet-1", "test")
	s.ServeConn(theirs)
	defer s.Close()
	c, err := NewClient(context.Background(), mine, ClientOptions{Name: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	if c.Run() != "" {
		t.Errorf("a run without a socket is called %q", c.Run())
	}
	c.Close()
	mine, theirs = pair()
	go func() { _ = Refuse(theirs, "no such weights") }()
	var refused *RefusedError
	if _, err := NewClient(context.Background(), mine, ClientOptions{Name: "anna"}); !errors.As(err, &refused) ||
		refused.Reason != "no such weights" {
		t.Errorf("refused with %v", err)
	}
}

func TestRuns(t *testing.T) {
	s := serve(t, newFake())
	dead := filepath.Join(filepath.Dir(s.path), "dead-2.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false) // as of a process that was killed
	l.Close()
	runs, err := Runs(context.Background())
	if err != nil || len(runs) != 1 || runs[0].Name != "lenet-1" || runs[0].Snapshot.Net != "LeNet" {
		t.Fatalf("%+v, %v", runs, err)
	}
	if _, err := os.Stat(dead); err == nil {
		t.Error("the socket of a dead run is still there")
	}
	for _, c := range []struct{ what, want string }{
		{"", "lenet-1"},
		{"lenet", "lenet-1"},
		{"lenet-1", "lenet-1"},
		{"alex", ""},
	} {
		r, err := Find(runs, c.what)
		if got := map[bool]string{true: "", false: "lenet-1"}[r == nil]; got != c.want {
			t.Errorf("Find %q: %q, %v", c.what, got, err)
		}
	}
	if _, err := Find(nil, ""); err == nil {
		t.Error("a run is found where none is")
	}
	if st, err := os.Stat(s.path); err != nil || st.Mode().Perm() != 0o600 {
		t.Errorf("the socket's mode is %v, %v", st.Mode(), err)
	}
}

func TestFolderOfOthers(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("DNS_TUI_RUNTIME_DIR", open)
	if _, err := Folder(); err == nil || !strings.Contains(err.Error(), "wanted 700") {
		t.Errorf("a folder that others can read: %v", err)
	}
	t.Setenv("DNS_TUI_RUNTIME_DIR", filepath.Join(dir, strings.Repeat("x", 110)))
	if err := NewServer(newFake(), "lenet-1", "test").Listen(); err == nil ||
		!strings.Contains(err.Error(), "at most 107") {
		t.Errorf("a path that is too long: %v", err)
	}
}

// snapshots draws a run's states one after the other, as a session makes them: what is shared is never changed.
func snapshots(t *rapid.T) []*session.Snapshot {
	var out []*session.Snapshot
	var loss session.Series
	h := &config.Hyper{
		BaseLR: 0.01,
		Stop:   config.Never,
		Layers: []config.LayerHyper{{Name: "conv1", Threshold: 0.6, Prune: true}},
	}
	var events []session.Event
	var hist *solver.Histogram
	var ops []session.Operated
	for i := range rapid.IntRange(1, 8).Draw(t, "states") {
		for range rapid.IntRange(0, 400).Draw(t, "points") {
			loss.Add(len(loss.Iters), float64(len(loss.Iters))/3)
		}
		if rapid.Bool().Draw(t, "event") {
			events = append(
				slices.Clip(events),
				session.Event{Seq: len(events) + 1, Iter: i, By: "anna", What: session.SurgeryDone{Layers: i}},
			)
		}
		if rapid.Bool().Draw(t, "set") {
			h, _, _ = h.Apply(config.Edit{Field: config.Field{Param: config.BaseLR}, Value: 0.1 * float64(i+1)})
		}
		if rapid.Bool().Draw(t, "measured") {
			r := &gpu.SurgeryResult{
				KeptAt:   make([]uint32, gpu.HistogramBins),
				PrunedAt: make([]uint32, gpu.HistogramBins),
			}
			r.KeptAt[rapid.IntRange(0, gpu.HistogramBins-1).Draw(t, "bin")], r.PrunedAt[3] = 7, uint32(i)
			hist = solver.NewHistogram(gpu.SeedRule, r)
			hist.DeathThresholds = []float32{0.5, 1.5}
		}
		if rapid.Bool().Draw(t, "operated") {
			ops = append(slices.Clip(ops), session.Operated{Iter: i, Pruned: 3, Spliced: 1, Kept: 90})
		}
		s := &session.Snapshot{
			Net:       "LeNet",
			Iter:      i,
			MaxIter:   100,
			Loss:      0.5,
			Hyper:     h,
			Events:    events,
			Published: time.Unix(int64(i), 0),
			Undo:      "x",
			Viewers:   []string{"anna"},
		}
		s.Losses = session.Series{
			Iters:  slices.Clip(loss.Iters),
			Values: slices.Clip(loss.Values),
			Epoch:  loss.Epoch,
		}
		s.Layers = []session.LayerStats{
			{
				Name:       "conv1",
				Type:       "Convolution",
				Weights:    500,
				Kept:       100,
				LastIter:   -1,
				Dead:       -1,
				Operations: ops,
				Histogram:  hist,
				Kernel:     [2]int{5, 5},
			},
		}
		if rapid.Bool().Draw(t, "pending") {
			threshold := config.Edit{Field: config.Field{Layer: "conv1", Param: config.Threshold}, Value: 0.7}
			s.Pending = []session.Change{
				{Iter: i, Edits: []config.Edited{{Edit: threshold, Old: 0.6, OldKnown: true}}},
			}
			rate := config.Edit{Field: config.Field{Param: config.BaseLR}, Value: 1}
			s.Plans = []session.Plan{{ID: 1, Edit: rate, At: 50}}
		}
		if rapid.Bool().Draw(t, "sensitivity") {
			s.Sensitivity = &session.Sensitivity{
				Iter: i,
				Layers: []session.LayerSensitivity{
					{Name: "conv1", Points: []session.SensitivityPoint{{Threshold: 1, Sparsity: 0.7, Accuracy: 0.9}}},
				},
			}
		}
		out = append(out, s)
	}
	return out
}

// What a viewer has after a row of differences is the state itself.
func TestStatesArriveWhole(t *testing.T) {
	same := []cmp.Option{cmp.AllowUnexported(session.Series{}), cmp.Comparer(func(a, b session.Series) bool {
		return cmp.Equal(a.Iters, b.Iters) && cmp.Equal(a.Values, b.Values) || len(a.Values)+len(b.Values) == 0
	}), cmp.Comparer(func(a, b time.Time) bool { return a.Equal(b) }), cmp.Comparer((*config.Hyper).Equal)}
	rapid.Check(t, func(rt *rapid.T) {
		var sent, got *session.Snapshot
		for _, s := range snapshots(rt) {
			if rapid.IntRange(0, 3).Draw(rt, "skip") == 0 {
				continue // a slow viewer misses states
			}
			wire, err := proto.Marshal(encodeSnapshot(s, sent))
			if err != nil {
				rt.Fatal(err)
			}
			var m remotepb.State
			if err := proto.Unmarshal(wire, &m); err != nil {
				rt.Fatal(err)
			}
			if got, err = decodeSnapshot(&m, got); err != nil {
				rt.Fatal(err)
			}
			sent = s
			if d := cmp.Diff(s, got, same...); d != "" {
				rt.Fatalf("differs (-sent +arrived):\n%s", d)
			}
		}
	})
}

// FuzzRequest sends a server whatever there is, behind a Hello: it does not panic, and goes on serving.
func FuzzRequest(f *testing.F) {
	for _, m := range []*remotepb.Request{
		{Kind: &remotepb.Request_Want{Want: &remotepb.Want{IntervalMs: 100}}},
		{Kind: &remotepb.Request_Command{Command: encodeCommand(1, setOf("base_lr", "0.1"))}},
		{Kind: &remotepb.Request_Command{Command: &remotepb.Command{Id: 2, Kind: "plan", Plan: &remotepb.Plan{At: 3}}}},
		{Kind: &remotepb.Request_Command{Command: &remotepb.Command{
			Id: 3, Kind: "look", Area: &remotepb.Area{Row: -1, Rows: 1 << 62}}}},
	} {
		b, err := delimited{}.frame(m)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	session := newFake()
	s := NewServer(session, "fuzz-1", "test")
	f.Cleanup(func() { s.Close() })
	f.Fuzz(func(t *testing.T, data []byte) {
		mine, theirs, err := socketpair()
		if err != nil {
			t.Skip(err)
		}
		s.ServeConn(theirs)
		if err := send(mine, delimited{}, helloOf("fuzz")); err != nil {
			t.Fatal(err)
		}
		go func() { _, _ = io.Copy(io.Discard, mine) }()
		_, _ = mine.Write(data) // the server may hang up in the midst of it
		mine.Close()
	})
}

// FuzzState makes a viewer read whatever a run may send: an error, not a panic.
func FuzzState(f *testing.F) {
	s := newFake().Snapshot()
	b, _ := proto.Marshal(encodeSnapshot(s, nil))
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) {
		var m remotepb.State
		if proto.Unmarshal(data, &m) != nil {
			return
		}
		first, err := decodeSnapshot(&m, nil)
		if err != nil {
			return
		}
		_, _ = decodeSnapshot(&m, first)
		// What was taken is sent on, and arrives, as it is.
		again, err := decodeSnapshot(encodeSnapshot(first, nil), nil)
		if err != nil {
			t.Fatalf("what was taken is refused when it is sent on: %v", err)
		}
		if a, b := encodeSnapshot(first, nil), encodeSnapshot(again, nil); !proto.Equal(a, b) {
			t.Errorf("differs (-taken +sent on):\n%s", cmp.Diff(a, b, protocmp.Transform()))
		}
	})
}

func socketpair() (a, b net.Conn, err error) {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return nil, nil, err
	}
	fa, fb := os.NewFile(uintptr(fds[0]), ""), os.NewFile(uintptr(fds[1]), "")
	defer fa.Close()
	defer fb.Close()
	if a, err = net.FileConn(fa); err != nil {
		return nil, nil, err
	}
	b, err = net.FileConn(fb)
	return a, b, err
}
