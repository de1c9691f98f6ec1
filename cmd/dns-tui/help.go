package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"dns-tui/escape"
	"dns-tui/gpu/cuda"
)

func runHelp(ctx context.Context, e *env, args []string) error {
	rest, err := parse(newFlags(e, "help"), args)
	if err != nil {
		return err
	}
	if len(rest) > 0 {
		for _, c := range subcommands() {
			if c.name == rest[0] {
				return c.run(ctx, e, []string{"-h"})
			}
		}
		return usagef("no command %q", rest[0])
	}
	escape.Fprintf(
		e.stdout,
		"dns-tui trains Caffe networks and prunes them while they train (Dynamic Network Surgery).\n\n"+
			"  dns-tui                      what is in this folder, to choose from: solvers, snapshots, active runs\n"+
			"  dns-tui solver.prototxt      in a terminal: watch, and steer the pruning live\n"+
			"  dns-tui new net.prototxt     five questions, and a solver for a net\n\nCommands:\n",
	)
	for _, c := range subcommands() {
		escape.Fprintf(e.stdout, "  %-38s %s\n", c.name+" "+c.args, c.help)
	}
	escape.Fprintf(e.stdout, "\nFlags may be written -gpu or --gpu. `dns-tui COMMAND -h` lists those of a command.\n")
	return nil
}

// programVersion is what the linker was told, or the commit that Go built from.
func programVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok && version == "dev" {
		for _, s := range info.Settings {
			if s.Key == "vcs.revision" {
				return "dev " + s.Value[:min(12, len(s.Value))]
			}
		}
	}
	return version
}

func runVersion(_ context.Context, e *env, args []string) error {
	if _, err := parse(newFlags(e, "version"), args); err != nil {
		return err
	}
	devices := "host"
	if cuda.Built {
		devices = "host, cuda"
	}
	escape.Fprintf(
		e.stdout,
		"dns-tui %s (%s %s/%s; devices: %s)\n",
		programVersion(),
		runtime.Version(),
		runtime.GOOS,
		runtime.GOARCH,
		devices,
	)
	return nil
}
