package main

import (
	"context"
	"os"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/colorprofile"

	"dns-tui/escape"
	"dns-tui/human"
	"dns-tui/tui"
)

// runStart is dns-tui without arguments: what there is to begin with in the working folder, to choose from; without a
// terminal, as a list.
func runStart(ctx context.Context, e *env) error {
	a := lookAround(".")
	list, err := beginnings(ctx, a)
	if err != nil { // of the folder of active runs; the rest is there all the same
		escape.Fprintf(e.stderr, "dns-tui: %v\n", err)
	}
	note := "other nets: " + commandLine("new", someNet) + "; all commands: " + commandLine("help")
	if a.cut {
		note = "of this folder's many files, " + human.Count(mostNames) + " names and " +
			human.Count(mostParsed) + " prototxt files were looked at; " + note
	}
	switch {
	case len(list) == 0:
		printNothing(e)
		return runHelp(ctx, e, nil)
	case noTerminal(e) != "":
		for _, line := range tui.Lines(offers(list)) {
			escape.Fprintf(e.stdout, "%s\n", line)
		}
		escape.Fprintf(e.stdout, "%s\n", note)
		return nil
	}
	i, ok, err := choose("In this folder", note, list)
	if err != nil || !ok {
		return err
	}
	words := list[i].words
	if words[0] == someSolver {
		if words, err = withSolver(e, a, words); err != nil || words == nil {
			return err
		}
	}
	escape.Fprintf(e.stdout, "%s\n", commandLine(words...))
	return dispatch(ctx, e, words)
}

// printNothing says what to type where there is nothing to begin with.
func printNothing(e *env) {
	escape.Fprintf(e.stdout, "no solver, no snapshot and no net in this folder, and no active run\n")
	for _, a := range []advice{
		{"to write a solver for a net", []string{"new", someNet}},
		{"to train by a solver elsewhere", []string{someSolver}},
		{"what there is to type", []string{"help"}},
	} {
		escape.Fprintf(e.stdout, "  %s\n", a.String())
	}
	escape.Fprintln(e.stdout)
}

// withSolver asks for the solver that a snapshot goes on with, and returns the command with it; nil where none was
// chosen.
func withSolver(e *env, a *around, words []string) ([]string, error) {
	var list []beginning
	for i := range a.solvers {
		s := &a.solvers[i]
		with := append([]string{s.path()}, words[1:]...)
		list = append(list, beginning{"solver", s.path(), s.what(), "goes on from the snapshot", with})
	}
	if len(list) == 0 {
		escape.Fprintf(e.stdout, "no solver is in this folder; to go on: %s\n", commandLine(words...))
		return nil, nil
	}
	i, ok, err := choose("By which solver does "+words[2]+" go on?", "", list)
	if err != nil || !ok {
		return nil, err
	}
	return list[i].words, nil
}

// choose shows beginnings, and returns the number of the one that was chosen.
func choose(title, note string, list []beginning) (int, bool, error) {
	o, err := uiOptions(false, "")
	if err != nil {
		return 0, false, err
	}
	p := tui.NewPicker(o, title, note, offers(list))
	opts := []tea.ProgramOption{tea.WithOutput(os.Stdout)}
	if o.NoColor {
		opts = append(opts, tea.WithColorProfile(colorprofile.ASCII))
	}
	if _, err := tea.NewProgram(p, opts...).Run(); err != nil {
		return 0, false, err
	}
	i, ok := p.Picked()
	return i, ok, nil
}

func offers(list []beginning) []tui.Offer {
	var out []tui.Offer
	for _, b := range list {
		out = append(out, tui.Offer{
			Kind: b.kind, Name: b.name, What: b.what, Does: b.does, Command: commandLine(b.words...),
		})
	}
	return out
}
