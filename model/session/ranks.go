package session

import (
	"encoding/json"
	"fmt"
	"time"

	"dns-tui/gpu"
	"dns-tui/gpu/collective"
)

// RankStats is how one of several ranks does.
type RankStats struct {
	Host   string // the machine
	PID    int
	Device string
	Health gpu.Health    // of the device
	Silent time.Duration // since it was last heard of
	// Waiting is the fraction of its time in which it waited for the others: the slowest waits least. -1: not known.
	Waiting float64
}

// ranks is what a run shows of its ranks. Of a run that is one process it is the zero value.
type ranks struct {
	group   collective.Group // nil
	devices []string
	engine  string    // what carries the sums
	beside  bool      // and that is not the group: it does not know who waits
	at      time.Time // when stats were made
	last    []collective.Status
	stats   []RankStats // never changed
}

// newRanks is a group's ranks. sums is what carries sums where that is not the group; else it is empty.
func newRanks(g collective.Group, devices []string, sums string) ranks {
	r := ranks{group: g, devices: devices, engine: sums, beside: sums != ""}
	if g != nil && !r.beside {
		r.engine = g.Engine()
	}
	return r
}

// ranksEvery is the least time between two looks at the ranks: what they tell of themselves is not newer.
const ranksEvery = time.Second

// size is how many ranks there are.
func (t *ranks) size() int {
	if t.group == nil {
		return 1
	}
	return t.group.Size()
}

// failed is closed when the ranks have parted by a failure; nil where there are none.
func (t *ranks) failed() <-chan struct{} {
	if t.group == nil {
		return nil
	}
	return t.group.Failed()
}

// show puts into a snapshot how the ranks do.
func (t *ranks) show(sn *Snapshot, now time.Time) {
	if t.group == nil {
		return
	}
	if since := now.Sub(t.at); since >= ranksEvery || t.stats == nil {
		status := t.group.Status()
		t.stats, t.last, t.at = t.look(status, since, now), status, now
	}
	sn.Ranks, sn.Engine = t.stats, t.engine
	sn.BatchSize *= t.size()
}

func (t *ranks) look(status []collective.Status, since time.Duration, now time.Time) []RankStats {
	members := t.group.Members()
	stats := make([]RankStats, len(members))
	for i, m := range members {
		stats[i] = RankStats{Host: m.Host, PID: m.PID}
		if i < len(t.devices) {
			stats[i].Device = t.devices[i]
		}
		if i < len(status) && !status[i].Seen.IsZero() {
			stats[i].Silent = max(0, now.Sub(status[i].Seen))
		}
		if i < len(status) && len(status[i].Told) > 0 {
			_ = json.Unmarshal(status[i].Told, &stats[i].Health) // else it is not known
		}
		if t.beside {
			stats[i].Waiting = -1
		} else if i < len(status) && i < len(t.last) && since > 0 {
			waited := status[i].Waiting - t.last[i].Waiting
			stats[i].Waiting = max(0, min(1, float64(waited)/float64(since)))
		}
	}
	return stats
}

// describe says who the ranks are, in one line.
func (t *ranks) describe(perRank, iterSize int) string {
	n := t.size()
	hosts := map[string]bool{}
	for _, m := range t.group.Members() {
		hosts[m.Host] = true
	}
	where := ""
	if len(hosts) > 1 {
		where = fmt.Sprintf(" on %d machines", len(hosts))
	}
	return fmt.Sprintf("%d ranks%s, sums by %s: %d images an iteration", n, where, t.engine, n*perRank*iterSize)
}
