#!/bin/sh
# Installs Debian's nvidia-cuda-toolkit: headers, nvcc. It is in the components contrib and non-free.
set -eu
cd "$(dirname "$0")/.."
if [ -n "$(sh scripts/cuda_headers.sh)" ] && command -v nvcc >/dev/null; then
    echo "a CUDA toolkit is there: $(command -v nvcc)"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "no apt-get: install NVIDIA's CUDA toolkit, 11.8 to 13, and set CUDA_HOME" >&2
    exit 1
fi
if [ -n "${NO_INSTALL:-}" ]; then
    echo "NO_INSTALL is set: nothing is installed" >&2
    exit 1
fi
echo "installing nvidia-cuda-toolkit, gcc-11 and g++-11 by apt-get, 0.8 GB; /etc/apt gets the components contrib, non-free and non-free-firmware"
sudo=
[ "$(id -u)" = 0 ] || sudo=sudo
list=/etc/apt/sources.list.d/debian.sources
[ ! -f $list ] || grep -q 'non-free$\|non-free ' $list || $sudo sed -i 's/^Components: main.*/Components: main contrib non-free non-free-firmware/' $list
list=/etc/apt/sources.list
[ ! -f $list ] || grep -q 'non-free$\|non-free ' $list || $sudo sed -i 's/^\(deb .* main\)$/\1 contrib non-free non-free-firmware/' $list
$sudo apt-get update
$sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends nvidia-cuda-toolkit gcc-11 g++-11
