#!/bin/sh
# Makes build/gpu-bundle: what a machine with an NVIDIA GPU, and neither Go nor a toolkit, needs for the report. Copy the
# folder there and run sh gpu-bundle/report.sh.
set -eu
cd "$(dirname "$0")/.."
out=build/gpu-bundle
rm -rf $out
mkdir -p $out/testdata/oracle
eval "export $(sh scripts/cuda_env.sh "$(sh scripts/cuda_headers.sh)")"
version=$(git describe --tags --always --dirty 2>/dev/null || echo dev)
go build -tags cuda -trimpath -ldflags "-s -w -X main.version=$version" -o $out/dns-tui ./cmd/dns-tui
go test -c -tags cuda -trimpath -ldflags "-s -w" -o $out/cuda.test ./gpu/cuda
go test -c -tags cuda -trimpath -ldflags "-s -w" -o $out/model.test ./model/session
cp -r testdata/nets $out/testdata/
cp -r testdata/oracle/layers testdata/oracle/solvers $out/testdata/oracle/
cp scripts/gpu_report.sh $out/report.sh
cp scripts/gpu_peers.py scripts/peer_nets.py $out/
TAGS=cuda LISTFLAGS=-test sh scripts/licenses.sh $out/licenses ./cmd/dns-tui ./gpu/cuda ./model/session
for text in "$(sh scripts/cuda_headers.sh)"/LICENSE.nvidia.txt; do # of the headers that it was built with
    [ ! -f "$text" ] || cp "$text" $out/licenses/
done
du -sh $out
