#!/bin/sh
# Generates again what can be generated here (protobuf, go generate, PTX where nvcc is), and fails where that differs
# from what was there. The comment that names protoc's version is left out: it is the machine's.
set -eu
cd "$(dirname "$0")/.."
before=$(mktemp)
after=$(mktemp)
trap 'rm -f "$before" "$after"' EXIT
sums() {
    git ls-files -co --exclude-standard -- '*.go' '*.h' '*.cuh' '*.ptx.gz' | while read -r file; do
        if [ -f "$file" ]; then
            echo "$(sed '/^\/\/.*protoc *v/d' "$file" | sha256sum | cut -d' ' -f1) $file"
        fi
    done
}
sums >"$before"
${MAKE:-make} -s proto
${GO:-go} generate ./...
# Another version of nvcc makes other PTX of the same source.
made=$(gzip -dc gpu/cuda/kernels/kernels.ptx.gz | sed -n 's/^.*Cuda compilation tools, \(release [0-9.]*\).*/\1/p')
if command -v nvcc >/dev/null && nvcc --version | grep -qF "$made,"; then
    ${MAKE:-make} -s ptx
else
    echo "no nvcc of $made: the PTX is not made again (TestPTX holds it against the sum of its source)"
fi
sums >"$after"
if ! diff "$before" "$after" >/dev/null; then
    echo "these are not what their sources give; they are made anew now:" >&2
    diff "$before" "$after" | sed -n 's/^[<>] [0-9a-f]* /  /p' | sort -u >&2
    exit 1
fi
echo "generated code is fresh"
