package host

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// A VectorSet is the vector instructions that the host's kernels use. Of amd64 each has those before it, too.
type VectorSet int

// The sets, by what processors call them.
const (
	GoSet     VectorSet = iota // no vectors: all kernels are in Go
	AVXSet                     // AVX
	AVX2Set                    // AVX2 and FMA
	AVX512Set                  // AVX-512 F, with AVX2 and FMA
	NEONSet                    // arm64's Advanced SIMD
)

var setNames = [...]string{GoSet: "Go", AVXSet: "AVX", AVX2Set: "AVX2", AVX512Set: "AVX-512", NEONSet: "NEON"}

func (s VectorSet) String() string { return setNames[s] }

// includes reports whether a processor of a set has another's instructions.
func (s VectorSet) includes(o VectorSet) bool {
	return o == GoSet || o == s || s != NEONSet && o != NEONSet && o < s
}

// vectorsVariable names the set to use in place of the largest.
const vectorsVariable = "DNS_TUI_VECTORS"

// chooseSet is the set that was asked for, of those that the processor has, the largest last. Nothing, or one that is
// not there, is the largest.
func chooseSet(asked string, have []VectorSet) (VectorSet, error) {
	largest := have[len(have)-1]
	if asked == "" {
		return largest, nil
	}
	names := make([]string, len(have))
	for i, s := range have {
		if names[i] = s.String(); strings.EqualFold(asked, names[i]) {
			return s, nil
		}
	}
	return largest, fmt.Errorf("%s is %q; wanted one of what this processor has: %s", vectorsVariable, asked,
		strings.Join(names, ", "))
}

// usedSet is chosen once, at start, and errSet says why it is not what was asked for; tests choose others.
var (
	usedSet VectorSet
	errSet  error
)

func init() {
	usedSet, errSet = chooseSet(os.Getenv(vectorsVariable), processorSets())
	useSet(usedSet)
}

// CheckVectors reports that DNS_TUI_VECTORS asks for vector instructions that there are not.
func CheckVectors() error { return errSet }

// best is by which set's assembler each kernel is done; GoSet where it is in Go.
var best [vecCount]VectorSet

// has reports whether a kernel is done by assembler.
func has(k vectorKernel) bool { return best[k] != GoSet }

// The size of a tile of sums in registers: positions, or elements of a run, and panels of outputs.
var tilePositions, tileElements, tilePanels int

// useSet makes all kernels those of a set.
func useSet(s VectorSet) {
	usedSet = s
	for _, k := range vectorTable {
		best[k.id] = GoSet
		for set := range k.by {
			if s.includes(set) && set >= best[k.id] {
				best[k.id] = set
			}
		}
	}
	tilePositions, tilePanels = 8, 1
	switch best[vecProduct] {
	case AVX512Set:
		tilePanels = 2
	case AVX2Set, NEONSet:
		tilePositions = 6
	}
	tileElements = tilePositions
}

// describeVectors says how many kernels are done by what: "AVX-512 (12 of 80 kernels; AVX2 23, AVX 44, Go 1)".
func describeVectors() string {
	var count [len(setNames)]int
	for _, k := range vectorTable {
		count[best[k.id]]++
	}
	var others []string
	for s := range slices.Backward(count[:]) {
		if VectorSet(s) != usedSet && count[s] > 0 {
			others = append(others, fmt.Sprintf("%s %d", VectorSet(s), count[s]))
		}
	}
	rest := ""
	if len(others) > 0 {
		rest = "; " + strings.Join(others, ", ")
	}
	return fmt.Sprintf("%s (%d of %d kernels%s)", usedSet, count[usedSet], len(vectorTable), rest)
}

// vectorsOf is how many whole vectors of some length x has; 0 where a kernel is in Go.
func vectorsOf(k vectorKernel, x []float32, length int) int {
	if !has(k) {
		return 0
	}
	return len(x) / length
}

// absent is what a routine of another processor panics with.
const absent = "gpu: a kernel for another processor was called"
