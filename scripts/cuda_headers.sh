#!/bin/sh
# Finds NVIDIA's cuda.h and prints its folder: of CUDA_HOME, /usr/local/cuda, the distribution's packages, or of what
# `make cuda-headers` fetched. Prints nothing where there is none.
cd "$(dirname "$0")/.."
for dir in ${CUDA_HOME:+"$CUDA_HOME/include"} /usr/local/cuda/include /usr/include /usr/lib/cuda/include /opt/cuda/include "$PWD/build/cuda/include"; do
    if [ -f "$dir/cuda.h" ] && grep -q cuLaunchKernel "$dir/cuda.h"; then
        echo "$dir"
        exit 0
    fi
done
