#!/bin/sh
# Times nets with zeros left out against onnxruntime's and PyTorch's dense float32 of the same nets, alternating in one
# run: prints the table of docs/results.md. Wants Python 3 with venv, and PyPI.
#   ONLY=name  the cases whose names have the word: lenet300, lenet5, fc, conv
#   ROUNDS=n   so many rounds of all programs (5)
set -eu
cd "$(dirname "$0")/.."
venv=build/peers
if ! "$venv/bin/python" -c 'import onnxruntime, torch' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r scripts/bench_sparse_requirements.txt
fi
mkdir -p build/sparse
exec "$venv/bin/python" scripts/bench_sparse.py bin/dns-tui build/sparse testdata/models
