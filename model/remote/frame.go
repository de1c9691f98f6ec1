// Package remote serves a session over a Unix socket, so that the terminal that started a run may leave it, and
// others may come: Server at the run, Client, which is a model.Session, at the terminal. The messages are those of
// remote.proto.
package remote

import (
	"encoding/binary"
	"fmt"
	"io"

	"google.golang.org/protobuf/proto"
)

// Version of the protocol. Both sides must have the same: a run is steered by the program that it was started with.
const Version = 2

// The longest frames. A watcher's orders are short; a run's states hold curves and histograms.
const (
	maxRequest = 64 << 10
	maxReply   = 64 << 20
)

// writeFrame sends a message: its length in four bytes, low byte first, and its bytes, in one write.
func writeFrame(w io.Writer, buf []byte, m proto.Message) ([]byte, error) {
	b, err := encodeFrame(buf, m)
	if err != nil {
		return buf, err
	}
	_, err = w.Write(b)
	return b, err
}

// encodeFrame is the frame of a message, in buf where it has room.
func encodeFrame(buf []byte, m proto.Message) ([]byte, error) {
	b, err := proto.MarshalOptions{}.MarshalAppend(append(buf[:0], 0, 0, 0, 0), m)
	if err != nil {
		return buf, err
	}
	binary.LittleEndian.PutUint32(b, uint32(len(b)-4))
	return b, nil
}

// readFrame receives a message of at most limit bytes.
func readFrame(r io.Reader, buf []byte, limit int, m proto.Message) ([]byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return buf, err
	}
	n := int(binary.LittleEndian.Uint32(head[:]))
	if n > limit {
		return buf, fmt.Errorf("a message of %d bytes; wanted at most %d", n, limit)
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return buf, err
	}
	if err := proto.Unmarshal(buf[:n], m); err != nil {
		return buf, fmt.Errorf("not a message of this protocol: %w", err)
	}
	return buf, nil
}
