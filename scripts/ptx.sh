#!/bin/sh
# Compiles the kernels: to PTX, which the driver compiles for any GPU, and to cubins, which it need not compile. The PTX's
# first line, and cubins/source.txt, say of which source they were made; TestPTX and TestCubins hold them against that.
#
# Cubins are made by the ptxas beside nvcc where it knows the architecture, so that old drivers take them, and else by the
# one that PTXAS names (of CUDA 12.8 or newer for sm_100 and sm_120: PyPI's nvidia-cuda-nvcc-cu12 has one). Without one
# for all of them the cubins stay as they are; those of another source than the PTX are not used.
set -eu
cd "$(dirname "$0")/../gpu/cuda/kernels"
sum=$(cat *.cu *.cuh | sha256sum | cut -d' ' -f1)
host=
for c in g++-11 g++; do
    if command -v $c >/dev/null; then host="-ccbin $c"; break; fi
done
build=../../../build
rm -rf $build/cubins
mkdir -p $build/cubins
nvcc $host -ptx -O3 -std=c++14 -arch=compute_70 all.cu -o $build/kernels.ptx
nvcc $host -ptx -O3 -std=c++14 -arch=compute_80 tensor.cu -o $build/tensor.ptx
nvcc $host -ptx -O3 -std=c++14 -arch=compute_80 nhwc.cu -o $build/nhwc.ptx
for f in kernels tensor nhwc; do
    { echo "// source $sum"; cat $build/$f.ptx; } | gzip -9n > $f.ptx.gz
done

# One of each generation, which newer chips of the same generation take too. The others want 8.0.
for arch in 70 80 90 100 120; do
    as=
    for p in ptxas ${PTXAS:-}; do
        if [ -z "$as" ] && command -v "$p" >/dev/null && "$p" --help | grep -q "sm_$arch\b"; then as=$p; fi
    done
    if [ -z "$as" ]; then
        echo "no ptxas for sm_$arch (PTXAS names one): the cubins are not made again" >&2
        exit 0
    fi
    for f in kernels tensor nhwc; do
        if [ $arch != 70 ] || [ $f = kernels ]; then
            echo "$f for sm_$arch" >&2
            "$as" -O3 -arch=sm_$arch $build/$f.ptx -o $build/cubins/$f.cubin
            gzip -9n < $build/cubins/$f.cubin > $build/cubins/$f.sm_$arch.gz
        fi
    done
done
mv $build/cubins/*.gz cubins/
echo "source $sum" > cubins/source.txt
