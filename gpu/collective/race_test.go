//go:build race

package collective

// raced says that the race detector is in, which takes more addresses than a bounded process has.
const raced = true
