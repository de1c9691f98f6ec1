package remote

import (
	"testing"

	"dns-tui/config"
	"dns-tui/model/session"
)

// What is shipped is sent when it is another, and stays as it was; a run of an older program has nothing of it.
func TestShippedIsSentOnce(t *testing.T) {
	first := &session.Snapshot{Hyper: &config.Hyper{}, Shipped: &session.Shipped{Now: &session.Weighed{Iter: 3}}}
	shown, err := decodeSnapshot(encodeSnapshot(first, nil), nil)
	if err != nil || shown.Shipped.Now.Iter != 3 || shown.Shipped.Measured != nil {
		t.Fatalf("%+v, %v", shown, err)
	}
	second := *first
	second.Iter = 4
	m := encodeSnapshot(&second, first)
	if m.Shipped != nil {
		t.Error("sent though it is the same")
	}
	again, err := decodeSnapshot(m, shown)
	if err != nil || again.Shipped != shown.Shipped {
		t.Errorf("%+v, %v", again, err)
	}
	second.Shipped = nil
	old, err := decodeSnapshot(encodeSnapshot(&second, nil), nil)
	if err != nil || old.Shipped != nil {
		t.Errorf("%+v, %v", old, err)
	}
}
