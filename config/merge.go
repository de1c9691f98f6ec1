package config

import (
	"fmt"
	"slices"
	"strings"
)

// Precedence says whose settings hold where a run resumes from a snapshot and the files say something else.
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

// Merge returns the settings of a run that is resumed: now are those of its files, saved those of the snapshot, and
// then what the files said when the snapshot was written (nil: not known, as in snapshots of versions before;
// BySnapshot holds then). notes say in a line each which of the files' edits hold or do not, kept what is as in the
// snapshot and not as in the files.
func Merge(saved, then, now *Hyper, by Precedence) (merged *Hyper, notes, kept []string) {
	merged = now.clone()
	if then == nil && by == ByEdit {
		by = BySnapshot
	}
	m := merger{by: by, merged: merged, saved: saved, then: then}
	globals := slices.Clone(globalParams)
	slices.SortFunc(globals, func(a, b Param) int { return strings.Compare(a.String(), b.String()) })
	m.merge("", globals, then != nil)
	for i := range merged.Layers {
		l := &merged.Layers[i]
		s := saved.Layer(l.Name)
		switch {
		case s == nil:
			m.notes = append(m.notes, fmt.Sprintf("%s is not in the snapshot's settings: the files' hold", l.Name))
		case s.Rule != l.Rule && m.keepsRule(l):
			m.kept = append(m.kept, fmt.Sprintf("%s %s (files: %s)",
				Field{l.Name, Rule}.InFiles(), RuleName(s.Rule), RuleName(l.Rule)))
			l.Rule = s.Rule // it was changed in the run, and so may be all that goes with it
			m.merge(l.Name, l.params(), true)
		case s.Rule != l.Rule:
			m.notes = append(
				m.notes,
				fmt.Sprintf("%s has a different surgery_rule in the snapshot: the files' settings hold", l.Name),
			)
		default:
			m.merge(l.Name, l.params(), then != nil && then.Layer(l.Name) != nil)
		}
	}
	return merged, m.notes, m.kept
}

// merger does the fields of one layer after the other, and collects what is to be told.
type merger struct {
	by                  Precedence
	merged, saved, then *Hyper
	notes               []string
	kept                []string // fields that are as the snapshot has them, and not as the files do
}

// keepsRule reports whether the rule of a layer is the snapshot's though the files have another.
func (m *merger) keepsRule(l *LayerHyper) bool {
	if m.then == nil {
		return false
	}
	then := m.then.Layer(l.Name)
	return then != nil && (m.by == BySnapshot || m.by == ByEdit && then.Rule == l.Rule)
}

// merge sets fields of merged, which hold the files' values, to those that hold. known tells that the files had the
// layer when the snapshot was written.
func (m *merger) merge(layer string, params []Param, known bool) {
	for _, p := range params {
		if p == Rule { // Merge compares it
			continue
		}
		f := Field{layer, p}
		value, _ := m.saved.Get(f)
		old := f.Format(value)
		now, _ := m.merged.Text(f)
		before, known := old, known
		if known {
			text, err := m.then.Text(f) // an error where it had another rule
			if known = err == nil; known {
				before = text
			}
		}
		field := f.InFiles()
		edited := known && before != now
		switch {
		case m.by == ByFiles || m.by == ByEdit && edited:
			if note := fileWins(field, before, old, now, known); note != "" {
				m.notes = append(m.notes, note)
			}
		case old == now:
		default:
			m.merged.assign(f, value)
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
