package host

import "golang.org/x/sys/cpu"

// processorSets are those that the processor has, the largest last.
func processorSets() []VectorSet {
	sets, x := []VectorSet{GoSet}, &cpu.X86
	if x.HasAVX {
		sets = append(sets, AVXSet)
		if x.HasAVX2 && x.HasFMA {
			sets = append(sets, AVX2Set)
			if x.HasAVX512F {
				sets = append(sets, AVX512Set)
			}
		}
	}
	return sets
}
