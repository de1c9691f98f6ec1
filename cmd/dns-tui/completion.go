package main

import (
	"context"
	"flag"
	"io"
	"slices"
	"strings"
	"text/template"

	"dns-tui/escape"
	"dns-tui/model/autopilot"
)

// commandTable is a subcommand as the manual page and the completions of shells show it.
type commandTable struct {
	Name, Args, Help string
	Flags            []flagTable
	Operands         []string // words that may stand first behind the command, where files do not
}

// flagTable is one flag of a command.
type flagTable struct {
	Name, Usage, Default string
	Value                bool     // a value follows it
	Words                []string // the values it takes, where they are few; files otherwise
}

// flagWords are the flags whose value is one of a few words.
var flagWords = map[string][]string{
	"device":        {"host", "cuda"},
	"encode_type":   {"png", "jpg"},
	"format":        {"html", "md", "csv", "json", "text"}, // of report, and of compare
	"log":           {"plain", "caffe"},
	"phase":         {"TRAIN", "TEST"},
	"precision":     {"auto", "fp32", "tf32", "bf16"},
	"progress":      {"lines", "json"},
	"settings":      {"files", "snapshot"},
	"sighup_effect": {"stop", "snapshot", "none"},
	"sigint_effect": {"stop", "snapshot", "none"},
	"split":         {"train", "test"},
}

func init() {
	for _, o := range autopilot.Options {
		if words := o.Completions(nil); len(words) > 1 { // one alone is what stands for no value
			flagWords[o.Flag()] = words
		}
	}
}

// shells maps the shells that `dns-tui completion` writes for to their templates.
var shells = map[string]string{"bash": bashCompletion, "zsh": zshCompletion, "fish": fishCompletion}

// tables returns every subcommand with the flags that it defines.
func tables() []commandTable {
	commands := subcommands()
	names := make([]string, len(commands))
	out := make([]commandTable, len(commands))
	for i, c := range commands {
		names[i] = c.name
		out[i] = commandTable{Name: c.name, Args: c.args, Help: c.help, Flags: flagsOf(c)}
	}
	for i := range out {
		switch out[i].Name {
		case "completion":
			out[i].Operands = []string{"bash", "zsh", "fish"}
		case "dataset":
			out[i].Operands = []string{"mnist", "images"}
		case "help":
			out[i].Operands = names
		}
	}
	return out
}

// flagsOf returns a command's flags by name. The command is run as if for its help, and hands over its flag set instead
// of printing it, so that what is shown elsewhere cannot differ from what is read.
func flagsOf(c subcommand) []flagTable {
	var flags []flagTable
	e := &env{stdout: io.Discard, stderr: io.Discard, describe: func(fs *flag.FlagSet) {
		fs.VisitAll(func(f *flag.Flag) {
			toggle, ok := f.Value.(interface{ IsBoolFlag() bool })
			t := flagTable{Name: f.Name, Usage: f.Usage, Value: !ok || !toggle.IsBoolFlag(), Words: flagWords[f.Name]}
			if t.Value && f.DefValue != "0" {
				t.Default = f.DefValue
			}
			flags = append(flags, t)
		})
	}}
	_ = c.run(context.Background(), e, []string{"-h"}) // flag.ErrHelp
	return flags
}

func runCompletion(_ context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "completion"), args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("completion: wanted bash, zsh or fish, found %s", count(len(rest), "argument"))
	}
	text, ok := shells[rest[0]]
	if !ok {
		return usagef("completion: %q is not a known shell; wanted bash, zsh or fish", rest[0])
	}
	return render(e.stdout, text)
}

// render writes a template of the program's commands and flags.
func render(w io.Writer, text string) error {
	t := template.Must(template.New("").Funcs(template.FuncMap{
		"quote": escape.Shell,
		"join":  strings.Join,
		"flags": func(c commandTable) string {
			words := make([]string, len(c.Flags))
			for i, f := range c.Flags {
				words[i] = "--" + f.Name
			}
			return strings.Join(words, " ")
		},
		"zshCommand": func(c commandTable) string { return c.Name + ":" + zshText.Replace(c.Help) },
		"zshFlags":   zshFlags,
		"roff":       escape.Roff,
		"names": func(commands []commandTable) string {
			words := make([]string, len(commands))
			for i, c := range commands {
				words[i] = c.Name
			}
			return strings.Join(words, " ")
		},
	}).Parse(text))
	return t.Execute(w, struct {
		Version  string
		Commands []commandTable
		Words    []flagTable
	}{programVersion(), tables(), wordFlags()})
}

