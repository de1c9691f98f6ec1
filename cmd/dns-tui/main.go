// Dns-tui trains Caffe networks and prunes them while they train, steered live from a terminal.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strings"
	"syscall"
	"time"

	"dns-tui/caffe"
	"dns-tui/config"
	"dns-tui/escape"
	"dns-tui/files"
	"dns-tui/model/autopilot"
	"dns-tui/model/session"
)

// version is set by the linker.
var version = "dev"

// subcommand is one of the program's commands: a file each.
type subcommand struct {
	name, args, help string
	run              func(ctx context.Context, e *env, args []string) error
}

// env is what a command talks to.
type env struct {
	stdin  *os.File
	stdout io.Writer
	stderr io.Writer
	// resumeFlags are the flags that the run wants again when it is resumed.
	resumeFlags []string
	// describe takes a command's flags in place of the printing of its help.
	describe func(*flag.FlagSet)
}

func subcommands() []subcommand {
	return []subcommand{
		{"ui", "SOLVER", "train and prune in the terminal UI; what `dns-tui SOLVER` does", runUI},
		{"train", "--solver SOLVER", "train without a UI: progress lines, for logs and scripts", runTrain},
		{
			"search",
			"--budget 0.2% --weights FILE SOLVER",
			"find the smallest net within an accuracy budget, on held-out images",
			runSearch,
		},
		{"new", "NET", "ask five questions, and write a solver that fine-tunes and prunes a net", runNew},
		{"runs", "", "list active runs that can be attached", runRuns},
		{"attach", "[RUN]", "open the UI on an active run", runAttach},
		{
			"report",
			"[--format html|md|csv|json] RUN",
			"how a run went: plots, the final table, what you ship, every change, the recipe to repeat it",
			runReport,
		},
		{"config", "", "print the current preferences and all key bindings", runConfig},
		{"test", "--model NET --weights FILE", "evaluate weights", runTest},
		{
			"compare",
			"--model NET A B",
			"two weights files on one net: accuracy, what each layer keeps, sizes, speed",
			runCompare,
		},
		{"time", "--model NET", "measure each layer, forward and backward", runTime},
		{"memory", "SOLVER", "what a run takes of a device's memory, before it runs", runMemory},
		{
			"inspect",
			"FILE",
			"show what a caffemodel, compact file, solverstate, prototxt, binaryproto or database holds",
			runInspect,
		},
		{"draw", "NET OUT.svg", "draw a net as SVG or DOT, with the sparsity of --weights", runDraw},
		{
			"export",
			"IN OUT.caffemodel|OUT.dnz|OUT.onnx|OUT.safetensors",
			"write pruned weights without masks: for another Caffe, in few bytes, for any runtime, for PyTorch",
			runExport,
		},
		{"upgrade", "IN… OUT", "write nets and solvers in Caffe's present form; OUT may be a folder", runUpgrade},
		{"dataset", "mnist|images …", "make a database that Caffe reads: of MNIST, of a list of images", runDataset},
		{"mean", "DB OUT.binaryproto", "the mean image of a database", runMean},
		{"features", "BLOB[,…] OUT…", "run --model with --weights and write blobs to databases", runFeatures},
		{"parity", "DIR", "compare with reference vectors of a real Caffe", runParity},
		{"devices", "", "list the devices of this machine", runDevices},
		{"completion", "bash|zsh|fish", "print a shell's completion script", runCompletion},
		{"man", "", "print the manual page, for man -l", runMan},
		{"version", "", "print the version", runVersion},
		{"help", "[COMMAND]", "this text", runHelp},
	}
}

// noticeWriter is where a command says that it wrote to path: not among what it wrote.
func (e *env) noticeWriter(path string) io.Writer {
	if files.IsStdout(path) {
		return e.stderr
	}
	return e.stdout
}

// sameFile reports whether two paths lead to one file.
func sameFile(a, b string) bool {
	x, err := os.Stat(a)
	if err != nil {
		return false
	}
	y, err := os.Stat(b)
	return err == nil && os.SameFile(x, y)
}

// usageError is a mistake in the command line: exit status 2.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

