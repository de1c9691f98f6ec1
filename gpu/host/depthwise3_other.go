//go:build !amd64

package host

const hasAVX512 = false

// There is assembler for AVX-512 alone; depthwise3 says so.
func depthwiseSums(*depthwisePlane)                                        {}
func depthwiseSums2(*depthwisePlane)                                       {}
func depthwiseDots(*depthwisePlane)                                        {}
func depthwiseDots2(*depthwisePlane)                                       {}
func copyPlane(*float32, int, *float32, int, int, int, *float32, *float32) {}
func spreadPlane(*float32, int, *float32, int, int, int)                   {}
