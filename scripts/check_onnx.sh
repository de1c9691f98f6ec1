#!/bin/sh
# Makes ONNX graphs of the nets in testdata, runs them in onnxruntime and compares with this program; and runs README's
# lines that load safetensors. Python's packages come from PyPI, into build/onnx-venv; where that is not reached, this
# says so and does nothing. SHORT=1 leaves out the nets of more than 20 million weights.
set -eu
cd "$(dirname "$0")/.."
venv=build/onnx-venv
wants=scripts/onnx_requirements.txt
if ! cmp -s "$wants" "$venv/installed.txt"; then
    rm -rf "$venv"
    if ! python3 -m venv "$venv"; then
        rm -rf "$venv"
        echo "check-onnx: skipped: no python3 that makes a venv" >&2
        exit 0
    fi
    if ! "$venv/bin/pip" install --quiet --disable-pip-version-check --retries 1 --timeout 60 --only-binary :all: \
        --requirement "$wants"; then
        rm -rf "$venv"
        echo "check-onnx: skipped: PyPI is not reached, or has no such packages for this machine" >&2
        exit 0
    fi
    cp "$wants" "$venv/installed.txt"
fi
${GO:-go} test -tags onnx ${SHORT:+-short} -count 1 -timeout "${PATIENCE:-3h}" -run 'TestRuns' ./model/onnx
"$venv/bin/python" scripts/check_onnx.py
# README's lines, as they stand there.
${GO:-go} run ./cmd/dns-tui export --masks testdata/oracle/solvers/dns_seed_mini_iter_60.caffemodel \
    build/onnx/pruned.safetensors
sed -n '/^```python$/,/^```$/{/^```/d;p}' README.md >build/onnx/readme.py
(cd build/onnx && ../onnx-venv/bin/python readme.py) | tee build/onnx/readme.txt
if [ "$(grep -c 'kept, all others 0: True' build/onnx/readme.txt)" -ne 4 ]; then
    echo "check-onnx: README's lines say something else of four masks" >&2
    exit 1
fi
