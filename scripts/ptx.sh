#!/bin/sh
# Compiles the kernels to PTX. The first line says of which source it was made; TestPTX holds it against that.
set -eu
cd "$(dirname "$0")/../gpu/cuda/kernels"
sum=$(cat *.cu *.cuh | sha256sum | cut -d' ' -f1)
host=
for c in g++-11 g++; do
    if command -v $c >/dev/null; then host="-ccbin $c"; break; fi
done
mkdir -p ../../../build
nvcc $host -ptx -O3 -std=c++14 -arch=compute_70 all.cu -o ../../../build/kernels.ptx
nvcc $host -ptx -O3 -std=c++14 -arch=compute_80 tensor.cu -o ../../../build/tensor.ptx
for f in kernels tensor; do
    { echo "// source $sum"; cat ../../../build/$f.ptx; } | gzip -9n > $f.ptx.gz
done
