#!/bin/sh
# Fetches NVIDIA's cuda.h into build/cuda/include where no toolkit has it: from the Python package in which NVIDIA
# publishes the headers, by pip, which installs nothing.
set -eu
cd "$(dirname "$0")/.."
[ -z "$(sh scripts/cuda_headers.sh)" ] || exit 0
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if ! python3 -m pip download -q --no-deps --only-binary=:all: -d "$tmp" nvidia-cuda-runtime-cu11==11.8.89; then
    echo "no cuda.h: neither a CUDA toolkit (make cuda-toolkit installs Debian's) nor pip's nvidia-cuda-runtime-cu11" >&2
    exit 1
fi
mkdir -p build/cuda
python3 - "$tmp"/*.whl <<'EOF'
import os, sys, zipfile
inside = "nvidia/cuda_runtime/include/"
with zipfile.ZipFile(sys.argv[1]) as z:
    for name in z.namelist():
        if name.startswith(inside) and not name.endswith("/"):
            path = "build/cuda/include/" + name[len(inside):]
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "wb") as f:
                f.write(z.read(name))
EOF
