#!/bin/sh
# Makes build/dist/dns-tui-VERSION-linux-ARCH.tar.gz, the same with -cuda, and SHA256SUMS. A tarball unpacks to a folder
# that can be copied over /usr/local: bin, share, and licenses of what is in the program. One commit, compiled by one
# version of Go and of the C compiler, gives the same bytes.
set -eu
cd "$(dirname "$0")/.."
go=${GO:-go}
version=${VERSION:-dev}
arch=$($go env GOARCH)
out=$PWD/build/dist
rm -rf "$out"
mkdir -p "$out"
date=$(git log -1 --format=%ct 2>/dev/null || echo 0)

pack() { # VARIANT TAGS
    name=dns-tui-$version-linux-$arch$1
    dir=$out/$name
    $go build -trimpath ${2:+-tags $2} -ldflags "-s -w -X main.version=$version" -o "$dir.bin" ./cmd/dns-tui
    sh scripts/install.sh "$dir.bin" "$dir"
    rm "$dir.bin"
    TAGS=$2 sh scripts/licenses.sh "$dir/share/doc/dns-tui/licenses" ./cmd/dns-tui
    tar -C "$out" --sort=name --mtime="@$date" --owner=0 --group=0 --numeric-owner -cf - "$name" | gzip -9n >"$dir.tar.gz"
    rm -rf "$dir"
}

pack "" ""
include=$(sh scripts/cuda_headers.sh)
eval "export $(sh scripts/cuda_env.sh "$include")"
pack -cuda cuda
cd "$out"
sha256sum -- *.tar.gz >SHA256SUMS
cat SHA256SUMS
