//go:build !amd64

package host

import "dns-tui/gpu"

// forwardVectors does no entries: there are no vector instructions here that it knows of.
func forwardVectors(gpu.Soft, []float32, []float32) int { return 0 }
