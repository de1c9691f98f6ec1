package main

import "context"

func runMan(_ context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "man"), args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		return usagef("man: unexpected argument %q", rest[0])
	}
	return render(e.stdout, manualPage)
}

const manualPage = `.TH DNS\-TUI 1 "" "dns\-tui {{roff .Version}}" "User Commands"
.SH NAME
dns\-tui \- train Caffe networks and prune them while they train
.SH SYNOPSIS
.B dns\-tui
.br
.B dns\-tui
.I SOLVER
.br
.B dns\-tui
.I COMMAND
.RI [ FLAGS ]
.RI [ ARGUMENTS ]
.SH DESCRIPTION
dns\-tui trains networks of Caffe's prototxt files, on the CPU or on an NVIDIA GPU, and prunes them while they train by
Dynamic Network Surgery: a pruned weight goes on receiving its gradient, and is spliced back when it grows important
again.
Without arguments it shows the solvers and snapshots of the working folder, and the runs that are active, to choose
from.
With a solver alone it opens a terminal UI, in which thresholds are chosen by what they would prune and changed while
training runs.
The run is a process of its own: the terminal can be left and attached again.
.PP
Flags may be written
.B \-gpu
or
.BR \-\-gpu ,
and stand before, between or behind the arguments.
.SH COMMANDS
{{- range .Commands}}
.SS "dns\-tui {{roff .Name}} {{roff .Args}}"
{{roff .Help}}.
{{- range .Flags}}
.TP
.BR {{if .Value}}"\-\-{{roff .Name}} " {{with .Words}}{{range $i, $w := .}}{{if $i}} "|" {{end}}{{roff $w}}{{end}}
{{- else}}VALUE{{end}}{{else}}\-\-{{roff .Name}}{{end}}
{{roff .Usage}}
{{- with .Default}} (default: {{roff .}}){{end}}.
{{- end}}
{{- end}}
.SH FILES
.TP
.I PREFIX_iter_N.caffemodel, PREFIX_iter_N.solverstate
A snapshot: weights with their masks, and what a run needs to go on bit for bit.
PREFIX is the solver's snapshot_prefix.
.TP
.I PREFIX.journal
Every change of a run and what was measured, a line of JSON each.
.TP
.I PREFIX.log
What libraries print, and the trace of a crash.
.TP
.I $XDG_CONFIG_HOME/dns\-tui/preferences.prototxt
Preferences: theme, plots, keys.
.B dns\-tui config
prints them.
.SH ENVIRONMENT
.TP
.B DNS_TUI_RUNTIME_DIR
The folder of active runs' sockets (default: /tmp/dns\-tui\-UID).
.TP
.B CUDA_VISIBLE_DEVICES
The GPUs that
.B \-\-gpu
counts.
.TP
.B NO_COLOR
Any value but the empty one draws without colors.
.SH EXIT STATUS
0 on success, and where a signal ended a run with a snapshot; 1 on failure; 2 for a mistake in the command line.
.SH SEE ALSO
The documents that come with the program: README.md, and docs/caffe.md for the layers, solvers and flags of Caffe.
`
