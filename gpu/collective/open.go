package collective

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
)

// Open joins the group of the ranks that a launcher has started, of which this process is one. It returns when all have
// joined, or says who is missing. The engine is what suits the place, where Options.Engine, or DNS_TUI_ENGINE in the
// environment, does not say another:
//
//   - children of rank 0 (StartLocal): shared memory;
//   - ranks of mpirun: MPI;
//   - where rank 0 has an address: shared memory if all ranks are on one machine, else TCP.
func Open(place Place, o Options) (Group, error) {
	if place.Size <= 1 {
		s := newStar(0, 1, o)
		s.members, s.peers = []Member{me(o)}, []*peer{nil}
		s.start()
		return newGroup(s, alone{}, o), nil
	}
	if place.Rank < 0 || place.Rank >= place.Size {
		return nil, fmt.Errorf("rank %d of %d: ranks count from 0 to %d", place.Rank, place.Size, place.Size-1)
	}
	if o.Engine == "" {
		o.Engine = os.Getenv(envEngine)
	}
	switch o.Engine {
	case "", "shared", "tcp", "mpi":
	default:
		return nil, fmt.Errorf("%s is %q: wanted shared, tcp or mpi", envEngine, clean(o.Engine))
	}
	switch {
	case place.local != nil:
		if o.Engine == "tcp" || o.Engine == "mpi" {
			return nil, fmt.Errorf(
				"%s is %s: ranks that rank 0 starts itself have shared memory; a launcher starts others",
				envEngine,
				o.Engine,
			)
		}
		return openLocal(place, o)
	case o.Engine == "mpi", place.MPI && o.Engine == "":
		return openMPI(place, o)
	case place.Address != "":
		return openAddress(place, o)
	}
	return nil, fmt.Errorf(
		"%s started %d ranks, and MASTER_ADDR and MASTER_PORT do not say where rank 0 is to listen, "+
			"without MPI",
		place.Launcher,
		place.Size,
	)
}

// openLocal joins a parent with its children.
func openLocal(place Place, o Options) (Group, error) {
	ends := place.local
	s := newStar(place.Rank, place.Size, o)
	var err error
	if place.Rank == 0 {
		if ends.local != nil {
			s.exited = ends.local.exited
		}
		err = s.lead(o, nil, nil, ends.conns)
		ends.conns = make([]net.Conn, place.Size) // they are the star's
	} else {
		s.child = true
		err = s.join(o, nil, ends.dial, "the process that started this one")
	}
	if err != nil {
		ends.close()
		return nil, err
	}
	e, err := newShared(s, ends.memory, localToken)
	_ = ends.memory.Close()
	if err != nil {
		s.Fail(err.Error())
		s.shut()
		return nil, err
	}
	return newGroup(s, e, o), nil
}

// openAddress joins ranks that meet at an address of rank 0's.
func openAddress(place Place, o Options) (Group, error) {
	key, err := secret()
	if err != nil {
		return nil, err
	}
	return meetAt(place, o, key)
}

func meetAt(place Place, o Options, key []byte) (Group, error) {
	s := newStar(place.Rank, place.Size, o)
	if place.Rank == 0 {
		l, err := listen(place, key)
		if err != nil {
			return nil, err
		}
		if err := s.lead(o, key, l, nil); err != nil {
			return nil, err
		}
	} else {
		if err := s.join(o, key, dialer(place.Address, key), place.Address); err != nil {
			return nil, err
		}
	}
	e, err := s.chooseEngine(o, key)
	if err != nil {
		s.shut()
		return nil, err
	}
	return newGroup(s, e, o), nil
}

// dialer dials rank 0.
func dialer(address string, key []byte) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
		if err == nil && len(key) == 0 && !loopback(c.RemoteAddr()) {
			_ = c.Close()
			return nil, unsafeError(noSecret(c.RemoteAddr()))
		}
		return c, err
	}
}

// listen has rank 0 listen at its address, and nowhere else.
func listen(place Place, key []byte) (net.Listener, error) {
	if place.socket != nil {
		return place.socket, nil
	}
	where := place.Address
	if place.Listen != "" {
		host, port, err := net.SplitHostPort(place.Listen)
		if err != nil {
			_, port, _ = net.SplitHostPort(place.Address)
			host = strings.Trim(place.Listen, "[]")
		}
		where = net.JoinHostPort(host, port)
	}
	address, err := net.ResolveTCPAddr("tcp", where)
	if err != nil {
		return nil, fmt.Errorf("rank 0 is to listen at %s: %v", where, err)
	}
	if len(key) == 0 && !loopback(address) {
		return nil, errors.New(noSecret(address))
	}
	l, err := net.ListenTCP("tcp", address)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf(
			"rank 0 is to listen at %s (%v): the port is in use; another MASTER_PORT, for all ranks, "+
				"or the end of the process that listens there",
			where,
			address,
		)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return nil, fmt.Errorf(
			"rank 0 is to listen at %s (%v), which is no address of this machine: MASTER_ADDR must be "+
				"that of rank 0, or %s say which of its addresses others reach by it",
			where,
			address,
			envListen,
		)
	case err != nil:
		return nil, fmt.Errorf("rank 0 is to listen at %s: %v", where, err)
	}
	return l, nil
}

func loopback(a net.Addr) bool {
	t, ok := a.(*net.TCPAddr)
	return ok && t.IP.IsLoopback()
}

func noSecret(a net.Addr) string {
	return fmt.Sprintf("ranks meet at %v, which other machines may reach, without a secret: set %s to the same text "+
		"(16 characters or more) for all ranks, or %s to a file with it", a, envSecret, envSecretFile)
}

// chooseEngine has all ranks choose the same one: what they have in common where all are on one machine, else
// connections.
func (s *star) chooseEngine(o Options, key []byte) (engine, error) {
	choice := ""
	var memory *os.File
	if s.rank == 0 && o.Engine != "tcp" && s.sameMachine() {
		var err error
		if memory, err = sharedFile(s.size, s.session); err != nil {
			s.log("ranks: " + err.Error())
		} else {
			defer memory.Close()
			choice = fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), memory.Fd())
		}
	}
	b, err := s.Broadcast([]byte(choice))
	if err != nil {
		return nil, err
	}
	choice = string(b)
	reason := ""
	if choice != "" {
		e, err := s.openShared(memory, choice)
		if err != nil {
			reason = err.Error()
		}
		all, err := s.Gather([]byte(reason))
		if err != nil {
			return nil, err
		}
		bad := -1
		for r, m := range all {
			if len(m) > 0 && bad < 0 {
				bad, reason = r, string(m)
			}
		}
		if bad < 0 {
			return e, nil
		}
		if e != nil {
			e.close()
		}
		if s.rank == 0 {
			s.log(fmt.Sprintf("ranks: %s cannot have memory in common with rank 0, sums go over TCP: %s",
				rankAt(bad, s.members[bad]), clean(reason)))
		}
	}
	if o.Engine == "shared" {
		if reason == "" {
			reason = "not all ranks are on one machine"
		}
		s.Fail("is to have memory in common with the others: " + reason)
		return nil, s.Err()
	}
	return newMesh(s, key)
}

// openShared maps rank 0's memory by the name that its process gives it.
func (s *star) openShared(memory *os.File, path string) (*shared, error) {
	if memory == nil {
		f, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		memory = f
	}
	return newShared(s, memory, s.session)
}
