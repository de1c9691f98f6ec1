package collective

import (
	"fmt"
	"net"
	"os"
)

// Open joins the group of the ranks that a launcher has started, of which this process is one. It returns when all have
// joined, or says who is missing.
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
	if place.local != nil {
		return openLocal(place, o)
	}
	return nil, fmt.Errorf("no engine yet for %s", place.Launcher)
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
