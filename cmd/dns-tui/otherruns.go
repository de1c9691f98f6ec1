package main

import (
	"os"
	"path/filepath"
	"strings"

	"dns-tui/files"
	"dns-tui/model/session"
	"dns-tui/tui"
)

// journals are those of other runs; of a run in another process dir is its working folder, "" where it is this one.
func journals(dir func() string) tui.Journals {
	return tui.Journals{
		Beside: func(own string) ([]string, error) {
			if d := dir(); d != "" && !filepath.IsAbs(own) {
				own = filepath.Join(d, own)
			}
			return journalsBeside(own)
		},
		Read: readHistory,
	}
}

// journalsBeside lists the journals in the folder of one, without it, by name.
func journalsBeside(own string) ([]string, error) {
	folder, err := filepath.Abs(filepath.Dir(own))
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return nil, err
	}
	var out []string
	for _, e := range entries {
		if name := e.Name(); !e.IsDir() && files.HasExt(name, ".journal") && name != filepath.Base(own) {
			out = append(out, filepath.Join(folder, name))
		}
	}
	return out, nil
}

// readHistory reads how a run did from its journal.
func readHistory(path string) (*session.History, error) {
	lines, err := session.ReadJournal(path)
	if err != nil {
		return nil, err
	}
	return session.NewHistory(lines), nil
}

// compared are the runs that --compare names.
func compared(list string) ([]tui.Compared, error) {
	var out []tui.Compared
	for _, path := range strings.FieldsFunc(list, func(r rune) bool { return r == ',' }) {
		h, err := readHistory(path)
		if err != nil {
			return nil, err
		}
		c := tui.Compared{Name: strings.TrimSuffix(filepath.Base(path), ".journal"), History: h}
		if c.Path, err = filepath.Abs(path); err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return out, nil
}
