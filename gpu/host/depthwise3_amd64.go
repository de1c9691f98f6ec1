package host

//go:noescape
func depthwiseSums(t *depthwisePlane)

//go:noescape
func depthwiseSums2(t *depthwisePlane)

//go:noescape
func depthwiseDots(t *depthwisePlane)

//go:noescape
func depthwiseDots2(t *depthwisePlane)

//go:noescape
func copyPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int, next, also *float32)

//go:noescape
func spreadPlane(src *float32, srcStep int, dst *float32, dstStep, rows, cols int)
