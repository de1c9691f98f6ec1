package session

import (
	"fmt"
	"path/filepath"
	"strings"

	"dns-tui/config"
)

// otherThanReplayed says where a run that begins differs from the one that it replays, so that its weights will be
// others: layers, and what it starts from. A seed that the files say too gives way to the replayed one, which is
// said.
func otherThanReplayed(changes []Change, run *config.Run, now []StartLayer) []string {
	var began *Change
	for i := range changes {
		if changes[i].Start != nil {
			began = &changes[i]
			break
		}
	}
	if began == nil {
		return nil
	}
	var out []string
	if s := run.Solver.RandomSeed; s != nil && *s >= 0 && uint64(*s) != began.Seed && run.Snapshot == "" {
		out = append(
			out,
			fmt.Sprintf(
				"the random numbers are those of the replayed run, of seed %d; random_seed of the files is %d",
				began.Seed,
				*s,
			),
		)
	}
	then := map[string]int{}
	for _, l := range began.Start.Layers {
		then[l.Name] = l.Weights
	}
	var others []string
	for _, l := range now {
		was, ok := then[l.Name]
		delete(then, l.Name)
		switch {
		case !ok:
			others = append(others, l.Name+" is new")
		case was != l.Weights:
			others = append(others, fmt.Sprintf("%s has %d weights, and had %d", l.Name, l.Weights, was))
		}
	}
	for _, l := range began.Start.Layers {
		if _, ok := then[l.Name]; ok {
			others = append(others, l.Name+" is not there")
		}
	}
	if others != nil {
		out = append(
			out,
			fmt.Sprintf(
				"%s is of another net, and its run is not repeated: %s",
				run.Replay,
				strings.Join(others, ", "),
			),
		)
	}
	if a, b := startedFrom(began.Start.Weights, began.Start.From), startedFrom(run.Weights, run.Snapshot); a != b &&
		run.Snapshot == "" {
		out = append(out, fmt.Sprintf("%s began from %s, this run from %s: it is not repeated", run.Replay, a, b))
	}
	return out
}

// startedFrom names what a run starts from, by file names alone: the same file may be reached by another path.
func startedFrom(weights []string, snapshot string) string {
	if snapshot != "" {
		return filepath.Base(snapshot)
	}
	if len(weights) == 0 {
		return "its fillers"
	}
	names := make([]string, len(weights))
	for i, w := range weights {
		names[i] = filepath.Base(w)
	}
	return strings.Join(names, ", ")
}
