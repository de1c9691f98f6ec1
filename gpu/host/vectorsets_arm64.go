package host

// processorSets are those that the processor has, the largest last: every arm64 processor that Go runs on has NEON.
func processorSets() []VectorSet { return []VectorSet{GoSet, NEONSet} }
