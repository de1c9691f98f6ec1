#!/bin/sh
# Fetches NVIDIA's cuda.h into build/cuda/include where no toolkit has it: from the Python package in which NVIDIA
# publishes the headers, by pip, which installs nothing and takes it only with the checksum of scripts/cuda_headers.txt.
# NO_INSTALL=1: fetches nothing.
set -eu
cd "$(dirname "$0")/.."
[ -z "$(sh scripts/cuda_headers.sh)" ] || exit 0
if [ -n "${NO_INSTALL:-}" ]; then
    echo "no cuda.h, and NO_INSTALL is set: nothing is fetched (a CUDA toolkit has it; CUDA_HOME names one)" >&2
    exit 1
fi
echo "fetching NVIDIA's cuda.h into build/cuda/include (pip: nvidia-cuda-runtime-cu11 11.8.89, 0.9 MB; NVIDIA's licence holds)" >&2
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! python3 -m pip download -q --no-deps --only-binary=:all: --require-hashes -d "$tmp" -r scripts/cuda_headers.txt; then
    echo "no cuda.h: neither a CUDA toolkit (make cuda-toolkit installs Debian's) nor pip's nvidia-cuda-runtime-cu11" >&2
    exit 1
fi
python3 scripts/unpack_headers.py "$tmp"/*.whl build/cuda/include
