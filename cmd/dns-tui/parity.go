package main

import (
	"context"
	"errors"

	"dns-tui/escape"
	"dns-tui/model/parity"
)

// errDisagree is a failure that has been reported already.
var errDisagree = errors.New("disagrees")

func runParity(_ context.Context, e *env, args []string) error {
	var f deviceFlags
	fs := newFlags(e, "parity")
	f.add(fs)
	rest, err := parse(fs, args)
	if err != nil {
		return err
	}
	if len(rest) != 1 {
		return usagef("parity: wanted one folder of reference vectors, found %s", count(len(rest), "argument"))
	}
	// A weight that lies within rounding of a threshold goes either way with another order of a sum.
	f.untuned = true
	if f.precision == "auto" { // Caffe's vectors are float32's
		f.precision = "fp32"
	}
	d, err := f.open(e)
	if err != nil {
		return err
	}
	defer d.Close()
	cases, err := parity.Cases(rest[0])
	if err != nil {
		return err
	}
	progress := newBar(e, "cases", len(cases))
	out := progress.over(e.stdout)
	count := map[parity.Status]int{}
	for i, c := range cases {
		progress.step(i)
		r := c.Run(d)
		count[r.Status]++
		escape.Fprintln(out, r)
	}
	progress.end()
	escape.Fprintf(e.stdout, "%d agree, %d disagree\n", count[parity.Agrees], count[parity.Disagrees])
	if count[parity.Disagrees] > 0 {
		return errDisagree
	}
	return nil
}
