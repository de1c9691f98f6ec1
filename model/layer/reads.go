package layer

// A Reader says of which blobs its Backward reads the data, once it is set up: the others' memory may be given to what
// comes between. A layer that is none is taken to read all.
type Reader interface {
	ReadsBottom(i int) bool
	ReadsTop(i int) bool
}

// ReadsBottom reports whether a layer's Backward reads the data of a bottom.
func ReadsBottom(l Layer, i int) bool {
	r, ok := l.(Reader)
	return !ok || r.ReadsBottom(i)
}

// ReadsTop reports whether a layer's Backward reads the data of a top.
func ReadsTop(l Layer, i int) bool {
	r, ok := l.(Reader)
	return !ok || r.ReadsTop(i)
}

// readsNothing, readsBottoms and readsTops are embedded by Readers that read none or all of a kind.
type (
	readsNothing struct{}
	readsBottoms struct{}
	readsTops    struct{}
)

func (readsNothing) ReadsBottom(int) bool { return false }
func (readsNothing) ReadsTop(int) bool    { return false }
func (readsBottoms) ReadsBottom(int) bool { return true }
func (readsBottoms) ReadsTop(int) bool    { return false }
func (readsTops) ReadsBottom(int) bool    { return false }
func (readsTops) ReadsTop(int) bool       { return true }
