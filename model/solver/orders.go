package solver

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"dns-tui/config"
	"dns-tui/gpu/collective"
	"dns-tui/model"
)

// An order is what rank 0 tells the others to do, as it does it itself. It is a message of Group.Broadcast: a byte that
// says what, then what goes with it. Between two orders all ranks have the same weights, masks, settings and place.
type order byte

const (
	advanceOrder    order = iota + 1 // one iteration: its number, 8 bytes
	settingsOrder                    // new hyperparameters: config.Hyper as JSON
	driveOrder                       // Drive: the layers' names as JSON
	nextOrder                        // OperateNext
	rateOrder                        // SetRateFactor: the number as JSON
	statisticsOrder                  // the statistics that KeepStatistics takes, as JSON
	operateOrder                     // OperateAll: the layers' names as JSON, or null
	hardenOrder                      // Harden: the layers' names as JSON
	drainOrder                       // Drain: iterations that are under way are to be settled
	testOrder                        // Test: the number of the test net as JSON
	adoptOrder                       // the state of rank 0 follows (adopt.go)
	passOrder                        // within an iteration: the next pass is to be run
	giveUpOrder                      // within an iteration: it is given up
	endOrder                         // the run has ended
)

// told is rank 0's side: what it has said, and room to say it.
type told struct {
	room    []byte
	err     error    // the first failure: what was not heard will not be done
	holding bool     // ranks test together: the others hear no order before it is done
	held    [][]byte // orders for then
}

// leads reports whether this solver tells others what to do.
func (s *Solver) leads() bool { return s.ranks.group != nil && s.ranks.rank == 0 }

// tell tells the other ranks what this one does; v goes as JSON. Where there are none it does nothing. A failure comes
// out at the next iteration.
func (s *Solver) tell(o order, v any) {
	if !s.leads() {
		return
	}
	body, err := json.Marshal(v)
	if err != nil {
		s.ranks.told.fail(err)
		return
	}
	t := &s.ranks.told
	t.room = append(append(t.room[:0], byte(o)), body...)
	if t.holding {
		t.held = append(t.held, slices.Clone(t.room))
		return
	}
	s.send(t.room)
}

// holdOrders keeps what is told for later; until it is called with false, which tells it.
func (s *Solver) holdOrders(hold bool) {
	t := &s.ranks.told
	if t.holding = hold; hold {
		return
	}
	for _, message := range t.held {
		s.send(message)
	}
	t.held = nil
}

func (s *Solver) send(message []byte) {
	if _, err := s.ranks.group.Broadcast(message); err != nil {
		s.ranks.told.fail(err)
	}
}

func (t *told) fail(err error) {
	if t.err == nil {
		t.err = err
	}
}

// tellAdvance tells that an iteration begins. It fails where an order was not heard.
func (s *Solver) tellAdvance() error {
	if !s.leads() {
		return nil
	}
	t := &s.ranks.told
	t.room = binary.LittleEndian.AppendUint64(append(t.room[:0], byte(advanceOrder)), uint64(s.Iter))
	s.send(t.room)
	if t.err != nil {
		return s.abandon(nil, t.err)
	}
	return nil
}

// agreeToStop tells all ranks before a pass whether the iteration is given up: rank 0 decides.
func (s *Solver) agreeToStop() (bool, error) {
	o := passOrder
	if s.ranks.rank == 0 && s.Interrupted != nil && s.Interrupted() {
		o = giveUpOrder
	}
	t := &s.ranks.told
	t.room = append(t.room[:0], byte(o))
	heard, err := s.ranks.group.Broadcast(t.room)
	if err != nil {
		return false, err
	}
	return len(heard) == 1 && order(heard[0]) == giveUpOrder, nil
}

// Follow does what rank 0 says until it says that the run has ended: the whole work of the other ranks. It returns the
// first failure, this rank's or another's.
func (s *Solver) Follow() error {
	g := s.ranks.group
	if g == nil || s.ranks.rank == 0 {
		return errors.New("rank 0 has nobody to follow")
	}
	for {
		message, err := g.Broadcast(nil)
		if err != nil {
			return err
		}
		if len(message) == 0 {
			return errors.New("rank 0 sent an order without a word")
		}
		if order(message[0]) == endOrder {
			return nil
		}
		if err := s.obey(order(message[0]), message[1:]); err != nil {
			return err
		}
	}
}

// obey carries out an order.
func (s *Solver) obey(o order, body []byte) error {
	var unstable *UnstableError
	var givenUp *GivenUpError
	var layers []string
	switch o {
	case advanceOrder:
		if len(body) != 8 || binary.LittleEndian.Uint64(body) != uint64(s.Iter) {
			return fmt.Errorf("rank 0 is not at iteration %d, as this rank is", s.Iter)
		}
		err := s.Advance()
		if errors.As(err, &unstable) || errors.As(err, &givenUp) {
			return nil // rank 0 has it too, and decides what follows
		}
		return err
	case settingsOrder:
		h := &config.Hyper{}
		if err := json.Unmarshal(body, h); err != nil {
			return err
		}
		return s.SetHyper(h)
	case driveOrder, operateOrder, hardenOrder:
		if err := json.Unmarshal(body, &layers); err != nil {
			return err
		}
		switch o {
		case driveOrder:
			s.Drive(layers)
		case operateOrder:
			s.OperateAll(layers)
		default:
			return s.Harden(layers)
		}
	case nextOrder:
		s.OperateNext()
	case rateOrder:
		return json.Unmarshal(body, &s.rateFactor)
	case statisticsOrder:
		return s.obeyStatistics(body)
	case drainOrder:
		err := s.Drain()
		if errors.As(err, &unstable) {
			return nil
		}
		return err
	case testOrder:
		var net int
		if err := json.Unmarshal(body, &net); err != nil {
			return err
		}
		if _, err := s.testDealt(net, nil); err != nil && !errors.Is(err, model.ErrStopped) {
			return err
		}
	case adoptOrder:
		return s.adoptState()
	default:
		return fmt.Errorf("rank 0 sent an order that this rank does not know: %d", o)
	}
	return nil
}

// layerStatistics are those of a layer's first surgery, on their way to the other ranks.
type layerStatistics struct {
	Layer     string
	Mu, Sigma float32
}

func (s *Solver) obeyStatistics(body []byte) error {
	var list []layerStatistics
	if err := json.Unmarshal(body, &list); err != nil {
		return err
	}
	for _, l := range list {
		if p := s.surgeon.byName[l.Layer]; p != nil {
			p.measured, p.mu, p.sigma = true, l.Mu, l.Sigma
		}
	}
	return nil
}

// End tells the other ranks that the run has ended, well or with the reason of a failure.
func (s *Solver) End(failure error) {
	g := s.ranks.group
	switch {
	case g == nil:
	case failure != nil:
		g.Fail(collective.CannotGoOn + failure.Error())
	case s.ranks.rank == 0 && g.Err() == nil:
		s.send([]byte{byte(endOrder)})
	}
}