// wordFlags are the flags of flagWords, by name.
func wordFlags() []flagTable {
	out := make([]flagTable, 0, len(flagWords))
	for name, words := range flagWords {
		out = append(out, flagTable{Name: name, Words: words})
	}
	slices.SortFunc(out, func(a, b flagTable) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// zshText escapes what ends a description in zsh's _arguments and _describe.
var zshText = strings.NewReplacer(`\`, `\\`, `[`, `\[`, `]`, `\]`, `:`, `\:`)

// zshFlags returns the specifications of a command's flags for zsh's _arguments, written with one dash and with two.
func zshFlags(c commandTable) []string {
	var out []string
	for _, f := range c.Flags {
		action := ""
		switch {
		case f.Value && f.Words != nil:
			action = ":" + f.Name + ":(" + strings.Join(f.Words, " ") + ")"
		case f.Value:
			action = ":" + f.Name + ":_files"
		}
		for _, name := range []string{"-" + f.Name, "--" + f.Name} {
			out = append(out, name+"["+zshText.Replace(f.Usage)+"]"+action)
		}
	}
	operands := "_files"
	if c.Operands != nil {
		operands = "(" + strings.Join(c.Operands, " ") + ")"
		out = append(out, "1:argument:"+operands)
		operands = "_files"
	}
	return append(out, "*:file:"+operands)
}

const bashCompletion = `# bash completion of dns-tui; made by "dns-tui completion bash".
_dns_tui() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} flags= words= IFS=$' \t\n'
    COMPREPLY=()
    case ${prev#-} in
{{- range .Words}}
    {{.Name}} | -{{.Name}}) words={{join .Words " " | quote}} ;;
{{- end}}
    esac
    if [[ $prev == -* && -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        return
    fi
    case ${COMP_WORDS[1]} in
{{- range .Commands}}
    {{.Name}}) flags={{flags . | quote}} words={{join .Operands " " | quote}} ;;
{{- end}}
    *) words= ;;
    esac
    if [[ $COMP_CWORD -eq 1 ]]; then
        words={{names .Commands | quote}}
    fi
    if [[ $cur == -* ]]; then
        [[ $cur == --* ]] || flags=" ${flags//--/-}"
        COMPREPLY=($(compgen -W "$flags" -- "$cur"))
        return
    fi
    if [[ $COMP_CWORD -le 2 && -n $words ]]; then
        COMPREPLY=($(compgen -W "$words" -- "$cur"))
        [[ $COMP_CWORD -eq 1 ]] || return
    fi
    IFS=$'\n'
    COMPREPLY+=($(compgen -f -- "$cur"))
}
complete -o filenames -F _dns_tui dns-tui
`

const zshCompletion = `#compdef dns-tui
# zsh completion of dns-tui; made by "dns-tui completion zsh".
_dns_tui() {
    local -a commands
    commands=(
{{- range .Commands}}
        {{zshCommand . | quote}}
{{- end}}
    )
    if (( CURRENT == 2 )); then
        _describe -t commands command commands
        _files
        return
    fi
    shift words
    (( CURRENT-- ))
    case $words[1] in
{{- range .Commands}}
    {{.Name}})
        _arguments \
{{- range zshFlags .}}
            {{quote .}} \
{{- end}}
            && return
        ;;
{{- end}}
    *) _files ;;
    esac
}
if [[ $funcstack[1] == _dns_tui ]]; then
    _dns_tui "$@"
else
    compdef _dns_tui dns-tui
fi
`

const fishCompletion = `# fish completion of dns-tui; made by "dns-tui completion fish".
{{- range .Commands}}
complete -c dns-tui -n __fish_use_subcommand -a {{quote .Name}} -d {{quote .Help}}
{{- end}}
{{range $c := .Commands}}
{{- range .Flags}}
complete -c dns-tui -n '__fish_seen_subcommand_from {{$c.Name}}' -l {{.Name}} -o {{.Name}} -d {{quote .Usage}}
{{- if .Words}} -x -a {{join .Words " " | quote}}{{else if .Value}} -r -F{{end}}
{{- end}}
{{- if .Operands}}
complete -c dns-tui -n '__fish_seen_subcommand_from {{.Name}}' -f -a {{join .Operands " " | quote}}
{{- end}}
{{- end}}
`
