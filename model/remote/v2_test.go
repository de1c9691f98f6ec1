package remote

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"

	"dns-tui/config"
	"dns-tui/model/modeltest"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

// recorded is what went over the socket of a run of the version before: testdata/versions/README.md.
func recorded(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(modeltest.Root("versions", "2026-11", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// A run that a program of the version before has begun can be attached to: its states and events arrive.
func TestAttachToTheVersionBefore(t *testing.T) {
	dir, err := os.MkdirTemp("", "dns") // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "s")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	replies := recorded(t, "replies.bin")
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			// As the version before did: whoever does not begin with its Hello is let go without an answer.
			var m remotepb.Request
			in := bufio.NewReader(conn)
			if err := (fixed32{}).read(in, maxHello, &m); err == nil && m.GetHello().GetVersion() == version2 {
				if _, err := conn.Write(replies); err == nil {
					_ = conn.(*net.UnixConn).CloseWrite()
				}
				_, _ = io.Copy(io.Discard, in) // until the viewer leaves
			}
			_ = conn.Close()
		}
	}()
	c, err := Dial(context.Background(), path, ClientOptions{Name: "anna"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	<-c.Gone() // all that was recorded is read
	_, err = c.Do(context.Background(), session.Command{Kind: session.Steer})
	if !errors.Is(err, session.ErrNoAutopilot) {
		t.Errorf("its autopilot says %v", err)
	}
	if c.Run() != "mini-1" {
		t.Errorf("the run is called %q", c.Run())
	}
	if d := cmp.Diff(
		strings.Split(string(recorded(t, "snapshot.txt")), "\n"), strings.Split(summary(c.Snapshot()), "\n"),
	); d != "" {
		t.Errorf("differs (-what the version before saw +what this one sees):\n%s", d)
	}
}

// summary prints what the version before printed of the same snapshot. Settings that have other names now are shown by
// those that they had.
func summary(s *session.Snapshot) string {
	var b strings.Builder
	p := func(args ...any) { fmt.Fprintln(&b, args...) }
	p("net", s.Net, "state", s.State, "iter", s.Iter, "of", s.MaxIter)
	h, _ := json.Marshal(s.Hyper) // of these numbers nothing fails
	p("hyper", string(h))
	for _, l := range s.Plans {
		p("plan", l.ID, l, l.Begun, l.By)
	}
	old := func(text string) string {
		return strings.NewReplacer("mask_frozen", "frozen", "weights_frozen", "fixed").Replace(text)
	}
	for _, c := range s.Pending {
		p("pending", c.Iter, c, c.By)
	}
	for _, c := range s.Changes {
		p("change", c.Iter, old(c.String()), c.By)
	}
	for _, st := range s.RestorePoints {
		p("state", st.Iter, filepath.Base(st.Path), st.Why, st.Guard, st.Left)
	}
	for _, r := range s.Tests {
		p("test", r.Iter, len(r.Outputs), r.Loss)
	}
	for _, e := range s.Events {
		p("event", e.Seq, e.Iter, e.Status(), e.What, e.By)
	}
	for _, l := range s.Layers {
		p("layer", l.Name, l.Type, l.Weights, l.Kept, l.LastIter, l.Outputs, l.Dead, len(l.Operations),
			l.Histogram.Total(), l.Histogram.Pruned(1))
	}
	p("undo", s.Undo)
	p("redo", s.Redo)
	p("losses", len(s.Losses.Iters), "viewers", s.Viewers)
	return b.String()
}

// A run of the version before gets the commands as that version's viewer sent them.
func TestCommandsForTheVersionBefore(t *testing.T) {
	in := bufio.NewReader(bytes.NewReader(recorded(t, "requests.bin")))
	var want []*remotepb.Command
	for {
		var m remotepb.Request
		err := fixed32{}.read(in, maxHello, &m)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if c := m.GetCommand(); c != nil {
			want = append(want, c)
		}
	}
	edit := func(field, value string) config.Edit { return setOf(field, value).Edits[0] }
	sent := []session.Command{ // as they were given when the file was made
		session.SetOf(edit("lr_mult", "0.5"), edit("momentum", "0.8")),
		{Kind: session.Schedule, Plan: session.Plan{Edit: edit("base_lr", "0.001"), At: 3, Relative: true}},
		{Kind: session.Look, Layer: "conv2", Area: session.Area{Rows: 2, Cols: 3}},
		{Kind: session.Undo},
		{Kind: session.Step, Count: 2},
	}
	var got []*remotepb.Command
	for i, c := range sent {
		m := encodeCommand(uint64(i+1), c)
		if err := encodeCommand2(m, c); err != nil {
			t.Fatal(err)
		}
		got = append(got, m)
	}
	if d := cmp.Diff(want, got, protocmp.Transform()); d != "" {
		t.Errorf("differs (-the version before +this one):\n%s", d)
	}
}

// A viewer of the version before is told, in its own framing, that the run speaks another.
func TestViewerOfTheVersionBefore(t *testing.T) {
	s := serve(t, newFake())
	conn, err := net.Dial("unix", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write(recorded(t, "requests.bin")); err != nil {
		t.Fatal(err)
	}
	var m remotepb.Reply
	if err := (fixed32{}).read(bufio.NewReader(conn), maxReply, &m); err != nil {
		t.Fatal(err)
	}
	if got := m.GetRefused().GetReason(); got != "the run speaks version 3 of the protocol (dns-tui test), you "+
		"speak 2" {
		t.Errorf("refused with %q", got)
	}
}