// count is a number of things in words.
func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	if strings.HasSuffix(what, "s") || strings.HasSuffix(what, "ch") {
		what += "e"
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

func main() {
	config.Program = os.Args[0]
	e := &env{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	os.Exit(guard(e, os.Args[1:]))
}

// guard turns what goes wrong into a message and an exit status: 1 for a failure, 2 for a wrong command line. A panic
// is a mistake of the program; its user gets a message, not a stack.
func guard(e *env, args []string) (status int) {
	defer func() {
		if r := recover(); r != nil {
			reportInternal(e, r, debug.Stack())
			status = 1
		}
	}()
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	out := &output{w: e.stdout}
	err := dispatch(ctx, &env{stdin: e.stdin, stdout: out, stderr: e.stderr}, args)
	lost := out.failed()
	if lost != nil && errors.Is(err, lost) {
		err = nil // told below, in one line
	}
	status = statusOf(e, err)
	if lost != nil {
		escape.Fprintf(e.stderr, "dns-tui: %v\n", caffe.NotWritten("standard output", lost))
		status = max(status, 1)
	}
	return status
}

// statusOf prints the error of a command, and returns the exit status.
func statusOf(e *env, err error) (status int) {
	var u usageError
	var internal *session.InternalError
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return 0
	case errors.As(err, &u):
		escape.Fprintf(e.stderr, "dns-tui: %v\n", err)
		return 2
	case errors.Is(err, errDisagree), errors.Is(err, errParted):
		return 1
	case errors.As(err, &internal):
		reportInternal(e, internal.Cause, internal.Stack)
		return 1
	}
	escape.Fprintf(e.stderr, "dns-tui: %v\n", err)
	return 1
}

// reportInternal tells of a mistake of the program, in a command or in a run's own goroutine.
func reportInternal(e *env, cause any, stack []byte) {
	escape.Fprintf(
		e.stderr,
		"dns-tui: internal error: %v\nThis is a bug in dns-tui; its trace is in %s\n",
		cause,
		crashReport(cause, stack),
	)
}

func crashReport(r any, stack []byte) string {
	f, err := os.CreateTemp("", "dns-tui-crash-*.txt")
	if err != nil {
		return "(no file: " + err.Error() + ")"
	}
	defer f.Close()
	fmt.Fprintf(f, "%v\n%s", r, stack)
	return f.Name()
}

// dispatch finds the command. A first argument that is no command but a file is a solver for the UI.
func dispatch(ctx context.Context, e *env, args []string) error {
	if len(args) == 0 {
		return runStart(ctx, e)
	}
	name := args[0]
	switch name {
	case "-h", "--help", "-help":
		return runHelp(ctx, e, nil)
	case "device_query": // as Caffe has it
		return runDevices(ctx, e, args[1:])
	case runHostName: // the process of a run, started by ui
		return runHost(ctx, e, args[1:])
	case rankCommand: // started by a run of several ranks
		return runRank(ctx, e, args[1:])
	case searchHost: // started by search
		return runSearchHost(ctx, e, args[1:])
	case "-version", "--version":
		return runVersion(ctx, e, nil)
	}
	var names []string
	for _, c := range subcommands() {
		if c.name == name {
			return c.run(ctx, e, args[1:])
		}
		names = append(names, c.name)
	}
	if _, err := os.Stat(name); err == nil || files.HasExt(name, ".prototxt") || strings.HasPrefix(name, "-") {
		return runUI(ctx, e, args)
	}
	if c := caffe.Closest(name, names); c != "" {
		return usagef("no command %q and no such file; did you mean %q?", name, c)
	}
	return usagef("no command %q and no such file; see dns-tui help", name)
}

// newFlags returns a flag set that prints a command's help.
func newFlags(e *env, name string) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.Usage = func() {
		if e.describe != nil {
			e.describe(fs)
			return
		}
		for _, c := range subcommands() {
			if c.name == name {
				escape.Fprintf(e.stdout, "dns-tui %s %s\n  %s\n", c.name, c.args, c.help)
			}
		}
		printFlags(e.stdout, fs)
	}
	return fs
}

