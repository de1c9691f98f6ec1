// Package remote serves a session over a Unix socket, so that the terminal that started a run may leave it, and
// others may come: Server at the run, Client, which is a session.Session, at the terminal. The messages are those of
// remote.proto.
package remote

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"google.golang.org/protobuf/encoding/protodelim"
	"google.golang.org/protobuf/proto"
)

// Version of the protocol. A run speaks this one alone; a viewer also the one before (v2.go).
const Version = 3

// The longest frames. A Hello is short; a command may set a field of each layer of a large net; a run's states hold
// curves and histograms. A run of version 2 takes nothing longer than a Hello.
const (
	maxHello   = 64 << 10
	maxCommand = 16 << 20
	maxReply   = 64 << 20
)

// framing is how messages are told apart on a connection.
type framing interface {
	// frame is a message with its length.
	frame(m proto.Message) ([]byte, error)
	// read receives a message of at most limit bytes.
	read(r *bufio.Reader, limit int, m proto.Message) error
}

// delimited is the framing of this version: a varint length, and the message.
type delimited struct{}

func (delimited) frame(m proto.Message) ([]byte, error) {
	var b bytes.Buffer
	_, err := protodelim.MarshalTo(&b, m)
	return b.Bytes(), err
}

func (delimited) read(r *bufio.Reader, limit int, m proto.Message) error {
	err := protodelim.UnmarshalOptions{MaxSize: int64(limit)}.UnmarshalFrom(r, m)
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	return fmt.Errorf("not a message of this protocol: %w", err)
}

// send writes a message in one piece.
func send(w io.Writer, f framing, m proto.Message) error {
	b, err := f.frame(m)
	if err != nil {
		return err
	}
	_, err = w.Write(b)
	return err
}
