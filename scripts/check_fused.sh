#!/bin/sh
# On arm64 Go's compiler makes one instruction of a product and a sum, which rounds once, where amd64 rounds twice. What
# gpu and gpu/host compute in Go is to have the bits of their vectors and of amd64, so each product that is added to is
# rounded by a conversion: float32(a*b). This lists what the compiler fused nevertheless. The tiles of products and
# convolutions may fuse: the routines for AVX2, AVX-512 and NEON, in whose place they are, do so too.
set -eu
tiles='gpu/host/(direct|panels)\.go'
fused=$(GOARCH=arm64 CGO_ENABLED=0 ${GO:-go} build -gcflags=-S ./gpu ./gpu/host 2>&1 |
	grep -E '[[:space:]]FN?M(ADD|SUB)[SD][[:space:]]') || fused=
if ! printf '%s\n' "$fused" | grep -Eq "$tiles"; then
	echo "check_fused: the compiler's listing has no fused instruction in $tiles; wanted some: is it another format?" >&2
	exit 1
fi
wrong=$(printf '%s\n' "$fused" | grep -Ev "$tiles" | grep -oE '[^(]*\.go:[0-9]+' | sort -u) || wrong=
if [ -n "$wrong" ]; then
	echo "check_fused: products that arm64 does not round before they are added; wanted float32(a*b) or float64(a*b):" >&2
	printf '%s\n' "$wrong" >&2
	exit 1
fi