// printFlags prints the help of flags, that of the autopilot's under a heading, in the order of its options.
func printFlags(w io.Writer, fs *flag.FlagSet) {
	others := flag.NewFlagSet("", flag.ContinueOnError)
	fs.VisitAll(func(f *flag.Flag) {
		if !strings.HasPrefix(f.Usage, autopilotUsage) {
			others.Var(f.Value, f.Name, f.Usage)
			others.Lookup(f.Name).DefValue = f.DefValue // the value may be another by now
		}
	})
	others.SetOutput(w)
	others.PrintDefaults()
	headed := false
	for _, o := range autopilot.Options {
		f := fs.Lookup(o.Flag())
		if f == nil || !strings.HasPrefix(f.Usage, autopilotUsage) {
			continue
		}
		one := flag.NewFlagSet("", flag.ContinueOnError)
		one.Var(f.Value, f.Name, strings.TrimPrefix(f.Usage, autopilotUsage))
		if !headed {
			escape.Fprintf(w, "Thresholds found by the program, for a target:\n")
			headed = true
		}
		one.SetOutput(w)
		one.PrintDefaults()
	}
}

// parse reads flags that may stand before, between and behind the operands.
func parse(fs *flag.FlagSet, args []string) ([]string, error) {
	var rest []string
	usage := fs.Usage
	fs.Usage = func() {} // an error is one line, not the whole help above it
	for {
		if err := fs.Parse(args); err != nil {
			if errors.Is(err, flag.ErrHelp) {
				usage()
				return nil, err
			}
			return nil, usagef("%s: %v; see dns-tui %s -h", fs.Name(), err, fs.Name())
		}
		args = fs.Args()
		if len(args) == 0 {
			return rest, nil
		}
		rest = append(rest, args[0])
		args = args[1:]
	}
}

// signals calls stop on SIGINT and SIGTERM, and hangup on SIGHUP.
func signals(ctx context.Context, stop func(os.Signal), hangup func()) {
	signal.Ignore(syscall.SIGPIPE) // a reader of the log that goes away must not end the training
	c := make(chan os.Signal, 4)
	signal.Notify(c, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	go func() {
		defer signal.Stop(c)
		for {
			select {
			case <-ctx.Done():
				return
			case s := <-c:
				if s == syscall.SIGHUP {
					hangup()
				} else {
					stop(s)
				}
			}
		}
	}()
}

// removeOnSignal lets SIGINT and SIGTERM end the program as they do, but not before what it has begun to write is
// removed. Where they are ignored (nohup, a job in the background) they stay so.
func removeOnSignal(ctx context.Context) {
	c := make(chan os.Signal, 1)
	for _, s := range []os.Signal{syscall.SIGINT, syscall.SIGTERM} {
		if !signal.Ignored(s) {
			signal.Notify(c, s)
		}
	}
	go func() {
		defer signal.Stop(c)
		select {
		case <-ctx.Done():
		case s := <-c:
			files.RemovePending()
			signal.Reset(s)
			_ = syscall.Kill(os.Getpid(), s.(syscall.Signal))
		}
	}()
}

// stopTimeout is how long a stop that SIGTERM asked for may take. What hangs, in a driver or on a disk, never comes
// to it.
const stopTimeout = 10 * time.Minute

// sigtermWindow is how close two SIGTERM are one: timeout(1) sends it to its child and then to the child's group, and
// so do other programs that start programs.
const sigtermWindow = time.Second

// exitOnRepeatedSIGTERM returns what to call with each signal, so that SIGTERM always ends the program: the first
// asks for a stop; the second, or stopTimeout later nothing, ends it at once, without a snapshot.
func exitOnRepeatedSIGTERM(e *env) func(os.Signal) {
	end := func(why string) {
		escape.Fprintf(e.stderr, "dns-tui: %s: ended at once, without a snapshot\n", why)
		os.Exit(1)
	}
	var asked time.Time
	return func(s os.Signal) {
		switch {
		case s != syscall.SIGTERM:
		case !asked.IsZero() && time.Since(asked) >= sigtermWindow:
			end("a second SIGTERM")
		case asked.IsZero():
			asked = time.Now()
			time.AfterFunc(
				stopTimeout,
				func() { end(fmt.Sprintf("the run has not stopped %v after SIGTERM", stopTimeout)) },
			)
		}
	}
}
