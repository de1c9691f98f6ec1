package config

import (
	"fmt"
	"maps"
	"slices"
)

// Precedence says whose settings hold where a run goes on from a snapshot and the files say something else.
type Precedence string

// The precedences, as --settings takes them.
const (
	// ByEdit: what the files say differently from when the snapshot was written was edited since, and holds; everything
	// else is as the snapshot has it, with the changes that were made live.
	ByEdit Precedence = ""
	// BySnapshot: everything is as the snapshot has it.
	BySnapshot Precedence = "snapshot"
	// ByFiles: everything is as the files have it.
	ByFiles Precedence = "files"
)

// Merge returns the settings of a run that goes on: now are those of its files, saved those of the snapshot, and then
// what the files said when the snapshot was written (nil: not known, as in snapshots of versions before; BySnapshot
// holds then). notes say in a line each which of the files' edits hold or do not, kept what is as in the snapshot and
// not as in the files.
func Merge(saved, then, now *Hyper, by Precedence) (merged *Hyper, notes, kept []string) {
	merged = now.clone()
	if then == nil && by == ByEdit {
		by = BySnapshot
	}
	m := merger{by: by}
	m.merge("", merged.global(), saved.global(), then.globalOrNil())
	olds, thens := saved.byName(), then.byName()
	for i := range merged.Layers {
		l := &merged.Layers[i]
		s, t := olds[l.Name], thens[l.Name]
		switch {
		case s == nil:
			m.notes = append(m.notes, fmt.Sprintf("%s is not in the snapshot's settings: the files' hold", l.Name))
		case s.Rule != l.Rule:
			m.notes = append(
				m.notes,
				fmt.Sprintf("%s has another surgery_rule than in the snapshot: the files' settings hold", l.Name),
			)
		default:
			var before map[string]any
			if t != nil {
				before = t.fields()
			}
			m.merge(l.Name+".", l.fields(), s.fields(), before)
		}
	}
	return merged, m.notes, m.kept
}

// byName indexes the layers; nil has none.
func (h *Hyper) byName() map[string]*LayerHyper {
	if h == nil {
		return nil
	}
	m := make(map[string]*LayerHyper, len(h.Layers))
	for i := range h.Layers {
		m[h.Layers[i].Name] = &h.Layers[i]
	}
	return m
}

func (h *Hyper) globalOrNil() map[string]any {
	if h == nil {
		return nil
	}
	return h.global()
}

// merger does the fields of one layer after the other, and collects what is to be told.
type merger struct {
	by    Precedence
	notes []string
	kept  []string // fields that are as the snapshot has them, and not as the files do
}

// merge sets fields, which hold the files' values, to those that hold. then is nil where it is not known.
func (m *merger) merge(prefix string, fields, saved, then map[string]any) {
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		field, now, old := fileField(prefix, name), format(fields[name]), format(saved[name])
		before, known := old, false
		if p, ok := then[name]; ok {
			before, known = format(p), true
		}
		edited := known && before != now
		switch {
		case m.by == ByFiles || m.by == ByEdit && edited:
			if note := fileWins(field, before, old, now, known); note != "" {
				m.notes = append(m.notes, note)
			}
		case old == now:
		default:
			assign(fields[name], saved[name])
			if edited {
				m.notes = append(
					m.notes,
					fmt.Sprintf(
						"%s is %s by the snapshot, though the files were edited from %s to %s",
						field,
						old,
						before,
						now,
					),
				)
			} else {
				m.kept = append(m.kept, fmt.Sprintf("%s %s (files: %s)", field, old, now))
			}
		}
	}
}

// fileField is a field as the files call it: what is told here is looked for there.
func fileField(layer, name string) string {
	switch {
	case layer == "":
		return FileName(name)
	case name == "stop":
		return layer + "iter_stop"
	}
	return layer + name
}

// assign sets a field to the value of another of its kind.
func assign(to, from any) {
	switch to := to.(type) {
	case *float64:
		*to = *from.(*float64)
	case *int:
		*to = *from.(*int)
	case *bool:
		*to = *from.(*bool)
	}
}

// fileWins says that a field is as the files have it; "" where nobody said anything else.
func fileWins(field, before, saved, file string, known bool) string {
	switch {
	case saved == file:
		return ""
	case !known:
		return fmt.Sprintf("%s is %s by the files; it was %s in the snapshot", field, file, saved)
	case before == file:
		return fmt.Sprintf("%s is %s by the files; it was set to %s in the run", field, file, saved)
	case saved != before:
		return fmt.Sprintf(
			"%s %s → %s: the files were edited since the snapshot; the %s that was set in the run does not hold any "+
				"more",
			field,
			before,
			file,
			saved,
		)
	}
	return fmt.Sprintf("%s %s → %s: the files were edited since the snapshot", field, before, file)
}
