package session_test

import (
	"context"
	"testing"

	"dns-tui/gpu/host"
	"dns-tui/model/session"
)

// While a snapshot is being written, and training stands still, viewers see that; afterwards no longer.
func TestSavingIsShown(t *testing.T) {
	d := host.New(host.Options{})
	defer d.Close()
	tr, err := session.NewTrainer(mini(t, "dns_seed_mini", nil), d, session.Options{Interactive: true, Paused: true})
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	tr.OnSave(func(saving bool) {
		if saving {
			shown++
		}
	})
	tr.Start()
	must(t, tr, session.Command{Kind: session.SnapshotNow})
	if s := settle(t, tr); shown != 1 || s.Saving {
		t.Errorf("a snapshot that is being written was shown %d times; afterwards: %t", shown, s.Saving)
	}
	if _, err := tr.Do(context.Background(), session.Command{Kind: session.Stop}); err != nil {
		t.Error(err)
	}
	<-tr.Done()
}
