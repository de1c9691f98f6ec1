//go:build !cuda

package cuda

import "dns-tui/gpu"

// Built reports whether the program has this device.
const Built = false

// Open returns ErrAbsent.
func Open(Options) (*gpu.Device, error) { return nil, ErrAbsent }

// Devices returns ErrAbsent.
func Devices() ([]Info, error) { return nil, ErrAbsent }

// NCCL returns ErrAbsent.
func NCCL() (name, path string, err error) { return "", "", ErrAbsent }
