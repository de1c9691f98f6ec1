package collective

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
)

// hello is what a process says of itself to rank 0.
type hello struct {
	Program string // programName
	Version string
	Rank    int
	Size    int
	Nonce   string
	Member  Member
	Machine string
}

// welcome is what rank 0 answers when all are there.
type welcome struct {
	Members  []Member
	Machines []string
	Session  string // of the ranks' own connections
}

const (
	programName = "dns-tui ranks 1"
	nonceSize   = 16
)

func nonce() []byte {
	b := make([]byte, nonceSize)
	_, _ = rand.Read(b) // never fails: it ends the process first
	return b
}

// hexed is bytes as text.
func hexed(b []byte) []byte { return hex.AppendEncode(nil, b) }

// prove is what only who knows the secret can say of parts.
func prove(secret []byte, parts ...[]byte) []byte {
	mac := hmac.New(sha256.New, secret)
	for _, p := range parts {
		mac.Write(p)
	}
	return mac.Sum(nil)
}

// sealed puts the proof before a message.
func sealed(secret, challenge, message []byte) []byte {
	return append(prove(secret, challenge, message), message...)
}

// unseal checks the proof, in a time that tells nothing of it.
func unseal(secret, challenge, b []byte) ([]byte, error) {
	if len(b) < sha256.Size {
		return nil, errors.New("is too short")
	}
	proof, message := b[:sha256.Size], b[sha256.Size:]
	if !hmac.Equal(proof, prove(secret, challenge, message)) {
		return nil, errSecret
	}
	return message, nil
}

var errSecret = errors.New(
	"knows another secret: every rank wants the same " + envSecret + ", or a file " + envSecretFile,
)

// parseHello reads what somebody says of himself. What it returns with an error is what could be read.
func parseHello(b []byte) (hello, error) {
	var h hello
	if err := json.Unmarshal(b, &h); err != nil {
		return h, fmt.Errorf("speaks another language: %v", err)
	}
	h.Member.Host, h.Member.Device, h.Version = clean(h.Member.Host), clean(h.Member.Device), clean(h.Version)
	if h.Program != programName {
		return h, fmt.Errorf("is %q: wanted %q", h.Program, programName)
	}
	return h, nil
}

// judgeHello says why a process that knows the secret cannot be a rank of this group.
func judgeHello(h hello, version string, size int) error {
	switch {
	case h.Version != version:
		return fmt.Errorf("is version %s of the program, rank 0 is %s", h.Version, version)
	case h.Size != size:
		return fmt.Errorf("was told that there are %d ranks, rank 0 that there are %d", h.Size, size)
	case h.Rank < 1 || h.Rank >= size:
		return fmt.Errorf("cannot be one of %d that joins rank 0: wanted 1 to %d", size, size-1)
	}
	return nil
}

// clean is text of another process, as one line that can be printed.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r >= 0x7f && r < 0xa0 {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
}

// machine names this machine as it runs now: ranks with the same name can have memory in common.
func machine() string {
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	host, _ := os.Hostname()
	return strings.TrimSpace(string(boot)) + " " + host
}

// me is this process.
func me(o Options) Member {
	host, _ := os.Hostname()
	return Member{Host: host, PID: os.Getpid(), Device: o.Device}
}
