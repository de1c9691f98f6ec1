package collective

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
)

// A frame is what travels between rank 0 and another: a kind, the length of what follows, and that.
type kind uint8

const (
	kindChallenge kind = iota + 1 // from rank 0: a number used once
	kindHello                     // who somebody is, with a proof
	kindRefused                   // why not
	kindWelcome                   // who all are
	kindBeat                      // how a rank is
	kindBroadcast                 // a piece of a message
	kindGather
	kindTaken   // how many bytes of broadcasts a rank has taken, all in all
	kindAccuse  // to rank 0: a rank, and what is wrong with it
	kindLate    // to rank 0: somebody waits for too long
	kindVerdict // from rank 0: the same, as it is for all
	kindBye     // leaves in good order
	kinds
)

const (
	headerSize = 8
	// maxHello bounds what is read of somebody who has proved nothing.
	maxHello = 4096
	// pieceSize is what of a message travels at once: notices go between the pieces.
	pieceSize = 256 << 10
	// maxFrame bounds a frame of a rank's.
	maxFrame = 64 << 20
	// last marks the last piece of a message.
	last = 1
)

type header struct {
	kind  kind
	flags uint8
	size  int
}

func (h header) put(b []byte) {
	b[0], b[1], b[2], b[3] = byte(h.kind), h.flags, 'D', 'N'
	binary.LittleEndian.PutUint32(b[4:], uint32(h.size))
}

// parseHeader reads a header, of a frame of at most limit bytes.
func parseHeader(b []byte, limit int) (header, error) {
	h := header{kind: kind(b[0]), flags: b[1], size: int(binary.LittleEndian.Uint32(b[4:]))}
	switch {
	case b[2] != 'D' || b[3] != 'N' || h.kind == 0 || h.kind >= kinds || h.flags > last:
		return h, fmt.Errorf("speaks another language: begins with %q", b[:headerSize])
	case h.size > limit:
		return h, fmt.Errorf("announces %d bytes: wanted at most %d", h.size, limit)
	}
	return h, nil
}

// readFrame reads a frame of the kind that is due, or a refusal, whose text is the error.
func readFrame(r io.Reader, want kind, limit int) ([]byte, error) {
	var head [headerSize]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, ended(err)
	}
	h, err := parseHeader(head[:], limit)
	if err != nil {
		return nil, err
	}
	if h.kind != want && h.kind != kindRefused {
		return nil, fmt.Errorf("says %d where %d is due", h.kind, want)
	}
	body, err := readMore(r, nil, h.size)
	if err != nil {
		return nil, ended(err)
	}
	if h.kind == kindRefused {
		return nil, refusal(body)
	}
	return body, nil
}

// refusal is what a rank is told that is not wanted.
type refusal string

func (r refusal) Error() string { return string(r) }

// ended words the end of a connection.
func ended(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errEnded
	}
	return err
}

var errEnded = errors.New("the connection ended")

// writeFrame writes one in one piece.
func writeFrame(w net.Conn, h header, body []byte) error {
	h.size = len(body)
	var head [headerSize]byte
	h.put(head[:])
	buffers := net.Buffers{head[:], body}
	_, err := buffers.WriteTo(w)
	return err
}
