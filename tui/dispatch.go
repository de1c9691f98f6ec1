package tui

import (
	"charm.land/bubbles/v2/key"
	tea "charm.land/bubbletea/v2"

	"dns-tui/model/session"
)

// perform does what a screen, a dialog or a line wants.
func (a *App) perform(i intent) tea.Cmd {
	switch i := i.(type) {
	case intents:
		var cmds []tea.Cmd
		for _, one := range i {
			cmds = append(cmds, a.perform(one))
		}
		return tea.Batch(cmds...)
	case action:
		return a.act(i.binding)
	case send:
		return a.do(i.Command, "")
	case sendTyped:
		return a.do(i.Command, i.text)
	case predict:
		return a.predict(i.settings)
	case show:
		a.open = i.screen
		return a.pass(openedScreen{})
	case notice:
		a.tell(i)
	case clip:
		return a.clip(i)
	case remember:
		return a.remember(i.text)
	case typeLine:
		var cmd tea.Cmd
		a.line, cmd = newLine(a.env, i)
		return cmd
	case ask:
		a.dialog = i.dialog
	case toggleLog:
		a.logScale = !a.logScale
	case listJournals:
		return a.listJournals()
	case compareWith:
		return a.readJournal(i.path)
	case compareNot:
		a.comparedNot(i.path)
	case smoothMore:
		a.smoothing = (a.smoothing + 1) % smoothings
	case choose, measure:
		return a.perform(a.screens[mainID].Update(i))
	case stopRun:
		return a.stop(i.save)
	case detach:
		return a.detach()
	}
	return nil
}

// key dispatches a key: to what is over the screen, else by the table to the program or a screen.
func (a *App) key(k tea.KeyPressMsg) tea.Cmd {
	k = escOnce(k)
	name := k.String()
	if a.held != "" {
		a.held = ""
		return nil
	}
	if name == "ctrl+c" {
		return a.interrupt()
	}
	if key.Matches(k, a.keys.App.Suspend.Binding) && (a.line == nil || k.Text == "") {
		return tea.Suspend
	}
	a.notice, a.alerts.headline = notice{}, ""
	switch {
	case a.session == nil:
		return a.loadingKey(k)
	case a.dialog != nil:
		i, open := a.dialog.Update(name)
		if !open {
			a.dialog = nil
		}
		return a.perform(i)
	case a.line != nil:
		return a.typed(k)
	}
	for _, b := range a.keys.table {
		if b.in.has(a.open) && key.Matches(k, b.Binding) {
			return a.act(b)
		}
	}
	return a.pass(k)
}

// escOnce is a key, or esc where that was pressed twice: terminals tell it as alt+esc.
func escOnce(k tea.KeyPressMsg) tea.KeyPressMsg {
	if k.String() == "alt+esc" {
		return tea.KeyPressMsg{Code: tea.KeyEscape}
	}
	return k
}

// choices counts the thresholds that are chosen and not sent.
func (a *App) choices() int { return len(a.screens[mainID].(*mainScreen).choices.draft) }

// interrupt asks how to leave; a second time it leaves.
func (a *App) interrupt() tea.Cmd {
	_, asked := a.dialog.(*quitDialog)
	switch {
	case a.exit.leaving: // the run does not answer: it is left to itself
		a.exit.leaving, a.exit.stopped = false, false
		return tea.Quit
	case asked || a.session == nil:
		return a.stop(true)
	}
	a.line = nil
	return a.perform(askToLeave(a.env))
}

// typed hands a message to the line.
func (a *App) typed(msg tea.Msg) tea.Cmd {
	i, open, cmd := a.line.Update(msg)
	if !open {
		a.line = nil
	}
	return tea.Batch(cmd, a.perform(i))
}

// act does an action, unless it steers and the viewer only reads.
func (a *App) act(b *binding) tea.Cmd {
	if !a.may(b) {
		return a.perform(refuse("this session is read-only: attach without --read-only to steer"))
	}
	if i := steer(&a.keys.Run, a.env, b); i != nil {
		return a.perform(i)
	}
	k := &a.keys.App
	switch b {
	case &k.Glyphs:
		a.theme = newTheme((a.theme.tier+1)%tiers, a.theme.light, a.theme.mono)
		a.tell(notice{text: "drawn with " + a.theme.tier.String()})
		return a.pass(glyphsChanged{})
	case &k.Freeze:
		a.held = a.frame()
		return nil
	case &k.CopyCell:
		return a.perform(copyCell(a.screens[a.open]))
	case &k.CopyTable:
		return a.perform(copyTable(a.screens[a.open]))
	case &k.Alert:
		a.tell(notice{text: a.alerts.next()})
		return nil
	case &k.Command:
		return a.perform(typeLine{purpose: newCommandLine(a.env)})
	case &k.Palette:
		return a.perform(typeLine{purpose: newPalette(a.env, a.keys, a.open, a.choices())})
	case &k.Detach:
		return a.detach()
	case &k.Quit:
		return a.perform(askToLeave(a.env))
	}
	if j, ok := a.keys.travels(b); ok {
		return a.pass(travel{j})
	}
	if to, ok := a.keys.opens(b); ok {
		return a.perform(show{to})
	}
	owner := a.open
	if !b.in.has(owner) { // from the palette
		owner = mainID
	}
	return a.perform(a.screens[owner].Update(action{b}))
}

// loadingKey is a key before the session is there. There is nothing to lose yet, and so no question.
func (a *App) loadingKey(k tea.KeyPressMsg) tea.Cmd {
	switch {
	case key.Matches(k, a.keys.App.Quit.Binding):
		return a.stop(false)
	case a.opts.Attached && k.String() == "d":
		return tea.Quit
	}
	return nil
}

// stop ends the run and the UI. A viewer that only reads ends the UI.
func (a *App) stop(save bool) tea.Cmd {
	if a.readOnly && a.session != nil {
		return a.detach()
	}
	a.exit.stopped, a.exit.stopSent = a.session != nil, a.session != nil
	if a.session == nil || a.snap != nil && a.snap.State.Ended() && a.snap.State != session.Finished {
		return tea.Quit
	}
	a.exit.leaving = true
	a.tell(notice{text: "stopping; ctrl+c once more leaves without waiting"})
	return a.do(session.Command{Kind: session.Stop, Save: save}, "")
}

// detach leaves the run to itself.
func (a *App) detach() tea.Cmd {
	if s, ok := a.session.(interface{ Run() string }); !ok || s.Run() == "" {
		if !a.exit.leaving {
			a.tell(notice{"this run could not be attached to: it has no socket (the journal says why)", true})
			return nil
		}
	}
	a.exit.leaving, a.exit.stopped = false, false
	return tea.Quit
}
