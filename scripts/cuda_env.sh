#!/bin/sh
# cuda_env.sh INCLUDE: prints what building with the tag cuda needs in the environment, for headers in INCLUDE, and makes
# the library that stands in for the driver's when the program is linked.
set -eu
cd "$(dirname "$0")/.."
mkdir -p build/cuda/link
if [ ! -f build/cuda/link/libcuda.a ] || [ gpu/cuda/driver/trampoline.c -nt build/cuda/link/libcuda.a ] || [ gpu/cuda/driver/symbols.h -nt build/cuda/link/libcuda.a ]; then
    ${CC:-cc} -O2 -fPIC -c gpu/cuda/driver/trampoline.c -o build/cuda/link/trampoline.o
    rm -f build/cuda/link/libcuda.a
    ar rcs build/cuda/link/libcuda.a build/cuda/link/trampoline.o
fi
echo "CGO_CFLAGS='-O2 -g -Wno-deprecated-declarations -I$PWD/gpu/cuda/compat -I$1' CGO_LDFLAGS='-O2 -g -L$PWD/build/cuda/link -ldl'"
