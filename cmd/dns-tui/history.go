package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"dns-tui/config"
	"dns-tui/files"
)

// commandHistory is the file of the commands that were typed in the UI, a line each, oldest first. Several UIs may
// add to it at once.
type commandHistory struct{ path string } // "" where there is no place for one

// The file is shortened to historyLines when it has grown to historyBytes.
const (
	historyLines = 500
	historyBytes = 64 << 10
)

func historyFile() commandHistory { return commandHistory{config.HistoryPath()} }

// read returns the newest lines; none where the file is not there or cannot be read, which add tells.
func (h commandHistory) read() []string {
	f, err := os.Open(h.path)
	if err != nil {
		return nil
	}
	defer func() { _ = f.Close() }()
	if s, err := f.Stat(); err == nil && s.Size() > 2*historyBytes { // not of this program
		_, _ = f.Seek(-2*historyBytes, io.SeekEnd)
	}
	data, err := io.ReadAll(io.LimitReader(f, 2*historyBytes))
	if err != nil {
		return nil
	}
	var lines []string
	for l := range strings.Lines(string(data)) {
		if l = strings.TrimSpace(l); l != "" {
			lines = append(lines, l)
		}
	}
	return lines[max(0, len(lines)-historyLines):]
}

// add appends a line.
func (h commandHistory) add(line string) (err error) {
	if h.path == "" {
		return errors.New("no home folder")
	}
	if err := os.MkdirAll(filepath.Dir(h.path), 0o700); err != nil {
		return err
	}
	unlock, err := files.Lock(h.path)
	if err != nil {
		return err
	}
	defer unlock()
	if s, err := os.Stat(h.path); err == nil && s.Size() > historyBytes {
		kept := strings.Join(h.read(), "\n") + "\n"
		fill := func(w io.Writer) error { _, err := io.WriteString(w, kept); return err }
		if err := files.Write(h.path, fill); err != nil {
			return err
		}
	}
	f, err := os.OpenFile(h.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	_, err = fmt.Fprintln(f, strings.ReplaceAll(line, "\n", " "))
	return err
}
