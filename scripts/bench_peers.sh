#!/bin/sh
# Times training passes, and steps with surgery, against PyTorch and Caffe on the same nets, alternating in one run, and
# prints a table. Wants Python 3 with venv, and PyPI; for PyTorch's mode compile a C++ compiler.
#   ONLY=name      the nets whose names have the word: lenet, cifar10_full, resnet50, ...
#   ROUNDS=n       so many rounds of all programs (3)
#   THREADS="2 1"  with so many threads each
#   MODES="..."    of PyTorch: eager, channels_last, compile
#   CAFFE=path     a binary of Caffe's, to be measured too: `caffe time` and `caffe train` of the same nets, in turn
set -eu
cd "$(dirname "$0")/.."
venv=build/peers
if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q -r scripts/bench_sparse_requirements.txt
fi
exec "$venv/bin/python" scripts/bench_peers.py bin/dns-tui build/peers-nets testdata/nets
