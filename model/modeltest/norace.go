//go:build !race

package modeltest

// Race reports whether the race detector is built in, which allocates where the program does not.
const Race = false
