package host

//go:noescape
func maxRow512(r *poolRow)

//go:noescape
func sumRow512(r *poolRow)

//go:noescape
func spreadRow512(r *poolRow)

// hasPoolRows reports whether maxRow, sumRow and spreadRow are there.
func hasPoolRows() bool { return hasAVX512 }

// maxRow writes the maxima of a row of windows and their places.
func maxRow(r *poolRow) { maxRow512(r) }

// sumRow writes the sums of a row of windows, divided by their sizes.
func sumRow(r *poolRow) { sumRow512(r) }

// spreadRow writes a row of a plane: the sums of what the windows spread that have it.
func spreadRow(r *poolRow) { spreadRow512(r) }
