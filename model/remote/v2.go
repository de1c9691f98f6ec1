package remote

import (
	"bufio"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"

	"dns-tui/config"
	"dns-tui/model/remote/remotepb"
	"dns-tui/model/session"
)

// Version 2 of the protocol: what a program of November 2026 speaks, whose run may continue for days after another has
// been installed. Its frames have four bytes of length, and its lists are JSON. A viewer reads and writes it; to a
// viewer that speaks it, a run says that it speaks another.

const version2 = 2

// fixed32 is the framing of version 2: four bytes of length, low byte first, and the message.
type fixed32 struct{}

func (fixed32) frame(m proto.Message) ([]byte, error) {
	b, err := proto.MarshalOptions{}.MarshalAppend(make([]byte, 4), m)
	if err == nil {
		binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	}
	return b, err
}

func (fixed32) read(r *bufio.Reader, limit int, m proto.Message) error {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return err
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if n > limit {
		return fmt.Errorf("a message of %d bytes; wanted at most %d", n, limit)
	}
	buf := make([]byte, n)
	if _, err := io.ReadFull(r, buf); err != nil {
		return err
	}
	if err := proto.Unmarshal(buf, m); err != nil {
		return fmt.Errorf("not a message of this protocol: %w", err)
	}
	return nil
}

// framingOf tells how the first message on a connection is framed. No Hello of this version has two zeros where a short
// length of version 2 has its upper bytes.
func framingOf(r *bufio.Reader) (framing, error) {
	head, err := r.Peek(4)
	if err != nil {
		return nil, err
	}
	if head[2] == 0 && head[3] == 0 {
		return fixed32{}, nil
	}
	return delimited{}, nil
}

// encodeCommand2 adds to a command's message what version 2 has of it.
func encodeCommand2(m *remotepb.Command, c session.Command) error {
	type edit struct {
		Field string `json:"field"`
		New   string `json:"new"`
	}
	var err error
	switch c.Kind {
	case session.Set:
		edits := make([]edit, len(c.Edits))
		for i, e := range c.Edits {
			edits[i] = edit{e.Recorded(), e.Text()}
		}
		m.EditsV2, err = json.Marshal(edits)
	case session.Schedule:
		m.PlanV2, err = json.Marshal(c.Plan)
	case session.GoBack:
		m.ValueV2 = c.Path
	case session.Look:
		m.FieldV2 = c.Layer
	case session.Probe:
		if c.Off {
			m.ValueV2 = "off"
		}
	case session.MovePrefix:
		m.Kind, m.FieldV2, m.ValueV2 = session.Set.String(), "snapshot_prefix", c.Path
	}
	m.Edits, m.Plan, m.Path, m.Layer, m.Off = nil, nil, "", "", false
	return err
}

// decodeSnapshot2 takes the lists of a snapshot of version 2.
func decodeSnapshot2(m *remotepb.State, s *session.Snapshot) error {
	var errs []error
	read := func(line []byte, to func() any) {
		if line != nil {
			errs = append(errs, json.Unmarshal(line, to()))
		}
	}
	read(m.HyperV2, func() any { s.Hyper = &config.Hyper{}; return s.Hyper })
	read(m.PendingV2, func() any { s.Pending = nil; return &s.Pending })
	read(m.PlansV2, func() any { s.Plans = nil; return &s.Plans })
	read(m.ChangesV2, func() any { s.Changes = nil; return &s.Changes })
	read(m.StatesV2, func() any { s.RestorePoints = nil; return &s.RestorePoints })
	read(m.SensitivityV2, func() any { s.Sensitivity = nil; return &s.Sensitivity })
	read(m.TestsV2, func() any { s.Tests = nil; return &s.Tests })
	return errors.Join(errs...)
}

// decodeEvent2 is an event of version 2, of which only the text is known.
func decodeEvent2(m *remotepb.Event) session.Payload {
	return session.TextEvent{Status: session.Status(m.StatusV2), Text: m.TextV2}
}
